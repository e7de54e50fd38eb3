//! D4: what is done once for each checkpoint. D5: the journal has a bound, whatever is done, and no mail goes with it.

use std::collections::BTreeMap;
use std::future::IntoFuture;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actor_core::actor;
use actor_durable::limits::COMMIT_ENTRIES_MAX;
use actor_durable::store::{Head, Store};
use actor_durable::testing::{Fault, FaultMode, FaultStore, Operation};
use actor_durable::{
    Durable, DurableActor, DurableBuilder, DurableId, DurableSystem, EventSourced, Sequence, Turn,
};
use futures_util::future::{join_all, select};
use serde::{Deserialize, Serialize};

use super::{No, Sum, Tap, Tape, head, quick_or_full};
use crate::stage::{World, pass};

/// So many turns stay in the journal of these.
const KEPT: u64 = 10;

/// What was stored of an actor when a checkpoint was announced: how many commits and states had been asked for, and the state.
type Seen = Arc<Mutex<Vec<(u64, u64, Sum)>>>;

/// What is seen of checkpoints.
#[derive(Clone)]
pub(super) struct Watch {
    store: FaultStore,
    seen: Seen,
}

impl Watch {
    pub(super) fn note(&self, state: Sum) {
        let (commits, states) = visits(&self.store);
        self.seen.lock().expect("nothing panics under it").push((commits, states, state));
    }
}

fn visits(store: &FaultStore) -> (u64, u64) {
    let visits: BTreeMap<Operation, u64> = store.visits();
    let of = |operation| visits.get(&operation).copied().unwrap_or_default();
    (of(Operation::CommitTurn), of(Operation::SaveSnapshot))
}

/// As a tape, and its state is kept whole.
#[derive(Clone)]
struct Slate(Watch);

impl Durable for Slate {
    const TYPE: &'static str = "slate";
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
        self.0.note(*state);
    }
}

impl DurableActor for Slate {
    async fn handle(&self, command: Tap, state: &mut Sum, _: &mut Turn<'_, Self>) -> Result<Sum, No> {
        match command {
            Tap::Write(numbers) => numbers.into_iter().for_each(|number| state.add(number)),
            Tap::Refuse => {
                state.add(1);
                return Err(No);
            }
            Tap::Panic => panic!("so it was asked"),
            Tap::Look => {}
        }
        Ok(*state)
    }
}

/// A tape whose state is stored after each fifth event.
type Reel = Tape<5, KEPT>;

/// A world, a store that counts, and what is seen of checkpoints.
fn watched() -> (World, FaultStore, Seen, impl Fn(DurableBuilder) -> DurableBuilder) {
    let world = World::new();
    let (store, seen) = (FaultStore::new(world.store.clone(), []), Seen::default());
    let watch = Watch { store: store.clone(), seen: seen.clone() };
    let register = move |builder: DurableBuilder| {
        let reel = Reel { watch: Some(watch.clone()) };
        builder.register(Slate(watch.clone())).register_event_sourced(reel).register(Coin::durable())
    };
    (world, store, seen, register)
}

/// What is written after so many calls that each write their number.
fn sum_of(count: u64) -> Sum {
    let mut sum = Sum::default();
    (0..count).for_each(|number| sum.add(number));
    sum
}

#[test]
fn d04_a_checkpoint_is_announced_once_before_it_is_stored_with_its_turn() {
    let (mut world, store, seen, register) = watched();
    for process in 0..2 {
        let over: Arc<dyn Store> = Arc::new(store.clone());
        world.crash_with(over, &register, async |system| {
            let slate = system.actor::<Slate>("s").expect("a good id");
            for number in 0..25 {
                slate.call(Tap::Write(vec![process * 25 + number])).await.expect("it is stored");
            }
        });
    }
    // The journal has 51 entries, each of a commit of its own. It is cut when it has twice as many as are kept.
    let at = |entry: u64| (entry - 1, 0, sum_of(entry - 1));
    assert_eq!(*seen.lock().expect("nothing panics under it"), [20, 30, 40, 50].map(at));
    world.run_with(&register, async |system| {
        let head = head(system.store(), "s").await;
        let (sequence, trimmed) = (head.sequence, head.trimmed);
        assert_eq!((sequence, trimmed, head.snapshot), (Sequence(51), Sequence(40), Some(Sequence(51))));
    });
}

#[test]
fn d04_a_checkpoint_is_announced_once_before_it_is_stored_beside_events() {
    let (mut world, store, seen, register) = watched();
    for process in 0..2 {
        let over: Arc<dyn Store> = Arc::new(store.clone());
        world.crash_with(over, &register, async |system| {
            let reel = system.actor::<Reel>("r").expect("a good id");
            for number in 0..8 {
                reel.call(Tap::Write(vec![process * 8 + number])).await.expect("it is stored");
            }
        });
    }
    // A first entry without events, then one for each number: after each fifth the state is stored.
    let at = |nth: u64| (5 * nth, nth - 1, sum_of(5 * nth - 1));
    assert_eq!(*seen.lock().expect("nothing panics under it"), [1, 2, 3].map(at));
    world.run_with(&register, async |system| {
        let head = head(system.store(), "r").await;
        let (sequence, trimmed) = (head.sequence, head.trimmed);
        assert_eq!((sequence, trimmed, head.snapshot), (Sequence(17), Sequence(5), Some(Sequence(15))));
    });
}

/// What `#[checkpoint]` of a [`Coin`] has seen.
static COINS: Mutex<Vec<u64>> = Mutex::new(Vec::new());

#[derive(Default, Serialize, Deserialize)]
struct Coin {
    tosses: u64,
}

#[actor(durable)]
impl Coin {
    #[checkpoint]
    fn keep(&self, id: &DurableId) {
        assert_eq!(id.as_str(), "c");
        COINS.lock().expect("nothing panics under it").push(self.tosses);
    }

    fn toss(&mut self) -> u64 {
        self.tosses += 1;
        self.tosses
    }
}

#[test]
fn d04_the_method_for_checkpoints_of_a_plain_struct_is_called_once_for_each() {
    let (mut world, store, _, register) = watched();
    for _ in 0..2 {
        let over: Arc<dyn Store> = Arc::new(store.clone());
        world.crash_with(over, &register, async |system| {
            let coin = CoinRef::new(system, "c").expect("a good id");
            for _ in 0..160 {
                coin.toss().await.expect("it is stored");
            }
        });
    }
    // A hundred entries are kept, so it is cut at the 200th and the 300th.
    assert_eq!(*COINS.lock().expect("nothing panics under it"), [199, 299]);
}

/// How many entries are in a journal.
async fn length(system: &DurableSystem, actor: &str) -> u64 {
    let head = head(system.store(), actor).await;
    head.sequence.0 - head.trimmed.0
}

#[test]
fn d05_the_journal_has_a_bound_whatever_is_done_again_and_again() {
    let (mut world, _, _, register) = watched();
    let commands = [Tap::Write(vec![1]), Tap::Write(Vec::new()), Tap::Write(vec![1; 7]), Tap::Refuse];
    world.run_with(&register, async |system| {
        for (n, command) in commands.iter().enumerate() {
            let slate = system.actor::<Slate>(format!("s{n}")).expect("a good id");
            let reel = system.actor::<Reel>(format!("r{n}")).expect("a good id");
            for _ in 0..200 {
                drop(slate.call(command.clone()).await);
                drop(reel.call(command.clone()).await);
                assert!(length(system, &format!("s{n}")).await < 2 * KEPT, "{command:?}");
                let most = KEPT + Reel::SNAPSHOT_EVERY;
                assert!(length(system, &format!("r{n}")).await <= most, "{command:?}");
            }
        }
    });
}

#[test]
fn d05_a_state_is_stored_for_the_journals_sake_no_more_often_than_it_is_cut() {
    let (mut world, store, seen, register) = watched();
    let over: Arc<dyn Store> = Arc::new(store.clone());
    world.crash_with(over, &register, async |system| {
        let slate = system.actor::<Slate>("s").expect("a good id");
        for _ in 0..200 {
            drop(slate.call(Tap::Refuse).await);
        }
        slate.call(Tap::Look).await.expect("it comes after what follows");
    });
    // After the 20th entry of 201, and then with each ten.
    assert_eq!((visits(&store).1, seen.lock().expect("nothing panics under it").len()), (19, 19));
}

#[test]
fn d05_the_journal_has_a_bound_when_many_are_stored_at_once_and_none_changes_anything() {
    let (mut world, _, _, register) = watched();
    world.run_with(&register, async |system| {
        let slate = system.actor::<Slate>("s").expect("a good id");
        let reel = system.actor::<Reel>("r").expect("a good id");
        for _ in 0..5 {
            let refused = join_all((0..500).map(|_| slate.call(Tap::Refuse).into_future())).await;
            assert_eq!(refused.len(), 500);
            let written = join_all((0..500).map(|_| reel.call(Tap::Write(Vec::new())).into_future())).await;
            assert_eq!(written.len(), 500);
            // These come after whatever follows from the turns before.
            assert_eq!(slate.call(Tap::Look).await.ok(), Some(Sum::default()));
            assert_eq!(reel.call(Tap::Look).await.ok(), Some(Sum::default()));
            assert!(length(system, "s").await < 2 * KEPT);
            assert!(length(system, "r").await <= KEPT + Reel::SNAPSHOT_EVERY);
        }
    });
}

/// The full form has 100 000 messages, as many as an inbox takes; the quick one 10 000.
#[test]
fn d05_an_inbox_is_intact_however_often_the_journal_is_cut_before_it_is_empty() {
    let count = quick_or_full(10_000, 100_000);
    let (mut world, _, _, register) = watched();
    // Nobody handles what this process puts there.
    world.run_with(
        |builder| builder,
        async |system| {
            let slate = system.actor::<Slate>("s").expect("a good id");
            for number in 0..count {
                slate.send(Tap::Write(vec![number])).await.expect("it is stored");
            }
        },
    );
    let handled = |head: &Head| count - head.waiting;
    let (mut before, mut crashes) = (0, 0);
    while before < count {
        let fault = Fault { operation: Operation::CommitTurn, visit: 9, mode: FaultMode::CrashAfter };
        let doomed = FaultStore::new(world.store.clone(), [fault]);
        let store: Arc<dyn Store> = Arc::new(doomed.clone());
        let beneath = world.store.clone();
        let head = world.crash_with(store, &register, async |system| {
            let quiet = pin!(pass(system, Duration::from_secs(60)));
            select(pin!(doomed.crashed()), quiet).await;
            crashes += u32::from(doomed.has_crashed());
            head(&beneath, "s").await
        });
        let length = head.sequence.0 - head.trimmed.0;
        assert!(length <= 2 * KEPT + COMMIT_ENTRIES_MAX as u64, "{head:?}");
        assert!(handled(&head) > before, "it goes on: {head:?}");
        before = handled(&head);
    }
    assert!(crashes > 3, "{crashes}");
    world.run_with(&register, async |system| {
        let slate = system.actor::<Slate>("s").expect("a good id");
        assert_eq!(slate.call(Tap::Look).await.ok(), Some(sum_of(count)), "each once, in order");
        assert!(length(system, "s").await <= 2 * KEPT);
    });
}
