//! How a node is set up.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use actor_core::{Actor, ActorSystem};
use futures_util::FutureExt;

use super::kinds::Kinds;
use super::members::{Seed, Setup};
use super::rights::Hooks;
use super::{Node, NodeServer, Preference, Settings};
use crate::authorize::Authorize;
use crate::error::StartError;
use crate::id::{NodeId, NodeLife};
use crate::limits::{
    CONNECTION_AGE_LEAST, HANDSHAKE_TIMEOUT, HEARTBEAT_INTERVAL, HEARTBEAT_TIMEOUT, MESSAGE_BYTES_MAX,
    MESSAGE_BYTES_MAX_LEAST, MESSAGE_BYTES_MAX_MOST, NODE_NAME_BYTES_MAX, PEERS_MAX, RESUME_TIMEOUT,
    SEEDS_MAX, WINDOW_BYTES, WINDOW_BYTES_LEAST, WINDOW_BYTES_MOST,
};
use crate::membership::events::MemberEvent;
use crate::names::conflict::NameRule;
use crate::once::CallMemory;
use crate::session;
use crate::session::capabilities::Capabilities;
use crate::session::handshake::{Myself, SecretError, Secrets};
use crate::session::heartbeat::Pace;
use crate::trace::Propagator;
use crate::transport::{Address, Transport};
use crate::wire::{RemoteMessage, Wire};

/// Whether a node looks for the peers of its peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// It tells its peers of each other and dials those it hears of, at addresses
    /// they advertise and only as the identities they have: one cluster in which
    /// everybody knows everybody.
    #[default]
    Transitive,
    /// It has sessions with those it dials and those who dial it.
    Isolated,
}

/// Sets up a [`NodeServer`].
#[must_use]
pub struct NodeBuilder {
    id: NodeId,
    name: String,
    cluster: String,
    system: Option<ActorSystem>,
    secrets: Option<Result<Secrets, SecretError>>,
    mode: Mode,
    transports: Vec<Arc<dyn Transport>>,
    authorize: Option<Box<dyn Authorize>>,
    kinds: Kinds,
    name_rule: NameRule,
    pace: Pace,
    handshake_timeout: Duration,
    resume_timeout: Duration,
    connection_age_max: Option<Duration>,
    preference: Preference,
    message_bytes_max: usize,
    window_bytes: u64,
    peers_max: usize,
    wants_dead_letters: bool,
    propagator: Option<Arc<dyn Propagator>>,
    call_memory: CallMemory,
    members: Setup,
}

impl NodeBuilder {
    pub(super) fn new(id: NodeId) -> Self {
        Self {
            id,
            name: format!("{id:?}"),
            cluster: "default".to_owned(),
            system: None,
            secrets: None,
            mode: Mode::default(),
            transports: Vec::new(),
            authorize: None,
            kinds: Kinds::default(),
            name_rule: NameRule::default(),
            pace: Pace { interval: HEARTBEAT_INTERVAL, timeout: HEARTBEAT_TIMEOUT },
            handshake_timeout: HANDSHAKE_TIMEOUT,
            resume_timeout: RESUME_TIMEOUT,
            connection_age_max: None,
            preference: Preference::default(),
            message_bytes_max: MESSAGE_BYTES_MAX,
            window_bytes: WINDOW_BYTES,
            peers_max: PEERS_MAX,
            wants_dead_letters: false,
            propagator: None,
            call_memory: CallMemory::default(),
            members: Setup::default(),
        }
    }

    /// The node's name, for people; peers see it in events and logs.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The cluster's name, `default` unless set. Nodes of differently named
    /// clusters refuse each other.
    pub fn cluster(mut self, name: impl Into<String>) -> Self {
        self.cluster = name.into();
        self
    }

    /// The actor system whose actors are published; the
    /// [current](ActorSystem::current) one unless set. Its incarnation becomes the
    /// node's.
    pub fn system(mut self, system: ActorSystem) -> Self {
        self.system = Some(system);
        self
    }

    /// A secret that every node of the cluster must prove to know, on top of what
    /// transports prove. Streams that prove nothing need one. Draw it at random, 32 bytes of it; fewer than
    /// [`SECRET_BYTES_LEAST`](crate::limits::SECRET_BYTES_LEAST) are an error at the start: whoever can open a stream to the node, or
    /// sees a handshake on one that is not encrypted, can try guesses.
    pub fn secret(mut self, secret: impl AsRef<[u8]>) -> Self {
        self.secrets = Some(Secrets::new(secret));
        self
    }

    /// As [`secret`](Self::secret), and others that are as good, for as long as the secret is being replaced.
    pub fn secrets(mut self, secrets: Secrets) -> Self {
        self.secrets = Some(Ok(secrets));
        self
    }

    /// Whether the node looks for the peers of its peers; it does unless told not
    /// to.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Where the node looks for its cluster: an address at which another member can be dialled, whoever it is. Seeds are dialled
    /// until they were reached once, with pauses that grow to [`DIAL_PAUSE_MAX`](crate::limits::DIAL_PAUSE_MAX), and again
    /// whenever no member is left. One that is this node itself does no harm, so that all nodes can be given the same.
    ///
    /// On Iroh an address is the node's id; over TCP and QUIC it may have a host's name, which is resolved for each dial.
    pub fn seed(self, address: Address) -> Self {
        let name = address.to_string();
        self.seed_with(name, move || std::future::ready(Ok(vec![address.clone()])))
    }

    /// As [`seed`](Self::seed), for addresses that are looked up somewhere: the records of a service in DNS, a list that an
    /// orchestrator keeps. It is asked before each attempt, and the addresses are tried in its order, as one seed; an error is
    /// told by [`SeedFailed`](crate::MemberEvent::SeedFailed), and so is that it panics, or takes longer than
    /// [`SEED_RESOLVE_TIMEOUT`](crate::limits::SEED_RESOLVE_TIMEOUT): then its future is dropped. It must not block its thread. The name is for people.
    pub fn seed_with<F>(
        mut self,
        name: impl Into<String>,
        resolve: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Vec<Address>, String>> + Send + 'static,
    {
        let resolve = Box::new(move || resolve().boxed());
        self.members.seeds.push(Seed { name: name.into(), resolve });
        self
    }

    /// How long a member that is not heard any more has to say that it lives, before it is declared lost; [`SUSPICION_WINDOW`](crate::limits::SUSPICION_WINDOW) unless
    /// set. That it is not heard is certain after a little more than a second, so with the default it is lost within two.
    /// Whoever would rather wait out a network that is silent for longer, with sessions and what is under way in them, says so
    /// here; [`resume_timeout`](Self::resume_timeout) is for connections that are known to be lost.
    pub fn suspicion_window(mut self, window: Duration) -> Self {
        self.members.suspicion_window = window;
        self
    }

    /// Calls this with everything that happens to members, in order. It is called on the task of membership, which says nothing to
    /// anybody meanwhile: it must be quick, or the others take this node for dead. [`NodeServer::member_events`] is for whoever takes longer.
    /// It may ask the node anything, and have it leave; what it waits for must not be waited for there. Its panic is reported and goes no further.
    pub fn on_member_event(mut self, listener: impl Fn(&MemberEvent) + Send + Sync + 'static) -> Self {
        self.members.listeners.push(Box::new(listener));
        self
    }

    /// A transport to listen on and to dial with; one of each scheme.
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transports.push(Arc::new(transport));
        self
    }

    /// Decides which peers may have sessions, and what they may do: [`Rights`](crate::Rights), or a hook of one's own. Unless set,
    /// everybody who is let in may do everything to what is published, given or registered.
    pub fn authorize(mut self, authorize: impl Authorize) -> Self {
        self.authorize = Some(Box::new(authorize));
        self
    }

    /// Lets peers start actors of a kind here, by its name: [`NodeServer::spawn_on`]. `make` gives
    /// the actor; what it starts with comes from the peer. It is asked for on the task of the
    /// session, and must be quick. A kind that is registered twice is the later one.
    pub fn spawnable<A>(
        mut self,
        kind: impl Into<Arc<str>>,
        make: impl Fn() -> A + Send + Sync + 'static,
    ) -> Self
    where
        A: Actor<Msg: RemoteMessage, Arguments: Wire>,
    {
        self.kinds.register(kind.into(), make);
        self
    }

    /// What becomes of a name that another node holds too, where
    /// [`publish`](NodeServer::publish) does not say; [`Conflict::Allow`](crate::Conflict::Allow) unless set.
    pub fn name_rule(mut self, rule: impl Into<NameRule>) -> Self {
        self.name_rule = rule.into();
        self
    }

    /// The pace of pings, and the silence after which a stream counts as lost, with those that share its connection; 1 s and 5 s unless set. The two nodes take
    /// turns, so a session has one ping in one and a quarter intervals on each connection. A node whose peer does not ping does so every two and a half, or when
    /// half of a shorter timeout is over.
    pub fn heartbeat(mut self, interval: Duration, timeout: Duration) -> Self {
        self.pace = Pace { interval, timeout };
        self
    }

    /// How long dialling, the handshake and the first exchange may take, each.
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// How long a session lives that has lost its streams. As long as it lives, nothing is lost
    /// with them: messages wait, and the node that dialled tries to reach the other again.
    /// Zero ends a session with its streams.
    pub fn resume_timeout(mut self, timeout: Duration) -> Self {
        self.resume_timeout = timeout;
        self
    }

    /// How old a connection may become; as old as it likes unless set. The node that dialled it dials again, up to a tenth
    /// before that, and goes over to the new one without an interruption: so certificates that are checked only when
    /// connections begin, and addresses that names resolve to, are looked at again. A connection that nobody renews, because
    /// the peer cannot be reached any more or is let in no more, is given up when it is half as old again.
    ///
    /// External streams are left alone.
    pub fn connection_age_max(mut self, age: Duration) -> Self {
        self.connection_age_max = Some(age);
        self
    }

    /// By which of its addresses a peer is dialled, where it has several: [`Preference::Dialled`] unless set. A session goes
    /// over to the next best within moments when the best does not work any more, nothing being lost or reordered, and back
    /// when it works again, which is tried each [`BETTER_WAY_INTERVAL`](crate::limits::BETTER_WAY_INTERVAL).
    pub fn preference(mut self, preference: Preference) -> Self {
        self.preference = preference;
        self
    }

    /// The longest message or answer the node takes from peers, in bytes. A longer one is given
    /// back to its sender.
    pub fn message_bytes_max(mut self, bytes: usize) -> Self {
        self.message_bytes_max = bytes;
        self
    }

    /// How many bytes of messages the node takes from a peer, in each lane, before they are in
    /// their mailboxes. Unless set, [`WINDOW_BYTES`], which keeps a stream busy where a round trip
    /// takes well under a millisecond. Between far places a window should be what crosses in a round
    /// trip, and a third as much again; what is longer keeps calls waiting behind other messages.
    pub fn window_bytes(mut self, bytes: u64) -> Self {
        self.window_bytes = bytes;
        self
    }

    /// Asks peers to tell this node of its casts that no mailbox of theirs takes. Unless called, they are not
    /// asked. Casts that die here, or with a session, are told in any case.
    ///
    /// Each is a [`DeadLetter`](actor_core::DeadLetter), told to the
    /// [observer](actor_core::SystemBuilder::observer) of the node's system within about
    /// [`DEATHS_INTERVAL`](crate::limits::DEATHS_INTERVAL), those of a kind counted together.
    pub fn ask_for_dead_letters(mut self) -> Self {
        self.wants_dead_letters = true;
        self
    }

    /// How many peers the node can have sessions with.
    pub fn peers_max(mut self, peers: usize) -> Self {
        self.peers_max = peers;
        self
    }

    /// How much the node remembers of calls that peers may [ask again](actor_core::ActorRef::call_once).
    pub fn call_memory(mut self, memory: CallMemory) -> Self {
        self.call_memory = memory;
        self
    }

    /// Carries traces to other nodes and takes them over from there; nothing does unless set.
    pub fn propagator(mut self, propagator: impl Propagator) -> Self {
        self.propagator = Some(Arc::new(propagator));
        self
    }

    /// Listens on every transport and starts the node.
    ///
    /// # Errors
    ///
    /// See [`StartError`]; nothing is left listening.
    ///
    /// # Panics
    ///
    /// If the system is on tokio and no runtime is current.
    pub async fn start(self) -> Result<NodeServer, StartError> {
        self.check()?;
        let unusable = |error: SecretError| StartError::Setting(error.to_string());
        let secrets = self.secrets.transpose().map_err(unusable)?;
        let mut listeners = Vec::new();
        for transport in self.transports.iter().filter(|transport| transport.is_listening()) {
            listeners.push(transport.listen().await?);
        }
        let system = self.system.unwrap_or_else(ActorSystem::current);
        let settings = Settings {
            mode: self.mode,
            handshake_timeout: self.handshake_timeout,
            connection_age_max: self.connection_age_max,
            preference: self.preference,
            name_rule: self.name_rule,
            peers_max: self.peers_max,
            propagator: self.propagator,
            call_memory: self.call_memory,
            session: session::Config {
                pace: self.pace,
                patience: self.handshake_timeout,
                resume_timeout: self.resume_timeout,
                message_bytes_max: self.message_bytes_max,
                window_bytes: self.window_bytes,
                wants_dead_letters: self.wants_dead_letters,
            },
            myself: Myself {
                cluster: self.cluster,
                life: NodeLife::new(self.id, system.incarnation()),
                name: self.name,
                secrets,
                message_bytes_max: u32::try_from(self.message_bytes_max).unwrap_or(u32::MAX),
                window_bytes: self.window_bytes,
                wants_dead_letters: self.wants_dead_letters,
                capabilities: match self.mode {
                    Mode::Transitive => Capabilities::TRANSITIVE,
                    Mode::Isolated => Capabilities::OURS,
                },
            },
        };
        let addresses = listeners.iter().flat_map(|listener| listener.addresses()).collect();
        let node = Node::new(
            system,
            settings,
            self.transports,
            addresses,
            Hooks::new(self.authorize),
            self.kinds,
            self.members,
        );
        let node = Arc::new(node);
        node.housekeeping.spawn(super::members::run(node.clone()));
        for listener in listeners {
            node.spawn_intake(super::accept::listen(node.clone(), listener));
        }
        Ok(NodeServer { node })
    }

    fn check(&self) -> Result<(), StartError> {
        let unusable = |detail: &str| Err(StartError::Setting(detail.to_owned()));
        let is_usable = |name: &String| {
            (1..=NODE_NAME_BYTES_MAX).contains(&name.len()) && !name.contains(char::is_control)
        };
        if ![&self.name, &self.cluster].into_iter().all(is_usable) {
            return unusable("a name must have 1 to 255 bytes, and no control characters");
        }
        if !self.kinds.are_usable() {
            return unusable("the name of a kind must have 1 to 255 bytes");
        }
        if !(MESSAGE_BYTES_MAX_LEAST..=MESSAGE_BYTES_MAX_MOST).contains(&self.message_bytes_max) {
            return unusable("the limit on messages must be from 64 KiB to 1 GiB");
        }
        if !(WINDOW_BYTES_LEAST..=WINDOW_BYTES_MOST).contains(&self.window_bytes) {
            return unusable("the window must be from 4 KiB to 1 TiB");
        }
        if self.peers_max == 0 {
            return unusable("a node needs room for a peer");
        }
        if self.members.seeds.len() > SEEDS_MAX {
            return unusable(&format!("a node can be given {SEEDS_MAX} seeds"));
        }
        if self.call_memory.callers_max == 0 {
            return unusable("the memory of calls needs room for a caller");
        }
        if self.pace.interval.is_zero() || self.pace.timeout <= self.pace.interval {
            return unusable("the heartbeat's timeout must be longer than its interval");
        }
        if self.handshake_timeout.is_zero() {
            return unusable("the handshake needs time");
        }
        if self.connection_age_max.is_some_and(|age| age < CONNECTION_AGE_LEAST) {
            return unusable("connections must be allowed to become a second old");
        }
        let mut schemes: Vec<_> = self.transports.iter().map(|transport| transport.scheme()).collect();
        schemes.sort_unstable();
        if schemes.windows(2).any(|pair| pair[0] == pair[1]) {
            return unusable("two transports of the same scheme");
        }
        Ok(())
    }
}

impl fmt::Debug for NodeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeBuilder")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("cluster", &self.cluster)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}
