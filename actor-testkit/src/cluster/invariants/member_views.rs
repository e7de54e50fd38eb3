//! After all faults are mended each node knows each other one as a member, in the life that it has, and nobody else.

use std::collections::BTreeSet;

use super::{About, Checked, End, Invariant, Violation};
use crate::cluster::history::Event;

/// In the end the members that each node knows are the other nodes, each in the life that it has.
#[derive(Debug, Default)]
pub struct MembersConverge;

impl Invariant for MembersConverge {
    fn name(&self) -> &'static str {
        "membership converges"
    }

    fn observe(&mut self, _: &Event) -> Checked {
        Ok(0)
    }

    fn at_end(&mut self, end: &End) -> Checked {
        for view in &end.members {
            let others = end.members.iter().filter(|other| other.node != view.node);
            let expected: BTreeSet<_> = others.map(|other| other.life).collect();
            if view.sees != expected {
                let missing = expected.difference(&view.sees).count();
                let gone = view.sees.difference(&expected).count();
                let text = format!(
                    "node {} misses {missing} members, and knows {gone} that are not there",
                    view.node
                );
                return Err(Violation::new(text).about(About::Node(view.node)));
            }
        }
        Ok(end.members.len() as u64)
    }
}
