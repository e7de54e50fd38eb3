//! What is built around actors, on actor-core's public interface and nothing else.

pub mod factory;
