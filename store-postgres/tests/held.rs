//! Somebody who is not a store of ours holds the lock of an actor's row, for long. That keeps whoever wants this actor, and nobody else.

use std::sync::Arc;
use std::time::Duration;

use actor_durable::store::{Enqueued, GivingUp, Head, Outgoing, Refusal, Renewal, Store};
use actor_durable::{OwnerId, Position, Sequence, WallTime};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Postgres, Transaction};
use store_postgres::PostgresStore;
use store_postgres::limits::{ACTOR_CONNECTIONS_MAX, CONNECTIONS_DEFAULT};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::place::Schema;
use crate::values::{LONG, actor, message, message_id, outgoing, own, refusal, turn};

/// As an operator does who looks at a row and forgets to commit.
async fn held<'c>(connection: &'c mut PgConnection, id: &str) -> Transaction<'c, Postgres> {
    let mut transaction = connection.begin().await.expect("the server runs");
    let update = AssertSqlSafe(format!("UPDATE actors SET crashes = crashes WHERE id = '{id}'"));
    sqlx::raw_sql(update).execute(&mut *transaction).await.expect("it is there");
    transaction
}

/// An actor with one message to another one in its outbox.
async fn sender(store: &PostgresStore, id: &str, to: &str, number: u128) -> Head {
    let head = own(store, id, 1).await;
    let mut commit = turn(&actor(id), head.epoch, Sequence::ZERO);
    commit.outbox = vec![Outgoing { id: message_id(number), ..outgoing(1, to) }];
    store.commit_turn(commit).await.expect("it is owned");
    head
}

#[tokio::test]
async fn whoever_waits_for_an_actor_that_is_held_leaves_connections_to_the_others() {
    const EACH: u128 = CONNECTIONS_DEFAULT as u128;
    let Some(schema) = Schema::new() else { return };
    let store = Arc::new(schema.store().await);
    let (head, other) = (own(&*store, "a", 1).await, own(&*store, "other", 1).await);
    let mut heads = Vec::new();
    for number in 0..EACH {
        heads.push(sender(&store, &format!("sender{number}"), "a", 200 + number).await);
    }
    let mut connection = schema.connection().await;
    let held = held(&mut connection, "a").await;
    let mut tasks = JoinSet::new();
    for (number, sender) in (0..EACH).zip(heads) {
        let to = Arc::clone(&store);
        tasks.spawn(async move { to.enqueue(message("a", 100 + number)).await });
        let by = Arc::clone(&store);
        let position = outgoing(1, "a").position;
        let (actor, epoch) = (sender.target.id, sender.epoch);
        if number % 2 == 0 {
            tasks.spawn(async move { by.transfer(&actor, epoch, position).await });
            continue;
        }
        let (at, reason) = (WallTime::ZERO, String::new());
        let given_up = GivingUp { actor: actor.clone(), epoch, position, at, reason, notice: None };
        by.give_up_delivery(given_up).await.expect("it was sent");
        tasks.spawn(async move { Ok(by.redeliver(&actor, position).await?.expect("it is there")) });
    }
    schema.until_blocked(1).await;
    for sequence in 0..20 {
        store
            .commit_turn(turn(&actor("other"), other.epoch, Sequence(sequence)))
            .await
            .expect("it has a connection");
    }
    schema.until(&format!("count(*) = {ACTOR_CONNECTIONS_MAX}")).await;
    held.rollback().await.expect("the server runs");
    while let Some(outcome) = tasks.join_next().await {
        assert_eq!(outcome.expect("no panic").expect("nobody is in the way"), Enqueued::Stored);
    }
    let letters = store.inbox(&actor("a"), head.epoch, Position::ZERO, 100).await.expect("it is owned");
    assert_eq!(letters.len() as u128, 2 * EACH);
}

/// Of few connections half are for others; and whoever waits for the actor is told when the store is closed.
#[tokio::test]
async fn a_store_of_two_connections_has_one_for_other_actors() {
    let Some(schema) = Schema::new() else { return };
    let config = schema.config.clone().with_connections_max(2);
    let store = Arc::new(PostgresStore::open(config).await.expect("the server runs"));
    let (_, other) = (own(&*store, "a", 1).await, own(&*store, "other", 1).await);
    let mut connection = schema.connection().await;
    let held = held(&mut connection, "a").await;
    let [first, second] = [1, 2].map(|number| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.enqueue(message("a", number)).await })
    });
    schema.until_blocked(1).await;
    store.commit_turn(turn(&actor("other"), other.epoch, Sequence::ZERO)).await.expect("it has a connection");
    store.close();
    let closed = timeout(Duration::from_secs(3), second).await.expect("it is told").expect("no panic");
    assert!(matches!(refusal(closed), Refusal::Closed(_)));
    held.rollback().await.expect("the server runs");
    assert_eq!(first.await.expect("no panic").expect("it was under way"), Enqueued::Stored);
}

/// A message is on its way from one actor to another. Whoever has locked the first waits for the second for a moment only.
#[tokio::test]
async fn whoever_waits_too_long_for_a_receiver_has_changed_nothing_and_lets_its_sender_go_on() {
    let Some(schema) = Schema::new() else { return };
    drop(schema.store().await);
    let config = schema.config.clone().with_answer_timeout(Duration::from_secs(3));
    let store = Arc::new(PostgresStore::open(config).await.expect("the server runs"));
    own(&*store, "b", 1).await;
    let head = sender(&store, "a", "b", 1).await;
    let mut connection = schema.connection().await;
    let held = held(&mut connection, "b").await;
    let at = outgoing(1, "b").position;
    let late = refusal(store.transfer(&actor("a"), head.epoch, at).await);
    let Refusal::Unavailable(cause) = late else { panic!("{late:?}") };
    assert!(cause.to_string().contains("canceling statement due to lock timeout"), "{cause}");
    store.commit_turn(turn(&actor("a"), head.epoch, Sequence(1))).await.expect("nobody is at the sender");
    held.rollback().await.expect("the server runs");
    assert_eq!(store.transfer(&actor("a"), head.epoch, at).await.expect("it is there"), Enqueued::Stored);
    assert_eq!(store.load(&actor("a"), head.epoch).await.expect("it is owned").outbox, []);
}

/// What a renewal does for leases of others is no reason to be late with its own: it leaves those that somebody is at.
#[tokio::test]
async fn whoever_renews_its_lease_waits_for_no_other() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().await;
    for (owner, change) in [(1, "ends_at - interval '2 days'"), (2, "ends_at + interval '2 days'")] {
        store.renew(OwnerId::new(owner), LONG).await.expect("a lease");
        schema
            .say(&format!("UPDATE leases SET ends_at = {change} WHERE get_byte(owner, 15) = {owner}"))
            .await;
        let mut connection = schema.connection().await;
        let mut held = connection.begin().await.expect("the server runs");
        let lock = "SELECT FROM leases FOR UPDATE";
        sqlx::raw_sql(lock).execute(&mut *held).await.expect("they are there");
        let renewed = timeout(Duration::from_secs(3), store.renew(OwnerId::new(9 + owner), LONG)).await;
        assert_eq!(renewed.expect("nobody is in its way").expect("a lease"), Renewal::Begun, "{owner}");
        held.rollback().await.expect("the server runs");
    }
}

#[tokio::test]
async fn whoever_is_to_delete_an_actor_that_is_held_keeps_nobody_from_making_another() {
    let Some(schema) = Schema::new() else { return };
    let store = Arc::new(schema.store().await);
    let head = own(&*store, "a", 1).await;
    let mut connection = schema.connection().await;
    let held = held(&mut connection, "a").await;
    let deleting = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.delete(&head.target.id, head.epoch).await }
    });
    schema.until_blocked(1).await;
    let made = timeout(Duration::from_secs(3), store.enqueue(message("new", 1))).await;
    assert_eq!(made.expect("nobody is in its way").expect("it is new"), Enqueued::Stored);
    assert!(!deleting.is_finished());
    held.rollback().await.expect("the server runs");
    deleting.await.expect("no panic").expect("it is owned");
    assert_eq!(store.head(&actor("a")).await.expect("a store"), None);
}
