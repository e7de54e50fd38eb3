//! Names of one system: at most one actor holds a name, from before it starts
//! until it begins to stop.

use std::collections::HashMap;
use std::sync::Arc;

use crate::address::ActorCell;
use crate::limits::NAME_BYTES_MAX;
use crate::sync::{LockExt, Mutex};

/// The names of one system.
#[derive(Default)]
pub(crate) struct Registry {
    // unordered: sorted where it is gone through
    names: Mutex<HashMap<Arc<str>, ActorCell>>,
}

/// Somebody else holds the name.
#[derive(Debug)]
pub(crate) struct Taken;

impl Registry {
    pub(crate) fn claim(&self, name: Arc<str>, actor: ActorCell) -> Result<(), Taken> {
        let mut names = self.names.locked();
        if names.contains_key(&name) {
            return Err(Taken);
        }
        names.insert(name, actor);
        Ok(())
    }

    /// Frees a name if this very actor holds it.
    pub(crate) fn release(&self, name: &str, actor: &ActorCell) {
        let mut names = self.names.locked();
        if names.get(name) == Some(actor) {
            names.remove(name);
        }
    }

    pub(crate) fn lookup(&self, name: &str) -> Option<ActorCell> {
        self.names.locked().get(name).cloned()
    }

    /// Every name, sorted.
    pub(crate) fn names(&self) -> Vec<Arc<str>> {
        let mut names: Vec<_> = self.names.locked().keys().cloned().collect();
        names.sort_unstable();
        names
    }
}

/// Whether a name can be used: not empty, not too long, no control characters.
pub(crate) fn is_usable(name: &str) -> bool {
    !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.contains(char::is_control)
}
