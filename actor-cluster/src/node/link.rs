//! One session with a peer, as this node's threads share it.
//!
//! ```text
//!  outbound.rs ──► Peer ──► Link ── lock ──► Session ◄── connection.rs, its task
//!                            └── wakes ───────────────────────┘
//! ```
//!
//! No user's code runs, and nothing of a user's is dropped, under a lock here, except
//! that a message that goes into one frame is encoded under the lock of its session; see `mod.rs` for the order of locks.

mod standing;
mod streams;

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, TryLockError};

use actor_core::{Attempt, CallFailure, ControlRequest, Executor, Instant, KeyedAsk, SendError};
use atomic_waker::AtomicWaker;
use tokio::sync::Notify;

use self::standing::Standing;
pub(super) use self::streams::{Arrival, Attached, Made, Origin};
use super::Node;
use super::exports::Exports;
use super::outbound::Given;
use super::references::{self, GivenTypes};
use super::statistics::Questions;
use super::ties::Ties;
use crate::authorize::denials::Telling;
use crate::event::PeerInfo;
use crate::locked::locked;
use crate::session::answering::Answered;
use crate::session::aside::{Encoded, Reservation};
use crate::session::handshake::{self, Live, SessionId};
use crate::session::send::Sent;
use crate::session::{Correlation, Session};
use crate::trace::Propagator;
use crate::transport::{Address, CloseReason};
use crate::wire::annotation::{Annotation, Key};
use crate::wire::reference::Token;
use crate::wire::{EncodeReply, RemoteMessage, ReplySink, Urgency, WireContext};

/// How far a session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LinkState {
    Opening,
    Ready,
    Ended(CloseReason),
}

/// Tells what happened on a node before what: handshakes that begin, sessions that the
/// peer is known to have.
#[derive(Clone, Default)]
pub(super) struct Moments(Arc<AtomicU64>);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(u64);

impl Moments {
    /// Later than every one before.
    pub(super) fn next(&self) -> Moment {
        Moment(self.0.fetch_add(1, Ordering::AcqRel))
    }
}

/// A session and what the node keeps beside it.
pub(super) struct Link {
    pub(super) info: PeerInfo,
    pub(super) id: SessionId,
    pub(super) state: Standing,
    pub(super) context: WireContext,
    pub(super) data_lanes: u8,
    /// Whether it began with a stream that was dialled from here: of two that have both dialled, one says yes.
    pub(super) is_begun_here: bool,
    /// Where its streams were dialled, if from here.
    dialled: Mutex<Option<Address>>,
    /// How often it has lost its streams.
    interruptions: AtomicU64,
    /// Since when the peer is known to have this session.
    mutual_since: OnceLock<Moment>,
    moments: Moments,
    /// Whoever waits for credit.
    pub(super) room: Notify,
    /// The session's task.
    pub(super) waker: AtomicWaker,
    pub(super) questions: Questions,
    executor: Executor,
    given_types: Arc<GivenTypes>,
    /// Asked for what messages bring along, if the peer reads that.
    propagator: Option<Arc<dyn Propagator>>,
    /// How much of the peer's is being read aside.
    pub(super) reading_bytes: AtomicU64,
    inner: Mutex<Inner>,
    given: Mutex<GivenActors>,
    /// Which denials are told.
    pub(super) denials: Mutex<Telling>,
}

/// The actors of ours that the peer has shown to have been given. Locked after any other but the
/// exports.
struct GivenActors {
    // unordered: looked up, and thinned out without a word to anybody
    actors: HashSet<u64>,
    /// How many there may be before those that have ended are looked for.
    kept: usize,
}

impl Default for GivenActors {
    fn default() -> Self {
        Self { actors: HashSet::new(), kept: GIVEN_KEPT_LEAST }
    }
}

pub(super) struct Inner {
    pub(super) session: Session,
    /// Whether there is something to do that the task has not looked for yet.
    has_news: bool,
    /// Whether the task waits to be woken.
    is_resting: bool,
    connections_made: u64,
    /// The streams that it has now.
    made: Vec<Made>,
    /// When to look again whether others should take their place.
    next_review: Instant,
    is_renewing: bool,
    /// Streams that the session's task has not taken yet.
    arrivals: Vec<Arrival>,
    pub(super) ties: Ties,
}

impl Inner {
    fn new(session: Session) -> Self {
        Self {
            session,
            has_news: false,
            is_resting: false,
            connections_made: 0,
            made: Vec::new(),
            next_review: Instant::ZERO,
            is_renewing: false,
            arrivals: Vec::new(),
            ties: Ties::default(),
        }
    }
}

/// How many actors may at least be noted before those that have ended are looked for.
const GIVEN_KEPT_LEAST: usize = 64;

/// What a turn of the session's task begins with.
pub(super) struct TurnBegun {
    pub(super) arrivals: Vec<Arrival>,
    pub(super) wants_write: bool,
}

impl Link {
    /// A session with a peer whose handshake is done, without streams yet.
    pub(super) fn new(node: &Arc<Node>, shaken: handshake::Peer) -> Self {
        let (id, info) = (shaken.session, shaken.info());
        let is_begun_here = shaken.dialler == node.id();
        let executor = node.executor().clone();
        let mut session = Session::new(shaken, node.settings.session.clone(), executor.now());
        let given_types = Arc::<GivenTypes>::default();
        session.lend(references::switchboard(node, info.life(), given_types.clone()));
        let propagator = node.settings.propagator.clone().filter(|_| session.takes_annotations());
        let link = Self {
            info,
            id,
            state: Standing::new(),
            context: session.context().clone(),
            data_lanes: session.data_lanes(),
            is_begun_here,
            dialled: Mutex::default(),
            interruptions: AtomicU64::new(0),
            mutual_since: OnceLock::new(),
            moments: node.moments.clone(),
            room: Notify::new(),
            waker: AtomicWaker::new(),
            questions: Questions::default(),
            executor,
            given_types,
            propagator,
            reading_bytes: AtomicU64::new(0),
            inner: Mutex::new(Inner::new(session)),
            given: Mutex::default(),
            denials: Mutex::default(),
        };
        link.note_mutual();
        link
    }

    /// What a handshake that began at a moment wants to know of this session. That the
    /// peer has it counts only if it was known by then: the handshake's other streams
    /// may overtake it, and what the peer said in it be older than the session.
    pub(super) fn live(&self, begun: Moment) -> Live {
        let live = self.run(|session| session.live());
        let is_mutual = self.mutual_since.get().is_some_and(|since| *since < begun);
        Live { is_mutual: live.is_mutual && is_mutual, ..live }
    }

    /// Notes when the peer is first known to have this session.
    pub(super) fn note_mutual(&self) {
        if self.mutual_since.get().is_none() && self.run(|session| session.live().is_mutual) {
            self.mutual_since.get_or_init(|| self.moments.next());
        }
    }

    /// Does something to the session and wakes nobody: for its own task, which looks for work anyway, and for
    /// what leaves it none. Everybody else uses [`act`](Self::act).
    pub(super) fn run<R>(&self, act: impl FnOnce(&mut Session) -> R) -> R {
        act(&mut self.inner().session)
    }

    /// Does something to the session, and wakes its task if that left it work.
    pub(super) fn act<R>(&self, act: impl FnOnce(&mut Session) -> R) -> R {
        self.act_inner(|inner| act(&mut inner.session))
    }

    /// Completes when the session is ready or over already.
    pub(super) async fn settled(&self) -> LinkState {
        self.state.reached(|state| *state != LinkState::Opening).await
    }

    /// Completes when the session is over: its calls have their answers, which may still be read if they are long, its watches
    /// are told, its peer is forgotten.
    pub(super) async fn over(&self) -> CloseReason {
        match self.state.reached(|state| matches!(state, LinkState::Ended(_))).await {
            LinkState::Ended(reason) => reason,
            LinkState::Opening | LinkState::Ready => unreachable!("it was waited for"),
        }
    }

    /// Sends a message to an actor of the peer's; one that was given is presented first.
    #[inline]
    pub(super) fn send<M: RemoteMessage>(
        &self,
        actor: u64,
        given: Option<&Given>,
        message: M,
        attempt: Attempt,
        ask: Option<KeyedAsk>,
    ) -> Result<(), SendError<M>> {
        let is_bare = ask.is_none() && self.propagator.is_none();
        let annotation = if is_bare { None } else { self.annotation(ask) };
        // A cast does not look at the time, which would cost as much as the rest.
        let now = if message.call().is_some() { self.executor.now() } else { Instant::ZERO };
        let mut inner = self.inner();
        if let Some(given) = given
            && !given.is_presented_in(self.id)
            && inner.session.present(actor, M::URGENCY, &given.token)
        {
            given.note_presented_in(self.id);
        }
        let sent = inner.session.send(now, actor, message, attempt, annotation.as_ref());
        self.end_act(inner);
        match sent? {
            // What is left of it is dropped here.
            Sent::Gone(_) => Ok(()),
            Sent::Long(message, reservation) => self.send_aside(message, reservation, annotation.as_ref()),
        }
    }

    /// Encodes a message outside of the lock, and sends it then.
    #[cold]
    fn send_aside<M: RemoteMessage>(
        &self,
        message: M,
        reservation: Reservation,
        annotation: Option<&Annotation>,
    ) -> Result<(), SendError<M>> {
        let mut sent = Sent::Long(message, reservation);
        while let Sent::Long(message, reservation) = sent {
            let mut fields = Some(reservation.encode(&message));
            let now = self.executor.now();
            let send = |session: &mut Session| {
                session.send_encoded(now, message, reservation, &mut fields, annotation)
            };
            sent = self.act(send)?;
        }
        Ok(())
    }

    /// What a message brings along that is sent from here.
    fn annotation(&self, ask: Option<KeyedAsk>) -> Option<Annotation> {
        let trace = self.propagator.as_ref().and_then(|propagator| propagator.injected());
        let key = ask.map(|KeyedAsk { number, is_repeat }| Key { number, is_repeat });
        (trace.is_some() || key.is_some()).then_some(Annotation { trace, key })
    }

    /// Notes that the peer was given an actor that lives. Those that have ended are forgotten in
    /// time, so there are at most twice as many as were [exported](Exports).
    pub(super) fn note_given(&self, actor: u64, exports: &Exports) {
        let mut given = locked(&self.given);
        if given.actors.len() >= given.kept {
            given.actors.retain(|actor| exports.has(*actor));
            given.kept = GIVEN_KEPT_LEAST.max(2 * given.actors.len());
        }
        given.actors.insert(actor);
    }

    pub(super) fn is_given(&self, actor: u64) -> bool {
        locked(&self.given).actors.contains(&actor)
    }

    #[cfg(test)]
    pub(super) fn given(&self) -> usize {
        locked(&self.given).actors.len()
    }

    /// Completes when there may be room for a message to an actor, or never will be.
    pub(super) async fn wait_for_room(&self, actor: u64, urgency: Urgency) {
        let room = self.room.notified();
        if self.inner().session.has_room(actor, urgency) {
            return;
        }
        room.await;
    }

    /// Gives up what nobody asks for once the session is over and its streams have ended.
    pub(super) fn release_memory(&self) {
        let released = self.run(Session::release_memory);
        // Outside of the lock.
        drop(released);
        *locked(&self.given) = GivenActors::default();
    }

    pub(super) fn request(&self, actor: u64, request: &ControlRequest, token: Option<&Token>) {
        self.act(|session| session.request(actor, request, token));
    }

    /// Whether both ends have the capability *membership*.
    pub(super) fn speaks_membership(&self) -> bool {
        self.run(|session| session.speaks_membership())
    }

    /// Whether the peer waits for the answer to a call.
    pub(super) fn is_answering(&self, call: Correlation) -> bool {
        self.run(|session| session.is_answering(call))
    }

    pub(super) fn close(&self, reason: &CloseReason) {
        self.act(|session| session.close(reason));
    }

    pub(super) fn ended(&self) -> Option<CloseReason> {
        self.inner().session.ended().cloned()
    }

    pub(super) fn act_inner<R>(&self, act: impl FnOnce(&mut Inner) -> R) -> R {
        let mut inner = self.inner();
        let result = act(&mut inner);
        self.end_act(inner);
        result
    }

    /// Wakes the task if what was just done left it work.
    #[inline]
    fn end_act(&self, mut inner: MutexGuard<'_, Inner>) {
        self.given_types.say_fresh(&mut inner.session);
        // Looked for once, however often something is asked before the task comes.
        let is_first = !inner.has_news && (inner.session.has_events() || inner.session.wants_write());
        inner.has_news |= is_first;
        let must_wake = is_first && std::mem::take(&mut inner.is_resting);
        drop(inner);
        if must_wake {
            self.waker.wake();
        }
    }

    /// The task looks for everything that there is to do from here on.
    pub(super) fn begin_turn(&self) -> TurnBegun {
        let mut inner = self.inner();
        (inner.has_news, inner.is_resting) = (false, false);
        TurnBegun { arrivals: std::mem::take(&mut inner.arrivals), wants_write: inner.session.wants_write() }
    }

    /// Whether the task may wait to be woken: nothing was asked since its turn began.
    pub(super) fn may_rest(&self) -> bool {
        let mut inner = self.inner();
        inner.is_resting = !inner.has_news;
        inner.is_resting
    }

    pub(super) fn inner(&self) -> MutexGuard<'_, Inner> {
        locked(&self.inner)
    }
}

impl ReplySink for Link {
    fn reply(&self, call: u64, answer: Result<&dyn EncodeReply, CallFailure>) {
        let call = Correlation::from_u64(call);
        if let Answered::Long(value) = self.act(|session| session.answer(call, answer)) {
            let mut encoded = Some(Encoded::of_reply(&self.context, value));
            self.act(|session| session.answer_encoded(call, &mut encoded));
        }
    }

    /// Says `false` where it cannot be known at once: it is asked of ports that were passed on,
    /// under the lock of the session in which they are pending, which may be this one.
    fn is_closed(&self, call: u64) -> bool {
        let call = Correlation::from_u64(call);
        match self.inner.try_lock() {
            Ok(inner) => !inner.session.is_answering(call),
            Err(TryLockError::Poisoned(inner)) => !inner.into_inner().session.is_answering(call),
            Err(TryLockError::WouldBlock) => false,
        }
    }
}
