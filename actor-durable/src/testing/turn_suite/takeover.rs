//! Two owners at once: an operation of the first is held up on its way into the store, its lease ends, another process takes the
//! actors over, and then the operation comes late.
//!
//! ```text
//!  first   pays … ──► operation ──────────────── held up ─────────────────► late: fenced, nothing is changed
//!  second                         lease over ─► acquires ─► (pays the rest) ─► pays the rest
//! ```

use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, join, select};

use super::run::{PAYMENTS, RETRY_PAUSE, Trial};
use super::teller::{Answer, Teller, TellerCommand};
use super::{Fault, FaultMode, Operation, RUN_DEADLINE, judge};
use crate::store::{Headers, Refusal, Store, StoreError};
use crate::testing::store_suite::Place;
use crate::testing::store_suite::dump::Dump;
use crate::testing::{FaultStore, Late};
use crate::{AskError, DurableSystem, MessageId};

/// So long that nobody renews it while the run lasts: it ends when the place's clock says so.
const LEASE: Duration = Duration::from_secs(600);

/// An operation that comes late.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Takeover {
    /// Which.
    pub operation: Operation,
    /// At which of its visits by the first process it is held up: 1 is the first.
    pub visit: u64,
    /// See [`When`].
    pub when: When,
}

/// When an operation comes that was held up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// The second process has the actors, and nobody has asked it for anything yet: unless letters waited, the journal is where the
    /// first one thinks it is, and only the epoch is another.
    Acquired,
    /// The second process has done all that was left to do.
    Done,
}

impl When {
    /// Both.
    pub const ALL: &[When] = &[When::Acquired, When::Done];
}

impl Takeover {
    pub(super) fn fault(self) -> Fault {
        Fault { operation: self.operation, visit: self.visit, mode: FaultMode::Pause }
    }
}

impl fmt::Display for Takeover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, visit, when } = self;
        write!(f, "visit {visit} of {operation:?} comes late, when the next owner's state is {when:?}")
    }
}

/// The first process.
struct Former {
    system: DurableSystem,
    store: FaultStore,
    /// Nothing new is begun there.
    is_over: AtomicBool,
    /// What its callers were told after that.
    told: Mutex<Vec<(MessageId, Told)>>,
}

/// What a caller was told.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Told {
    Reply(Result<Answer, String>),
    /// It is in the inbox.
    Sent,
    NotApplied(String),
    Unknown(String),
    Other(String),
}

impl<T: Teller> Trial<T> {
    /// Runs, and says whether anything came late.
    ///
    /// # Errors
    ///
    /// What does not hold.
    pub(super) async fn take_over(mut self, place: &impl Place, when: When) -> Result<bool, String> {
        self.lease = LEASE;
        let inner = place.open().await;
        let has_struck = self.take_over_in(place, &inner, when).await?;
        drop(inner);
        place.pass(LEASE * 2).await;
        // Without a visit nobody was held up, and the first process has done it all.
        self.judge(place).await?;
        Ok(has_struck)
    }

    /// Whether anything came late.
    async fn take_over_in(
        &self,
        place: &impl Place,
        inner: &Arc<dyn Store>,
        when: When,
    ) -> Result<bool, String> {
        let Some((held_up, before)) = self.faults.split_last() else { return Ok(false) };
        for fault in before {
            self.process(self.watched(inner.clone(), Some(*fault)), Some(*fault)).await?;
            place.pass(LEASE * 2).await;
        }
        let store = self.watched(inner.clone(), Some(*held_up));
        let system = self.start(&store, None).await?;
        let former = Former { system, store, is_over: AtomicBool::new(false), told: Mutex::default() };
        let life = pin!(self.live(&former));
        let life = match select(life, pin!(former.store.paused())).await {
            Either::Left(_) => return Ok(false),
            Either::Right(((), life)) => life,
        };
        // The whole process stands still, as one that is stopped does; what it begins meanwhile comes late too.
        former.store.stall();
        former.is_over.store(true, Ordering::Relaxed);
        place.pass(LEASE * 2).await;
        let (_, story) = join(life, self.succeed(&former, inner, when)).await;
        story
    }

    /// The first process, which pays until it is over and then waits for what is under way.
    async fn live(&self, former: &Former) {
        join(self.send_as(former, 0), self.send_as(former, 1)).await;
        while !former.is_over() {
            if judge::is_quiet::<T>(&former.system, &self.sink, 2 * PAYMENTS).await {
                drop(former.system.shutdown(RUN_DEADLINE).await);
                return;
            }
            // sleep: there is no event that says so
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    async fn send_as(&self, former: &Former, which: usize) {
        let teller = former.system.actor::<T>("teller").expect("a good id");
        let sender = u32::try_from(which).expect("there are two");
        while !former.is_over() {
            let (id, number) = {
                let mut sender = self.sender(which);
                (*sender.id.get_or_insert_with(|| teller.new_message_id()), sender.next)
            };
            if number == PAYMENTS {
                return;
            }
            let command = TellerCommand::Pay { sender, number };
            let told = match which {
                0 => told(teller.call(command).id(id).await.map(|reply| Told::Reply(T::answer(reply)))),
                _ => told(teller.send_with(id, Headers::new(), &command).await.map(|_| Told::Sent)),
            };
            if former.is_over() {
                return former.told().push((id, told));
            }
            match told {
                Told::Reply(reply) => self.acknowledge(which, Some(reply)),
                Told::Sent => self.acknowledge(which, None),
                // sleep: a client that tries again
                _ => tokio::time::sleep(RETRY_PAUSE).await,
            }
        }
    }

    /// The second process, and what comes late.
    async fn succeed(&self, former: &Former, inner: &Arc<dyn Store>, when: When) -> Result<bool, String> {
        let second = self.start(&self.watched(inner.clone(), None), None).await?;
        judge::look_at_teller::<T>(&second).await?;
        judge::look_at_vault(&second).await?;
        if when == When::Done {
            self.do_the_rest(&second, &**inner).await?;
        }
        // Unless it is done the second one may be changing it.
        let before = if when == When::Done { Some(Dump::of(inner).await) } else { None };
        former.store.resume();
        former.store.late().await;
        // What else the process does that is no owner any more, and how it ends, changes nothing either.
        former.store.go_on();
        drop(former.system.shutdown(RUN_DEADLINE).await);
        let late = former.store.late().await;
        late.iter().try_for_each(|late| check_late(late, when))?;
        if let Some(before) = before {
            let after = Dump::of(inner).await;
            if after != before {
                return Err(format!("it was {before:#?}, and after what came late it is {after:#?}"));
            }
        }
        self.do_the_rest(&second, &**inner).await?;
        second.shutdown(RUN_DEADLINE).await.map_err(|error| format!("shutdown: {error}"))?;
        let operation = self.faults.last().map_or(Operation::CommitTurn, |fault| fault.operation);
        self.check_told(&former.told())?;
        Ok(late.iter().any(|late| late.operation == operation))
    }

    async fn do_the_rest(&self, system: &DurableSystem, store: &dyn Store) -> Result<(), String> {
        self.pay(system, PAYMENTS).await;
        self.deliver(store).await;
        // Behind what each did last, such as storing its state beside its events.
        judge::look_at_teller::<T>(system).await?;
        judge::look_at_vault(system).await.map(drop)
    }

    /// Whoever waited at the first process was told nothing that is not so, and what is certain: whatever came late was fenced.
    fn check_told(&self, told: &[(MessageId, Told)]) -> Result<(), String> {
        let acknowledged = self.acknowledged();
        for (id, told) in told {
            let is_right = match told {
                Told::Reply(reply) => acknowledged
                    .iter()
                    .any(|payment| payment.id == *id && payment.reply.as_ref().is_none_or(|it| it == reply)),
                Told::Sent | Told::NotApplied(_) => true,
                Told::Unknown(_) | Told::Other(_) => false,
            };
            if !is_right {
                return Err(format!("the caller of {id} was told {told:?}"));
            }
        }
        Ok(())
    }
}

impl Former {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Vec<(MessageId, Told)>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn told<E: fmt::Display>(answer: Result<Told, AskError<E>>) -> Told {
    match answer {
        Ok(told) => told,
        Err(AskError::NotApplied(why)) => Told::NotApplied(why.to_string()),
        Err(AskError::Unknown { why, .. }) => Told::Unknown(why.to_string()),
        Err(error) => Told::Other(error.to_string()),
    }
}

/// Whether a late operation was answered as it must be.
fn check_late(Late { operation, answer }: &Late, when: When) -> Result<(), String> {
    let is_right = match operation {
        Operation::Acquire => {
            let not_now =
                |refusal: &Refusal| matches!(refusal, Refusal::Held { .. } | Refusal::LeaseOver { .. });
            matches!(answer, Err(StoreError::NotApplied(refusal)) if not_now(refusal))
        }
        Operation::Load
        | Operation::Inbox
        | Operation::CommitTurn
        | Operation::SaveSnapshot
        | Operation::BeginAttempt
        | Operation::Transfer
        | Operation::MarkDelivered
        | Operation::Release => matches!(answer, Err(StoreError::Fenced { ours, theirs }) if ours < theirs),
        // These need no owner, and what they change is changed once whoever asks.
        _ => answer.is_ok(),
    };
    if is_right {
        Ok(())
    } else {
        Err(format!("{operation:?} came late, {when:?}, and was answered {answer:?}"))
    }
}
