//! A server, or a way to it, that takes everything and says nothing. Nobody waits for it for ever, and each is told by name.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actor_durable::store::{
    Arrival, ClaimMode, DuePlace, Firing, GivingUp, Head, Refusal, Snapshot, Store, StoreError,
};
use actor_durable::{OwnerId, Position, Sequence, WallTime};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use store_postgres::limits::{IDLE_UNASKED_MAX, SILENCE_MAX};
use store_postgres::{PostgresConfig, PostgresStore};
use tokio::time::{sleep, timeout};

use crate::place::Schema;
use crate::relay::Relay;
use crate::values::{LONG, actor, body, claim, message, message_id, outgoing, own, refusal, reminder, turn};

const SOON: Duration = Duration::from_millis(300);

/// No operation takes so long, on a busy machine either.
const LATE: Duration = Duration::from_secs(15);

const ALL: u64 = u64::MAX;

/// A schema, and a way to it.
struct Scene {
    schema: Schema,
    relay: Relay,
}

impl Scene {
    async fn new() -> Option<Self> {
        let schema = Schema::new()?;
        drop(schema.store().await);
        let relay = Relay::before(schema.server.directory());
        Some(Self { schema, relay })
    }

    fn config(&self) -> PostgresConfig {
        let directory = self.relay.directory().display();
        let address =
            format!("postgres:///postgres?host={directory}&port=5432&user=postgres&sslmode=disable");
        let config = PostgresConfig::new(&address).expect("a good address");
        let config = config.with_schema(&self.schema.name).expect("a good name");
        config.with_connect_timeout(SOON).with_answer_timeout(SOON)
    }

    /// A store that has had time to connect.
    async fn store(&self) -> PostgresStore {
        let config = self.config().with_connect_timeout(LATE).with_answer_timeout(SOON);
        PostgresStore::open(config).await.expect("the server runs")
    }
}

#[tokio::test]
async fn a_server_that_accepts_and_says_nothing_opens_no_store() {
    let Some(scene) = Scene::new().await else { return };
    // The first connection is the pool's, the second listens.
    for swallowed in [1..=ALL, 2..=ALL] {
        let relay = Relay::before(scene.schema.server.directory());
        relay.swallow(swallowed.clone());
        let scene = Scene { schema: Schema::new().expect("there is a server"), relay };
        drop(scene.schema.store().await);
        let config = if *swallowed.start() == 1 {
            scene.config()
        } else {
            scene.config().with_connect_timeout(Duration::from_secs(2))
        };
        let opened = timeout(LATE, PostgresStore::open(config)).await.expect("it is given up");
        let said = refusal(opened).to_string();
        assert_eq!(said, "the store is not available: the database does not answer in time", "{swallowed:?}");
    }
}

type Operation<'s> = (&'static str, BoxFuture<'s, Result<(), StoreError>>);

/// Those that only look.
const READS: [&str; 9] =
    ["load", "entries", "inbox", "reply", "due", "waiting", "actors", "dead_letters", "undelivered"];

/// All that is asked of a store.
fn operations<'s>(store: &'s dyn Store, head: &'s Head) -> Vec<Operation<'s>> {
    let (id, epoch, at) = (&head.target.id, head.epoch, outgoing(1, "b").position);
    let owner = OwnerId::new(1);
    let place = || DuePlace { due: WallTime::ZERO, actor: id.clone(), name: reminder(5).name };
    let firing = Firing {
        actor: id.clone(),
        name: reminder(5).name,
        set_by: Sequence(1),
        due: WallTime::from_millis(5),
        messages: Vec::new(),
        next: None,
    };
    let giving_up = GivingUp {
        actor: id.clone(),
        epoch,
        position: at,
        at: WallTime::ZERO,
        reason: String::new(),
        notice: None,
    };
    let state = Snapshot { sequence: Sequence(1), body: body(1) };
    vec![
        ("renew", async move { store.renew(owner, LONG).await.map(drop) }.boxed()),
        ("retire", async move { store.retire(OwnerId::new(2)).await }.boxed()),
        ("acquire", async move { store.acquire(claim("a", 1, ClaimMode::Seize)).await.map(drop) }.boxed()),
        ("release", async move { store.release(id, epoch).await }.boxed()),
        ("load", async move { store.load(id, epoch).await.map(drop) }.boxed()),
        ("entries", async move { store.entries(id, Sequence::ZERO, 1).await.map(drop) }.boxed()),
        ("inbox", async move { store.inbox(id, epoch, Position::ZERO, 1).await.map(drop) }.boxed()),
        ("commit_turn", async move { store.commit_turn(turn(id, epoch, head.sequence)).await }.boxed()),
        ("save_snapshot", async move { store.save_snapshot(id, epoch, state, None).await }.boxed()),
        (
            "begin_attempt",
            async move { store.begin_attempt(id, epoch, message_id(9)).await.map(drop) }.boxed(),
        ),
        ("mark_delivered", async move { store.mark_delivered(id, epoch, &[at]).await }.boxed()),
        ("transfer", async move { store.transfer(id, epoch, at).await.map(drop) }.boxed()),
        ("give_up_delivery", async move { store.give_up_delivery(giving_up).await.map(drop) }.boxed()),
        ("enqueue", async move { store.enqueue(message("a", 8)).await.map(drop) }.boxed()),
        ("reply", async move { store.reply(id, message_id(9)).await.map(drop) }.boxed()),
        ("due", async move { store.due(WallTime::ZERO, Some(&place()), 1).await.map(drop) }.boxed()),
        ("fire", async move { store.fire(firing).await.map(drop) }.boxed()),
        ("waiting", async move { store.waiting(None, 1).await.map(drop) }.boxed()),
        ("actors", async move { store.actors(None, 1).await.map(drop) }.boxed()),
        ("delete", async move { store.delete(id, epoch).await }.boxed()),
        ("dead_letters", async move { store.dead_letters(id, None, 1).await.map(drop) }.boxed()),
        ("revive", async move { store.revive(id, message_id(9)).await }.boxed()),
        ("purge", async move { store.purge(id, message_id(9)).await }.boxed()),
        ("undelivered", async move { store.undelivered(id, None, 1).await.map(drop) }.boxed()),
        ("redeliver", async move { store.redeliver(id, at).await.map(drop) }.boxed()),
        ("discard", async move { store.discard(id, at).await.map(drop) }.boxed()),
    ]
}

/// All at once, each on a connection that is open, and then each on one that is to be opened.
#[tokio::test]
async fn no_operation_waits_for_ever_for_a_server_that_says_nothing() {
    let Some(scene) = Scene::new().await else { return };
    let head = own(&scene.schema.store().await, "a", 1).await;
    let config = scene.config().with_connections_max(40).with_connect_timeout(Duration::from_secs(2));
    let store = PostgresStore::open(config).await.expect("the server runs");
    for has_connected in [true, false] {
        if has_connected {
            // All begin before the first has its connection. Two are for leases, which have a connection of their own.
            let count = operations(&store, &head).len() - 2;
            let warm = join_all((0..count).map(|_| store.head(&head.target.id))).await;
            assert!(warm.iter().all(Result::is_ok), "the server runs");
            store.renew(OwnerId::new(1), LONG).await.expect("the server runs");
        }
        scene.relay.swallow(1..=if has_connected { scene.relay.last() } else { ALL });
        let begun = Instant::now();
        let operations = operations(&store, &head);
        let outcomes = join_all(operations.into_iter().map(async |(name, asked)| (name, asked.await))).await;
        assert!(begun.elapsed() < LATE);
        for (name, outcome) in outcomes {
            match outcome {
                Err(StoreError::NotApplied(Refusal::Unavailable(_))) => {}
                Err(StoreError::Unknown(_)) if has_connected && !READS.contains(&name) => {}
                // Leases have one connection: whoever is second opens another, which the next round finds open.
                Ok(()) if has_connected && name == "retire" => {}
                Err(StoreError::Unknown(_)) if name == "renew" => {}
                outcome => panic!("{name}: {outcome:?}"),
            }
        }
    }
    assert_eq!(scene.schema.store().await.head(&actor("a")).await.expect("a store"), Some(head));
}

/// Connections that were idle for long are asked first, and that is not waited for either.
#[tokio::test]
async fn a_connection_that_has_fallen_silent_while_it_was_idle_is_given_up() {
    let Some(scene) = Scene::new().await else { return };
    let config = scene.config().with_connect_timeout(Duration::from_secs(1));
    let store = PostgresStore::open(config).await.expect("the server runs");
    assert_eq!(store.head(&actor("a")).await.expect("a store"), None);
    // sleep: after so long a connection is asked before it is used.
    sleep(IDLE_UNASKED_MAX).await;
    scene.relay.swallow(1..=scene.relay.last());
    let unheard = timeout(LATE, store.head(&actor("a"))).await.expect("it is given up");
    assert!(matches!(refusal(unheard), Refusal::Unavailable(_)));
    assert_eq!(store.head(&actor("a")).await.expect("it has another connection"), None);
}

/// Nothing comes, and nobody says that nothing will: whoever listens asks, connects anew, and says that some may be missed.
#[tokio::test]
async fn a_listener_that_is_not_heard_any_more_connects_anew_and_says_that_some_may_be_missed() {
    let Some(scene) = Scene::new().await else { return };
    let store = scene.store().await;
    let mut arrivals = store.arrivals();
    scene.relay.swallow(1..=scene.relay.last());
    let told = timeout(SILENCE_MAX + LATE, arrivals.next()).await.expect("it is noticed");
    assert_eq!(told, Arrival::Missed);
    scene.schema.store().await.enqueue(message("b", 1)).await.expect("it is new");
    let told = timeout(LATE, arrivals.next()).await.expect("it listens again");
    assert!(matches!(told, Arrival::Mail(_)), "{told:?}");
}

/// A listener that connects anew to a server that says nothing tries again.
#[tokio::test]
async fn a_listener_whose_new_connection_says_nothing_tries_another_one() {
    let Some(scene) = Scene::new().await else { return };
    let config = scene.config().with_connect_timeout(Duration::from_secs(1));
    let store = PostgresStore::open(config).await.expect("the server runs");
    let mut arrivals = store.arrivals();
    let end = format!(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE query LIKE 'LISTEN%actor_mail:{}%'",
        scene.schema.name
    );
    let next = scene.relay.last() + 1;
    scene.relay.swallow(next..=next);
    scene.schema.say(&end).await;
    let told = timeout(LATE, arrivals.next()).await.expect("another one is heard");
    assert_eq!(told, Arrival::Missed);
    assert!(scene.relay.last() > next);
}

/// Nobody waits for a server on behalf of a store that is closed.
#[tokio::test]
async fn whoever_connects_gives_up_when_the_store_is_closed() {
    let Some(scene) = Scene::new().await else { return };
    let config = scene.config().with_connect_timeout(LATE * 10);
    let store = Arc::new(PostgresStore::open(config).await.expect("the server runs"));
    scene.relay.disappear();
    // One is idle that is cut.
    _ = store.head(&actor("a")).await;
    let connects = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.head(&actor("a")).await }
    });
    // It has tried once as soon as the task runs.
    tokio::task::yield_now().await;
    store.close();
    let outcome = timeout(LATE, connects).await.expect("it is given up").expect("no panic");
    assert!(matches!(refusal(outcome), Refusal::Unavailable(_)));
}
