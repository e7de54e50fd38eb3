//! The bounds of an outbox.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actor_durable::DurableBuilder;
use actor_durable::limits::{
    OUTBOX_BYTES_MAX, OUTBOX_BYTES_RESERVED, OUTBOX_MAX, OUTBOX_WAIT_MAX, PAYLOAD_BYTES_MAX,
};
use futures_util::future::join_all;

use super::player::{Play, Player, Sea, head, is_full, outbox_bytes, player, turns};
use crate::stage::{World, pass};

#[test]
fn an_outbox_has_a_bound_in_bytes_that_what_is_handled_from_the_inbox_may_pass_by_a_little() {
    let mut world = World::new();
    let sea = Sea { is_shut: Arc::new(AtomicBool::new(true)) };
    let register = |builder: DurableBuilder| builder.register(Player).outlet("sea", sea.clone());
    world.run_with(register, async |system| {
        let p = player(system, "p");
        let calls = OUTBOX_BYTES_MAX / PAYLOAD_BYTES_MAX;
        for n in 1..=calls {
            let thrown = p.call(Play::Throw(PAYLOAD_BYTES_MAX)).await;
            assert_eq!(thrown.ok(), Some(n as u64), "there is room for it");
        }
        let began = system.executor().now();
        assert!(is_full(&p.call(Play::Throw(1)).await));
        assert_eq!(system.executor().now().saturating_since(began), OUTBOX_WAIT_MAX);
        // Nobody waits again for what did not come.
        assert!(is_full(&p.call(Play::Throw(1)).await) && is_full(&p.call(Play::Nothing).await));
        assert_eq!(system.executor().now().saturating_since(began), OUTBOX_WAIT_MAX);
        assert_eq!(turns(system, "p").await, calls as u64, "who only looks is answered");
        let letters = OUTBOX_BYTES_RESERVED / PAYLOAD_BYTES_MAX;
        for _ in 0..letters + 1 {
            p.send(Play::Throw(PAYLOAD_BYTES_MAX)).await.expect("it is stored");
        }
        pass(system, Duration::from_secs(1)).await;
        assert_eq!(turns(system, "p").await, (calls + letters) as u64);
        assert_eq!(head(system.store(), "p").await.waiting, 1, "one waits for room");
        sea.is_shut.store(false, Ordering::Relaxed);
        pass(system, Duration::from_secs(60)).await;
        assert_eq!(turns(system, "p").await, (calls + letters + 1) as u64);
        assert_eq!(p.call(Play::Throw(1)).await.ok(), Some((calls + letters + 2) as u64));
        pass(system, Duration::from_secs(1)).await;
        // The next time it is full callers wait anew.
        sea.is_shut.store(true, Ordering::Relaxed);
        for _ in 0..calls {
            p.call(Play::Throw(PAYLOAD_BYTES_MAX)).await.expect("there is room for it");
        }
        let began = system.executor().now();
        assert!(is_full(&p.call(Play::Throw(1)).await));
        assert_eq!(system.executor().now().saturating_since(began), OUTBOX_WAIT_MAX);
        sea.is_shut.store(false, Ordering::Relaxed);
        pass(system, Duration::from_secs(60)).await;
        assert_eq!(outbox_bytes(system.store(), "p").await, 0);
    });
}

#[test]
fn what_is_not_stored_yet_takes_room_in_the_outbox() {
    let bytes = (0..OUTBOX_BYTES_MAX / PAYLOAD_BYTES_MAX).map(|n| PAYLOAD_BYTES_MAX - usize::from(n == 0));
    let fills = [vec![Play::Strew(OUTBOX_MAX - 1)], bytes.map(Play::Throw).collect()];
    for fill in fills {
        let mut world = World::new();
        let sea = Sea { is_shut: Arc::new(AtomicBool::new(true)) };
        let register = |builder: DurableBuilder| builder.register(Player).outlet("sea", sea.clone());
        world.run_with(register, async |system| {
            let p = player(system, "p");
            for play in fill {
                p.call(play).await.expect("there is room for it");
            }
            // They are handled together: the second finds the first not stored.
            let both = join_all((0..2).map(|_| p.call(Play::Throw(1)).into_future())).await;
            assert!(matches!(&both[..], [Ok(_), second] if is_full(second)), "{both:?}");
        });
    }
}

#[test]
fn who_only_looks_and_sends_all_the_same_is_refused_where_there_is_no_room() {
    let mut world = World::new();
    let sea = Sea { is_shut: Arc::new(AtomicBool::new(true)) };
    let register = |builder: DurableBuilder| builder.register(Player).outlet("sea", sea.clone());
    world.run_with(register, async |system| {
        let p = player(system, "p");
        p.call(Play::Strew(OUTBOX_MAX)).await.expect("there is room for it");
        assert!(is_full(&p.call(Play::Wave).await));
        assert_eq!(turns(system, "p").await, 1, "it is as it was before");
        sea.is_shut.store(false, Ordering::Relaxed);
        pass(system, Duration::from_secs(60)).await;
        assert_eq!(p.call(Play::Wave).await.ok(), Some(2));
    });
}
