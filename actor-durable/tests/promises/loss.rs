//! D30: what was answered is there. D21: what is answered before it is stored may be lost, and what left is not.

use std::future::IntoFuture;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actor_core::ActorError;
use actor_durable::limits::STAGED_TURNS_MAX;
use actor_durable::store::Outgoing;
use actor_durable::{
    Durability, Durable, DurableActor, DurableBuilder, DurableId, DurableRef, DurableSystem, NoError, Outlet,
    Turn,
};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Dice, crash, places, quick_or_full};
use crate::stage::{Account, Command, World, account, pass};

#[tokio::test]
async fn d30_whoever_is_killed_after_any_reply_what_was_replied_is_there() {
    let register = |builder: DurableBuilder| builder.register(Account::default());
    for place in places() {
        for replies in 1..=quick_or_full(12, 60) {
            let id = format!("a{replies}");
            crash(&*place, register, async |system| {
                for n in 1..=replies {
                    assert_eq!(account(system, &id).call(Command::Add(1)).await.ok(), Some(n));
                }
            })
            .await;
            crash(&*place, register, async |system| {
                assert_eq!(account(system, &id).call(Command::Get).await.ok(), Some(replies));
            })
            .await;
        }
    }
}

#[test]
fn d30_of_many_at_once_those_that_were_answered_are_there() {
    for answered in 1..=40 {
        let mut world = World::seeded(answered);
        let highest = world.run_and_crash(async |system| {
            let account = account(system, "a");
            let calls: futures_util::stream::FuturesUnordered<_> =
                (0..40).map(|_| account.call(Command::Add(1)).into_future()).collect();
            let replies =
                futures_util::StreamExt::take(calls, usize::try_from(answered).expect("it is small"));
            let replies: Vec<_> = futures_util::StreamExt::collect(replies).await;
            replies.into_iter().map(|reply| reply.expect("it is stored")).max().expect("there is one")
        });
        world.run(async |system| {
            let money = account(system, "a").call(Command::Get).await.expect("it looks");
            assert!((highest..=40).contains(&money), "{highest} was told, and {money} is there");
        });
    }
}

/// Counts, and posts each number that it comes to.
struct Meter<const IS_LAZY: bool>;

const INTERVAL: Duration = Duration::from_secs(1);

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Tick {
    Tick,
    Look,
}

impl<const IS_LAZY: bool> Durable for Meter<IS_LAZY> {
    const TYPE: &'static str = if IS_LAZY { "lazy meter" } else { "meter" };
    const DURABILITY: Durability = if IS_LAZY { Durability::Lazy } else { Durability::WriteBack(INTERVAL) };
    type State = u64;
    type Command = Tick;
    type Reply = u64;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> u64 {
        0
    }

    fn is_query(command: &Tick) -> bool {
        matches!(command, Tick::Look)
    }
}

impl<const IS_LAZY: bool> DurableActor for Meter<IS_LAZY> {
    async fn handle(&self, command: Tick, n: &mut u64, turn: &mut Turn<'_, Self>) -> Result<u64, NoError> {
        if matches!(command, Tick::Tick) {
            *n += 1;
            turn.effect("paper", None, n.to_le_bytes().to_vec()).expect("a good name");
        }
        Ok(*n)
    }
}

/// What was posted.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u64>>>);

impl Paper {
    fn read(&self) -> Vec<u64> {
        self.0.lock().expect("nothing panics under it").clone()
    }
}

#[async_trait]
impl Outlet for Paper {
    async fn deliver(&self, _: &DurableId, message: &Outgoing) -> Result<(), ActorError> {
        let number = u64::from_le_bytes(message.body.bytes[..].try_into()?);
        let mut paper = self.0.lock().expect("nothing panics under it");
        // It knows what it has.
        if !paper.contains(&number) {
            paper.push(number);
        }
        Ok(())
    }
}

fn meters(paper: &Paper) -> impl Fn(DurableBuilder) -> DurableBuilder + use<> {
    let paper = paper.clone();
    move |builder| builder.register(Meter::<false>).register(Meter::<true>).outlet("paper", paper.clone())
}

fn meter<const IS_LAZY: bool>(system: &DurableSystem) -> DurableRef<Meter<IS_LAZY>> {
    system.actor("m").expect("a good id")
}

async fn tick<const IS_LAZY: bool>(system: &DurableSystem) -> u64 {
    meter::<IS_LAZY>(system).call(Tick::Tick).await.expect("it is answered")
}

#[test]
fn d21_written_back_what_is_lost_is_the_tail_of_an_interval_and_nothing_that_left() {
    for seed in 0..quick_or_full(40, 1_000) {
        let (mut world, mut dice, paper) = (World::seeded(seed), Dice(seed), Paper::default());
        let mut kept = 0;
        for _ in 0..4 {
            let store = world.store.clone();
            let (turns, printed) = world.crash_with(store, meters(&paper), async |system| {
                let mut turns = Vec::new();
                for _ in 0..dice.below(12) {
                    pass(system, Duration::from_millis(dice.below(700))).await;
                    turns.push((tick::<false>(system).await, system.executor().now()));
                }
                pass(system, Duration::from_millis(dice.below(1500))).await;
                let now = system.executor().now();
                let is_old = |(_, at): &&(u64, _)| now.saturating_since(*at) > INTERVAL;
                let old = turns.iter().filter(is_old).map(|(n, _)| *n).max();
                ((old, turns.last().map(|(n, _)| *n)), paper.read())
            });
            let (old, last) = turns;
            let store = world.store.clone();
            let left = world.crash_with(store, meters(&paper), async |system| {
                meter::<false>(system).call(Tick::Look).await.expect("it looks")
            });
            assert!(
                left >= old.unwrap_or(kept) && left <= last.unwrap_or(kept),
                "seed {seed}: {old:?} {left}"
            );
            assert!(printed.len() as u64 <= left, "seed {seed}: {printed:?} left, and {left} are there");
            assert_eq!(printed, (1..=printed.len() as u64).collect::<Vec<_>>(), "seed {seed}");
            kept = left;
        }
        world.run_with(meters(&paper), async |system| pass(system, Duration::from_secs(60)).await);
        assert_eq!(paper.read(), (1..=kept).collect::<Vec<_>>(), "seed {seed}: what is there has left, once");
    }
}

#[test]
fn d21_lazy_what_is_lost_is_what_was_not_stored_and_nothing_of_it_has_left() {
    let (mut world, paper) = (World::new(), Paper::default());
    let most = STAGED_TURNS_MAX as u64;
    let store = world.store.clone();
    world.crash_with(store, meters(&paper), async |system| {
        for n in 1..=most + 10 {
            assert_eq!(tick::<true>(system).await, n, "it is answered at once");
        }
        pass(system, Duration::from_secs(60)).await;
        assert_eq!(paper.read(), (1..=most).collect::<Vec<_>>(), "no more could be kept back");
    });
    let store = world.store.clone();
    world.crash_with(store, meters(&paper), async |system| {
        assert_eq!(meter::<true>(system).call(Tick::Look).await.ok(), Some(most));
        assert_eq!(tick::<true>(system).await, most + 1);
        // Who gives its memory back stores it first.
        system.passivate(meter::<true>(system).id()).await;
        pass(system, Duration::from_secs(60)).await;
        assert_eq!(paper.read(), (1..=most + 1).collect::<Vec<_>>());
    });
}

#[test]
fn d21_a_message_whose_turn_is_lost_is_not_lost() {
    let (mut world, paper) = (World::new(), Paper::default());
    // Whoever follows one that was lost is careful, and has each stored at once.
    for printed in [vec![], vec![1], vec![1]] {
        let store = world.store.clone();
        world.crash_with(store, meters(&paper), async |system| {
            if meter::<true>(system).call(Tick::Look).await.ok() == Some(0) && printed.is_empty() {
                meter::<true>(system).send(Tick::Tick).await.expect("it is stored");
            }
            pass(system, Duration::from_secs(1)).await;
            assert_eq!(meter::<true>(system).call(Tick::Look).await.ok(), Some(1), "it is handled, once");
            assert_eq!(paper.read(), printed, "and is seen when it is stored");
        });
    }
}
