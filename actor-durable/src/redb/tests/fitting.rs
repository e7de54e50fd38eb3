//! What lies in a file fits together after each change, and what does not is not taken.

use redb::WriteTransaction;

use super::rules::{put_bytes, remove, sound};
use super::script::open;
use super::suite::BEGAN;
use super::verifying::{change, faults, id, keys_of};
use super::{acquire, body, message, target, turn};
use crate::id::{Position, Sequence};
use crate::redb::faulty::FaultyDisk;
use crate::redb::keys::{self, Place};
use crate::store::{
    Destination, Headers, OutboxPosition, Outgoing, Refusal, Snapshot, Store, StoreError, TurnCommit,
};

/// Whether what an owner loads, and its inbox, are said to be damaged after a change.
async fn damaged(tampered: impl FnOnce(&WriteTransaction)) -> [bool; 2] {
    let disk = sound().await;
    change(&disk, tampered);
    let store = open(&disk).await;
    let head = acquire(&store, "a").await.expect("it is free");
    let loaded = store.load(&head.target.id, head.epoch).await.err();
    let read = store.inbox(&head.target.id, head.epoch, Position::ZERO, 9).await.err();
    [loaded, read].map(|error| matches!(error, Some(StoreError::NotApplied(Refusal::Damaged { .. }))))
}

#[tokio::test]
async fn a_state_that_is_missing_and_a_letter_that_nothing_points_at_are_not_read() {
    let a = keys_of("a");
    assert_eq!(damaged(|_| {}).await, [false, false]);
    assert_eq!(damaged(|store| remove(store, &a.snapshot())).await, [true, false]);
    assert_eq!(damaged(|store| remove(store, &a.place(id(4)))).await, [false, true]);
    let (key, place) = (a.place(id(4)), Place { position: Position(9), attempts: 0 });
    let moved = |store: &WriteTransaction| put_bytes(store, &key, &keys::seal(&key, &place.to_bytes()));
    assert_eq!(damaged(moved).await, [false, true]);
}

#[tokio::test]
async fn an_actor_whose_last_message_has_moved_has_nothing_to_do() {
    let store = open(&FaultyDisk::new()).await;
    let head = acquire(&store, "a").await.expect("it is free");
    let position = OutboxPosition { sequence: Sequence(1), index: 0 };
    let mut first = turn(&head, id(1), "one");
    first.outbox.push(Outgoing {
        position,
        to: Destination::Actor(target("b")),
        id: id(8),
        reply_to: None,
        sent_at: BEGAN,
        body: body("sent"),
        headers: Headers::new(),
    });
    store.commit_turn(first).await.expect("it commits");
    store.transfer(&head.target.id, head.epoch, position).await.expect("it is there");
    assert_eq!(faults(&store).await, []);
    store.release(&head.target.id, head.epoch).await.expect("it is owned");
    assert_eq!(store.waiting(None, 9).await.expect("it reads"), [target("b")]);
}

#[tokio::test]
async fn nothing_is_left_of_what_is_trimmed_or_of_reminders_of_one_that_has_ended() {
    let disk = sound().await;
    let store = open(&disk).await;
    let head = acquire(&store, "a").await.expect("it is free");
    let last = head.sequence.next();
    let state = Snapshot { sequence: last, body: body("state") };
    let commit = TurnCommit { state: Some(state), trim: Some(head.sequence), ..turn(&head, id(9), "four") };
    store.commit_turn(commit).await.expect("it is owned");
    assert_eq!(faults(&store).await, []);
    let head = acquire(&store, "a").await.expect("it is ours");
    let commit = TurnCommit { ends: true, ..turn(&head, id(10), "five") };
    store.commit_turn(commit).await.expect("it is owned");
    assert_eq!(faults(&store).await, []);
    store.enqueue(message("a", id(11), "late")).await.expect_err("it has ended");
}
