//! How a connection ends, as far as TCP can tell the peer.

use std::io;

use actor_cluster::transport::{CloseCode, CloseReason, TransportError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use transport_tcp::DevCa;

use crate::world::{Ends, Host, guarded, node_of};

/// An orderly end is authenticated: somebody who cuts the wire cannot fake it.
#[tokio::test]
async fn a_closed_stream_ends_and_a_dropped_one_breaks() {
    let ca = DevCa::new().unwrap();
    let mut host = Host::start(&node_of(&ca, "host")).await;
    let dialler = node_of(&ca, "dialler");

    let Ends { mut near, mut far, .. } = host.connect(&dialler).await;
    near.close(&CloseCode::Done.into());
    assert_eq!(guarded(far.read(&mut [0; 16])).await.unwrap(), 0);

    let Ends { near, mut far, .. } = host.connect(&dialler).await;
    drop(near);
    let error = guarded(far.read(&mut [0; 16])).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{error}");
}

#[tokio::test]
async fn a_closed_stream_says_why() {
    let ca = DevCa::new().unwrap();
    let mut host = Host::start(&node_of(&ca, "host")).await;
    let Ends { mut near, .. } = host.connect(&node_of(&ca, "dialler")).await;
    let reason = CloseReason::new(CloseCode::Violation, "a frame too long");
    near.close(&reason);
    near.close(&CloseCode::Done.into());
    for error in [near.read(&mut [0; 16]).await.unwrap_err(), near.write(b"x").await.unwrap_err()] {
        let closed = error.get_ref().and_then(|error| error.downcast_ref::<TransportError>());
        assert!(matches!(closed, Some(TransportError::Closed(first)) if *first == reason), "{error}");
    }
}
