//! The actors of the suite: a teller whose state is kept whole, a vault whose events are, and a sink outside.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actor_core::ActorError;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::store::Outgoing;
use crate::testing::FaultStore;
use crate::{Decision, Durable, DurableActor, DurableId, EventSourced, MessageId, NoError, Outlet, Turn};

/// Takes payments: notes each, and passes it on to the vault and to the sink.
pub(super) struct Teller {
    /// What ends the process in the handler, at the visit it says, if that is the fault.
    pub(super) trap: Option<Arc<Trap>>,
}

pub(super) struct Trap {
    store: FaultStore,
    left: Mutex<u64>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Noted {
    /// The numbers of each sender's payments, as they came.
    pub(super) payments: BTreeMap<u32, Vec<u32>>,
    /// How often the reminder came.
    pub(super) reminded: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum TellerCommand {
    Pay { sender: u32, number: u32 },
    Remind,
    Look,
}

impl Durable for Teller {
    const TYPE: &'static str = "teller";
    const JOURNAL_KEPT: u64 = 1_000;
    type State = Noted;
    type Command = TellerCommand;
    /// How many payments there were.
    type Reply = (u32, String);
    type Error = NoError;

    fn create(&self, _: &DurableId) -> Noted {
        Noted::default()
    }

    fn is_query(command: &TellerCommand) -> bool {
        matches!(command, TellerCommand::Look)
    }
}

impl DurableActor for Teller {
    async fn on_start(&self, _: &mut Noted, turn: &mut Turn<'_, Self>) -> Result<(), ActorError> {
        let due = turn.at().after(Duration::from_millis(20));
        turn.remind("once", due, &TellerCommand::Remind)?;
        Ok(())
    }

    async fn handle(
        &self,
        command: TellerCommand,
        state: &mut Noted,
        turn: &mut Turn<'_, Self>,
    ) -> Result<(u32, String), NoError> {
        match command {
            TellerCommand::Pay { sender, number } => {
                state.payments.entry(sender).or_default().push(number);
                if let Some(trap) = &self.trap {
                    trap.spring().await;
                }
                let credit = VaultCommand::Credit { sender, number };
                turn.send::<Vault>("vault", &credit).expect("a good id");
                turn.effect("sink", turn.message_id(), Vec::new()).expect("a good name");
            }
            TellerCommand::Remind => state.reminded += 1,
            TellerCommand::Look => return Ok((state.reminded, text(state))),
        }
        let count = state.payments.values().map(Vec::len).sum::<usize>();
        Ok((u32::try_from(count).expect("there are few"), String::new()))
    }
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

/// Keeps what tellers send it.
pub(super) struct Vault;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum VaultCommand {
    Credit { sender: u32, number: u32 },
    Look,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum VaultEvent {
    Credited { sender: u32, number: u32 },
}

impl Durable for Vault {
    const TYPE: &'static str = "vault";
    const JOURNAL_KEPT: u64 = 1_000;
    type State = Noted;
    type Command = VaultCommand;
    type Reply = String;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> Noted {
        Noted::default()
    }

    fn is_query(command: &VaultCommand) -> bool {
        matches!(command, VaultCommand::Look)
    }
}

impl EventSourced for Vault {
    type Event = VaultEvent;
    const SNAPSHOT_EVERY: u64 = 2;

    async fn decide(
        &self,
        command: VaultCommand,
        state: &Noted,
        _: &mut Turn<'_, Self>,
    ) -> Result<Decision<VaultEvent, String>, NoError> {
        Ok(match command {
            VaultCommand::Credit { sender, number } => {
                Decision::reply(String::new()).event(VaultEvent::Credited { sender, number })
            }
            VaultCommand::Look => Decision::reply(text(state)),
        })
    }

    fn apply(&self, state: &mut Noted, VaultEvent::Credited { sender, number }: &VaultEvent) {
        state.payments.entry(*sender).or_default().push(*number);
    }
}

/// The payments as they can be compared.
pub(super) fn text(state: &Noted) -> String {
    format!("{:?}", state.payments)
}

/// Something outside that knows keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Sink(pub(super) Arc<Mutex<BTreeSet<MessageId>>>);

#[async_trait]
impl Outlet for Sink {
    async fn deliver(&self, _: &DurableId, message: &Outgoing) -> Result<(), ActorError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(message.id);
        Ok(())
    }
}
