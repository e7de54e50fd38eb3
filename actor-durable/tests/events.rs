//! Actors whose events are kept: the state is what they come to.

use std::time::Duration;

use actor_core::ActorError;
use actor_durable::store::{Entry, Recovery, Store};
use actor_durable::{
    ActivationError, AskError, CodecError, Decision, Durable, DurableId, DurableRef, DurableSystem,
    EventSourced, MemoryStore, NoError, NotApplied, Sequence, Turn, decode,
};
use actor_testkit::Simulation;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::stage::{Tap, Tapped};

/// A list of words, written by the first release.
#[derive(Clone, Default)]
struct Words<const RELEASE: u32> {
    checkpoints: Arc<AtomicU32>,
}

#[derive(Debug, Serialize, Deserialize)]
enum Event {
    Said(String, u32),
}

/// As the first release wrote it.
#[derive(Debug, Serialize, Deserialize)]
enum EventV1 {
    Said(String),
}

#[derive(Serialize, Deserialize)]
enum Command {
    Say(String),
    Panic,
    Count,
    /// Takes itself for one that only looks, and says a word.
    Slip(String),
}

impl<const RELEASE: u32> Durable for Words<RELEASE> {
    const TYPE: &'static str = "words";
    const JOURNAL_KEPT: u64 = 10;
    type State = Vec<(String, u32)>;
    type Command = Command;
    type Reply = usize;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> Self::State {
        Vec::new()
    }

    fn is_query(command: &Command) -> bool {
        matches!(command, Command::Slip(_))
    }

    fn on_checkpoint(&self, _: &DurableId, _: &Self::State) {
        self.checkpoints.fetch_add(1, Ordering::Relaxed);
    }
}

impl<const RELEASE: u32> EventSourced for Words<RELEASE> {
    type Event = Event;
    const EVENT_VERSION: u32 = RELEASE;
    const SNAPSHOT_EVERY: u64 = 20;
    const SNAPSHOT_BYTES: usize = 10_000;

    async fn on_start(&self, _: &Self::State, _: &mut Turn<'_, Self>) -> Result<Vec<Event>, ActorError> {
        Ok(vec![Event::Said("hello".into(), 0)])
    }

    async fn decide(
        &self,
        command: Command,
        state: &Self::State,
        _: &mut Turn<'_, Self>,
    ) -> Result<Decision<Event, usize>, NoError> {
        match command {
            Command::Say(word) | Command::Slip(word) => {
                Ok(Decision::reply(state.len() + 1).event(Event::Said(word, 1)))
            }
            Command::Panic => panic!("so it was asked"),
            Command::Count => Ok(Decision::reply(state.len())),
        }
    }

    fn apply(&self, state: &mut Self::State, Event::Said(word, loudness): &Event) {
        state.push((word.clone(), *loudness));
    }

    fn upcast_event(version: u32, bytes: &[u8]) -> Result<Event, CodecError> {
        match version {
            7 if RELEASE == 8 => {
                let EventV1::Said(word) = decode("an event", 7, bytes)?;
                Ok(Event::Said(word, 0))
            }
            found => Err(CodecError::UnknownVersion { what: "an event", found, known: RELEASE }),
        }
    }
}

fn run<const RELEASE: u32, R>(
    simulation: &mut Simulation,
    store: &MemoryStore,
    words: Words<RELEASE>,
    body: impl AsyncFnOnce(DurableRef<Words<RELEASE>>) -> R,
) -> R {
    let builder = DurableSystem::builder(&simulation.system(), Arc::new(store.clone()));
    simulation.block_on(async {
        let system = builder.register_event_sourced(words).start().await.expect("the store gives a lease");
        let result = body(system.actor("w").expect("a good id")).await;
        system.shutdown(Duration::from_secs(60)).await.expect("the store takes the lease back");
        result
    })
}

fn world() -> (Simulation, MemoryStore) {
    let simulation = Simulation::seeded(3);
    let store = MemoryStore::on(simulation.executor());
    (simulation, store)
}

#[test]
fn d05_d23_the_journal_is_bounded_and_the_state_is_what_all_events_come_to() {
    let (mut simulation, store) = world();
    let words = Words::<8>::default();
    for round in 0..10 {
        run(&mut simulation, &store, words.clone(), async |actor| {
            for n in 0..17 {
                let count = 1 + round * 17 + n;
                assert_eq!(actor.call(Command::Count).await.ok(), Some(count));
                assert_eq!(actor.call(Command::Say(format!("{count}"))).await.ok(), Some(count + 1));
            }
        });
    }
    simulation.block_on(async {
        let id = DurableId::new("w").expect("a good id");
        let head = store.head(&id).await.expect("it is in memory").expect("it is there");
        // The first turn, and 170 that said something and 170 that only counted.
        assert_eq!(head.sequence, Sequence(341));
        let snapshot = head.snapshot.expect("there were events enough");
        assert_eq!(head.trimmed, Sequence(snapshot.0 - 10), "so many are kept behind the state");
        assert!(head.sequence.0 - snapshot.0 < 40, "{head:?}");
    });
    assert_eq!(words.checkpoints.load(Ordering::Relaxed), 17, "one for each 20 of 341 turns");
}

#[test]
fn d05_the_journal_is_bounded_though_nothing_happens() {
    let (mut simulation, store) = world();
    let words = Words::<8>::default();
    run(&mut simulation, &store, words, async |actor| {
        for _ in 0..100 {
            assert_eq!(actor.call(Command::Count).await.ok(), Some(1));
            let head = store.head(actor.id()).await.expect("it is in memory").expect("it is there");
            assert!(head.sequence.0 - head.trimmed.0 <= 30, "20 turns, and 10 that are kept: {head:?}");
        }
    });
}

#[test]
fn the_state_is_stored_beside_events_that_are_many_bytes_however_few_they_are() {
    let (mut simulation, store) = world();
    run(&mut simulation, &store, Words::<8>::default(), async |actor| {
        let snapshot =
            async || store.head(actor.id()).await.expect("it is in memory").expect("it is there").snapshot;
        // With the first turn's a little less than is allowed.
        let almost = Words::<8>::SNAPSHOT_BYTES - 100;
        actor.call(Command::Say("x".repeat(almost))).await.expect("it is stored");
        assert_eq!(snapshot().await, None);
        actor.call(Command::Say("x".repeat(100))).await.expect("it is stored");
        assert_eq!(snapshot().await, Some(Sequence(3)));
        actor.call(Command::Say("x".repeat(100))).await.expect("it is stored");
        assert_eq!(snapshot().await, Some(Sequence(3)), "it begins anew");
    });
}

#[test]
fn the_events_of_a_command_that_is_only_to_look_are_stored_all_the_same() {
    let (mut simulation, store) = world();
    run(&mut simulation, &store, Words::<8>::default(), async |actor| {
        assert_eq!(actor.call(Command::Slip("oh".into())).await.ok(), Some(2));
    });
    run(&mut simulation, &store, Words::<8>::default(), async |actor| {
        assert_eq!(actor.call(Command::Count).await.ok(), Some(2));
    });
}

/// What a store does not give.
#[derive(Clone, Copy, Debug)]
enum Missing {
    State,
    /// There is one of a former turn.
    LastState,
    Entries,
    Entry,
}

impl Tap for Missing {
    fn recovery(&self, recovery: Recovery) -> Recovery {
        let mut snapshot = recovery.snapshot.filter(|_| !matches!(self, Self::State));
        if let (Some(snapshot), Self::LastState) = (&mut snapshot, self) {
            snapshot.sequence = Sequence(snapshot.sequence.0 / 2);
        }
        Recovery { snapshot, ..recovery }
    }

    fn entries(&self, mut entries: Vec<Entry>) -> Vec<Entry> {
        match self {
            Self::State | Self::LastState => {}
            Self::Entries => entries.clear(),
            Self::Entry => drop(entries.remove(1)),
        }
        entries
    }
}

#[test]
fn what_a_store_does_not_give_is_inconsistent_and_not_left_out() {
    let (mut simulation, store) = world();
    run(&mut simulation, &store, Words::<8>::default(), async |actor| {
        for number in 0..45 {
            actor.call(Command::Say(number.to_string())).await.expect("it is stored");
        }
    });
    let all = [Missing::State, Missing::LastState, Missing::Entries, Missing::Entry];
    let said = all.map(|missing| {
        let store = Arc::new(Tapped::new(Arc::new(store.clone()), missing));
        let builder = DurableSystem::builder(&simulation.system(), store);
        simulation.block_on(async {
            let system = builder.register_event_sourced(Words::<8>::default()).start().await;
            let system = system.expect("the store gives a lease");
            let words: DurableRef<Words<8>> = system.actor("w").expect("a good id");
            let refused = words.call(Command::Count).await;
            system.shutdown(Duration::from_secs(60)).await.expect("the store takes the lease back");
            match refused {
                Err(AskError::NotApplied(NotApplied::NotActivated(ActivationError::Inconsistent(why)))) => {
                    why
                }
                refused => panic!("{missing:?}: {refused:?}"),
            }
        })
    });
    let expected = [
        "the journal begins after 30 and there is no state",
        "the journal begins after 30, and the state is of 20",
        "the journal ends at 39, not at 46",
        "entry 42 follows entry 40",
    ];
    assert_eq!(said, expected);
    run(&mut simulation, &store, Words::<8>::default(), async |actor| {
        assert_eq!(actor.call(Command::Count).await.ok(), Some(46), "nothing was written over");
    });
}

#[test]
fn events_of_an_older_release_are_read_and_those_of_a_later_one_refused_by_name() {
    let (mut simulation, store) = world();
    simulation.block_on(async {
        // What the first release left.
        use actor_durable::store::*;
        use actor_durable::{ActorType, OwnerId, Target, WallTime};
        let owner = OwnerId::new(1);
        store.renew(owner, Duration::from_secs(1)).await.expect("it is in memory");
        let target = Target {
            id: DurableId::new("w").expect("a good id"),
            actor_type: ActorType::new("words").expect("a good name"),
        };
        let claim =
            Claim { target: target.clone(), owner, epoch_min: Default::default(), mode: ClaimMode::IfFree };
        let head = store.acquire(claim).await.expect("nobody has it");
        let mut commit = TurnCommit::new(target.id.clone(), head.epoch, head.sequence);
        let bytes = postcard::to_stdvec(&EventV1::Said("old".into())).expect("it has a form").into();
        commit.entries.push(Entry {
            sequence: head.sequence.next(),
            at: WallTime::ZERO,
            cause: Cause::Spawned,
            has_changed: true,
            events: vec![Body { version: 7, bytes }],
            sent: Vec::new(),
        });
        store.commit_turn(commit).await.expect("it is ours");
        store.release(&target.id, head.epoch).await.expect("it is ours");
    });
    let count = run(&mut simulation, &store, Words::<8>::default(), async |actor| {
        actor.call(Command::Say("new".into())).await.ok()
    });
    assert_eq!(count, Some(2));
    let refused = run(&mut simulation, &store, Words::<6>::default(), async |actor| {
        actor.call(Command::Count).await.err()
    });
    let Some(AskError::NotApplied(NotApplied::NotActivated(error))) = refused else { panic!("{refused:?}") };
    assert!(matches!(
        error,
        ActivationError::Codec { form: CodecError::UnknownVersion { found: 7, .. }, .. }
    ));
    assert_eq!(
        error.to_string(),
        "an event of words w in entry 1: an event of version 7; this program knows version 6 and those it can convert into it"
    );
}

#[test]
fn a_panic_while_deciding_leaves_what_was_decided_before() {
    let (mut simulation, store) = world();
    run(&mut simulation, &store, Words::<8>::default(), async |actor| {
        actor.call(Command::Say("one".into())).await.expect("it is stored");
        let panicked = actor.call(Command::Panic).await;
        assert!(matches!(panicked, Err(AskError::NotApplied(NotApplied::Panicked(_)))), "{panicked:?}");
        assert_eq!(actor.call(Command::Say("two".into())).await.ok(), Some(3));
    });
}
