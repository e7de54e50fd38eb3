//! The teller takes payments: it notes each, and passes it on to the vault and to the sink. It is written once in each form that a
//! durable actor has; what it is asked is the same.

mod events;
mod service;
mod state;
mod wrapped;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub(super) use self::events::EventTeller;
pub(super) use self::service::TellerServices;
pub(super) use self::state::StateTeller;
pub(super) use self::wrapped::PlainTeller;
use super::actors::{Vault, VaultCommand};
use crate::store::Body;
use crate::testing::FaultStore;
use crate::{Durable, DurableBuilder, RequestError, Turn};

/// What stores call it, whichever form it has.
pub(super) const TYPE: &str = "teller";

/// A form of the teller.
pub(super) trait Teller: Durable<Command = TellerCommand> {
    /// Whether its state is what its events come to.
    const KEEPS_EVENTS: bool;

    /// Has a system know it. The trap ends the process in the handler.
    fn register(builder: DurableBuilder, trap: Option<Arc<Trap>>) -> DurableBuilder;

    /// What it says in its form.
    fn answer(reply: Self::Reply) -> Result<Answer, String>;

    /// The payment that an event is of; if it keeps events.
    fn payment(event: &Body) -> Result<Option<(u32, u32)>, String>;
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum TellerCommand {
    Pay { sender: u32, number: u32 },
    Remind,
    Look,
}

/// What it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answer {
    /// How many payments there were, or reminders if it was looked at.
    pub(super) count: u32,
    /// If it was looked at: the payments.
    pub(super) payments: String,
}

/// What came.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Noted {
    /// The numbers of each sender's payments, as they came.
    pub(super) payments: BTreeMap<u32, Vec<u32>>,
    /// How often the reminder came.
    pub(super) reminded: u32,
}

impl Noted {
    pub(super) fn note(&mut self, sender: u32, number: u32) {
        self.payments.entry(sender).or_default().push(number);
    }

    /// The payments as they can be compared.
    pub(super) fn text(&self) -> String {
        format!("{:?}", self.payments)
    }

    /// The answer to a payment that was noted.
    fn paid(&self) -> Answer {
        let count = self.payments.values().map(Vec::len).sum::<usize>();
        Answer { count: u32::try_from(count).expect("there are few"), payments: String::new() }
    }

    fn looked(&self) -> Answer {
        Answer { count: self.reminded, payments: self.text() }
    }
}

/// What the first turn asks for.
fn begin<T: Teller>(turn: &mut Turn<'_, T>) -> Result<(), RequestError> {
    let due = turn.at().after(Duration::from_millis(20));
    turn.remind("once", due, &TellerCommand::Remind)
}

/// What the turn of a payment asks for.
fn pass_on<T: Teller>(turn: &mut Turn<'_, T>, sender: u32, number: u32) {
    turn.send::<Vault>("vault", &VaultCommand::Credit { sender, number }).expect("a good id");
    turn.effect("sink", turn.message_id(), Vec::new()).expect("a good name");
}

/// What ends the process in the handler, at the visit it says.
pub(super) struct Trap {
    store: FaultStore,
    left: Mutex<u64>,
}

impl Trap {
    pub(super) fn new(store: FaultStore, visit: u64) -> Self {
        Self { store, left: Mutex::new(visit) }
    }

    async fn spring(&self) {
        let is_now = {
            let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
            *left = left.saturating_sub(1);
            *left == 0
        };
        if is_now {
            self.store.crash();
            std::future::pending::<()>().await;
        }
    }
}
