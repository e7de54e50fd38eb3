//! A message that was taken is handled, unless its actor, a node or the session between them has ended.

use std::collections::BTreeMap;

use actor_cluster::Incarnation;
use actor_core::{ActorId, Instant};

use super::lives::Lives;
use super::{About, Checked, End, Invariant, Violation};
use crate::cluster::history::{Event, What};

/// Each message that was sent is handled in the end, unless its actor, a node or their session has ended since.
#[derive(Debug, Default)]
pub struct NothingLost {
    lives: Lives,
    /// When each message was sent that is not handled yet, and by which life.
    under_way: BTreeMap<(u64, ActorId, u64), (Instant, Incarnation)>,
    handled: u64,
}

impl Invariant for NothingLost {
    fn name(&self) -> &'static str {
        "no message is lost while its session lives"
    }

    fn observe(&mut self, event: &Event) -> Checked {
        self.lives.observe(event);
        match &event.what {
            What::Sent { from, to, number } => {
                if let Some(life) = self.lives.of(event.node) {
                    self.under_way.insert((*from, *to, *number), (event.at, life));
                }
            }
            What::Received { from, to, number } => {
                self.under_way.remove(&(*from, *to, *number));
                self.handled += 1;
            }
            _ => {}
        }
        Ok(0)
    }

    fn at_end(&mut self, _: &End) -> Checked {
        for ((from, to, number), (sent, life)) in &self.under_way {
            let is_explained =
                self.lives.is_over(*to) || self.lives.are_parted_since(*life, to.incarnation(), *sent);
            if !is_explained {
                let text =
                    format!("message {number} of sender {from} to actor {to}, sent at {sent:?}, never came");
                return Err(Violation::new(text).about(About::Sender(*from)));
            }
        }
        Ok(self.handled + self.under_way.len() as u64)
    }
}
