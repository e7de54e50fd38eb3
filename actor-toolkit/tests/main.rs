//! What is promised of the toolkit. A test's name begins with its row in docs/missions.md.

mod broker;
mod factory;
mod scheduler;
#[cfg(feature = "tower")]
mod service;
mod streams;
mod support;
mod topics;
