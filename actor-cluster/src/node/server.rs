//! [`NodeServer`] and [`NodeSession`]: what a program holds of a node.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actor_core::{ActorId, ActorRef, ActorSystem, ChildSpec, Incarnation, SpawnError};

use super::MemberEvents;
use super::link::Link;
use super::spawning::{self, Newborn};
use super::statistics::StreamStatus;
use super::{Node, NodeBuilder, NodeGroups, accept, dial, rights};
use crate::authorize::Authorize;
use crate::authorize::denials::Denials;
use crate::error::{ConnectError, FindError, PublishError, SpawnOnError};
use crate::event::{Events, PeerInfo};
use crate::id::NodeId;
use crate::limits::SHUTDOWN_TIMEOUT;
use crate::membership::events::Members;
use crate::names::Label;
use crate::names::conflict::NameRule;
use crate::refusal::Refusals;
use crate::session::audit::SessionAudit;
use crate::session::handshake::Secrets;
use crate::transport::{Address, CloseCode, CloseReason, ClusterBidiStream};
use crate::wire::{RemoteMessage, Wire};

/// A node of a cluster: it listens, dials, holds sessions, and publishes actors of
/// its [`ActorSystem`](actor_core::ActorSystem) to its peers.
///
/// Dropping it says goodbye to every peer and stops listening;
/// [`shutdown`](Self::shutdown) also waits until that is done.
pub struct NodeServer {
    pub(super) node: Arc<Node>,
}

impl NodeServer {
    /// Sets up a node of this identity, which must be the one that its transports
    /// prove.
    pub fn builder(id: NodeId) -> NodeBuilder {
        NodeBuilder::new(id)
    }

    /// The node's identity.
    pub fn id(&self) -> NodeId {
        self.node.id()
    }

    /// Which life of the node this is.
    pub fn incarnation(&self) -> Incarnation {
        self.node.life().incarnation
    }

    /// The actor system whose actors this node can publish.
    pub fn system(&self) -> &ActorSystem {
        &self.node.system
    }

    /// Where the node listens.
    pub fn addresses(&self) -> &[Address] {
        &self.node.addresses
    }

    /// Dials a node and waits until the session with it is ready: both sides know
    /// who the other is and what it publishes. If there is a session already, it
    /// gets another stream, up to
    /// [`STREAMS_PER_SESSION_MAX`](crate::limits::STREAMS_PER_SESSION_MAX). Dropping
    /// the future abandons the attempt; a session that has begun by then either
    /// becomes ready or ends.
    ///
    /// # Errors
    ///
    /// See [`ConnectError`].
    pub async fn connect(&self, address: &Address) -> Result<NodeSession, ConnectError> {
        let link = dial::connect(&self.node, address, None).await?;
        Ok(NodeSession { link })
    }

    /// As [`connect`](Self::connect), and refuses whoever answers if it is not the
    /// node that was meant.
    ///
    /// # Errors
    ///
    /// See [`ConnectError`].
    pub async fn connect_to(&self, node: NodeId, address: &Address) -> Result<NodeSession, ConnectError> {
        let link = dial::connect(&self.node, address, Some(node)).await?;
        Ok(NodeSession { link })
    }

    /// Takes the accepting side on a stream that somebody else made, and waits until
    /// the session is ready. The other end calls
    /// [`connect_external`](Self::connect_external). A stream that does not prove
    /// who the peer is needs the [shared secret](NodeBuilder::secret).
    ///
    /// # Errors
    ///
    /// See [`ConnectError`].
    pub async fn attach_external_stream(
        &self,
        stream: Box<dyn ClusterBidiStream>,
    ) -> Result<NodeSession, ConnectError> {
        let link = accept::attach(&self.node, stream).await?;
        Ok(NodeSession { link })
    }

    /// Takes the dialling side on a stream that somebody else made, and waits until
    /// the session is ready.
    ///
    /// # Errors
    ///
    /// See [`ConnectError`].
    pub async fn connect_external(
        &self,
        stream: Box<dyn ClusterBidiStream>,
    ) -> Result<NodeSession, ConnectError> {
        let link = dial::connect_external(&self.node, stream).await?;
        Ok(NodeSession { link })
    }

    /// Every session that is ready, by node.
    pub fn sessions(&self) -> Vec<NodeSession> {
        let links = self.node.links().into_iter();
        let ready = links.filter(|link| link.state.is_ready());
        ready.map(|link| NodeSession { link }).collect()
    }

    /// How many peers did not get in so far, by cause; an [event](crate::NodeEvent::Refused) says more of each.
    pub fn refusals(&self) -> Refusals {
        self.node.refusals.now()
    }

    /// Puts another hook in the place of the one that the node was built with, or of none: [`Rights`](crate::Rights), for example.
    /// What comes in from now on is asked of it. Sessions with nodes that may not [join](crate::Authorize::may_join) any more end,
    /// and what peers publish that they may not is withdrawn here.
    ///
    /// Two things stay: what a peer has begun goes on by the right that it had then, a watch, a link, a call under way; and what it was not allowed
    /// to publish before is known from the next session with it on, or when it publishes it again.
    pub fn set_authorize(&self, authorize: impl Authorize) {
        rights::replace(&self.node, Box::new(authorize));
    }

    /// How often peers were denied something so far, by operation; an [event](crate::NodeEvent::Forbidden) says more of some.
    pub fn denials(&self) -> Denials {
        self.node.denials.now()
    }

    /// Puts other secrets in the place of those that the node was built with, or of none, for every handshake that begins from now on.
    /// Sessions are left as they are, and come by new streams as the new secrets say. [`Secrets`] tells how a cluster's secret is replaced
    /// while it runs.
    pub fn set_secrets(&self, secrets: Secrets) {
        self.node.secrets.store(Some(Arc::new(secrets)));
    }

    /// Subscribes to what happens from now on. Dropping the subscription ends it.
    pub fn subscribe(&self) -> Events {
        Events::new(self.node.events.subscribe())
    }

    /// Everybody who is a member of the cluster but this node, as it knows it now. In [`Mode::Transitive`](crate::Mode::Transitive) all
    /// nodes that can hear each other come to know the same; in `Isolated` it is the sessions.
    pub fn members(&self) -> Members {
        self.node.members.view()
    }

    /// What happens to members from now on, as a stream.
    pub fn member_events(&self) -> MemberEvents {
        self.node.members.feeds.subscribe()
    }

    /// Lets peers find and reach an actor of this node under a name, by the
    /// [rule of the node](NodeBuilder::name_rule). It is withdrawn when the actor ends. Publishing it
    /// again does nothing.
    ///
    /// # Errors
    ///
    /// See [`PublishError`].
    pub fn publish<M: RemoteMessage>(&self, name: &str, actor: &ActorRef<M>) -> Result<(), PublishError> {
        self.publish_with(name, actor, self.node.settings.name_rule)
    }

    /// As [`publish`](Self::publish), and says what becomes of the name when another node holds
    /// it too.
    ///
    /// Two nodes that cannot see each other may both take it. Once there is a session between
    /// them, both decide by the [rules](crate::Conflict) alike, without another word: the loser withdraws its actor,
    /// which then lives on unless it is to be [stopped](crate::Conflict::stop_loser), and both tell
    /// [`NameConflict`](crate::NodeEvent::NameConflict). So at most one node holds the name among those that have
    /// sessions with each other, once they have heard of each other. Until then there may be two, and neither
    /// is fenced: what must never run twice needs more than a name.
    ///
    /// ```
    /// # use actor_cluster::{Conflict, NodeServer, PublishError, RemoteMessage};
    /// # use actor_core::ActorRef;
    /// # fn example<M: RemoteMessage>(node: &NodeServer, actor: &ActorRef<M>) -> Result<(), PublishError> {
    /// match node.publish_with("leader", actor, Conflict::Reject) {
    ///     Err(PublishError::NameHeld(leader)) => println!("{:?} leads, on node {}", leader.actor, leader.node),
    ///     published => published?,
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// See [`PublishError`]. [`NameHeld`](PublishError::NameHeld) says whose the name is.
    pub fn publish_with<M: RemoteMessage>(
        &self,
        name: &str,
        actor: &ActorRef<M>,
        rule: impl Into<NameRule>,
    ) -> Result<(), PublishError> {
        self.node.publish(&Label::name(name), rule.into(), actor)
    }

    /// Takes an actor from under a name. Does nothing if it is not there.
    pub fn unpublish<M: RemoteMessage>(&self, name: &str, actor: &ActorRef<M>) {
        self.node.unpublish(&Label::name(name), actor.id());
    }

    /// The groups of the cluster.
    pub fn groups(&self) -> NodeGroups<'_> {
        NodeGroups::new(&self.node)
    }

    /// As [`NodeGroups::join`].
    ///
    /// # Errors
    ///
    /// See [`PublishError`].
    pub fn join_group<M: RemoteMessage>(&self, group: &str, actor: &ActorRef<M>) -> Result<(), PublishError> {
        self.groups().join(group, actor)
    }

    /// As [`NodeGroups::leave`].
    pub fn leave_group<M: RemoteMessage>(&self, group: &str, actor: &ActorRef<M>) {
        self.groups().leave(group, actor);
    }

    /// The actor that is published under a name. If each node may have its own, this node's, or else
    /// that of the peer with the least [`NodeId`]; otherwise the one that has it. So all nodes that
    /// know the same peers agree. Looks at what this node knows; nothing is asked of anybody.
    ///
    /// # Errors
    ///
    /// See [`FindError`].
    pub fn find<M: RemoteMessage>(&self, name: &str) -> Result<ActorRef<M>, FindError> {
        let (found, mismatch) = self.node.named(name);
        found.into_iter().next().ok_or(mismatch.unwrap_or(FindError::NotFound))
    }

    /// As [`NodeGroups::members`].
    pub fn group<M: RemoteMessage>(&self, group: &str) -> Vec<ActorRef<M>> {
        self.groups().members(group)
    }

    /// Starts an actor on another node, of a [kind](NodeBuilder::spawnable) that is registered
    /// there, and waits until it has started. It lives until it is stopped, whatever becomes of
    /// this node; [link](actor_core::ActorCell::link) it to a supervisor here for more than that,
    /// or have a supervisor start it: [`child_on`](Self::child_on).
    ///
    /// Dropping the future gives the actor up: it is killed as soon as it has started. One for
    /// which there is no answer, because the session has ended, is killed as well. It is never
    /// started twice.
    ///
    /// # Errors
    ///
    /// See [`SpawnOnError`].
    pub async fn spawn_on<M: RemoteMessage, T: Wire + Send + 'static>(
        &self,
        node: NodeId,
        kind: &str,
        arguments: T,
    ) -> Result<ActorRef<M>, SpawnOnError> {
        spawning::spawn_on(&self.node, node, kind.into(), arguments).await.map(Newborn::claim)
    }

    /// A child of a supervisor in this node's system that lives on another node, of a
    /// [kind](NodeBuilder::spawnable) that is registered there; each of its lives begins with what
    /// `arguments` gives, and has an address of its own.
    ///
    /// When it ends there, or its node cannot be reached, it is started again as the
    /// specification says; a node that is not there is an end by
    /// [`Exit::Unreachable`](actor_core::Exit::Unreachable), and each further attempt a
    /// restart, so a [backoff](ChildSpec::backoff) is in place. When the supervisor ends, or its
    /// node is lost, the child is stopped or killed.
    pub fn child_on<M: RemoteMessage, T: Wire + Send + 'static>(
        &self,
        id: impl Into<Arc<str>>,
        node: NodeId,
        kind: impl Into<Arc<str>>,
        arguments: impl Fn() -> T + Send + Sync + 'static,
    ) -> ChildSpec<M> {
        let (here, kind) = (Arc::downgrade(&self.node), kind.into());
        ChildSpec::elsewhere(id, move |supervisor| {
            let (here, kind, arguments) = (here.clone(), kind.clone(), arguments());
            async move {
                let here = here.upgrade().ok_or(SpawnOnError::NotConnected)?;
                let newborn = spawning::spawn_on(&here, node, kind, arguments).await?;
                // Before it is claimed, so that it is always somebody's.
                newborn.cell().link(&supervisor).map_err(|_| SpawnError::SupervisorStopping)?;
                Ok(newborn.claim())
            }
        })
    }

    /// The node that an actor lives on, while there is a session with it. `None` for
    /// actors of this node.
    pub fn peer_of(&self, actor: ActorId) -> Option<PeerInfo> {
        let links = self.node.links();
        links.iter().find(|link| link.info.incarnation == actor.incarnation()).map(|link| link.info.clone())
    }

    /// Says goodbye to every peer, stops listening, and waits until no task of the
    /// node is left. What was sent before is written first, within
    /// [`LINGER`](crate::limits::LINGER), and a session that takes longer than
    /// [`SHUTDOWN_TIMEOUT`] is dropped; calls that are not answered by then end as
    /// [`Unknown`](actor_core::CallFailure::Unknown). Dropping the future goes on
    /// with it in the background.
    pub async fn shutdown(self) {
        self.node.begin_shutdown();
        self.node.intake.ended().await;
        self.node.housekeeping.ended().await;
        if self.node.executor().timeout(SHUTDOWN_TIMEOUT, self.node.sessions.ended()).await.is_err() {
            self.node.sessions.close();
            self.node.sessions.ended().await;
        }
    }

    /// Leaves the cluster: tells every member, so that this node is [gone](crate::MemberEvent::Left) and not lost, and then
    /// [shuts down](Self::shutdown).
    pub async fn leave(self) {
        self.node.leave_members();
        self.shutdown().await;
    }

    /// The same for whoever has only borrowed it: a simulator, in which others go on looking at it.
    #[doc(hidden)]
    pub fn leave_borrowed(&self) -> impl Future<Output = ()> + Send + use<> {
        let server = Self { node: self.node.clone() };
        server.leave()
    }

    /// How many tasks the node has: listeners, dials, connections that may still bring
    /// streams, sessions.
    pub fn tasks(&self) -> usize {
        self.node.intake.count() + self.node.sessions.count()
    }
}

impl Drop for NodeServer {
    fn drop(&mut self) {
        self.node.begin_shutdown();
    }
}

impl fmt::Debug for NodeServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeServer")
            .field("id", &self.id())
            .field("name", &self.node.settings.myself.name)
            .field("addresses", &self.node.addresses)
            .finish_non_exhaustive()
    }
}

/// A session with one incarnation of a peer. Dropping the handle leaves the session
/// as it is.
#[derive(Clone)]
pub struct NodeSession {
    link: Arc<Link>,
}

impl NodeSession {
    /// Who it is with.
    pub fn peer(&self) -> &PeerInfo {
        &self.link.info
    }

    /// Whether it carries messages.
    pub fn is_ready(&self) -> bool {
        self.link.state.is_ready()
    }

    /// Whether it has lost its streams, or some of them, and looks for others. What is sent
    /// meanwhile waits for them.
    pub fn is_interrupted(&self) -> bool {
        self.is_ready() && !self.link.is_whole()
    }

    /// How long the last answered ping took; `None` before the first.
    pub fn round_trip(&self) -> Option<Duration> {
        self.link.run(|session| session.round_trip())
    }

    /// The streams that it has now, in the order in which they came: which lanes each carries, and,
    /// where its transport can tell, which way its bytes take. None while the session has lost them,
    /// and once it is over. It is asked of the session's task, which answers in its next turn.
    pub async fn streams(&self) -> Vec<StreamStatus> {
        self.link.stream_statistics().await
    }

    /// What its numbers are now; `None` if it is over. For whoever checks this crate: it is no promise.
    #[doc(hidden)]
    pub fn audit(&self) -> Option<SessionAudit> {
        let lanes = self.link.run(|session| session.audit())?;
        Some(SessionAudit { session: self.link.id.as_u64(), lanes })
    }

    /// Says goodbye to the peer and ends the session.
    pub fn close(&self, detail: &str) {
        self.link.close(&CloseReason::new(CloseCode::Done, detail));
    }

    /// Waits until the session is over, and says why.
    pub async fn closed(&self) -> CloseReason {
        self.link.over().await
    }
}

impl fmt::Debug for NodeSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeSession").field("peer", self.peer()).finish_non_exhaustive()
    }
}
