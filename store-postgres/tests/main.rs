//! The store on a real server of the tests' own.

mod place;
mod suite;
