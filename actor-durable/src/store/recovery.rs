//! What an owner reads when it has acquired an actor.

use super::message::{Outgoing, Reminder};
use super::turn::{Child, Snapshot};
use crate::id::MessageId;

/// All of an actor that is in memory while it is active. Its entries and its inbox come by pages.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Recovery {
    /// The stored state, if there is one.
    pub snapshot: Option<Snapshot>,
    /// The messages that are remembered as handled, in the order they were.
    pub handled: Vec<MessageId>,
    /// What is not known to have arrived, in order.
    pub outbox: Vec<Outgoing>,
    /// The reminders, by name.
    pub reminders: Vec<Reminder>,
    /// The children, by name.
    pub children: Vec<Child>,
}
