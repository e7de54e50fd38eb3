//! Messages of one sender to one actor are handled in the order in which they were sent, each once.

use std::collections::BTreeMap;

use actor_core::ActorId;

use super::{About, Checked, Invariant, Violation};
use crate::cluster::history::{Event, What};

/// An actor handles what one sender sends it in the order in which that was sent, each message once at most.
#[derive(Debug, Default)]
pub struct Fifo {
    /// The message of each pair that was handled last.
    last: BTreeMap<(u64, ActorId), u64>,
}

impl Invariant for Fifo {
    fn name(&self) -> &'static str {
        "FIFO per pair"
    }

    fn observe(&mut self, event: &Event) -> Checked {
        let What::Received { from, to, number } = &event.what else { return Ok(0) };
        match self.last.insert((*from, *to), *number) {
            Some(last) if last >= *number => {
                let order =
                    if last == *number { "twice".to_owned() } else { format!("after message {last}") };
                let text = format!("message {number} of sender {from} to actor {to} came {order}");
                Err(Violation::new(text).about(About::Sender(*from)))
            }
            _ => Ok(1),
        }
    }
}
