//! What happens where a bound is met.

use std::net::Ipv4Addr;
use std::time::Duration;

use transport_quic::{DevCa, QuicLimits, QuicTransport};

use crate::world::{Host, assert_dropped, config, guarded, knock, knock_from, node_of, refused};

/// What the first byte of a packet says of its kind (RFC 9000, section 17.2). A bit between means nothing (RFC 9287).
const KIND: u8 = 0xb0;
const INITIAL: u8 = 0x80;
const RETRY: u8 = 0xb0;

/// Whoever cannot prove its address takes half of the places at most, and whoever can gets in beside it.
#[tokio::test]
async fn w12_where_places_get_scarce_an_address_must_be_proven() {
    let ca = DevCa::new().unwrap();
    let limits = QuicLimits { handshakes_max: 2, ..QuicLimits::default() };
    let mut host = Host::start(&limited(&ca, limits)).await;
    let first = knock(&host.address).await;
    assert_eq!(answer(&mut host, &first).await, INITIAL, "its handshake has begun");
    let second = knock(&host.address).await;
    assert_eq!(answer(&mut host, &second).await, RETRY, "it is to show that it is there");
    host.connect(&node_of(&ca, "dialler")).await.talk().await;
}

#[tokio::test]
async fn handshakes_are_capped_and_make_room_again() {
    let ca = DevCa::new().unwrap();
    let handshake_deadline = Duration::from_millis(300);
    let limits = QuicLimits { handshakes_max: 1, handshake_deadline, ..QuicLimits::default() };
    let mut host = Host::start(&limited(&ca, limits)).await;
    let silent = knock_from(&host.address, Ipv4Addr::new(127, 0, 0, 2)).await;
    assert_eq!(answer(&mut host, &silent).await, INITIAL);
    let dialler = node_of(&ca, "dialler");
    let (near, far) = host.meet(&dialler).await;
    assert_dropped(&refused(far), "more than 1 peers are at their handshake");
    assert_dropped(&refused(near), "it takes no more connections now");
    assert_dropped(&host.refusal().await, "it took longer than 300ms");
    host.connect(&dialler).await.talk().await;
}

#[tokio::test]
async fn connections_are_capped_and_make_room_again() {
    let ca = DevCa::new().unwrap();
    let mut host =
        Host::start(&limited(&ca, QuicLimits { connections_max: 1, ..QuicLimits::default() })).await;
    let dialler = node_of(&ca, "dialler");
    let ends = host.connect(&dialler).await;
    let (near, second) = host.meet(&dialler).await;
    assert_dropped(&refused(second), "more than 1 connections");
    assert_dropped(&refused(near), "it takes no more connections now");
    drop(ends);
    host.connect(&dialler).await.talk().await;
}

/// Another address has its places still.
#[tokio::test]
async fn w12_one_address_takes_its_share_of_places_and_no_more() {
    let ca = DevCa::new().unwrap();
    let limits = QuicLimits {
        handshakes_per_address_max: 1,
        connections_per_address_max: 2,
        connections_max: 4,
        ..QuicLimits::default()
    };
    let mut host = Host::start(&limited(&ca, limits)).await;
    let silent = knock(&host.address).await;
    assert_eq!(answer(&mut host, &silent).await, INITIAL);
    let dialler = node_of(&ca, "dialler");
    // It has shown that it is where it says it is, and its place is taken all the same.
    let (near, far) = host.meet(&dialler).await;
    assert_dropped(&refused(far), "more than 1 peers from its address are at their handshake");
    assert_dropped(&refused(near), "it takes no more connections now");
    let elsewhere = knock_from(&host.address, Ipv4Addr::new(127, 0, 0, 2)).await;
    assert_eq!(answer(&mut host, &elsewhere).await, INITIAL);

    // Both of an address's connections, now that nobody is at a handshake.
    let limits = QuicLimits { handshakes_per_address_max: 64, ..limits };
    let mut host = Host::start(&limited(&ca, limits)).await;
    let _both = [host.connect(&dialler).await, host.connect(&dialler).await];
    let (_, third) = host.meet(&dialler).await;
    assert_dropped(&refused(third), "more than 2 connections from its address");
}

#[tokio::test]
async fn a_silent_peer_is_dropped_at_the_deadline() {
    let limits = QuicLimits { handshake_deadline: Duration::from_millis(30), ..QuicLimits::default() };
    let mut host = Host::start(&limited(&DevCa::new().unwrap(), limits)).await;
    let _silent = knock(&host.address).await;
    assert_dropped(&host.refusal().await, "it took longer than 30ms");
}

/// The kind of the packet that somebody at the socket is answered with. Nobody gets in meanwhile.
async fn answer(host: &mut Host, socket: &tokio::net::UdpSocket) -> u8 {
    let mut packet = [0; 2048];
    let answered = guarded(async {
        tokio::select! {
            heard = socket.recv(&mut packet) => heard.unwrap(),
            outcome = host.listener.accept() => panic!("{}", refused(outcome)),
        }
    });
    assert!(answered.await > 0);
    packet[0] & KIND
}

fn limited(ca: &DevCa, limits: QuicLimits) -> QuicTransport {
    config(&ca.node("host").unwrap()).limits(limits).build().unwrap()
}
