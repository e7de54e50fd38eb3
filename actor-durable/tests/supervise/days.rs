//! Random days of a small bank under two supervisors, in four processes one after the other, of which each ends without a word, over a
//! store that refuses operations and loses answers. Whatever happens, each payment that was acknowledged was made once, no money is
//! lost or made, and nothing waits in the end. What fails prints its seed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actor_core::Strategy;
use actor_durable::store::{Headers, Store};
use actor_durable::supervise::{
    ChildSpec, Directive, DurableSupervisor, OnFailure, SupervisorCommand, SupervisorSpec,
};
use actor_durable::{
    Answer, AskError, CodecError, Durability, Durable, DurableActor, DurableId, DurableRef, DurableSystem,
    MemoryStore, MessageId, Turn,
};
use actor_testkit::Simulation;
use serde::{Deserialize, Serialize};

use crate::stage::{Random, days, pass};

const SECOND: Duration = Duration::from_secs(1);
const TELLERS: [&str; 4] = ["a", "b", "c", "d"];
/// How many processes there are; the last one has a store without faults.
const LIVES: usize = 4;
const STEPS: usize = 40;

/// Holds money, which it pays to others. It is written back if it may be.
struct Teller<const IS_BACK: bool>;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Till {
    money: i64,
    payments: u64,
    /// What was offered and not answered yet.
    offered: BTreeMap<MessageId, i64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Bank {
    /// Pays so much to another.
    Pay(String, i64),
    /// Offers so much to another, which may refuse it.
    Offer(String, i64),
    Take(i64),
    Heard(MessageId, bool),
    /// Is reminded to do nothing.
    Remind,
    Nothing,
    Panic,
    Show,
}

#[derive(Clone, Debug, Serialize, Deserialize, thiserror::Error)]
#[error("it does not take that")]
struct Declined;

impl<const IS_BACK: bool> Durable for Teller<IS_BACK> {
    const TYPE: &'static str = "teller";
    const DURABILITY: Durability =
        if IS_BACK { Durability::WriteBack(Duration::from_millis(200)) } else { Durability::WriteThrough };
    const IDLE_MAX: Option<Duration> = Some(Duration::from_millis(700));
    type State = Till;
    type Command = Bank;
    type Reply = (i64, u64, usize);
    type Error = Declined;

    fn create(&self, _: &DurableId) -> Till {
        Till::default()
    }

    fn is_query(command: &Bank) -> bool {
        matches!(command, Bank::Show)
    }

    fn on_answer(answer: &Answer<'_>) -> Result<Bank, CodecError> {
        Ok(Bank::Heard(answer.question(), answer.reply::<Self>().is_ok()))
    }
}

impl<const IS_BACK: bool> DurableActor for Teller<IS_BACK> {
    async fn handle(
        &self,
        command: Bank,
        till: &mut Till,
        turn: &mut Turn<'_, Self>,
    ) -> Result<(i64, u64, usize), Declined> {
        match command {
            Bank::Pay(to, sum) => {
                (till.money, till.payments) = (till.money - sum, till.payments + 1);
                turn.send::<Self>(&to, &Bank::Take(sum)).expect("a good id");
            }
            Bank::Offer(to, sum) => {
                (till.money, till.payments) = (till.money - sum, till.payments + 1);
                let question = turn.ask::<Self>("offer", &to, &Bank::Take(sum)).expect("a good id");
                till.offered.insert(question, sum);
            }
            Bank::Take(sum) if sum % 7 == 0 => return Err(Declined),
            Bank::Take(sum) => till.money += sum,
            Bank::Heard(question, is_taken) => {
                let sum = till.offered.remove(&question).expect("it was asked once");
                till.money += if is_taken { 0 } else { sum };
            }
            Bank::Remind => {
                let soon = turn.at().after(SECOND);
                turn.remind("later", soon, &Bank::Nothing).expect("a good name");
            }
            Bank::Panic => panic!("so it was asked"),
            Bank::Nothing | Bank::Show => {}
        }
        Ok((till.money, till.payments, till.offered.len()))
    }
}

/// A day as it goes.
struct Day {
    random: Random,
    acknowledged: u64,
    /// Payments of which nobody knows.
    unknown: Vec<(&'static str, MessageId, Bank)>,
}

type Error = AskError<Declined>;

impl Day {
    /// Something to do for a teller, if there is.
    fn draw(&mut self) -> Option<Bank> {
        let to = self.random.of(&TELLERS).to_owned();
        let sum = 1 + i64::try_from(self.random.below(20)).expect("a small number");
        match self.random.below(9) {
            // What is paid is taken.
            0 | 1 => Some(Bank::Pay(to, if sum % 7 == 0 { 1 } else { sum })),
            2..=4 => Some(Bank::Offer(to, sum)),
            5 => Some(Bank::Panic),
            6 => Some(Bank::Remind),
            _ => None,
        }
    }

    async fn step<const IS_BACK: bool>(&mut self, system: &DurableSystem) {
        let id = self.random.of(&TELLERS);
        let actor = teller::<IS_BACK>(system, id);
        let Some(command) = self.draw() else {
            return match self.random.below(2) {
                0 => system.passivate(actor.id()).await,
                _ => pass(system, Duration::from_millis(self.random.below(1_500))).await,
            };
        };
        let message = actor.new_message_id();
        let is_sent = self.random.below(3) == 0;
        let answer: Result<bool, Error> = if is_sent {
            actor.send_with(message, Headers::new(), &command).await.map(|_| false)
        } else {
            actor.call(command.clone()).id(message).await.map(|_| true)
        };
        if !matches!(command, Bank::Pay(..) | Bank::Offer(..)) {
            return;
        }
        match answer {
            Ok(true) => self.acknowledged += 1,
            // A letter is as good as handled, and is asked for later.
            Ok(false) | Err(AskError::Unknown { .. }) => self.unknown.push((id, message, command)),
            Err(_) => {}
        }
    }

    /// Asks again for what nobody knows, until somebody does.
    async fn ask_again<const IS_BACK: bool>(&mut self, system: &DurableSystem) {
        for _ in 0..60 {
            for (id, message, command) in std::mem::take(&mut self.unknown) {
                let answer = teller::<IS_BACK>(system, id).call(command.clone()).id(message).await;
                match answer {
                    Ok(_) => self.acknowledged += 1,
                    Err(_) => self.unknown.push((id, message, command)),
                }
            }
            if self.unknown.is_empty() {
                return;
            }
            pass(system, 5 * SECOND).await;
        }
        panic!("nobody knows of {:?}", self.unknown);
    }
}

fn teller<const IS_BACK: bool>(system: &DurableSystem, id: &str) -> DurableRef<Teller<IS_BACK>> {
    system.actor(id).expect("a good id")
}

/// Sees to it that the supervisors are there, until the store has taken it all.
async fn supervise<const IS_BACK: bool>(system: &DurableSystem) {
    let always = OnFailure::always(Directive::Resume);
    let child = |id| ChildSpec::new::<Teller<IS_BACK>>(id, id).expect("good names").on_failure(always);
    let middle = ChildSpec::new::<DurableSupervisor>("middle", "middle").expect("good names");
    let mut commands = vec![
        ("top", SupervisorCommand::Begin(SupervisorSpec::new(Strategy::OneForAll).intensity(1_000, SECOND))),
        (
            "middle",
            SupervisorCommand::Begin(SupervisorSpec::new(Strategy::RestForOne).intensity(2, 2 * SECOND)),
        ),
        ("top", SupervisorCommand::SpawnChild(middle.on_failure(always))),
    ];
    commands.extend(TELLERS.map(|id| ("middle", SupervisorCommand::SpawnChild(child(id)))));
    for (id, command) in commands {
        let supervisor = system.actor::<DurableSupervisor>(id).expect("a good id");
        // A supervisor that is suspended at the moment goes on once its own has decided.
        while supervisor.call(command.clone()).await.is_err() {
            pass(system, SECOND).await;
        }
    }
}

/// What is so in the end.
async fn judge<const IS_BACK: bool>(system: &DurableSystem, acknowledged: u64) {
    let (mut money, mut payments) = (0, 0);
    for id in TELLERS {
        let actor = teller::<IS_BACK>(system, id);
        let (held, made, offered) = actor.call(Bank::Show).await.expect("it is up");
        (money, payments) = (money + held, payments + made);
        assert_eq!(offered, 0, "{id} was answered");
        let store = system.store();
        let head = store.head(actor.id()).await.expect("it is in memory").expect("it is there");
        assert_eq!(head.waiting, 0, "{id} has read all");
        let undelivered = store.undelivered(actor.id(), None, 10).await.expect("it is in memory");
        assert!(undelivered.is_empty(), "{id}: {undelivered:?}");
        for dead in store.dead_letters(actor.id(), None, 100).await.expect("it is in memory") {
            assert!(dead.reason.contains("so it was asked"), "{id}: {dead:?}");
        }
    }
    assert_eq!(money, 0, "none is lost or made");
    // What is answered before it is stored may be lost, as a whole.
    assert!(IS_BACK || payments == acknowledged, "{payments} payments, {acknowledged} acknowledged");
}

fn day<const IS_BACK: bool>(seed: u64) {
    let mut simulation = Simulation::seeded(seed);
    let sound: Arc<dyn Store> = Arc::new(MemoryStore::on(simulation.executor()));
    let mut day = Day { random: Random(seed), acknowledged: 0, unknown: Vec::new() };
    for life in 1..=LIVES {
        let is_last = life == LIVES;
        let store = if is_last { sound.clone() } else { day.random.faulty(sound.clone()) };
        let builder = DurableSystem::builder(&simulation.system(), store)
            .register(Teller::<IS_BACK>)
            .register_event_sourced(DurableSupervisor)
            .lease(2 * SECOND)
            .look_interval(Duration::from_millis(300));
        simulation.block_on(async {
            let system = &builder.start().await.expect("the store gives a lease");
            // Those of the former process are over.
            pass(system, 3 * SECOND).await;
            supervise::<IS_BACK>(system).await;
            for _ in 0..STEPS {
                day.step::<IS_BACK>(system).await;
            }
            if is_last {
                pass(system, 120 * SECOND).await;
                day.ask_again::<IS_BACK>(system).await;
                pass(system, 300 * SECOND).await;
                judge::<IS_BACK>(system, day.acknowledged).await;
            }
            system.abandon().await;
        });
        simulation.advance(SECOND * (1 + u32::try_from(day.random.below(20)).expect("a small number")));
    }
}

#[test]
fn on_random_days_each_payment_is_made_once_and_nothing_waits_in_the_end() {
    days(12, day::<false>);
}

#[test]
fn on_random_days_no_money_is_lost_that_is_written_back_and_nothing_waits_in_the_end() {
    days(6, day::<true>);
}
