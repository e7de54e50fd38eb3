//! Nodes that call each other over real transports, one and both at once.

use std::collections::BTreeSet;

use actor_cluster::{Mode, NodeBuilder};
use actor_core::{CallError, SendError};
use integration_tests::echo::Say;
use integration_tests::{Authority, Way};

use crate::support::{Member, guarded, pair};

#[tokio::test]
async fn b03_two_nodes_call_over_tls_on_loopback() {
    guarded(two_nodes_call(Way::Tcp)).await;
}

#[tokio::test]
async fn b13_two_nodes_call_over_iroh_on_loopback() {
    guarded(two_nodes_call(Way::Iroh)).await;
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
async fn a_node_on_both_transports_is_one_node_to_all() {
    guarded(async {
        let authority = Authority::new().unwrap();
        let hub = authority.keys("hub", &Way::ALL).unwrap();
        let over_tcp = authority.keys("over-tcp", &[Way::Tcp]).unwrap();
        let over_iroh = authority.keys("over-iroh", &[Way::Iroh]).unwrap();
        let peers = [hub.node, over_iroh.node];
        let mut hub = Member::start(&hub, &peers).await;
        let over_tcp = Member::start(&over_tcp, &[]).await;
        let over_iroh = Member::start(&over_iroh, &peers).await;
        for (member, way) in [(&over_tcp, Way::Tcp), (&over_iroh, Way::Iroh)] {
            member.connect(&hub, way).await;
            hub.ready(member.node().id()).await;
            member.assert_hears(hub.node().id()).await;
            hub.assert_hears(member.node().id()).await;
            assert_eq!(member.echo_of(hub.node().id()).unwrap().id(), hub.echo.id());
        }
        assert_eq!(hub.node().sessions().len(), 2);
        over_tcp.shutdown().await;
        over_iroh.shutdown().await;
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
        assert_eq!(hub.node().sessions().len(), 4);
        for member in members {
            member.shutdown().await;
        }
        hub.assert_idle().await;
        hub.shutdown().await;
    })
    .await;
}
