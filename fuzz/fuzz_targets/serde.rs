//! Payloads in serde's form.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| actor_cluster::fuzzing::serde(data));
