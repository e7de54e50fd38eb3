//! Nodes that call each other over real transports, one and all at once.

use std::collections::BTreeSet;

use actor_cluster::{Mode, NodeBuilder, NodeEvent, NodeServer};
use actor_core::{ActorSystem, CallError, SendError, SpawnOptions};
use integration_tests::echo::{ECHOES, Echo, Say};
use integration_tests::{Authority, Way};

use crate::support::{Member, guarded, pair, two};

#[tokio::test]
async fn b03_two_nodes_call_over_tls_on_loopback() {
    guarded(two_nodes_call(Way::Tcp)).await;
}

#[tokio::test]
async fn b13_two_nodes_call_over_iroh_on_loopback() {
    guarded(two_nodes_call(Way::Iroh)).await;
}

#[tokio::test]
async fn b13_two_nodes_call_over_quic_on_loopback() {
    guarded(two_nodes_call(Way::Quic)).await;
}

/// Both call, whoever dialled; and afterwards nothing is left.
async fn two_nodes_call(way: Way) {
    let [mut host, dialler] = pair(way).await;
    let (host_id, dialler_id) = (host.node().id(), dialler.node().id());
    dialler.connect(&host, way).await;
    host.ready(dialler_id).await;
    dialler.assert_hears(host_id).await;
    host.assert_hears(dialler_id).await;
    let label = &host.node().addresses()[0];
    assert_eq!(label.scheme(), way.scheme());

    // More than a window, a stream's buffers and a packet can take.
    let echo = dialler.echo_of(host_id).unwrap();
    let long = "long ".repeat(500_000);
    assert_eq!(echo.call(|port| Say::This(long.clone(), port)).await.unwrap(), long);

    dialler.shutdown().await;
    host.assert_idle().await;
    host.shutdown().await;
}

/// The host sees three connections, and one session whose streams are spread over them.
#[tokio::test]
async fn nodes_call_over_several_connections_of_quic() {
    guarded(async {
        let [host, dialler] = two(&[Way::Quic]);
        let mut host = Member::start(&host, &[]).await;
        let system = ActorSystem::new();
        let quic = dialler.quic().unwrap().connections(3).build().unwrap();
        let builder = NodeServer::builder(dialler.node).name("dialler").system(system.clone());
        let server = builder.transport(quic.clone()).start().await.unwrap();
        let dialler = Member::of(server.into(), &system).await;
        // Enough for every lane to have some.
        for _ in 0..32 {
            let echo = host.node().system().spawn(Echo, (), SpawnOptions::new()).await.unwrap();
            host.node().join_group(ECHOES, &echo).unwrap();
        }
        dialler.connect(&host, Way::Quic).await;
        let mut opened = 0;
        loop {
            match host.events.next().await.unwrap() {
                NodeEvent::Opened { .. } => opened += 1,
                NodeEvent::Ready(peer) => break assert_eq!(peer.node, dialler.node().id()),
                _ => {}
            }
        }
        assert_eq!(opened, 3);
        assert_eq!((host.node().sessions().len(), dialler.node().sessions().len()), (1, 1));
        let long = "long ".repeat(50_000);
        let echoes = dialler.node().group::<Say>(ECHOES).into_iter().filter(|echo| !echo.is_local());
        let calls: Vec<_> = echoes
            .map(|echo| {
                let long = long.clone();
                tokio::spawn(async move { echo.call(|port| Say::This(long, port)).await })
            })
            .collect();
        assert_eq!(calls.len(), 33);
        for call in calls {
            assert_eq!(call.await.unwrap().unwrap(), long);
        }
        host.assert_hears(dialler.node().id()).await;
        dialler.shutdown().await;
        quic.close().await.unwrap();
        host.shutdown().await;
    })
    .await;
}

/// One over the bound is not the session's end, on either side.
#[tokio::test]
async fn a_message_over_the_bound_comes_back_and_the_next_one_arrives() {
    guarded(async {
        for way in Way::ALL {
            let [host, dialler] = pair(way).await;
            dialler.connect(&host, way).await;
            let echo = dialler.echo_of(host.node().id()).unwrap();
            let text = "x".repeat(5 * 1024 * 1024);
            let error = echo.call(|port| Say::This(text.clone(), port)).await.unwrap_err();
            match error {
                CallError::NotSent(SendError::Unsendable(Say::This(back, _), _)) => assert_eq!(back, text),
                other => panic!("{other}"),
            }
            dialler.assert_hears(host.node().id()).await;
            dialler.shutdown().await;
            host.shutdown().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_node_on_all_transports_is_one_node_to_all() {
    guarded(async {
        let authority = Authority::new().unwrap();
        let hub = authority.keys("hub", &Way::ALL).unwrap();
        let over_tcp = authority.keys("over-tcp", &[Way::Tcp]).unwrap();
        let over_iroh = authority.keys("over-iroh", &[Way::Iroh]).unwrap();
        let over_quic = authority.keys("over-quic", &[Way::Quic]).unwrap();
        let peers = [hub.node, over_iroh.node];
        let mut hub = Member::start(&hub, &peers).await;
        let over_tcp = Member::start(&over_tcp, &[]).await;
        let over_iroh = Member::start(&over_iroh, &peers).await;
        let over_quic = Member::start(&over_quic, &[]).await;
        for (member, way) in [(&over_tcp, Way::Tcp), (&over_iroh, Way::Iroh), (&over_quic, Way::Quic)] {
            member.connect(&hub, way).await;
            hub.ready(member.node().id()).await;
            member.assert_hears(hub.node().id()).await;
            hub.assert_hears(member.node().id()).await;
            assert_eq!(member.echo_of(hub.node().id()).unwrap().id(), hub.echo.id());
        }
        assert_eq!(hub.node().sessions().len(), 3);
        over_tcp.shutdown().await;
        over_iroh.shutdown().await;
        over_quic.shutdown().await;
        hub.assert_idle().await;
        hub.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn b07_nodes_meet_over_the_transport_they_share() {
    guarded(async {
        let authority = Authority::new().unwrap();
        let keys = |name, ways: &[Way]| authority.keys(name, ways).unwrap();
        let hub = keys("hub", &Way::ALL);
        let guests = [
            (keys("tcp-1", &[Way::Tcp]), Way::Tcp),
            (keys("tcp-2", &[Way::Tcp]), Way::Tcp),
            (keys("iroh-1", &[Way::Iroh]), Way::Iroh),
            (keys("iroh-2", &[Way::Iroh]), Way::Iroh),
            (keys("quic-1", &[Way::Quic]), Way::Quic),
            (keys("quic-2", &[Way::Quic]), Way::Quic),
        ];
        let peers: Vec<_> = guests.iter().map(|(keys, _)| keys.node).chain([hub.node]).collect();
        let transitive = |builder: NodeBuilder| builder.mode(Mode::Transitive);
        let hub = Member::start_with(&hub, &peers, transitive).await;
        let mut members = Vec::new();
        for (keys, way) in &guests {
            let member = Member::start_with(keys, &peers, transitive).await;
            member.connect(&hub, *way).await;
            members.push(member);
        }
        let ids: Vec<_> = members.iter().map(|member| member.node().id()).collect();
        // Each knows the hub, and hears of the one it shares a transport with.
        for (index, member) in members.iter_mut().enumerate() {
            let partner = ids[index ^ 1];
            member.ready(partner).await;
            member.assert_hears(partner).await;
            let known: BTreeSet<_> = member.node().sessions().iter().map(|s| s.peer().node).collect();
            assert_eq!(known, BTreeSet::from([hub.node().id(), partner]));
        }
        assert_eq!(hub.node().sessions().len(), guests.len());
        for member in members {
            member.shutdown().await;
        }
        hub.assert_idle().await;
        hub.shutdown().await;
    })
    .await;
}
