//! What is built around actors, on actor-core's public interface and nothing else.
//!
//! Each module stands alone, so that it can be lifted out:
//!
//! * [`topics`]: publish and subscribe, by topics with wildcards.

mod contain;
mod pace;
pub mod topics;
