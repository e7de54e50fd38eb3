//! Durable actors that count what each sender sends them, for a process that is killed again and again: whether a message
//! came twice, never, or out of turn is seen by the numbers.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use actor_core::ActorError;
use actor_durable::{Decision, Durable, DurableActor, DurableId, EventSourced, RequestError, Turn};
use serde::{Deserialize, Serialize};

use crate::witness::Witness;

/// Keeps its [`Tally`] whole.
#[derive(Clone, Debug, Default)]
pub struct Whole {
    /// Who writes down what is handled, if somebody does. Then it takes a moment.
    pub witness: Option<Arc<Witness>>,
}

/// Long enough for another process to be at it too, if it could.
const MOMENT: Duration = Duration::from_millis(1);

/// Keeps events, and a tally beside each so many of them.
#[derive(Clone, Copy, Debug)]
pub struct Sourced;

/// Whose number it is, which, and who is told of it, too.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Say {
    /// The sender's next number.
    Number {
        /// Who sends it.
        sender: String,
        /// It is one more than the sender's last.
        number: u64,
        /// The actor that gets a number of this one's.
        forward: Option<String>,
    },
    /// What came so far.
    Look,
    /// Has the handler panic.
    Panic,
    /// Has the handler never return.
    Hang,
}

/// What came so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many came of each sender, all in order.
    pub counts: BTreeMap<String, u64>,
    /// How many were sent to each actor.
    pub forwarded: BTreeMap<String, u64>,
    /// Those that were not their sender's next.
    pub faults: Vec<String>,
}

impl Tally {
    /// Counts a number.
    fn take(&mut self, sender: &str, number: u64, forward: Option<&str>) {
        let count = self.counts.entry(sender.to_owned()).or_default();
        if number == *count + 1 {
            *count = number;
        } else {
            self.faults.push(format!("{number} of {sender} after {count}"));
        }
        if let Some(to) = forward {
            *self.forwarded.entry(to.to_owned()).or_default() += 1;
        }
    }

    /// How many came, of anybody.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }
}

/// Whether the actor of this id keeps events.
pub fn is_sourced(id: &str) -> bool {
    id.starts_with('e')
}

/// Sends an actor this one's next number for it.
fn pass_on<A: Durable>(turn: &mut Turn<'_, A>, tally: &Tally, to: &str) -> Result<(), Refused> {
    let sender = turn.id().to_string();
    let number = tally.forwarded.get(to).map_or(1, |last| last + 1);
    let say = Say::Number { sender, number, forward: None };
    Ok(if is_sourced(to) { turn.send::<Sourced>(to, &say) } else { turn.send::<Whole>(to, &say) }?)
}

impl Durable for Whole {
    const TYPE: &'static str = "tally/whole";
    // All of it: the test reads it in the end.
    const JOURNAL_KEPT: u64 = 1 << 40;
    type State = Tally;
    type Command = Say;
    type Reply = Tally;
    type Error = Refused;

    fn create(&self, _: &DurableId) -> Tally {
        Tally::default()
    }

    async fn on_recover(&self, id: &DurableId, _: &mut Tally) -> Result<(), ActorError> {
        match &self.witness {
            Some(witness) => witness.note_activation(id).await,
            None => Ok(()),
        }
    }

    fn is_query(command: &Say) -> bool {
        matches!(command, Say::Look)
    }
}

impl DurableActor for Whole {
    async fn handle(&self, say: Say, tally: &mut Tally, turn: &mut Turn<'_, Self>) -> Result<Tally, Refused> {
        let watched = self.witness.as_ref().zip(turn.message_id()).filter(|_| !Self::is_query(&say));
        if let Some((witness, message)) = watched {
            witness.write(turn.id(), message, false);
            // sleep: see `MOMENT`
            tokio::time::sleep(MOMENT).await;
        }
        match say {
            Say::Number { sender, number, forward } => {
                if let Some(to) = &forward {
                    pass_on(turn, tally, to)?;
                }
                tally.take(&sender, number, forward.as_deref());
            }
            Say::Look => {}
            Say::Panic => panic!("so it was asked"),
            Say::Hang => pending().await,
        }
        if let Some((witness, message)) = watched {
            witness.write(turn.id(), message, true);
        }
        Ok(tally.clone())
    }
}

impl Durable for Sourced {
    const TYPE: &'static str = "tally/sourced";
    const JOURNAL_KEPT: u64 = 1 << 40;
    type State = Tally;
    type Command = Say;
    type Reply = Tally;
    type Error = Refused;

    fn create(&self, _: &DurableId) -> Tally {
        Tally::default()
    }

    fn is_query(command: &Say) -> bool {
        matches!(command, Say::Look)
    }
}

impl EventSourced for Sourced {
    type Event = (String, u64, Option<String>);

    // Often, as it is to be found out what is lost with it.
    const SNAPSHOT_EVERY: u64 = 50;

    async fn decide(
        &self,
        say: Say,
        tally: &Tally,
        turn: &mut Turn<'_, Self>,
    ) -> Result<Decision<Self::Event, Tally>, Refused> {
        let Say::Number { sender, number, forward } = say else { return Ok(Decision::reply(tally.clone())) };
        if let Some(to) = &forward {
            pass_on(turn, tally, to)?;
        }
        let mut after = tally.clone();
        after.take(&sender, number, forward.as_deref());
        Ok(Decision::reply(after).event((sender, number, forward)))
    }

    fn apply(&self, tally: &mut Tally, (sender, number, forward): &Self::Event) {
        tally.take(sender, *number, forward.as_deref());
    }
}

/// A name that is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused(String);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<RequestError> for Refused {
    fn from(why: RequestError) -> Self {
        Self(why.to_string())
    }
}
