//! What transports over TLS are tested with. Must not live here: what production calls.

mod meeting;
pub mod trust_suite;
