//! Bytes as frames.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| actor_cluster::fuzzing::frames(data));
