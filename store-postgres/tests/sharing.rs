//! Several stores on one schema, as several processes have: what one does fences the others.

use std::sync::Arc;
use std::time::Duration;

use actor_durable::store::{ClaimMode, Enqueued, Refusal, Renewal, Store, StoreError};
use actor_durable::{OwnerId, Position, Sequence};
use store_postgres::PostgresStore;

use crate::place::Schema;
use crate::values::{LONG, actor, claim, message, message_id, number, own, turn};

#[tokio::test]
async fn two_stores_on_one_schema_fence_each_other() {
    let Some(schema) = Schema::new() else { return };
    let (one, other) = (schema.store().await, schema.store().await);
    let first = own(&one, "a", 1).await;
    one.commit_turn(turn(&actor("a"), first.epoch, Sequence::ZERO)).await.expect("it is owned");
    let second = own(&other, "a", 2).await;
    assert_eq!(second.sequence, Sequence(1));
    let late = one.commit_turn(turn(&actor("a"), first.epoch, Sequence(1))).await;
    let Err(StoreError::Fenced { ours, theirs }) = late else { panic!("{late:?}") };
    assert_eq!((ours, theirs), (first.epoch, second.epoch));
    other.commit_turn(turn(&actor("a"), second.epoch, Sequence(1))).await.expect("it is owned");
    let stale = other.commit_turn(turn(&actor("a"), second.epoch, Sequence(1))).await;
    let Err(StoreError::NotApplied(Refusal::Sequence { expected, found })) = stale else {
        panic!("{stale:?}")
    };
    assert_eq!((expected, found), (Sequence(1), Sequence(2)));
}

/// All want the same actor at the same time, and none takes it from another by force.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_want_a_free_actor_one_gets_it() {
    let Some(schema) = Schema::new() else { return };
    const STORES: u128 = 4;
    let mut stores = Vec::new();
    for owner in 0..STORES {
        let store = Arc::new(schema.store().await);
        store.renew(OwnerId::new(owner), LONG).await.expect("a lease");
        stores.push(store);
    }
    for round in 0..20 {
        let id = format!("a{round}");
        let tasks: Vec<_> = (0..)
            .zip(&stores)
            .map(|(owner, store)| {
                let (store, claim) = (Arc::clone(store), claim(&id, owner, ClaimMode::IfFree));
                tokio::spawn(async move { store.acquire(claim).await })
            })
            .collect();
        let (mut got, mut held) = (Vec::new(), 0);
        for task in tasks {
            match task.await.expect("no panic") {
                Ok(head) => got.push(head),
                Err(StoreError::NotApplied(Refusal::Held { .. })) => held += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!((got.len(), held), (1, STORES - 1), "{id}");
        assert_eq!(stores[0].head(&actor(&id)).await.expect("a store"), got.pop());
    }
}

const STORES: usize = 4;
const ACTORS: usize = 6;
const TURNS: usize = 60;

/// Takes actors from others and commits turns until it has committed so many.
async fn contend(store: PostgresStore, owner: usize) -> Vec<usize> {
    let mut done = vec![0; ACTORS];
    let mut at = owner;
    while done.iter().sum::<usize>() < TURNS {
        at = (at * 5 + 3 + owner) % 97;
        let number = at % ACTORS;
        let id = format!("a{number}");
        let head = own(&store, &id, owner as u128).await;
        let mut sequence = head.sequence;
        // A few turns, or as many as there are until somebody else has it.
        for _ in 0..5 {
            match store.commit_turn(turn(&actor(&id), head.epoch, sequence)).await {
                Ok(()) => done[number] += 1,
                Err(StoreError::Fenced { .. }) => break,
                Err(error) => panic!("{error}"),
            }
            sequence = sequence.next();
        }
    }
    done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_that_contend_for_actors_lose_no_turn_and_do_none_twice() {
    let Some(schema) = Schema::new() else { return };
    let mut tasks = Vec::new();
    for owner in 0..STORES {
        tasks.push(tokio::spawn(contend(schema.store().await, owner)));
    }
    let mut done = vec![0; ACTORS];
    for task in tasks {
        for (sum, more) in done.iter_mut().zip(task.await.expect("no panic")) {
            *sum += more as u64;
        }
    }
    let store = schema.store().await;
    for (number_of_actor, done) in done.into_iter().enumerate() {
        let id = actor(&format!("a{number_of_actor}"));
        let Some(head) = store.head(&id).await.expect("a store") else { continue };
        let entries = store.entries(&id, Sequence::ZERO, 1_000).await.expect("there is no gap");
        let snapshot = store.load(&id, head.epoch).await.expect("it is owned").snapshot;
        let counted = snapshot.map_or(0, |snapshot| number(&snapshot.body));
        assert_eq!((head.sequence.0, entries.len() as u64, counted), (done, done, done), "{id}");
    }
}

/// The same messages from all, at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_many_send_at_once_is_stored_once() {
    let Some(schema) = Schema::new() else { return };
    const MESSAGES: u128 = 30;
    let mut tasks = Vec::new();
    for _ in 0..STORES {
        let store = schema.store().await;
        tasks.push(tokio::spawn(async move {
            let mut stored = 0;
            for number in 0..MESSAGES {
                match store.enqueue(message("a", number)).await.expect("a store") {
                    Enqueued::Stored => stored += 1,
                    was => assert_eq!(was, Enqueued::Waiting),
                }
            }
            stored
        }));
    }
    let mut stored = 0;
    for task in tasks {
        stored += task.await.expect("no panic");
    }
    assert_eq!(stored, MESSAGES);
    let store = schema.store().await;
    let head = own(&store, "a", 1).await;
    let letters = store.inbox(&actor("a"), head.epoch, Position::ZERO, 100).await.expect("it is owned");
    let ids: Vec<_> = letters.iter().map(|letter| letter.message.id).collect();
    assert_eq!(ids, (0..MESSAGES).map(message_id).collect::<Vec<_>>());
    assert!(letters.is_sorted_by(|one, other| one.position < other.position));
}

/// All processes but one died, the clock was a year ahead, and steps back.
#[tokio::test]
async fn a_lease_that_was_renewed_before_the_servers_clock_stepped_back_ends_in_its_time() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().await;
    let (dead, owner) = (OwnerId::new(1), OwnerId::new(2));
    store.renew(dead, Duration::from_secs(10)).await.expect("a lease");
    store.acquire(claim("a", 1, ClaimMode::IfFree)).await.expect("it is free");
    schema.say("UPDATE leases SET ends_at = ends_at + interval '1 year'").await;
    assert_eq!(store.renew(owner, LONG).await.expect("a lease"), Renewal::Begun);
    let held = store.acquire(claim("a", 2, ClaimMode::IfFree)).await;
    assert!(matches!(held, Err(StoreError::NotApplied(Refusal::Held { .. }))), "{held:?}");
    schema.say("UPDATE leases SET ends_at = ends_at - interval '10 seconds'").await;
    assert_eq!(store.renew(owner, LONG).await.expect("a lease"), Renewal::Extended);
    store.acquire(claim("a", 2, ClaimMode::IfFree)).await.expect("it has ended");
}

/// The clock was ahead for a moment, and by that another one took the actor.
#[tokio::test]
async fn whoever_lost_an_actor_while_the_servers_clock_was_ahead_begins_its_lease_anew() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().await;
    for (mode, id) in [(ClaimMode::IfFree, "a"), (ClaimMode::Seize, "b")] {
        let (owner, other) = (OwnerId::new(1), OwnerId::new(2));
        assert_eq!(store.renew(owner, LONG).await.expect("a lease"), Renewal::Begun);
        store.acquire(claim(id, 1, ClaimMode::IfFree)).await.expect("it is free");
        schema.say("UPDATE leases SET ends_at = ends_at - interval '1 day'").await;
        store.renew(other, LONG).await.expect("a lease");
        store.acquire(claim(id, 2, mode)).await.expect("the lease is over");
        schema.say("UPDATE leases SET ends_at = ends_at + interval '1 day'").await;
        assert_eq!(store.renew(owner, LONG).await.expect("a lease"), Renewal::Begun, "{id}");
        assert_eq!(store.renew(owner, LONG).await.expect("a lease"), Renewal::Extended, "{id}");
        store.retire(owner).await.expect("it lives");
    }
}
