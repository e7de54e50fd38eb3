//! The loops that airssys-rt ran over its broker, over ours: messages to a name, and to
//! all who subscribed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use actor_core::{Actor, ActorError, ActorRef, ActorSystem, SpawnOptions};
use actor_toolkit::broker::Broker;
use actor_toolkit::topics::Topics;
use tokio::task::yield_now;

use super::per;

const MESSAGES: u64 = 100;
const SUBSCRIBERS: usize = 10;
/// Others, who get nothing.
const STRANGERS: usize = 1_000;

/// Counts what it reads.
struct Reader(Arc<AtomicU64>);

impl Actor for Reader {
    type Msg = String;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<String>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle(&self, _: &ActorRef<String>, text: String, (): &mut ()) -> Result<(), ActorError> {
        assert!(!text.is_empty());
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// Actors that read, and what they have read together.
struct Readers {
    system: ActorSystem,
    read: Arc<AtomicU64>,
}

impl Readers {
    fn new() -> Self {
        Self { system: ActorSystem::new(), read: Arc::default() }
    }

    async fn spawn(&self) -> ActorRef<String> {
        let reader = Reader(self.read.clone());
        self.system.spawn(reader, (), SpawnOptions::new()).await.expect("it starts")
    }

    async fn have_read(&self, messages: u64) {
        while self.read.load(Ordering::Relaxed) < messages {
            yield_now().await;
        }
        assert_eq!(self.read.load(Ordering::Relaxed), messages);
    }
}

fn send_all(broker: &Broker<String>) {
    for value in 0..MESSAGES {
        assert!(broker.cast("reader", format!("message {value}")).is_ok());
    }
}

pub(super) async fn routed(rounds: u64) -> f64 {
    let readers = Readers::new();
    let reader = readers.spawn().await;
    let start = Instant::now();
    for round in 0..rounds {
        let broker = Broker::new(&readers.system);
        let binding = broker.bind("reader", &reader).expect("it is free");
        send_all(&broker);
        binding.release();
        // Theirs read them in the same task; here the actor does, and the loop waits for it.
        readers.have_read((round + 1) * MESSAGES).await;
    }
    per(start, rounds)
}

pub(super) async fn routed_handled(rounds: u64) -> f64 {
    let readers = Readers::new();
    let broker = Broker::new(&readers.system);
    let reader = readers.spawn().await;
    broker.bind("reader", &reader).expect("it is free");
    for stranger in 0..STRANGERS {
        broker.bind(&format!("stranger-{stranger}"), &readers.spawn().await).expect("it is free");
    }
    let start = Instant::now();
    for round in 0..rounds {
        send_all(&broker);
        readers.have_read((round + 1) * MESSAGES).await;
    }
    per(start, rounds)
}

async fn subscribed(readers: &Readers) -> Vec<ActorRef<String>> {
    let mut all = Vec::new();
    for _ in 0..SUBSCRIBERS {
        all.push(readers.spawn().await);
    }
    all
}

pub(super) async fn published(rounds: u64) -> f64 {
    let readers = Readers::new();
    let all = subscribed(&readers).await;
    let start = Instant::now();
    for round in 0..rounds {
        let topics = Topics::new(&readers.system);
        let subscriptions: Vec<_> =
            all.iter().map(|one| topics.subscribe("news", one).expect("there is room")).collect();
        assert!(topics.publish("news", "a message".to_owned()).is_ok());
        readers.have_read((round + 1) * SUBSCRIBERS as u64).await;
        subscriptions.iter().for_each(|subscription| subscription.cancel());
    }
    per(start, rounds)
}

pub(super) async fn published_handled(rounds: u64) -> f64 {
    let readers = Readers::new();
    let topics = Topics::new(&readers.system);
    for one in subscribed(&readers).await {
        topics.subscribe("news.*", &one).expect("there is room");
    }
    for stranger in 0..STRANGERS {
        topics.subscribe(&format!("other-{stranger}.*"), &readers.spawn().await).expect("there is room");
    }
    let start = Instant::now();
    for round in 0..rounds {
        assert!(topics.publish("news.today", "a message".to_owned()).is_ok());
        readers.have_read((round + 1) * SUBSCRIBERS as u64).await;
    }
    per(start, rounds)
}
