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
//!
//! Locks are taken in this order, and none is held across an await:
//! that under which effects of membership are carried out; `Node::publishing`; `Node::peers` or `Node::once`; `Link::inner`; then one of the catalog's, that of
//! the given types, the tasks', that of membership, `Link::given` and `Link::denials`; that of the exports last. A user's code does not run
//! under them and a user's value is not dropped, but for the encoding of what goes into one frame under its
//! session's, which writes straight into what is sent, and for what a call has beside its port.

mod accept;
mod admit;
mod builder;
mod catalog;
mod connection;
mod delivering;
mod dial;
mod exports;
mod fates;
mod gossip;
mod groups;
mod handshaking;
mod holds;
mod inbound;
mod kinds;
mod link;
mod linking;
mod member_events;
mod members;
mod once;
mod outbound;
mod parting;
mod peer;
mod publish;
mod read_buffer;
mod readings;
mod references;
mod renew;
mod resume;
mod rights;
mod server;
mod spans;
mod spawning;
mod statistics;
mod stream;
mod tasks;
#[cfg(test)]
mod tests;
mod ties;
mod ways;

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actor_core::{ActorSystem, Executor};
use arc_swap::ArcSwapOption;
use tokio::sync::{Semaphore, broadcast};

use self::admit::Peers;
pub use self::builder::{Mode, NodeBuilder};
use self::catalog::Catalog;
use self::dial::Dials;
use self::exports::Exports;
pub use self::groups::{GroupEvents, NodeGroups, NodeScope};
use self::kinds::Kinds;
use self::link::{Link, Moments};
pub use self::member_events::MemberEvents;
use self::members::{Members, Setup};
use self::once::KeyedCalls;
use self::rights::Hooks;
pub use self::server::{NodeServer, NodeSession};
pub use self::statistics::StreamStatus;
use self::tasks::Tasks;
pub use self::ways::Preference;
use crate::authorize::denials::DenialCounts;
use crate::event::NodeEvent;
use crate::id::{NodeId, NodeLife};
use crate::limits::{EVENTS_KEPT, HANDSHAKES_MAX, RENEWALS_MAX};
use crate::locked::locked;
use crate::membership;
use crate::names::conflict::NameRule;
use crate::once::CallMemory;
use crate::refusal::{RefusalCause, RefusalCounts};
use crate::session;
use crate::session::handshake::{Myself, Secrets};
use crate::trace::Propagator;
use crate::transport::{Address, CloseCode, CloseReason, Transport};

/// What a node was built with.
struct Settings {
    mode: Mode,
    handshake_timeout: Duration,
    connection_age_max: Option<Duration>,
    preference: Preference,
    peers_max: usize,
    /// How names are published of which nothing else is said.
    name_rule: NameRule,
    session: session::Config,
    myself: Myself,
    propagator: Option<Arc<dyn Propagator>>,
    call_memory: CallMemory,
}

/// One node of a cluster, as its tasks see it.
pub(crate) struct Node {
    system: ActorSystem,
    settings: Settings,
    transports: Vec<Arc<dyn Transport>>,
    /// Where this node listens.
    addresses: Vec<Address>,
    hooks: Hooks,
    /// What every handshake from now on proves and demands.
    secrets: ArcSwapOption<Secrets>,
    /// What peers may have started here.
    kinds: Kinds,
    /// Who is here, and what they publish.
    peers: Mutex<Peers>,
    catalog: Catalog,
    exports: Arc<Exports>,
    /// What became of calls with keys.
    once: Arc<KeyedCalls>,
    /// Held while what is published changes and peers are told, so that all are
    /// told everything in the same order.
    publishing: Mutex<()>,
    events: broadcast::Sender<NodeEvent>,
    refusals: RefusalCounts,
    denials: DenialCounts,
    moments: Moments,
    /// A place for each connection that has not proven anything yet.
    handshakes: Arc<Semaphore>,
    dials: Dials,
    /// A place for each session that is given other streams because its own are old.
    renewals: Arc<Semaphore>,
    /// The same for those that go back to a better way.
    returns: Arc<Semaphore>,
    /// Who is a member.
    members: Members,
    /// Listening, dialling, shaking hands.
    intake: Tasks,
    /// One for each session.
    sessions: Tasks,
    /// That of membership.
    housekeeping: Tasks,
}

impl Node {
    fn new(
        system: ActorSystem,
        settings: Settings,
        transports: Vec<Arc<dyn Transport>>,
        addresses: Vec<Address>,
        hooks: Hooks,
        kinds: Kinds,
        setup: Setup,
    ) -> Self {
        let executor = system.executor().clone();
        let config = membership::Config {
            life: settings.myself.life,
            name: settings.myself.name.clone(),
            addresses: addresses.clone(),
            is_transitive: settings.mode == Mode::Transitive,
            suspicion_window: setup.suspicion_window,
            seeds: setup.seeds.iter().map(|seed| seed.name.clone()).collect(),
        };
        let members = Members::new(config, executor.random_u64(), executor.now(), setup);
        let peers = Mutex::new(Peers::new(settings.myself.life.node));
        Self {
            exports: Arc::new(Exports::new(&executor, system.incarnation())),
            once: Arc::new(KeyedCalls::new(settings.call_memory, executor.clone())),
            system,
            secrets: ArcSwapOption::from_pointee(settings.myself.secrets.clone()),
            settings,
            transports,
            addresses,
            hooks,
            kinds,
            peers,
            catalog: Catalog::default(),
            publishing: Mutex::default(),
            events: broadcast::Sender::new(EVENTS_KEPT),
            refusals: RefusalCounts::default(),
            denials: DenialCounts::default(),
            moments: Moments::default(),
            handshakes: Arc::new(Semaphore::new(HANDSHAKES_MAX)),
            dials: Dials::default(),
            renewals: Arc::new(Semaphore::new(RENEWALS_MAX)),
            returns: Arc::new(Semaphore::new(RENEWALS_MAX)),
            members,
            intake: Tasks::new(executor.clone()),
            sessions: Tasks::new(executor.clone()),
            housekeeping: Tasks::new(executor),
        }
    }

    fn executor(&self) -> &Executor {
        self.system.executor()
    }

    fn myself(&self) -> Myself {
        let secrets = self.secrets.load().as_deref().cloned();
        Myself { secrets, ..self.settings.myself.clone() }
    }

    fn life(&self) -> NodeLife {
        self.settings.myself.life
    }

    fn id(&self) -> NodeId {
        self.life().node
    }

    fn handshake_timeout(&self) -> Duration {
        self.settings.handshake_timeout
    }

    fn window_bytes(&self) -> u64 {
        self.settings.session.window_bytes
    }

    fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    fn propagator(&self) -> Option<&dyn Propagator> {
        self.settings.propagator.as_deref()
    }

    fn transport(&self, scheme: &str) -> Option<&Arc<dyn Transport>> {
        self.transports.iter().find(|transport| transport.scheme() == scheme)
    }

    fn spawn_intake(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.intake.spawn(task);
    }

    /// A peer did not get in.
    fn tell_refused(&self, label: String, cause: RefusalCause, error: String) {
        self.refusals.count(cause);
        self.tell(NodeEvent::Refused { label, cause, error });
    }

    fn tell(&self, event: NodeEvent) {
        tracing::debug!(?event);
        // Nobody has to listen.
        drop(self.events.send(event));
    }

    /// Every session that has begun and not ended.
    fn links(&self) -> Vec<Arc<Link>> {
        locked(&self.peers).links()
    }

    /// Lets nobody in any more and says goodbye to everybody.
    fn begin_shutdown(&self) {
        let links = locked(&self.peers).close();
        self.intake.close();
        self.housekeeping.close();
        for link in links {
            link.close(&CloseReason::from(CloseCode::Shutdown));
        }
    }
}
