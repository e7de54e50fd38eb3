//! Words of membership, from members and strangers, in any order.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| actor_cluster::fuzzing::membership(bytes));
