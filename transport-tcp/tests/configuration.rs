//! Settings that make sense, and such as do not: the suite of where a transport listens, and what is TCP's own.

use actor_cluster::transport::TransportError;
use transport_tcp::{DevCa, TcpTransport, TlsContext};

use crate::trust::Tcp;
use crate::world::{ANY_PORT, assert_config, config};

transport_tls::listening_suite!(Tcp);

#[test]
fn what_makes_no_sense_is_refused_in_words() {
    let node = DevCa::new().unwrap().node("node").unwrap();
    let (credentials, authorities) = (node.credentials().unwrap(), node.authorities().unwrap());
    let context = TlsContext::new(credentials.clone(), authorities.clone()).unwrap();
    let bare = TcpTransport::builder;
    for (config, detail) in [
        (bare(), "credentials are missing"),
        (config(&node).danger_plaintext(), "but plaintext was asked for"),
        (bare().authorities(authorities).danger_plaintext(), "but plaintext was asked for"),
        (bare().tls(context.clone()).danger_plaintext(), "but plaintext was asked for"),
        (config(&node).tls(context), "are given beside it, too"),
    ] {
        let error = config.build().err().unwrap_or_else(|| panic!("{detail}"));
        assert_config(&error, detail);
    }
    assert!(bare().danger_plaintext().listen(ANY_PORT).build().is_ok());
}

/// Keys must not end up in a log by way of `{:?}`.
#[test]
fn keys_stay_out_of_logs() {
    let node = DevCa::new().unwrap().node("node").unwrap();
    let secret = node.key.lines().nth(1).unwrap();
    let logged = format!("{node:?} {:?} {:?}", node.credentials().unwrap(), config(&node));
    assert!(!logged.contains(secret) && !logged.contains("PRIVATE KEY"), "{logged}");
}

/// The transport's part of the target `names`: texts that a fuzzer kept.
#[test]
fn whatever_is_advertised_is_taken_or_refused() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/names.hex");
    let kept = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut asked = 0;
    for line in kept.lines() {
        let bytes: Vec<u8> =
            (0..line.len()).step_by(2).map(|at| u8::from_str_radix(&line[at..at + 2], 16).unwrap()).collect();
        // As a fuzzer hands bytes to who wants a text: as far as they are one.
        let text = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        let transport = TcpTransport::builder().listen(ANY_PORT).advertise(text).danger_plaintext().build();
        if let Err(error) = transport {
            assert!(matches!(error, TransportError::Config(_)), "{text:?}: {error}");
        }
        asked += 1;
    }
    assert_eq!(asked, kept.matches('\n').count());
    assert!(asked > 0, "nothing is kept");
}
