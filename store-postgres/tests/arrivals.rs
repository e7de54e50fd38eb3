//! Who listens hears for whom messages have come, from whichever store.

use std::time::Duration;

use actor_durable::limits::ARRIVALS_BEHIND_MAX;
use actor_durable::store::{Arrival, Arrivals, ReminderChange, Store};
use actor_durable::{Sequence, WallTime};
use sqlx::AssertSqlSafe;
use store_postgres::limits::SILENCE_MAX;
use store_postgres::testing::{Server, or_skip};
use tokio::time::timeout;

use crate::place::Schema;
use crate::values::{LONG, actor, message, outgoing, own, reminder, target, turn};

/// The next one; a test that would wait for ever fails.
async fn next(arrivals: &mut Box<dyn Arrivals>) -> Arrival {
    timeout(Duration::from_secs(20), arrivals.next()).await.expect("something is told")
}

#[tokio::test]
async fn mail_from_any_store_is_told_to_all_who_listen() {
    let Some(schema) = Schema::new() else { return };
    let (one, other) = (schema.store().await, schema.store().await);
    let (mut first, mut second) = (one.arrivals(), other.arrivals());
    one.enqueue(message("a", 1)).await.expect("it is new");
    one.enqueue(message("a", 1)).await.expect("it waits");
    other.enqueue(message("b", 1)).await.expect("it is new");
    for arrivals in [&mut first, &mut second] {
        assert_eq!(next(arrivals).await, Arrival::Mail(target("a")));
        assert_eq!(next(arrivals).await, Arrival::Mail(target("b")), "what waits already is not told");
    }
}

/// Else all processes would reach for an actor with each message to it.
#[tokio::test]
async fn d18_of_an_actor_that_somebody_has_only_that_one_is_told() {
    let Some(schema) = Schema::new() else { return };
    let (one, other) = (schema.store().await, schema.store().await);
    let (mut owners, mut others) = (one.arrivals(), other.arrivals());
    own(&one, "a", 1).await;
    // Another owner, and nobody's.
    own(&other, "b", 2).await;
    for id in ["a", "b", "c"] {
        other.enqueue(message(id, 1)).await.expect("it is new");
    }
    for id in ["a", "c"] {
        assert_eq!(next(&mut owners).await, Arrival::Mail(target(id)));
    }
    for id in ["b", "c"] {
        assert_eq!(next(&mut others).await, Arrival::Mail(target(id)));
    }
    // The lease of its owner is over.
    schema.say("UPDATE leases SET ends_at = clock_timestamp() - interval '1 second'").await;
    other.enqueue(message("a", 2)).await.expect("it is new");
    for arrivals in [&mut owners, &mut others] {
        assert_eq!(next(arrivals).await, Arrival::Mail(target("a")));
    }
    // Nobody answers for an owner that has retired.
    one.renew(actor_durable::OwnerId::new(1), LONG).await.expect("a lease");
    one.retire(actor_durable::OwnerId::new(1)).await.expect("a store");
    other.enqueue(message("a", 3)).await.expect("it is new");
    for arrivals in [&mut owners, &mut others] {
        assert_eq!(next(arrivals).await, Arrival::Mail(target("a")));
    }
}

/// Reminders and other actors' outboxes bring mail too.
#[tokio::test]
async fn mail_of_reminders_and_of_outboxes_is_told() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().await;
    let mut arrivals = store.arrivals();
    let head = own(&store, "a", 1).await;
    let mut commit = turn(&actor("a"), head.epoch, Sequence::ZERO);
    commit.reminders = vec![ReminderChange::Set(reminder(5))];
    commit.outbox = vec![outgoing(1, "b")];
    let position = commit.outbox[0].position;
    store.commit_turn(commit).await.expect("it is owned");
    store.transfer(&actor("a"), head.epoch, position).await.expect("it is there");
    assert_eq!(next(&mut arrivals).await, Arrival::Mail(target("b")));
    let firing = actor_durable::store::Firing {
        actor: actor("a"),
        name: reminder(5).name,
        set_by: Sequence(1),
        due: WallTime::from_millis(5),
        messages: vec![message("a", 3)],
        next: None,
    };
    assert!(store.fire(firing).await.expect("it is due"));
    assert_eq!(next(&mut arrivals).await, Arrival::Mail(target("a")));
}

#[tokio::test]
async fn a_lost_connection_tells_that_some_may_be_missed_and_goes_on() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().await;
    let mut arrivals = store.arrivals();
    let end = format!(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE query LIKE 'LISTEN%actor_mail:{}%'",
        schema.name
    );
    let ended = sqlx::raw_sql(AssertSqlSafe(end)).execute(&mut schema.connection().await).await;
    assert_eq!(ended.expect("the server runs").rows_affected(), 1);
    assert_eq!(next(&mut arrivals).await, Arrival::Missed);
    store.enqueue(message("a", 1)).await.expect("it is new");
    assert_eq!(next(&mut arrivals).await, Arrival::Mail(target("a")));
}

#[tokio::test]
async fn whoever_falls_behind_is_told_that_it_has_missed_some() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().await;
    let (mut slow, mut quick) = (store.arrivals(), store.arrivals());
    let notify = format!(
        "SELECT pg_notify('actor_mail:{}', E'counter\\n\\na' || number) FROM generate_series(0, {ARRIVALS_BEHIND_MAX}) number",
        schema.name
    );
    schema.say(&notify).await;
    for number in 0..=ARRIVALS_BEHIND_MAX {
        // The quick one reads as they come.
        let heard = next(&mut quick).await;
        if heard == Arrival::Missed {
            continue;
        }
        assert!(
            matches!(&heard, Arrival::Mail(target) if target.id.as_str() == format!("a{number}"))
                || number > 0
        );
    }
    assert_eq!(next(&mut slow).await, Arrival::Missed);
}

/// Somebody else has said something on the channel of the store, in a form that this release does not know.
#[tokio::test]
async fn what_is_not_understood_may_be_mail() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().await;
    let mut arrivals = store.arrivals();
    for payload in ["", "counter", "counter\n", "counter\nx\na", "\n\na", "counter\n\n"] {
        schema.say(&format!("SELECT pg_notify('actor_mail:{}', '{payload}')", schema.name)).await;
        assert_eq!(next(&mut arrivals).await, Arrival::Missed, "{payload:?}");
    }
}

/// As one that was replaced while its connections live on: the server that takes writes now is another.
#[tokio::test]
async fn a_listener_does_not_stay_with_a_server_that_takes_no_writes_any_more() {
    let Some(server) = or_skip(Server::private()) else { return };
    let schema = Schema::on(server);
    let store = schema.store().await;
    let mut arrivals = store.arrivals();
    schema.say("ALTER SYSTEM SET default_transaction_read_only = on").await;
    schema.say("SELECT pg_reload_conf()").await;
    let silence = timeout(SILENCE_MAX + Duration::from_secs(2), arrivals.next()).await;
    assert!(silence.is_err(), "it is looked for another one, and there is none: {silence:?}");
    schema.say("ALTER SYSTEM RESET default_transaction_read_only").await;
    schema.say("SELECT pg_reload_conf()").await;
    let told = timeout(Duration::from_secs(20), arrivals.next()).await;
    assert_eq!(told.expect("it is noticed"), Arrival::Missed);
}
