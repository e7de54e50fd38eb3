//! What the two sides of sessions' lanes were when they were looked at last.

use std::collections::BTreeMap;

/// One value for each side of each lane.
#[derive(Debug)]
pub(super) struct Sides<T> {
    /// By session; in it by lane and node.
    sessions: BTreeMap<u64, BTreeMap<(u8, usize), T>>,
}

impl<T> Default for Sides<T> {
    fn default() -> Self {
        Self { sessions: BTreeMap::new() }
    }
}

impl<T: Copy> Sides<T> {
    /// Takes note of a node's side of a lane: what it was before, and what the other side is.
    pub(super) fn note(&mut self, session: u64, node: usize, lane: u8, now: T) -> (Option<T>, Option<T>) {
        let session = self.sessions.entry(session).or_default();
        let former = session.insert((lane, node), now);
        let of_lane = session.range((lane, 0)..=(lane, usize::MAX));
        let peer = of_lane.into_iter().find(|((_, side), _)| *side != node).map(|(_, value)| *value);
        (former, peer)
    }

    /// A node's side is over. What it has done last was not looked at, so the other is not compared with it any more.
    pub(super) fn forget(&mut self, session: u64, node: usize) {
        if let Some(sides) = self.sessions.get_mut(&session) {
            sides.retain(|(_, side), _| *side != node);
            if sides.is_empty() {
                self.sessions.remove(&session);
            }
        }
    }
}
