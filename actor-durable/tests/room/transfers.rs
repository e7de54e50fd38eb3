//! What is under way at a time.

use std::sync::Arc;
use std::time::Duration;

use actor_durable::limits::{TRANSFERS_MAX, TRANSFERS_PER_ACTOR_MAX};
use actor_durable::testing::{Fault, FaultMode, FaultStore, Operation};
use futures_util::future::join_all;

use super::player::{Play, Player, player, turns};
use crate::stage::{World, pass};

fn transfers(store: &FaultStore) -> usize {
    let visits = store.visits().get(&Operation::Transfer).copied().unwrap_or_default();
    usize::try_from(visits).expect("it is small")
}

/// A world in which each transfer stands still until it is resumed.
fn with_transfers_that_stand() -> (World, FaultStore) {
    let world = World::new();
    let pause = |visit| Fault { operation: Operation::Transfer, visit, mode: FaultMode::Pause };
    let store = FaultStore::new(world.store.clone(), (1..=2_000).map(pause));
    (world, store)
}

#[test]
fn so_many_messages_of_an_actor_are_under_way_at_a_time() {
    let (mut world, store) = with_transfers_that_stand();
    let over = Arc::new(store.clone());
    world.crash_with(
        over,
        |builder| builder.register(Player),
        async |system| {
            player(system, "p").call(Play::Deal(100)).await.expect("it is stored");
            for under_way in 1..=6 {
                pass(system, Duration::from_secs(1)).await;
                assert_eq!(transfers(&store), under_way * TRANSFERS_PER_ACTOR_MAX);
                store.resume();
            }
            pass(system, Duration::from_secs(1)).await;
            assert_eq!(transfers(&store), 100);
            store.resume();
            pass(system, Duration::from_secs(1)).await;
            for n in 0..100 {
                assert_eq!(turns(system, &format!("p-{n}")).await, 1);
            }
        },
    );
}

#[test]
fn so_many_messages_of_a_process_are_under_way_at_a_time_and_no_actor_keeps_another_from_sending() {
    let (mut world, store) = with_transfers_that_stand();
    let over = Arc::new(store.clone());
    world.crash_with(
        over,
        |builder| builder.register(Player),
        async |system| {
            let many: Vec<_> = (0..10).map(|n| player(system, &format!("p{n}"))).collect();
            let dealt = join_all(many.iter().map(|one| one.call(Play::Deal(100)).into_future())).await;
            assert!(dealt.iter().all(Result::is_ok), "{dealt:?}");
            pass(system, Duration::from_secs(1)).await;
            assert_eq!(transfers(&store), TRANSFERS_MAX);
            // Whoever comes last waits for what is in hand, and not for all that the others have.
            player(system, "last").call(Play::Deal(1)).await.expect("it is stored");
            let before = 10 * TRANSFERS_PER_ACTOR_MAX;
            for _ in 0..before.div_ceil(TRANSFERS_MAX) {
                store.resume();
                pass(system, Duration::from_secs(1)).await;
            }
            store.resume();
            pass(system, Duration::from_secs(1)).await;
            assert_eq!(turns(system, "last-0").await, 1);
            assert!(transfers(&store) < 500, "{}", transfers(&store));
        },
    );
}
