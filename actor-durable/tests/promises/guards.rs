//! What the engine takes care of without anybody's asking: room in the outbox, time that does not go back and clocks that were
//! ahead, reminders that are due soon, and a past that is not what its type says.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actor_core::{ActorError, ActorSystem};
use actor_durable::limits::{OUTBOX_MAX, OUTBOX_RESERVED};
use actor_durable::store::{Arrival, Outgoing, Store};
use actor_durable::testing::WallClock;
use actor_durable::{
    Answer, AskError, CodecError, Durable, DurableActor, DurableBuilder, DurableId, DurableSystem,
    MemoryStore, NotApplied, Outlet, Position, Sequence, Turn, WallTime,
};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{No, Sum, Tap, Tape, head, journal, tape};
use crate::stage::{Account, Command, World, account, pass};

/// Sends more than can wait.
struct Flood;

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Pour {
    Pour(usize),
    Look,
}

impl Durable for Flood {
    const TYPE: &'static str = "flood";
    type State = usize;
    type Command = Pour;
    type Reply = usize;
    type Error = No;

    fn create(&self, _: &DurableId) -> usize {
        0
    }

    fn is_query(command: &Pour) -> bool {
        matches!(command, Pour::Look)
    }
}

impl DurableActor for Flood {
    async fn handle(
        &self,
        command: Pour,
        poured: &mut usize,
        turn: &mut Turn<'_, Self>,
    ) -> Result<usize, No> {
        if let Pour::Pour(count) = command {
            for _ in 0..count {
                turn.effect("sea", None, "drop").expect("a good name");
            }
            *poured += count;
        }
        Ok(*poured)
    }
}

/// Takes nothing while it is shut.
#[derive(Clone)]
struct Sea {
    is_shut: Arc<AtomicBool>,
}

#[async_trait]
impl Outlet for Sea {
    async fn deliver(&self, _: &DurableId, _: &Outgoing) -> Result<(), ActorError> {
        if self.is_shut.load(Ordering::Relaxed) { Err("it is shut".into()) } else { Ok(()) }
    }
}

#[test]
fn an_actor_whose_outbox_is_full_refuses_callers_until_there_is_room() {
    let mut world = World::new();
    let sea = Sea { is_shut: Arc::new(AtomicBool::new(true)) };
    let register = |builder: DurableBuilder| builder.register(Flood).outlet("sea", sea.clone());
    world.run_with(register, async |system| {
        let flood = system.actor::<Flood>("f").expect("a good id");
        assert_eq!(flood.call(Pour::Pour(OUTBOX_MAX - 1)).await.ok(), Some(OUTBOX_MAX - 1));
        assert_eq!(flood.call(Pour::Pour(1)).await.ok(), Some(OUTBOX_MAX), "there is room for it");
        let refused = flood.call(Pour::Pour(1)).await;
        assert!(matches!(refused, Err(AskError::NotApplied(NotApplied::OutboxFull))), "{refused:?}");
        assert_eq!(flood.call(Pour::Look).await.ok(), Some(OUTBOX_MAX), "who only looks is answered");
        sea.is_shut.store(false, Ordering::Relaxed);
        pass(system, Duration::from_secs(60)).await;
        assert_eq!(flood.call(Pour::Pour(1)).await.ok(), Some(OUTBOX_MAX + 1));
        pass(system, Duration::from_secs(1)).await;
        let head = super::seize(system.store(), flood.target()).await;
        let outbox = system.store().load(flood.id(), head.epoch).await.expect("it is seized").outbox;
        assert_eq!(outbox, [], "all of it has left, and is marked");
    });
}

#[test]
fn a_letter_that_waits_for_room_in_the_outbox_is_not_counted_as_begun() {
    let mut world = World::new();
    let sea = Sea { is_shut: Arc::new(AtomicBool::new(true)) };
    let register = |builder: DurableBuilder| builder.register(Flood).outlet("sea", sea.clone());
    // Those after the first know that one has ended without a word, and are careful.
    for process in 0..3 {
        let store = world.store.clone();
        let (crashes, attempts) = world.crash_with(store, register, async |system| {
            let flood = system.actor::<Flood>("f").expect("a good id");
            if process == 0 {
                flood.call(Pour::Pour(OUTBOX_MAX)).await.expect("it is stored");
                // The first has room in what is reserved for letters.
                flood.send(Pour::Pour(OUTBOX_RESERVED)).await.expect("it is stored");
                flood.send(Pour::Pour(1)).await.expect("it is stored");
            }
            pass(system, Duration::from_secs(10)).await;
            let head = head(system.store(), "f").await;
            let letters = system.store().inbox(flood.id(), head.epoch, Position::ZERO, 10).await;
            let letters = letters.expect("it is there");
            (head.crashes, letters.iter().map(|letter| letter.attempts).collect::<Vec<_>>())
        });
        assert_eq!((crashes, attempts), (process, vec![0]));
    }
}

#[tokio::test]
async fn time_does_not_go_back_in_a_journal_though_a_clock_does() {
    let clock = WallClock::at(WallTime::from_millis(1_800_000_000_000));
    let store: Arc<dyn Store> = Arc::new(MemoryStore::on(clock.executor()));
    let began = clock.now();
    for _ in 0..3 {
        let system = ActorSystem::builder().executor(clock.executor()).build();
        let builder = DurableSystem::builder(&system, store.clone()).register(Account::default());
        let system = builder.start().await.expect("the store gives a lease");
        account(&system, "a").call(Command::Add(1)).await.expect("it is stored");
        system.shutdown(Duration::from_secs(60)).await.expect("the store takes the lease back");
        clock.set(WallTime::from_millis(clock.now().as_millis() - 3_600_000));
    }
    let times: Vec<WallTime> = journal(&store, "a").await.iter().map(|entry| entry.at).collect();
    assert_eq!(times, [began; 4], "the first turn, and three more");
}

/// Remembers two messages.
struct Brief;

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Say {
    Nothing,
    /// Sends something to the first, and asks the second.
    To(String, String),
}

impl Durable for Brief {
    const TYPE: &'static str = "brief";
    const REMEMBERED: usize = 2;
    type State = ();
    type Command = Say;
    type Reply = ();
    type Error = No;

    fn create(&self, _: &DurableId) {}

    fn on_answer(_: &Answer<'_>) -> Result<Say, CodecError> {
        Ok(Say::Nothing)
    }
}

impl DurableActor for Brief {
    async fn handle(&self, say: Say, (): &mut (), turn: &mut Turn<'_, Self>) -> Result<(), No> {
        if let Say::To(told, asked) = say {
            turn.send::<Self>(&told, &Say::Nothing).expect("a good id");
            turn.ask::<Self>("q", &asked, &Say::Nothing).expect("a good id");
        }
        Ok(())
    }
}

#[tokio::test]
async fn an_actor_whose_clock_was_ahead_is_sent_to_and_sends_at_once() {
    let clock = WallClock::at(WallTime::from_millis(1_800_000_000_000));
    let store: Arc<dyn Store> = Arc::new(MemoryStore::on(clock.executor()));
    let mut arrivals = store.arrivals();
    let system = ActorSystem::builder().executor(clock.executor()).build();
    let system = DurableSystem::builder(&system, store).register(Brief).start().await;
    let system = system.expect("the store gives a lease");
    let [a, b, c] = ["a", "b", "c"].map(|id| system.actor::<Brief>(id).expect("a good id"));
    a.call(Say::Nothing).await.expect("it is stored");
    let now = clock.now();
    clock.pass(Duration::from_secs(86_400));
    for _ in 0..5 {
        a.call(Say::Nothing).await.expect("it is stored");
    }
    // What it has forgotten is of tomorrow, and so is its last turn.
    clock.set(now);
    a.send(Say::Nothing).await.expect("nobody has chosen its id, so it is new");
    a.call(Say::To("b".into(), "c".into())).await.expect("it is stored");
    let mut missing = vec![b.target().clone(), c.target().clone()];
    let all = async {
        while !missing.is_empty() {
            let Arrival::Mail(to) = arrivals.next().await else { panic!("somebody was not told of") };
            missing.retain(|other| *other != to);
        }
    };
    clock.executor().timeout(Duration::from_secs(10), all).await.expect("they arrive");
}

#[test]
fn a_reminder_that_is_due_before_anybody_looks_comes_in_time() {
    let mut world = World::new();
    world.run(async |system| {
        let now = WallTime::from_unix(system.executor().unix_time());
        let due = now.after(Duration::from_millis(100));
        account(system, "a").call(Command::AddAt(due, 5)).await.expect("it is stored");
        pass(system, Duration::from_millis(99)).await;
        assert_eq!(account(system, "a").call(Command::Get).await.ok(), Some(0), "not early");
        pass(system, Duration::from_millis(3)).await;
        assert_eq!(account(system, "a").call(Command::Get).await.ok(), Some(5), "not late");
    });
}

#[test]
fn events_that_came_before_a_process_count_for_the_next_state() {
    let mut world = World::new();
    let register = |builder: DurableBuilder| builder.register_event_sourced(Tape::<7, 10>::default());
    let mut stored = Vec::new();
    for _ in 0..4 {
        let store = world.store.clone();
        stored.push(world.crash_with(store, register, async |system| {
            let tape = tape::<7, 10>(system, "t");
            tape.call(Tap::Write(vec![1, 2, 3])).await.expect("it is stored");
            tape.call(Tap::Look).await.expect("it comes after what follows");
            head(system.store(), "t").await.snapshot
        }));
    }
    // Three in each: with the ninth there are seven and more.
    let at = Some(Sequence(4));
    assert_eq!(stored, [None, None, at, at]);
}

/// What was a tape once, and is kept whole by this program.
struct Whole;

impl Durable for Whole {
    const TYPE: &'static str = Tape::<7, 10>::TYPE;
    type State = Sum;
    type Command = Tap;
    type Reply = Sum;
    type Error = No;

    fn create(&self, _: &DurableId) -> Sum {
        Sum::default()
    }
}

impl DurableActor for Whole {
    async fn handle(&self, _: Tap, state: &mut Sum, _: &mut Turn<'_, Self>) -> Result<Sum, No> {
        Ok(*state)
    }
}

#[test]
fn a_past_of_events_is_no_past_of_a_type_that_keeps_none() {
    let mut world = World::new();
    world.run_with(
        |builder| builder.register_event_sourced(Tape::<7, 10>::default()),
        async |system| drop(tape::<7, 10>(system, "t").call(Tap::Write(vec![1])).await),
    );
    world.run_with(
        |builder| builder.register(Whole),
        async |system| {
            let refused = system.actor::<Whole>("t").expect("a good id").call(Tap::Look).await;
            let Err(AskError::NotApplied(NotApplied::NotActivated(why))) = refused else {
                panic!("{refused:?}")
            };
            assert_eq!(
                why.to_string(),
                "what is stored does not fit together: entry 1 changed the state, and what is stored is of 0"
            );
        },
    );
}
