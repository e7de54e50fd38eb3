//! Who may come in and who may be dialled. Must not live here: how it is
//! enforced (`door.rs`, `dialer.rs`) and connections (`registry.rs`).

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use actor_cluster::id::NodeId;

/// The list of peers. An empty one lets nobody in.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    list: RwLock<List>,
}

#[derive(Debug, Default)]
struct List {
    any: bool,
    allowed: HashSet<NodeId>,
    /// Who was taken off a list that has everybody on it.
    revoked: HashSet<NodeId>,
}

impl Peers {
    /// Whether we talk to this peer.
    pub(crate) fn allows(&self, peer: &NodeId) -> bool {
        let list = self.read();
        list.allowed.contains(peer) || (list.any && !list.revoked.contains(peer))
    }

    /// Puts the peer on the list.
    pub(crate) fn allow(&self, peer: NodeId) {
        let mut list = self.write();
        list.revoked.remove(&peer);
        list.allowed.insert(peer);
    }

    /// Puts everybody on the list.
    pub(crate) fn allow_any(&self) {
        self.write().any = true;
    }

    /// Takes the peer off the list.
    pub(crate) fn revoke(&self, peer: NodeId) {
        let mut list = self.write();
        list.allowed.remove(&peer);
        if list.any {
            list.revoked.insert(peer);
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, List> {
        // No code panics between two steps of a change, so the list is whole.
        self.list.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, List> {
        self.list.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_says_who_is_allowed() {
        let (a, b) = (NodeId::from_bytes([1; 32]), NodeId::from_bytes([2; 32]));
        let peers = Peers::default();
        assert!(!peers.allows(&a));
        peers.allow(a);
        assert!(peers.allows(&a) && !peers.allows(&b));
        peers.revoke(a);
        assert!(!peers.allows(&a));
        peers.allow_any();
        assert!(peers.allows(&a) && peers.allows(&b));
        peers.revoke(b);
        assert!(peers.allows(&a) && !peers.allows(&b));
        peers.allow(b);
        assert!(peers.allows(&b));
    }
}
