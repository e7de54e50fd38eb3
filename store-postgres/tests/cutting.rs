//! The connection is cut at every point of an operation, both ways. What the store says then is true, and nothing is half done.

use std::collections::BTreeSet;
use std::fmt;
use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actor_durable::store::{
    Claim, ClaimMode, Enqueued, Handled, Head, Refusal, ReminderChange, Snapshot, Source, Store, StoreError,
};
use actor_durable::testing::store_suite::Place;
use actor_durable::testing::turn_suite::{Form, Torn, try_torn};
use actor_durable::{Epoch, OwnerId, Position, Sequence};
use async_trait::async_trait;
use sqlx::{Connection, PgConnection, Row};
use store_postgres::{PostgresConfig, PostgresStore};
use tokio::time::sleep;

use crate::place::Schema;
use crate::relay::{Fate, Relay, Way};
use crate::values::{
    LONG, actor, body, claim, message, message_id, number, outgoing, own, refusal, reminder, turn,
};

/// A connection is cut after each so many bytes: in the long form after each single one, which takes half a minute.
fn stride() -> usize {
    if std::env::var_os("ACTOR_TEST_FULL").is_some() { 1 } else { 11 }
}

/// A store behind a relay, one that is not, and a look at what the server does for the first.
struct Scene {
    schema: Schema,
    relay: Relay,
    behind: PostgresStore,
    witness: PostgresStore,
    eyes: PgConnection,
}

/// What an operation said, summed over all the points.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    done: usize,
    unknown_done: usize,
    unknown_not_done: usize,
    not_applied: usize,
}

impl Scene {
    async fn new() -> Option<Self> {
        let schema = Schema::new()?;
        let witness = schema.store().await;
        let relay = Relay::before(schema.server.directory());
        let behind = PostgresStore::open(Self::config(&schema, &relay)).await.expect("the server runs");
        let eyes = PgConnection::connect(&schema.server.address()).await.expect("the server runs");
        Some(Self { schema, relay, behind, witness, eyes })
    }

    fn config(schema: &Schema, relay: &Relay) -> PostgresConfig {
        let address = format!(
            "postgres:///postgres?host={}&port=5432&user=postgres&sslmode=disable&application_name=cut_{}",
            relay.directory().display(),
            schema.name,
        );
        let config = PostgresConfig::new(&address).expect("a good address");
        config.with_schema(&schema.name).expect("a good name").with_connections_max(1)
    }

    /// Waits until the server has seen that the connection is cut: only the one that listens is there. Then nothing changes any more.
    async fn settle(&mut self) {
        let count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'cut_' || $1";
        loop {
            let row = sqlx::query(count).bind(&self.schema.name).fetch_one(&mut self.eyes).await;
            if row.expect("the server runs").get::<i64, _>(0) <= 1 {
                return;
            }
            // sleep: the server tells nobody when it is done with a connection.
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// A connection that nobody has used for anything else, and so the same bytes each time.
    async fn connect_anew(&self) {
        self.relay.cut();
        // One may be idle that is cut.
        _ = self.behind.head(&actor("nobody")).await;
        self.behind.head(&actor("nobody")).await.expect("the server runs");
    }

    /// Runs an operation with its connection cut at each point in turn. Each attempt has an actor of its own, which is prepared by
    /// somebody else. `is_done` says whether it was done, all of it, and panics if a part of it was.
    async fn cut_everywhere<P>(
        &mut self,
        prepare: impl AsyncFn(&PostgresStore, &str) -> P,
        operate: impl AsyncFn(&PostgresStore, &P) -> Result<(), StoreError>,
        is_done: impl AsyncFn(&PostgresStore, &P) -> bool,
    ) -> Tally {
        self.harm_everywhere(Fate::Cut, stride(), prepare, operate, is_done).await
    }

    async fn harm_everywhere<P>(
        &mut self,
        harm: fn(Way, usize) -> Fate,
        stride: usize,
        prepare: impl AsyncFn(&PostgresStore, &str) -> P,
        operate: impl AsyncFn(&PostgresStore, &P) -> Result<(), StoreError>,
        is_done: impl AsyncFn(&PostgresStore, &P) -> bool,
    ) -> Tally {
        // Of the length of all the others, so that it takes as many bytes.
        let prepared = prepare(&self.witness, "ToServerFirst").await;
        self.connect_anew().await;
        self.relay.counts();
        operate(&self.behind, &prepared).await.expect("nothing is in its way");
        assert!(is_done(&self.witness, &prepared).await);
        let bytes = self.relay.counts();
        let mut tally = Tally::default();
        // What is answered is short.
        for (way, stride) in [(Way::ToServer, stride), (Way::ToClient, stride.div_ceil(2))] {
            let bytes = bytes[way as usize];
            // The last word, too, is broken off.
            let points: BTreeSet<usize> = (0..=bytes).step_by(stride).chain([bytes - 7]).collect();
            for point in points {
                let prepared = prepare(&self.witness, &format!("{way:?}{point:05}")).await;
                self.connect_anew().await;
                self.relay.set(harm(way, point));
                let outcome = operate(&self.behind, &prepared).await;
                self.relay.cut();
                self.settle().await;
                let is_done = is_done(&self.witness, &prepared).await;
                tally.count(outcome, is_done, &format!("{way:?} {point}"));
            }
        }
        tally
    }
}

impl Tally {
    /// What was said is true.
    fn count(&mut self, outcome: Result<(), StoreError>, is_done: bool, at: &str) {
        match outcome {
            Ok(()) => {
                assert!(is_done, "{at}: it was acknowledged");
                self.done += 1;
            }
            Err(StoreError::Unknown(_)) if is_done => self.unknown_done += 1,
            Err(StoreError::Unknown(_)) => self.unknown_not_done += 1,
            Err(StoreError::NotApplied(Refusal::Unavailable(_))) => {
                assert!(!is_done, "{at}: it was said not to be applied");
                self.not_applied += 1;
            }
            Err(error) => panic!("{at}: {error}"),
        }
    }
}

/// A turn is one statement: as soon as any of it is on its way nobody knows.
#[tokio::test]
async fn a_turn_whose_connection_is_cut_anywhere_is_whole_or_not_there_and_unknown() {
    let Some(mut scene) = Scene::new().await else { return };
    let prepare = async |store: &PostgresStore, id: &str| {
        let head = own(store, id, 1).await;
        store.enqueue(message(id, 9)).await.expect("it is new");
        head
    };
    let operate = async |store: &PostgresStore, head: &Head| {
        let mut turn = turn(&head.target.id, head.epoch, head.sequence);
        let was = Source::Inbox;
        turn.handled.push(Handled { message: message_id(9), was, reply: None });
        turn.outbox = vec![outgoing(1, "receiver")];
        turn.reminders = vec![ReminderChange::Set(reminder(5))];
        store.commit_turn(turn).await
    };
    let is_done = async |store: &PostgresStore, head: &Head| {
        let (id, epoch) = (&head.target.id, head.epoch);
        let now = store.head(id).await.expect("a store").expect("it is there");
        let found = store.load(id, epoch).await.expect("it is owned");
        let letters = store.inbox(id, epoch, Position::ZERO, 10).await.expect("it is owned").len();
        let entries = store.entries(id, Sequence::ZERO, 10).await.expect("it is there").len();
        let parts = (found.handled.len(), found.outbox.len(), found.reminders.len(), letters, entries);
        match found.snapshot {
            Some(snapshot) => {
                assert_eq!((parts, number(&snapshot.body), now.sequence), ((2, 1, 1, 0, 1), 1, Sequence(1)));
                true
            }
            None => {
                assert_eq!((parts, now.sequence), ((0, 0, 0, 1, 0), Sequence::ZERO));
                false
            }
        }
    };
    let tally = scene.cut_everywhere(prepare, operate, is_done).await;
    assert!(tally.unknown_done > 5 && tally.unknown_not_done > 5 && tally.not_applied == 0, "{tally:?}");
}

/// A message is sent again with the same id until it is known to be there, and is there once.
#[tokio::test]
async fn a_message_whose_connection_is_cut_anywhere_comes_once_when_it_is_sent_again() {
    let Some(mut scene) = Scene::new().await else { return };
    let prepare = async |_: &PostgresStore, id: &str| id.to_owned();
    let operate = async |store: &PostgresStore, id: &String| store.enqueue(message(id, 9)).await.map(drop);
    let is_done = async |store: &PostgresStore, id: &String| {
        let was_there = store.head(&actor(id)).await.expect("a store").is_some();
        let expected = if was_there { Enqueued::Waiting } else { Enqueued::Stored };
        assert_eq!(store.enqueue(message(id, 9)).await.expect("a store"), expected);
        let head = own(store, id, 1).await;
        let letters = store.inbox(&actor(id), head.epoch, Position::ZERO, 10).await.expect("it is owned");
        assert_eq!((letters.len(), head.waiting), (1, 1));
        was_there
    };
    let tally = scene.cut_everywhere(prepare, operate, is_done).await;
    assert!(tally.unknown_done > 5 && tally.unknown_not_done > 5 && tally.not_applied == 0, "{tally:?}");
}

/// An acquisition is a transaction of several statements: until its last word is sent it is certain that nothing was changed.
#[tokio::test]
async fn an_acquisition_that_is_cut_before_its_last_word_has_changed_nothing_and_says_so() {
    let Some(mut scene) = Scene::new().await else { return };
    scene.witness.renew(OwnerId::new(1), LONG).await.expect("a lease");
    let tally = scene.cut_everywhere(prepare_claim, acquire, is_acquired).await;
    assert!(
        tally.not_applied > 250 / stride() && tally.unknown_done > 0 && tally.unknown_not_done > 0,
        "{tally:?}"
    );
}

/// What is stored beside the journal and what that makes needless there are one thing.
#[tokio::test]
async fn a_state_whose_connection_is_cut_anywhere_is_stored_and_the_journal_trimmed_or_neither() {
    let Some(mut scene) = Scene::new().await else { return };
    let prepare = async |store: &PostgresStore, id: &str| {
        let head = own(store, id, 1).await;
        for expected in [Sequence::ZERO, Sequence(1)] {
            store.commit_turn(turn(&head.target.id, head.epoch, expected)).await.expect("it is owned");
        }
        head
    };
    let operate = async |store: &PostgresStore, head: &Head| {
        let snapshot = Snapshot { sequence: Sequence(2), body: body(99) };
        store.save_snapshot(&head.target.id, head.epoch, snapshot, Some(Sequence(1))).await
    };
    let is_done = async |store: &PostgresStore, head: &Head| {
        let id = &head.target.id;
        let now = store.head(id).await.expect("a store").expect("it is there");
        let found = store.load(id, head.epoch).await.expect("it is owned").snapshot.expect("it has one");
        let entries = store.entries(id, now.trimmed, 10).await.expect("they are there").len();
        let is_done = now.trimmed == Sequence(1);
        let expected = if is_done { (99, 1) } else { (2, 2) };
        assert_eq!((number(&found.body), entries), expected);
        is_done
    };
    let tally = scene.cut_everywhere(prepare, operate, is_done).await;
    assert!(tally.unknown_done > 0 && tally.unknown_not_done + tally.not_applied > 5, "{tally:?}");
}

/// It is in the outbox or in the inbox: never in both, and never in neither.
#[tokio::test]
async fn a_message_that_is_cut_on_its_way_lies_in_one_place() {
    let Some(mut scene) = Scene::new().await else { return };
    let prepare = async |store: &PostgresStore, id: &str| {
        let head = own(store, id, 1).await;
        let mut turn = turn(&head.target.id, head.epoch, head.sequence);
        turn.outbox = vec![outgoing(1, &format!("to{id}"))];
        store.commit_turn(turn).await.expect("it is owned");
        head
    };
    let operate = async |store: &PostgresStore, head: &Head| {
        let position = outgoing(1, "anybody").position;
        store.transfer(&head.target.id, head.epoch, position).await.map(drop)
    };
    let is_done = async |store: &PostgresStore, head: &Head| {
        let id = &head.target.id;
        let left = store.load(id, head.epoch).await.expect("it is owned").outbox.len();
        let receiver = store.head(&actor(&format!("to{id}"))).await.expect("a store");
        let arrived = receiver.map_or(0, |receiver| receiver.waiting);
        assert_eq!(left as u64 + arrived, 1);
        arrived == 1
    };
    let tally = scene.cut_everywhere(prepare, operate, is_done).await;
    assert!(tally.unknown_done > 0 && tally.unknown_not_done + tally.not_applied > 5, "{tally:?}");
}

#[tokio::test]
async fn a_release_whose_connection_is_cut_anywhere_has_been_or_not() {
    let Some(mut scene) = Scene::new().await else { return };
    let prepare = async |store: &PostgresStore, id: &str| own(store, id, 1).await;
    let operate = async |store: &PostgresStore, head: &Head| store.release(&head.target.id, head.epoch).await;
    let is_done = async |store: &PostgresStore, head: &Head| {
        let now = store.head(&head.target.id).await.expect("a store").expect("it is there");
        assert_eq!(now.epoch, head.epoch);
        now.owner.is_none()
    };
    let tally = scene.cut_everywhere(prepare, operate, is_done).await;
    assert!(tally.unknown_done > 0 && tally.unknown_not_done + tally.not_applied > 5, "{tally:?}");
}

/// Where durable actors have their store: behind a relay that cuts its connection once.
struct Cut {
    schema: Schema,
    relay: Relay,
    way: Way,
    point: usize,
    has_begun: AtomicBool,
    /// What the first process has missed, once it is over.
    missed: Arc<Mutex<Vec<String>>>,
    is_over: AtomicBool,
}

#[async_trait]
impl Place for Cut {
    async fn open(&self) -> Arc<dyn Store> {
        let store = PostgresStore::open(Scene::config(&self.schema, &self.relay)).await;
        let store = store.expect("the server runs");
        if !self.has_begun.swap(true, Ordering::Relaxed) {
            self.relay.set(Fate::CutAnyOne(self.way, self.point));
        }
        Arc::new(store)
    }

    async fn pass(&self, time: Duration) {
        // The first process is over, and what comes now looks at what it has left.
        if !self.is_over.swap(true, Ordering::Relaxed)
            && let missed @ Fate::CutAnyOne(..) = self.relay.fate()
        {
            self.missed.lock().expect("no test panics with it").push(format!("{self}: {missed:?}"));
            self.relay.set(Fate::Through);
        }
        self.schema.pass(time).await;
    }
}

impl Torn for Cut {
    /// The process goes on by another connection.
    async fn gone(&self) {
        pending::<()>().await;
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the connection is cut after {} bytes {:?}", self.point, self.way)
    }
}

/// So many bytes go that way in each run, and mostly some more.
const fn run_bytes(way: Way) -> usize {
    match way {
        Way::ToServer => 21_000,
        Way::ToClient => 11_000,
    }
}

#[tokio::test]
async fn a_connection_that_is_cut_anywhere_breaks_no_promise_of_actors() {
    let cuts = if std::env::var_os("ACTOR_TEST_FULL").is_some() { 100 } else { 3 };
    let (mut places, missed) = (Vec::new(), Arc::new(Mutex::new(Vec::new())));
    for way in [Way::ToServer, Way::ToClient] {
        for cut in 0..cuts {
            let Some(schema) = Schema::new() else { return };
            let relay = Relay::before(schema.server.directory());
            // At another place in a word each time.
            let point = cut * run_bytes(way) / cuts + cut;
            let (has_begun, is_over, missed) =
                (AtomicBool::new(false), AtomicBool::new(false), Arc::clone(&missed));
            places.push(Cut { schema, relay, way, point, has_begun, missed, is_over });
        }
    }
    try_torn(Form::Events, places).await;
    let missed = missed.lock().expect("no test panics with it");
    assert!(missed.is_empty(), "they were not: {missed:#?}");
}

async fn prepare_claim(_: &PostgresStore, id: &str) -> Claim {
    claim(id, 1, ClaimMode::IfFree)
}

async fn acquire(store: &PostgresStore, claim: &Claim) -> Result<(), StoreError> {
    store.acquire(claim.clone()).await.map(drop)
}

async fn is_acquired(store: &PostgresStore, claim: &Claim) -> bool {
    let head = store.head(&claim.target.id).await.expect("a store");
    assert!(head.as_ref().is_none_or(|head| head.epoch == Epoch(1) && head.owner == Some(claim.owner)));
    head.is_some()
}

/// At `BEGIN`, between, and at `COMMIT`: silence is as a cut that nobody tells of.
#[tokio::test]
async fn an_acquisition_that_is_not_heard_any_more_ends_in_time_and_says_what_is_certain() {
    let Some(mut scene) = Scene::new().await else { return };
    scene.witness.renew(OwnerId::new(1), LONG).await.expect("a lease");
    let config = Scene::config(&scene.schema, &scene.relay).with_answer_timeout(Duration::from_millis(300));
    scene.behind = PostgresStore::open(config).await.expect("the server runs");
    let stride = if stride() == 1 { 10 } else { 150 };
    let tally = scene.harm_everywhere(Fate::Silence, stride, prepare_claim, acquire, is_acquired).await;
    assert!(tally.not_applied >= 5 && tally.unknown_not_done > 0 && tally.unknown_done > 0, "{tally:?}");
}

/// A server that is not heard any more is not waited for without an end.
#[tokio::test]
async fn a_turn_that_is_not_answered_in_time_is_unknown_and_a_read_is_unavailable() {
    let Some(mut scene) = Scene::new().await else { return };
    let config = Scene::config(&scene.schema, &scene.relay).with_answer_timeout(Duration::from_millis(300));
    // So short a time is also too short for a machine that has much else to do: what is to be heard is asked until it is.
    scene.behind = loop {
        if let Ok(store) = PostgresStore::open(config.clone()).await {
            break store;
        }
    };
    let head = own(&scene.witness, "a", 1).await;
    while scene.behind.head(&head.target.id).await.is_err() {}
    scene.relay.set(Fate::Silence(Way::ToClient, 0));
    let unheard = scene.behind.head(&head.target.id).await;
    assert!(matches!(refusal(unheard), Refusal::Unavailable(_)));
    // A new connection is heard.
    while scene.behind.head(&head.target.id).await.is_err() {}
    scene.relay.set(Fate::Silence(Way::ToClient, 0));
    let unheard = scene.behind.commit_turn(turn(&head.target.id, head.epoch, head.sequence)).await;
    assert!(matches!(unheard, Err(StoreError::Unknown(_))), "{unheard:?}");
}
