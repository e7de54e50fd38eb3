//! A handshake with somebody on its way.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| actor_cluster::fuzzing::handshake(data));
