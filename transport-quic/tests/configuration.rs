//! Settings that make sense, and such as do not: the suite of where a transport listens, and what is QUIC's own.

use std::time::Duration;

use transport_quic::limits::MTU_MOST;
use transport_quic::{DevCa, QuicLimits, QuicTransport, TlsContext};

use crate::trust::Quic;
use crate::world::{Host, assert_config, config, node_of};

transport_tls::listening_suite!(Quic);

/// Ethernet with frames of 9000 bytes, and with those of 1500, at two ends of one wire.
#[tokio::test]
async fn peers_with_long_packets_and_with_short_ones_talk() {
    let ca = DevCa::new().unwrap();
    let long = QuicLimits { mtu_max: MTU_MOST, initial_mtu: MTU_MOST, ..QuicLimits::default() };
    let jumbo = || config(&ca.node("jumbo").unwrap()).limits(long).build().unwrap();
    Host::start(&jumbo()).await.connect(&node_of(&ca, "short")).await.talk().await;
    Host::start(&node_of(&ca, "short")).await.connect(&jumbo()).await.talk().await;
    Host::start(&jumbo()).await.connect(&jumbo()).await.talk().await;
}

#[test]
fn what_makes_no_sense_is_refused_in_words() {
    let node = DevCa::new().unwrap().node("node").unwrap();
    let (credentials, authorities) = (node.credentials().unwrap(), node.authorities().unwrap());
    let context = TlsContext::new(credentials.clone(), authorities.clone()).unwrap();
    let (bare, usual) = (QuicTransport::builder, QuicLimits::default());
    let bounds = |limits| config(&node).limits(limits);
    for (config, detail) in [
        (bare(), "credentials are missing"),
        (config(&node).tls(context), "are given beside it, too"),
        (bounds(QuicLimits { keep_alive: usual.idle_timeout, ..usual }), "shorter than `idle_timeout`"),
        (bounds(QuicLimits { keep_alive: Duration::ZERO, ..usual }), "must be positive"),
        (bounds(QuicLimits { idle_timeout: Duration::MAX, ..usual }), "more than QUIC can count to"),
        (bounds(QuicLimits { mtu_max: MTU_MOST + 1, ..usual }), "a packet has 1200 to 8952 bytes"),
        (bounds(QuicLimits { mtu_max: 1199, ..usual }), "a packet has 1200 to 8952 bytes"),
        (bounds(QuicLimits { initial_mtu: usual.mtu_max + 1, ..usual }), "at first no more than later"),
        (bounds(QuicLimits { send_window_bytes: 0, ..usual }), "at least one byte"),
    ] {
        let error = config.build().err().unwrap_or_else(|| panic!("{detail}"));
        assert_config(&error, detail);
    }
}

/// Keys must not end up in a log by way of `{:?}`.
#[test]
fn keys_stay_out_of_logs() {
    let node = DevCa::new().unwrap().node("node").unwrap();
    let secret = node.key.lines().nth(1).unwrap();
    let config = config(&node);
    let logged = format!("{config:?} {:?}", config.clone().build().unwrap());
    assert!(!logged.contains(secret) && !logged.contains("PRIVATE KEY"), "{logged}");
}
