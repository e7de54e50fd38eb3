//! Who is who in a history: which life of which node an actor belongs to, which actors and lives have ended, and between which
//! lives there is a session.

use std::collections::BTreeMap;
use std::sync::Arc;

use actor_cluster::{Incarnation, NodeEvent, NodeId};
use actor_core::{ActorId, Instant};

use crate::cluster::history::{Event, What};

/// The lives of a cluster's nodes so far.
#[derive(Debug, Default)]
pub(super) struct Lives {
    /// Of each node the life that it has now, or had last.
    current: BTreeMap<usize, Incarnation>,
    ids: BTreeMap<NodeId, usize>,
    /// Whose each life is, or was.
    nodes: BTreeMap<Incarnation, usize>,
    ended: BTreeMap<Incarnation, Instant>,
    ended_actors: BTreeMap<ActorId, Instant>,
    /// What one has told of its sessions with another.
    sessions: BTreeMap<(Incarnation, Incarnation), Sessions>,
}

/// All sessions of two lives, as one of them tells.
#[derive(Debug, Default)]
struct Sessions {
    /// When one ended last.
    ended: Option<Instant>,
    /// Whether one has begun since.
    is_open: bool,
}

impl Lives {
    pub(super) fn observe(&mut self, event: &Event) {
        match (&event.what, event.node) {
            (What::Started { id, incarnation }, Some(node)) => {
                self.ids.insert(*id, node);
                self.current.insert(node, *incarnation);
                self.nodes.insert(*incarnation, node);
            }
            (What::Crashed { incarnation } | What::Left { incarnation }, _) => {
                self.ended.insert(*incarnation, event.at);
            }
            (What::ActorEnded { actor }, _) => {
                self.ended_actors.entry(*actor).or_insert(event.at);
            }
            (What::Node(told), node) => {
                if let Some(here) = self.of(node) {
                    self.take(here, told, event.at);
                }
            }
            _ => {}
        }
    }

    fn take(&mut self, here: Incarnation, told: &NodeEvent, at: Instant) {
        if let NodeEvent::Authenticated(peer) | NodeEvent::Ready(peer) = told {
            self.sessions.entry((here, peer.incarnation)).or_default().is_open = true;
        } else if let Some((peer, _)) = told.session_end() {
            self.sessions.insert((here, peer.incarnation), Sessions { ended: Some(at), is_open: false });
        }
    }

    /// The life that a node has.
    pub(super) fn of(&self, node: Option<usize>) -> Option<Incarnation> {
        self.current.get(&node?).copied()
    }

    /// The number of a node.
    pub(super) fn node(&self, id: NodeId) -> Option<usize> {
        self.ids.get(&id).copied()
    }

    /// The node that an actor is on, or was.
    pub(super) fn node_of(&self, actor: ActorId) -> Option<usize> {
        self.nodes.get(&actor.incarnation()).copied()
    }

    pub(super) fn has_ended(&self, life: Incarnation) -> bool {
        self.ended.contains_key(&life)
    }

    /// When an actor ended, by itself or with its node's life.
    pub(super) fn ended_at(&self, actor: ActorId) -> Option<Instant> {
        let ends = [self.ended_actors.get(&actor), self.ended.get(&actor.incarnation())];
        ends.into_iter().flatten().min().copied()
    }

    pub(super) fn is_over(&self, actor: ActorId) -> bool {
        self.ended_at(actor).is_some()
    }

    /// When one told last that its session with the other was over.
    pub(super) fn session_ended(&self, here: Incarnation, peer: Incarnation) -> Option<Instant> {
        self.sessions.get(&(here, peer))?.ended
    }

    /// Whether one has told that its session with the other was over, and of no other since.
    pub(super) fn are_apart(&self, here: Incarnation, peer: Incarnation) -> bool {
        self.sessions.get(&(here, peer)).is_some_and(|sessions| sessions.ended.is_some() && !sessions.is_open)
    }

    /// Whether what was between two lives may be lost since a moment: a life or a session has ended.
    pub(super) fn are_parted_since(&self, one: Incarnation, other: Incarnation, since: Instant) -> bool {
        let ends = [self.ended.get(&one).copied(), self.ended.get(&other).copied()];
        let sessions = [self.session_ended(one, other), self.session_ended(other, one)];
        ends.into_iter().chain(sessions).flatten().any(|at| at >= since)
    }

    /// Which name a node has taken from which of its actors by this, if it has.
    pub(super) fn name_lost<'a>(&self, event: &'a Event) -> Option<(&'a Arc<str>, ActorId)> {
        match &event.what {
            What::NameLost { name, actor } => Some((name, *actor)),
            // The winner's node tells it as well.
            What::Node(NodeEvent::NameConflict { name, loser, .. }) => {
                let is_its_own = self.of(event.node) == Some(loser.actor.incarnation());
                is_its_own.then_some((name, loser.actor))
            }
            _ => None,
        }
    }
}
