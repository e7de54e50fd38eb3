//! Publishing actors and finding them: names and groups of the cluster.

use std::sync::{Arc, Weak};

use actor_core::{ActorId, ActorRef, Exit, ExitListener};

use super::Node;
use super::admit::Peers;
use super::catalog::Unpublished;
use super::groups::Told;
use super::link::Link;
use super::outbound::remote_ref;
use super::peer::Peer;
use super::rights::ask;
use crate::authorize::Operation;
use crate::error::{FindError, PublishError};
use crate::event::NodeEvent;
use crate::locked::locked;
use crate::names::conflict::NameRule;
use crate::names::{Clash, Entry, Label, Refusal};
use crate::session::Verdict;
use crate::wire::RemoteMessage;
use crate::wire::control::Publication;

impl Node {
    pub(super) fn publish<M: RemoteMessage>(
        self: &Arc<Self>,
        label: &Label,
        rule: NameRule,
        actor: &ActorRef<M>,
    ) -> Result<(), PublishError> {
        // Another system's actors are another node's, though they live in this process.
        if !actor.is_local() || actor.id().incarnation() != self.system.incarnation() {
            return Err(PublishError::NotLocal);
        }
        // A user's code, if it was not asked before.
        let schema = self.catalog().schema::<M>();
        let publishing = locked(&self.publishing);
        self.catalog().check(label, actor)?;
        let mut peers = locked(&self.peers);
        let (publication, changes) = match peers.names.publish(label, actor.id(), M::TYPE, rule.conflict()) {
            Ok(published) => published,
            Err(Refusal::Same) => return Ok(()),
            Err(Refusal::Taken) => return Err(PublishError::NameTaken),
            Err(Refusal::Held(holder)) => return Err(PublishError::NameHeld(holder)),
        };
        if !self.catalog().has_room(&publication) {
            // Nobody has heard of it.
            peers.names.withdraw(label, actor.id());
            return Err(PublishError::TooMany);
        }
        let is_first = self.catalog().publish(publication.clone(), rule.stops_loser(), actor, &schema);
        let told = peers.feeds.put(changes.groups);
        drop(peers);
        for link in self.links() {
            link.act(|session| {
                session.say_schema(M::TYPE, &schema);
                session.publish(std::slice::from_ref(&publication));
            });
        }
        drop(publishing);
        told.wake();
        self.tell_clashes(changes.clashes);
        if is_first {
            // Tells at once, if the actor has ended; so not under the lock.
            let watch = actor.watch_with(Arc::new(Withdraw { node: Arc::downgrade(self) }));
            if !self.catalog().note_watch(actor.id().serial(), watch) {
                actor.unwatch(watch);
            }
        }
        Ok(())
    }

    pub(super) fn unpublish(&self, label: &Label, actor: ActorId) {
        if actor.incarnation() != self.system.incarnation() {
            return;
        }
        let publishing = locked(&self.publishing);
        let Some(unpublished) = self.catalog().unpublish(label, actor.serial()) else { return };
        let mut peers = locked(&self.peers);
        let changes = peers.names.withdraw(label, actor);
        let told = peers.feeds.put(changes.groups);
        drop(peers);
        self.announce_gone(std::slice::from_ref(&unpublished.publication));
        drop(publishing);
        told.wake();
        unpublished.unwatch();
    }

    /// The actors that a name may mean: the one that has it, or where each node may have its
    /// own, this node's and then by node.
    pub(super) fn named<M: RemoteMessage>(&self, name: &str) -> (Vec<ActorRef<M>>, Option<FindError>) {
        let peers = locked(&self.peers);
        let entries = self.with_peers(&peers, peers.names.holders(name));
        drop(peers);
        self.addresses_of(entries, Some(name))
    }

    /// The members of a group: this node's first, then by node.
    pub(super) fn members<M: RemoteMessage>(&self, group: &Label) -> Vec<ActorRef<M>> {
        let peers = locked(&self.peers);
        let entries = self.with_peers(&peers, peers.names.members(group));
        drop(peers);
        self.addresses_of(entries, None).0
    }

    /// Each with its peer, in the very life in which that publishes it; none for our own.
    fn with_peers(&self, peers: &Peers, entries: Vec<Entry>) -> Vec<(Option<Arc<Peer>>, Entry)> {
        let peer = |entry: Entry| match entry.who.node == self.id() {
            true => Some((None, entry)),
            false => Some((Some(peers.present.get(&entry.who.node)?.clone()), entry)),
        };
        entries.into_iter().filter_map(peer).collect()
    }

    fn addresses_of<M: RemoteMessage>(
        &self,
        entries: Vec<(Option<Arc<Peer>>, Entry)>,
        name: Option<&str>,
    ) -> (Vec<ActorRef<M>>, Option<FindError>) {
        let (mut found, mut mismatch) = (Vec::new(), None);
        for (peer, entry) in entries {
            let address = match peer {
                None => self.local(&entry),
                Some(peer) => self.check::<M>(&peer, &entry).map(|()| {
                    let name = name.map(Into::into);
                    Some(remote_ref(peer, entry.who.actor, name, None, self.executor().clone()))
                }),
            };
            match address {
                Ok(address) => found.extend(address),
                Err(error) => mismatch = Some(error),
            }
        }
        (found, mismatch)
    }

    /// An actor of this node's, unless it has ended meanwhile.
    fn local<M: RemoteMessage>(&self, entry: &Entry) -> Result<Option<ActorRef<M>>, FindError> {
        let Some(target) = self.catalog().target(entry.who.actor.serial()) else { return Ok(None) };
        let address = ActorRef::from_cell(target.cell().clone());
        address.map(Some).map_err(|_| FindError::WrongType(self.id()))
    }

    /// Whether messages of this program's reach an actor of a peer's.
    fn check<M: RemoteMessage>(&self, peer: &Peer, entry: &Entry) -> Result<(), FindError> {
        if entry.message != M::TYPE {
            return Err(FindError::WrongType(entry.who.node));
        }
        // Without a session nothing is sent before there is one again, which compares anew.
        let Some(link) = peer.link() else { return Ok(()) };
        let schema = self.catalog().schema::<M>();
        match link.run(|session| session.agree(M::TYPE, &schema)) {
            Verdict::Incompatible(mismatch) => {
                Err(FindError::Incompatible { node: entry.who.node, mismatch })
            }
            Verdict::Unsaid | Verdict::Same | Verdict::Common(_) => Ok(()),
        }
    }

    /// A peer publishes more, if the session is still the one there is with it: what it may. What this
    /// node loses by that is withdrawn.
    pub(super) fn on_published(&self, link: &Arc<Link>, mut publications: Vec<Publication>) {
        let (publishing, mut peers) = loop {
            let hooks = self.hooks.count();
            // A user's code, so before the locks.
            publications.retain(|publication| {
                ask(self, link, Operation::Publish, &Label::of(publication).subject()).is_ok()
            });
            if publications.is_empty() {
                return;
            }
            let (publishing, peers) = (locked(&self.publishing), locked(&self.peers));
            // Otherwise another hook is in force by now, which may not have seen these.
            if hooks == self.hooks.count() {
                break (publishing, peers);
            }
        };
        if !peers.is_current(link) {
            return;
        }
        let changes = peers.names.learn(link.info.life(), &publications);
        let told = peers.feeds.put(changes.groups);
        drop(peers);
        let lost = changes.clashes.iter().filter(|clash| clash.loser.node == self.id());
        let lost: Vec<_> = lost.filter_map(|clash| self.withdraw_lost(clash)).collect();
        drop(publishing);
        told.wake();
        self.tell(NodeEvent::Published(link.info.clone()));
        self.tell_clashes(changes.clashes);
        for unpublished in lost {
            if let Some(actor) = &unpublished.stopped {
                actor.stop(Some("it has lost its name to another node"));
            }
            unpublished.unwatch();
        }
    }

    fn withdraw_lost(&self, clash: &Clash) -> Option<Unpublished> {
        let unpublished = self.catalog().unpublish(&Label::name(&clash.name), clash.loser.actor.serial())?;
        self.announce_gone(std::slice::from_ref(&unpublished.publication));
        Some(unpublished)
    }

    /// A peer publishes less, likewise.
    pub(super) fn on_unpublished(&self, link: &Arc<Link>, publications: &[Publication]) {
        let mut peers = locked(&self.peers);
        // What it might not publish was not found here, and so is not missed.
        let is_known = |publication| peers.names.is_found(link.info.life(), publication);
        if !peers.is_current(link) || !publications.iter().any(is_known) {
            return;
        }
        let changes = peers.names.unlearn(link.info.life(), publications);
        let told = peers.feeds.put(changes.groups);
        drop(peers);
        told.wake();
        self.tell(NodeEvent::Published(link.info.clone()));
    }

    /// Takes back here what a peer publishes under labels that this says.
    pub(super) fn withdraw_published(&self, link: &Arc<Link>, is_denied: impl Fn(&Label) -> bool) {
        let mut published = locked(&self.peers).names.of_peer(link.info.life());
        // A user's code, so between the locks.
        published.retain(|(label, _)| is_denied(label));
        if published.is_empty() {
            return;
        }
        let mut peers = locked(&self.peers);
        if !peers.is_current(link) {
            return;
        }
        let changes = peers.names.remove_all(&published);
        let told = peers.feeds.put(changes.groups);
        drop(peers);
        told.wake();
        self.tell(NodeEvent::Published(link.info.clone()));
    }

    fn tell_clashes(&self, clashes: Vec<Clash>) {
        for Clash { name, winner, loser } in clashes {
            self.tell(NodeEvent::NameConflict { name, winner, loser });
        }
    }

    fn withdraw(&self, actor: ActorId) {
        let publishing = locked(&self.publishing);
        let publications = self.catalog().remove(actor.serial());
        let mut told = Told::default();
        let mut peers = locked(&self.peers);
        for publication in &publications {
            let changes = peers.names.withdraw(&Label::of(publication), actor);
            told = told.and(peers.feeds.put(changes.groups));
        }
        drop(peers);
        self.announce_gone(&publications);
        drop(publishing);
        told.wake();
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
