//! What the comparisons share: their command line, how a measurement is run, and what is made of its readings.

pub mod flags;
pub mod process;
pub mod readings;
pub mod report;
pub mod stats;
