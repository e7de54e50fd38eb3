//! cargo run --example durable_account
//!
//! An account whose events are kept. An older program's are read, a transfer is a question to another account, and interest comes
//! each day, be there a process or not.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actor_core::{ActorError, ActorSystem};
use actor_durable::store::{CatchUp, Store, StoreError};
use actor_durable::{
    Answer, AskError, CodecError, Decision, Durable, DurableId, DurableSystem, EventSourced, MessageId,
    RedbStore, StartError, Turn, decode,
};
use serde::{Deserialize, Serialize};

struct Account;

#[derive(Serialize, Deserialize)]
enum Command {
    Deposit(u64),
    /// Comes back if the other does not take it.
    Transfer {
        to: String,
        cents: u64,
    },
    /// Whether a transfer was taken.
    Arrived {
        transfer: MessageId,
        is_taken: bool,
    },
    Interest,
    Look,
}

#[derive(Serialize, Deserialize)]
enum Event {
    Came { cents: u64, why: String },
    Left { cents: u64, transfer: MessageId },
    Taken(MessageId),
    CameBack(MessageId),
}

/// As events were before they said why.
#[derive(Serialize, Deserialize)]
enum Event1 {
    Came(u64),
}

#[derive(Default, Serialize, Deserialize)]
struct Balance {
    cents: u64,
    under_way: BTreeMap<MessageId, u64>,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// No account takes more.
const CENTS_MAX: u64 = 100_000;

impl Durable for Account {
    const TYPE: &'static str = "account";
    const IDLE_MAX: Option<Duration> = Some(Duration::from_secs(60));
    type State = Balance;
    type Command = Command;
    type Reply = u64;
    type Error = String;

    fn create(&self, _: &DurableId) -> Balance {
        Balance::default()
    }

    fn is_query(command: &Command) -> bool {
        matches!(command, Command::Look)
    }

    fn on_answer(answer: &Answer<'_>) -> Result<Command, CodecError> {
        // A reply that this program cannot read is one: the money has arrived.
        let is_taken =
            !matches!(answer.reply::<Account>(), Err(AskError::Refused(_) | AskError::NotApplied(_)));
        Ok(Command::Arrived { transfer: answer.question(), is_taken })
    }
}

impl EventSourced for Account {
    type Event = Event;
    const EVENT_VERSION: u32 = 2;
    const SNAPSHOT_EVERY: u64 = 100;

    async fn on_start(&self, _: &Balance, turn: &mut Turn<'_, Self>) -> Result<Vec<Event>, ActorError> {
        let tomorrow = turn.at().after(DAY);
        turn.remind_every("interest", tomorrow, DAY, CatchUp::FireAll, &Command::Interest)?;
        Ok(Vec::new())
    }

    async fn decide(
        &self,
        command: Command,
        balance: &Balance,
        turn: &mut Turn<'_, Self>,
    ) -> Result<Decision<Event, u64>, String> {
        let cents_before = balance.cents;
        match command {
            Command::Deposit(cents) if cents_before.saturating_add(cents) > CENTS_MAX => {
                Err("that is too much".into())
            }
            Command::Deposit(cents) => {
                let came = Event::Came { cents, why: "a deposit".into() };
                Ok(Decision::reply(cents_before + cents).event(came))
            }
            Command::Transfer { to, cents } => {
                let rest = cents_before.checked_sub(cents).ok_or("so much is not there")?;
                let transfer =
                    turn.ask::<Account>("transfer", &to, &Command::Deposit(cents)).map_err(refused)?;
                Ok(Decision::reply(rest).event(Event::Left { cents, transfer }))
            }
            Command::Arrived { transfer, is_taken } => {
                let arrived = if is_taken { Event::Taken(transfer) } else { Event::CameBack(transfer) };
                Ok(Decision::reply(cents_before).event(arrived))
            }
            Command::Interest => {
                let came = Event::Came { cents: cents_before / 100, why: "interest".into() };
                Ok(Decision::reply(cents_before).event(came))
            }
            Command::Look => Ok(Decision::reply(cents_before)),
        }
    }

    fn apply(&self, balance: &mut Balance, event: &Event) {
        match event {
            Event::Came { cents, .. } => balance.cents += cents,
            Event::Left { cents, transfer } => {
                balance.cents -= cents;
                balance.under_way.insert(*transfer, *cents);
            }
            Event::Taken(transfer) => drop(balance.under_way.remove(transfer)),
            Event::CameBack(transfer) => {
                balance.cents += balance.under_way.remove(transfer).unwrap_or_default();
            }
        }
    }

    fn upcast_event(version: u32, bytes: &[u8]) -> Result<Event, CodecError> {
        match version {
            1 => {
                let Event1::Came(cents) = decode("an event", version, bytes)?;
                Ok(Event::Came { cents, why: "nobody wrote it down".into() })
            }
            found => Err(CodecError::UnknownVersion { what: "an event", found, known: Self::EVENT_VERSION }),
        }
    }
}

fn refused(why: impl Display) -> String {
    why.to_string()
}

async fn open(system: &ActorSystem, store: Arc<dyn Store>) -> Result<DurableSystem, StartError> {
    DurableSystem::builder(system, store).register_event_sourced(Account).start().await
}

/// Puts back what was given up, for a program that is mended. Says how much that was.
async fn revive_all(system: &DurableSystem, id: &DurableId) -> Result<usize, StoreError> {
    let dead = system.store().dead_letters(id, None, 100).await?;
    for dead in &dead {
        system.store().revive(id, dead.letter.message.id).await?;
    }
    Ok(dead.len())
}

/// What two accounts have, when it was run once more.
async fn run(file: &Path) -> Result<[u64; 2], Box<dyn Error>> {
    let system = open(&ActorSystem::current(), Arc::new(RedbStore::open(file).await?)).await?;
    let (ada, bob) = (system.actor::<Account>("Ada")?, system.actor::<Account>("Bob")?);
    ada.call(Command::Deposit(100)).await?;
    revive_all(&system, ada.id()).await?;
    let before = bob.call(Command::Look).await?;
    ada.call(Command::Transfer { to: "Bob".into(), cents: 30 }).await?;
    while bob.call(Command::Look).await? == before {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let both = [ada.call(Command::Look).await?, bob.call(Command::Look).await?];
    system.shutdown(Duration::from_secs(5)).await?;
    Ok(both)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let [ada, bob] = run(&std::env::temp_dir().join("durable_account.redb")).await?;
    Ok(writeln!(io::stdout(), "Ada has {ada} cents, and Bob has {bob}")?)
}

#[test]
fn they_have_what_they_had_and_more() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("account.redb");
    for n in 1..=3 {
        // With a runtime all of a run is gone, as with a process.
        let runtime = tokio::runtime::Runtime::new().unwrap();
        assert_eq!(runtime.block_on(run(&file)).unwrap(), [70 * n, 30 * n]);
    }
}

#[cfg(test)]
mod tests {
    use actor_durable::{DurableRef, MemoryStore};
    use actor_testkit::Simulation;

    use super::*;

    /// The account as it was in an older program.
    struct Account1;

    #[derive(Serialize, Deserialize)]
    enum Command1 {
        Deposit(u64),
    }

    impl Durable for Account1 {
        const TYPE: &'static str = Account::TYPE;
        type State = u64;
        type Command = Command1;
        type Reply = u64;
        type Error = String;

        fn create(&self, _: &DurableId) -> u64 {
            0
        }
    }

    impl EventSourced for Account1 {
        type Event = Event1;

        async fn decide(
            &self,
            Command1::Deposit(cents): Command1,
            before: &u64,
            _: &mut Turn<'_, Self>,
        ) -> Result<Decision<Event1, u64>, String> {
            Ok(Decision::reply(before + cents).event(Event1::Came(cents)))
        }

        fn apply(&self, balance: &mut u64, Event1::Came(cents): &Event1) {
            *balance += cents;
        }
    }

    /// A world in which time is virtual, and processes come and go over one store.
    struct World {
        simulation: Simulation,
        store: Arc<MemoryStore>,
    }

    impl World {
        fn new() -> Self {
            let simulation = Simulation::seeded(1);
            let store = Arc::new(MemoryStore::on(simulation.executor()));
            Self { simulation, store }
        }

        /// Runs something in a process, which ends as if it were killed.
        fn process<R>(&mut self, body: impl AsyncFnOnce(&DurableSystem) -> R) -> R {
            let (system, store) = (self.simulation.system(), self.store.clone());
            self.simulation.block_on(async {
                let system = open(&system, store).await.unwrap();
                let result = body(&system).await;
                system.abandon().await;
                result
            })
        }

        /// The same with the older program.
        fn older_process<R>(&mut self, body: impl AsyncFnOnce(&DurableSystem) -> R) -> R {
            let builder = DurableSystem::builder(&self.simulation.system(), self.store.clone());
            self.simulation.block_on(async {
                let system = builder.register_event_sourced(Account1).start().await.unwrap();
                let result = body(&system).await;
                system.abandon().await;
                result
            })
        }
    }

    fn account(system: &DurableSystem, id: &str) -> DurableRef<Account> {
        system.actor(id).unwrap()
    }

    #[test]
    fn what_an_older_program_has_stored_is_there() {
        let mut world = World::new();
        world.older_process(async |system| {
            let old = system.actor::<Account1>("Ada").unwrap();
            old.call(Command1::Deposit(7)).await.unwrap();
        });
        world.simulation.advance(DAY);
        let cents = world.process(async |system| account(system, "Ada").call(Command::Look).await);
        assert_eq!(cents.unwrap(), 7);
    }

    async fn pass(system: &DurableSystem, time: Duration) {
        // sleep: the simulation's time
        system.executor().sleep(time).await;
    }

    #[test]
    fn interest_comes_for_each_day_though_nobody_was_there() {
        let mut world = World::new();
        world.process(async |system| account(system, "Ada").call(Command::Deposit(10_000)).await).unwrap();
        world.simulation.advance(3 * DAY);
        let cents = world.process(async |system| {
            pass(system, Duration::from_secs(1)).await;
            account(system, "Ada").call(Command::Look).await
        });
        assert_eq!(cents.unwrap(), 10_000 + 100 + 101 + 102);
    }

    #[test]
    fn a_transfer_that_is_not_taken_comes_back() {
        let mut world = World::new();
        world.process(async |system| {
            let (ada, bob) = (account(system, "Ada"), account(system, "Bob"));
            ada.call(Command::Deposit(10)).await.unwrap();
            bob.call(Command::Deposit(CENTS_MAX)).await.unwrap();
            let transfer = Command::Transfer { to: "Bob".into(), cents: 3 };
            assert_eq!(ada.call(transfer).await.unwrap(), 7);
            pass(system, Duration::from_secs(1)).await;
            assert_eq!(ada.call(Command::Look).await.unwrap(), 10);
        });
    }

    #[test]
    fn what_an_older_program_cannot_read_is_put_back_by_a_newer_one() {
        let mut world = World::new();
        let (beside, store) = (world.simulation.system(), world.store.clone());
        world.older_process(async |system| {
            let old = system.actor::<Account1>("Ada").unwrap();
            old.call(Command1::Deposit(7)).await.unwrap();
            // The newer program runs beside it, and what it sends is handled by who has the account.
            let newer = open(&beside, store).await.unwrap();
            let transfer = Command::Transfer { to: "Bob".into(), cents: 3 };
            account(&newer, "Ada").send(transfer).await.unwrap();
            pass(system, DAY / 2).await;
            newer.abandon().await;
        });
        world.simulation.advance(DAY);
        world.process(async |system| {
            let ada = account(system, "Ada");
            assert_eq!(revive_all(system, ada.id()).await.unwrap(), 1);
            pass(system, Duration::from_secs(1)).await;
            assert_eq!(ada.call(Command::Look).await.unwrap(), 4);
            assert_eq!(account(system, "Bob").call(Command::Look).await.unwrap(), 3);
        });
    }
}
