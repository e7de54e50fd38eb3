//! Activations of one actor that follow each other while others begin and end, and actors that are deleted and made anew.

use std::convert::Infallible;
use std::future::IntoFuture;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use actor_core::{ActorError, Executor};
use actor_durable::testing::{Fault, FaultMode, FaultStore, Operation};
use actor_durable::{
    Durable, DurableActor, DurableId, DurableRef, DurableSystem, MemoryStore, NoError, Turn,
};
use actor_testkit::Simulation;
use futures_util::future::{Either, join3, select};

use crate::stage::{Account, Command, World, Written, account, pass};

const MOMENT: Duration = Duration::from_millis(10);

/// Begins slowly, handles slowly, and knows how many handlers of all ran at a time.
struct Slow {
    executor: Executor,
    running: AtomicU32,
    most: Arc<AtomicU32>,
}

impl Slow {
    fn new(world: &World) -> Self {
        Self { executor: world.simulation.executor(), running: AtomicU32::new(0), most: Arc::default() }
    }

    async fn take_time(&self) {
        // sleep: the simulation's time
        self.executor.sleep(Duration::from_secs(10)).await;
    }
}

impl Durable for Slow {
    const TYPE: &'static str = "slow";
    type State = u64;
    type Command = u64;
    type Reply = u64;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> u64 {
        0
    }

    async fn on_recover(&self, _: &DurableId, _: &mut u64) -> Result<(), ActorError> {
        self.take_time().await;
        Ok(())
    }
}

/// One of so many handlers, until it ends or is dropped.
struct Running<'a> {
    all: &'a AtomicU32,
    count: u32,
}

impl<'a> Running<'a> {
    fn begin(all: &'a AtomicU32) -> Self {
        Self { all, count: all.fetch_add(1, Ordering::Relaxed) + 1 }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.all.fetch_sub(1, Ordering::Relaxed);
    }
}

impl DurableActor for Slow {
    async fn handle(&self, by: u64, n: &mut u64, _: &mut Turn<'_, Self>) -> Result<u64, NoError> {
        let running = Running::begin(&self.running);
        self.most.fetch_max(running.count, Ordering::Relaxed);
        self.take_time().await;
        *n += by;
        Ok(*n)
    }
}

fn slow(system: &DurableSystem) -> DurableRef<Slow> {
    system.actor("a").expect("a good id")
}

#[test]
fn an_id_of_another_type_is_an_error_by_name_though_the_actor_is_in_memory() {
    World::new().run(async |system| {
        account(system, "a").call(Command::Add(1)).await.expect("it is stored");
        let refused = system.actor::<Written>("a").expect("a good id").call(Command::Get).await;
        let said = refused.expect_err("it is an account").to_string();
        assert_eq!(
            said,
            "not applied: the actor was not activated: the actor is of type account, not Written"
        );
        assert_eq!(account(system, "a").call(Command::Get).await.ok(), Some(1));
    });
}

#[test]
fn no_caller_notices_that_an_actor_is_passivated_while_it_begins() {
    let mut world = World::new();
    let slow_one = Slow::new(&world);
    world.run_with(
        |builder| builder.register(slow_one),
        async |system| {
            let a = slow(system);
            let passivation = async {
                pass(system, MOMENT).await;
                system.passivate(a.id()).await;
            };
            let second = async {
                pass(system, 2 * MOMENT).await;
                assert!(!system.is_active(a.id()), "it takes no more messages");
                a.call(2).await
            };
            let (first, (), second) = join3(a.call(1).into_future(), passivation, second).await;
            assert_eq!((first.ok(), second.ok()), (Some(1), Some(3)));
        },
    );
}

#[test]
fn one_handler_runs_at_a_time_though_the_actor_is_deleted_while_activations_wait_for_each_other() {
    let mut world = World::new();
    let store = FaultStore::new(world.store.clone(), []);
    let slow_one = Slow::new(&world);
    let most = slow_one.most.clone();
    world.crash_with(
        Arc::new(store.clone()),
        |builder| builder.register(slow_one),
        async |system| {
            let a = slow(system);
            a.call(1).await.expect("it is stored");
            system.passivate(a.id()).await;
            let visit = store.visits()[&Operation::Acquire] + 1;
            store.add(Fault { operation: Operation::Acquire, visit, mode: FaultMode::Pause });
            let deletion = pin!(system.delete(a.id()));
            let meanwhile = pin!(async {
                store.paused().await;
                let calls = [(); 2].map(|()| {
                    let a = a.clone();
                    system.executor().spawn(async move { drop(a.call(1).await) })
                });
                pass(system, Duration::from_secs(11)).await;
                // The first of them runs, and the second waits for it.
                let (passivating, id) = (system.clone(), a.id().clone());
                system.executor().spawn(async move { passivating.passivate(&id).await }).detach();
                pass(system, MOMENT).await;
                let last = a.clone();
                system.executor().spawn(async move { drop(last.call(1).await) }).detach();
                pass(system, MOMENT).await;
                store.resume();
                drop(calls);
                std::future::pending::<Infallible>().await
            });
            let Either::Left((deleted, _)) = select(deletion, meanwhile).await;
            assert_eq!(deleted.ok(), Some(true));
            assert_eq!(system.active_count(), 0, "whatever was fenced has ended");
            drop(a.call(1).await);
            assert_eq!(most.load(Ordering::Relaxed), 1);
        },
    );
}

#[test]
fn what_an_actor_that_was_made_anew_sends_arrives_though_a_former_one_sent_at_that_time() {
    World::new().run(async |system| {
        let (sender, receiver) = (account(system, "s"), account(system, "r"));
        for (paid, money) in [(5, 5), (7, 12)] {
            let began = system.executor().now();
            sender.call(Command::Pay("r".into(), paid)).await.expect_err("it has no money");
            sender.call(Command::Add(100)).await.expect("it is stored");
            sender.call(Command::Pay("r".into(), paid)).await.expect("it is stored");
            while receiver.call(Command::Get).await.ok() != Some(money) {
                assert!(system.executor().now() - began < Duration::from_secs(60), "it does not arrive");
                pass(system, Duration::ZERO).await;
            }
            assert_eq!(system.executor().now(), began, "the clock says the same");
            assert!(system.delete(sender.id()).await.expect("it is this process's"));
        }
    });
}

/// What happened to the actors of a process that was shut down with many of them, in order.
fn shut_down_with_many() -> Vec<String> {
    let mut simulation = Simulation::seeded(4);
    let (system, recorder) = simulation.recorded();
    let store = Arc::new(MemoryStore::on(simulation.executor()));
    let builder = DurableSystem::builder(&system, store).register(Account::default());
    simulation.block_on(async {
        let system = builder.start().await.expect("the store gives a lease");
        for number in 0..20 {
            let account = system.actor::<Account>(number.to_string()).expect("a good id");
            account.call(Command::Add(1)).await.expect("it is stored");
        }
        system.shutdown(Duration::from_secs(60)).await.expect("the store takes the lease back");
    });
    recorder.events().iter().map(|event| format!("{event:?}")).collect()
}

#[test]
fn actors_end_in_the_same_order_each_time_that_a_seed_is_run() {
    let first = shut_down_with_many();
    assert!(first.len() > 20, "{first:?}");
    for _ in 0..3 {
        assert_eq!(shut_down_with_many(), first);
    }
}
