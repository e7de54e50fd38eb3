//! A durable system as a whole: what it is built of, what it shows, and how it ends.

use std::future::IntoFuture;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actor_core::ActorError;
use actor_durable::limits::{LEASE_MIN, LOOK_INTERVAL_MIN, RETIRE_MAX};
use actor_durable::store::{Arrival, Arrivals, Outgoing, Store, StoreError};
use actor_durable::testing::{Fault, FaultMode, FaultStore, Operation};
use actor_durable::{
    Durable, DurableActor, DurableBuilder, DurableId, DurableRef, DurableSystem, NoError, NotApplied, Outlet,
    StartError, Turn,
};
use async_trait::async_trait;
use futures_util::future::join;

use crate::stage::{Account, Command, Tap, Tapped, World, WrittenBack, account, pass};

/// Has no name.
struct Nameless;

impl Durable for Nameless {
    const TYPE: &'static str = "";
    type State = ();
    type Command = ();
    type Reply = ();
    type Error = NoError;

    fn create(&self, _: &DurableId) {}
}

impl DurableActor for Nameless {
    async fn handle(&self, (): (), (): &mut (), _: &mut Turn<'_, Self>) -> Result<(), NoError> {
        Ok(())
    }
}

struct Nowhere;

#[async_trait]
impl Outlet for Nowhere {
    async fn deliver(&self, _: &DurableId, _: &Outgoing) -> Result<(), ActorError> {
        Ok(())
    }
}

#[test]
fn a_name_that_is_not_valid_or_is_used_twice_is_said_when_the_system_starts() {
    let mut world = World::new();
    let mut said = |build: fn(DurableBuilder) -> DurableBuilder| {
        let builder = build(DurableSystem::builder(&world.simulation.system(), world.store.clone()));
        world.simulation.block_on(builder.start()).map(drop)
    };
    assert!(matches!(said(|it| it.register(Nameless)), Err(StartError::Name(_))));
    assert!(matches!(said(|it| it.outlet("", Nowhere)), Err(StartError::Name(_))));
    let twice = said(|it| it.register(Account::default()).register(Account::default()));
    assert!(
        matches!(&twice, Err(StartError::RegisteredTwice(what)) if what == "the type account"),
        "{twice:?}"
    );
    let twice = said(|it| it.outlet("sea", Nowhere).outlet("sea", Nowhere));
    assert!(
        matches!(&twice, Err(StartError::RegisteredTwice(what)) if what == "the outlet sea"),
        "{twice:?}"
    );
    let first = said(|it| it.outlet("sea", Nowhere).outlet("sea", Nowhere).outlet("", Nowhere));
    assert!(matches!(&first, Err(StartError::RegisteredTwice(_))), "the first mistake is said: {first:?}");
    said(|it| it.outlet("sea", Nowhere).outlet("lake", Nowhere)).expect("there is no mistake");
}

#[test]
fn a_start_that_the_store_was_away_for_may_succeed_later_and_one_with_a_mistake_may_not() {
    let mut world = World::new();
    let faults = [(1, FaultMode::Refuse), (2, FaultMode::LoseAnswer)];
    let faults = faults.map(|(visit, mode)| Fault { operation: Operation::Renew, visit, mode });
    let store: Arc<dyn Store> = Arc::new(FaultStore::new(world.store.clone(), faults));
    let mut start = |build: fn(DurableBuilder) -> DurableBuilder| {
        let builder = build(DurableSystem::builder(&world.simulation.system(), store.clone()));
        world.simulation.block_on(builder.start()).map(drop)
    };
    let refused = start(|it| it).expect_err("the store is away");
    assert!(matches!(refused, StartError::Store(StoreError::NotApplied(_))) && refused.is_transient());
    let lost = start(|it| it).expect_err("the answer is lost");
    assert!(matches!(lost, StartError::Store(StoreError::Unknown(_))) && lost.is_transient());
    start(|it| it).expect("the store is back");
    let twice = start(|it| it.register(Account::default()).register(Account::default()));
    assert!(!twice.expect_err("it is a mistake").is_transient());
}

#[test]
fn an_actor_that_is_not_done_in_time_is_killed_by_the_shutdown() {
    let mut world = World::new();
    let (_, system) = world.process();
    world.simulation.block_on(async {
        let system = system.await;
        let a = account(&system, "a");
        assert_eq!(a.call(Command::Add(1)).await.ok(), Some(1));
        let began = system.executor().now();
        let ends = async {
            pass(&system, Duration::from_millis(1)).await;
            system.shutdown(Duration::from_secs(5)).await
        };
        let (hung, ended) = join(a.call(Command::Hang).into_future(), ends).await;
        ended.expect("the store takes the lease back");
        assert!(hung.is_err(), "{hung:?}");
        let took = system.executor().now().saturating_since(began);
        assert_eq!(took, Duration::from_millis(5_001));
        assert_eq!(system.active_count(), 0);
    });
    world.run(async |system| {
        assert_eq!(account(system, "a").call(Command::Get).await.ok(), Some(1), "it is free at once");
    });
}

#[test]
fn an_actor_that_is_being_given_back_is_not_active() {
    let mut world = World::new();
    let pause = Fault { operation: Operation::Release, visit: 1, mode: FaultMode::Pause };
    let store = FaultStore::new(world.store.clone(), [pause]);
    let (_, system) = world.process_over(Arc::new(store.clone()));
    world.simulation.block_on(async {
        let system = system.await;
        let a = account(&system, "a");
        assert_eq!(a.call(Command::Add(1)).await.ok(), Some(1));
        assert!(system.is_active(a.id()));
        let looks = async {
            store.paused().await;
            assert_eq!((system.is_active(a.id()), system.active_count()), (false, 1));
            store.resume();
        };
        join(system.passivate(a.id()), looks).await;
        assert_eq!((system.is_active(a.id()), system.active_count()), (false, 0));
    });
}

#[test]
fn whoever_calls_while_an_activation_stores_what_is_left_waits_for_it_and_finds_it() {
    let mut world = World::new();
    let pause = Fault { operation: Operation::CommitTurn, visit: 2, mode: FaultMode::Pause };
    let store = FaultStore::new(world.store.clone(), [pause]);
    let (_, system) = world.process_over(Arc::new(store.clone()));
    world.simulation.block_on(async {
        let system = system.await;
        let a: DurableRef<WrittenBack> = system.actor("a").expect("a good id");
        assert_eq!(a.call(Command::Add(1)).await.ok(), Some(1));
        let calls = async {
            store.paused().await;
            let resumes = async {
                pass(&system, Duration::from_secs(1)).await;
                store.resume();
            };
            join(a.call(Command::Add(10)).into_future(), resumes).await.0
        };
        let (_, called) = join(system.passivate(a.id()), calls).await;
        assert_eq!(called.ok(), Some(11));
        assert_eq!((system.is_active(a.id()), system.active_count()), (true, 1), "the one before is gone");
        system.shutdown(Duration::from_secs(5)).await.expect("the store takes the lease back");
    });
}

#[test]
fn what_an_actor_has_accepted_is_handled_before_it_is_deleted() {
    let mut world = World::new();
    world.run(async |system| {
        let a = account(system, "a");
        assert_eq!(a.call(Command::Add(1)).await.ok(), Some(1));
        let (added, deleted) = join(a.call(Command::Add(2)).into_future(), system.delete(a.id())).await;
        assert_eq!((added.ok(), deleted.ok()), (Some(3), Some(true)));
        assert_eq!(a.call(Command::Get).await.ok(), Some(0), "it is another one");
    });
}

/// Says nothing of what arrives, and so that it will not.
#[derive(Debug)]
struct Silent;

#[async_trait]
impl Arrivals for Silent {
    async fn next(&mut self) -> Arrival {
        Arrival::Closed
    }
}

impl Tap for Silent {
    fn arrivals(&self, _: &dyn Store) -> Box<dyn Arrivals> {
        Box::new(Silent)
    }
}

#[test]
fn whoever_is_told_of_no_more_arrivals_asks_no_more_and_finds_letters_by_looking() {
    let mut world = World::new();
    let (_, system) = world.process_over(Arc::new(Tapped::new(world.store.clone(), Silent)));
    world.simulation.block_on(async {
        let system = system.await;
        let a = account(&system, "a");
        a.send(Command::Add(1)).await.expect("it is new");
        pass(&system, Duration::from_secs(60)).await;
        assert_eq!(a.call(Command::Get).await.ok(), Some(1));
        system.shutdown(Duration::from_secs(5)).await.expect("the store takes the lease back");
    });
}

/// How long the leases were.
#[derive(Clone, Debug, Default)]
struct Leases(Arc<Mutex<Vec<Duration>>>);

impl Tap for Leases {
    fn renewed(&self, lease: Duration) {
        self.0.lock().expect("nobody has panicked").push(lease);
    }
}

#[test]
fn a_lease_and_an_interval_that_are_too_short_are_as_short_as_they_may_be() {
    let mut world = World::new();
    let leases = Leases::default();
    let store = FaultStore::new(world.store.clone(), []);
    let tapped = Arc::new(Tapped::new(Arc::new(store.clone()), leases.clone()));
    let builder = DurableSystem::builder(&world.simulation.system(), tapped);
    world.simulation.block_on(async {
        let builder = builder.lease(Duration::ZERO).look_interval(Duration::ZERO);
        let system = builder.start().await.expect("the store gives a lease");
        pass(&system, Duration::from_secs(1)).await;
        let looks = store.visits().get(&Operation::Waiting).copied().unwrap_or_default();
        let most = Duration::from_secs(1).as_millis() / LOOK_INTERVAL_MIN.as_millis();
        assert!(looks > 50 && u128::from(looks) <= most + 1, "{looks}");
        system.shutdown(Duration::from_secs(5)).await.expect("the store takes the lease back");
    });
    let leases = leases.0.lock().expect("nobody has panicked");
    assert!(leases.len() > 20 && leases.iter().all(|lease| *lease == LEASE_MIN), "{leases:?}");
}

#[test]
fn a_shutdown_ends_though_the_store_never_says_that_the_lease_is_over() {
    let mut world = World::new();
    let hung = [Operation::CommitTurn, Operation::Retire];
    let hung = hung.map(|operation| Fault { operation, visit: 1, mode: FaultMode::Pause });
    let store = FaultStore::new(world.store.clone(), hung);
    let (_, system) = world.process_over(Arc::new(store.clone()));
    world.simulation.block_on(async {
        let system = system.await;
        let a = account(&system, "a");
        let ends = async {
            store.paused().await;
            let began = system.executor().now();
            let ended = system.shutdown(Duration::from_secs(5)).await;
            (ended, system.executor().now().saturating_since(began))
        };
        let (hung, (ended, took)) = join(a.call(Command::Add(1)).into_future(), ends).await;
        assert!(hung.is_err(), "{hung:?}");
        assert_eq!(took, Duration::from_secs(5) + RETIRE_MAX);
        assert!(matches!(ended, Err(NotApplied::Store(StoreError::Unknown(_)))), "{ended:?}");
        system.shutdown(Duration::from_secs(5)).await.expect("it may be asked again");
    });
}
