//! What a supervisor knows of each of its children.

use super::actor::Answer;
use super::child::Erased;
use super::reference::{ChildInfo, ChildState, SupervisorError};
use crate::address::ActorCell;
use crate::attach::Attachment;
use crate::exit::Exit;
use crate::supervise::{ChildKey, Roster, Stage};

/// A child, whether it lives or not.
pub(super) struct Child {
    pub(super) key: ChildKey,
    pub(super) spec: Erased,
    /// None while it is launched, and when it has ended for good.
    pub(super) cell: Option<ActorCell>,
    pub(super) last_exit: Option<Exit>,
    /// Whether a launch is under way.
    pub(super) launching: Option<Launch>,
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

impl Child {
    /// It has ended for good.
    pub(super) fn has_gone(&mut self, exit: &Exit) {
        self.cell = None;
        self.last_exit = Some(exit.clone());
        if let Some(checks) = self.checks.take() {
            checks.cancel();
        }
        answer_all(std::mem::take(&mut self.ending), Some(exit));
    }

    pub(super) fn info(&self, roster: &Roster) -> ChildInfo {
        let (stage, restarts) = roster.look_up(self.key).unwrap_or((Stage::Over, 0));
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
