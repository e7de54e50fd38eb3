//! What actors make of what is stored and cannot be read, of what is too large to be stored, and of clocks that step back: an
//! error by name, and nothing is skipped, cut off or half done.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actor_core::{ActorError, ActorSystem};
use actor_durable::limits::{
    CLOCK_SKEW_MAX, EVENT_BYTES_MAX, PAYLOAD_BYTES_MAX, REPLY_BYTES_MAX, STATE_BYTES_MAX,
};
use actor_durable::store::{
    Body, Cause, Claim, ClaimMode, Entry, Recovery, Refusal, Snapshot, Store, StoreError, TurnCommit,
};
use actor_durable::testing::WallClock;
use actor_durable::{
    ActivationError, ActorType, AskError, CodecError, Decision, Doubt, Durable, DurableActor, DurableId,
    DurableRef, DurableSystem, EventSourced, MemoryStore, MessageId, NoError, NotApplied, OwnerId, RedbStore,
    Sequence, Target, Turn, WallTime,
};
use actor_testkit::Simulation;
use serde::{Deserialize, Serialize};

use crate::stage::{Command, Tap, Tapped, World, account};

/// A text, as long as it is told.
#[derive(Clone)]
struct Sack;

#[derive(Serialize, Deserialize)]
enum Order {
    /// Holds so many bytes from now on.
    Hold(usize),
    /// Sends so many back.
    Show(usize),
    /// Brings so many along.
    Bring(String),
}

impl Durable for Sack {
    const TYPE: &'static str = "sack";
    const REMEMBERED: usize = 2;
    type State = String;
    type Command = Order;
    type Reply = String;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> String {
        String::new()
    }
}

impl DurableActor for Sack {
    async fn handle(
        &self,
        order: Order,
        held: &mut String,
        _: &mut Turn<'_, Self>,
    ) -> Result<String, NoError> {
        match order {
            Order::Hold(bytes) => {
                *held = "x".repeat(bytes);
                Ok(String::new())
            }
            Order::Show(bytes) => {
                held.push('y');
                Ok("x".repeat(bytes))
            }
            Order::Bring(_) => Ok(String::new()),
        }
    }
}

/// The same, by events.
#[derive(Clone)]
struct Diary;

impl Durable for Diary {
    const TYPE: &'static str = "diary";
    type State = Vec<usize>;
    type Command = usize;
    type Reply = usize;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> Vec<usize> {
        Vec::new()
    }
}

impl EventSourced for Diary {
    type Event = String;

    async fn decide(
        &self,
        bytes: usize,
        written: &Vec<usize>,
        _: &mut Turn<'_, Self>,
    ) -> Result<Decision<String, usize>, NoError> {
        Ok(Decision::reply(written.len() + 1).event("x".repeat(bytes)))
    }

    fn apply(&self, written: &mut Vec<usize>, event: &String) {
        written.push(event.len());
    }
}

fn run<R>(
    simulation: &mut Simulation,
    store: &MemoryStore,
    body: impl AsyncFnOnce(&DurableSystem) -> R,
) -> R {
    let builder = DurableSystem::builder(&simulation.system(), Arc::new(store.clone()));
    simulation.block_on(async {
        let system = builder.register(Sack).register_event_sourced(Diary).start().await;
        let system = system.expect("the store gives a lease");
        let result = body(&system).await;
        system.shutdown(Duration::from_secs(60)).await.expect("the store takes the lease back");
        result
    })
}

fn world() -> (Simulation, MemoryStore) {
    let simulation = Simulation::seeded(5);
    let store = MemoryStore::on(simulation.executor());
    (simulation, store)
}

/// An actor whose one turn left this, by whatever program.
async fn leave(store: &MemoryStore, target: &Target, events: Vec<Body>, state: Option<Body>) {
    let owner = OwnerId::new(1);
    store.renew(owner, Duration::from_secs(1)).await.expect("it is in memory");
    let claim =
        Claim { target: target.clone(), owner, epoch_min: Default::default(), mode: ClaimMode::IfFree };
    let head = store.acquire(claim).await.expect("nobody has it");
    let mut commit = TurnCommit::new(target.id.clone(), head.epoch, head.sequence);
    let (sequence, at, cause) = (Sequence(1), WallTime::ZERO, Cause::Spawned);
    commit.entries.push(Entry { sequence, at, cause, has_changed: true, events, sent: Vec::new() });
    commit.state = state.map(|body| Snapshot { sequence, body });
    store.commit_turn(commit).await.expect("it is ours");
    store.release(&target.id, head.epoch).await.expect("it is ours");
}

fn target(id: &str, actor_type: &str) -> Target {
    Target {
        id: DurableId::new(id).expect("a good id"),
        actor_type: ActorType::new(actor_type).expect("a good name"),
    }
}

/// What a caller of an actor is told that cannot be activated.
fn form(error: Option<AskError<NoError>>) -> String {
    let Some(AskError::NotApplied(NotApplied::NotActivated(error))) = error else { panic!("{error:?}") };
    assert!(
        matches!(&error, ActivationError::Codec { form: CodecError::Undecodable { .. }, .. }),
        "{error:?}"
    );
    error.to_string()
}

#[test]
fn undecodable_events_and_states_are_named_and_neither_skipped_nor_written_over() {
    let (mut simulation, store) = world();
    // A text that is longer than what there is; and one with a byte too many.
    let (short, long) = ([5, b'x'].to_vec(), [1, b'x', 0].to_vec());
    let body = |bytes: &Vec<u8>| Body { version: 1, bytes: bytes.clone().into() };
    let good = body(&[1, b'x'].to_vec());
    let (diary, sack) = (target("d", "diary"), target("s", "sack"));
    simulation.block_on(async {
        leave(&store, &diary, vec![good.clone(), body(&short)], None).await;
        leave(&store, &target("e", "diary"), vec![good, body(&long)], None).await;
        leave(&store, &sack, Vec::new(), Some(body(&short))).await;
    });
    let before = simulation.block_on(async { store.entries(&diary.id, Sequence::ZERO, 9).await });
    run(&mut simulation, &store, async |system| {
        let ask = async |id: &str| {
            let diary: DurableRef<Diary> = system.actor(id).expect("a good id");
            form(diary.call(1).await.err())
        };
        assert_eq!(
            ask("d").await,
            "an event of diary d in entry 1: an event of version 1 cannot be read: \
             Hit the end of buffer, expected more data"
        );
        assert_eq!(
            ask("e").await,
            "an event of diary e in entry 1: an event of version 1 cannot be read: 1 bytes are left over"
        );
        let sack: DurableRef<Sack> = system.actor("s").expect("a good id");
        assert_eq!(
            form(sack.call(Order::Hold(1)).await.err()),
            "the state of sack s at 1: a state of version 1 cannot be read: \
             Hit the end of buffer, expected more data"
        );
    });
    simulation.block_on(async {
        let after = store.entries(&diary.id, Sequence::ZERO, 9).await.expect("it is in memory");
        assert_eq!(after, before.expect("it is in memory"), "nothing is written behind what cannot be read");
        let head = store.head(&sack.id).await.expect("it is in memory").expect("it is there");
        assert_eq!(head.sequence, Sequence(1));
    });
}

fn too_large(error: Option<AskError<NoError>>) -> (&'static str, usize, usize) {
    match error {
        Some(AskError::NotApplied(NotApplied::Store(StoreError::NotApplied(Refusal::TooLarge {
            what,
            size,
            max,
        })))) => (what, size, max),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_too_large_is_refused_by_name_and_the_actor_is_as_it_was() {
    let (mut simulation, store) = world();
    run(&mut simulation, &store, async |system| {
        let sack: DurableRef<Sack> = system.actor("s").expect("a good id");
        let turns = async || {
            let head = store.head(sack.id()).await.expect("it is in memory");
            head.map_or(Sequence::ZERO, |head| head.sequence)
        };
        // A text is its length and its bytes.
        sack.call(Order::Hold(STATE_BYTES_MAX - 10)).await.expect("it is small enough");
        let before = turns().await;
        let refused = sack.call(Order::Hold(STATE_BYTES_MAX)).await.err();
        assert_eq!(too_large(refused), ("a state", STATE_BYTES_MAX + 4, STATE_BYTES_MAX));
        let refused = sack.call(Order::Show(REPLY_BYTES_MAX)).await.err();
        assert_eq!(too_large(refused), ("a reply", REPLY_BYTES_MAX + 4, REPLY_BYTES_MAX));
        // What is sent lies in the store before it is handled.
        let refused = sack.send(Order::Bring("x".repeat(PAYLOAD_BYTES_MAX))).await.err();
        assert_eq!(too_large(refused), ("a payload", PAYLOAD_BYTES_MAX + 4, PAYLOAD_BYTES_MAX));
        assert_eq!(turns().await, before, "none of them is in the journal");
        sack.call(Order::Show(0)).await.expect("it is as it was");
        assert_eq!(turns().await, before.next());

        let diary: DurableRef<Diary> = system.actor("d").expect("a good id");
        assert_eq!(diary.call(1).await.ok(), Some(1));
        let refused = diary.call(EVENT_BYTES_MAX).await.err();
        assert_eq!(too_large(refused), ("an event", EVENT_BYTES_MAX + 3, EVENT_BYTES_MAX));
        assert_eq!(diary.call(1).await.ok(), Some(2));
    });
}

#[tokio::test]
async fn a_clock_that_steps_back_takes_no_turn_back_and_runs_none_twice() {
    const HOUR: Duration = Duration::from_secs(3600);
    let began = WallTime::from_millis(1_800_000_000_000);
    let directory = tempfile::tempdir().expect("a directory");
    let clock = WallClock::at(began);
    for round in 0..2_u64 {
        let options = RedbStore::options().executor(clock.executor());
        let store = Arc::new(options.open(directory.path().join("store.redb")).await.expect("it opens"));
        let system = ActorSystem::builder().executor(clock.executor()).build();
        let system = DurableSystem::builder(&system, store.clone()).register(Sack).start().await;
        let system = system.expect("the store gives a lease");
        let sack: DurableRef<Sack> = system.actor("s").expect("a good id");
        // It remembers two, so the first are forgotten.
        for _ in 0..5 {
            clock.pass(Duration::from_secs(1));
            sack.call(Order::Show(0)).await.expect("it is stored");
        }
        let (id, late) = (sack.new_message_id(), clock.now());
        clock.set(WallTime::from_millis(late.as_millis() - 3_600_000));
        sack.call(Order::Show(0)).await.expect("nobody has chosen its id, so it is new");
        // Nobody knows whether this one was handled among those that are forgotten.
        let refused = sack.call(Order::Show(0)).id(sack.new_message_id()).await.err();
        let Some(AskError::Unknown { why: Doubt::Forgotten(Refusal::TooOld { .. }), .. }) = refused else {
            panic!("{refused:?}")
        };
        // The actor's own time has not gone back: this is no more from the future than it was.
        sack.call(Order::Show(0)).id(id).await.expect("it is new");
        let beyond = late.after(CLOCK_SKEW_MAX + Duration::from_secs(1));
        let refused = sack.call(Order::Show(0)).id(MessageId::new(beyond, 1)).await.err();
        let Some(AskError::NotApplied(NotApplied::Store(StoreError::NotApplied(refusal)))) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(refusal, Refusal::FromTheFuture { id: MessageId::new(beyond, 1), now: late });
        clock.pass(HOUR);
        sack.call(Order::Show(0)).id(id).await.expect("it was handled");
        let entries = store.entries(sack.id(), Sequence::ZERO, 100).await.expect("it reads");
        let times: Vec<_> = entries.iter().map(|entry| entry.at).collect();
        assert!(times.is_sorted(), "{times:?}");
        system.shutdown(HOUR).await.expect("the store takes the lease back");
        let faults = store.verify(|fault| panic!("{fault}")).await.expect("it reads");
        assert_eq!((faults.actors, faults.faults, entries.len() as u64), (1, 0, 8 + 7 * round));
        drop((system, sack, entries));
        Arc::into_inner(store).expect("nobody else has it").close().await;
    }
}

/// Panics as it begins.
struct Brittle;

impl Durable for Brittle {
    const TYPE: &'static str = "brittle";
    type State = u64;
    type Command = ();
    type Reply = u64;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> u64 {
        0
    }

    async fn on_recover(&self, _: &DurableId, _: &mut u64) -> Result<(), ActorError> {
        panic!("it is broken")
    }
}

impl DurableActor for Brittle {
    async fn handle(&self, (): (), n: &mut u64, _: &mut Turn<'_, Self>) -> Result<u64, NoError> {
        Ok(*n)
    }
}

#[test]
fn a_beginning_that_panics_is_told_with_its_text_and_is_not_transient() {
    let (mut simulation, store) = world();
    let system = simulation.system();
    simulation.block_on(async {
        let builder = DurableSystem::builder(&system, Arc::new(store)).register(Brittle);
        let system = builder.start().await.expect("it is in memory");
        let brittle: DurableRef<Brittle> = system.actor("b").expect("a good id");
        let Err(AskError::NotApplied(why)) = brittle.call(()).await else { panic!("it cannot begin") };
        assert!(matches!(&why, NotApplied::NotActivated(ActivationError::Panicked(_))), "{why:?}");
        assert!(why.to_string().ends_with("its beginning has panicked: it is broken"), "{why}");
        assert!(!why.is_transient());
        system.shutdown(Duration::from_secs(1)).await.expect("it is in memory");
    });
}

/// Gives the first state that it has seen of an actor ever after.
#[derive(Debug, Default)]
struct FirstState(Mutex<Option<Snapshot>>);

impl Tap for FirstState {
    fn recovery(&self, recovery: Recovery) -> Recovery {
        let mut first = self.0.lock().expect("nothing panics with it");
        if first.is_none() {
            first.clone_from(&recovery.snapshot);
        }
        Recovery { snapshot: first.clone(), ..recovery }
    }
}

#[test]
fn a_state_that_is_older_than_what_the_journal_says_is_not_taken_for_the_last_one() {
    let mut world = World::new();
    let store = Arc::new(Tapped::new(world.store.clone(), FirstState::default()));
    let (_, system) = world.process_over(store);
    world.simulation.block_on(async {
        let system = system.await;
        let a = account(&system, "a");
        for money in 1..=2 {
            assert_eq!(a.call(Command::Add(1)).await.ok(), Some(money));
            system.passivate(a.id()).await;
        }
        let refused = a.call(Command::Get).await.expect_err("its state is of a former turn").to_string();
        let why =
            "what is stored does not fit together: entry 3 changed the state, and what is stored is of 2";
        assert_eq!(refused, format!("not applied: the actor was not activated: {why}"));
    });
}
