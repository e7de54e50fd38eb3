//! Those who are full do not wait for each other for ever.

use std::sync::Arc;
use std::time::Duration;

use actor_durable::limits::{
    DELIVERY_FULL_MAX, DELIVERY_PAUSE_MAX, OUTBOX_BYTES_MAX, OUTBOX_BYTES_RESERVED, PAYLOAD_BYTES_MAX,
};
use actor_durable::store::{Claim, ClaimMode, OutboxPosition, Store};
use actor_durable::{AskError, OwnerId, Sequence};

use super::narrow::{NARROW_MAX, NARROW_RESERVED, Narrow};
use super::player::{
    Play, Player, body, fill_inbox, have_sent, head, large, outbox_bytes, player, target, turns,
};
use crate::stage::{Tapped, World, pass};

/// Each of these has its inbox full, to the last of what is reserved for actors, and its outbox full of what goes to the next, to the
/// last of what is not reserved for letters.
fn those_that_are_full_go_on(ids: &[&str]) {
    let mut world = World::new();
    world.run_with(
        |builder| builder,
        async |system| {
            for (n, from) in ids.iter().enumerate() {
                let body = body(system, Play::Ball(ids[(n + 1) % ids.len()].to_owned(), large())).await;
                for _ in 0..3 {
                    have_sent(system.store(), from, (&target(ids[(n + 1) % ids.len()]), None), &body, 6)
                        .await;
                }
                fill_inbox(system, from, &body, NARROW_MAX + NARROW_RESERVED).await;
            }
        },
    );
    let narrow: Arc<dyn Store> = Arc::new(Tapped::new(world.store.clone(), Narrow));
    let handled = world.crash_with(
        narrow,
        |builder| builder.register(Player),
        async |system| {
            pass(system, Duration::from_secs(60)).await;
            let full = player(system, ids[0]).send(Play::Nothing).await;
            assert!(matches!(full, Err(AskError::NotApplied(why)) if why.is_transient()));
            let mut handled = Vec::new();
            for id in ids {
                let waiting = head(system.store(), id).await.waiting;
                assert!(waiting <= (NARROW_MAX + NARROW_RESERVED) as u64, "{waiting}");
                handled.push(turns(system, id).await);
            }
            handled
        },
    );
    assert!(handled.iter().all(|turns| *turns >= 25), "half of what they could: {handled:?}");
    for id in ids {
        let bytes = world.run_with(|builder| builder, async |system| outbox_bytes(system.store(), id).await);
        assert!(bytes <= OUTBOX_BYTES_MAX + OUTBOX_BYTES_RESERVED + PAYLOAD_BYTES_MAX, "{bytes}");
    }
}

#[test]
fn an_actor_that_is_full_and_sends_to_itself_goes_on() {
    those_that_are_full_go_on(&["a"]);
}

#[test]
fn actors_that_are_full_and_send_round_go_on() {
    those_that_are_full_go_on(&["a", "b"]);
    those_that_are_full_go_on(&["a", "b", "c"]);
}

#[test]
fn an_actor_that_is_full_gives_up_what_a_full_receiver_has_had_no_room_for() {
    let mut world = World::new();
    let owner = OwnerId::new(78);
    world.run_with(
        |builder| builder,
        async |system| {
            let store = system.store();
            let body = body(system, Play::Ball("nobody".into(), large())).await;
            fill_inbox(system, "full", &body, NARROW_MAX + NARROW_RESERVED).await;
            // Without one of them there is room.
            for count in [7, 6, 6] {
                have_sent(store, "p", (&target("full"), Some(&target("p"))), &body, count).await;
            }
            player(system, "p").send(Play::Nothing).await.expect("it is stored");
            // It handles nothing, as somebody else has it.
            store.renew(owner, Duration::from_secs(3_600)).await.expect("it is in memory");
            let (epoch_min, mode) = (Default::default(), ClaimMode::Seize);
            let claim = Claim { target: target("full"), owner, epoch_min, mode };
            store.acquire(claim).await.expect("it is seized");
        },
    );
    let narrow: Arc<dyn Store> = Arc::new(Tapped::new(world.store.clone(), Narrow));
    world.crash_with(
        narrow,
        |builder| builder.register(Player),
        async |system| {
            let p = player(system, "p");
            let given_up = async || system.store().undelivered(p.id(), None, 10).await.expect("it is there");
            pass(system, DELIVERY_FULL_MAX - Duration::from_secs(1)).await;
            assert_eq!(turns(system, "p").await, 0, "the letter waits");
            assert_eq!(given_up().await, []);
            pass(system, DELIVERY_PAUSE_MAX + Duration::from_secs(1)).await;
            let [undelivered] = &given_up().await[..] else { panic!("one was enough") };
            assert_eq!(undelivered.outgoing.position, OutboxPosition { sequence: Sequence(1), index: 0 });
            let max = NARROW_MAX + NARROW_RESERVED;
            assert_eq!(
                undelivered.reason,
                format!("too many messages in an inbox: at most {max} are allowed")
            );
            assert_eq!(turns(system, "p").await, 2, "its letter, and that it was told");
            // There is room here now, so nothing more is given up however long it takes.
            pass(system, 2 * DELIVERY_FULL_MAX).await;
            assert_eq!(given_up().await.len(), 1);
        },
    );
}
