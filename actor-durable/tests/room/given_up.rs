//! What is to be given up, and for which there is no room either.

use std::sync::Arc;
use std::time::Duration;

use actor_durable::limits::{ATTEMPT_PAUSE_MAX, DEAD_LETTERS_MAX, DELIVERY_PAUSE_MAX, UNDELIVERED_MAX};
use actor_durable::store::{Headers, Letter, Message, OutboxPosition, Store, TurnCommit};
use actor_durable::{ActorType, Position, Sequence, Target, WallTime};

use super::player::{Play, Player, body, entry, have_sent, head, player, seize, target, turns};
use crate::stage::{World, pass};

async fn outbox_count(store: &Arc<dyn Store>, id: &str) -> usize {
    let head = seize(store, id).await;
    store.load(&target(id).id, head.epoch).await.expect("it is seized").outbox.len()
}

#[test]
fn a_letter_that_cannot_be_given_up_waits_until_there_is_room_among_the_dead() {
    let mut world = World::new();
    world.run_with(
        |builder| builder,
        async |system| {
            let (p, store) = (player(system, "p"), system.store());
            for _ in 0..DEAD_LETTERS_MAX {
                p.send(Play::Nothing).await.expect("it is stored");
            }
            let head = seize(store, "p").await;
            let letters = store.inbox(p.id(), head.epoch, Position::ZERO, DEAD_LETTERS_MAX).await;
            let give_up = |letter: Letter| letter.given_up(WallTime::ZERO, "so it was asked".into());
            let mut commit = TurnCommit::new(p.id().clone(), head.epoch, head.sequence);
            commit.entries.push(entry(&head));
            commit.dead = letters.expect("it is seized").into_iter().map(give_up).collect();
            assert_eq!(commit.dead.len(), DEAD_LETTERS_MAX);
            store.commit_turn(commit).await.expect("there is room");
            store.release(p.id(), head.epoch).await.expect("it is seized");
            let mut bad = body(system, Play::Nothing).await;
            bad.version = 99;
            let sent_at = WallTime::from_unix(system.executor().unix_time());
            let (id, from, reply_to, headers) = (p.new_message_id(), None, None, Headers::new());
            let message = Message { to: target("p"), id, from, reply_to, sent_at, body: bad, headers };
            store.enqueue(message).await.expect("there is room");
            p.send(Play::Nothing).await.expect("it is stored");
        },
    );
    world.run_with(
        |builder| builder.register(Player),
        async |system| {
            let (p, store) = (player(system, "p"), system.store());
            let dead = async || store.dead_letters(p.id(), None, 2_000).await.expect("it is there");
            pass(system, Duration::from_secs(60)).await;
            assert_eq!((dead().await.len(), head(store, "p").await.waiting), (DEAD_LETTERS_MAX, 2));
            assert_eq!(p.call(Play::Nothing).await.ok(), Some(1), "only its mail waits");
            let crashes = head(store, "p").await.crashes;
            assert_eq!(crashes, 0, "the same activation goes on");
            // One of these is not stored yet when the mail is tried again.
            for _ in 0..12 {
                let (long, short) = (p.call(Play::Rest), p.call(Play::Nothing));
                let (long, short) = futures_util::future::join(long.into_future(), short.into_future()).await;
                assert!(long.is_ok() && short.is_ok(), "{long:?}, {short:?}");
            }
            assert_eq!(head(store, "p").await.waiting, 2);
            let first = dead().await.remove(0).letter.message.id;
            store.purge(p.id(), first).await.expect("it is dead");
            pass(system, 2 * ATTEMPT_PAUSE_MAX).await;
            assert_eq!((dead().await.len(), head(store, "p").await.waiting), (DEAD_LETTERS_MAX, 0));
            assert_eq!(p.call(Play::Look).await.ok(), Some(26), "what was behind it is handled");
        },
    );
}

#[test]
fn what_cannot_be_given_up_stays_in_the_outbox_and_holds_up_only_what_goes_there() {
    let mut world = World::new();
    let other = Target { actor_type: ActorType::new("other").expect("a good name"), ..target("x") };
    world.run_with(
        |builder| builder,
        async |system| {
            player(system, "x").send(Play::Nothing).await.expect("it is stored");
            let body = body(system, Play::Nothing).await;
            have_sent(system.store(), "p", (&other, None), &body, UNDELIVERED_MAX + 1).await;
            have_sent(system.store(), "p", (&target("y"), None), &body, 1).await;
        },
    );
    world.run_with(
        |builder| builder.register(Player),
        async |system| {
            let (p, store) = (player(system, "p"), system.store());
            let given_up = async || store.undelivered(p.id(), None, 2_000).await.expect("it is there");
            pass(system, Duration::from_secs(60)).await;
            assert_eq!((given_up().await.len(), turns(system, "y").await), (UNDELIVERED_MAX, 1));
            let last = |index: usize| OutboxPosition {
                sequence: Sequence(1),
                index: u32::try_from(index).expect("it is small"),
            };
            assert_eq!(
                given_up().await.pop().map(|one| one.outgoing.position),
                Some(last(UNDELIVERED_MAX - 1))
            );
            let more = store.undelivered(p.id(), Some(last(UNDELIVERED_MAX - 1)), 10).await;
            assert_eq!(more.expect("it is there"), [], "no page has more");
            assert!(store.discard(p.id(), last(0)).await.expect("it is there"));
            pass(system, 2 * DELIVERY_PAUSE_MAX).await;
            assert_eq!(given_up().await.pop().map(|one| one.outgoing.position), Some(last(UNDELIVERED_MAX)));
        },
    );
    let outbox = world.run_with(|builder| builder, async |system| outbox_count(system.store(), "p").await);
    assert_eq!(outbox, 0);
}
