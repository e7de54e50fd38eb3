//! Who is a member: seeds, events, and what becomes of sessions.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actor_cluster::testing::PipeNetwork;
use actor_cluster::transport::{Address, PeerIdentity};
use actor_cluster::{LostReason, MemberEvent, MemberEvents, Mode, NodeEvent, NodeServer};
use actor_core::{Actor, ActorError, ActorRef, ActorSystem, Executor, Exit, SpawnOptions};

use super::Network;
use super::support::{
    Exits, Start, TestNode, guarded, id, node_with, on_every_shape, pass, remote_counter, settle,
    system_after,
};

on_every_shape! {
    b11_nodes_that_are_given_one_seed_find_each_other
    b11_a_node_that_is_lost_is_no_member_within_two_seconds_and_its_watches_fire
    b11_a_node_that_leaves_has_left_for_all
    b11_a_node_that_comes_back_in_another_life_is_a_member_again
    b11_a_session_that_finds_other_streams_in_time_keeps_its_member
    b11_members_of_an_isolated_node_are_its_sessions
}

/// A node that looks for its peers, as it does unless told not to, with seeds.
async fn member(network: &Network, number: u8, seeds: &[Address]) -> TestNode {
    node_with(network, number, |builder| {
        let builder = builder.mode(Mode::Transitive).resume_timeout(Duration::from_secs(5));
        seeds.iter().cloned().fold(builder, |builder, seed| builder.seed(seed))
    })
    .await
}

/// So many that were given the first one's address, and know each other.
async fn cluster(network: &Network, count: u8) -> Vec<TestNode> {
    let mut nodes = vec![member(network, 1, &[]).await];
    let seed = nodes[0].address();
    for number in 2..=count {
        nodes.push(member(network, number, std::slice::from_ref(&seed)).await);
    }
    pass(Duration::from_secs(10)).await;
    for node in &nodes {
        assert_eq!(members(node), others(node, count), "node {:?}", node.id());
        assert_eq!(node.peers(), others(node, count));
    }
    nodes
}

fn others(node: &TestNode, count: u8) -> Vec<actor_cluster::NodeId> {
    (1..=count).map(id).filter(|id| *id != node.id()).collect()
}

fn members(node: &TestNode) -> Vec<actor_cluster::NodeId> {
    node.server.members().members.iter().map(|member| member.node).collect()
}

/// The next event of a kind.
async fn lost(events: &mut MemberEvents) -> (actor_cluster::NodeId, LostReason) {
    loop {
        if let MemberEvent::Lost { member, reason } = events.next().await.expect("the node is there") {
            return (member.node, reason);
        }
    }
}

async fn b11_nodes_that_are_given_one_seed_find_each_other(network: Network) {
    let first = member(&network, 1, &[]).await;
    let seed = first.address();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = heard.clone();
    // Itself among its seeds, and one where nobody is.
    let nowhere = "pipe://nowhere".parse().unwrap();
    let mut nodes = vec![first];
    for number in 2..=5 {
        let log = log.clone();
        let node = node_with(&network, number, |builder| {
            let own: Address =
                format!("{}://{}", seed.scheme(), seed.rest().replace('1', &number.to_string()))
                    .parse()
                    .unwrap();
            let builder = builder.mode(Mode::Transitive).seed(seed.clone()).seed(own);
            let nowhere: Address = Address::clone(&nowhere);
            builder
                .seed_with("a list", move || std::future::ready(Ok(vec![nowhere.clone()])))
                .seed_with("a list that is not there", || std::future::ready(Err("no list".to_owned())))
                .on_member_event(move |event| log.lock().unwrap().push((number, event.clone())))
        });
        nodes.push(node.await);
    }
    pass(Duration::from_secs(10)).await;
    for node in &nodes {
        assert_eq!(members(node), others(node, 5));
        let view = node.server.members();
        assert!(
            view.epoch > 0
                && view.members.iter().all(|member| member.is_connected && !member.name.is_empty())
        );
    }
    let heard = heard.lock().unwrap();
    let count = |what: &dyn Fn(&MemberEvent) -> bool| heard.iter().filter(|(_, event)| what(event)).count();
    assert_eq!(count(&|event| matches!(event, MemberEvent::Joined(_))), 16);
    assert_eq!(count(&|event| matches!(event, MemberEvent::Ready(_))), 16);
    let failed = |name: &str, why: &str| {
        count(
            &|event| matches!(event, MemberEvent::SeedFailed { seed, error } if seed == name && error.contains(why)),
        )
    };
    assert_eq!((failed("a list that is not there", "no list"), failed("a list", "")), (4, 4));
}

async fn b11_a_node_that_is_lost_is_no_member_within_two_seconds_and_its_watches_fire(network: Network) {
    let nodes = cluster(&network, 5).await;
    let (_counter, remote) = remote_counter(&nodes[0], &nodes[4], Start::default()).await;
    let log = Exits::default();
    log.watch(&remote);
    settle().await;
    let mut events = nodes[0].server.member_events();
    let mut sessions = nodes[0].server.subscribe();
    network.lose_all_of(5);
    let since = tokio::time::Instant::now();
    let (who, reason) = lost(&mut events).await;
    assert_eq!(who, id(5));
    assert!(matches!(reason, LostReason::Silent | LostReason::Told), "{reason:?}");
    // Nothing is late here, and time is virtual. What a network adds, the simulator's tests of members look at in `actor-testkit`.
    assert!(since.elapsed() <= Duration::from_secs(2), "{:?}", since.elapsed());
    settle().await;
    assert_eq!(log.seen(), [Exit::Unreachable], "its watches fire");
    loop {
        if let NodeEvent::SessionLost { peer, reason, .. } = sessions.next().await.unwrap() {
            assert_eq!(peer.node, id(5));
            assert!(reason.detail().contains("no member"), "{reason}");
            break;
        }
    }
    pass(Duration::from_secs(2)).await;
    for node in &nodes[..4] {
        assert_eq!(members(node), others(node, 4));
    }
}

async fn b11_a_node_that_leaves_has_left_for_all(network: Network) {
    let mut nodes = cluster(&network, 4).await;
    let mut events = nodes[0].server.member_events();
    let last = nodes.pop().unwrap();
    last.server.leave().await;
    pass(Duration::from_secs(1)).await;
    let mut told = Vec::new();
    while let Some(Some(event)) = futures_util::FutureExt::now_or_never(events.next()) {
        told.push(event);
    }
    assert!(matches!(&told[..], [MemberEvent::Left(member)] if member.node == id(4)), "{told:?}");
    pass(Duration::from_secs(60)).await;
    for node in &nodes {
        assert_eq!((members(node), node.peers()), (others(node, 3), others(node, 3)));
    }
}

async fn b11_a_node_that_comes_back_in_another_life_is_a_member_again(network: Network) {
    let mut nodes = cluster(&network, 4).await;
    let seed = nodes[0].address();
    let former = nodes.pop().unwrap();
    network.lose_all_of(4);
    network.open_doors();
    let system = system_after(&former.system);
    let server = NodeServer::builder(id(4)).name("node-4").system(system.clone()).seed(seed);
    let server =
        server.transport(network.transport_at("again", PeerIdentity::Node(id(4)))).start().await.unwrap();
    nodes.push(TestNode { system, server });
    pass(Duration::from_secs(20)).await;
    for node in &nodes {
        assert_eq!((members(node), node.peers()), (others(node, 4), others(node, 4)), "{:?}", node.id());
    }
    let view = nodes[0].server.members();
    assert_eq!(view.members.last().unwrap().incarnation, nodes[3].server.incarnation());
    drop(former);
}

async fn b11_a_session_that_finds_other_streams_in_time_keeps_its_member(network: Network) {
    let nodes = cluster(&network, 4).await;
    let mut events = nodes[0].server.member_events();
    for _ in 0..5 {
        network.hold_dials();
        network.cut();
        // Longer than silence goes unnoticed.
        pass(Duration::from_secs(3)).await;
        network.let_dials_go();
        pass(Duration::from_secs(10)).await;
    }
    while let Some(Some(event)) = futures_util::FutureExt::now_or_never(events.next()) {
        assert!(!matches!(event, MemberEvent::Lost { .. } | MemberEvent::Left(_)), "{event:?}");
    }
    for node in &nodes {
        assert_eq!((members(node), node.peers()), (others(node, 4), others(node, 4)));
    }
}

async fn b11_members_of_an_isolated_node_are_its_sessions(network: Network) {
    let a = node_with(&network, 1, |builder| builder).await;
    let b = node_with(&network, 2, |builder| builder).await;
    let mut events = a.server.member_events();
    a.connect(&b).await;
    assert!(matches!(events.next().await, Some(MemberEvent::Joined(member)) if member.node == id(2)));
    assert!(matches!(events.next().await, Some(MemberEvent::Ready(member)) if member.node == id(2)));
    assert_eq!((members(&a), members(&b)), (vec![id(2)], vec![id(1)]));
    network.cut();
    assert_eq!(lost(&mut events).await, (id(2), LostReason::Disconnected));
    assert_eq!(members(&a), []);
}

/// What a user's functions do wrong is the seed's failure, and nothing else's.
#[tokio::test(start_paused = true)]
async fn b11_a_seed_whose_function_panics_or_hangs_has_failed_and_is_asked_again() {
    let network = Network::one_stream();
    let there = node_with(&network, 1, |builder| builder.mode(Mode::Transitive)).await;
    let (seed, asked) = (there.address(), Arc::new(AtomicUsize::new(0)));
    let here = node_with(&network, 2, |builder| {
        let counter = asked.clone();
        builder
            .mode(Mode::Transitive)
            .seed_with("panics", || -> std::future::Ready<_> { panic!("on purpose") })
            .seed_with("panics later", || async { panic!("on purpose") })
            .seed_with("hangs", std::future::pending)
            .seed_with("hangs at first", move || {
                let (seed, is_first) = (seed.clone(), counter.fetch_add(1, Ordering::Relaxed) == 0);
                async move { if is_first { std::future::pending().await } else { Ok(vec![seed]) } }
            })
    });
    let here = here.await;
    let mut events = here.server.member_events();
    let mut failed = Vec::new();
    let ready = guarded(async {
        loop {
            match events.next().await.expect("the node is there") {
                MemberEvent::SeedFailed { seed, error } => failed.push((seed, error)),
                MemberEvent::Ready(member) => return member.node,
                _ => {}
            }
        }
    });
    assert_eq!(ready.await, id(1));
    failed.sort();
    let told = |seed: &str, error: &str| (seed.to_owned(), error.to_owned());
    let (panicked, late) = ("looking up its addresses panicked", "its addresses were not found within 10s");
    let expected = [
        told("hangs", late),
        told("hangs at first", late),
        told("panics", panicked),
        told("panics later", panicked),
    ];
    assert_eq!(failed, expected);
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

/// A listener is nobody's lock's business: it may ask the node, and have it leave.
#[test]
fn b10_a_listener_may_ask_its_node_and_have_it_leave() {
    let (sender, outcome) = std::sync::mpsc::channel();
    // On a thread of its own: a deadlock would not end.
    std::thread::spawn(move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build().unwrap();
        sender.send(runtime.block_on(left_by_its_listener()))
    });
    // sleep: real time, for a thread that is not to be waited for without end.
    let (asked, told) = outcome.recv_timeout(Duration::from_secs(30)).expect("it came to no end");
    assert_eq!(asked, [id(1)], "{told:?}");
    assert!(
        matches!(&told[..], [MemberEvent::Joined(_), MemberEvent::Ready(_), MemberEvent::Left(_)]),
        "{told:?}"
    );
}

/// Whom a node knew when its listener asked; what another was told of it.
async fn left_by_its_listener() -> (Vec<actor_cluster::NodeId>, Vec<MemberEvent>) {
    let network = PipeNetwork::new();
    let start = async |number: u8, listener: Box<dyn Fn(&MemberEvent) + Send + Sync>| {
        let transport =
            network.transport(format!("node-{number}")).with_identity(PeerIdentity::Node(id(number)));
        let system = ActorSystem::on(Executor::tokio());
        let builder = NodeServer::builder(id(number)).system(system).transport(transport);
        builder.on_member_event(listener).start().await.unwrap()
    };
    let other = start(1, Box::new(|_| {})).await;
    let mut events = other.member_events();
    let (server, asked) = (Arc::new(Mutex::new(None::<NodeServer>)), Arc::new(Mutex::new(Vec::new())));
    let (slot, log) = (server.clone(), asked.clone());
    let node = start(
        2,
        Box::new(move |event| {
            if !matches!(event, MemberEvent::Ready(_)) {
                return;
            }
            let node = slot.lock().unwrap().take().expect("it is told once");
            log.lock().unwrap().extend(node.members().members.iter().map(|member| member.node));
            // What it does at once it does here.
            assert!(futures_util::FutureExt::now_or_never(node.leave()).is_none());
        }),
    );
    let node = node.await;
    let address = node.addresses()[0].clone();
    *server.lock().unwrap() = Some(node);
    drop(other.connect(&address).await);
    let mut told = Vec::new();
    while told.len() < 3 {
        told.push(events.next().await.expect("the node is there"));
    }
    let asked = asked.lock().unwrap().clone();
    (asked, told)
}

struct Keeper(tokio::sync::mpsc::UnboundedSender<MemberEvent>);

impl Actor for Keeper {
    type Msg = Heard;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Heard>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle(&self, _: &ActorRef<Heard>, Heard(event): Heard, (): &mut ()) -> Result<(), ActorError> {
        drop(self.0.send(event));
        Ok(())
    }
}

struct Heard(MemberEvent);

/// The stream of events, attached to an actor.
#[tokio::test(start_paused = true)]
async fn b10_an_actor_can_be_told_of_members() {
    let network = PipeNetwork::new();
    let start = async |number: u8, system: &ActorSystem| {
        let transport =
            network.transport(format!("node-{number}")).with_identity(PeerIdentity::Node(id(number)));
        NodeServer::builder(id(number)).system(system.clone()).transport(transport).start().await.unwrap()
    };
    let (here, there) = (ActorSystem::on(Executor::tokio()), ActorSystem::on(Executor::tokio()));
    let (a, b) = (start(1, &here).await, start(2, &there).await);
    let (sender, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let keeper = here.spawn(Keeper(sender), (), SpawnOptions::new()).await.unwrap();
    keeper.attach_stream(a.member_events(), Heard);
    a.connect(&b.addresses()[0]).await.unwrap();
    assert!(matches!(heard.recv().await, Some(MemberEvent::Joined(member)) if member.node == id(2)));
    assert!(matches!(heard.recv().await, Some(MemberEvent::Ready(member)) if member.node == id(2)));
    b.leave().await;
    assert!(matches!(heard.recv().await, Some(MemberEvent::Left(member)) if member.node == id(2)));
}
