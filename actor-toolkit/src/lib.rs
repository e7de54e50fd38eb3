//! What is built around actors, on actor-core's public interface and nothing else.
//!
//! Each module stands alone, so that it can be lifted out:
//!
//! * [`factory`]: jobs for a pool of workers, and one place that decides which runs where.
//! * [`topics`]: publish and subscribe, by topics with wildcards.
//! * [`broker`]: messages to names; requests and their answers, by correlation id.
//! * [`scheduler`]: messages later, again and again, or by the wall clock.
//! * [`streams`]: what comes from elsewhere, as messages: streams, channels, sockets.
//! * `service`, with the feature `tower`: an actor's calls as a `tower::Service`.

pub mod broker;
mod contain;
pub mod factory;
pub mod scheduler;
#[cfg(feature = "tower")]
pub mod service;
pub mod streams;
pub mod topics;
