//! Groups of the cluster: scopes, and those who watch them.

use std::sync::Arc;

use actor_cluster::limits::{GROUP_EVENTS_KEPT, LABEL_BYTES_MAX, RESUME_TIMEOUT};
use actor_cluster::{GroupEvent, GroupEvents, PublishError, PublishedActor};
use actor_core::{ActorRef, SpawnOptions};
use futures_util::{FutureExt, StreamExt};

use super::Network;
use super::support::actors::Trapper;
use super::support::{
    BEAT, Count, Start, TestNode, builder, id, node, node_on, node_with, on_every_shape, pass, settle,
    system_after, two,
};

on_every_shape! {
    groups_stand_in_scopes
    a_watch_hears_of_every_change_once
    a_lost_session_is_a_leave_and_another_a_join
    a_resumed_session_is_neither
    a_nodes_next_life_is_another_member
    a_watch_of_a_scope_or_of_all
    a_watch_that_nobody_reads_is_bounded
    a_watch_can_be_an_actors
    a_watch_ends_with_its_node
    scopes_that_cannot_be_used
}

fn member(node: &TestNode, actor: &ActorRef<Count>) -> PublishedActor {
    PublishedActor { node: node.id(), actor: actor.id() }
}

fn joined(actor: PublishedActor) -> GroupEvent {
    GroupEvent::Joined { scope: "shop".into(), group: "tills".into(), actor }
}

fn left(actor: PublishedActor) -> GroupEvent {
    GroupEvent::Left { scope: "shop".into(), group: "tills".into(), actor }
}

/// What was told since the last look.
fn heard(events: &mut GroupEvents) -> Vec<GroupEvent> {
    std::iter::from_fn(|| events.next().now_or_never().flatten()).collect()
}

fn watch(node: &TestNode) -> GroupEvents {
    node.server.groups().scope("shop").watch("tills").1
}

fn join(node: &TestNode, actor: &ActorRef<Count>) {
    node.server.groups().scope("shop").join("tills", actor).unwrap();
}

fn texts(texts: Vec<Arc<str>>) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

async fn groups_stand_in_scopes(network: Network) {
    let (a, b) = two(&network).await;
    let (ours, theirs) = (a.counter(1).await, b.counter(2).await);
    let trapper = b.system.spawn(Trapper, (), SpawnOptions::new()).await.unwrap();
    join(&a, &ours);
    join(&b, &theirs);
    b.server.groups().scope("shop").join("tills", &trapper).unwrap();
    b.server.groups().join("tills", &theirs).unwrap();
    b.server.groups().scope("shop").join("doors", &theirs).unwrap();
    settle().await;
    let groups = a.server.groups();
    assert_eq!(texts(groups.scopes()), ["", "shop"]);
    assert_eq!(texts(groups.names()), ["tills"]);
    assert_eq!(texts(groups.scope("shop").names()), ["doors", "tills"]);
    let ids = |actors: Vec<ActorRef<Count>>| actors.iter().map(|actor| actor.id()).collect::<Vec<_>>();
    assert_eq!(ids(groups.members("tills")), [theirs.id()]);
    assert_eq!(ids(groups.scope("shop").members("tills")), [ours.id(), theirs.id()]);
    assert_eq!(ids(groups.scope("shop").local_members("tills")), [ours.id()]);
    let trapped = PublishedActor { node: id(2), actor: trapper.id() };
    assert_eq!(groups.scope("shop").entries("tills"), [member(&a, &ours), member(&b, &theirs), trapped]);
    assert_eq!(groups.scope("shop").members::<Count>("tills")[1].call(Count::Get).await, Ok(2));
    // Out of one group is not out of the others.
    b.server.groups().scope("shop").leave("tills", &theirs);
    settle().await;
    assert_eq!(ids(groups.members("tills")), [theirs.id()]);
    assert_eq!(ids(groups.scope("shop").members("tills")), [ours.id()]);
}

async fn a_watch_hears_of_every_change_once(network: Network) {
    let (a, b) = two(&network).await;
    let (ours, theirs, others) = (a.counter(0).await, b.counter(0).await, b.counter(0).await);
    join(&b, &theirs);
    settle().await;
    let (now, mut events) = a.server.groups().scope("shop").watch("tills");
    assert_eq!(now, [member(&b, &theirs)]);
    join(&a, &ours);
    join(&a, &ours);
    assert_eq!(heard(&mut events), [joined(member(&a, &ours))], "at once, and once");
    join(&b, &others);
    b.server.groups().scope("shop").leave("tills", &theirs);
    b.server.groups().scope("shop").leave("tills", &theirs);
    b.server.groups().join("tills", &theirs).unwrap();
    join(&b, &theirs);
    settle().await;
    let theirs_twice = [joined(member(&b, &others)), left(member(&b, &theirs)), joined(member(&b, &theirs))];
    assert_eq!(heard(&mut events), theirs_twice);
    // An end is a leave, whoever's it is.
    others.kill_and_wait(None).await.unwrap();
    ours.stop_and_wait(None, None).await.unwrap();
    settle().await;
    let mut ends = heard(&mut events);
    ends.sort_by_key(|event| *event == left(member(&b, &others)));
    assert_eq!(ends, [left(member(&a, &ours)), left(member(&b, &others))]);
    assert_eq!(a.server.groups().scope("shop").entries("tills"), [member(&b, &theirs)]);
}

async fn a_lost_session_is_a_leave_and_another_a_join(network: Network) {
    let (a, b) = two(&network).await;
    let [first, second, ours] = [b.counter(0).await, b.counter(0).await, a.counter(0).await];
    join(&a, &ours);
    join(&b, &first);
    join(&b, &second);
    settle().await;
    let (mut here, mut there) = (watch(&a), watch(&b));
    network.cut();
    settle().await;
    assert_eq!(heard(&mut here), [left(member(&b, &first)), left(member(&b, &second))]);
    assert_eq!(heard(&mut there), [left(member(&a, &ours))]);
    // What happened meanwhile.
    first.kill_and_wait(None).await.unwrap();
    let third = b.counter(0).await;
    join(&b, &third);
    assert_eq!(heard(&mut there), [left(member(&b, &first)), joined(member(&b, &third))]);
    a.connect(&b).await;
    settle().await;
    assert_eq!(heard(&mut here), [joined(member(&b, &second)), joined(member(&b, &third))]);
    assert_eq!(heard(&mut there), [joined(member(&a, &ours))]);
    // The same views on both sides, each its own first.
    let entries = |node: &TestNode| {
        let mut entries = node.server.groups().scope("shop").entries("tills");
        entries.sort();
        entries
    };
    assert_eq!(entries(&a), entries(&b));
    drop(b);
    settle().await;
    assert_eq!(heard(&mut here), [left(member_of(2, &second)), left(member_of(2, &third))]);
}

fn member_of(node: u8, actor: &ActorRef<Count>) -> PublishedActor {
    PublishedActor { node: id(node), actor: actor.id() }
}

async fn a_resumed_session_is_neither(network: Network) {
    let lasting = |number| node_with(&network, number, |builder| builder.resume_timeout(RESUME_TIMEOUT));
    let (a, b) = (lasting(1).await, lasting(2).await);
    a.connect(&b).await;
    let (theirs, others) = (b.counter(0).await, b.counter(0).await);
    join(&b, &theirs);
    settle().await;
    let mut events = watch(&a);
    for _ in 0..3 {
        network.cut();
        pass(BEAT).await;
    }
    assert_eq!(heard(&mut events), []);
    // What is said while nobody carries it comes once.
    network.cut();
    join(&b, &others);
    pass(BEAT).await;
    assert_eq!(heard(&mut events), [joined(member(&b, &others))]);
    // One that does not come back in time has left.
    network.close_doors();
    network.cut();
    pass(RESUME_TIMEOUT / 2).await;
    assert_eq!(heard(&mut events), []);
    pass(RESUME_TIMEOUT).await;
    assert_eq!(heard(&mut events), [left(member(&b, &theirs)), left(member(&b, &others))]);
}

async fn a_nodes_next_life_is_another_member(network: Network) {
    let (a, former) = (node(&network, 1).await, node(&network, 2).await);
    a.connect(&former).await;
    let old = former.counter(0).await;
    join(&former, &old);
    settle().await;
    let mut events = watch(&a);
    let before = member(&former, &old);
    let former = former.shutdown().await;
    let b = node_on(&network, 2, &system_after(&former)).await;
    let new = b.counter(0).await;
    join(&b, &new);
    a.connect(&b).await;
    assert_eq!(heard(&mut events), [left(before), joined(member(&b, &new))]);
    assert_eq!(before.node, b.id());
}

async fn a_watch_of_a_scope_or_of_all(network: Network) {
    let (a, b) = two(&network).await;
    let theirs = b.counter(0).await;
    let groups = a.server.groups();
    let (mut scope, mut all, mut other) =
        (groups.scope("shop").watch_all(), groups.watch_all(), groups.scope("other").watch_all());
    drop(groups.watch_all());
    join(&b, &theirs);
    b.server.groups().scope("shop").join("doors", &theirs).unwrap();
    b.server.groups().join("tills", &theirs).unwrap();
    // A name is no group.
    b.server.publish("tills", &theirs).unwrap();
    settle().await;
    let groups_of = |events: &mut GroupEvents| {
        let heard = heard(events).into_iter();
        let named = heard.map(|event| match event {
            GroupEvent::Joined { scope, group, .. } => format!("{scope}/{group}"),
            other => panic!("{other:?}"),
        });
        named.collect::<Vec<_>>()
    };
    assert_eq!(groups_of(&mut scope), ["shop/tills", "shop/doors"]);
    assert_eq!(groups_of(&mut all), ["shop/tills", "shop/doors", "/tills"]);
    assert_eq!(groups_of(&mut other), [""; 0]);
}

async fn a_watch_that_nobody_reads_is_bounded(network: Network) {
    let (a, b) = two(&network).await;
    let theirs = b.counter(0).await;
    let (mut events, mut elsewhere) = (watch(&a), a.server.groups().scope("quiet").watch_all());
    b.server.groups().scope("quiet").join("group", &theirs).unwrap();
    for _ in 0..GROUP_EVENTS_KEPT {
        join(&b, &theirs);
        b.server.groups().scope("shop").leave("tills", &theirs);
        settle().await;
    }
    let told = heard(&mut events);
    assert_eq!(told.len(), GROUP_EVENTS_KEPT + 1);
    assert_eq!(told.last(), Some(&GroupEvent::Missed(GROUP_EVENTS_KEPT as u64)));
    assert_eq!(told[..2], [joined(member(&b, &theirs)), left(member(&b, &theirs))]);
    // It goes on from there, and others have missed nothing.
    join(&b, &theirs);
    settle().await;
    assert_eq!(heard(&mut events), [joined(member(&b, &theirs))]);
    assert_eq!(heard(&mut elsewhere).len(), 1);
}

async fn a_watch_can_be_an_actors(network: Network) {
    let (a, b) = two(&network).await;
    let start = Start::default();
    let watcher = a.spawn(start.clone()).await;
    watcher.attach_stream(watch(&a), |event| match event {
        GroupEvent::Joined { .. } => Count::Add(1),
        _ => Count::Add(2),
    });
    let theirs = b.counter(0).await;
    join(&b, &theirs);
    theirs.stop_and_wait(None, None).await.unwrap();
    settle().await;
    assert_eq!(start.added(), [1, 2]);
}

async fn a_watch_ends_with_its_node(network: Network) {
    let (a, b) = two(&network).await;
    let theirs = b.counter(0).await;
    join(&b, &theirs);
    settle().await;
    let mut events = watch(&a);
    let waiting = tokio::spawn(async move {
        let first = events.next().await;
        (first, StreamExt::next(&mut events).await, events.next().await)
    });
    settle().await;
    a.shutdown().await;
    assert_eq!(waiting.await.unwrap(), (Some(left(member(&b, &theirs))), None, None));
}

async fn scopes_that_cannot_be_used(network: Network) {
    let system = actor_core::ActorSystem::on(actor_core::Executor::tokio());
    let a = TestNode { server: builder(&network, 1, &system).start().await.unwrap(), system };
    let ours = a.counter(0).await;
    for scope in ["a\nb", &"x".repeat(LABEL_BYTES_MAX + 1)] {
        assert_eq!(a.server.groups().scope(scope).join("group", &ours), Err(PublishError::Label));
    }
    let longest = "x".repeat(LABEL_BYTES_MAX);
    a.server.groups().scope(&longest).join(&longest, &ours).unwrap();
    assert_eq!(a.server.groups().scope(&longest).members::<Count>(&longest), [ours]);
}
