//! Publishing actors and finding them: names and groups of the cluster.

use std::sync::{Arc, Weak};

use actor_core::{ActorId, ActorRef, Exit, ExitListener};

use super::Node;
use super::outbound::remote_ref;
use super::peer::{Link, Peer, locked};
use crate::error::{FindError, PublishError};
use crate::event::NodeEvent;
use crate::names::{Directory, Entry, LabelKind};
use crate::session::Verdict;
use crate::wire::RemoteMessage;
use crate::wire::control::Publication;

impl Node {
    pub(super) fn publish<M: RemoteMessage>(
        self: &Arc<Self>,
        kind: LabelKind,
        label: &str,
        actor: &ActorRef<M>,
    ) -> Result<(), PublishError> {
        // Another system's actors are another node's, though they live in this process.
        if !actor.is_local() || actor.id().incarnation() != self.system.incarnation() {
            return Err(PublishError::NotLocal);
        }
        let publishing = locked(&self.publishing);
        let Some(published) = self.catalog().publish(kind, label, actor)? else { return Ok(()) };
        for link in self.links() {
            link.act(|session| {
                session.say_schema(M::TYPE, &published.schema);
                session.publish(std::slice::from_ref(&published.publication));
            });
        }
        drop(publishing);
        if published.is_first {
            // Tells at once, if the actor has ended; so not under the lock.
            let watch = actor.watch_with(Arc::new(Withdraw { node: Arc::downgrade(self) }));
            if !self.catalog().note_watch(actor.id().serial(), watch) {
                actor.unwatch(watch);
            }
        }
        Ok(())
    }

    pub(super) fn unpublish(&self, kind: LabelKind, label: &str, actor: ActorId) {
        if actor.incarnation() != self.system.incarnation() {
            return;
        }
        let publishing = locked(&self.publishing);
        let Some(unpublished) = self.catalog().unpublish(kind, label, actor.serial()) else { return };
        self.announce_gone(std::slice::from_ref(&unpublished.publication));
        drop(publishing);
        unpublished.unwatch();
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
        for (peer, entry) in self.entries(kind, label) {
            match self.check::<M>(&peer, &entry) {
                Ok(()) => {
                    let actor = ActorId::new(peer.incarnation, entry.actor);
                    let name = (kind == LabelKind::Name).then(|| label.into());
                    found.push(remote_ref(peer, actor, name, None, self.executor().clone()));
                }
                Err(error) => mismatch = Some(error),
            }
        }
        (found, mismatch)
    }

    /// Whether messages of this program's reach an actor of a peer's.
    fn check<M: RemoteMessage>(&self, peer: &Peer, entry: &Entry) -> Result<(), FindError> {
        if entry.message != M::TYPE {
            return Err(FindError::WrongType(entry.node));
        }
        // Without a session nothing is sent before there is one again, which compares anew.
        let Some(link) = peer.link() else { return Ok(()) };
        let schema = self.catalog().schema::<M>();
        match link.run(|session| session.agree(M::TYPE, &schema)) {
            Verdict::Incompatible(mismatch) => Err(FindError::Incompatible { node: entry.node, mismatch }),
            Verdict::Unsaid | Verdict::Same | Verdict::Common(_) => Ok(()),
        }
    }

    /// What peers publish under a label, each with the peer in the very life in which
    /// it does so.
    fn entries(&self, kind: LabelKind, label: &str) -> Vec<(Arc<Peer>, Entry)> {
        let peers = locked(&self.peers);
        let entries = peers.directory.lookup(kind, label).into_iter();
        entries.filter_map(|entry| Some((peers.present.get(&entry.node)?.clone(), entry))).collect()
    }

    /// Changes what a peer is known to publish, if the session is still the one there
    /// is with it.
    pub(super) fn update_directory(&self, link: &Arc<Link>, update: impl FnOnce(&mut Directory)) {
        let mut peers = locked(&self.peers);
        if peers.is_current(link) {
            update(&mut peers.directory);
            drop(peers);
            self.tell(NodeEvent::Published(link.info.clone()));
        }
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
