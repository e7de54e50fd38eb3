//! How connections and streams end, and what the peer hears of it.

use std::io;

use actor_cluster::transport::{CloseCode, CloseReason, LaneSet, Transport, TransportError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use transport_quic::DevCa;

use crate::world::{Ends, Host, guarded, node_of, refused};

async fn ends() -> (Host, Ends) {
    let ca = DevCa::new().unwrap();
    let mut host = Host::start(&node_of(&ca, "host")).await;
    let ends = host.connect(&node_of(&ca, "dialler")).await;
    (host, ends)
}

/// Why a stream is over, as reading says it.
async fn end_of(stream: &mut (impl AsyncReadExt + Unpin)) -> CloseReason {
    let error = guarded(stream.read(&mut [0; 16])).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotConnected, "{error}");
    CloseReason::of(&error).expect("a reason").clone()
}

#[tokio::test]
async fn a_closed_stream_says_why_on_both_sides() {
    let (_host, mut ends) = ends().await;
    let reason = CloseReason::new(CloseCode::Violation, "a frame too long");
    ends.near.close(&reason);
    ends.near.close(&CloseCode::Done.into());
    assert_eq!(end_of(&mut ends.near).await, reason);
    let error = ends.near.write(b"x").await.unwrap_err();
    assert_eq!(CloseReason::of(&error), Some(&reason));
    // A stream carries the code alone; both of its directions have ended.
    assert_eq!(end_of(&mut ends.far).await, CloseCode::Violation.into());
    let error = ends.far.write(b"x").await.unwrap_err();
    assert_eq!(CloseReason::of(&error), Some(&CloseCode::Violation.into()));
}

#[tokio::test]
async fn a_closed_connection_says_why_in_words() {
    for closes_near in [true, false] {
        let (_host, mut ends) = ends().await;
        let reason = CloseReason::new(CloseCode::Refused, "who are you?");
        let closing = if closes_near { &ends.near_connection } else { &ends.far_connection };
        closing.close(&reason);
        closing.close(&CloseCode::Done.into());
        for stream in [&mut ends.near, &mut ends.far] {
            assert_eq!(end_of(stream).await, reason);
        }
        for connection in [&ends.near_connection, &ends.far_connection] {
            let error = connection.accept().await.err().expect("it is closed");
            assert!(matches!(&error, TransportError::Closed(said) if *said == reason), "{error}");
        }
    }
}

/// The reason of the last use goes with the connection, words and all.
#[tokio::test]
async fn the_last_stream_takes_its_reason_along() {
    let (_host, ends) = ends().await;
    let Ends { mut near, mut far, near_connection, far_connection: _far } = ends;
    let reason = CloseReason::new(CloseCode::Shutdown, "going home");
    near.close(&reason);
    drop((near, near_connection));
    let heard = end_of(&mut far).await;
    // The stream's end may overtake the connection's.
    assert!(heard == reason || heard == CloseCode::Shutdown.into(), "{heard}");
}

/// What was written comes, though nobody holds the connection any more, and the end is an orderly one.
#[tokio::test]
async fn what_was_said_before_the_end_arrives() {
    let (_host, ends) = ends().await;
    let Ends { mut near, mut far, near_connection, far_connection: _far } = ends;
    let words = vec![7; 300_000];
    let saying = async {
        near.write_all(&words).await.unwrap();
        near.shutdown().await.unwrap();
        drop((near, near_connection));
    };
    let mut heard = Vec::new();
    guarded(async { tokio::join!(saying, far.read_to_end(&mut heard)) }).await.1.unwrap();
    assert!(heard == words);
}

/// A stream that was abandoned does not end as one that was shut down.
#[tokio::test]
async fn a_dropped_stream_breaks() {
    let (_host, ends) = ends().await;
    let Ends { near, mut far, near_connection: _near, far_connection: _far } = ends;
    drop(near);
    assert_eq!(end_of(&mut far).await.code, CloseCode::Lost);
    // The same where it was the last use.
    let (_host, ends) = self::ends().await;
    let Ends { near, mut far, near_connection, far_connection: _far } = ends;
    drop((near, near_connection));
    assert_eq!(end_of(&mut far).await.code, CloseCode::Lost);
}

#[tokio::test]
async fn a_closed_transport_tells_its_peers_and_does_nothing_more() {
    let ca = DevCa::new().unwrap();
    let (host, dialler) = (node_of(&ca, "host"), node_of(&ca, "dialler"));
    let mut listening = Host::start(&host).await;
    let mut ends = listening.connect(&dialler).await;
    let shutdown = CloseReason::new(CloseCode::Shutdown, "the transport is closed");
    guarded(host.close()).await.unwrap();
    for stream in [&mut ends.near, &mut ends.far] {
        assert_eq!(end_of(stream).await, shutdown);
    }
    for error in [
        refused(guarded(listening.listener.accept()).await),
        refused(host.dial(&listening.address).await),
        host.listen().await.err().expect("it is closed"),
    ] {
        assert!(matches!(&error, TransportError::Closed(reason) if *reason == shutdown), "{error}");
    }
    guarded(host.close()).await.unwrap();
    guarded(dialler.close()).await.unwrap();
    assert!(ends.near_connection.open(LaneSet::DATA).await.is_err());
}
