//! Who gets in, who is dialled, and what those hear who are not.

use std::io;
use std::time::Duration;

use actor_cluster::transport::{CloseCode, Transport, TransportError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use transport_iroh::iroh::endpoint::{ConnectionError, presets};
use transport_iroh::iroh::{Endpoint, EndpointAddr};
use transport_iroh::{ALPN, AllowList, IrohTransport, generate_secret_key, node_id_of};

use super::world::{Pair, address, builder, end_of, friends, guarded, node, socket_of};

#[tokio::test]
async fn a_dialler_that_is_not_listed_is_turned_away_and_reported() {
    guarded(async {
        let (stranger, host) = (node().await, node().await);
        stranger.allow(host.node_id());
        let mut pair = Pair::of(stranger, host).await;
        let (dialled, accepted) = tokio::join!(pair.dialler.dial(&pair.address), pair.listener.accept());
        let (heard, reported) = (dialled.err().expect("not let in"), accepted.err().expect("not let in"));
        assert!(matches!(heard, TransportError::Untrusted { .. }), "{heard}");
        assert!(heard.to_string().contains("not on the list"), "{heard}");
        assert!(
            matches!(&reported, TransportError::Untrusted { peer, .. }
            if peer.contains(&pair.dialler.node_id().to_string())),
            "{reported}"
        );
        // Once it is listed, it gets in.
        pair.host.allow(pair.dialler.node_id());
        pair.talk().await;
        pair.close().await;
    })
    .await;
}

#[tokio::test]
async fn who_is_not_listed_is_not_dialled() {
    guarded(async {
        let (dialler, host) = (node().await, node().await);
        host.allow(dialler.node_id());
        let pair = Pair::of(dialler, host).await;
        let error = pair.dialler.dial(&pair.address).await.err().expect("not dialled");
        assert!(matches!(error, TransportError::Untrusted { .. }), "{error}");
        assert!(error.to_string().contains("not on our list"), "{error}");
        pair.close().await;
    })
    .await;
}

#[tokio::test]
async fn with_any_allowed_everybody_gets_in() {
    guarded(async {
        let dialler = builder().allow_any().bind().await.expect("bind");
        let host = builder().allow_any().bind().await.expect("bind");
        let mut pair = Pair::of(dialler, host).await;
        pair.talk().await;
        pair.close().await;
    })
    .await;
}

#[tokio::test]
async fn somebody_else_at_the_address_is_not_trusted() {
    guarded(async {
        let mut pair = Pair::listening().await;
        let expected = node_id_of(&generate_secret_key());
        pair.dialler.allow(expected);
        let wrong = address(expected, socket_of(&pair.address));
        let (dialled, accepted) = tokio::join!(pair.dialler.dial(&wrong), pair.listener.accept());
        let (heard, reported) = (dialled.err().expect("not trusted"), accepted.err().expect("not trusted"));
        assert!(matches!(heard, TransportError::Untrusted { .. }), "{heard}");
        assert!(heard.to_string().contains(wrong.as_str()), "{heard}");
        assert!(!matches!(reported, TransportError::Closed(_)), "{reported}");
        pair.talk().await;
        pair.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_peer_taken_off_the_list_is_cut_off() {
    guarded(async {
        let mut pair = Pair::listening().await;
        let (mut near, mut far) = pair.talk().await;
        pair.host.revoke(pair.dialler.node_id());
        let (heard, found) = tokio::join!(end_of(&mut near.stream), end_of(&mut far.stream));
        assert_eq!(heard.code, CloseCode::Refused);
        assert!(heard.detail().contains("list of peers"), "{heard}");
        assert_eq!(found, heard);
        let (dialled, accepted) = tokio::join!(pair.dialler.dial(&pair.address), pair.listener.accept());
        assert!(matches!(dialled, Err(TransportError::Untrusted { .. })));
        assert!(matches!(accepted, Err(TransportError::Untrusted { .. })));
        drop((near, far));
        pair.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_list_is_replaced_in_one_step() {
    guarded(async {
        let mut pair = Pair::listening().await;
        let (mut near, mut far) = pair.talk().await;
        let other = node_id_of(&generate_secret_key());
        // Whoever is on both lists notices nothing.
        pair.host.allow_list().replace([other, pair.dialler.node_id()]);
        drop(pair.talk().await);
        near.stream.write_all(b"still here").await.expect("write");
        far.stream.read_exact(&mut [0; 10]).await.expect("read");

        pair.host.allow_list().replace([other]);
        let (heard, found) = tokio::join!(end_of(&mut near.stream), end_of(&mut far.stream));
        assert_eq!((heard.code, heard.detail()), (CloseCode::Refused, "taken off the list of peers"));
        assert_eq!(found, heard);
        let (dialled, accepted) = tokio::join!(pair.dialler.dial(&pair.address), pair.listener.accept());
        let heard = dialled.err().expect("off the list").to_string();
        // It says who has to be put on the list, so that it can be passed on as it is.
        let words =
            format!("{} is not on the list of peers here: this node must allow it", pair.dialler.node_id());
        assert!(heard.contains(&words), "{heard}");
        let reported = accepted.err().expect("off the list").to_string();
        assert!(reported.contains("`allow` this id"), "{reported}");
        drop((near, far));
        pair.close().await;
    })
    .await;
}

#[tokio::test]
async fn transports_may_share_a_list() {
    guarded(async {
        let friends = AllowList::any();
        let shared = || builder().allow_list(friends.clone()).bind();
        let (a, b) = (shared().await.expect("bind"), shared().await.expect("bind"));
        let mut pair = Pair::of(a, b).await;
        let (mut near, mut far) = pair.talk().await;
        friends.replace([]);
        let (heard, found) = tokio::join!(end_of(&mut near.stream), end_of(&mut far.stream));
        assert_eq!((heard.code, found.code), (CloseCode::Refused, CloseCode::Refused));
        drop((near, far));
        pair.close().await;
    })
    .await;
}

#[tokio::test]
async fn who_speaks_another_protocol_gets_no_connection() {
    guarded(async {
        let mut pair = Pair::listening().await;
        let other = iroh_endpoint(b"something-else/1").await;
        let target = EndpointAddr::new(pair.host.endpoint().expect("open").id())
            .with_ip_addr(socket_of(&pair.address));
        let (connected, accepted) =
            tokio::join!(other.connect(target, b"something-else/1"), pair.listener.accept());
        assert!(connected.is_err());
        assert!(matches!(accepted, Err(TransportError::Handshake { .. })));

        let theirs = node_id_of(&other.secret_key().to_bytes());
        pair.dialler.allow(theirs);
        let there = address(theirs, other.bound_sockets()[0]);
        let answering = async { other.accept().await.expect("an attempt").await.err() };
        let (dialled, _) = tokio::join!(pair.dialler.dial(&there), answering);
        let error = dialled.err().expect("no common protocol");
        assert!(matches!(error, TransportError::Handshake { .. }), "{error}");
        other.close().await;
        pair.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_listener_that_does_not_let_in_as_it_should_is_dropped() {
    guarded(async {
        let dialler = builder().allow_any().bind().await.expect("bind");
        let liar = iroh_endpoint(ALPN).await;
        let there = address(node_id_of(&liar.secret_key().to_bytes()), liar.bound_sockets()[0]);
        let answering = async {
            let connection = liar.accept().await.expect("an attempt").await.expect("a handshake");
            let mut stream = connection.open_uni().await.expect("a stream");
            stream.write_all(b"come in").await.expect("write");
            connection.closed().await
        };
        let (dialled, end) = tokio::join!(dialler.dial(&there), answering);
        let error = dialled.err().expect("not let in");
        assert!(matches!(error, TransportError::Handshake { .. }), "{error}");
        assert!(matches!(end, ConnectionError::ApplicationClosed(close)
            if close.error_code == CloseCode::Violation.as_u32().into()));
        liar.close().await;
        dialler.close().await.expect("close");
    })
    .await;
}

#[tokio::test]
async fn a_node_does_not_dial_itself() {
    guarded(async {
        let (dialler, host) = friends().await;
        dialler.allow(dialler.node_id());
        let itself = dialler.listen().await.expect("listen").addresses().remove(0);
        let error = dialler.dial(&itself).await.err().expect("itself");
        assert!(matches!(error, TransportError::Address { .. }), "{error}");
        host.close().await.expect("close");
        dialler.close().await.expect("close");
    })
    .await;
}

#[tokio::test]
async fn what_must_be_said_must_be_said() {
    guarded(async {
        let half_said = [
            IrohTransport::builder().loopback(),
            IrohTransport::builder().secret_key(generate_secret_key()),
            builder().connections_max(0),
            builder().handshakes_max(0),
            builder().keep_alive(Duration::from_secs(6)),
            builder().idle_timeout(Duration::from_secs(1)),
            builder().loopback(),
        ];
        for builder in half_said {
            let described = format!("{builder:?}");
            // In a task of its own, as it may be in a program.
            let bound = tokio::spawn(builder.bind()).await.expect("no panic");
            let error = bound.err().unwrap_or_else(|| panic!("{described} was bound"));
            assert!(matches!(error, TransportError::Config(_)), "{error}");
        }
        let (taken, _other) = friends().await;
        let socket = taken.endpoint().expect("open").bound_sockets()[0];
        let builder = IrohTransport::builder().secret_key(generate_secret_key());
        let error = builder.bind_addr(socket).bind().await.expect_err("the port is taken");
        assert!(
            matches!(&error, TransportError::Bind { address, source }
            if *address == socket.to_string() && source.kind() == io::ErrorKind::AddrInUse),
            "{error}"
        );
    })
    .await;
}

/// An endpoint that is none of ours.
async fn iroh_endpoint(alpn: &[u8]) -> Endpoint {
    Endpoint::builder(presets::Minimal)
        .clear_ip_transports()
        .bind_addr("127.0.0.1:0")
        .expect("an address")
        .alpns(vec![alpn.to_vec()])
        .bind()
        .await
        .expect("bind")
}
