//! D20, D23: the state is what the journal comes to, whole or from where a state is stored. D19: what the journal tells.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actor_core::ActorError;
use actor_durable::store::{Cause, Entry, Outgoing, Store};
use actor_durable::testing::{Fault, FaultMode, FaultStore, Operation};
use actor_durable::{
    AskError, Durable, DurableActor, DurableBuilder, DurableId, DurableSystem, MessageId, NotApplied, Outlet,
    Sequence, Turn,
};
use async_trait::async_trait;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use std::future::IntoFuture;
use std::sync::Mutex;

use super::{Dice, No, Sum, Tap, Tape, crash, fold, head, journal, message, places, quick_or_full, tape};
use crate::stage::{World, pass};

/// Nothing of its journal ever goes.
type Whole = Tape<7, { u64::MAX }>;

fn register(builder: DurableBuilder) -> DurableBuilder {
    builder.register_event_sourced(Whole::default())
}

fn whole(system: &DurableSystem) -> actor_durable::DurableRef<Whole> {
    tape(system, "t")
}

async fn look(system: &DurableSystem) -> Sum {
    whole(system).call(Tap::Look).await.expect("it looks")
}

/// Some of all that can be done with a tape. Gives how many numbers were certainly written.
async fn do_something(system: &DurableSystem, dice: &mut Dice) -> u64 {
    let tape = whole(system);
    let numbers = |dice: &mut Dice| (0..dice.below(4)).map(|_| dice.below(1000)).collect::<Vec<_>>();
    match dice.below(8) {
        0..=2 => {
            let numbers = numbers(dice);
            let count = numbers.len() as u64;
            tape.call(Tap::Write(numbers)).await.expect("it is stored");
            count
        }
        3 => {
            // At once: they are stored together.
            let all: Vec<_> = (0..dice.below(20)).map(|_| numbers(dice)).collect();
            let count = all.iter().map(Vec::len).sum::<usize>() as u64;
            let calls = all.into_iter().map(|numbers| tape.call(Tap::Write(numbers)).into_future());
            for written in join_all(calls).await {
                written.expect("it is stored");
            }
            count
        }
        4 => {
            let numbers = numbers(dice);
            let count = numbers.len() as u64;
            tape.send(Tap::Write(numbers)).await.expect("it is stored");
            count
        }
        5 => {
            let refused = tape.call(Tap::Refuse).await;
            assert!(matches!(refused, Err(AskError::Refused(No))), "{refused:?}");
            0
        }
        6 => {
            let panicked = tape.call(Tap::Panic).await;
            assert!(matches!(panicked, Err(AskError::NotApplied(NotApplied::Panicked(_)))), "{panicked:?}");
            0
        }
        _ => {
            system.passivate(tape.id()).await;
            0
        }
    }
}

#[test]
fn d20_what_the_journal_comes_to_is_the_live_state_whatever_was_done() {
    for seed in 0..quick_or_full(60, 2_000) {
        let mut world = World::seeded(seed);
        let (mut dice, mut written) = (Dice(seed), 0);
        for _ in 0..4 {
            let store = world.store.clone();
            let (live, folded) = world.crash_with(store, register, async |system| {
                for _ in 0..dice.below(12) {
                    written += do_something(system, &mut dice).await;
                }
                (look(system).await, fold(system.store(), "t").await)
            });
            assert_eq!(folded, live, "seed {seed}");
            assert_eq!(live.count, written, "seed {seed}");
        }
    }
}

#[tokio::test]
async fn d23_the_stored_state_and_what_follows_equal_a_full_replay_at_every_cut() {
    for place in places() {
        let mut former = Sum::default();
        for cut in 0..quick_or_full(24, 150) {
            let live = crash(&*place, register, async |system| {
                // Of what was stored when the process began.
                assert_eq!(look(system).await, former, "cut {cut}");
                assert_eq!(fold(system.store(), "t").await, former, "cut {cut}");
                let live = whole(system).call(Tap::Write(vec![cut])).await.expect("it is stored");
                // Comes after whatever follows from the turn before.
                assert_eq!(look(system).await, live);
                let head = head(system.store(), "t").await;
                // The first turn, and one for each number. The state is stored after each seventh, counted over processes.
                let stored = (cut + 2) / 7 * 7;
                assert_eq!(head.snapshot, (stored > 0).then_some(Sequence(stored)), "cut {cut}");
                live
            })
            .await;
            assert_eq!(live.count, cut + 1);
            former = live;
        }
    }
}

#[test]
fn d23_a_state_that_was_or_was_not_stored_makes_no_difference() {
    for mode in FaultMode::ALL.iter().copied().filter(|mode| *mode != FaultMode::Pause) {
        for visit in 1..=3 {
            let mut world = World::new();
            let fault = Fault { operation: Operation::SaveSnapshot, visit, mode };
            let doomed = FaultStore::new(world.store.clone(), [fault]);
            let store: Arc<dyn Store> = Arc::new(doomed.clone());
            let answered = world.crash_with(store, register, async |system| {
                let (tape, mut answered) = (whole(system), 0);
                for number in 0..30 {
                    let call = tape.call(Tap::Write(vec![number])).timeout(Duration::from_secs(1));
                    answered += u64::from(call.await.is_ok());
                }
                answered
            });
            assert!(doomed.faults_left().is_empty(), "{fault} struck");
            world.run_with(register, async |system| {
                let live = look(system).await;
                assert_eq!(fold(system.store(), "t").await, live, "{fault}");
                assert!(live.count >= answered && answered > 0, "{fault}: {live:?} {answered}");
            });
        }
    }
}

/// Says in its journal all that can be said there.
struct Diary {
    is_poison: Arc<AtomicBool>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Page {
    Note(u32),
    Look,
    Refuse,
    Post(u32),
    Panic,
    End,
}

impl Durable for Diary {
    const TYPE: &'static str = "diary";
    const ATTEMPTS_MAX: u32 = 2;
    type State = u32;
    type Command = Page;
    type Reply = u32;
    type Error = No;

    fn create(&self, _: &DurableId) -> u32 {
        0
    }

    fn is_query(command: &Page) -> bool {
        matches!(command, Page::Look)
    }
}

impl DurableActor for Diary {
    async fn handle(&self, command: Page, state: &mut u32, turn: &mut Turn<'_, Self>) -> Result<u32, No> {
        match command {
            Page::Note(number) => *state = number,
            Page::Look => {}
            Page::Refuse => return Err(No),
            Page::Post(number) => {
                turn.send::<Self>("other", &Page::Note(number)).expect("a good id");
                turn.effect("post", None, number.to_le_bytes().to_vec()).expect("a good name");
            }
            Page::Panic => assert!(!self.is_poison.load(Ordering::Relaxed), "so it was asked"),
            Page::End => turn.end(),
        }
        Ok(*state)
    }
}

/// Which message, and what it says.
type Taken = (MessageId, Vec<u8>);

/// Takes what is posted only while it is open.
#[derive(Clone, Default)]
struct Post {
    is_open: Arc<AtomicBool>,
    taken: Arc<Mutex<Vec<Taken>>>,
}

#[async_trait]
impl Outlet for Post {
    async fn deliver(&self, _: &DurableId, message: &Outgoing) -> Result<(), ActorError> {
        let mut taken = self.taken.lock().expect("nothing panics under it");
        taken.push((message.id, message.body.bytes.to_vec()));
        if self.is_open.load(Ordering::Relaxed) { Ok(()) } else { Err("it is closed".into()) }
    }
}

fn diary(post: &Post) -> impl Fn(DurableBuilder) -> DurableBuilder + use<> {
    let post = post.clone();
    move |builder| {
        let is_poison = Arc::new(AtomicBool::new(true));
        builder.register(Diary { is_poison }).outlet("post", post.clone())
    }
}

/// What an entry says, without its times.
fn said(entry: &Entry) -> (u64, Cause, bool, usize) {
    (entry.sequence.0, entry.cause, entry.has_changed, entry.sent.len())
}

#[test]
fn d19_the_journal_tells_exactly_what_happened() {
    let mut world = World::new();
    let post = Post { is_open: Arc::new(AtomicBool::new(true)), ..Post::default() };
    world.run_with(diary(&post), async |system| {
        let diary = system.actor::<Diary>("d").expect("a good id");
        let ids: Vec<MessageId> = (0..7).map(|_| diary.new_message_id()).collect();
        let call = |n: usize, page| diary.call(page).id(ids[n]).into_future();
        call(0, Page::Note(1)).await.expect("it is stored");
        // It is as it was.
        call(1, Page::Note(1)).await.expect("it is stored");
        call(2, Page::Look).await.expect("it only looks");
        call(2, Page::Refuse).await.expect_err("it is refused");
        call(3, Page::Post(7)).await.expect("it is stored");
        diary.send_with(ids[4], Default::default(), &Page::Panic).await.expect("it is stored");
        pass(system, Duration::from_secs(60)).await;
        // It comes from another process, and to this one by a call.
        call(5, Page::Note(2)).await.expect("it is stored");
        call(6, Page::End).await.expect("it is stored");
        let told: Vec<_> = journal(system.store(), "d").await.iter().map(said).collect();
        let expected = [
            (1, Cause::Spawned, true, 0),
            (2, Cause::Message(ids[0]), true, 0),
            (3, Cause::Message(ids[1]), false, 0),
            (4, Cause::Message(ids[2]), false, 0),
            (5, Cause::Message(ids[3]), false, 2),
            (6, Cause::GaveUp(ids[4]), false, 0),
            (7, Cause::Message(ids[5]), true, 0),
            (8, Cause::Message(ids[6]), false, 0),
            (9, Cause::Stopped, false, 0),
        ];
        assert_eq!(told, expected);
        // What was sent is told by its id, and has that id where it arrived.
        let sent = &journal(system.store(), "d").await[4].sent;
        let arrived: Vec<Cause> =
            journal(system.store(), "other").await.iter().map(|entry| entry.cause).collect();
        assert_eq!(arrived, [Cause::Spawned, Cause::Message(sent[0])]);
        let taken = post.taken.lock().expect("nothing panics under it").clone();
        assert_eq!(taken, [(sent[1], 7u32.to_le_bytes().to_vec())]);
    });
}

#[test]
fn d19_a_message_that_came_by_both_ways_is_told_as_a_duplicate() {
    let mut world = World::new();
    let id = world.run_with(diary(&Post::default()), async |system| {
        let diary = system.actor::<Diary>("d").expect("a good id");
        let id = diary.new_message_id();
        // As another process puts it there, and before this one hears of it.
        diary.call(Page::Note(1)).await.expect("it is stored");
        let letter = message(&diary, id, &Page::Note(2));
        let (stored, called) = futures_util::future::join(
            async { system.store().enqueue(letter).await },
            diary.call(Page::Note(2)).id(id).into_future(),
        )
        .await;
        stored.expect("a store");
        assert_eq!(called.ok(), Some(2));
        pass(system, Duration::from_secs(20)).await;
        id
    });
    let mut causes = Vec::new();
    world.simulation.block_on(async {
        causes.extend(journal(&world.store, "d").await.iter().map(|entry| entry.cause).skip(2));
    });
    let (called_first, came_first) = ([Cause::Message(id), Cause::Duplicate(id)], [Cause::Message(id)]);
    assert!(causes == called_first || causes == came_first, "{causes:?}");
}

#[test]
fn d19_what_was_sent_and_not_acknowledged_is_sent_again_after_a_crash() {
    let mut world = World::new();
    let post = Post::default();
    let store = world.store.clone();
    let id = world.crash_with(store, diary(&post), async |system| {
        let diary = system.actor::<Diary>("d").expect("a good id");
        diary.call(Page::Post(7)).await.expect("it is stored");
        pass(system, Duration::from_millis(1)).await;
        journal(system.store(), "d").await[1].sent[1]
    });
    let before = post.taken.lock().expect("nothing panics under it").len();
    assert_eq!(before, 1, "it was taken and not acknowledged");
    post.is_open.store(true, Ordering::Relaxed);
    for _ in 0..2 {
        world.run_with(diary(&post), async |system| {
            // Nobody asks.
            pass(system, Duration::from_secs(60)).await;
            let head = head(system.store(), "d").await;
            assert_eq!(head.sequence, Sequence(2), "it is no turn");
        });
    }
    let taken = post.taken.lock().expect("nothing panics under it").clone();
    let same = (id, 7u32.to_le_bytes().to_vec());
    assert_eq!(taken, [same.clone(), same], "once more, by the same key");
}
