//! What peers and lock files say of message types.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| actor_cluster::fuzzing::schema(text));
