//! How streams, connections and endpoints end, and what the others hear of it.

use std::io;
use std::pin::pin;

use actor_cluster::transport::{CloseCode, CloseReason, LaneSet, Transport, TransportError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use transport_iroh::{IrohTransport, generate_secret_key};

use super::world::{End, Pair, end_of, friends, guarded, socket_of};

// Several threads, so that whatever still holds the port may do so elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b14_endpoint_can_be_made_asked_and_shut_down_and_the_port_is_free_after() {
    guarded(async {
        let mut pair = Pair::listening().await;
        let socket = socket_of(&pair.address);
        assert_ne!(socket.port(), 0);
        assert_eq!(pair.host.endpoint().expect("open").bound_sockets(), [socket]);
        drop(pair.talk().await);

        pair.host.close().await.expect("close");
        let builder = IrohTransport::builder().secret_key(generate_secret_key());
        let next = builder.bind_addr(socket).bind().await.expect("the port is free");
        assert_eq!(next.endpoint().expect("open").bound_sockets(), [socket]);

        // What is closed says so, and can be closed again.
        assert!(pair.host.endpoint().is_none());
        assert!(matches!(pair.listener.accept().await, Err(TransportError::Closed(_))));
        assert!(matches!(pair.host.listen().await, Err(TransportError::Closed(_))));
        pair.host.allow(next.node_id());
        let anywhere = super::world::address(next.node_id(), socket);
        assert!(matches!(pair.host.dial(&anywhere).await, Err(TransportError::Closed(_))));
        pair.host.close().await.expect("close again");
        next.close().await.expect("close");
        pair.dialler.close().await.expect("close");
    })
    .await;
}

#[tokio::test]
async fn the_reason_for_closing_a_connection_crosses() {
    guarded(async {
        let mut pair = Pair::listening().await;
        let (near, mut far) = pair.talk().await;
        let reason = CloseReason::new(CloseCode::Violation, "a frame of 3 GiB");
        near.connection.close(&reason);
        assert_eq!(end_of(&mut far.stream).await, reason);
        let error = far.stream.write(b"more").await.expect_err("closed");
        assert_eq!(error.kind(), io::ErrorKind::NotConnected);
        for outcome in [far.connection.open(LaneSet::DATA).await, far.connection.accept().await] {
            assert!(matches!(outcome, Err(TransportError::Closed(found)) if found == reason));
        }
        // Who closed it knows why, too.
        assert!(
            matches!(near.connection.accept().await, Err(TransportError::Closed(ours)) if ours == reason)
        );
        drop((near, far));
        pair.close().await;
    })
    .await;
}

#[tokio::test]
async fn the_code_for_closing_a_stream_crosses_and_the_connection_goes_on() {
    guarded(async {
        let mut pair = Pair::listening().await;
        let (mut near, mut far) = pair.talk().await;
        near.stream.close(&CloseReason::new(CloseCode::Timeout, "no heartbeat"));
        let heard = end_of(&mut far.stream).await;
        assert_eq!(heard.code, CloseCode::Timeout);
        let stopped = far.stream.write(b"more").await.expect_err("stopped");
        assert_eq!(CloseReason::of(&stopped), Some(&CloseCode::Timeout.into()));
        assert_eq!(end_of(&mut near.stream).await, CloseReason::new(CloseCode::Timeout, "no heartbeat"));

        let mut second = near.connection.open(LaneSet::DATA).await.expect("open");
        second.write_all(b"still here").await.expect("write");
        let mut accepted = far.connection.accept().await.expect("accept");
        let mut words = [0; 10];
        accepted.read_exact(&mut words).await.expect("read");
        assert_eq!(&words, b"still here");
        drop((near, far, second, accepted));
        pair.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_reason_given_to_the_last_stream_crosses_with_its_detail() {
    guarded(async {
        let mut pair = Pair::listening().await;
        let (End { connection, mut stream }, mut far) = pair.talk().await;
        drop(connection);
        let reason = CloseReason::new(CloseCode::Refused, "not in this cluster");
        stream.close(&reason);
        drop(stream);
        // Either the reset or the end of the connection comes first.
        assert_eq!(end_of(&mut far.stream).await.code, reason.code);
        let error = far.connection.accept().await.err().expect("closed");
        assert!(matches!(&error, TransportError::Closed(found) if *found == reason), "{error}");
        drop(far);
        pair.close().await;
    })
    .await;
}

#[tokio::test]
async fn what_was_written_to_a_dropped_stream_arrives() {
    guarded(async {
        let mut pair = Pair::listening().await;
        let (End { connection, mut stream }, mut far) = pair.talk().await;
        let last_words = vec![42; 256 << 10];
        stream.write_all(&last_words).await.expect("write");
        drop((stream, connection));
        // Not even the end of the transport may cut it off.
        let closing = pair.dialler.close();
        let reading = async {
            let mut received = Vec::new();
            far.stream.read_to_end(&mut received).await.expect("all of it, then the end");
            received
        };
        let (closed, received) = tokio::join!(closing, reading);
        closed.expect("close");
        assert!(received == last_words, "{} bytes of {}", received.len(), last_words.len());
        let error = far.connection.accept().await.err().expect("closed");
        assert!(matches!(&error, TransportError::Closed(found) if found.code == CloseCode::Done), "{error}");
        drop(far);
        pair.close().await;
    })
    .await;
}

#[tokio::test]
async fn streams_that_ended_before_they_were_accepted_can_still_be_read() {
    guarded(async {
        let mut pair = Pair::listening().await;
        let (near, far) = pair.connect().await;
        for (number, lanes) in (1..).zip(pair.dialler.streams()) {
            let mut stream = near.open(*lanes).await.expect("open");
            stream.write_all(&[number; 3]).await.expect("write");
        }
        drop(near);
        pair.dialler.close().await.expect("close");
        for (number, _) in (1_u8..).zip(pair.dialler.streams()) {
            let mut stream = far.accept().await.expect("accept");
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).await.expect("read");
            assert_eq!(bytes, [number; 3]);
        }
        drop(far);
        pair.close().await;
    })
    .await;
}

#[tokio::test]
async fn peers_hear_that_a_transport_shuts_down() {
    guarded(async {
        let mut pair = Pair::listening().await;
        let (mut near, far) = pair.talk().await;
        let hearing = async {
            let heard = end_of(&mut near.stream).await;
            assert_eq!(heard.code, CloseCode::Shutdown);
        };
        // The host's own streams are gone before its transport is.
        let host = pair.host.clone();
        let closing = async move {
            let mut far = far;
            let (closed, found) = tokio::join!(host.close(), async {
                let found = end_of(&mut far.stream).await;
                drop(far);
                found
            });
            closed.expect("close");
            assert_eq!(found.code, CloseCode::Shutdown);
        };
        tokio::join!(hearing, closing);
        drop(near);
        pair.close().await;
    })
    .await;
}

#[tokio::test]
async fn closing_waits_for_streams_that_are_held_and_goes_on_if_nobody_waits() {
    guarded(async {
        let mut pair = Pair::listening().await;
        let (near, far) = pair.talk().await;
        let socket = socket_of(&pair.address);
        {
            let mut closing = pin!(pair.host.close());
            // Long enough for the close to reach its last step.
            let held = tokio::select! {
                _ = &mut closing => false,
                () = async { drop(near.connection.accept().await) } => true,
            };
            assert!(held, "closed although a stream holds the socket");
            // The wait is given up here.
        }
        drop(far);
        pair.host.close().await.expect("close");
        let builder = IrohTransport::builder().secret_key(generate_secret_key());
        builder.bind_addr(socket).bind().await.expect("the port is free").close().await.expect("close");
        drop(near);
        pair.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_dropped_listener_lets_nobody_in_and_its_node_still_dials() {
    guarded(async {
        let Pair { dialler, host, listener, address } = Pair::listening().await;
        assert!(matches!(host.listen().await, Err(TransportError::Config(_))), "it listens already");
        drop(listener);
        let error = dialler.dial(&address).await.err().expect("nobody listens");
        assert!(
            matches!(&error, TransportError::Unreachable { source, .. }
            if source.kind() == io::ErrorKind::ConnectionRefused),
            "{error}"
        );
        let mut back = Pair::of(host, dialler).await;
        back.talk().await;
        back.close().await;
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_everybody_dropped_is_closed_by_itself() {
    guarded(async {
        let mut pair = Pair::listening().await;
        let (mut near, far) = pair.talk().await;
        let socket = socket_of(&pair.address);
        let Pair { dialler, host, listener, .. } = pair;
        drop((listener, host));
        // The connection still holds the endpoint.
        near.stream.write_all(b"ping").await.expect("write");
        let mut far = far;
        let mut ping = [0; 4];
        far.stream.read_exact(&mut ping).await.expect("read");
        drop(far);
        let builder = || IrohTransport::builder().secret_key(generate_secret_key()).bind_addr(socket);
        let next = loop {
            match builder().bind().await {
                Ok(next) => break next,
                Err(TransportError::Bind { .. }) => tokio::task::yield_now().await,
                Err(other) => panic!("{other}"),
            }
        };
        next.close().await.expect("close");
        drop(near);
        dialler.close().await.expect("close");
    })
    .await;
}

#[tokio::test]
async fn friends_can_dial_each_other_at_once() {
    guarded(async {
        let (a, b) = friends().await;
        let (mut at_a, mut at_b) = (a.listen().await.expect("listen"), b.listen().await.expect("listen"));
        let (to_a, to_b) = (at_a.addresses().remove(0), at_b.addresses().remove(0));
        let (ab, ba, in_a, in_b) = tokio::join!(a.dial(&to_b), b.dial(&to_a), at_a.accept(), at_b.accept());
        for connection in [ab, ba, in_a, in_b] {
            drop(connection.expect("connected"));
        }
        a.close().await.expect("close");
        b.close().await.expect("close");
    })
    .await;
}
