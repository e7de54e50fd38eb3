//! Nothing is asked of anybody but the peers that are dialled.

use std::io;
use std::time::{Duration, Instant};

use actor_cluster::transport::{Address, CloseCode, Transport, TransportError};
use transport_iroh::SCHEME;

use super::world::{Pair, guarded, node, socket_of, unused_socket};

#[tokio::test]
async fn an_endpoint_has_the_given_sockets_and_no_relay_and_no_lookup() {
    guarded(async {
        let transport = node().await;
        let endpoint = transport.endpoint().expect("open");
        assert!(endpoint.address_lookup().expect("open").is_empty());
        let places = endpoint.addr();
        assert_eq!(places.relay_urls().count(), 0);
        assert!(places.ip_addrs().eq(&endpoint.bound_sockets()), "{places:?}");
        let listener = transport.listen().await.expect("listen");
        let addresses = listener.addresses();
        assert_eq!(addresses.len(), 1);
        assert!(socket_of(&addresses[0]).ip().is_loopback(), "{addresses:?}");
        drop((listener, endpoint));
        transport.close().await.expect("close");
    })
    .await;
}

#[tokio::test]
async fn nodes_meet_on_loopback_without_help_and_without_delay() {
    guarded(async {
        let mut pair = Pair::listening().await;
        let began = Instant::now();
        let (near, far) = pair.talk().await;
        let took = began.elapsed();
        assert!(took < Duration::from_secs(5), "{took:?}");
        assert!(
            near.stream.label().contains(&socket_of(&pair.address).to_string()),
            "{}",
            near.stream.label()
        );
        // It can still be told apart in the logs once it is gone.
        let label = near.stream.label();
        near.connection.close(&CloseCode::Done.into());
        assert_eq!(near.stream.label(), label);
        drop((near, far));
        pair.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_dead_place_among_the_places_of_a_peer_does_not_matter() {
    guarded(async {
        let mut pair = Pair::listening().await;
        let (node, socket) = pair.address.rest().split_once('@').expect("a socket");
        let rest = format!("{node}@{},{socket}", unused_socket().await);
        pair.address = Address::new(SCHEME, &rest).expect("an address");
        pair.talk().await;
        pair.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_peer_without_a_place_is_not_searched_for() {
    guarded(async {
        let pair = Pair::listening().await;
        let address = Address::new(SCHEME, &pair.host.node_id().to_string()).expect("an address");
        let error = pair.dialler.dial(&address).await.err().expect("nobody knows where");
        assert!(
            matches!(&error, TransportError::Unreachable { source, .. }
            if source.kind() == io::ErrorKind::NotFound),
            "{error}"
        );
        pair.close().await;
    })
    .await;
}
