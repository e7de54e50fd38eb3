//! Its events are kept.

use std::sync::Arc;

use actor_core::ActorError;
use serde::{Deserialize, Serialize};

use super::{Answer, Noted, TYPE, Teller, TellerCommand, Trap, begin, pass_on};
use crate::store::Body;
use crate::{Decision, Durable, DurableBuilder, DurableId, EventSourced, NoError, Turn, decode};

pub(in super::super) struct EventTeller {
    trap: Option<Arc<Trap>>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(in super::super) enum Event {
    Paid { sender: u32, number: u32 },
    Reminded,
}

impl Durable for EventTeller {
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

impl EventSourced for EventTeller {
    type Event = Event;
    const SNAPSHOT_EVERY: u64 = 3;

    async fn on_start(&self, _: &Noted, turn: &mut Turn<'_, Self>) -> Result<Vec<Event>, ActorError> {
        begin(turn)?;
        Ok(Vec::new())
    }

    async fn decide(
        &self,
        command: TellerCommand,
        state: &Noted,
        turn: &mut Turn<'_, Self>,
    ) -> Result<Decision<Event, Answer>, NoError> {
        let Answer { count, payments } = state.paid();
        Ok(match command {
            TellerCommand::Pay { sender, number } => {
                if let Some(trap) = &self.trap {
                    trap.spring().await;
                }
                pass_on(turn, sender, number);
                let answer = Answer { count: count + 1, payments };
                Decision::reply(answer).event(Event::Paid { sender, number })
            }
            TellerCommand::Remind => Decision::reply(Answer { count, payments }).event(Event::Reminded),
            TellerCommand::Look => Decision::reply(state.looked()),
        })
    }

    fn apply(&self, state: &mut Noted, event: &Event) {
        match event {
            Event::Paid { sender, number } => state.note(*sender, *number),
            Event::Reminded => state.reminded += 1,
        }
    }
}

impl Teller for EventTeller {
    const KEEPS_EVENTS: bool = true;

    fn register(builder: DurableBuilder, trap: Option<Arc<Trap>>) -> DurableBuilder {
        builder.register_event_sourced(Self { trap })
    }

    fn answer(reply: Answer) -> Result<Answer, String> {
        Ok(reply)
    }

    fn payment(event: &Body) -> Result<Option<(u32, u32)>, String> {
        let event = decode("an event", event.version, &event.bytes).map_err(|error| error.to_string())?;
        Ok(match event {
            Event::Paid { sender, number } => Some((sender, number)),
            Event::Reminded => None,
        })
    }
}
