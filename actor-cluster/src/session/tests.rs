//! Two sessions wired in memory; see `testing/pair.rs`.
