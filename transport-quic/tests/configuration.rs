//! Settings that make sense, and such as do not.

use std::net::SocketAddr;
use std::time::Duration;

use actor_cluster::transport::{Transport, TransportError};
use transport_quic::limits::MTU_MOST;
use transport_quic::{DevCa, QuicLimits, QuicTransport, TlsContext};

use crate::world::{Host, assert_config, config, node_of, settings};

#[tokio::test]
async fn addresses_tell_the_real_port_and_the_advertised_host() {
    let node = DevCa::new().unwrap().node("host").unwrap();
    let host = Host::start(&config(&node).build().unwrap()).await;
    assert_eq!(host.address.scheme(), "quic");
    let real: SocketAddr = host.address.rest().parse().unwrap();
    assert_ne!(real.port(), 0);
    let host = Host::start(&config(&node).advertise("[2001:db8::1]:7400").build().unwrap()).await;
    assert_eq!(host.address.as_str(), "quic://[2001:db8::1]:7400");
}

#[tokio::test]
async fn several_sockets_are_listened_on() {
    let ca = DevCa::new().unwrap();
    let dialler = node_of(&ca, "dialler");
    let two = config(&ca.node("host").unwrap()).listen("127.0.0.2:0".parse().unwrap()).build().unwrap();
    let mut host = Host::start(&two).await;
    let addresses = host.listener.addresses();
    let [first, second] = &addresses[..] else { panic!("{addresses:?}") };
    for address in [second, first, second] {
        host.address = address.clone();
        host.connect(&dialler).await.talk().await;
    }
}

/// A second socket that is taken leaves nothing of the first.
#[tokio::test]
async fn all_sockets_are_listened_on_or_none() {
    let ca = DevCa::new().unwrap();
    let taken = Host::start(&node_of(&ca, "taken")).await;
    let taken_at = taken.address.rest().parse().unwrap();
    let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let free_at = free.local_addr().unwrap();
    drop(free);
    let node = ca.node("host").unwrap();
    let error = settings(&node).listen(free_at).listen(taken_at).build().unwrap().listen().await;
    assert!(matches!(error.err(), Some(TransportError::Bind { .. })));
    settings(&node).listen(free_at).build().unwrap().listen().await.unwrap();
}

/// One that is resolved to several addresses is reached at whichever answers.
#[tokio::test]
async fn a_host_name_is_resolved() {
    let ca = DevCa::new().unwrap();
    let host = config(&ca.node("host").unwrap()).advertise("localhost").build().unwrap();
    Host::start(&host).await.connect(&node_of(&ca, "dialler")).await.talk().await;
}

#[tokio::test]
async fn ipv6_addresses_stand_in_brackets() {
    let ca = DevCa::new().unwrap();
    let host = settings(&ca.node("host").unwrap()).listen("[::1]:0".parse().unwrap()).build().unwrap();
    // Some machines that build this have no IPv6.
    if let Err(TransportError::Bind { .. }) = host.listen().await {
        return;
    }
    let mut host = Host::start(&host).await;
    assert!(host.address.rest().starts_with("[::1]:"), "{}", host.address);
    host.connect(&node_of(&ca, "dialler")).await.talk().await;
}

#[tokio::test]
async fn a_name_that_is_nobodys_is_unreachable() {
    let dialler = node_of(&DevCa::new().unwrap(), "dialler");
    // Reserved so that it never resolves (RFC 6761).
    let address = "quic://nobody.invalid:7400".parse().unwrap();
    let error = dialler.dial(&address).await.err().expect("there is no such name");
    assert!(matches!(error, TransportError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn a_transport_may_only_dial() {
    let ca = DevCa::new().unwrap();
    let dialler = settings(&ca.node("dialler").unwrap()).build().unwrap();
    let error = dialler.listen().await.err().expect("there is no address");
    assert_config(&error, "no address to listen on");
    Host::start(&node_of(&ca, "host")).await.connect(&dialler).await.talk().await;
}

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
        (bare().authorities(authorities.clone()), "credentials are missing"),
        (bare().credentials(credentials.clone()), "authorities are missing"),
        (config(&node).tls(context), "are given beside it, too"),
        (settings(&node).listen(([0, 0, 0, 0], 0).into()), "no address that others can dial"),
        (settings(&node).listen("[::]:0".parse().unwrap()), "no address that others can dial"),
        (config(&node).advertise("a b"), "cannot advertise"),
        (settings(&node).advertise("host"), "needs an address to listen on"),
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
