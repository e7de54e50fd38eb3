//! Who is who in a history: which life of which node an actor belongs to, and between which lives a session has ended.

use std::collections::BTreeMap;

use actor_cluster::Incarnation;
use actor_core::{ActorId, Instant};

use crate::cluster::history::{Event, What};

/// The lives of a cluster's nodes so far.
#[derive(Debug, Default)]
pub(super) struct Lives {
    /// Of each node the life that it has now, or had last.
    current: BTreeMap<usize, Incarnation>,
    ended: BTreeMap<Incarnation, Instant>,
    /// When a session ended last, between two lives.
    sessions_ended: BTreeMap<(Incarnation, Incarnation), Instant>,
}

impl Lives {
    pub(super) fn observe(&mut self, event: &Event) {
        match (&event.what, event.node) {
            (What::Started { incarnation, .. }, Some(node)) => {
                self.current.insert(node, *incarnation);
            }
            (What::Crashed { incarnation } | What::Left { incarnation }, _) => {
                self.ended.insert(*incarnation, event.at);
            }
            (What::Node(told), Some(node)) => {
                if let (Some((peer, _)), Some(here)) = (told.session_end(), self.current.get(&node)) {
                    self.sessions_ended.insert((*here, peer.incarnation), event.at);
                }
            }
            _ => {}
        }
    }

    /// The life that a node has.
    pub(super) fn of(&self, node: Option<usize>) -> Option<Incarnation> {
        self.current.get(&node?).copied()
    }

    pub(super) fn has_ended(&self, life: Incarnation) -> bool {
        self.ended.contains_key(&life)
    }

    pub(super) fn is_of_ended_life(&self, actor: ActorId) -> bool {
        self.has_ended(actor.incarnation())
    }

    /// When one told last that its session with the other was over.
    pub(super) fn session_ended(&self, here: Incarnation, peer: Incarnation) -> Option<Instant> {
        self.sessions_ended.get(&(here, peer)).copied()
    }

    /// Whether what was between two lives may be lost since a moment: a life or a session has ended.
    pub(super) fn are_parted_since(&self, one: Incarnation, other: Incarnation, since: Instant) -> bool {
        let ends = [
            self.ended.get(&one),
            self.ended.get(&other),
            self.sessions_ended.get(&(one, other)),
            self.sessions_ended.get(&(other, one)),
        ];
        ends.into_iter().flatten().any(|at| *at >= since)
    }
}
