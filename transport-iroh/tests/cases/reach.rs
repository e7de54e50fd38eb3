//! How peers are found, and what a node does not use although it is told of it.

use std::io;

use actor_cluster::transport::{Address, Route, Transport, TransportError};
use transport_iroh::iroh::address_lookup::MemoryLookup;
use transport_iroh::iroh::{EndpointAddr, RelayMap};
use transport_iroh::{IrohTransport, Reach, SCHEME, generate_secret_key};

use super::world::{Pair, builder, friends, guarded};

#[tokio::test]
async fn the_path_of_a_stream_is_told() {
    guarded(async {
        let mut pair = Pair::listening().await;
        let (near, far) = pair.talk().await;
        let path = near.stream.path().expect("a path");
        assert_eq!(path.route, Route::Direct(super::world::socket_of(&pair.address).to_string()));
        assert!(path.round_trip.is_some() && path.bytes_sent > 0, "{path:?}");
        assert!(!far.stream.path().expect("a path").route.is_relayed());
        drop((near, far));
        pair.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_came_back_elsewhere_is_found_by_its_id_though_its_old_address_is_dialled() {
    guarded(async {
        let known = MemoryLookup::new();
        let reach = Reach::direct().with_discovery(known.clone());
        let dialler = builder().reach(reach).allow_any().bind().await.expect("bind");
        let key = generate_secret_key();
        let life = || IrohTransport::builder().secret_key(key).allow_any().loopback().bind();
        let mut pair = Pair::of(dialler, life().await.expect("bind")).await;
        drop(pair.talk().await);
        // Its port stays with somebody else, who says nothing.
        let old = pair.address.clone();
        pair.host.close().await.expect("close");
        let _silent =
            tokio::net::UdpSocket::bind(super::world::socket_of(&old)).await.expect("the port is free");

        let mut later = Pair::of(pair.dialler, life().await.expect("bind")).await;
        assert_ne!(later.address, old);
        let endpoint = later.host.endpoint().expect("open");
        known.add_endpoint_info(EndpointAddr::new(endpoint.id()).with_ip_addr(endpoint.bound_sockets()[0]));
        drop(endpoint);
        later.address = old;
        later.talk().await;
        later.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_relay_that_only_a_peer_names_is_not_used() {
    guarded(async {
        let (a, b) = friends().await;
        let rest = format!("{}@https://relay.example/", b.node_id());
        let address = Address::new(SCHEME, &rest).expect("an address");
        let error = a.dial(&address).await.err().expect("no way");
        assert!(
            matches!(&error, TransportError::Unreachable { source, .. }
            if source.kind() == io::ErrorKind::HostUnreachable),
            "{error}"
        );
        assert!(error.to_string().contains("`Reach::with_relays`"), "{error}");
        // Beside other places it does no harm.
        let mut pair = Pair::of(a, b).await;
        let rest = format!("{},https://relay.example/", pair.address.rest());
        pair.address = Address::new(SCHEME, &rest).expect("an address");
        pair.talk().await;
        pair.close().await;
    })
    .await;
}

#[tokio::test]
async fn relays_without_a_relay_are_a_mistake() {
    guarded(async {
        let reach = Reach::direct().with_relays(RelayMap::empty());
        assert!(format!("{reach:?}").contains("relays"));
        let error = builder().reach(reach).bind().await.expect_err("no relay");
        assert!(matches!(&error, TransportError::Config(detail) if detail.contains("name one")), "{error}");
    })
    .await;
}
