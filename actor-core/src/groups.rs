//! Process groups of one system: named sets of actors. A member leaves when it
//! begins to stop.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::address::{ActorCell, ActorRef};
use crate::id::{ActorId, Incarnation};
use crate::lifecycle::{Flag, Status};
use crate::registry::is_usable;
use crate::sync::LockExt;

/// The process groups of one system; see [`ActorSystem::groups`](crate::ActorSystem::groups).
pub struct Groups {
    /// Whose actors may join: only they come to leave when they stop.
    incarnation: Incarnation,
    members: Mutex<BTreeMap<Arc<str>, Members>>,
}

type Members = BTreeMap<ActorId, ActorCell>;

/// An actor did not join a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// It stops or has stopped.
    #[error("the actor is stopping")]
    Stopping,
    /// It belongs to another system; groups of a cluster are the cluster's.
    #[error("only actors of this system can join")]
    NotLocal,
    /// The group's name is empty, too long, or holds control characters.
    #[error("the group's name cannot be used")]
    Name,
}

impl Groups {
    pub(crate) fn new(incarnation: Incarnation) -> Self {
        Self { incarnation, members: Mutex::default() }
    }

    /// Adds an actor to a group. Joining twice is joining once.
    ///
    /// # Errors
    ///
    /// See [`JoinError`].
    pub fn join(&self, group: &str, actor: &ActorCell) -> Result<(), JoinError> {
        let is_ours = actor.id().incarnation() == self.incarnation;
        let local = actor.as_local().filter(|_| is_ours).ok_or(JoinError::NotLocal)?;
        if !is_usable(group) {
            return Err(JoinError::Name);
        }
        let mut members = self.members.locked();
        // Either this sees that the actor is stopping, or the stopping actor sees
        // the flag and comes to remove itself, which waits for this lock.
        if local.raise(Flag::Grouped).status() >= Status::Stopping {
            return Err(JoinError::Stopping);
        }
        members.entry(group.into()).or_default().insert(actor.id(), actor.clone());
        Ok(())
    }

    /// Takes an actor out of a group. Does nothing if it is not a member.
    pub fn leave(&self, group: &str, actor: &ActorCell) {
        let mut groups = self.members.locked();
        if let Some(members) = groups.get_mut(group) {
            members.remove(&actor.id());
            if members.is_empty() {
                groups.remove(group);
            }
        }
    }

    /// The members of a group, oldest actor first.
    pub fn members(&self, group: &str) -> Vec<ActorCell> {
        self.members.locked().get(group).map_or_else(Vec::new, |members| members.values().cloned().collect())
    }

    /// The members of a group that take messages of type `M`, oldest first.
    pub fn members_of<M: Send + 'static>(&self, group: &str) -> Vec<ActorRef<M>> {
        self.members(group).into_iter().filter_map(|cell| ActorRef::from_cell(cell).ok()).collect()
    }

    /// Every group that has a member, sorted.
    pub fn names(&self) -> Vec<Arc<str>> {
        self.members.locked().keys().cloned().collect()
    }

    /// Takes a stopping actor out of every group.
    pub(crate) fn leave_all(&self, actor: &ActorCell) {
        self.members.locked().retain(|_, members| {
            members.remove(&actor.id());
            !members.is_empty()
        });
    }
}

impl std::fmt::Debug for Groups {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}
