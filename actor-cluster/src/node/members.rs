//! The shell of membership: tells the machine what happens to sessions, and does what it asks for.
//!
//! ```text
//!  sessions' tasks ── note ──► Membership ◄── time ── the task of membership
//!                                  └── effects ──────► says, dials, ends sessions; events ──► that task tells them
//! ```

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use actor_core::Instant;
use futures_util::future::BoxFuture;
use tokio::sync::Notify;

use super::dial;
use super::link::Link;
use super::member_events::Feeds;
use super::ways::{Way, first_to_work};
use super::{Mode, Node};
use crate::contain::{contained, contained_future};
use crate::error::{ConnectError, HandshakeError};
use crate::id::{NodeId, NodeLife};
use crate::limits::{MEMBERSHIP_EFFECTS_PER_TURN, SEED_RESOLVE_TIMEOUT, SUSPICION_WINDOW};
use crate::locked::locked;
use crate::membership::events::MemberEvent;
use crate::membership::frame::Frame;
use crate::membership::{Config, Dialled, Effect, Membership, PeerNews, SessionEnd, Target};
use crate::transport::{Address, CloseCode, CloseReason, TransportError};

/// Where a node looks for its cluster.
pub(super) struct Seed {
    /// For people.
    pub(super) name: String,
    pub(super) resolve: Box<dyn Fn() -> BoxFuture<'static, Result<Vec<Address>, String>> + Send + Sync>,
}

/// What a node's builder says of membership.
pub(super) struct Setup {
    pub(super) suspicion_window: Duration,
    pub(super) seeds: Vec<Seed>,
    pub(super) listeners: Vec<Listener>,
}

impl Default for Setup {
    fn default() -> Self {
        Self { suspicion_window: SUSPICION_WINDOW, seeds: Vec::new(), listeners: Vec::new() }
    }
}

pub(super) type Listener = Box<dyn Fn(&MemberEvent) + Send + Sync>;

/// What a node keeps of membership.
pub(super) struct Members {
    machine: Mutex<Membership>,
    /// There are effects to carry out, or another time to be called.
    news: Notify,
    /// Held while effects are carried out, so that all are in order. Nobody else's code runs meanwhile.
    carrying: Mutex<()>,
    /// What the task of membership is to tell.
    untold: Mutex<VecDeque<MemberEvent>>,
    seeds: Vec<Seed>,
    listeners: Vec<Listener>,
    pub(super) feeds: Feeds,
}

impl Members {
    pub(super) fn new(config: Config, seed: u64, now: Instant, setup: Setup) -> Self {
        let Setup { seeds, listeners, .. } = setup;
        Self {
            machine: Mutex::new(Membership::new(config, seed, now)),
            news: Notify::new(),
            carrying: Mutex::default(),
            untold: Mutex::default(),
            seeds,
            listeners,
            feeds: Feeds::default(),
        }
    }

    pub(super) fn view(&self) -> crate::membership::events::Members {
        locked(&self.machine).members()
    }
}

/// Whether there is more to carry out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effects {
    Done,
    Left,
}

/// Runs the machine until the node shuts down.
pub(super) async fn run(node: Arc<Node>) {
    loop {
        let news = node.members.news.notified();
        // However much there is to do, and to hear: time passes.
        let now = node.executor().now();
        locked(&node.members.machine).handle_timeout(now);
        let effects = node.carry_out();
        node.tell_members();
        if effects == Effects::Left {
            let_others_run().await;
            continue;
        }
        let due = locked(&node.members.machine).next_timeout();
        if due == Instant::FAR {
            news.await;
        } else {
            _ = node.executor().timeout_at(due, news).await;
        }
    }
}

/// Goes on when the executor has seen to others.
async fn let_others_run() {
    let mut has_waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl Node {
    /// Tells the machine something.
    pub(super) fn note(&self, tell: impl FnOnce(&mut Membership, Instant)) {
        let now = self.executor().now();
        tell(&mut locked(&self.members.machine), now);
        self.members.news.notify_one();
    }

    pub(super) fn note_ready(&self, link: &Link) {
        let addresses = locked(&self.peers).reachable.get(&link.info.node).cloned().unwrap_or_default();
        let news = PeerNews {
            life: link.info.life(),
            name: link.info.name.clone(),
            addresses,
            speaks: link.speaks_membership(),
        };
        self.note(|members, now| members.handle_ready(news, now));
    }

    pub(super) fn note_ended(&self, life: NodeLife, reason: &CloseReason) {
        let end = match reason.code {
            CloseCode::Done => SessionEnd::Closed,
            CloseCode::Refused => SessionEnd::Refused,
            CloseCode::Shutdown => SessionEnd::Shutdown,
            _ => SessionEnd::Lost,
        };
        self.note(|members, now| members.handle_ended(life, end, now));
    }

    /// A peer says a word of membership.
    pub(super) fn on_membership(&self, link: &Arc<Link>, word: &[u8]) {
        match Frame::decode(word) {
            Ok(Some(frame)) => {
                if locked(&self.peers).is_current(link) {
                    self.note(|members, now| members.handle_frame(link.info.life(), frame, now));
                }
            }
            // Something that a later version says.
            Ok(None) => {}
            Err(error) => link.close(&CloseReason::new(CloseCode::Violation, error.to_string())),
        }
    }

    /// Leaves the cluster, before the node shuts down.
    pub(super) fn leave_members(self: &Arc<Self>) {
        self.note(Membership::leave);
        // Whoever has left hears nothing that would make more of them.
        while self.carry_out() == Effects::Left {}
    }

    /// Carries out what the machine asks for, so much at a time.
    fn carry_out(self: &Arc<Self>) -> Effects {
        let _carrying = locked(&self.members.carrying);
        for _ in 0..MEMBERSHIP_EFFECTS_PER_TURN {
            // Not for as long as the effect takes.
            let effect = locked(&self.members.machine).poll_effect();
            match effect {
                Some(Effect::Send { to, frame }) => self.say_membership(to, frame),
                Some(Effect::Dial { target, addresses }) => self.dial_target(target, addresses),
                Some(Effect::End { life }) => self.end_lost(life),
                Some(Effect::NoteElsewhere { node, addresses }) => self.note_elsewhere(node, addresses),
                Some(Effect::Tell(event)) => locked(&self.members.untold).push_back(event),
                None => return Effects::Done,
            }
        }
        Effects::Left
    }

    fn say_membership(&self, to: NodeId, frame: Frame) {
        let peer = locked(&self.peers).present.get(&to).cloned();
        if let Some(link) = peer.and_then(|peer| peer.link()) {
            link.act(|session| session.say_membership(frame.encode()));
        }
    }

    fn end_lost(&self, life: NodeLife) {
        let link = locked(&self.peers).live(life);
        if let Some(link) = link {
            link.close(&CloseReason::new(CloseCode::Lost, "it is no member of the cluster any more"));
        }
    }

    /// Under no lock: whoever listens may call the node.
    fn tell_members(&self) {
        loop {
            let Some(event) = locked(&self.members.untold).pop_front() else { return };
            tracing::debug!(?event);
            for listener in &self.members.listeners {
                contained("a listener to members", || listener(&event));
            }
            self.members.feeds.put(&event);
        }
    }

    fn dial_target(self: &Arc<Self>, target: Target, addresses: Vec<Address>) {
        let node = self.clone();
        self.spawn_intake(async move {
            let dial = async {
                match target {
                    Target::Seed(number) => node.dial_seed(number).await,
                    Target::Node(member) => node.dial_member(member, addresses).await,
                }
            };
            // The machine counts a dial until it hears how it ended.
            let dialled = contained_future("a dial", dial).await;
            let dialled = dialled.unwrap_or_else(|| Dialled::Failed("dialling it panicked".to_owned()));
            node.note(|members, now| members.handle_dialled(target, &dialled, now));
        });
    }

    async fn dial_seed(self: &Arc<Self>, number: usize) -> Dialled {
        let Some(seed) = self.members.seeds.get(number) else { return Dialled::Ourselves };
        match self.resolve(seed).await {
            Err(error) => Dialled::Failed(error),
            Ok(addresses) => self.dial_any(addresses, None).await,
        }
    }

    /// Asks a function of the user's, which may do anything.
    async fn resolve(&self, seed: &Seed) -> Result<Vec<Address>, String> {
        let asked = async {
            let resolved = async { (seed.resolve)().await };
            self.executor().timeout(SEED_RESOLVE_TIMEOUT, resolved).await
        };
        match contained_future("the resolver of a seed", asked).await {
            Some(Ok(resolved)) => resolved,
            Some(Err(_)) => Err(format!("its addresses were not found within {SEED_RESOLVE_TIMEOUT:?}")),
            None => Err("looking up its addresses panicked".to_owned()),
        }
    }

    async fn dial_member(self: &Arc<Self>, member: NodeId, addresses: Vec<Address>) -> Dialled {
        let Some(_dialling) = Dialling::begin(self, member) else {
            return Dialled::Nowhere("there is a session with it, or no room for one".to_owned());
        };
        self.dial_any(addresses, Some(member)).await
    }

    /// Dials the addresses, the best first, until there is a session.
    async fn dial_any(self: &Arc<Self>, addresses: Vec<Address>, expected: Option<NodeId>) -> Dialled {
        let ways = self.ways(addresses, None);
        if ways.is_empty() {
            return Dialled::Nowhere("no transport for any of its addresses".to_owned());
        }
        let failed = Mutex::new(None);
        let attempt = |way: Way| {
            let failed = &failed;
            async move {
                let dialled = match expected {
                    Some(member) => dial::reach(self, &way.address, member).await,
                    None => dial::connect(self, &way.address, None).await,
                };
                let error = match dialled {
                    Ok(link) => return Some(link.info.node),
                    Err(error) => error,
                };
                tracing::info!(member = ?expected, %way.address, %error, "cannot reach it");
                let mut failed = locked(failed);
                // That this node has answered one of them says nothing of the others.
                if failed.is_none() || !is_myself(&error) {
                    *failed = Some(error);
                }
                None
            }
        };
        match first_to_work(self.executor(), ways, attempt).await {
            Some(node) => Dialled::Connected(node),
            None => match locked(&failed).take() {
                Some(error) if is_myself(&error) => Dialled::Ourselves,
                error => Dialled::Failed(error.map(|error| error.to_string()).unwrap_or_default()),
            },
        }
    }
}

/// Whether whoever answered was this node itself.
fn is_myself(error: &ConnectError) -> bool {
    match error {
        ConnectError::Handshake(HandshakeError::Myself) => true,
        ConnectError::Handshake(HandshakeError::Refused(theirs)) => **theirs == HandshakeError::Myself,
        _ => false,
    }
}

/// Whether nobody listens there: a process that was there is gone.
pub(super) fn is_refused(error: &ConnectError) -> bool {
    let ConnectError::Transport(TransportError::Unreachable { source, .. }) = error else { return false };
    source.kind() == std::io::ErrorKind::ConnectionRefused
}

/// A node that is being dialled, until it is not, however that ends.
struct Dialling {
    node: Arc<Node>,
    member: NodeId,
}

impl Dialling {
    fn begin(node: &Arc<Node>, member: NodeId) -> Option<Self> {
        let mut peers = locked(&node.peers);
        let has_room = peers.present.len() + peers.dialling.len() < node.settings.peers_max;
        let is_wanted = node.settings.mode == Mode::Transitive && !peers.is_closing;
        if !is_wanted || peers.present.contains_key(&member) || !has_room || !peers.dialling.insert(member) {
            return None;
        }
        Some(Self { node: node.clone(), member })
    }
}

impl Drop for Dialling {
    fn drop(&mut self) {
        locked(&self.node.peers).dialling.remove(&self.member);
    }
}
