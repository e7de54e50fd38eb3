//! Texts that users write: addresses, identities, what a node advertises.
#![no_main]

use transport_tcp::TcpTransport;

libfuzzer_sys::fuzz_target!(|text: &str| {
    actor_cluster::fuzzing::names(text);
    // It opens no socket yet.
    let here = ([127, 0, 0, 1], 1).into();
    drop(TcpTransport::builder().listen(here).advertise(text).danger_plaintext().build());
});
