//! Several connections to one peer.

use actor_cluster::transport::{LaneSet, PeerIdentity, Transport, TransportError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use transport_quic::limits::{CONNECTIONS_PER_PEER_MAX, DATA_STREAMS_MAX};
use transport_quic::{DevCa, QuicTransport};

use crate::wire::Wire;
use crate::world::{Host, assert_config, assert_untrusted, config, guarded, node_of, refused, settings};

fn with_connections(ca: &DevCa, connections: usize) -> QuicTransport {
    settings(&ca.node("dialler").unwrap()).connections(connections).build().unwrap()
}

#[test]
fn there_are_as_many_streams_for_data_as_there_are_connections_at_least() {
    let ca = DevCa::new().unwrap();
    let data = |(streams, connections)| {
        let config = settings(&ca.node("dialler").unwrap()).data_streams(streams).connections(connections);
        config.build().unwrap().streams().iter().filter(|lanes| **lanes == LaneSet::DATA).count()
    };
    assert_eq!([(1, 1), (4, 1), (4, 4), (4, 5), (1, 8)].map(data), [1, 4, 4, 5, 8]);
    for streams in [0, DATA_STREAMS_MAX + 1] {
        let error = config(&ca.node("node").unwrap()).data_streams(streams).build().err();
        assert_config(&error.expect("too few or too many"), "1 to 8 streams for data");
    }
    for connections in [0, CONNECTIONS_PER_PEER_MAX + 1] {
        let error = config(&ca.node("node").unwrap()).connections(connections).build().err();
        assert_config(&error.expect("too few or too many"), "1 to 8 connections");
    }
}

#[tokio::test]
async fn streams_for_data_are_spread_over_connections() {
    let ca = DevCa::new().unwrap();
    let dialler = settings(&ca.node("dialler").unwrap()).connections(3).data_streams(4).build().unwrap();
    let mut host = Host::start(&node_of(&ca, "host")).await;
    let accepting = async {
        let mut far = Vec::new();
        for _ in 0..3 {
            far.push(host.listener.accept().await.unwrap());
        }
        far
    };
    let (near, far) = guarded(async { tokio::join!(dialler.dial(&host.address), accepting) }).await;
    let near = near.unwrap();
    assert!(far.iter().all(|far| far.peer_identity() == PeerIdentity::Node(dialler.node_id())));

    // Which of the host's connections each stream comes on: the first for all but data.
    let mut came_on = Vec::new();
    let mut carriers = Vec::new();
    let mut streams = Vec::new();
    for lanes in dialler.streams() {
        let mut opened = near.open(*lanes).await.unwrap();
        opened.write_all(b"here").await.unwrap();
        let accepting = far.iter().map(|far| far.accept());
        let (accepted, connection, _) = guarded(futures_util::future::select_all(accepting)).await;
        let mut accepted = accepted.unwrap();
        let mut heard = [0; 4];
        guarded(accepted.read_exact(&mut heard)).await.unwrap();
        assert_eq!(accepted.channel_binding(), opened.channel_binding());
        carriers.push([opened.carrier().unwrap(), accepted.carrier().unwrap()]);
        came_on.push(connection);
        streams.push((opened, accepted));
    }
    let [control, urgent, data @ .., bulk] = &came_on[..] else { panic!("{came_on:?}") };
    assert_eq!((control, data.len(), urgent, bulk), (&data[0], 4, control, control));
    assert_eq!(data[3], data[0], "by turns");
    let mut used = data[..3].to_vec();
    used.sort_unstable();
    assert_eq!(used, [0, 1, 2]);
    for (one, on_one) in carriers.iter().zip(&came_on) {
        for (other, on_other) in carriers.iter().zip(&came_on) {
            let are_shared = [0, 1].map(|side| one[side] == other[side]);
            assert_eq!(are_shared, [on_one == on_other; 2], "a carrier is one connection, on either side");
        }
    }

    // What ends one ends all.
    near.close(&actor_cluster::transport::CloseCode::Shutdown.into());
    for (_, accepted) in &mut streams {
        guarded(accepted.read(&mut [0])).await.unwrap_err();
    }
}

/// What stands behind the address are two nodes, both of our authority.
#[tokio::test]
async fn connections_that_lead_to_different_nodes_are_an_error() {
    let ca = DevCa::new().unwrap();
    let dialler = with_connections(&ca, 2);
    let (mut one, mut other) =
        (Host::start(&node_of(&ca, "one")).await, Host::start(&node_of(&ca, "other")).await);
    let (wire, _cut) = Wire::to(&[&one.address, &other.address]).await;
    let meeting =
        async { tokio::join!(dialler.dial(&wire.address), one.listener.accept(), other.listener.accept()) };
    let (near, at_one, at_other) = guarded(meeting).await;
    assert_untrusted(&refused(near), "its connections lead to different nodes");
    for far in [at_one.unwrap(), at_other.unwrap()] {
        guarded(far.accept()).await.err().expect("the dialler has given both up");
    }
}

/// All of them are made, or none is.
#[tokio::test]
async fn a_connection_that_is_refused_fails_the_dial() {
    let ca = DevCa::new().unwrap();
    let limits = transport_quic::QuicLimits { connections_max: 1, ..Default::default() };
    let host = config(&ca.node("host").unwrap()).limits(limits).build().unwrap();
    let (mut host, dialler) = (Host::start(&host).await, with_connections(&ca, 2));
    let address = host.address.clone();
    let accepting = async {
        let first = host.listener.accept().await.unwrap();
        (first, host.refusal().await)
    };
    let (near, (first, refusal)) = guarded(async { tokio::join!(dialler.dial(&address), accepting) }).await;
    let error = refused(near);
    assert!(matches!(error, TransportError::Handshake { .. }), "{error}");
    assert!(matches!(refusal, TransportError::Handshake { .. }), "{refusal}");
    guarded(first.accept()).await.err().expect("the dialler has given it up");
}
