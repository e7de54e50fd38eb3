//! What an owner reads when it has acquired an actor.

use super::message::{Outgoing, Reminder};
use super::turn::{Child, Snapshot};
use crate::id::MessageId;

/// What an owner loads at once. The journal and the inbox are read in pages.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Recovery {
    /// The stored state, if there is one.
    pub snapshot: Option<Snapshot>,
    /// The messages that are remembered as handled, in the order in which they were.
    pub handled: Vec<MessageId>,
    /// The messages that have been sent and are not known to have arrived, in order.
    pub outbox: Vec<Outgoing>,
    /// The reminders, by name.
    pub reminders: Vec<Reminder>,
    /// The children, by name.
    pub children: Vec<Child>,
}
