//! A node finds no actor by a name whose node's life is over, once it knows that.

use super::lives::Lives;
use super::{About, Checked, Invariant, Violation};
use crate::cluster::history::{Event, What};

/// See the module.
#[derive(Debug, Default)]
pub struct NamesWithdrawn {
    lives: Lives,
}

impl Invariant for NamesWithdrawn {
    fn name(&self) -> &'static str {
        "names of a lost node are withdrawn"
    }

    fn observe(&mut self, event: &Event) -> Checked {
        self.lives.observe(event);
        let What::NameFound { name, actor } = &event.what else { return Ok(0) };
        let Some(here) = self.lives.of(event.node) else { return Ok(0) };
        let told = self.lives.session_ended(here, actor.incarnation());
        match told {
            Some(at) if self.lives.is_of_ended_life(*actor) => {
                let text = format!(
                    "{name:?} led to actor {actor}, of a life with which the session had ended at {at:?}"
                );
                Err(Violation::new(text).about(About::Name(name.clone())))
            }
            _ => Ok(1),
        }
    }
}
