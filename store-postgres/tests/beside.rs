//! Operations that wait for somebody who is at the same actor: what they see then, and what they hold meanwhile.

use std::fmt::Debug;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use actor_durable::store::{
    ClaimMode, Enqueued, GivingUp, Handled, Head, Outgoing, Refusal, Renewal, Snapshot, Source, Store,
    StoreError,
};
use actor_durable::{Epoch, OwnerId, Position, Sequence, WallTime};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Postgres, Transaction};
use store_postgres::PostgresStore;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::place::Schema;
use crate::values::{LONG, actor, body, claim, message, message_id, outgoing, own, refusal, target, turn};

/// Begins what others wait for, by saying something.
async fn holding<'c>(connection: &'c mut PgConnection, words: &str) -> Transaction<'c, Postgres> {
    let mut transaction = connection.begin().await.expect("the server runs");
    let words = AssertSqlSafe(words.to_owned());
    sqlx::raw_sql(words).execute(&mut *transaction).await.expect("good words");
    transaction
}

fn lock(id: &str) -> String {
    format!("SELECT FROM actors WHERE id = '{id}' FOR UPDATE")
}

/// Waits until what was begun waits for a lock.
async fn blocked<T: Debug>(schema: &Schema, begun: &mut JoinHandle<T>) {
    tokio::select! {
        () = schema.until_blocked(1) => {}
        done = begun => panic!("it has waited for nobody: {done:?}"),
    }
}

/// An actor that has sent two messages, to `receiver`, and has one in its inbox.
async fn sender(store: &PostgresStore, id: &str, receiver: &str) -> Head {
    let head = own(store, id, 1).await;
    let mut commit = turn(&actor(id), head.epoch, Sequence::ZERO);
    commit.outbox = vec![outgoing(1, receiver), outgoing(1, receiver)];
    commit.outbox[1].position.index = 1;
    commit.outbox[1].id = message_id(2_000_000);
    store.commit_turn(commit).await.expect("it is owned");
    store.enqueue(message(id, 9)).await.expect("it is new");
    store.head(&actor(id)).await.expect("a store").expect("it is there")
}

fn giving_up(head: &Head) -> GivingUp {
    let (actor, epoch, position) = (head.target.id.clone(), head.epoch, outgoing(1, "x").position);
    GivingUp { actor, epoch, position, at: WallTime::ZERO, reason: "a test wants it".into(), notice: None }
}

type Operation = fn(Arc<PostgresStore>, Head) -> BoxFuture<'static, Result<(), StoreError>>;

/// What an owner does that changes something.
fn operations() -> [(&'static str, Operation); 8] {
    [
        ("commit", |store, head| {
            async move { store.commit_turn(turn(&head.target.id, head.epoch, head.sequence)).await }.boxed()
        }),
        ("save", |store, head| {
            let state = Snapshot { sequence: head.sequence, body: body(5) };
            async move { store.save_snapshot(&head.target.id, head.epoch, state, None).await }.boxed()
        }),
        ("attempt", |store, head| {
            let attempt =
                async move { store.begin_attempt(&head.target.id, head.epoch, message_id(9)).await };
            attempt.map(|outcome| outcome.map(drop)).boxed()
        }),
        ("mark", |store, head| {
            let delivered = [outgoing(1, "x").position];
            async move { store.mark_delivered(&head.target.id, head.epoch, &delivered).await }.boxed()
        }),
        ("transfer", |store, head| {
            let position = outgoing(1, "x").position;
            let transfer = async move { store.transfer(&head.target.id, head.epoch, position).await };
            transfer.map(|outcome| outcome.map(drop)).boxed()
        }),
        ("give_up", |store, head| {
            let give_up = async move { store.give_up_delivery(giving_up(&head)).await };
            give_up.map(|outcome| outcome.map(drop)).boxed()
        }),
        ("release", |store, head| async move { store.release(&head.target.id, head.epoch).await }.boxed()),
        ("delete", |store, head| async move { store.delete(&head.target.id, head.epoch).await }.boxed()),
    ]
}

#[tokio::test]
async fn whoever_is_fenced_while_it_waits_changes_nothing() {
    let Some(schema) = Schema::new() else { return };
    let store = Arc::new(schema.store().await);
    for (id, operation) in operations() {
        let head = sender(&store, id, "receiver").await;
        let before = store.load(&actor(id), head.epoch).await.expect("it is owned");
        let mut other = schema.connection().await;
        let taken = holding(&mut other, &format!("UPDATE actors SET epoch = 7 WHERE id = '{id}'")).await;
        let mut begun = tokio::spawn(operation(Arc::clone(&store), head.clone()));
        blocked(&schema, &mut begun).await;
        taken.commit().await.expect("the server runs");
        match begun.await.expect("no panic") {
            Err(StoreError::Fenced { ours, theirs }) => assert_eq!((ours, theirs.0), (head.epoch, 7), "{id}"),
            outcome => panic!("{id}: {outcome:?}"),
        }
        let epoch = Epoch(7);
        let now = store.head(&actor(id)).await.expect("a store");
        assert_eq!(now, Some(Head { epoch, ..head }), "{id}");
        assert_eq!(store.load(&actor(id), epoch).await.expect("it is owned"), before, "{id}");
        let letters = store.inbox(&actor(id), epoch, Position::ZERO, 10).await.expect("it is owned");
        assert_eq!((letters.len(), letters[0].attempts), (1, 0), "{id}");
    }
    assert_eq!(store.head(&actor("receiver")).await.expect("a store"), None);
}

/// Two that send to each other do not wait for each other.
#[tokio::test]
async fn two_actors_are_locked_in_the_order_of_their_ids_whoever_sends() {
    let Some(schema) = Schema::new() else { return };
    let store = Arc::new(schema.store().await);
    own(&*store, "a", 1).await;
    let head = sender(&store, "b", "a").await;
    store.give_up_delivery(giving_up(&head)).await.expect("it was sent");
    let (first, second) = (outgoing(1, "a").position, {
        let mut at = outgoing(1, "a").position;
        at.index = 1;
        at
    });
    let transfer = {
        let (store, epoch) = (Arc::clone(&store), head.epoch);
        async move { store.transfer(&actor("b"), epoch, second).await.map(Some) }.boxed()
    };
    let redeliver = {
        let store = Arc::clone(&store);
        async move { store.redeliver(&actor("b"), first).await }.boxed()
    };
    for moving in [transfer, redeliver] {
        let mut other = schema.connection().await;
        let held = holding(&mut other, &lock("a")).await;
        let mut begun = tokio::spawn(moving);
        blocked(&schema, &mut begun).await;
        schema.say(&format!("{} NOWAIT", lock("b"))).await;
        held.rollback().await.expect("the server runs");
        assert_eq!(begun.await.expect("no panic").expect("it is there"), Some(Enqueued::Stored));
    }
}

/// What was given up is its sender's: whoever is at the sender is waited for.
#[tokio::test]
async fn what_is_delivered_after_all_waits_for_its_sender() {
    let Some(schema) = Schema::new() else { return };
    let store = Arc::new(schema.store().await);
    let head = sender(&store, "b", "a").await;
    store.give_up_delivery(giving_up(&head)).await.expect("it was sent");
    let mut other = schema.connection().await;
    let held = holding(&mut other, &lock("b")).await;
    let mut begun = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.redeliver(&actor("b"), outgoing(1, "a").position).await }
    });
    blocked(&schema, &mut begun).await;
    held.rollback().await.expect("the server runs");
    assert_eq!(begun.await.expect("no panic").expect("it is there"), Some(Enqueued::Stored));
}

/// Whoever was at the sender before has discarded it.
#[tokio::test]
async fn what_is_discarded_while_it_is_to_be_delivered_after_all_goes_nowhere() {
    let Some(schema) = Schema::new() else { return };
    let store = Arc::new(schema.store().await);
    let head = sender(&store, "b", "a").await;
    store.give_up_delivery(giving_up(&head)).await.expect("it was sent");
    let mut other = schema.connection().await;
    let discarded =
        holding(&mut other, &format!("{}; DELETE FROM undelivered WHERE actor = 'b'", lock("b"))).await;
    let mut begun = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.redeliver(&actor("b"), outgoing(1, "a").position).await }
    });
    blocked(&schema, &mut begun).await;
    discarded.commit().await.expect("the server runs");
    assert_eq!(begun.await.expect("no panic").expect("there is such an actor"), None);
    assert_eq!(store.head(&actor("a")).await.expect("a store"), None);
}

/// The sender was deleted and began anew, and has sent something else from the same place.
#[tokio::test]
async fn what_was_sent_in_another_life_is_not_taken_for_what_is_to_be_delivered_after_all() {
    let Some(schema) = Schema::new() else { return };
    let store = Arc::new(schema.store().await);
    let position = outgoing(1, "a").position;
    let given_up = async |number| {
        let head = own(&*store, "b", 1).await;
        let mut commit = turn(&actor("b"), head.epoch, Sequence::ZERO);
        commit.outbox = vec![Outgoing { id: message_id(number), ..outgoing(1, "a") }];
        store.commit_turn(commit).await.expect("it is owned");
        assert!(store.give_up_delivery(giving_up(&head)).await.expect("it was sent"));
        head
    };
    let head = given_up(1).await;
    let of_a = own(&*store, "a", 1).await;
    let mut other = schema.connection().await;
    let held = holding(&mut other, &lock("a")).await;
    let mut begun = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.redeliver(&actor("b"), position).await }
    });
    blocked(&schema, &mut begun).await;
    store.delete(&actor("b"), head.epoch).await.expect("it is owned");
    given_up(2).await;
    held.rollback().await.expect("the server runs");
    assert_eq!(begun.await.expect("no panic").expect("it is there"), Some(Enqueued::Stored));
    let letters = store.inbox(&actor("a"), of_a.epoch, Position::ZERO, 10).await.expect("it is owned");
    assert_eq!(letters.iter().map(|letter| letter.message.id).collect::<Vec<_>>(), [message_id(2)]);
    assert_eq!(store.undelivered(&actor("b"), None, 10).await.expect("it is there"), []);
}

#[tokio::test]
async fn what_is_transferred_twice_at_once_leaves_and_counts_once() {
    let Some(schema) = Schema::new() else { return };
    let store = Arc::new(schema.store().await);
    let head = sender(&store, "b", "a").await;
    let mut other = schema.connection().await;
    let held = holding(&mut other, &lock("b")).await;
    let begun = [(); 2].map(|()| {
        let (store, epoch) = (Arc::clone(&store), head.epoch);
        tokio::spawn(async move { store.transfer(&actor("b"), epoch, outgoing(1, "a").position).await })
    });
    schema.until_blocked(2).await;
    held.rollback().await.expect("the server runs");
    let mut stored = 0;
    for begun in begun {
        match begun.await.expect("no panic").expect("it is owned") {
            Enqueued::Stored => stored += 1,
            other => assert_eq!(other, Enqueued::Waiting),
        }
    }
    assert_eq!(stored, 1);
    // The other message is still to leave, and nothing else has the sender listed.
    let ended = "DELETE FROM letters WHERE actor = 'b'; UPDATE actors SET waiting = 0 WHERE id = 'b'";
    schema.say(ended).await;
    store.release(&actor("b"), head.epoch).await.expect("it is owned");
    assert_eq!(store.waiting(None, 10).await.expect("a store"), [target("a"), target("b")]);
}

/// Both find nobody, and both make the actor.
#[tokio::test]
async fn the_first_messages_of_an_actor_lie_behind_each_other() {
    let Some(schema) = Schema::new() else { return };
    let store = Arc::new(schema.store().await);
    let hold = "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            PERFORM pg_advisory_xact_lock_shared(hashtext(current_schema())); RETURN NEW;
        END $$; CREATE TRIGGER hold BEFORE INSERT ON letters FOR EACH ROW EXECUTE FUNCTION hold()";
    schema.say(hold).await;
    let (mut one, mut other) = (schema.connection().await, schema.connection().await);
    let held = holding(&mut one, "SELECT pg_advisory_xact_lock(hashtext(current_schema()))").await;
    let made = holding(&mut other, "SELECT make_actor('a', 'counter')").await;
    let begun = [1, 2].map(|number| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.enqueue(message("a", number)).await })
    });
    schema.until_blocked(2).await;
    made.commit().await.expect("the server runs");
    schema.until("count(*) >= 2 AND count(*) FILTER (WHERE wait_event = 'advisory') >= 1").await;
    held.rollback().await.expect("the server runs");
    for begun in begun {
        assert_eq!(begun.await.expect("no panic").expect("it is new"), Enqueued::Stored);
    }
    let head = own(&*store, "a", 1).await;
    let letters = store.inbox(&actor("a"), head.epoch, Position::ZERO, 10).await.expect("it is owned");
    let positions: Vec<_> = letters.iter().map(|letter| letter.position).collect();
    assert_eq!((positions, head.waiting), (vec![Position(1), Position(2)], 2));
}

/// Else its epochs would be those of the one before, and that one's owners not be fenced.
#[tokio::test]
async fn an_actor_that_is_made_while_one_is_deleted_begins_behind_it() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().await;
    own(&store, "a", 1).await;
    let head = own(&store, "a", 1).await;
    let (mut one, mut other) = (schema.connection().await, schema.connection().await);
    let name = format!("SET application_name = '{}'", schema.name);
    sqlx::raw_sql(AssertSqlSafe(name)).execute(&mut other).await.expect("good words");
    let deleted = holding(&mut one, &format!("SELECT delete_actor('a', {})", head.epoch)).await;
    let mut begun = tokio::spawn(async move {
        sqlx::raw_sql("SELECT make_actor('a', 'counter')").execute(&mut other).await.map(drop)
    });
    blocked(&schema, &mut begun).await;
    deleted.commit().await.expect("the server runs");
    begun.await.expect("no panic").expect("good words");
    assert_eq!(own(&store, "a", 1).await.epoch, head.epoch.next());
}

/// A lease is looked at when the actor can be had, not when it was asked for.
#[tokio::test]
async fn whoever_loses_its_lease_while_it_waits_gets_no_actor() {
    let Some(schema) = Schema::new() else { return };
    let store = Arc::new(schema.store().await);
    store.enqueue(message("a", 1)).await.expect("it is new");
    store.renew(OwnerId::new(1), LONG).await.expect("a lease");
    let mut other = schema.connection().await;
    let held = holding(&mut other, &lock("a")).await;
    let mut begun = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.acquire(claim("a", 1, ClaimMode::IfFree)).await }
    });
    blocked(&schema, &mut begun).await;
    schema.say("UPDATE leases SET ends_at = clock_timestamp()").await;
    held.rollback().await.expect("the server runs");
    let over = Refusal::LeaseOver { owner: OwnerId::new(1) };
    assert_eq!(refusal(begun.await.expect("no panic")), over);
}

/// The lease was over when somebody looked, and is not any more by the time it can be taken.
#[tokio::test]
async fn whoever_renews_its_lease_while_an_actor_of_its_is_to_be_taken_keeps_it() {
    let Some(schema) = Schema::new() else { return };
    let store = Arc::new(schema.store().await);
    own(&*store, "a", 1).await;
    store.renew(OwnerId::new(2), LONG).await.expect("a lease");
    schema.say("UPDATE leases SET ends_at = clock_timestamp() WHERE get_byte(owner, 15) = 1").await;
    let mut other = schema.connection().await;
    let renew = "UPDATE leases SET ends_at = clock_timestamp() + length WHERE get_byte(owner, 15) = 1";
    let renewed = holding(&mut other, renew).await;
    let mut begun = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.acquire(claim("a", 2, ClaimMode::IfFree)).await }
    });
    blocked(&schema, &mut begun).await;
    renewed.commit().await.expect("the server runs");
    let held = Refusal::Held { owner: OwnerId::new(1) };
    assert_eq!(refusal(begun.await.expect("no panic")), held);
    assert_eq!(store.renew(OwnerId::new(1), LONG).await.expect("a lease"), Renewal::Extended);
}

/// Its actor is being taken when it asks: so it had lost its lease, whatever the clock says by then.
#[tokio::test]
async fn whoever_renews_its_lease_while_an_actor_of_its_is_taken_begins_it_anew() {
    let Some(schema) = Schema::new() else { return };
    let store = Arc::new(schema.store().await);
    own(&*store, "a", 1).await;
    let mut other = schema.connection().await;
    let taken = holding(&mut other, "DELETE FROM leases").await;
    let mut begun = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.renew(OwnerId::new(1), LONG).await }
    });
    blocked(&schema, &mut begun).await;
    taken.commit().await.expect("the server runs");
    assert_eq!(begun.await.expect("no panic").expect("a lease"), Renewal::Begun);
}

/// The server says that it ends the connection, and not what became of what was asked.
#[tokio::test]
async fn a_turn_whose_connection_the_server_ends_is_unknown_and_an_acquisition_has_not_happened() {
    let Some(schema) = Schema::new() else { return };
    let store = Arc::new(schema.store().await);
    let head = own(&*store, "a", 1).await;
    let end = format!(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
            WHERE application_name = '{}' AND wait_event_type = 'Lock'",
        schema.name
    );
    let commit = {
        let (store, head) = (Arc::clone(&store), head.clone());
        async move { store.commit_turn(turn(&head.target.id, head.epoch, head.sequence)).await }.boxed()
    };
    let acquire = {
        let store = Arc::clone(&store);
        async move { store.acquire(claim("a", 1, ClaimMode::Seize)).await.map(drop) }.boxed()
    };
    let mut outcomes = Vec::new();
    for operation in [commit, acquire] {
        let mut other = schema.connection().await;
        let held = holding(&mut other, &lock("a")).await;
        let mut begun = tokio::spawn(operation);
        blocked(&schema, &mut begun).await;
        schema.say(&end).await;
        outcomes.push(begun.await.expect("no panic"));
        held.rollback().await.expect("the server runs");
    }
    let said = |outcome: &Result<(), StoreError>| match outcome {
        Err(StoreError::Unknown(cause)) => format!("unknown: {cause}"),
        Err(error) => error.to_string(),
        Ok(()) => "done".into(),
    };
    let why = "terminating connection due to administrator command";
    let [commit, acquire] = [said(&outcomes[0]), said(&outcomes[1])];
    assert!(commit.starts_with("unknown") && commit.contains(why), "{commit}");
    assert!(matches!(outcomes[1], Err(StoreError::NotApplied(Refusal::Unavailable(_)))), "{acquire}");
    assert_eq!(store.head(&actor("a")).await.expect("a store"), Some(head));
}

/// A process that is stopped, and whose connections stand, is no reason to wait for it.
#[tokio::test]
async fn whoever_stops_in_the_midst_of_a_transaction_holds_nobody_up_for_long() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().await;
    let head = own(&store, "a", 1).await;
    let config = schema.config.clone().with_answer_timeout(Duration::from_millis(500));
    let stopped = PostgresStore::open(config).await.expect("the server runs");
    // So that it is not done before anybody sees it.
    let slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            PERFORM pg_sleep(0.2); RETURN NEW;
        END $$; CREATE TRIGGER slow BEFORE UPDATE ON actors FOR EACH ROW EXECUTE FUNCTION slow()";
    schema.say(slow).await;
    let mut acquiring = Box::pin(async move { stopped.acquire(claim("a", 1, ClaimMode::Seize)).await });
    let mut eyes = schema.connection().await;
    loop {
        let polled = std::future::poll_fn(|context| Poll::Ready(acquiring.as_mut().poll(context))).await;
        assert!(polled.is_pending(), "it is stopped before it is done: {polled:?}");
        let free = AssertSqlSafe(format!("{} NOWAIT", lock("a")));
        if sqlx::raw_sql(free).execute(&mut eyes).await.is_err() {
            break;
        }
    }
    // It holds the actor, and its connection is never closed.
    std::mem::forget(acquiring);
    let commit = store.commit_turn(turn(&actor("a"), head.epoch, head.sequence));
    timeout(Duration::from_secs(10), commit).await.expect("nobody holds the actor").expect("it is owned");
}

fn enqueuing(
    store: &Arc<PostgresStore>,
    id: &'static str,
    number: u128,
) -> JoinHandle<Result<Enqueued, StoreError>> {
    let store = Arc::clone(store);
    tokio::spawn(async move { store.enqueue(message(id, number)).await })
}

/// Between a refusal and the look at why somebody else was there: what would be allowed now is tried again.
#[tokio::test]
async fn a_turn_that_is_allowed_by_the_time_its_refusal_is_explained_is_stored() {
    let Some(schema) = Schema::new() else { return };
    let witness = schema.store().await;
    let config = schema.config.clone().with_connections_max(1);
    let store = Arc::new(PostgresStore::open(config).await.expect("the server runs"));
    let head = own(&witness, "a", 1).await;
    own(&witness, "b", 1).await;
    own(&witness, "c", 1).await;
    let mut plain = turn(&actor("a"), head.epoch, Sequence::ZERO);
    plain.state = None;
    witness.commit_turn(plain).await.expect("it is owned");
    let trims = {
        let mut trims = turn(&actor("a"), head.epoch, Sequence(1));
        (trims.state, trims.trim) = (None, Some(Sequence(1)));
        trims
    };
    let takes = {
        let mut takes = turn(&actor("a"), head.epoch, Sequence(2));
        takes.handled.push(Handled { message: message_id(9), was: Source::Inbox, reply: None });
        takes
    };
    for (number, commit) in [(1, trims), (2, takes)] {
        let (mut one, mut other) = (schema.connection().await, schema.connection().await);
        let before = holding(&mut one, &lock("b")).await;
        let behind = holding(&mut other, &lock("c")).await;
        // They have the one connection in this order; the turn has it again behind them, to look why it was refused.
        let first = enqueuing(&store, "b", number);
        schema.until_blocked(1).await;
        let begun = tokio::spawn({
            let store = Arc::clone(&store);
            async move { store.commit_turn(commit).await }
        });
        tokio::task::yield_now().await;
        let last = enqueuing(&store, "c", number);
        tokio::task::yield_now().await;
        before.rollback().await.expect("the server runs");
        first.await.expect("no panic").expect("nobody is in its way");
        schema.until_blocked(1).await;
        if number == 1 {
            let state = Snapshot { sequence: Sequence(1), body: body(5) };
            witness.save_snapshot(&actor("a"), head.epoch, state, None).await.expect("it is owned");
        } else {
            witness.enqueue(message("a", 9)).await.expect("it is new");
        }
        assert!(!begun.is_finished());
        behind.rollback().await.expect("the server runs");
        last.await.expect("no panic").expect("nobody is in its way");
        begun.await.expect("no panic").expect("it is allowed now");
    }
    let now = witness.head(&actor("a")).await.expect("a store").expect("it is there");
    assert_eq!((now.sequence, now.trimmed, now.waiting), (Sequence(3), Sequence(1), 0));
}
