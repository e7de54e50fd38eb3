//! The caps of a listener.

use tokio::io::AsyncReadExt;
use transport_tcp::{DevCa, TcpLimits, TcpTransport};

use crate::world::{Ends, Host, assert_dropped, config, guarded, knock, knock_from, node_of, refused};

#[tokio::test]
async fn handshakes_are_capped_and_make_room_again() {
    let ca = DevCa::new().unwrap();
    let mut host = Host::start(&limited(&ca, TcpLimits { handshakes_max: 2, ..TcpLimits::default() })).await;
    let (first, _second) = (knock(&host).await, knock(&host).await);
    let mut third = knock(&host).await;
    assert_dropped(&host.refusal().await, "more than 2 peers are at their handshake");
    let thrown_out = guarded(third.read(&mut [0; 16])).await;
    assert!(matches!(thrown_out, Ok(0) | Err(_)), "{thrown_out:?}");

    drop(first);
    assert_dropped(&host.refusal().await, "it hung up");
    host.connect(&node_of(&ca, "dialler")).await;
}

#[tokio::test]
async fn connections_are_capped_and_make_room_again() {
    let ca = DevCa::new().unwrap();
    let mut host = Host::start(&limited(&ca, TcpLimits { connections_max: 1, ..TcpLimits::default() })).await;
    let dialler = node_of(&ca, "dialler");
    let Ends { near: _near, far, .. } = host.connect(&dialler).await;
    let (near, second) = host.meet(&dialler).await;
    assert_dropped(&refused(second), "more than 1 connections");
    assert_dropped(&refused(near), "it hung up");

    drop(far);
    host.connect(&dialler).await;
}

/// Another address has its places still.
#[tokio::test]
async fn w12_one_address_takes_its_share_of_places_and_no_more() {
    let ca = DevCa::new().unwrap();
    let limits = TcpLimits {
        handshakes_per_address_max: 2,
        connections_per_address_max: 3,
        connections_max: 5,
        ..TcpLimits::default()
    };
    let mut host = Host::start(&limited(&ca, limits)).await;
    let silent = [knock_from(&host, 2).await, knock_from(&host, 2).await];
    let mut third = knock_from(&host, 2).await;
    assert_dropped(&host.refusal().await, "more than 2 peers from its address are at their handshake");
    let thrown_out = guarded(third.read(&mut [0; 16])).await;
    assert!(matches!(thrown_out, Ok(0) | Err(_)), "{thrown_out:?}");

    // Three from here, which is another address; with the two silent ones that is all there may be.
    let dialler = node_of(&ca, "dialler");
    let mut streams = Vec::new();
    for _ in 0..3 {
        streams.push(host.connect(&dialler).await);
    }
    let (_, fourth) = host.meet(&dialler).await;
    assert_dropped(&refused(fourth), "there are more than 5 connections");
    drop(silent);
    for _ in 0..2 {
        assert_dropped(&host.refusal().await, "it hung up");
    }
    let (_, fourth) = host.meet(&dialler).await;
    assert_dropped(&refused(fourth), "there are more than 3 connections from its address");
    streams.pop();
    host.connect(&dialler).await;
}

fn limited(ca: &DevCa, limits: TcpLimits) -> TcpTransport {
    config(&ca.node("host").unwrap()).limits(limits).build().unwrap()
}
