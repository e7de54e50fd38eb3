//! D43, question 7: a stream feeds an actor. An item is a message whose id is made of the stream and the offset; the offset is a
//! part of the state, so it is stored in the turn of what the item did, and the source goes on after it. An item that was
//! taken already changes nothing, and behind a gap nothing is taken.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use actor_durable::store::Store;
use actor_durable::testing::{Fault, FaultMode, FaultStore, Operation};
use actor_durable::{
    AskError, Durable, DurableActor, DurableBuilder, DurableId, DurableRef, DurableSystem, MessageId, Turn,
    WallTime,
};
use futures_util::future::{Either, select};
use serde::{Deserialize, Serialize};

use super::{Dice, Sum, quick_or_full};
use crate::stage::World;

/// Adds up what streams bring it.
struct Gauge;

/// The next offset of each stream, and all of its values.
type Taken = BTreeMap<String, (u64, Sum)>;

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Flow {
    Item {
        stream: String,
        offset: u64,
        value: u64,
    },
    /// Where to go on with a stream.
    Next(String),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
enum OutOfTurn {
    #[error("it was taken; the next is {next}")]
    Taken { next: u64 },
    #[error("something is missing before it; the next is {next}")]
    Gap { next: u64 },
}

impl Durable for Gauge {
    const TYPE: &'static str = "gauge";
    /// Much less than what a stream brings: it is the offset that tells an item again.
    const REMEMBERED: usize = 3;
    type State = Taken;
    type Command = Flow;
    type Reply = u64;
    type Error = OutOfTurn;

    fn create(&self, _: &DurableId) -> Taken {
        Taken::new()
    }

    fn is_query(command: &Flow) -> bool {
        matches!(command, Flow::Next(_))
    }
}

impl DurableActor for Gauge {
    async fn handle(
        &self,
        command: Flow,
        state: &mut Taken,
        _: &mut Turn<'_, Self>,
    ) -> Result<u64, OutOfTurn> {
        match command {
            Flow::Item { stream, offset, value } => {
                let (next, sum) = state.entry(stream).or_default();
                match offset.cmp(next) {
                    std::cmp::Ordering::Less => Err(OutOfTurn::Taken { next: *next }),
                    std::cmp::Ordering::Greater => Err(OutOfTurn::Gap { next: *next }),
                    std::cmp::Ordering::Equal => {
                        sum.add(value);
                        *next += 1;
                        Ok(*next)
                    }
                }
            }
            Flow::Next(stream) => Ok(state.get(&stream).map_or(0, |(next, _)| *next)),
        }
    }
}

fn register(builder: DurableBuilder) -> DurableBuilder {
    builder.register(Gauge)
}

fn gauge(system: &DurableSystem) -> DurableRef<Gauge> {
    system.actor("g").expect("a good id")
}

fn item(stream: &str, offset: u64) -> Flow {
    Flow::Item { stream: stream.into(), offset, value: offset * offset }
}

/// The id of an item, whoever brings it and however often: a source knows when it made an item.
fn id_of(stream: &str, offset: u64) -> MessageId {
    let made = WallTime::from_millis(1_700_000_000_000 + offset);
    MessageId::hashed(made, &[stream.as_bytes(), &offset.to_le_bytes()])
}

/// Brings a stream until its end, from where the actor says it is: one item after the other, so that no more are under way than
/// it has taken. An error is nothing but a reason to ask again.
async fn bring(system: &DurableSystem, stream: &str, end: u64) {
    let gauge = gauge(system);
    let mut next = None;
    loop {
        let Some(offset) = next else {
            next = gauge.call(Flow::Next(stream.into())).await.ok();
            continue;
        };
        if offset == end {
            return;
        }
        let call = gauge.call(item(stream, offset)).id(id_of(stream, offset));
        next = call.timeout(Duration::from_secs(5)).await.ok();
    }
}

#[test]
fn d43_q7_each_item_of_a_stream_counts_once_whatever_fails_meanwhile() {
    let end = 60;
    let modes = [FaultMode::CrashBefore, FaultMode::CrashAfter, FaultMode::LoseAnswer, FaultMode::Refuse];
    for seed in 0..quick_or_full(25, 500) {
        let (mut world, mut dice, mut is_done) = (World::seeded(seed), Dice(seed), false);
        while !is_done {
            let (visit, mode) = (1 + dice.below(20), *dice.one_of(&modes));
            let fault = Fault { operation: Operation::CommitTurn, visit, mode };
            let doomed = FaultStore::new(world.store.clone(), [fault]);
            let store: Arc<dyn Store> = Arc::new(doomed.clone());
            is_done = world.crash_with(store, register, async |system| {
                match select(pin!(bring(system, "s", end)), pin!(doomed.crashed())).await {
                    Either::Left(_) => true,
                    Either::Right(_) => false,
                }
            });
        }
        let taken = world.run_with(register, async |system| {
            let head = super::seize(system.store(), gauge(system).target()).await;
            let recovery = system.store().load(&head.target.id, head.epoch).await.expect("it is seized");
            let body = recovery.snapshot.expect("it has a state").body;
            postcard::from_bytes::<Taken>(&body.bytes).expect("it was written here")
        });
        let mut sum = Sum::default();
        (0..end).for_each(|offset| sum.add(offset * offset));
        assert_eq!(taken, BTreeMap::from([("s".to_owned(), (end, sum))]), "seed {seed}");
    }
}

#[test]
fn d43_q7_what_was_taken_is_refused_and_so_is_what_comes_behind_a_gap() {
    let mut world = World::new();
    world.run_with(register, async |system| {
        bring(system, "s", 10).await;
        let gauge = gauge(system);
        for offset in 0..10 {
            // By an id that nobody knows: it is not the memory of ids that tells.
            let refused = gauge.call(item("s", offset)).await;
            let Err(AskError::Refused(why)) = refused else { panic!("{refused:?}") };
            assert_eq!(why, OutOfTurn::Taken { next: 10 });
        }
        let refused = gauge.call(item("s", 11)).await;
        let Err(AskError::Refused(why)) = refused else { panic!("{refused:?}") };
        assert_eq!(why, OutOfTurn::Gap { next: 10 });
        assert_eq!(gauge.call(item("s", 10)).await.ok(), Some(11));
        assert_eq!(gauge.call(item("other", 0)).await.ok(), Some(1), "each stream has its own");
    });
}

#[test]
fn d43_q7_the_offset_is_stored_with_what_its_item_did() {
    for mode in [FaultMode::CrashBefore, FaultMode::CrashAfter] {
        let mut world = World::new();
        world.run_with(register, async |system| bring(system, "s", 5).await);
        let fault = Fault { operation: Operation::CommitTurn, visit: 1, mode };
        let doomed = FaultStore::new(world.store.clone(), [fault]);
        let store: Arc<dyn Store> = Arc::new(doomed.clone());
        world.crash_with(store, register, async |system| {
            select(pin!(bring(system, "s", 6)), pin!(doomed.crashed())).await;
        });
        let (next, sum) = world.run_with(register, async |system| {
            let head = super::seize(system.store(), gauge(system).target()).await;
            let recovery = system.store().load(&head.target.id, head.epoch).await.expect("it is seized");
            let body = recovery.snapshot.expect("it has a state").body;
            let taken: Taken = postcard::from_bytes(&body.bytes).expect("it was written here");
            taken["s"]
        });
        assert_eq!(next, if mode == FaultMode::CrashBefore { 5 } else { 6 });
        assert_eq!(sum.count, next, "{mode:?}");
    }
}
