//! Messages of the control lane.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| actor_cluster::fuzzing::control(data));
