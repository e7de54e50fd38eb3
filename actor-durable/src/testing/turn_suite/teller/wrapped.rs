//! It is a plain actor, and wrapped.

use std::sync::Arc;

use actor_core::{Actor, ActorError, ActorRef, ReplyPort};
use serde::{Deserialize, Serialize};

use super::{Answer, Noted, TYPE, Teller, TellerCommand, Trap, begin, pass_on};
use crate::store::Body;
use crate::{DurableBuilder, DurableId, ReplyTo, Turn, WrapActor, Wrapped};

pub(in super::super) struct PlainTeller {
    trap: Option<Arc<Trap>>,
}

pub(in super::super) enum Message {
    Pay(u32, u32, ReplyPort<Answer>),
    Remind,
    Look(ReplyPort<Answer>),
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(in super::super) struct State {
    noted: Noted,
    has_begun: bool,
    /// What is to be passed on.
    #[serde(skip)]
    payment: Option<(u32, u32)>,
}

impl Actor for PlainTeller {
    type Msg = Message;
    type State = State;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Message>, (): ()) -> Result<State, ActorError> {
        Ok(State::default())
    }

    async fn handle(
        &self,
        _: &ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorError> {
        match message {
            Message::Pay(sender, number, port) => {
                state.noted.note(sender, number);
                if let Some(trap) = &self.trap {
                    trap.spring().await;
                }
                state.payment = Some((sender, number));
                _ = port.send(state.noted.paid());
            }
            Message::Remind => state.noted.reminded += 1,
            Message::Look(port) => _ = port.send(state.noted.looked()),
        }
        Ok(())
    }
}

impl WrapActor for PlainTeller {
    const TYPE: &'static str = TYPE;
    const JOURNAL_KEPT: u64 = 1_000;
    type Command = TellerCommand;
    /// None to the reminder.
    type Reply = Option<Answer>;

    fn arguments(&self, _: &DurableId) {}

    fn message(command: TellerCommand, to: ReplyTo<Option<Answer>>) -> Message {
        match command {
            TellerCommand::Pay { sender, number } => Message::Pay(sender, number, to.port_as(Some)),
            TellerCommand::Look => Message::Look(to.port_as(Some)),
            TellerCommand::Remind => {
                to.always(None);
                Message::Remind
            }
        }
    }

    fn is_query(command: &TellerCommand) -> bool {
        matches!(command, TellerCommand::Look)
    }

    fn on_handled(&self, state: &mut State, turn: &mut Turn<'_, Wrapped<Self>>) -> Result<(), ActorError> {
        if !std::mem::replace(&mut state.has_begun, true) {
            begin(turn)?;
        }
        if let Some((sender, number)) = state.payment.take() {
            pass_on(turn, sender, number);
        }
        Ok(())
    }
}

impl Teller for Wrapped<PlainTeller> {
    const KEEPS_EVENTS: bool = false;

    fn register(builder: DurableBuilder, trap: Option<Arc<Trap>>) -> DurableBuilder {
        builder.wrap(PlainTeller { trap })
    }

    fn answer(reply: Option<Answer>) -> Result<Answer, String> {
        reply.ok_or_else(|| "there is no answer".to_owned())
    }

    fn payment(_: &Body) -> Result<Option<(u32, u32)>, String> {
        Err("it keeps no events".to_owned())
    }
}
