//! What the comparison within a process and the one between two share.

pub mod flags;
pub mod report;
pub mod stats;
