//! Durable actors that count what each sender sends them, for a process that is killed again and again: whether a message
//! came twice, never, or out of turn is seen by the numbers.

use std::collections::BTreeMap;

use actor_durable::{BadRequest, Decision, Durable, DurableActor, DurableId, EventSourced, Turn};
use serde::{Deserialize, Serialize};

/// Keeps its [`Tally`] whole.
#[derive(Clone, Copy, Debug)]
pub struct Whole;

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

    fn is_query(command: &Say) -> bool {
        matches!(command, Say::Look)
    }
}

impl DurableActor for Whole {
    async fn handle(&self, say: Say, tally: &mut Tally, turn: &mut Turn<'_, Self>) -> Result<Tally, Refused> {
        if let Say::Number { sender, number, forward } = say {
            if let Some(to) = &forward {
                pass_on(turn, tally, to)?;
            }
            tally.take(&sender, number, forward.as_deref());
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

impl From<BadRequest> for Refused {
    fn from(why: BadRequest) -> Self {
        Self(why.to_string())
    }
}
