//! What comes into an inbox while others are at the actor, and when there is no room.

use std::sync::Arc;

use actor_durable::limits::{INBOX_MESSAGES_MAX, INBOX_RESERVED};
use actor_durable::store::{
    ClaimMode, Enqueued, Firing, GivingUp, OutboxPosition, Outgoing, Refusal, Reminder, ReminderChange,
    Store, StoreError,
};
use actor_durable::{OwnerId, Position, Sequence, WallTime};
use sqlx::Connection;
use store_postgres::PostgresStore;

use crate::place::Schema;
use crate::values::{LONG, actor, claim, message, message_id, outgoing, own, refusal, reminder, turn};

/// Runs what changes an actor, and an enqueue meanwhile; the change is seen.
async fn enqueued_beside(change: &'static str) -> Option<Result<Enqueued, StoreError>> {
    let schema = Schema::new()?;
    let store = Arc::new(schema.store().await);
    own(&*store, "a", 1).await;
    let mut other = schema.connection().await;
    let mut transaction = other.begin().await.expect("the server runs");
    sqlx::raw_sql(change).execute(&mut *transaction).await.expect("good words");
    let enqueue = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.enqueue(message("a", 1)).await }
    });
    schema.until_blocked(1).await;
    transaction.commit().await.expect("the server runs");
    Some(enqueue.await.expect("no panic"))
}

#[tokio::test]
async fn a_message_sees_what_was_done_to_the_actor_while_it_came() {
    let changes = [
        ("UPDATE actors SET has_ended = true", "the actor has ended for good"),
        ("UPDATE actors SET waiting = 100000", "too many messages in an inbox: at most 100000 are allowed"),
        ("UPDATE actors SET horizon = 1000", "what was made until"),
    ];
    for (change, why) in changes {
        let Some(outcome) = enqueued_beside(change).await else { return };
        let said = refusal(outcome).to_string();
        assert!(said.contains(why), "{change}: {said}");
    }
}

#[tokio::test]
async fn a_full_inbox_takes_no_message_by_whatever_way() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().await;
    let order = Outgoing {
        position: OutboxPosition { sequence: Sequence(1), index: 1 },
        id: message_id(2_000_000),
        headers: [("actor-durable-order".to_owned(), String::new())].into(),
        ..outgoing(1, "a")
    };
    let full = |reserved| {
        let max = INBOX_MESSAGES_MAX + reserved;
        Refusal::TooMany { what: "messages in an inbox", max }
    };
    let head = own(&store, "sender", 1).await;
    let mut commit = turn(&actor("sender"), head.epoch, Sequence::ZERO);
    commit.outbox = vec![outgoing(1, "a"), order];
    let (position, order_position) = (commit.outbox[0].position, commit.outbox[1].position);
    store.commit_turn(commit).await.expect("it is owned");
    let head_of_a = own(&store, "a", 1).await;
    let mut commit = turn(&actor("a"), head_of_a.epoch, Sequence::ZERO);
    commit.reminders = vec![ReminderChange::Set(reminder(5))];
    store.commit_turn(commit).await.expect("it is owned");
    let firing = Firing {
        actor: actor("a"),
        name: reminder(5).name,
        set_by: Sequence(1),
        due: WallTime::from_millis(5),
        messages: vec![message("a", 100)],
        next: None,
    };

    let fill = |count: usize| format!("UPDATE actors SET waiting = {count} WHERE id = 'a'");
    let giving_up = GivingUp {
        actor: actor("sender"),
        epoch: head.epoch,
        position,
        at: WallTime::ZERO,
        reason: "nobody takes it".into(),
        notice: Some(message("sender", 103)),
    };

    schema.say(&fill(INBOX_MESSAGES_MAX)).await;
    assert_eq!(refusal(store.enqueue(message("a", 101)).await), full(0));
    assert_eq!(refusal(store.fire(firing.clone()).await), full(0));
    schema.say(&fill(INBOX_MESSAGES_MAX + INBOX_RESERVED)).await;
    assert_eq!(refusal(store.transfer(&actor("sender"), head.epoch, position).await), full(INBOX_RESERVED));
    schema.say(&fill(INBOX_MESSAGES_MAX + 3 * INBOX_RESERVED)).await;
    let order = store.transfer(&actor("sender"), head.epoch, order_position).await;
    assert_eq!(refusal(order), full(3 * INBOX_RESERVED));
    schema.say(&fill(INBOX_MESSAGES_MAX + 3 * INBOX_RESERVED - 1)).await;
    let order = store.transfer(&actor("sender"), head.epoch, order_position).await;
    assert_eq!(order.expect("there is room for an order"), Enqueued::Stored);
    let full_sender = format!(
        "UPDATE actors SET waiting = {} WHERE id = 'sender'",
        INBOX_MESSAGES_MAX + 2 * INBOX_RESERVED
    );
    schema.say(&full_sender).await;
    assert_eq!(refusal(store.give_up_delivery(giving_up.clone()).await), full(2 * INBOX_RESERVED));
    // Each comes when there is room.
    schema.say(&fill(INBOX_MESSAGES_MAX - 2)).await;
    assert_eq!(store.enqueue(message("a", 101)).await.expect("there is room"), Enqueued::Stored);
    assert!(store.fire(firing).await.expect("there is room"));
    assert_eq!(refusal(store.enqueue(message("a", 102)).await), full(0));
    schema.say("UPDATE actors SET waiting = waiting - 1 WHERE id = 'sender'").await;
    schema.say(&fill(INBOX_MESSAGES_MAX + INBOX_RESERVED - 1)).await;
    let moved = store.transfer(&actor("sender"), head.epoch, position).await;
    assert_eq!(moved.expect("there is room"), Enqueued::Stored);
    let mut commit = turn(&actor("sender"), head.epoch, Sequence(1));
    commit.outbox = vec![outgoing(2, "a")];
    let position = commit.outbox[0].position;
    store.commit_turn(commit).await.expect("it is owned");
    let giving_up = GivingUp { position, ..giving_up };
    assert!(store.give_up_delivery(giving_up).await.expect("there is room for the notice"));
}

/// What the messages before have taken is counted, though nothing of them is kept.
#[tokio::test]
async fn a_firing_of_more_messages_than_there_is_room_for_is_refused_for_that() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().await;
    let head = own(&store, "a", 1).await;
    let mut commit = turn(&actor("a"), head.epoch, Sequence::ZERO);
    commit.reminders = vec![ReminderChange::Set(reminder(5))];
    store.commit_turn(commit).await.expect("it is owned");
    let fill = |count: usize| format!("UPDATE actors SET waiting = {count}");
    schema.say(&fill(INBOX_MESSAGES_MAX - 2)).await;
    store.enqueue(message("a", 100)).await.expect("there is room");
    let Reminder { name, set_by, due, .. } = reminder(5);
    let messages = [100, 101, 102].map(|number| message("a", number)).into();
    let firing = Firing { actor: actor("a"), name, set_by, due, messages, next: None };
    let many = Refusal::TooMany { what: "messages in an inbox", max: INBOX_MESSAGES_MAX };
    assert_eq!(refusal(store.fire(firing.clone()).await), many);
    let letters = store.inbox(&actor("a"), head.epoch, Position::ZERO, 10).await.expect("it is owned");
    assert_eq!(letters.len(), 1);
    schema.say(&fill(INBOX_MESSAGES_MAX - 2)).await;
    assert!(store.fire(firing).await.expect("there is room"));
}

/// The batch is of the one who has the actor, until its lease is over; then it is another one's, and nothing of it is done twice.
#[tokio::test]
async fn d14_a_batch_is_bounded_and_in_order_and_of_one_owner_at_a_time() {
    let Some(schema) = Schema::new() else { return };
    let (one, other): (PostgresStore, PostgresStore) = (schema.store().await, schema.store().await);
    for number in 1..=10 {
        one.enqueue(message("a", number)).await.expect("it is new");
    }
    for (owner, store) in [(1, &one), (2, &other)] {
        store.renew(OwnerId::new(owner), LONG).await.expect("a lease");
    }
    let head = one.acquire(claim("a", 1, ClaimMode::IfFree)).await.expect("it is free");
    let ids = async |store: &PostgresStore, epoch, after| -> Result<Vec<_>, StoreError> {
        let batch = store.inbox(&actor("a"), epoch, after, 4).await?;
        Ok(batch.into_iter().map(|letter| (letter.position, letter.message.id)).collect())
    };
    let first = ids(&one, head.epoch, Position::ZERO).await.expect("it is owned");
    assert_eq!(
        first.iter().map(|(_, id)| *id).collect::<Vec<_>>(),
        (1..=4).map(message_id).collect::<Vec<_>>()
    );
    let second = ids(&one, head.epoch, first[3].0).await.expect("it is owned");
    assert_eq!(
        second.iter().map(|(_, id)| *id).collect::<Vec<_>>(),
        (5..=8).map(message_id).collect::<Vec<_>>()
    );

    // Nobody else gets it.
    let held = refusal(other.acquire(claim("a", 2, ClaimMode::IfFree)).await);
    assert_eq!(held, Refusal::Held { owner: OwnerId::new(1) });
    let guessed = ids(&other, head.epoch.next(), Position::ZERO).await;
    assert!(matches!(guessed, Err(StoreError::Fenced { .. })), "{guessed:?}");

    // Its owner is dead: another one gets the same, and the first one nothing more.
    schema.say("UPDATE leases SET ends_at = clock_timestamp() - interval '1 second' WHERE owner <> '\\x00000000000000000000000000000002'").await;
    let taken = other.acquire(claim("a", 2, ClaimMode::IfFree)).await.expect("it is free");
    assert_eq!(ids(&other, taken.epoch, Position::ZERO).await.expect("it is owned"), first);
    let late = ids(&one, head.epoch, Position::ZERO).await;
    assert!(matches!(late, Err(StoreError::Fenced { .. })), "{late:?}");
    let late = one.commit_turn(turn(&actor("a"), head.epoch, Sequence::ZERO)).await;
    assert!(matches!(late, Err(StoreError::Fenced { .. })), "{late:?}");
}
