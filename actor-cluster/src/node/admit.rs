//! Who is here: which session a stream is for, where sessions begin, and what is left
//! of one that is over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};

use bytes::{Bytes, BytesMut};

use super::Node;
use super::connection::SessionTask;
use super::dial::Whom;
use super::groups::{Feeds, Told};
use super::link::{Attached, Link, LinkState, Moment, Origin};
use super::linking::Leash;
use super::peer::Peer;
use super::rights;
use super::tasks::Place;
use crate::error::HandshakeError;
use crate::event::{NodeEvent, PeerInfo};
use crate::id::{NodeId, NodeLife};
use crate::locked::locked;
use crate::names::Names;
use crate::session::handshake::{self, Decision, Offer, Proposal, Proposals, SessionId, Sessions};
use crate::transport::{Address, CloseCode, CloseReason, ClusterBidiStream};

/// The other nodes, as far as this one knows them.
pub(super) struct Peers {
    /// Those there is a session with.
    pub(super) present: BTreeMap<NodeId, Arc<Peer>>,
    /// Those that addresses of actors may still be held of: when such a peer comes
    /// back in the same life, the addresses work again.
    known: BTreeMap<NodeLife, Weak<Peer>>,
    /// How many of these there may be before those that nobody holds are looked for.
    known_kept: usize,
    call_keys_made: Arc<AtomicU64>,
    /// Where those who are present can be dialled, as they say.
    pub(super) reachable: BTreeMap<NodeId, Vec<Address>>,
    /// Where else nodes with a session are, as the last of their peers said that told of them.
    pub(super) hearsay: BTreeMap<NodeId, Vec<Address>>,
    /// The sessions that this node has proposed and waits for the peer's word on.
    proposed: BTreeSet<(NodeLife, SessionId)>,
    /// What this node publishes, and those who are present.
    pub(super) names: Names,
    /// Who watches groups.
    pub(super) feeds: Feeds,
    /// Those being dialled because another peer told of them.
    pub(super) dialling: BTreeSet<NodeId>,
    pub(super) is_closing: bool,
}

/// How many lives of nodes may at least be known before those that nobody holds are looked for.
const KNOWN_KEPT_LEAST: usize = 64;

/// A stream found its session.
pub(super) struct Admitted {
    pub(super) link: Arc<Link>,
    /// The stream, if the session has enough of them.
    pub(super) spare: Option<Box<dyn ClusterBidiStream>>,
}

/// A stream is for no session.
pub(super) struct Rejected {
    pub(super) error: HandshakeError,
    pub(super) stream: Box<dyn ClusterBidiStream>,
}

/// A session that has just begun, and has no task yet.
struct New {
    place: Place,
    /// Who is to be woken because the peer's former members are gone.
    told: Told,
    /// The session whose place it took.
    former: Option<Arc<Link>>,
}

impl Peers {
    pub(super) fn new(myself: NodeId) -> Self {
        Self {
            present: BTreeMap::new(),
            known: BTreeMap::new(),
            known_kept: 0,
            call_keys_made: Arc::default(),
            reachable: BTreeMap::new(),
            hearsay: BTreeMap::new(),
            proposed: BTreeSet::new(),
            names: Names::new(myself),
            feeds: Feeds::default(),
            dialling: BTreeSet::new(),
            is_closing: false,
        }
    }

    pub(super) fn links(&self) -> Vec<Arc<Link>> {
        self.present.values().filter_map(|peer| peer.link()).collect()
    }

    /// The session there is with one life of a node, unless it has ended.
    pub(super) fn live(&self, life: NodeLife) -> Option<Arc<Link>> {
        let peer = self.present.get(&life.node).filter(|peer| peer.life == life)?;
        peer.link().filter(|link| link.ended().is_none())
    }

    /// Whether this node waits for one life of a node to take a session.
    fn is_proposing(&self, life: NodeLife) -> bool {
        self.proposed.iter().any(|(to, _)| *to == life)
    }

    /// Whether a node with which there is no session may have one.
    fn has_place(&self, node: NodeId, most: usize) -> bool {
        let coming = self.proposed.iter().map(|(to, _)| &to.node).filter(|to| !self.present.contains_key(to));
        let coming: BTreeSet<_> = coming.filter(|to| **to != node).collect();
        self.present.contains_key(&node) || self.present.len() + coming.len() < most
    }

    /// Whether a later life of the node is here.
    fn is_stale(&self, peer: &PeerInfo) -> bool {
        self.present.get(&peer.node).is_some_and(|present| {
            let is_proven = present.link().is_some_and(|link| link.info.is_proven);
            handshake::is_stale(peer.incarnation, peer.is_proven, (present.life.incarnation, is_proven))
        })
    }

    /// Whether what the peer has proven is enough beside the session that is there with the node, in whichever life.
    fn outrank(&self, peer: &PeerInfo) -> Result<(), HandshakeError> {
        let present = self.present.get(&peer.node).and_then(|present| present.link());
        let live = present.filter(|link| link.ended().is_none()).map(|link| link.info.is_proven);
        handshake::outrank(peer.is_proven, live)
    }

    /// Whether a session is the one there is with its peer. What one that was
    /// replaced still reports is about the past.
    pub(super) fn is_current(&self, link: &Arc<Link>) -> bool {
        let current = self.present.get(&link.info.node).and_then(|peer| peer.link());
        current.is_some_and(|current| Arc::ptr_eq(&current, link))
    }

    /// One life of a node, whether there is a session with it or not.
    fn known(&mut self, life: NodeLife) -> Arc<Peer> {
        if let Some(known) = self.known.get(&life).and_then(Weak::upgrade) {
            return known;
        }
        if self.known.len() >= self.known_kept {
            self.known.retain(|_, peer| peer.strong_count() > 0);
            self.known_kept = KNOWN_KEPT_LEAST.max(2 * self.known.len());
        }
        let peer = Arc::new(Peer::new(life, self.call_keys_made.clone()));
        self.known.insert(life, Arc::downgrade(&peer));
        peer
    }

    #[cfg(test)]
    pub(super) fn known_count(&self) -> usize {
        self.known.len()
    }

    /// Lets no session begin any more. Those that there are.
    pub(super) fn close(&mut self) -> Vec<Arc<Link>> {
        self.is_closing = true;
        self.links()
    }

    /// Puts a new session in place of the one there was with the node, if any.
    fn replace(&mut self, info: &PeerInfo, link: &Arc<Link>) -> (Option<Arc<Link>>, Told) {
        let peer = self.known(info.life());
        let told = self.forget_publications(info.node);
        self.forget_addresses(info.node);
        let former = self.present.insert(info.node, peer.clone());
        let former = former.filter(|former| !Arc::ptr_eq(former, &peer));
        let of_former_life = former.and_then(|former| former.set_link(None));
        (peer.set_link(Some(link.clone())).or(of_former_life), told)
    }

    fn forget_publications(&mut self, node: NodeId) -> Told {
        let changes = self.names.forget(node);
        self.feeds.put(changes.groups)
    }

    /// Forgets what the peer of a session that is over has said of itself.
    fn forget_news(&mut self, link: &Arc<Link>) -> Told {
        if !self.is_current(link) {
            return Told::default();
        }
        self.forget_addresses(link.info.node);
        self.forget_publications(link.info.node)
    }

    fn forget_addresses(&mut self, node: NodeId) {
        self.reachable.remove(&node);
        self.hearsay.remove(&node);
    }

    /// Forgets a session that is over, unless another took its place.
    fn remove(&mut self, link: &Arc<Link>) {
        if self.is_current(link)
            && let Some(peer) = self.present.remove(&link.info.node)
        {
            // Whatever was said of it since its session was over, too.
            self.forget_addresses(link.info.node);
            // The caller holds the link too, so nothing is dropped here.
            drop(peer.set_link(None));
        }
    }
}

impl Node {
    /// Gives a stream whose handshake is done to the session it is for, which
    /// begins here unless it is there. Gives the stream back if it is for none, or if
    /// the session has enough of them.
    pub(super) fn admit(
        self: &Arc<Self>,
        shaken: handshake::Peer,
        origin: Origin,
        stream: Box<dyn ClusterBidiStream>,
        preface: Bytes,
        rest: BytesMut,
    ) -> Result<Admitted, Rejected> {
        let lanes = shaken.lanes;
        let (link, new) = match self.session_for(shaken) {
            Err(error) => return Err(Rejected { error, stream }),
            Ok(found) => found,
        };
        let attached = link.attach(lanes, origin, stream, preface, rest);
        if let Some(new) = new {
            self.start(link.clone(), new);
        }
        match attached {
            Attached::Yes => Ok(Admitted { link, spare: None }),
            Attached::Enough(stream) => Ok(Admitted { link, spare: Some(stream) }),
            Attached::Ended(stream) => Err(Rejected { error: HandshakeError::Changed, stream }),
        }
    }

    fn session_for(
        self: &Arc<Self>,
        shaken: handshake::Peer,
    ) -> Result<(Arc<Link>, Option<New>), HandshakeError> {
        let (life, info) = (shaken.life, shaken.info());
        let (publishing, mut peers) = loop {
            let hooks = self.hooks.count();
            rights::may_join(self, &info)?;
            // Before the peers, see the order of locks.
            let (publishing, peers) = (locked(&self.publishing), locked(&self.peers));
            // Otherwise another hook is in force by now, which may not have seen this one.
            if hooks == self.hooks.count() {
                break (publishing, peers);
            }
        };
        if peers.is_closing {
            return Err(HandshakeError::Busy);
        }
        peers.outrank(&info)?;
        if peers.is_stale(&info) {
            return Err(HandshakeError::Stale);
        }
        let live = peers.live(life);
        let is_proposing = peers.is_proposing(life);
        match shaken.decide(self.id(), live.as_ref().map(|link| link.id), is_proposing) {
            Decision::Changed => Err(HandshakeError::Changed),
            Decision::Join => live.map(|link| (link, None)).ok_or(HandshakeError::Changed),
            Decision::Begin if !peers.has_place(life.node, self.settings.peers_max) => {
                Err(HandshakeError::Busy)
            }
            Decision::Begin => {
                let link = Arc::new(Link::new(self, shaken));
                let (former, told) = peers.replace(&link.info, &link);
                // Counted before anybody can see that the node shuts down.
                let new = New { place: self.sessions.place(), told, former };
                drop(peers);
                self.introduce(&link);
                drop(publishing);
                Ok((link, Some(new)))
            }
        }
    }

    /// One life of a node, whether there is a session with it or not.
    pub(super) fn known_peer(&self, life: NodeLife) -> Arc<Peer> {
        locked(&self.peers).known(life)
    }

    /// Says on a new session what this node publishes. Whoever calls keeps that from
    /// changing meanwhile.
    fn introduce(&self, link: &Link) {
        link.act(|session| {
            session.introduce_addresses(self.addresses.iter().map(Address::to_string).collect());
            for (message, schema) in self.catalog.schemas() {
                session.say_schema(message, &schema);
            }
            session.publish(&self.catalog.publications());
            session.synced();
        });
    }

    /// Runs a new session, once the one whose place it took is over: so whoever
    /// follows the events sees one session with a peer at a time.
    fn start(self: &Arc<Self>, link: Arc<Link>, new: New) {
        let New { place, told, former } = new;
        told.wake();
        if let Some(former) = &former {
            former.close(&CloseReason::new(CloseCode::Lost, "another session took its place"));
        }
        let (node, info) = (self.clone(), link.info.clone());
        let task = SessionTask::new(self.clone(), link);
        self.sessions.spawn_in(place, async move {
            if let Some(former) = former {
                former.over().await;
            }
            node.tell(NodeEvent::Authenticated(info));
            task.await;
        });
    }

    /// A session is over; its calls and watches have their answers already.
    pub(super) fn on_ended(&self, link: &Arc<Link>, reason: &CloseReason, unacked: u64) {
        for (actor, watch) in link.take_all_watched() {
            actor.unwatch(watch);
        }
        link.take_all_leashes().into_iter().for_each(Leash::pull);
        link.take_newborns().iter().for_each(|actor| actor.kill());
        let told = locked(&self.peers).forget_news(link);
        told.wake();
        let (peer, why) = (link.info.clone(), reason.clone());
        self.tell(if reason.code.is_orderly() {
            NodeEvent::Disconnected { peer, reason: why }
        } else {
            NodeEvent::SessionLost { peer, reason: why, unacked }
        });
        // Before the next session with that life may begin, which waits for this one's end.
        self.note_ended(link.info.life(), reason);
        link.state.set(LinkState::Ended(reason.clone()));
        // Not before it has been told: a session that begins now still waits for this.
        locked(&self.peers).remove(link);
    }
}

/// The side of a handshake that dials, for as long as it lasts.
pub(super) struct Proposing<'a> {
    node: Arc<Node>,
    whom: Whom<'a>,
    /// Before its first word.
    begun: Moment,
    proposed: Option<(NodeLife, SessionId)>,
}

impl<'a> Proposing<'a> {
    pub(super) fn begin(node: &Arc<Node>, whom: Whom<'a>) -> Self {
        Self { node: node.clone(), whom, begun: node.moments.next(), proposed: None }
    }
}

impl Proposals for Proposing<'_> {
    fn let_in(&self, peer: &PeerInfo) -> Result<(), HandshakeError> {
        self.node.let_in(peer)
    }

    fn propose(&mut self, peer: &PeerInfo, offer: Offer) -> Result<Proposal, HandshakeError> {
        let life = peer.life();
        let mut peers = locked(&self.node.peers);
        if peers.is_stale(peer) {
            return Err(HandshakeError::Stale);
        }
        let live = peers.live(life).map(|link| link.live(self.begun));
        let is_proposed = |named| peers.proposed.contains(&(life, named));
        let proposal = handshake::propose(offer, live, offer.named.is_some_and(is_proposed))?;
        if proposal.is_new() {
            if self.whom.is_over() {
                // Whoever has ended that session wants no other in its place.
                return Err(HandshakeError::Changed);
            }
            // What the peer lets in is taken, so there must be a place by then.
            if peers.is_closing || !peers.has_place(life.node, self.node.settings.peers_max) {
                return Err(HandshakeError::Busy);
            }
            let proposed = (life, proposal.session);
            peers.proposed.insert(proposed);
            self.proposed = Some(proposed);
        }
        Ok(proposal)
    }
}

/// However the handshake has ended, even by nobody waiting for it any more.
impl Drop for Proposing<'_> {
    fn drop(&mut self) {
        if let Some(proposed) = self.proposed.take() {
            locked(&self.node.peers).proposed.remove(&proposed);
        }
    }
}

impl Sessions for Node {
    fn let_in(&self, peer: &PeerInfo) -> Result<(), HandshakeError> {
        locked(&self.peers).outrank(peer)?;
        rights::may_join(self, peer)
    }

    fn live(&self, life: NodeLife) -> Option<SessionId> {
        locked(&self.peers).live(life).map(|link| link.id)
    }
}
