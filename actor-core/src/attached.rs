//! The tasks that share a life with an actor. Only kept here; who starts and ends them is
//! `attach.rs`.

use std::collections::BTreeMap;

use crate::executor::TaskHandle;

/// Which attached task of an actor. Not used again by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AttachmentId(u64);

/// See the module.
#[derive(Default)]
pub(crate) struct Attached {
    /// Without a handle while the task is being started.
    tasks: BTreeMap<AttachmentId, Option<TaskHandle>>,
    made: u64,
}

impl Attached {
    /// Makes a place for a task that is about to start.
    pub(crate) fn reserve(&mut self) -> AttachmentId {
        self.made += 1;
        let id = AttachmentId(self.made);
        self.tasks.insert(id, None);
        id
    }

    /// Puts a started task in its place. Gives it back if the place is gone: the task is
    /// over, or shall be.
    pub(crate) fn hold(&mut self, id: AttachmentId, task: TaskHandle) -> Option<TaskHandle> {
        match self.tasks.get_mut(&id) {
            Some(place) => {
                *place = Some(task);
                None
            }
            None => Some(task),
        }
    }

    /// Whether a task has not ended, nor been ended.
    pub(crate) fn holds(&self, id: AttachmentId) -> bool {
        self.tasks.contains_key(&id)
    }

    /// Lets go of a task.
    pub(crate) fn remove(&mut self, id: AttachmentId) -> Option<TaskHandle> {
        self.tasks.remove(&id).flatten()
    }

    /// Lets go of all.
    pub(crate) fn take(&mut self) -> Vec<TaskHandle> {
        std::mem::take(&mut self.tasks).into_values().flatten().collect()
    }
}
