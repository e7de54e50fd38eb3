//! Publishing actors and finding them: names and groups of the cluster.

use std::sync::{Arc, Weak};

use actor_core::{ActorId, ActorRef, Exit, ExitListener};

use super::Node;
use super::outbound::remote_ref;
use super::peer::locked;
use crate::error::{FindError, PublishError};
use crate::names::{Entry, LabelKind};
use crate::wire::RemoteMessage;
use crate::wire::control::Publication;

impl Node {
    pub(super) fn publish<M: RemoteMessage>(
        self: &Arc<Self>,
        kind: LabelKind,
        label: &str,
        actor: &ActorRef<M>,
    ) -> Result<(), PublishError> {
        let publishing = locked(&self.publishing);
        let Some(publication) = self.catalog().publish(kind, label, actor)? else { return Ok(()) };
        for link in self.links() {
            link.act(|session| session.publish(std::slice::from_ref(&publication)));
        }
        drop(publishing);
        // Once for each label, which is harmless; at once, if the actor has ended.
        actor.watch_with(Arc::new(Withdraw { node: Arc::downgrade(self) }));
        Ok(())
    }

    pub(super) fn unpublish(&self, kind: LabelKind, label: &str, actor: u64) {
        let _publishing = locked(&self.publishing);
        self.announce_gone(self.catalog().unpublish(kind, label, actor).as_slice());
    }

    /// The actors under a label: this node's first, then by node.
    pub(super) fn lookup<M: RemoteMessage>(
        &self,
        kind: LabelKind,
        label: &str,
    ) -> (Vec<ActorRef<M>>, Option<FindError>) {
        let mut mismatch = None;
        let mut found = Vec::new();
        for target in self.catalog().lookup(kind, label) {
            match ActorRef::from_cell(target.cell().clone()) {
                Ok(actor) => found.push(actor),
                Err(_) => mismatch = Some(FindError::WrongType(self.id())),
            }
        }
        let entries = self.directory().lookup(kind, label);
        for entry in entries {
            if entry.message == M::TYPE {
                found.extend(self.remote(&entry, kind, label));
            } else {
                mismatch = Some(FindError::WrongType(entry.node));
            }
        }
        (found, mismatch)
    }

    fn remote<M: RemoteMessage>(&self, entry: &Entry, kind: LabelKind, label: &str) -> Option<ActorRef<M>> {
        let peer = locked(&self.peers).present.get(&entry.node).cloned()?;
        let actor = ActorId::new(peer.info.incarnation, entry.actor);
        let name = (kind == LabelKind::Name).then(|| label.into());
        Some(remote_ref(peer, actor, name, self.executor().clone()))
    }

    fn withdraw(&self, actor: ActorId) {
        let _publishing = locked(&self.publishing);
        self.announce_gone(&self.catalog().remove(actor.serial()));
    }

    fn announce_gone(&self, publications: &[Publication]) {
        if !publications.is_empty() {
            for link in self.links() {
                link.act(|session| session.unpublish(publications));
            }
        }
    }
}

/// Takes an actor that has ended out of the catalog.
struct Withdraw {
    node: Weak<Node>,
}

impl ExitListener for Withdraw {
    fn on_exit(&self, actor: ActorId, _: &Exit) {
        if let Some(node) = self.node.upgrade() {
            node.withdraw(actor);
        }
    }
}
