//! The one test binary of the crate: each concern is a module.

mod derive;
