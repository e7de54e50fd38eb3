//! The one test binary of the crate: each concern is a module.

mod cluster;
mod compile_errors;
mod derive;
