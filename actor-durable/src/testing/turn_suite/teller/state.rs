//! Its state is kept whole.

use std::sync::Arc;

use actor_core::ActorError;

use super::{Answer, Noted, TYPE, Teller, TellerCommand, Trap, begin, pass_on};
use crate::store::Body;
use crate::{Durable, DurableActor, DurableBuilder, DurableId, NoError, Turn};

pub(in super::super) struct StateTeller {
    trap: Option<Arc<Trap>>,
}

impl Durable for StateTeller {
    const TYPE: &'static str = TYPE;
    const JOURNAL_KEPT: u64 = 1_000;
    type State = Noted;
    type Command = TellerCommand;
    type Reply = Answer;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> Noted {
        Noted::default()
    }

    fn is_query(command: &TellerCommand) -> bool {
        matches!(command, TellerCommand::Look)
    }
}

impl DurableActor for StateTeller {
    async fn on_start(&self, _: &mut Noted, turn: &mut Turn<'_, Self>) -> Result<(), ActorError> {
        Ok(begin(turn)?)
    }

    async fn handle(
        &self,
        command: TellerCommand,
        state: &mut Noted,
        turn: &mut Turn<'_, Self>,
    ) -> Result<Answer, NoError> {
        match command {
            TellerCommand::Pay { sender, number } => {
                state.note(sender, number);
                if let Some(trap) = &self.trap {
                    trap.spring().await;
                }
                pass_on(turn, sender, number);
            }
            TellerCommand::Remind => state.reminded += 1,
            TellerCommand::Look => return Ok(state.looked()),
        }
        Ok(state.paid())
    }
}

impl Teller for StateTeller {
    const KEEPS_EVENTS: bool = false;

    fn register(builder: DurableBuilder, trap: Option<Arc<Trap>>) -> DurableBuilder {
        builder.register(Self { trap })
    }

    fn answer(reply: Answer) -> Result<Answer, String> {
        Ok(reply)
    }

    fn payment(_: &Body) -> Result<Option<(u32, u32)>, String> {
        Err("it keeps no events".to_owned())
    }
}
