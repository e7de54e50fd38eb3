//! What transports over TLS are tested with. Must not live here: what production calls.
#![allow(clippy::missing_panics_doc, reason = "tests speak by panicking")]

pub mod listening_suite;
pub mod meeting;
pub mod trust_suite;
