//! What a policy of grants does between two nodes: each operation, on each kind of subject, allowed and denied; who gets in;
//! and what becomes of those who were in when the policy changes.

mod trial;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use actor_cluster::limits::FORBIDDEN_INTERVAL;
use actor_cluster::testing::pipe::pipe_between;
use actor_cluster::transport::{CloseCode, PeerIdentity};
use actor_cluster::{
    Actors, Allow, Authorize, ConnectError, Events, FindError, HandshakeError, Labels, NodeBuilder,
    NodeEvent, NodeServer, Operation, PeerInfo, RefusalCause, RemoteMessage, Rights, Subject,
};
use actor_core::{ActorSystem, CallFailure, Executor, Rejection};

use self::trial::{Known, Trial};
use super::Network;
use super::support::{
    Count, Start, TestNode, builder, disconnected_by, failure, id, next, node, node_on, node_with,
    on_every_shape, pass, refused, settle, system_after,
};

on_every_shape! {
    each_operation_is_granted_on_each_kind_of_subject
    a_peer_without_join_is_told_so_and_learns_nothing
    a_node_dials_nobody_who_may_not_join
    rights_are_replaced_while_the_node_runs
    who_may_join_no_more_has_its_session_ended
    what_may_be_published_no_more_is_found_no_more
    denials_are_counted_and_told_once_in_a_while
    a_stream_that_proves_nothing_has_what_everyone_has
    a_stream_that_proves_nothing_neither_joins_nor_displaces_a_session
    anothers_name_gives_nothing
    rights_that_are_replaced_while_they_are_asked_hold
}

const ON_ACTORS: [Operation; 7] = [
    Operation::Cast,
    Operation::Call,
    Operation::Watch,
    Operation::Link,
    Operation::Stop,
    Operation::Drain,
    Operation::Kill,
];

/// To do this to those.
fn granting(allow: Allow, operation: Operation, actors: Actors) -> Allow {
    match operation {
        Operation::Cast => allow.cast(actors),
        Operation::Call => allow.call(actors),
        Operation::Watch => allow.watch(actors),
        Operation::Link => allow.link(actors),
        _ => allow.stop(actors),
    }
}

/// All but this to those, and this to others.
fn all_but(operation: Operation, known: &Known) -> Allow {
    let ends = [Operation::Stop, Operation::Drain, Operation::Kill];
    let is_other =
        |other: &Operation| *other != operation && !(ends.contains(other) && ends.contains(&operation));
    let others = ON_ACTORS.into_iter().filter(is_other);
    let allow = others.fold(Allow::nothing().join(), |allow, other| granting(allow, other, known.actors()));
    granting(allow, operation, Known::others()).spawn_all().publish(Labels::all())
}

async fn each_operation_is_granted_on_each_kind_of_subject(network: Network) {
    for known in Known::all() {
        for operation in ON_ACTORS {
            let granted = granting(Allow::nothing().join(), operation, known.actors());
            let trial = Trial::of(&network, [1, 2], &known, Rights::new().node(id(1), granted)).await;
            assert!(trial.tries(operation).await, "{operation:?} of {known:?} is granted");
            assert_eq!(trial.there.server.denials().total(), 0);
            trial.end().await;

            let denied = Rights::new().everyone(all_but(operation, &known)).node(id(3), Allow::everything());
            let mut trial = Trial::of(&network, [1, 2], &known, denied).await;
            assert!(!trial.tries(operation).await, "{operation:?} of {known:?} is denied");
            let denials = trial.there.server.denials();
            assert_eq!((denials.of(operation), denials.total()), (1, 1), "{operation:?} of {known:?}");
            let subject = trial.forbidden(operation).await;
            let Subject::Actor { id, messages, published } = subject else { panic!("{subject:?}") };
            assert_eq!((id, messages), (trial.actor.id(), Count::TYPE));
            assert_eq!(published[..], known.labels());
            trial.end().await;
        }
    }
    let known = &Known::Given;
    for (operation, granted, others, subject) in [
        (
            Operation::Spawn,
            Allow::nothing().join().spawn("blank"),
            Allow::nothing().join().spawn("other").publish(Labels::all()).send(Actors::all()),
            Subject::Kind("blank".into()),
        ),
        (
            Operation::Publish,
            Allow::nothing().join().publish(Labels::name("ours")),
            Allow::nothing().join().publish(Labels::group("", "ours").and(Labels::name("our"))).spawn_all(),
            Subject::Name("ours".into()),
        ),
    ] {
        let trial = Trial::of(&network, [1, 2], known, Rights::new().node(id(1), granted)).await;
        assert!(trial.tries(operation).await, "{operation:?} is granted");
        trial.end().await;
        let mut trial = Trial::of(&network, [1, 2], known, Rights::new().everyone(others)).await;
        assert!(!trial.tries(operation).await, "{operation:?} is denied");
        assert_eq!(trial.forbidden(operation).await, subject);
        trial.end().await;
    }
}

/// Only for this node.
fn only(number: u8) -> Rights {
    Rights::new().node(id(number), Allow::everything())
}

fn handshake(error: &ConnectError) -> &HandshakeError {
    match error {
        ConnectError::Handshake(error) => error,
        other => panic!("no handshake failed: {other}"),
    }
}

async fn a_peer_without_join_is_told_so_and_learns_nothing(network: Network) {
    let a = node(&network, 1).await;
    let b = node_with(&network, 2, |builder| builder.authorize(only(3))).await;
    b.publish("till", Start::default()).await;
    let mut events = [a.server.subscribe(), b.server.subscribe()];
    let error = a.server.connect(&b.address()).await.unwrap_err();
    assert_eq!(handshake(&error), &HandshakeError::Refused(Box::new(HandshakeError::Forbidden)));
    assert!(error.to_string().contains("grant it `join` in the rights of the node"), "{error}");
    let told = refused(&mut events[1]).await;
    assert!(told.contains("the peer may not join: grant it `join`"), "{told}");
    let refusals = b.server.refusals();
    assert_eq!((refusals.of(RefusalCause::Forbidden), refusals.total()), (1, 1));
    settle().await;
    assert_eq!((a.peers(), b.peers(), a.server.tasks(), b.server.tasks()), (vec![], vec![], 1, 1));
    assert_eq!(a.server.find::<Count>("till").unwrap_err(), FindError::NotFound);
    let c = node(&network, 3).await;
    c.connect(&b).await;
    assert!(c.server.find::<Count>("till").is_ok());
}

async fn a_node_dials_nobody_who_may_not_join(network: Network) {
    let a = node_with(&network, 1, |builder| builder.authorize(only(3))).await;
    let b = node(&network, 2).await;
    let mut events = b.server.subscribe();
    a.publish("till", Start::default()).await;
    let error = a.server.connect(&b.address()).await.unwrap_err();
    assert_eq!(handshake(&error), &HandshakeError::Forbidden);
    assert!(refused(&mut events).await.contains("refused by the peer: the peer may not join"));
    assert_eq!(b.server.refusals().of(RefusalCause::Forbidden), 1);
    settle().await;
    assert_eq!((a.peers(), b.peers(), a.server.tasks(), b.server.tasks()), (vec![], vec![], 1, 1));
    assert_eq!(b.server.find::<Count>("till").unwrap_err(), FindError::NotFound);
}

async fn rights_are_replaced_while_the_node_runs(network: Network) {
    let (a, b) = (node(&network, 1).await, node(&network, 2).await);
    b.publish("till", Start::default()).await;
    let session = a.connect(&b).await;
    let till = a.find("till");
    assert_eq!(till.call(Count::Get).await, Ok(0), "without rights everything is allowed");
    let may_join = || Allow::nothing().join();
    let named = || Actors::published(Labels::name("till"));
    let forbidden = CallFailure::Rejected(Rejection::Forbidden);
    b.server.set_authorize(Rights::new().everyone(may_join()));
    assert_eq!(failure(till.call(Count::Get).await), forbidden);
    b.server.set_authorize(Rights::new().everyone(may_join().call(named())));
    assert_eq!(till.call(Count::Get).await, Ok(0));
    // What it is published under now is what counts.
    let counter = b.find("till");
    b.server.join_group("tills", &counter).unwrap();
    assert_eq!(till.call(Count::Get).await, Ok(0));
    b.server.unpublish("till", &counter);
    assert_eq!(failure(till.call(Count::Get).await), forbidden);
    b.server.publish("till", &counter).unwrap();
    assert_eq!(till.call(Count::Get).await, Ok(0));
    b.server.set_authorize(actor_cluster::AllowPublished);
    till.cast(Count::Add(1)).unwrap();
    assert_eq!(till.call(Count::Get).await, Ok(1));
    assert!(session.is_ready(), "one session, all the time");
}

async fn who_may_join_no_more_has_its_session_ended(network: Network) {
    let [a, b, c] = [node(&network, 1).await, node(&network, 2).await, node(&network, 3).await];
    let session = a.connect(&b).await;
    c.connect(&b).await;
    b.publish("till", Start::default()).await;
    settle().await;
    let mut events = [b.server.subscribe(), c.server.subscribe()];
    b.server.set_authorize(only(1));
    for events in &mut events {
        disconnected_by(events, CloseCode::Refused).await;
    }
    settle().await;
    assert_eq!((b.peers(), c.peers()), (vec![id(1)], vec![]));
    assert!(session.is_ready() && a.find("till").call(Count::Get).await.is_ok());
    let error = c.server.connect(&b.address()).await.unwrap_err();
    assert_eq!(handshake(&error), &HandshakeError::Refused(Box::new(HandshakeError::Forbidden)));
    b.server.set_authorize(Rights::new().nodes([id(1), id(3)], Allow::everything()));
    c.connect(&b).await;
}

async fn what_may_be_published_no_more_is_found_no_more(network: Network) {
    let (a, b) = (node(&network, 1).await, node(&network, 2).await);
    a.connect(&b).await;
    let till = a.publish("till", Start::default()).await;
    a.server.groups().scope("shop").join("tills", &till).unwrap();
    settle().await;
    let found = || {
        let members = b.server.groups().scope("shop").members::<Count>("tills").len();
        (b.server.find::<Count>("till").is_ok(), members)
    };
    assert_eq!(found(), (true, 1));
    let mut events = b.server.subscribe();
    let names = Allow::everything;
    b.server.set_authorize(Rights::new().everyone(names()));
    assert_eq!(found(), (true, 1));
    b.server.set_authorize(Rights::new().everyone(Allow::nothing().join().publish(Labels::name("till"))));
    assert_eq!(found(), (true, 0));
    assert!(matches!(events.next().await, Some(NodeEvent::Published(peer)) if peer.node == id(1)));
    assert_eq!(b.server.denials().total(), 0, "nobody has tried anything");
    // What it takes back is its own.
    a.server.groups().scope("shop").leave("tills", &till);
    a.server.unpublish("till", &till);
    settle().await;
    assert_eq!(found(), (false, 0));
    a.server.groups().scope("shop").join("tills", &till).unwrap();
    settle().await;
    assert_eq!((found(), b.server.denials().of(Operation::Publish)), ((false, 0), 1));
}

async fn denials_are_counted_and_told_once_in_a_while(network: Network) {
    let [known, ..] = Known::all();
    let rights = Rights::new().everyone(Allow::nothing().join());
    let mut trial = Trial::of(&network, [1, 2], &known, rights).await;
    let told = async |events: &mut Events| match next(events).await {
        NodeEvent::Forbidden { operation, count, .. } => (operation, count),
        other => panic!("{other:?}"),
    };
    for _ in 0..1000 {
        trial.remote.send(Count::Add(1)).await.unwrap();
    }
    settle().await;
    trial.remote.kill();
    settle().await;
    let denials = trial.there.server.denials();
    assert_eq!((denials.of(Operation::Cast), denials.of(Operation::Kill), denials.total()), (1000, 1, 1001));
    pass(FORBIDDEN_INTERVAL).await;
    trial.remote.cast(Count::Add(1)).unwrap();
    assert_eq!(told(&mut trial.events).await, (Operation::Cast, 1));
    assert_eq!(told(&mut trial.events).await, (Operation::Kill, 1));
    assert_eq!(told(&mut trial.events).await, (Operation::Cast, 1000), "999 were not told, and this one is");
    assert_eq!(trial.there.server.denials().of(Operation::Cast), 1001);
}

const SECRET: &str = "a secret of this test's";

/// Two nodes of which the streams between them prove nothing but the secret.
async fn connect_unproven(here: &TestNode, there: &TestNode) -> [Result<(), ConnectError>; 2] {
    let (near, far) = pipe_between(PeerIdentity::Anonymous, PeerIdentity::Anonymous);
    let both = tokio::join!(here.server.connect_external(near), there.server.attach_external_stream(far));
    [both.0.map(drop), both.1.map(drop)]
}

async fn with_secret(network: &Network, number: u8) -> TestNode {
    node_with(network, number, |builder| builder.secret(SECRET)).await
}

async fn a_stream_that_proves_nothing_has_what_everyone_has(network: Network) {
    let (a, b) = (with_secret(&network, 1).await, with_secret(&network, 2).await);
    b.publish("till", Start::default()).await;
    let everyone = Allow::nothing().join().call(Actors::published(Labels::name("till")));
    b.server.set_authorize(Rights::new().everyone(everyone).node(id(1), Allow::everything()));
    connect_unproven(&a, &b).await.into_iter().for_each(Result::unwrap);
    assert!(!b.server.sessions()[0].peer().is_proven);
    let till = a.find("till");
    till.cast(Count::Add(1)).unwrap();
    assert_eq!(till.call(Count::Get).await, Ok(0), "it says that it is node 1, and could be any");
    assert_eq!(b.server.denials().of(Operation::Cast), 1);
    a.server.sessions()[0].close("once more");
    settle().await;
    a.connect(&b).await;
    assert!(b.server.sessions()[0].peer().is_proven);
    till.cast(Count::Add(1)).unwrap();
    assert_eq!(till.call(Count::Get).await, Ok(1));

    b.server.set_authorize(only(1));
    a.server.sessions()[0].close("and once more");
    settle().await;
    let [ours, theirs] = connect_unproven(&a, &b).await.map(Result::unwrap_err);
    assert_eq!(handshake(&ours), &HandshakeError::Refused(Box::new(HandshakeError::Forbidden)));
    assert_eq!(handshake(&theirs), &HandshakeError::Forbidden);
}

async fn a_stream_that_proves_nothing_neither_joins_nor_displaces_a_session(network: Network) {
    let (a, b) = (with_secret(&network, 1).await, with_secret(&network, 2).await);
    let session = a.connect(&b).await;
    // Somebody who knows the secret says to be node 1: in the same life, which the node itself tries here, and in a later one.
    let later = system_after(&a.system);
    let builder = NodeServer::builder(id(1)).system(later.clone()).secret(SECRET);
    let thief = TestNode { system: later, server: builder.start().await.unwrap() };
    for claimant in [&a, &thief] {
        let [ours, theirs] = connect_unproven(claimant, &b).await.map(Result::unwrap_err);
        assert!(matches!(handshake(&ours), HandshakeError::Unproven | HandshakeError::Refused(_)), "{ours}");
        let told = handshake(&theirs);
        let says = HandshakeError::Refused(Box::new(HandshakeError::Unproven));
        assert!(*told == HandshakeError::Unproven || *told == says, "{theirs}");
        assert!(theirs.to_string().contains("let it dial with the transport that proves it"), "{theirs}");
    }
    assert_eq!(b.server.refusals().of(RefusalCause::Identity), 2);
    assert!(session.is_ready());
    // It may come where there is no such session; the node itself takes the place back, though its life be the former one.
    session.close("for now");
    settle().await;
    connect_unproven(&thief, &b).await.into_iter().for_each(Result::unwrap);
    let mut events = thief.server.subscribe();
    a.connect(&b).await;
    assert!(b.server.sessions()[0].peer().is_proven);
    disconnected_by(&mut events, CloseCode::Lost).await;
    assert_eq!(b.peers(), [id(1)]);
}

async fn anothers_name_gives_nothing(network: Network) {
    let (b, system) = (node(&network, 2).await, ActorSystem::on(Executor::tokio()));
    b.publish("till", Start::default()).await;
    b.server.set_authorize(only(1));
    // Node 3, called as node 1 is.
    let named = |builder: NodeBuilder| builder.name("node-1");
    let c = TestNode { server: named(builder(&network, 3, &system)).start().await.unwrap(), system };
    let error = c.server.connect(&b.address()).await.unwrap_err();
    assert_eq!(handshake(&error), &HandshakeError::Refused(Box::new(HandshakeError::Forbidden)));
    let a = node_on(&network, 1, &ActorSystem::on(Executor::tokio())).await;
    a.connect(&b).await;
}

/// Allows everything, and puts others in its own place while it is asked for the so manieth time: after it was decided by the
/// former ones, and before it is done.
#[derive(Default)]
struct Fickle {
    server: Arc<OnceLock<Arc<NodeServer>>>,
    asked: AtomicUsize,
    /// Which time it is.
    joining: usize,
    publishing: usize,
}

impl Fickle {
    fn count(&self, time: usize, next: Rights) {
        if self.asked.fetch_add(1, Ordering::Relaxed) + 1 == time {
            self.server.get().unwrap().set_authorize(next);
        }
    }
}

impl Authorize for Fickle {
    fn is_allowed(&self, _: &PeerInfo, _: Operation, _: Subject) -> bool {
        if self.publishing > 0 {
            self.count(self.publishing, Rights::new().everyone(Allow::nothing().join()));
        }
        true
    }

    fn may_join(&self, _: &PeerInfo) -> bool {
        if self.joining > 0 {
            self.count(self.joining, Rights::new());
        }
        true
    }
}

async fn fickle(network: &Network, number: u8, hook: Fickle) -> Arc<NodeServer> {
    let system = ActorSystem::on(Executor::tokio());
    let place = hook.server.clone();
    let server = Arc::new(builder(network, number, &system).authorize(hook).start().await.unwrap());
    assert!(place.set(server.clone()).is_ok());
    server
}

async fn rights_that_are_replaced_while_they_are_asked_hold(network: Network) {
    let a = node(&network, 1).await;
    a.publish("till", Start::default()).await;
    // At the hello, at the proof, and when the session begins.
    for (number, joining) in [(2, 1), (3, 2), (4, 3)] {
        let b = fickle(&network, number, Fickle { joining, ..Fickle::default() }).await;
        let error = a.server.connect(&b.addresses()[0]).await.unwrap_err();
        let forbidden = HandshakeError::Refused(Box::new(HandshakeError::Forbidden));
        assert_eq!(handshake(&error), &forbidden, "{joining}");
        settle().await;
        assert_eq!((b.sessions().len(), a.peers()), (0, vec![]), "{joining}");
    }
    let b = fickle(&network, 5, Fickle { publishing: 1, ..Fickle::default() }).await;
    a.server.connect(&b.addresses()[0]).await.unwrap();
    settle().await;
    assert_eq!(b.find::<Count>("till").unwrap_err(), FindError::NotFound);
    assert_eq!(b.denials().of(Operation::Publish), 1);
}
