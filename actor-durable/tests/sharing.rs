//! Several processes on one store: what waits is shared between them, and what takes long to begin keeps nothing else.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actor_core::{ActorError, ActorSystem, Executor};
use actor_durable::limits::{BEGINNING_HELD_MAX, BEGINNING_MAX, COMMIT_ENTRIES_MAX, INBOX_PAGE};
use actor_durable::store::Store;
use actor_durable::testing::{FaultStore, Operation};
use actor_durable::{Durable, DurableActor, DurableId, DurableSystem, MemoryStore, NoError, Turn};
use actor_testkit::Simulation;

use crate::stage::pass;

/// Takes its time to begin, and counts. Those of this name never begin.
#[derive(Clone)]
struct Slow {
    executor: Executor,
    counts: Arc<Counts>,
}

const NEVER: &str = "never";

#[derive(Default)]
struct Counts {
    beginning: AtomicUsize,
    /// The most that began at a time.
    most: AtomicUsize,
    handled: AtomicUsize,
}

impl Durable for Slow {
    const TYPE: &'static str = "slow";
    type State = ();
    type Command = ();
    type Reply = ();
    type Error = NoError;

    fn create(&self, _: &DurableId) {}

    async fn on_recover(&self, id: &DurableId, (): &mut ()) -> Result<(), ActorError> {
        if id.as_str().starts_with(NEVER) {
            pending::<()>().await;
        }
        let beginning = self.counts.beginning.fetch_add(1, Ordering::Relaxed) + 1;
        self.counts.most.fetch_max(beginning, Ordering::Relaxed);
        // sleep: the simulation's time
        self.executor.sleep(Duration::from_millis(10)).await;
        self.counts.beginning.fetch_sub(1, Ordering::Relaxed);
        Ok(())
    }
}

impl DurableActor for Slow {
    async fn handle(&self, (): (), (): &mut (), _: &mut Turn<'_, Self>) -> Result<(), NoError> {
        self.counts.handled.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// A process, and what the store hears of it.
struct Process {
    slow: Slow,
    store: FaultStore,
    system: DurableSystem,
}

impl Process {
    async fn start(actors: &ActorSystem, store: &Arc<MemoryStore>) -> Self {
        let slow = Slow { executor: actors.executor().clone(), counts: Arc::default() };
        let store = FaultStore::new(store.clone(), []);
        let builder = DurableSystem::builder(actors, Arc::new(store.clone()));
        let system = builder.register(slow.clone()).start().await.expect("the store gives a lease");
        Self { slow, store, system }
    }

    fn handled(&self) -> usize {
        self.slow.counts.handled.load(Ordering::Relaxed)
    }
}

/// A letter for each of so many, whom nobody has.
async fn fill(client: &ActorSystem, store: &Arc<MemoryStore>, name: &str, count: usize) {
    let client =
        DurableSystem::builder(client, store.clone()).start().await.expect("the store gives a lease");
    for number in 0..count {
        let actor = client.actor::<Slow>(format!("{name}{number}")).expect("a good id");
        actor.send(()).await.expect("it is stored");
    }
    client.shutdown(Duration::ZERO).await.expect("it has no actors");
}

#[test]
fn d18_processes_that_look_at_once_share_what_waits_and_seldom_reach_for_the_same() {
    const ACTORS: usize = 1_500;
    let mut simulation = Simulation::seeded(18);
    let store = Arc::new(MemoryStore::on(simulation.executor()));
    let (client, one, other) = (simulation.system(), simulation.system(), simulation.system());
    let processes = simulation.block_on(async {
        fill(&client, &store, "a", ACTORS).await;
        let processes = [Process::start(&one, &store).await, Process::start(&other, &store).await];
        pass(&processes[0].system, Duration::from_secs(4)).await;
        processes
    });
    let handled = processes.each_ref().map(Process::handled);
    assert_eq!(handled.iter().sum::<usize>(), ACTORS, "{handled:?}");
    let mut reached = 0;
    for process in &processes {
        assert!(process.handled() > ACTORS / 3, "{handled:?}");
        assert_eq!(process.slow.counts.most.load(Ordering::Relaxed), BEGINNING_MAX);
        reached += process.store.visits()[&Operation::Acquire];
    }
    assert!(reached < ACTORS as u64 * 5 / 4, "{reached}");
}

#[test]
fn d18_actors_that_never_begin_keep_the_others_from_beginning_for_a_moment() {
    const NEVERS: usize = 3 * BEGINNING_MAX;
    const OTHERS: usize = 300;
    let mut simulation = Simulation::seeded(18);
    let store = Arc::new(MemoryStore::on(simulation.executor()));
    let (client, one) = (simulation.system(), simulation.system());
    simulation.block_on(async {
        fill(&client, &store, NEVER, NEVERS).await;
        fill(&client, &store, "z", OTHERS).await;
        let process = Process::start(&one, &store).await;
        pass(&process.system, 3 * BEGINNING_HELD_MAX + Duration::from_millis(500)).await;
        assert_eq!(process.handled(), OTHERS);
        // Nor do they keep from beginning what comes later.
        fill(&client, &store, "later", 1).await;
        pass(&process.system, Duration::from_millis(50)).await;
        assert_eq!(process.handled(), OTHERS + 1);
        assert_eq!(store.waiting(None, 1).await.expect("it is in memory"), [], "they are in hand");
    });
}

#[test]
fn d14_letters_are_read_and_stored_in_batches_of_a_bounded_size() {
    const LETTERS: usize = 300;
    let mut simulation = Simulation::seeded(14);
    let store = Arc::new(MemoryStore::on(simulation.executor()));
    let (client, one) = (simulation.system(), simulation.system());
    simulation.block_on(async {
        let client = DurableSystem::builder(&client, store.clone()).start().await.expect("a lease");
        for _ in 0..LETTERS {
            client.actor::<Slow>("a").expect("a good id").send(()).await.expect("it is stored");
        }
        let process = Process::start(&one, &store).await;
        pass(&process.system, Duration::from_secs(1)).await;
        assert_eq!(process.handled(), LETTERS);
        let visits = process.store.visits();
        // The last one finds none, and the first commit is the actor's first turn.
        assert!(visits[&Operation::Inbox] > LETTERS.div_ceil(INBOX_PAGE) as u64, "{visits:?}");
        assert!(visits[&Operation::CommitTurn] > LETTERS.div_ceil(COMMIT_ENTRIES_MAX) as u64, "{visits:?}");
    });
}

#[test]
fn actors_of_types_that_others_know_are_looked_at_once_each_look() {
    let mut simulation = Simulation::seeded(18);
    let store = Arc::new(MemoryStore::on(simulation.executor()));
    let seen = FaultStore::new(store.clone(), []);
    let (client, system) = (simulation.system(), simulation.system());
    let builder = DurableSystem::builder(&system, Arc::new(seen.clone()));
    simulation.block_on(async {
        fill(&client, &store, "a", 5 * BEGINNING_MAX).await;
        let system = builder.start().await.expect("the store gives a lease");
        pass(&system, Duration::from_secs(1)).await;
        assert_eq!(seen.visits().get(&Operation::Waiting), Some(&2), "a page, and that there is no other");
        system.abandon().await;
    });
}
