//! After all faults are mended each two nodes have a session again.

use super::{Checked, End, Invariant, Violation};
use crate::cluster::history::Event;

/// In the end each two nodes have a session.
#[derive(Debug, Default)]
pub struct ConnectedAgain;

impl Invariant for ConnectedAgain {
    fn name(&self) -> &'static str {
        "the cluster heals"
    }

    fn observe(&mut self, _: &Event) -> Checked {
        Ok(0)
    }

    fn at_end(&mut self, end: &End) -> Checked {
        match end.apart[..] {
            [] => Ok(1),
            [(one, other), ..] => {
                let pairs = end.apart.len();
                Err(Violation::new(format!(
                    "nodes {one} and {other} have no session, and {pairs} pairs in all"
                )))
            }
        }
    }
}
