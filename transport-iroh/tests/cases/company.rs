//! The transport on an endpoint of the caller's, beside another protocol.

use actor_cluster::transport::{CloseCode, Transport, TransportError};
use transport_iroh::iroh::endpoint::{ConnectingError, Connection, ConnectionError, presets};
use transport_iroh::iroh::protocol::{AcceptError, ProtocolHandler, Router};
use transport_iroh::iroh::{Endpoint, EndpointAddr};
use transport_iroh::{ALPN, AllowList, IrohTransport, Reach, generate_secret_key, node_id_of};

use super::world::{Pair, address, builder, end_of, guarded, node, socket_of};

const ECHO: &[u8] = b"echo/1";

/// Says what it hears, to everybody.
#[derive(Debug)]
struct Echo;

impl ProtocolHandler for Echo {
    async fn accept(&self, connection: Connection) -> Result<(), AcceptError> {
        let (mut send, mut recv) = connection.accept_bi().await?;
        let heard = recv.read_to_end(100).await.map_err(AcceptError::from_err)?;
        send.write_all(&heard).await.map_err(AcceptError::from_err)?;
        send.finish()?;
        connection.closed().await;
        Ok(())
    }
}

async fn echo(from: &Endpoint, to: EndpointAddr) -> Vec<u8> {
    let connection = from.connect(to, ECHO).await.expect("connect");
    let (mut send, mut recv) = connection.open_bi().await.expect("a stream");
    send.write_all(b"hello").await.expect("write");
    send.finish().expect("finish");
    recv.read_to_end(100).await.expect("an echo")
}

async fn endpoint(hooks: Option<AllowList>) -> Endpoint {
    let builder = Endpoint::builder(presets::Minimal).clear_ip_transports();
    let builder = builder.bind_addr("127.0.0.1:0").expect("an address");
    let builder = hooks.into_iter().fold(builder, |builder, list| builder.hooks(list));
    builder.bind().await.expect("bind")
}

/// A transport on the endpoint, and the router that serves it and the echo.
fn serve(endpoint: &Endpoint, peers: AllowList) -> (IrohTransport, Router) {
    let transport = IrohTransport::builder().allow_list(peers).attach(endpoint.clone()).expect("attach");
    let router = Router::builder(endpoint.clone())
        .incoming_filter(transport.incoming_filter())
        .accept(ALPN, transport.protocol())
        .accept(ECHO, Echo)
        .spawn();
    (transport, router)
}

#[tokio::test]
async fn b14_the_callers_endpoint_serves_the_cluster_beside_another_protocol() {
    guarded(async {
        let friend = node().await;
        let peers = AllowList::of([friend.node_id()]);
        let theirs = endpoint(Some(peers.clone())).await;
        let (host, router) = serve(&theirs, peers);
        friend.allow(host.node_id());
        let mut pair = Pair::of(friend, host.clone()).await;
        let (near, far) = pair.talk().await;

        // Whoever is a stranger to the cluster is none to the other protocol.
        let stranger = endpoint(None).await;
        let there = EndpointAddr::new(theirs.id()).with_ip_addr(socket_of(&pair.address));
        assert_eq!(echo(&stranger, there.clone()).await, b"hello");
        let (refused, accepted) = tokio::join!(turned_away(&stranger, there.clone()), pair.listener.accept());
        assert!(refused.contains("not on the list of peers here"), "{refused}");
        let reported = accepted.err().expect("nobody got in");
        assert!(
            matches!(&reported, TransportError::Untrusted { peer, .. }
            if peer.contains(&node_id_of(&stranger.secret_key().to_bytes()).to_string())),
            "{reported}"
        );

        // The cluster's end is not the endpoint's.
        drop((near, far, pair.listener));
        host.close().await.expect("close");
        assert!(!theirs.is_closed());
        assert_eq!(echo(&stranger, there).await, b"hello");
        router.shutdown().await.expect("shutdown");
        assert!(theirs.is_closed());
        stranger.close().await;
        pair.dialler.close().await.expect("close");
    })
    .await;
}

#[tokio::test]
async fn b14_without_the_hooks_strangers_are_turned_away_all_the_same() {
    guarded(async {
        let theirs = endpoint(None).await;
        let (host, router) = serve(&theirs, AllowList::new());
        let mut listener = host.listen().await.expect("listen");
        let there = EndpointAddr::new(theirs.id()).with_ip_addr(theirs.bound_sockets()[0]);
        let stranger = endpoint(None).await;
        let (refused, accepted) = tokio::join!(turned_away(&stranger, there), listener.accept());
        assert!(refused.contains("not on the list of peers here"), "{refused}");
        assert!(matches!(accepted, Err(TransportError::Untrusted { .. })));
        drop(listener);
        router.shutdown().await.expect("shutdown");
        stranger.close().await;
    })
    .await;
}

#[tokio::test]
async fn b14_the_end_of_the_router_is_the_end_of_its_transport() {
    guarded(async {
        let theirs = endpoint(None).await;
        let (host, router) = serve(&theirs, AllowList::any());
        let friend = builder().allow_any().bind().await.expect("bind");
        let mut pair = Pair::of(friend, host).await;
        let (mut near, mut far) = pair.talk().await;
        let hearing = async {
            let heard = end_of(&mut near.stream).await;
            assert_eq!(heard.code, CloseCode::Shutdown);
            assert_eq!(end_of(&mut far.stream).await.code, CloseCode::Shutdown);
            drop(far);
        };
        let (shutdown, ()) = tokio::join!(router.shutdown(), hearing);
        shutdown.expect("shutdown");
        assert!(theirs.is_closed() && pair.host.endpoint().is_none());
        assert!(matches!(pair.listener.accept().await, Err(TransportError::Closed(_))));
        drop((near, pair.listener));
        pair.dialler.close().await.expect("close");
    })
    .await;
}

#[tokio::test]
async fn a_transport_without_a_router_dials_with_settings_of_its_own() {
    guarded(async {
        let theirs = endpoint(None).await;
        let dialler = IrohTransport::builder().allow_any().attach(theirs.clone()).expect("attach");
        let host = endpoint(None).await;
        host.set_alpns(vec![ALPN.to_vec()]);
        let there = address(node_id_of(&host.secret_key().to_bytes()), host.bound_sockets()[0]);
        let answering = async {
            let connection = host.accept().await.expect("an attempt").await.expect("a handshake");
            let mut word = connection.open_uni().await.expect("a stream");
            word.write_all(&[1]).await.expect("write");
            word.finish().expect("finish");
            connection
        };
        let (dialled, accepted) = tokio::join!(dialler.dial(&there), answering);
        // The endpoint would grant the peer a hundred; this connection grants as many as the protocol has.
        let mut streams = Vec::new();
        for _ in dialler.streams() {
            streams.push(accepted.open_bi().await.expect("a stream"));
        }
        tokio::select! {
            biased;
            _ = accepted.open_bi() => panic!("one too many"),
            () = std::future::ready(()) => {}
        }
        drop((dialled.expect("let in"), streams, accepted));
        dialler.close().await.expect("close");
        assert!(!theirs.is_closed());
        theirs.close().await;
        host.close().await;
    })
    .await;
}

#[tokio::test]
async fn the_hooks_turn_strangers_away_whoever_accepts_and_from_this_protocol_alone() {
    guarded(async {
        let theirs = endpoint(Some(AllowList::new())).await;
        theirs.set_alpns(vec![ALPN.to_vec(), ECHO.to_vec()]);
        let there = EndpointAddr::new(theirs.id()).with_ip_addr(theirs.bound_sockets()[0]);
        let stranger = endpoint(None).await;
        let accepting = async { theirs.accept().await.expect("an attempt").await };
        let (refused, accepted) = tokio::join!(turned_away(&stranger, there.clone()), accepting);
        assert!(refused.contains("not on the list of peers here"), "{refused}");
        assert!(matches!(accepted, Err(ConnectingError::LocallyRejected { .. })));
        let accepting = async { theirs.accept().await.expect("an attempt").await };
        let (connected, accepted) = tokio::join!(stranger.connect(there, ECHO), accepting);
        assert!(connected.is_ok() && accepted.is_ok());
        theirs.close().await;
        stranger.close().await;
    })
    .await;
}

#[tokio::test]
async fn where_places_are_taken_the_router_lets_nobody_in_and_says_so() {
    guarded(async {
        let theirs = endpoint(None).await;
        let builder = IrohTransport::builder().allow_any().connections_max(1);
        let host = builder.attach(theirs.clone()).expect("attach");
        let router = Router::builder(theirs).accept(ALPN, host.protocol()).spawn();
        let friend = super::world::builder().allow_any().bind().await.expect("bind");
        let mut pair = Pair::of(friend, host).await;
        let first = pair.talk().await;
        let (dialled, accepted) = tokio::join!(pair.dialler.dial(&pair.address), pair.listener.accept());
        assert!(matches!(dialled, Err(TransportError::Handshake { .. })));
        let reported = accepted.err().expect("no place");
        assert!(reported.to_string().contains("more than 1 connections"), "{reported}");
        drop((first, pair.listener));
        router.shutdown().await.expect("shutdown");
        pair.dialler.close().await.expect("close");
    })
    .await;
}

#[tokio::test]
async fn what_is_the_endpoints_is_not_said_of_the_transport() {
    guarded(async {
        let theirs = endpoint(None).await;
        let said = [
            IrohTransport::builder().secret_key(generate_secret_key()),
            IrohTransport::builder().loopback(),
            IrohTransport::builder().advertise("10.0.0.1:4000".parse().expect("a socket")),
            IrohTransport::builder().reach(Reach::direct()),
            IrohTransport::builder().connections_per_address_max(0),
        ];
        for builder in said {
            let error = builder.attach(theirs.clone()).expect_err("too much");
            assert!(matches!(error, TransportError::Config(_)), "{error}");
        }
        theirs.close().await;
        let error = IrohTransport::builder().attach(theirs).expect_err("closed");
        assert!(matches!(error, TransportError::Closed(_)), "{error}");
    })
    .await;
}

/// Dials as somebody who does not look at lists, and gives the words of the end.
async fn turned_away(from: &Endpoint, to: EndpointAddr) -> String {
    let end = match from.connect(to, ALPN).await {
        Ok(connection) => connection.closed().await,
        Err(failure) => panic!("the handshake itself succeeds: {failure}"),
    };
    match end {
        ConnectionError::ApplicationClosed(close) => {
            assert_eq!(close.error_code, CloseCode::Refused.as_u32().into());
            String::from_utf8(close.reason.to_vec()).expect("words")
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn nobody_else_dials_a_stranger_on_an_endpoint_with_the_hooks() {
    guarded(async {
        let transport = node().await;
        let stranger = node().await;
        let ours = transport.endpoint().expect("open");
        let at = stranger.endpoint().expect("open").bound_sockets()[0];
        let there = EndpointAddr::new(stranger.endpoint().expect("open").id()).with_ip_addr(at);
        let error = ours.connect(there, ALPN).await.expect_err("a stranger");
        assert!(error.to_string().contains("rejected locally"), "{error}");
        let error = transport.dial(&address(stranger.node_id(), at)).await.err().expect("a stranger");
        assert!(error.to_string().contains("`allow` its id first"), "{error}");
        drop(ours);
        transport.close().await.expect("close");
        stranger.close().await.expect("close");
    })
    .await;
}
