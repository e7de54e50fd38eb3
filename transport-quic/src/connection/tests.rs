//! What only the inside of a connection can show.

use std::pin::pin;

use actor_cluster::transport::{Listener, Transport};
use futures_util::FutureExt;
use transport_tls::DevCa;

use super::*;
use crate::dialer;
use crate::listener::QuicListener;
use crate::transport::QuicTransport;

#[tokio::test]
async fn both_ends_of_a_stream_give_it_the_urgency_of_its_lanes() {
    let (near, far, dialler) = connected().await;
    let mut bindings = Vec::new();
    for lanes in dialler.streams() {
        // Nothing needs to be said for the host to see the stream.
        let opened = near.open_stream(*lanes).await.unwrap();
        let accepted = far.accept_stream().await.unwrap();
        assert_eq!(opened.priority(), Some(lanes.priority()));
        assert_eq!(accepted.priority(), opened.priority());
        assert_eq!(accepted.channel_binding(), opened.channel_binding());
        let binding = opened.channel_binding().unwrap();
        assert!(!bindings.contains(&binding), "what is proven on one stream is proven on another");
        bindings.push(binding);
    }
}

#[tokio::test]
async fn a_stream_that_is_not_named_yet_is_not_lost_by_giving_up() {
    let (near, far, _dialler) = connected().await;
    // Not by way of `open`, which names it.
    let (mut send, _recv) = near.first().quic.open_bi().await.unwrap();
    let other = near.open_stream(LaneSet::BULK).await.unwrap();
    while far.unnamed.lock().await.is_none() {
        assert!(pin!(far.accept_stream()).now_or_never().is_none(), "it has no name");
        tokio::task::yield_now().await;
    }
    send.write_all(&[protocol::byte_of(LaneSet::DATA)]).await.unwrap();
    let accepted = far.accept_stream().await.unwrap();
    assert_eq!(
        (accepted.channel_binding(), accepted.priority()),
        (far.first().channel_binding(send.id()), Some(0))
    );
    assert_eq!(far.accept_stream().await.unwrap().channel_binding(), other.channel_binding());
}

#[tokio::test]
async fn a_stream_that_is_given_up_before_it_is_named_is_passed() {
    let (near, far, _dialler) = connected().await;
    let (mut send, _recv) = near.first().quic.open_bi().await.unwrap();
    send.finish().unwrap();
    let opened = near.open_stream(LaneSet::DATA).await.unwrap();
    assert_eq!(far.accept_stream().await.unwrap().channel_binding(), opened.channel_binding());
}

/// Two nodes with one connection, and the one that dialled.
async fn connected() -> (QuicConnection, QuicConnection, QuicTransport) {
    let ca = DevCa::new().unwrap();
    let node = |name: &str| {
        let node = ca.node(name).unwrap();
        let config = QuicTransport::builder().listen(([127, 0, 0, 1], 0).into());
        config
            .credentials(node.credentials().unwrap())
            .authorities(node.authorities().unwrap())
            .build()
            .unwrap()
    };
    let (dialler, host) = (node("dialler"), node("host"));
    let mut listener = QuicListener::open(host.node().clone()).unwrap();
    let address = listener.addresses().remove(0);
    let (near, far) = tokio::join!(dialer::dial(dialler.node(), &address), listener.next());
    (near.unwrap(), far.unwrap(), dialler)
}
