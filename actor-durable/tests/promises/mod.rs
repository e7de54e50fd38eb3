//! The rows of `docs/missions.md` about durable actors, each by what it says. What the tests share is here: a tape whose events
//! are kept, what a journal comes to, and places of stores that outlive processes.

mod bounds;
mod guards;
mod history;
mod loss;
mod mail;
mod pending;
mod questions;
mod streams;

use std::sync::Arc;
use std::time::Duration;

use actor_core::ActorSystem;
use actor_durable::limits::LEASE_DEFAULT;
use actor_durable::store::{Body, Claim, ClaimMode, Entry, Head, Headers, Message, Store};
use actor_durable::testing::WallClock;
use actor_durable::testing::store_suite::Place;
use actor_durable::{
    Decision, Durable, DurableBuilder, DurableId, DurableRef, DurableSystem, Epoch, EventSourced,
    MemoryStore, MessageId, OwnerId, RedbStore, Sequence, Target, Turn, WallTime, decode,
};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use self::bounds::Watch;

/// Writes numbers down. A state is stored after so many of them, and so many turns stay in the journal behind it.
#[derive(Default)]
struct Tape<const EVERY: u64, const KEPT: u64> {
    /// Who is told of checkpoints.
    watch: Option<Watch>,
}

/// What is on a tape, whatever its length: how many numbers, and which in which order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Sum {
    count: u64,
    digest: u64,
}

impl Sum {
    fn add(&mut self, number: u64) {
        self.count += 1;
        self.digest = self.digest.rotate_left(7) ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Tap {
    /// Each is an event; perhaps there is none.
    Write(Vec<u64>),
    Refuse,
    Panic,
    Look,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("no")]
struct No;

#[derive(Debug, Serialize, Deserialize)]
struct Wrote(u64);

impl<const EVERY: u64, const KEPT: u64> Durable for Tape<EVERY, KEPT> {
    const TYPE: &'static str = "tape";
    const JOURNAL_KEPT: u64 = KEPT;
    type State = Sum;
    type Command = Tap;
    type Reply = Sum;
    type Error = No;

    fn create(&self, _: &DurableId) -> Sum {
        Sum::default()
    }

    fn is_query(command: &Tap) -> bool {
        matches!(command, Tap::Look)
    }

    fn on_checkpoint(&self, _: &DurableId, state: &Sum) {
        if let Some(watch) = &self.watch {
            watch.note(*state);
        }
    }
}

impl<const EVERY: u64, const KEPT: u64> EventSourced for Tape<EVERY, KEPT> {
    type Event = Wrote;
    const SNAPSHOT_EVERY: u64 = EVERY;

    async fn decide(
        &self,
        command: Tap,
        state: &Sum,
        _: &mut Turn<'_, Self>,
    ) -> Result<Decision<Wrote, Sum>, No> {
        match command {
            Tap::Write(numbers) => {
                let mut reply = *state;
                numbers.iter().for_each(|number| reply.add(*number));
                Ok(Decision { events: numbers.into_iter().map(Wrote).collect(), reply })
            }
            Tap::Refuse => Err(No),
            Tap::Panic => panic!("so it was asked"),
            Tap::Look => Ok(Decision::reply(*state)),
        }
    }

    fn apply(&self, state: &mut Sum, Wrote(number): &Wrote) {
        state.add(*number);
    }
}

fn tape<const EVERY: u64, const KEPT: u64>(
    system: &DurableSystem,
    id: &str,
) -> DurableRef<Tape<EVERY, KEPT>> {
    system.actor(id).expect("a good id")
}

fn id(id: &str) -> DurableId {
    DurableId::new(id).expect("a good id")
}

async fn head(store: &Arc<dyn Store>, actor: &str) -> Head {
    store.head(&id(actor)).await.expect("a store").expect("it is there")
}

/// All of a journal that is there.
async fn journal(store: &Arc<dyn Store>, actor: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut after = head(store, actor).await.trimmed;
    loop {
        let page = store.entries(&id(actor), after, 100).await.expect("it is there");
        let Some(last) = page.last() else { return entries };
        after = last.sequence;
        entries.extend(page);
    }
}

/// What all of a tape's journal comes to, by nothing but its events.
async fn fold(store: &Arc<dyn Store>, actor: &str) -> Sum {
    assert_eq!(head(store, actor).await.trimmed, Sequence::ZERO, "all of it is there");
    let mut sum = Sum::default();
    for entry in journal(store, actor).await {
        for event in entry.events {
            let Wrote(number) = decode("an event", event.version, &event.bytes).expect("it was written here");
            sum.add(number);
        }
    }
    sum
}

/// Takes an actor away from whoever has it, to look into it.
async fn seize(store: &Arc<dyn Store>, target: &Target) -> Head {
    let owner = OwnerId::new(77);
    store.renew(owner, Duration::from_secs(3600)).await.expect("a lease");
    let claim = Claim { target: target.clone(), owner, epoch_min: Epoch::ZERO, mode: ClaimMode::Seize };
    store.acquire(claim).await.expect("it is seized")
}

/// A message as somebody else's program would put it into an inbox.
fn message<A: Durable>(to: &DurableRef<A>, id: MessageId, command: &A::Command) -> Message {
    let bytes = postcard::to_stdvec(command).expect("it has a form").into();
    let body = Body { version: A::COMMAND_VERSION, bytes };
    let (to, headers) = (to.target().clone(), Headers::new());
    Message { to, id, from: None, reply_to: None, sent_at: WallTime::ZERO, body, headers }
}

/// Chance from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        // As splitmix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ bits >> 31) % bound
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        let number = self.below(all.len() as u64);
        all.iter().zip(0..).find(|(_, place)| *place == number).expect("it is one of them").0
    }
}

/// As many where `ACTOR_TEST_FULL` is set as `full` says, and else as `quick` does.
fn quick_or_full<T>(quick: T, full: T) -> T {
    if std::env::var_os("ACTOR_TEST_FULL").is_some() { full } else { quick }
}

/// The stores of this crate, each in a new place.
fn places() -> [Box<dyn Place>; 2] {
    let clock = WallClock::at(WallTime::from_millis(1_800_000_000_000));
    let memory = InMemory { store: MemoryStore::on(clock.executor()), clock };
    let file = InFile(tempfile::tempdir().expect("a directory"));
    [Box::new(memory), Box::new(file)]
}

struct InMemory {
    clock: WallClock,
    store: MemoryStore,
}

#[async_trait]
impl Place for InMemory {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.store.clone())
    }

    async fn pass(&self, time: Duration) {
        self.clock.pass(time);
    }
}

struct InFile(TempDir);

#[async_trait]
impl Place for InFile {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(RedbStore::open(self.0.path().join("store.redb")).await.expect("it opens"))
    }

    /// The leases end with the process that has the file.
    async fn pass(&self, _: Duration) {}
}

/// Runs a future in a process of its own, which opens the store, and of which nothing is left but what is stored.
async fn crash<R>(
    place: &dyn Place,
    register: impl FnOnce(DurableBuilder) -> DurableBuilder,
    body: impl AsyncFnOnce(&DurableSystem) -> R,
) -> R {
    let builder = register(DurableSystem::builder(&ActorSystem::new(), place.open().await));
    let system = builder.start().await.expect("the store gives a lease");
    let result = body(&system).await;
    system.abandon().await;
    drop(system);
    place.pass(LEASE_DEFAULT * 2).await;
    result
}
