//! What the tests share: an account, and a world in which processes end and begin again over one store.

mod random;
mod tapped;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use actor_core::{ActorError, ActorSystem};
use actor_durable::limits::LEASE_DEFAULT;
use actor_durable::store::Store;
use actor_durable::{
    Durability, Durable, DurableActor, DurableBuilder, DurableId, DurableRef, DurableSystem, MemoryStore,
    NoError, Turn, WallTime,
};
use actor_testkit::Simulation;
use serde::{Deserialize, Serialize};

pub(crate) use self::random::{Random, days};
pub(crate) use self::tapped::{Tap, Tapped};

/// An account of money. It counts how often its hooks ran.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    pub(crate) starts: Arc<AtomicU32>,
    pub(crate) recoveries: Arc<AtomicU32>,
    pub(crate) runs: Arc<AtomicU32>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Balance {
    pub(crate) money: i64,
    pub(crate) turns: u32,
    /// Not kept.
    #[serde(skip)]
    pub(crate) is_ready: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Command {
    Add(i64),
    /// Takes the money first, and then sees that there is not so much.
    Take(i64),
    Get,
    /// Takes so much and sends it to another account.
    Pay(String, i64),
    /// Gets so much at that time.
    AddAt(WallTime, i64),
    /// Sets so many reminders.
    Remind(u32),
    Panic,
    /// Never ends.
    Hang,
    Passivate,
    End,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{missing} is missing")]
pub(crate) struct Poor {
    pub(crate) missing: i64,
}

impl Durable for Account {
    const TYPE: &'static str = "account";
    type State = Balance;
    type Command = Command;
    type Reply = i64;
    type Error = Poor;

    fn create(&self, _: &DurableId) -> Balance {
        Balance::default()
    }

    fn is_query(command: &Command) -> bool {
        matches!(command, Command::Get)
    }

    async fn on_recover(&self, _: &DurableId, state: &mut Balance) -> Result<(), ActorError> {
        self.recoveries.fetch_add(1, Ordering::Relaxed);
        state.is_ready = true;
        Ok(())
    }
}

impl DurableActor for Account {
    async fn on_start(&self, _: &mut Balance, _: &mut Turn<'_, Self>) -> Result<(), ActorError> {
        self.starts.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn handle(
        &self,
        command: Command,
        state: &mut Balance,
        turn: &mut Turn<'_, Self>,
    ) -> Result<i64, Poor> {
        assert!(state.is_ready, "`on_recover` comes before everything else");
        self.runs.fetch_add(1, Ordering::Relaxed);
        state.turns += 1;
        match command {
            Command::Add(money) => state.money += money,
            Command::Take(money) => {
                state.money -= money;
                if state.money < 0 {
                    return Err(Poor { missing: -state.money });
                }
            }
            Command::Get => state.turns -= 1,
            Command::Pay(to, money) => {
                state.money -= money;
                turn.send::<Account>(&to, &Command::Add(money)).expect("a good id");
                if state.money < 0 {
                    return Err(Poor { missing: -state.money });
                }
            }
            Command::AddAt(due, money) => {
                turn.remind("later", due, &Command::Add(money)).expect("a good name");
            }
            Command::Remind(count) => {
                for n in 0..count {
                    turn.remind(&n.to_string(), WallTime::MAX, &Command::Get).expect("a good name");
                }
            }
            Command::Hang => std::future::pending().await,
            Command::Panic => panic!("so it was asked"),
            Command::Passivate => turn.passivate(),
            Command::End => turn.end(),
        }
        Ok(state.money)
    }
}

/// Adds up, and remembers so many messages.
pub(crate) struct Forgetful<const REMEMBERED: usize>;

impl<const REMEMBERED: usize> Durable for Forgetful<REMEMBERED> {
    const TYPE: &'static str = "forgetful";
    const REMEMBERED: usize = REMEMBERED;
    type State = i64;
    type Command = i64;
    type Reply = i64;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> i64 {
        0
    }
}

impl<const REMEMBERED: usize> DurableActor for Forgetful<REMEMBERED> {
    async fn handle(&self, by: i64, n: &mut i64, _: &mut Turn<'_, Self>) -> Result<i64, NoError> {
        *n += by;
        Ok(*n)
    }
}

/// The same with another durability.
macro_rules! account_of {
    ($name:ident, $durability:expr) => {
        pub(crate) struct $name;

        impl Durable for $name {
            const TYPE: &'static str = stringify!($name);
            const DURABILITY: Durability = $durability;
            type State = i64;
            type Command = Command;
            type Reply = i64;
            type Error = Poor;

            fn create(&self, _: &DurableId) -> i64 {
                0
            }
        }

        impl DurableActor for $name {
            async fn handle(
                &self,
                command: Command,
                n: &mut i64,
                turn: &mut Turn<'_, Self>,
            ) -> Result<i64, Poor> {
                match command {
                    Command::Add(money) => *n += money,
                    Command::Hang => std::future::pending().await,
                    Command::Passivate => turn.passivate(),
                    _ => {}
                }
                Ok(*n)
            }
        }
    };
}

account_of!(WrittenBack, Durability::WriteBack(Duration::from_secs(1)));
account_of!(Written, Durability::Lazy);
account_of!(Forgotten, Durability::Volatile);

/// One store, and processes over it that end without a word.
pub(crate) struct World {
    pub(crate) simulation: Simulation,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) account: Account,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::seeded(9)
    }

    pub(crate) fn seeded(seed: u64) -> Self {
        let simulation = Simulation::seeded(seed);
        let store = Arc::new(MemoryStore::on(simulation.executor()));
        Self { simulation, store, account: Account::default() }
    }

    /// A process.
    pub(crate) fn process(&self) -> (ActorSystem, impl Future<Output = DurableSystem> + use<>) {
        self.process_over(self.store.clone())
    }

    /// A process that sees the store through something.
    pub(crate) fn process_over(
        &self,
        store: Arc<dyn Store>,
    ) -> (ActorSystem, impl Future<Output = DurableSystem> + use<>) {
        let (system, account) = (self.simulation.system(), self.account.clone());
        let builder = register(DurableSystem::builder(&system, store), account);
        (system, async move { builder.start().await.expect("the store gives a lease") })
    }

    /// Runs a future in a process of its own, which ends gracefully after it.
    pub(crate) fn run<R>(&mut self, body: impl AsyncFnOnce(&DurableSystem) -> R) -> R {
        let (_, system) = self.process();
        self.simulation.block_on(async {
            let system = system.await;
            let result = body(&system).await;
            system.shutdown(Duration::from_secs(60)).await.expect("the store takes the lease back");
            result
        })
    }

    /// As [`run`](Self::run), in a process that knows other types.
    pub(crate) fn run_with<R>(
        &mut self,
        register: impl FnOnce(DurableBuilder) -> DurableBuilder,
        body: impl AsyncFnOnce(&DurableSystem) -> R,
    ) -> R {
        let builder = register(DurableSystem::builder(&self.simulation.system(), self.store.clone()));
        self.simulation.block_on(async {
            let system = builder.start().await.expect("the store gives a lease");
            let result = body(&system).await;
            system.shutdown(Duration::from_secs(60)).await.expect("the store takes the lease back");
            result
        })
    }

    /// As [`run_and_crash`](Self::run_and_crash), in a process that knows other types and sees the store through something.
    pub(crate) fn crash_with<R>(
        &mut self,
        store: Arc<dyn Store>,
        register: impl FnOnce(DurableBuilder) -> DurableBuilder,
        body: impl AsyncFnOnce(&DurableSystem) -> R,
    ) -> R {
        let builder = register(DurableSystem::builder(&self.simulation.system(), store));
        self.simulation.block_on(async {
            let system = builder.start().await.expect("the store gives a lease");
            let result = body(&system).await;
            system.abandon().await;
            pass(&system, LEASE_DEFAULT).await;
            result
        })
    }

    /// Runs a future in a process of its own, of which nothing is left after it but what is stored. Then its lease runs out.
    pub(crate) fn run_and_crash<R>(&mut self, body: impl AsyncFnOnce(&DurableSystem) -> R) -> R {
        let store = self.store.clone();
        let account = self.account.clone();
        self.crash_with(store, |builder| register(builder, account), body)
    }
}

/// All types of this file.
fn register(builder: DurableBuilder, account: Account) -> DurableBuilder {
    builder.register(account).register(WrittenBack).register(Written).register(Forgotten)
}

pub(crate) fn account(system: &DurableSystem, id: &str) -> DurableRef<Account> {
    system.actor(id).expect("a good id")
}

/// Lets virtual time pass.
pub(crate) async fn pass(system: &DurableSystem, time: Duration) {
    // sleep: the simulation's time
    system.executor().sleep(time).await;
}
