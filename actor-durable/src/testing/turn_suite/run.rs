//! One run: two senders pay, the store fails once, what has crashed begins again, and each payment is asked for until it is
//! acknowledged. Then the judge looks.

use std::future::pending;
use std::marker::PhantomData;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actor_core::ActorSystem;
use futures_util::future::{Either, join, select};

use super::actors::{Sink, Vault};
use super::teller::{Answer, Teller, TellerCommand, Trap};
use super::{Fault, FaultMode, HANDLER, Operation, judge};
use crate::store::{Headers, Store};
use crate::testing::FaultStore;
use crate::testing::epochs::Epochs;
use crate::testing::store_suite::Place;
use crate::{DurableRef, DurableSystem, MessageId};

/// Payments of each sender.
pub(super) const PAYMENTS: u32 = 4;

/// So many of them are there before a point that is in the midst of a life.
pub(super) const HALF: u32 = PAYMENTS / 2;

const LEASE: Duration = Duration::from_secs(5);

/// How often a process looks for work that nobody told it of.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// For how long a pause holds an operation up.
pub(super) const PAUSE: Duration = Duration::from_millis(30);

/// How often a sender that was told nothing good tries again.
pub(super) const RETRY_PAUSE: Duration = Duration::from_millis(2);

/// One run with one fault, of a teller in one form.
#[derive(Debug)]
pub(super) struct Trial<T> {
    /// Each is of one process after the other.
    pub(super) faults: Vec<Fault>,
    /// Whether the last of them struck.
    has_struck: AtomicBool,
    pub(super) sink: Sink,
    /// What each sender has left to do: the first one's payments are calls, the second one's go to the inbox.
    pub(super) senders: [Mutex<Sender>; 2],
    /// Of each process.
    pub(super) lease: Duration,
    /// Of all processes.
    epochs: Epochs,
    /// Whether the store may fail once without a fault that the plan knows.
    pub(super) is_torn: bool,
    teller: PhantomData<fn() -> T>,
}

#[derive(Debug, Default)]
pub(super) struct Sender {
    pub(super) next: u32,
    /// The id of the payment in hand.
    pub(super) id: Option<MessageId>,
    pub(super) acknowledged: Vec<Acknowledged>,
}

/// A payment that its sender knows to be applied, or to be so once.
#[derive(Clone, Debug)]
pub(super) struct Acknowledged {
    pub(super) id: MessageId,
    pub(super) sender: u32,
    pub(super) number: u32,
    /// If somebody waited for it.
    pub(super) reply: Option<Result<Answer, String>>,
}

impl<T: Teller> Trial<T> {
    /// A run in which the store fails so: the first process's, or the second's after the first has crashed, where only a
    /// recovery comes to that point.
    pub(super) fn new(fault: Fault) -> Self {
        // The second commit is of the first payment: its sender asks again.
        let mode = match fault.operation {
            // Letters are still there, and are handled with care.
            Operation::BeginAttempt => FaultMode::CrashBefore,
            _ => FaultMode::CrashAfter,
        };
        let crash = Fault { operation: Operation::CommitTurn, visit: 2, mode };
        let faults = match fault.operation {
            Operation::Load | Operation::Entries | Operation::BeginAttempt | Operation::Reply => {
                vec![crash, fault]
            }
            _ => vec![fault],
        };
        Self::of(faults)
    }

    /// A run in which each process has its fault, one after the other.
    pub(super) fn of(faults: Vec<Fault>) -> Self {
        Self {
            faults,
            has_struck: AtomicBool::new(false),
            sink: Sink::default(),
            senders: Default::default(),
            lease: LEASE,
            epochs: Epochs::default(),
            is_torn: false,
            teller: PhantomData,
        }
    }

    /// Runs, and says whether the fault struck.
    ///
    /// # Errors
    ///
    /// What does not hold.
    pub(super) async fn run(&self, place: &impl Place) -> Result<bool, String> {
        // Processes follow each other until all is acknowledged and nothing is under way.
        let mut faults = self.faults.iter().copied();
        loop {
            let fault = faults.next();
            let plan = fault.filter(|fault| fault.operation != HANDLER);
            let store = self.watched(place.open().await, plan);
            let has_crashed = self.process(store, fault).await?;
            place.pass(self.lease * 2).await;
            if !has_crashed {
                break;
            }
        }
        self.judge(place).await?;
        Ok(self.has_struck.load(Ordering::Relaxed))
    }

    /// What a process has of the store.
    pub(super) fn watched(&self, inner: Arc<dyn Store>, plan: impl IntoIterator<Item = Fault>) -> FaultStore {
        FaultStore::watched(inner, plan, self.epochs.clone())
    }

    /// Looks once more, at what is stored alone.
    pub(super) async fn judge(&self, place: &impl Place) -> Result<(), String> {
        let store = self.watched(place.open().await, None);
        let system = self.start(&store, None).await?;
        let judged = judge::judge::<T>(&system, &self.acknowledged(), &self.sink).await;
        system.shutdown(LEASE).await.map_err(|error| format!("shutdown: {error}"))?;
        // I4.
        judged.and(self.epochs.check())
    }

    pub(super) async fn start(
        &self,
        store: &FaultStore,
        fault: Option<Fault>,
    ) -> Result<DurableSystem, String> {
        let in_handler = fault.filter(|fault| fault.operation == HANDLER);
        let trap = in_handler.map(|fault| Arc::new(Trap::new(store.clone(), fault.visit)));
        loop {
            let store: Arc<dyn Store> = Arc::new(store.clone());
            let started = T::register(DurableSystem::builder(&ActorSystem::new(), store), trap.clone())
                .register_event_sourced(Vault)
                .outlet("sink", self.sink.clone())
                .lease(self.lease)
                .look_interval(LOOK_INTERVAL)
                .start()
                .await;
            match started {
                Ok(system) => return Ok(system),
                // What failed fails once.
                Err(error) if fault.is_some() || self.is_torn => drop(error),
                Err(error) => return Err(format!("the system does not begin: {error}")),
            }
        }
    }

    /// A process that does all that is left to do. Whether it crashed.
    pub(super) async fn process(&self, store: FaultStore, fault: Option<Fault>) -> Result<bool, String> {
        // sleep: the pause that is to be survived
        let paused = tokio::time::sleep(PAUSE);
        let has_crashed =
            self.run_life(&store, fault, paused, async |system| self.finish(&system).await).await?;
        self.note(&store, fault, has_crashed);
        Ok(has_crashed)
    }

    /// A process's life: it does its work, unless it crashes. What is paused goes on when `paused` is over. Whether it crashed.
    pub(super) async fn run_life(
        &self,
        store: &FaultStore,
        fault: Option<Fault>,
        paused: impl Future<Output = ()>,
        work: impl AsyncFnOnce(DurableSystem) -> Result<(), String>,
    ) -> Result<bool, String> {
        let resumed = async {
            store.paused().await;
            paused.await;
            store.resume();
            pending::<()>().await;
        };
        let crashed = pin!(async {
            select(pin!(store.crashed()), pin!(resumed)).await;
        });
        let (system, crashed) = match select(pin!(self.start(store, fault)), crashed).await {
            Either::Left((system, crashed)) => (system?, crashed),
            Either::Right(_) => return Ok(true),
        };
        let outcome = match select(pin!(work(system.clone())), crashed).await {
            Either::Left((done, _)) => done.map(|()| false),
            Either::Right(_) => Ok(true),
        };
        system.abandon().await;
        outcome
    }

    /// All that is left to do.
    pub(super) async fn finish(&self, system: &DurableSystem) -> Result<(), String> {
        self.pay(system, PAYMENTS).await;
        // Who cannot end its lease lets it run out.
        drop(system.shutdown(LEASE).await);
        Ok(())
    }

    /// Each sender pays so many, and all comes where it goes.
    pub(super) async fn pay(&self, system: &DurableSystem, each: u32) {
        join(self.send(system, 0, each), self.send(system, 1, each)).await;
        self.settle(system, each).await;
    }

    fn note(&self, store: &FaultStore, fault: Option<Fault>, has_crashed: bool) {
        if let Some(fault) = fault {
            let has_struck =
                if fault.operation == HANDLER { has_crashed } else { store.faults_left().is_empty() };
            self.has_struck.store(has_struck, Ordering::Relaxed);
        }
    }

    /// One sender pays until so many payments are acknowledged, each with one id however often it is asked for.
    pub(super) async fn send(&self, system: &DurableSystem, which: usize, count: u32) {
        let teller: DurableRef<T> = system.actor("teller").expect("a good id");
        loop {
            let (id, number) = {
                let mut sender = self.sender(which);
                if sender.next >= count {
                    return;
                }
                (*sender.id.get_or_insert_with(|| teller.new_message_id()), sender.next)
            };
            let sender = u32::try_from(which).expect("there are two");
            let command = TellerCommand::Pay { sender, number };
            let reply = match which {
                0 => teller.call(command).id(id).await.map(|reply| Some(T::answer(reply))),
                _ => teller.send_with(id, Headers::new(), &command).await.map(|_| None),
            };
            if let Ok(reply) = reply {
                self.acknowledge(which, reply);
            } else {
                // sleep: a client that tries again
                tokio::time::sleep(RETRY_PAUSE).await;
            }
        }
    }

    /// A sender's payment in hand is acknowledged.
    pub(super) fn acknowledge(&self, which: usize, reply: Option<Result<Answer, String>>) {
        let mut state = self.sender(which);
        let sender = u32::try_from(which).expect("there are two");
        let (id, number) = (state.id.take().expect("one is in hand"), state.next);
        state.acknowledged.push(Acknowledged { id, sender, number, reply });
        state.next = number + 1;
    }

    pub(super) fn sender(&self, which: usize) -> MutexGuard<'_, Sender> {
        self.senders[which].lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn acknowledged(&self) -> Vec<Acknowledged> {
        (0..2).flat_map(|which| self.sender(which).acknowledged.clone()).collect()
    }

    /// Waits until nothing is under way, when each sender has paid so many.
    pub(super) async fn settle(&self, system: &DurableSystem, each: u32) {
        while !judge::is_quiet::<T>(system, &self.sink, 2 * each).await {
            // sleep: there is no event that says so
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    /// Waits until the store knows, too, that all that was sent has arrived.
    pub(super) async fn deliver(&self, store: &dyn Store) {
        while !judge::is_delivered(store).await {
            // sleep: there is no event that says so
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }
}
