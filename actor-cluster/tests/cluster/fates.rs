//! What becomes of messages that no actor handles: each is told of once on either side, with its reason.

use std::sync::Arc;
use std::time::Duration;

use actor_cluster::{NodeBuilder, NodeServer, Operation, PeerInfo, Subject};
use actor_core::{
    ActorId, ActorRef, ActorSystem, DeadLetter, DeadReason, Direction, Event, Executor, Overflow, Recorder,
    SpawnOptions,
};

use super::Network;
use super::support::actors::{Trap, Trapped, Trapper};
use super::support::{Count, Start, TestNode, builder, on_every_shape, pass, remote_counter, settle};

const HOUR: Duration = Duration::from_secs(3600);

/// Two nodes with a session, who want to know, and what each was told.
struct Watched {
    nodes: [TestNode; 2],
    heard: [Recorder; 2],
}

/// What a dead letter says, but for the texts.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    to: ActorId,
    direction: Option<Direction>,
    variant: Option<String>,
    reason: DeadReason,
    count: u64,
}

/// A node, and what the observer of its system hears.
async fn watched_node(
    network: &Network,
    number: u8,
    settings: impl FnOnce(NodeBuilder) -> NodeBuilder,
) -> (TestNode, Recorder) {
    let recorder = Recorder::default();
    let system = ActorSystem::builder().executor(Executor::tokio()).observer(recorder.clone()).build();
    let server: NodeServer = settings(builder(network, number, &system)).start().await.unwrap();
    (TestNode { system, server }, recorder)
}

impl Watched {
    async fn new(network: &Network) -> Self {
        Self::with(network, |builder| builder).await
    }

    /// The second node has settings of the test's.
    async fn with(network: &Network, settings: impl FnOnce(NodeBuilder) -> NodeBuilder) -> Self {
        let (a, a_heard) = watched_node(network, 1, NodeBuilder::ask_for_dead_letters).await;
        let (b, b_heard) = watched_node(network, 2, |builder| settings(builder.ask_for_dead_letters())).await;
        a.connect(&b).await;
        Self { nodes: [a, b], heard: [a_heard, b_heard] }
    }

    /// A counter of the second node's, and its address at the first.
    async fn counter(&self, start: Start) -> (ActorRef<Count>, ActorRef<Count>) {
        let [a, b] = &self.nodes;
        remote_counter(a, b, start).await
    }

    /// A counter that has one cast in hand, two in its mailbox, and five that wait for room.
    async fn stalled(&self) -> ActorRef<Count> {
        let (counter, remote) = self.counter(Start::narrow(2)).await;
        remote.cast(Count::Add(0)).unwrap();
        settle().await;
        cast(&remote, 2 + 5);
        settle().await;
        counter
    }

    fn letters(&self, of: usize) -> Vec<DeadLetter> {
        let events = self.heard[of].take().into_iter();
        let letters = events.filter_map(|event| match event {
            Event::DeadLetter(letter) => Some(letter),
            _ => None,
        });
        letters.collect()
    }

    fn told(&self, of: usize) -> Vec<Told> {
        self.letters(of).into_iter().map(told).collect()
    }

    /// What both sides say of so many casts: one for one where they died, all at once where they came from.
    async fn assert_told(&self, to: ActorId, reason: DeadReason, count: usize) {
        pass(Duration::from_secs(1)).await;
        assert_eq!(self.told(1), vec![adds(to, Direction::Inbound, reason, 1); count]);
        assert_eq!(self.told(0), [adds(to, Direction::Outbound, reason, count as u64)]);
    }
}

fn told(letter: DeadLetter) -> Told {
    let passage = letter.passage;
    Told {
        to: letter.to,
        direction: passage.as_ref().map(|passage| passage.direction),
        variant: passage.and_then(|passage| passage.variant.as_deref().map(str::to_owned)),
        reason: letter.reason,
        count: letter.count,
    }
}

/// Casts that died between the nodes.
fn adds(to: ActorId, direction: Direction, reason: DeadReason, count: u64) -> Told {
    Told { to, direction: Some(direction), variant: Some("Add".to_owned()), reason, count }
}

fn cast(actor: &ActorRef<Count>, casts: u64) {
    (0..casts).for_each(|number| actor.cast(Count::Add(number)).unwrap());
}

on_every_shape! {
    a_cast_to_an_actor_that_is_gone_is_told_on_both_sides
    a_cast_that_is_forbidden_is_told_on_both_sides
    a_cast_that_cannot_be_decoded_is_told_on_both_sides_with_why
    a_cast_that_the_mailbox_refuses_is_told_on_both_sides
    casts_whose_actor_ends_while_they_wait_for_room_are_told_on_both_sides
    casts_that_wait_for_room_when_the_session_ends_are_told_where_they_wait
    casts_that_are_lost_with_a_session_are_told_at_their_sender
    calls_are_answered_and_are_no_dead_letters
    who_does_not_ask_is_not_told
    a_flood_is_counted_exactly
}

async fn a_cast_to_an_actor_that_is_gone_is_told_on_both_sides(network: Network) {
    let watched = Watched::new(&network).await;
    let (counter, remote) = watched.counter(Start::default()).await;
    counter.stop_and_wait(None, None).await.unwrap();
    settle().await;
    cast(&remote, 5);
    watched.assert_told(counter.id(), DeadReason::NoSuchActor, 5).await;
    let letters = {
        cast(&remote, 1);
        pass(Duration::from_secs(1)).await;
        [watched.letters(0), watched.letters(1)].concat()
    };
    let names: Vec<&str> = letters.iter().map(|letter| &*letter.message).collect();
    assert_eq!(names, [std::any::type_name::<Count>(); 2]);
    let peers: Vec<Arc<str>> = letters.into_iter().map(|letter| letter.passage.unwrap().peer).collect();
    assert_eq!(peers, [1, 0].map(|node| Arc::from(watched.nodes[node].id().to_string())));
}

async fn a_cast_that_is_forbidden_is_told_on_both_sides(network: Network) {
    let is_allowed = |_: &PeerInfo, operation: Operation, _: Subject| operation != Operation::Cast;
    let watched = Watched::with(&network, |builder| builder.authorize(is_allowed)).await;
    let (counter, remote) = watched.counter(Start::default()).await;
    cast(&remote, 3);
    watched.assert_told(counter.id(), DeadReason::Forbidden, 3).await;
}

async fn a_cast_that_cannot_be_decoded_is_told_on_both_sides_with_why(network: Network) {
    let watched = Watched::new(&network).await;
    let [a, b] = &watched.nodes;
    let trapper = b.system.spawn(Trapper, (), SpawnOptions::new()).await.unwrap();
    b.server.publish("trapper", &trapper).unwrap();
    settle().await;
    let remote: ActorRef<Trapped> = a.server.find("trapper").unwrap();
    remote.cast(Trapped::Set(Trap::UNREADABLE)).unwrap();
    remote.cast(Trapped::Set(Trap::FINE)).unwrap();
    remote.cast(Trapped::Set(Trap::PANICS_WHEN_READ)).unwrap();
    pass(Duration::from_secs(1)).await;
    let [there, here] = [watched.letters(1), watched.letters(0)];
    let details = |letters: &[DeadLetter]| -> Vec<String> {
        letters
            .iter()
            .map(|letter| letter.passage.as_ref().unwrap().detail.as_deref().unwrap().to_owned())
            .collect()
    };
    assert_eq!((there.len(), here.len(), here[0].count), (2, 1, 2));
    assert!(details(&there)[0].contains("a trap"), "{there:?}");
    assert!(details(&there)[1].contains("its decoder panicked"), "{there:?}");
    assert_eq!(details(&here)[0], details(&there)[0], "the first");
    let all = [there, here].concat();
    assert!(all.iter().all(|letter| letter.reason == DeadReason::Undecodable && letter.to == trapper.id()));
}

async fn a_cast_that_the_mailbox_refuses_is_told_on_both_sides(network: Network) {
    let watched = Watched::new(&network).await;
    let start = Start { overflow: Overflow::Reject, ..Start::narrow(2) };
    let (counter, remote) = watched.counter(start.clone()).await;
    // One is in hand, two are in the mailbox.
    remote.cast(Count::Add(0)).unwrap();
    settle().await;
    cast(&remote, 2 + 4);
    watched.assert_told(counter.id(), DeadReason::Dropped, 4).await;
    start.gate.open();
    settle().await;
    assert_eq!(start.added(), [0, 0, 1]);
}

/// Those in its line are told to both sides; those in its mailbox are the actor's, and told where it is.
async fn casts_whose_actor_ends_while_they_wait_for_room_are_told_on_both_sides(network: Network) {
    let watched = Watched::new(&network).await;
    let counter = watched.stalled().await;
    counter.kill_and_wait(None).await.unwrap();
    pass(Duration::from_secs(1)).await;
    let mut there = watched.told(1);
    let in_mailbox: Vec<Told> = there.extract_if(.., |told| told.direction.is_none()).collect();
    let stopped =
        Told { to: counter.id(), direction: None, variant: None, reason: DeadReason::Stopped, count: 1 };
    assert_eq!(in_mailbox, vec![stopped; 2]);
    // The first in the line finds the mailbox closed, the others perhaps nobody at all.
    assert_eq!(there.len(), 5, "{there:?}");
    let here = watched.told(0);
    assert_eq!(here.iter().map(|told| told.count).sum::<u64>(), 5, "{here:?}");
    for told in &here {
        assert!(matches!(told.reason, DeadReason::Stopped | DeadReason::NoSuchActor));
        let alike = there.iter().filter(|letter| letter.reason == told.reason).count();
        assert_eq!(alike as u64, told.count, "both sides say the same");
    }
}

async fn casts_that_wait_for_room_when_the_session_ends_are_told_where_they_wait(network: Network) {
    let watched = Watched::new(&network).await;
    let counter = watched.stalled().await;
    for session in watched.nodes[0].server.sessions() {
        session.close("enough");
    }
    pass(HOUR).await;
    let dead = adds(counter.id(), Direction::Inbound, DeadReason::SessionEnded, 1);
    assert_eq!(watched.told(1), vec![dead; 5]);
    // Its node has ended the session itself.
    assert_eq!(watched.told(0), []);
}

async fn casts_that_are_lost_with_a_session_are_told_at_their_sender(network: Network) {
    let watched = Watched::new(&network).await;
    let (counter, remote) = watched.counter(Start::default()).await;
    cast(&remote, 2);
    // They are there, and acknowledged.
    pass(Duration::from_secs(3)).await;
    network.silence();
    cast(&remote, 4);
    pass(Duration::from_secs(60)).await;
    let dead = adds(counter.id(), Direction::Outbound, DeadReason::Unacknowledged, 4);
    assert_eq!((watched.told(0), watched.told(1)), (vec![dead], vec![]));
}

async fn calls_are_answered_and_are_no_dead_letters(network: Network) {
    let watched = Watched::new(&network).await;
    let (counter, remote) = watched.counter(Start::default()).await;
    counter.stop_and_wait(None, None).await.unwrap();
    settle().await;
    let failure = remote.call(Count::Get).await.unwrap_err();
    assert!(failure.never_ran());
    pass(Duration::from_secs(1)).await;
    assert_eq!((watched.told(0), watched.told(1)), (vec![], vec![]));
}

async fn who_does_not_ask_is_not_told(network: Network) {
    let (a, a_heard) = watched_node(&network, 1, |builder| builder).await;
    let (b, b_heard) = watched_node(&network, 2, NodeBuilder::ask_for_dead_letters).await;
    a.connect(&b).await;
    let watched = Watched { nodes: [a, b], heard: [a_heard, b_heard] };
    let (counter, remote) = watched.counter(Start::default()).await;
    counter.stop_and_wait(None, None).await.unwrap();
    settle().await;
    cast(&remote, 3);
    pass(Duration::from_secs(1)).await;
    assert_eq!((watched.told(0), watched.told(1).len()), (vec![], 3));
}

/// Of many kinds at once, while the session goes on.
async fn a_flood_is_counted_exactly(network: Network) {
    let watched = Watched::new(&network).await;
    let [a, b] = &watched.nodes;
    let living = b.publish("living", Start::default()).await;
    let mut dead = Vec::new();
    for number in 0..1000 {
        dead.push(b.publish(&format!("counter-{number}"), Start::default()).await);
    }
    settle().await;
    let remotes: Vec<_> = (0..1000).map(|number| a.find(&format!("counter-{number}"))).collect();
    let living_remote = a.find("living");
    for counter in dead {
        counter.stop_and_wait(None, None).await.unwrap();
    }
    settle().await;
    let casts = 20_000_u64;
    for number in 0..casts {
        let remote = &remotes[usize::try_from(number).unwrap() * 7 % remotes.len()];
        remote.send(Count::Add(number)).await.unwrap();
        if number % 100 == 0 {
            living_remote.call(Count::Get).await.unwrap();
        }
    }
    pass(Duration::from_secs(2)).await;
    let [here, there] = [watched.told(0), watched.told(1)];
    assert_eq!(here.iter().map(|told| told.count).sum::<u64>(), casts);
    assert_eq!(there.len() as u64, casts);
    assert!(here.iter().all(|told| told.direction == Some(Direction::Outbound)));
    assert_eq!(living.call(Count::Get).await.unwrap(), 0);
}
