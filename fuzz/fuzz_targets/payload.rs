//! Payloads in our own form.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| actor_cluster::fuzzing::payload(data));
