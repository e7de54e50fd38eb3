//! What the teller passes payments on to: a vault whose events are kept, and a sink outside.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use actor_core::ActorError;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::teller::Noted;
use crate::store::Outgoing;
use crate::{Decision, Durable, DurableId, EventSourced, MessageId, NoError, Outlet, Turn};

/// So few entries lie in the vault's journal behind its state: each run cuts it. The teller's is there as a whole.
pub(super) const VAULT_KEPT: u64 = 3;

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
    const JOURNAL_KEPT: u64 = VAULT_KEPT;
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
            VaultCommand::Look => Decision::reply(state.text()),
        })
    }

    fn apply(&self, state: &mut Noted, VaultEvent::Credited { sender, number }: &VaultEvent) {
        state.note(*sender, *number);
    }
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
