//! What is built around actors, on actor-core's public interface and nothing else.
//!
//! Each module stands alone, so that it can be lifted out:
//!
//! * [`topics`]: publish and subscribe, by topics with wildcards.
//! * [`broker`]: messages to names; requests and their answers, by correlation id.
//! * [`scheduler`]: messages later, again and again, or by the wall clock.

pub mod broker;
mod contain;
mod pace;
pub mod scheduler;
pub mod topics;
