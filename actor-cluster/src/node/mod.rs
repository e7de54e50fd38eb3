//! The shell around the machines: the only rooms that do input and output.
//!
//! ```text
//!  accept, dial ── handshaking ──► admit ──► Link + its SessionTask (connection.rs)
//!                                              │ events          ▲ messages
//!                                              ▼                 │
//!                                  inbound.rs ── catalog      outbound.rs ── Peer
//! ```
//!
//! [`NodeServer`] is the public handle; `Node` is what its tasks share.

mod accept;
mod builder;
mod catalog;
mod connection;
mod dial;
mod handshaking;
mod inbound;
mod outbound;
mod peer;
mod publish;
mod server;
mod stream;
mod tasks;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use actor_core::{ActorSystem, Executor, Incarnation};
use bytes::{Bytes, BytesMut};
use tokio::sync::{Semaphore, broadcast};

pub use self::builder::{Mode, NodeBuilder};
use self::catalog::Catalog;
use self::connection::SessionTask;
use self::peer::{Link, LinkState, Peer, locked};
pub use self::server::{NodeServer, NodeSession};
use self::tasks::Tasks;
use crate::authorize::Authorize;
use crate::error::HandshakeError;
use crate::event::{NodeEvent, PeerInfo};
use crate::id::NodeId;
use crate::limits::{EVENTS_KEPT, HANDSHAKES_MAX};
use crate::names::Directory;
use crate::session::handshake::{self, Decision, Myself, SessionId};
use crate::session::{self, Session};
use crate::transport::{Address, CloseCode, CloseReason, ClusterBidiStream, Transport};
use crate::wire::control::Member;

/// What a node was built with.
struct Settings {
    mode: Mode,
    handshake_timeout: Duration,
    peers_max: usize,
    session: session::Config,
    myself: Myself,
}

/// One node of a cluster, as its tasks see it.
pub(crate) struct Node {
    system: ActorSystem,
    settings: Settings,
    transports: Vec<Arc<dyn Transport>>,
    /// Where this node listens.
    addresses: Vec<Address>,
    authorize: Arc<dyn Authorize>,
    peers: Mutex<Peers>,
    catalog: Catalog,
    /// Held while what is published changes and peers are told, so that all are
    /// told everything in the same order.
    publishing: Mutex<()>,
    directory: Mutex<Directory>,
    events: broadcast::Sender<NodeEvent>,
    handshakes: Semaphore,
    /// Listening, dialling, shaking hands.
    intake: Tasks,
    /// One for each session.
    sessions: Tasks,
}

#[derive(Default)]
struct Peers {
    /// Those there is a session with.
    present: BTreeMap<NodeId, Arc<Peer>>,
    /// Those that addresses of actors may still be held of: when such a peer comes
    /// back in the same life, the addresses work again.
    known: BTreeMap<(NodeId, Incarnation), Weak<Peer>>,
    /// Where they can be dialled, as they say.
    reachable: BTreeMap<NodeId, Vec<Address>>,
    /// Those being dialled because another peer told of them.
    dialling: BTreeSet<NodeId>,
    is_closing: bool,
}

impl Node {
    fn new(
        system: ActorSystem,
        settings: Settings,
        transports: Vec<Arc<dyn Transport>>,
        addresses: Vec<Address>,
        authorize: Arc<dyn Authorize>,
    ) -> Self {
        let executor = system.executor().clone();
        Self {
            system,
            settings,
            transports,
            addresses,
            authorize,
            peers: Mutex::default(),
            catalog: Catalog::default(),
            publishing: Mutex::default(),
            directory: Mutex::default(),
            events: broadcast::Sender::new(EVENTS_KEPT),
            handshakes: Semaphore::new(HANDSHAKES_MAX),
            intake: Tasks::new(executor.clone()),
            sessions: Tasks::new(executor),
        }
    }

    fn executor(&self) -> &Executor {
        self.system.executor()
    }

    fn myself(&self) -> Myself {
        self.settings.myself.clone()
    }

    fn id(&self) -> NodeId {
        self.settings.myself.node
    }

    fn handshake_timeout(&self) -> Duration {
        self.settings.handshake_timeout
    }

    fn body_bytes_max(&self) -> usize {
        self.settings.session.body_bytes_max
    }

    fn handshakes(&self) -> &Semaphore {
        &self.handshakes
    }

    fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    fn authorize(&self) -> &dyn Authorize {
        &*self.authorize
    }

    fn directory(&self) -> MutexGuard<'_, Directory> {
        locked(&self.directory)
    }

    fn transport(&self, scheme: &str) -> Option<&Arc<dyn Transport>> {
        self.transports.iter().find(|transport| transport.scheme() == scheme)
    }

    fn spawn_intake(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.intake.spawn(task);
    }

    fn tell(&self, event: NodeEvent) {
        tracing::debug!(?event);
        // Nobody has to listen.
        drop(self.events.send(event));
    }

    fn live_session(&self, node: NodeId, incarnation: Incarnation) -> Option<SessionId> {
        let peers = locked(&self.peers);
        let peer = peers.present.get(&node).filter(|peer| peer.info.incarnation == incarnation)?;
        peer.link().filter(|link| link.ended().is_none()).map(|link| link.id)
    }

    /// Gives a stream whose handshake is done to the session it is for, which
    /// begins here unless it is there. Gives the stream back if it is for none.
    fn admit(
        self: &Arc<Self>,
        shaken: handshake::Peer,
        stream: Box<dyn ClusterBidiStream>,
        preface: Bytes,
        rest: BytesMut,
    ) -> Result<Arc<Link>, (HandshakeError, Box<dyn ClusterBidiStream>)> {
        let lanes = shaken.lanes;
        match self.session_for(shaken) {
            Err(error) => Err((error, stream)),
            Ok((link, is_new)) => {
                link.attach(lanes, stream, preface, rest);
                if is_new {
                    self.tell(NodeEvent::Authenticated(link.info.clone()));
                    self.sessions.spawn(SessionTask::new(self.clone(), link.clone()));
                }
                Ok(link)
            }
        }
    }

    fn session_for(&self, shaken: handshake::Peer) -> Result<(Arc<Link>, bool), HandshakeError> {
        let mut peers = locked(&self.peers);
        if peers.is_closing {
            return Err(HandshakeError::Busy);
        }
        let former = peers.present.get(&shaken.node).cloned();
        let same_life = former.clone().filter(|peer| peer.info.incarnation == shaken.incarnation);
        if former.is_some_and(|peer| peer.info.incarnation > shaken.incarnation) {
            return Err(HandshakeError::Stale);
        }
        let live = same_life.and_then(|peer| peer.link()).filter(|link| link.ended().is_none());
        match shaken.decide(live.as_ref().map(|link| (link.id, link.dialler))) {
            Decision::Changed => Err(HandshakeError::Changed),
            Decision::Join => live.map(|link| (link, false)).ok_or(HandshakeError::Changed),
            Decision::Begin => {
                if !peers.present.contains_key(&shaken.node) && peers.present.len() >= self.settings.peers_max
                {
                    return Err(HandshakeError::Busy);
                }
                Ok((self.begin(&mut peers, shaken), true))
            }
        }
    }

    /// Begins a session. One that was there before is over.
    fn begin(&self, peers: &mut Peers, shaken: handshake::Peer) -> Arc<Link> {
        let (id, dialler) = (shaken.session, shaken.dialler);
        let info = PeerInfo { node: shaken.node, incarnation: shaken.incarnation, name: shaken.name.clone() };
        peers.known.retain(|_, peer| peer.strong_count() > 0);
        let known = peers.known.get(&(info.node, info.incarnation)).and_then(Weak::upgrade);
        let peer = known.unwrap_or_else(|| Arc::new(Peer::new(info.clone())));
        peers.known.insert((info.node, info.incarnation), Arc::downgrade(&peer));

        let executor = self.executor().clone();
        let session = Session::new(shaken, self.settings.session.clone(), executor.now());
        let link = Arc::new(Link::new(info.clone(), id, dialler, executor, session));
        let former = peers.present.insert(info.node, peer.clone());
        let former =
            former.filter(|former| !Arc::ptr_eq(former, &peer)).and_then(|former| former.set_link(None));
        let former = peer.set_link(Some(link.clone())).or(former);
        if let Some(former) = former {
            former.close(&CloseReason::new(CloseCode::Lost, "another session took its place"));
        }
        locked(&self.directory).remove_node(info.node);

        let _publishing = locked(&self.publishing);
        link.act(|session| {
            session.introduce_addresses(self.addresses.iter().map(Address::to_string).collect());
            session.publish(&self.catalog.publications());
            session.synced();
        });
        link
    }

    /// Every session that is ready.
    fn links(&self) -> Vec<Arc<Link>> {
        let peers = locked(&self.peers);
        peers.present.values().filter_map(|peer| peer.link()).collect()
    }

    fn on_introduced(&self, link: &Link, addresses: Vec<Address>) {
        locked(&self.peers).reachable.insert(link.info.node, addresses);
    }

    fn on_ready(&self, link: &Arc<Link>) {
        self.tell(NodeEvent::Ready(link.info.clone()));
        if self.settings.mode == Mode::Transitive {
            self.gossip(link);
        }
    }

    /// Tells a new peer of the others, and the others of it.
    fn gossip(&self, newcomer: &Arc<Link>) {
        let reachable = locked(&self.peers).reachable.clone();
        let member = |node: &NodeId| {
            let addresses = reachable.get(node).filter(|addresses| !addresses.is_empty())?;
            let addresses = addresses.iter().map(Address::to_string).collect();
            Some(Member { node: node.as_bytes().to_vec(), addresses })
        };
        let others = self.links().into_iter().filter(|link| link.info.node != newcomer.info.node);
        for other in others.filter(|link| *link.state.borrow() == LinkState::Ready) {
            newcomer.act(|session| session.gossip(member(&other.info.node)));
            other.act(|session| session.gossip(member(&newcomer.info.node)));
        }
    }

    /// Dials a node that a peer told of, unless there is a session with it.
    fn on_member(self: &Arc<Self>, member: NodeId, addresses: Vec<Address>) {
        let mut peers = locked(&self.peers);
        let is_wanted = self.settings.mode == Mode::Transitive
            && member != self.id()
            && !peers.is_closing
            && !peers.present.contains_key(&member)
            && peers.present.len() + peers.dialling.len() < self.settings.peers_max;
        if !is_wanted || !peers.dialling.insert(member) {
            return;
        }
        drop(peers);
        let node = self.clone();
        self.spawn_intake(async move {
            for address in addresses.iter().filter(|address| node.transport(address.scheme()).is_some()) {
                match dial::connect(&node, address, Some(member)).await {
                    Ok(_) => break,
                    Err(error) => tracing::info!(%member, %address, %error, "cannot reach a peer's peer"),
                }
            }
            locked(&node.peers).dialling.remove(&member);
        });
    }

    /// A session is over; its calls and watches have their answers already.
    fn on_ended(&self, link: &Arc<Link>, reason: &CloseReason) {
        for (actor, watch) in link.take_all_watched().into_values() {
            actor.unwatch(watch);
        }
        let node = link.info.node;
        let mut peers = locked(&self.peers);
        let was_current = peers.present.get(&node).is_some_and(|peer| peer.forget(link));
        if was_current {
            peers.present.remove(&node);
            peers.reachable.remove(&node);
            locked(&self.directory).remove_node(node);
        }
        drop(peers);
        self.tell(NodeEvent::Disconnected { peer: link.info.clone(), reason: reason.clone() });
        link.state.send_replace(LinkState::Ended(reason.clone()));
    }

    /// Lets nobody in any more and says goodbye to everybody.
    fn begin_shutdown(&self) {
        locked(&self.peers).is_closing = true;
        self.intake.abort();
        for link in self.links() {
            link.close(&CloseReason::from(CloseCode::Shutdown));
        }
    }
}
