//! What lies in the tables: what is not needed goes, no page is too large, and the schema itself keeps doubles out.

use std::time::Duration;

use actor_durable::limits::{
    EPOCH_MIN_MAX, EVENT_BYTES_MAX, PAGE_BYTES_MAX, PAYLOAD_BYTES_MAX, REMINDER_BYTES_MAX,
};
use actor_durable::store::{
    Body, Claim, ClaimMode, DeadLetter, DuePlace, Entry, GivingUp, Letter, Message, Outgoing, Refusal,
    Reminder, ReminderChange, Renewal, Snapshot, Store,
};
use actor_durable::{Epoch, Name, OwnerId, Position, Sequence, WallTime};
use bytes::Bytes;
use sqlx::{AssertSqlSafe, Row};

use crate::place::Schema;
use crate::values::{
    LONG, actor, body, claim, entry, message, message_id, outgoing, own, refusal, reminder, turn,
};

async fn count(schema: &Schema, rows: &str) -> i64 {
    let count = AssertSqlSafe(format!("SELECT count(*) FROM {rows}"));
    sqlx::query(count).fetch_one(&mut schema.connection().await).await.expect("good words").get(0)
}

#[tokio::test]
async fn entries_that_are_trimmed_leave_the_table() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().await;
    let head = own(&store, "a", 1).await;
    for sequence in 0..4 {
        let mut commit = turn(&actor("a"), head.epoch, Sequence(sequence));
        commit.trim = (sequence == 2).then_some(Sequence(1));
        store.commit_turn(commit).await.expect("it is owned");
    }
    assert_eq!(count(&schema, "entries").await, 3);
    let state = Snapshot { sequence: Sequence(4), body: body(4) };
    store.save_snapshot(&actor("a"), head.epoch, state, Some(Sequence(3))).await.expect("it is owned");
    assert_eq!(count(&schema, "entries").await, 1);
}

/// Owners are processes, and processes come and go.
#[tokio::test]
async fn leases_that_are_long_over_leave_the_table() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().await;
    for (owner, hours) in [(1, 25), (2, 23)] {
        store.renew(OwnerId::new(owner), LONG).await.expect("a lease");
        let past = format!(
            "UPDATE leases SET ends_at = clock_timestamp() - interval '{hours} hours' WHERE ends_at > now()"
        );
        schema.say(&past).await;
    }
    store.renew(OwnerId::new(3), LONG).await.expect("a lease");
    let left = "leases WHERE owner IN ('\\x00000000000000000000000000000002', '\\x00000000000000000000000000000003')";
    assert_eq!((count(&schema, left).await, count(&schema, "leases").await), (2, 2));
}

/// The database can say no time so late.
#[tokio::test]
async fn a_lease_without_an_end_is_a_long_one() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().await;
    let begun = store.renew(OwnerId::new(1), Duration::MAX).await;
    assert_eq!(begun.expect("a lease"), Renewal::Begun);
    let centuries = "leases WHERE ends_at > clock_timestamp() + interval '900 years'";
    assert_eq!(count(&schema, centuries).await, 1);
}

#[tokio::test]
async fn an_epoch_that_the_database_cannot_say_is_refused() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().await;
    store.renew(OwnerId::new(1), LONG).await.expect("a lease");
    let at = |epoch_min| Claim { epoch_min: Epoch(epoch_min), ..claim("a", 1, ClaimMode::IfFree) };
    assert!(matches!(refusal(store.acquire(at(i64::MAX.unsigned_abs() + 1)).await), Refusal::Malformed(_)));
    assert_eq!(store.acquire(at(EPOCH_MIN_MAX)).await.expect("it is free").epoch, Epoch(EPOCH_MIN_MAX));
}

/// Whatever a statement does wrong: there is one entry of a number, and one message of an id.
#[tokio::test]
async fn the_schema_itself_keeps_doubles_out() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().await;
    let head = own(&store, "a", 1).await;
    store.commit_turn(turn(&actor("a"), head.epoch, Sequence::ZERO)).await.expect("it is owned");
    store.enqueue(message("a", 9)).await.expect("it is new");
    for (double, unique) in [
        ("entries SELECT * FROM entries", "entries_are_unique"),
        ("handled SELECT * FROM handled", "handled_are_unique"),
        ("letters SELECT actor, position + 1, message, attempts, row FROM letters", "letters_are_unique"),
        ("letters SELECT actor, position, 'other', attempts, row FROM letters", "letters_pkey"),
        ("actors SELECT * FROM actors", "actors_pkey"),
    ] {
        let double = AssertSqlSafe(format!("INSERT INTO {double}"));
        let error = sqlx::raw_sql(double).execute(&mut schema.connection().await).await.expect_err(unique);
        let error = error.into_database_error().expect("the server says so");
        assert_eq!((error.code().as_deref(), error.constraint()), (Some("23505"), Some(unique)));
    }
}

/// One more than a page has: each has some bytes besides what it carries.
const ROWS: u64 = (PAGE_BYTES_MAX / PAYLOAD_BYTES_MAX) as u64;

fn large() -> Body {
    Body { version: 1, bytes: Bytes::from(vec![7; PAYLOAD_BYTES_MAX.min(EVENT_BYTES_MAX)]) }
}

/// A page is no larger than it may be, and what comes behind it is found.
#[tokio::test]
async fn a_page_of_large_rows_has_fewer_of_them() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().await;
    let head = own(&store, "a", 1).await;
    for number in 1..=ROWS {
        let letter = Message { body: large(), ..message("a", number.into()) };
        store.enqueue(letter).await.expect("it is new");
        let mut commit = turn(&actor("a"), head.epoch, Sequence(number - 1));
        commit.entries = vec![Entry { events: vec![large()], ..entry(number) }];
        commit.handled.clear();
        store.commit_turn(commit).await.expect("it is owned");
    }
    let pages = async |after| {
        let letters = store.inbox(&actor("a"), head.epoch, Position(after), 100).await.expect("it is owned");
        let entries = store.entries(&actor("a"), Sequence(after), 100).await.expect("it is there");
        (letters.len() as u64, entries.len() as u64)
    };
    assert_eq!(pages(0).await, (ROWS - 1, ROWS - 1));
    assert_eq!(pages(ROWS - 1).await, (1, 1));
}

/// As above, of what was given up.
#[tokio::test]
async fn a_page_of_large_rows_that_were_given_up_has_fewer_of_them() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().await;
    let head = own(&store, "a", 1).await;
    for number in 1..=ROWS {
        let message = Message { body: large(), ..message("a", 500 + u128::from(number)) };
        store.enqueue(message.clone()).await.expect("it is new");
        let letter = Letter { position: Position(number), attempts: 0, message };
        let mut commit = turn(&actor("a"), head.epoch, Sequence(number - 1));
        commit.dead = vec![DeadLetter { letter, at: WallTime::ZERO, reason: String::new() }];
        commit.outbox = vec![Outgoing { body: large(), ..outgoing(number, "b") }];
        let position = commit.outbox[0].position;
        store.commit_turn(commit).await.expect("it is owned");
        let (actor, at, reason) = (actor("a"), WallTime::ZERO, String::new());
        let giving_up = GivingUp { actor, epoch: head.epoch, position, at, reason, notice: None };
        assert!(store.give_up_delivery(giving_up).await.expect("it was sent"));
    }
    let dead = async |after| store.dead_letters(&actor("a"), after, 100).await.expect("it is there");
    let (first, last) = (dead(None).await, dead(Some(message_id(499 + u128::from(ROWS)))).await);
    assert_eq!((first.len() as u64, last.len()), (ROWS - 1, 1));
    let sent = async |after| store.undelivered(&actor("a"), after, 100).await.expect("it is there");
    let (first, last) = (sent(None).await, sent(Some(outgoing(ROWS - 1, "b").position)).await);
    assert_eq!((first.len() as u64, last.len()), (ROWS - 1, 1));
}

/// As above, of what is due; it is said when those are that the page has no room for.
#[tokio::test]
async fn a_page_of_large_reminders_has_fewer_of_them() {
    const REMINDERS: u64 = (PAGE_BYTES_MAX / REMINDER_BYTES_MAX) as u64;
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().await;
    let head = own(&store, "a", 1).await;
    let called = |number: u64| Name::new(format!("r{number}")).expect("a good name");
    let body = || Body { version: 1, bytes: Bytes::from(vec![7; REMINDER_BYTES_MAX]) };
    for number in 1..=REMINDERS {
        let mut commit = turn(&actor("a"), head.epoch, Sequence(number - 1));
        let reminder = Reminder { name: called(number), body: body(), ..reminder(number) };
        commit.reminders = vec![ReminderChange::Set(reminder)];
        store.commit_turn(commit).await.expect("it is owned");
    }
    let due = async |now, after: Option<&DuePlace>, limit| {
        let due = store.due(WallTime::from_millis(now), after, limit).await.expect("a store");
        (due.reminders.len() as u64, due.next.map(WallTime::as_millis))
    };
    assert_eq!(due(REMINDERS, None, 1_000).await, (REMINDERS - 1, Some(REMINDERS)));
    assert_eq!(due(5, None, 1_000).await, (5, Some(6)));
    assert_eq!(due(5, None, 3).await, (3, Some(4)));
    let (actor, name) = (actor("a"), called(REMINDERS - 1));
    let after = DuePlace { due: WallTime::from_millis(REMINDERS - 1), actor, name };
    assert_eq!(due(REMINDERS, Some(&after), 1_000).await, (1, None));
}
