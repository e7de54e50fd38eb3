//! What a supervisor knows of its children, found by their key, by what it calls them, and by
//! their address.

use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::sync::Arc;

use super::actor::Answer;
use super::child::Erased;
use super::reference::{ChildInfo, ChildState, SupervisorError};
use crate::address::ActorCell;
use crate::attach::Attachment;
use crate::exit::Exit;
use crate::id::ActorId;
use crate::supervise::{ChildKey, Roster, Stage};

/// The children, in the order they were added.
#[derive(Default)]
pub(super) struct Family {
    children: BTreeMap<ChildKey, Child>,
    // unordered: looked up, never gone through
    by_id: HashMap<Arc<str>, ChildKey>,
    /// Of those that have an address.
    // unordered: looked up, never gone through
    by_actor: HashMap<ActorId, ChildKey>,
    /// How many are being launched.
    launching: usize,
}

/// A child, whether it lives or not.
pub(super) struct Child {
    pub(super) spec: Erased,
    /// None while it is launched, and when it has ended for good.
    cell: Option<ActorCell>,
    pub(super) last_exit: Option<Exit>,
    /// In which of its lives it was suspended when that was heard last, and not yet that it
    /// started again.
    pub(super) suspended_in: Option<u64>,
    /// Whether a launch is under way.
    launching: Option<Launch>,
    /// Who waits for its end.
    pub(super) ending: Vec<Answer<Exit>>,
    pub(super) checks: Option<Attachment>,
}

/// A launch that is under way.
pub(super) struct Launch {
    pub(super) task: Attachment,
    /// Who waits for it.
    pub(super) port: Option<Answer<ActorCell>>,
}

impl Family {
    /// Adds a child that has no address yet. No other is called as it is.
    pub(super) fn add(&mut self, key: ChildKey, spec: Erased) {
        self.by_id.insert(spec.id.clone(), key);
        let child = Child {
            spec,
            cell: None,
            last_exit: None,
            suspended_in: None,
            launching: None,
            ending: Vec::new(),
            checks: None,
        };
        self.children.insert(key, child);
    }

    pub(super) fn remove(&mut self, key: ChildKey) {
        self.take_cell(key);
        drop(self.end_launch(key));
        if let Some(child) = self.children.remove(&key) {
            self.by_id.remove(&child.spec.id);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.children.len()
    }

    pub(super) fn get(&self, key: ChildKey) -> Option<&Child> {
        self.children.get(&key)
    }

    pub(super) fn get_mut(&mut self, key: ChildKey) -> Option<&mut Child> {
        self.children.get_mut(&key)
    }

    pub(super) fn key_of(&self, id: &str) -> Option<ChildKey> {
        self.by_id.get(id).copied()
    }

    pub(super) fn key_of_actor(&self, actor: &ActorCell) -> Option<ChildKey> {
        self.by_actor.get(&actor.id()).copied()
    }

    pub(super) fn cell(&self, key: ChildKey) -> Option<&ActorCell> {
        self.get(key)?.cell.as_ref()
    }

    /// A child has an address.
    pub(super) fn set_cell(&mut self, key: ChildKey, cell: ActorCell) {
        let Some(child) = self.children.get_mut(&key) else { return };
        self.by_actor.insert(cell.id(), key);
        child.cell = Some(cell);
    }

    /// A child has no address any more.
    pub(super) fn take_cell(&mut self, key: ChildKey) {
        let cell = self.get_mut(key).and_then(|child| child.cell.take());
        if let Some(cell) = cell {
            self.by_actor.remove(&cell.id());
        }
    }

    pub(super) fn begin_launch(&mut self, key: ChildKey, launch: Launch) {
        drop(self.end_launch(key));
        if let Some(child) = self.children.get_mut(&key) {
            child.launching = Some(launch);
            self.launching += 1;
        }
    }

    pub(super) fn end_launch(&mut self, key: ChildKey) -> Option<Launch> {
        let launch = self.get_mut(key)?.launching.take()?;
        self.launching -= 1;
        Some(launch)
    }

    pub(super) fn is_launching(&self, key: ChildKey) -> bool {
        self.get(key).is_some_and(|child| child.launching.is_some())
    }

    pub(super) fn is_any_launching(&self) -> bool {
        self.launching > 0
    }

    /// Gives all launches up.
    pub(super) fn cancel_launches(&self) {
        for launch in self.children.values().filter_map(|child| child.launching.as_ref()) {
            launch.task.cancel();
        }
    }

    /// A child has ended for good: whoever waited for that is told.
    pub(super) fn mark_ended(&mut self, key: ChildKey, exit: &Exit) {
        self.take_cell(key);
        let Some(child) = self.get_mut(key) else { return };
        child.last_exit = Some(exit.clone());
        if let Some(checks) = child.checks.take() {
            checks.cancel();
        }
        answer_all(mem::take(&mut child.ending), Some(exit));
    }

    pub(super) fn infos(&self, roster: &Roster) -> Vec<ChildInfo> {
        self.children.iter().map(|(key, child)| child.info(roster.look_up(*key))).collect()
    }
}

impl Child {
    fn info(&self, place: Option<(Stage, u64)>) -> ChildInfo {
        let (stage, restarts) = place.unwrap_or((Stage::Over, 0));
        ChildInfo {
            id: self.spec.id.clone(),
            actor: self.cell.clone(),
            state: match stage {
                Stage::Starting => ChildState::Starting,
                Stage::Up => ChildState::Running,
                Stage::Halting(_) => ChildState::Stopping,
                Stage::Down(_) => ChildState::Waiting,
                Stage::Over => ChildState::Ended,
            },
            restarts,
            last_exit: self.last_exit.clone(),
        }
    }
}

pub(super) fn answer_all(ports: Vec<Answer<Exit>>, exit: Option<&Exit>) {
    for port in ports {
        drop(port.send(exit.cloned().ok_or(SupervisorError::Stopping)));
    }
}
