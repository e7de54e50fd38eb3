//! Peers that talk nonsense, stall, say nothing or come in numbers.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use actor_cluster::transport::{CloseCode, Transport, TransportError};
use tokio::net::UdpSocket;

use super::world::{Pair, builder, end_of, guarded, node, socket_of, stall};

#[tokio::test]
async fn garbage_on_the_port_does_nothing() {
    guarded(async {
        let mut pair = Pair::listening().await;
        let (mut near, mut far) = pair.talk().await;
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("bind");
        for length in [0, 1, 7, 20, 600, 1200, 1472, 8000] {
            for first in [0x00, 0x40, 0x80, 0xc0, 0xff] {
                let mut packet: Vec<u8> = (0..=250).cycle().take(length).collect();
                if let Some(byte) = packet.first_mut() {
                    *byte = first;
                }
                socket.send_to(&packet, socket_of(&pair.address)).await.expect("send");
            }
        }
        drop(pair.talk().await);
        near.stream.close(&CloseCode::Done.into());
        assert_eq!(end_of(&mut far.stream).await.code, CloseCode::Done);
        drop((near, far));
        pair.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_stalled_handshake_is_dropped_at_its_deadline_and_reported() {
    guarded(async {
        let host = builder().handshake_deadline(Duration::from_millis(200)).bind().await.expect("bind");
        let mut listener = host.listen().await.expect("listen");
        let silent = stall(&listener.addresses()[0]).await;
        let error = listener.accept().await.err().expect("nobody got in");
        let from = silent.local_addr().expect("an address").to_string();
        assert!(matches!(&error, TransportError::Handshake { peer, .. } if *peer == from), "{error}");
        drop(listener);
        host.close().await.expect("close");
    })
    .await;
}

#[tokio::test]
async fn while_places_are_scarce_a_peer_proves_its_address_and_gets_in() {
    guarded(async {
        let host = builder().handshakes_max(2).allow_any().bind().await.expect("bind");
        let dialler = builder().allow_any().bind().await.expect("bind");
        let mut pair = Pair::of(dialler, host).await;
        // The first takes a place; the others are asked to prove where they are, do not, and take none.
        let silent = [stall(&pair.address).await, stall(&pair.address).await, stall(&pair.address).await];
        pair.talk().await;
        drop(silent);
        pair.close().await;
    })
    .await;
}

#[tokio::test]
async fn one_handshake_too_many_is_refused_and_reported() {
    guarded(async {
        let host = builder().handshakes_max(1).allow_any().bind().await.expect("bind");
        let dialler = builder().allow_any().bind().await.expect("bind");
        let mut pair = Pair::of(dialler, host).await;
        let silent = stall(&pair.address).await;
        let (dialled, accepted) = tokio::join!(pair.dialler.dial(&pair.address), pair.listener.accept());
        let (heard, reported) = (dialled.err().expect("refused"), accepted.err().expect("refused"));
        assert!(
            matches!(&heard, TransportError::Unreachable { source, .. }
            if source.kind() == io::ErrorKind::ConnectionRefused),
            "{heard}"
        );
        assert!(matches!(&reported, TransportError::Handshake { .. }), "{reported}");
        assert!(reported.to_string().contains("peers are at their handshake"), "{reported}");
        drop(silent);
        pair.close().await;
    })
    .await;
}

#[tokio::test]
async fn one_connection_too_many_is_refused_until_another_ends() {
    guarded(async {
        let host = builder().connections_max(1).allow_any().bind().await.expect("bind");
        let dialler = builder().allow_any().bind().await.expect("bind");
        let mut pair = Pair::of(dialler, host).await;
        let first = pair.talk().await;
        let (dialled, accepted) = tokio::join!(pair.dialler.dial(&pair.address), pair.listener.accept());
        assert!(matches!(dialled, Err(TransportError::Unreachable { .. })));
        let reported = accepted.err().expect("refused");
        assert!(reported.to_string().contains("more than 1 connections"), "{reported}");
        let (near, mut far) = first;
        drop(near);
        end_of_connection(&mut far).await;
        drop(far);
        // The place is free a moment after the stream is dropped: it lingers.
        while pair.dialler.dial(&pair.address).await.is_err() {
            let _refused = pair.listener.accept().await;
        }
        pair.close().await;
    })
    .await;
}

#[tokio::test]
async fn one_address_does_not_get_all_the_places() {
    guarded(async {
        let host = builder().handshakes_per_address_max(1).connections_per_address_max(2).allow_any();
        let dialler = builder().allow_any().bind().await.expect("bind");
        let mut pair = Pair::of(dialler, host.bind().await.expect("bind")).await;
        let refused = async |pair: &mut Pair, words: &str| {
            let (dialled, accepted) = tokio::join!(pair.dialler.dial(&pair.address), pair.listener.accept());
            let heard = dialled.err().expect("refused");
            assert!(
                matches!(&heard, TransportError::Unreachable { source, .. }
                if source.kind() == io::ErrorKind::ConnectionRefused),
                "{heard}"
            );
            let reported = accepted.err().expect("refused").to_string();
            assert!(reported.contains(words), "{reported}");
        };
        let held = (pair.connect().await, pair.connect().await);
        refused(&mut pair, "more than 2 connections from its address").await;
        drop(held);
        let silent = stall(&pair.address).await;
        refused(&mut pair, "more than 1 peers from its address are at their handshake").await;
        drop(silent);
        pair.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_connection_without_streams_harms_nobody() {
    guarded(async {
        let mut pair = Pair::listening().await;
        let (silent_near, silent_far) = pair.connect().await;
        let (mut near, mut far) = pair.talk().await;
        // Whoever waits for its streams can give up on it without it noticing first.
        silent_far.close(&CloseCode::Timeout.into());
        let error = silent_near.accept().await.err().expect("given up");
        assert!(
            matches!(&error, TransportError::Closed(reason) if reason.code == CloseCode::Timeout),
            "{error}"
        );
        far.stream.close(&CloseCode::Done.into());
        assert_eq!(end_of(&mut near.stream).await.code, CloseCode::Done);
        drop((near, far, silent_near, silent_far));
        pair.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_listener_that_never_answers_is_unreachable_after_the_deadline() {
    guarded(async {
        let dialler =
            builder().handshake_deadline(Duration::from_millis(200)).allow_any().bind().await.expect("bind");
        let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("bind");
        let there = super::world::address(node().await.node_id(), silent.local_addr().expect("an address"));
        let error = dialler.dial(&there).await.err().expect("no answer");
        assert!(
            matches!(&error, TransportError::Unreachable { source, .. }
            if source.kind() == io::ErrorKind::TimedOut),
            "{error}"
        );
        dialler.close().await.expect("close");
    })
    .await;
}

/// Waits until the peer has ended the connection.
async fn end_of_connection(end: &mut super::world::End) {
    while end.connection.accept().await.is_ok() {}
}
