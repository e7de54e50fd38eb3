//! One life of another node, as this node's threads share it: [`Peer`] outlives
//! its sessions, [`Link`] is one of them.
//!
//! ```text
//!  outbound.rs ──► Peer ──► Link ── lock ──► Session ◄── connection.rs, its task
//!                            └── wakes ───────────────────────┘
//! ```
//!
//! No user's code runs, and nothing of a user's is dropped, under a lock here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actor_core::{
    ActorCell, ActorId, CallFailure, ControlRequest, Executor, Exit, ExitListener, SendError, WatchId,
};
use atomic_waker::AtomicWaker;
use bytes::{Bytes, BytesMut};
use tokio::sync::{Notify, watch};

use crate::event::PeerInfo;
use crate::id::NodeId;
use crate::session::handshake::SessionId;
use crate::session::lanes::ConnectionId;
use crate::session::{Correlation, Session};
use crate::transport::{CloseReason, ClusterBidiStream, LaneKind, LaneSet};
use crate::wire::{EncodeReply, RemoteMessage, ReplySink, WireContext};

/// One incarnation of another node. Addresses of its actors hold one of these and
/// find in it whichever session there is.
pub(super) struct Peer {
    pub(super) info: PeerInfo,
    link: Mutex<Option<Arc<Link>>>,
    watches_made: Mutex<u64>,
}

impl Peer {
    pub(super) fn new(info: PeerInfo) -> Self {
        Self { info, link: Mutex::new(None), watches_made: Mutex::new(0) }
    }

    /// The session with it, if there is one.
    pub(super) fn link(&self) -> Option<Arc<Link>> {
        locked(&self.link).clone()
    }

    /// Puts a session in place, and gives back the one that was there.
    pub(super) fn set_link(&self, link: Option<Arc<Link>>) -> Option<Arc<Link>> {
        std::mem::replace(&mut *locked(&self.link), link)
    }

    /// Forgets a session that has ended, unless there is another already.
    pub(super) fn forget(&self, link: &Arc<Link>) -> bool {
        locked(&self.link).take_if(|current| Arc::ptr_eq(current, link)).is_some()
    }

    pub(super) fn next_watch(&self) -> WatchId {
        let mut made = locked(&self.watches_made);
        *made += 1;
        WatchId::new(*made)
    }
}

/// How far a session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LinkState {
    Opening,
    Ready,
    Ended(CloseReason),
}

/// A session and what the node keeps beside it.
pub(super) struct Link {
    pub(super) info: PeerInfo,
    pub(super) id: SessionId,
    /// Who dialled its first stream.
    pub(super) dialler: NodeId,
    pub(super) state: watch::Sender<LinkState>,
    pub(super) context: WireContext,
    /// Whoever waits for credit.
    pub(super) room: Notify,
    /// The session's task.
    pub(super) waker: AtomicWaker,
    executor: Executor,
    inner: Mutex<Inner>,
}

struct Inner {
    session: Session,
    connections_made: u64,
    /// Streams that the session's task has not taken yet.
    arrivals: Vec<Arrival>,
    /// Who watches actors of the peer's, by the session's number.
    listeners: BTreeMap<u64, Listener>,
    /// Which actors of ours the peer watches, by its number.
    watched: BTreeMap<u64, (ActorCell, WatchId)>,
}

/// A stream on its way to the session's task.
pub(super) struct Arrival {
    pub(super) connection: ConnectionId,
    pub(super) stream: Box<dyn ClusterBidiStream>,
    /// What is written before anything of the session's.
    pub(super) preface: Bytes,
    /// What was read behind the handshake.
    pub(super) rest: BytesMut,
}

/// Someone here who watches an actor there.
pub(super) struct Listener {
    watch: WatchId,
    actor: ActorId,
    listener: Arc<dyn ExitListener>,
}

impl Listener {
    pub(super) fn tell(&self, exit: &Exit) {
        self.listener.on_exit(self.actor, exit);
    }
}

impl Link {
    pub(super) fn new(
        info: PeerInfo,
        id: SessionId,
        dialler: NodeId,
        executor: Executor,
        session: Session,
    ) -> Self {
        Self {
            info,
            id,
            dialler,
            state: watch::Sender::new(LinkState::Opening),
            context: session.context().clone(),
            room: Notify::new(),
            waker: AtomicWaker::new(),
            executor,
            inner: Mutex::new(Inner {
                session,
                connections_made: 0,
                arrivals: Vec::new(),
                listeners: BTreeMap::new(),
                watched: BTreeMap::new(),
            }),
        }
    }

    /// Does something to the session, from its own task.
    pub(super) fn run<R>(&self, act: impl FnOnce(&mut Session) -> R) -> R {
        act(&mut self.inner().session)
    }

    /// Does something to the session, and wakes its task if that left it work.
    pub(super) fn act<R>(&self, act: impl FnOnce(&mut Session) -> R) -> R {
        self.act_inner(|inner| act(&mut inner.session))
    }

    /// Hands a stream over to the session's task.
    pub(super) fn attach(
        &self,
        lanes: LaneSet,
        stream: Box<dyn ClusterBidiStream>,
        preface: Bytes,
        rest: BytesMut,
    ) {
        self.act_inner(|inner| {
            inner.connections_made += 1;
            let connection = ConnectionId(inner.connections_made);
            inner.session.attach(connection, lanes);
            inner.arrivals.push(Arrival { connection, stream, preface, rest });
        });
        self.waker.wake();
    }

    pub(super) fn take_arrivals(&self) -> Vec<Arrival> {
        std::mem::take(&mut self.inner().arrivals)
    }

    /// Sends a message to an actor of the peer's.
    pub(super) fn send<M: RemoteMessage>(&self, actor: u64, message: M) -> Result<(), SendError<M>> {
        let now = self.executor.now();
        self.act(|session| session.send(now, actor, message))
    }

    /// Completes when there may be room, or never will be.
    pub(super) async fn wait_for_room(&self) {
        let room = self.room.notified();
        if self.inner().session.has_room() {
            return;
        }
        room.await;
    }

    pub(super) fn request(&self, actor: u64, request: &ControlRequest) {
        self.act(|session| session.request(actor, request));
    }

    /// Watches an actor of the peer's. Gives the listener back if it cannot be.
    pub(super) fn watch(
        &self,
        watch: WatchId,
        actor: ActorId,
        listener: Arc<dyn ExitListener>,
    ) -> Result<(), Arc<dyn ExitListener>> {
        self.act_inner(|inner| match inner.session.watch(actor.serial()) {
            None => Err(listener),
            Some(number) => {
                inner.listeners.insert(number, Listener { watch, actor, listener });
                Ok(())
            }
        })
    }

    pub(super) fn unwatch(&self, watch: WatchId) {
        let listener = self.act_inner(|inner| {
            let found = inner.listeners.iter().find(|(_, listener)| listener.watch == watch);
            let number = found.map(|(number, _)| *number)?;
            inner.session.unwatch(number);
            inner.listeners.remove(&number)
        });
        drop(listener);
    }

    pub(super) fn take_listener(&self, number: u64) -> Option<Listener> {
        self.inner().listeners.remove(&number)
    }

    /// Remembers that the peer watches an actor here.
    pub(super) fn note_watched(&self, number: u64, actor: ActorCell, watch: WatchId) {
        self.inner().watched.insert(number, (actor, watch));
    }

    pub(super) fn take_watched(&self, number: u64) -> Option<(ActorCell, WatchId)> {
        self.inner().watched.remove(&number)
    }

    pub(super) fn take_all_watched(&self) -> BTreeMap<u64, (ActorCell, WatchId)> {
        std::mem::take(&mut self.inner().watched)
    }

    pub(super) fn close(&self, reason: &CloseReason) {
        self.act(|session| session.close(reason));
    }

    pub(super) fn ended(&self) -> Option<CloseReason> {
        self.inner().session.ended().cloned()
    }

    fn act_inner<R>(&self, act: impl FnOnce(&mut Inner) -> R) -> R {
        let mut inner = self.inner();
        let result = act(&mut inner);
        let session = &inner.session;
        let has_work =
            session.has_events() || LaneKind::ALL.iter().any(|lane| session.wants_write(*lane).is_some());
        drop(inner);
        if has_work {
            self.waker.wake();
        }
        result
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        locked(&self.inner)
    }
}

impl ReplySink for Link {
    fn reply(&self, call: u64, answer: Result<&dyn EncodeReply, CallFailure>) {
        self.act(|session| session.answer(Correlation::from_u64(call), answer));
    }

    fn is_closed(&self, call: u64) -> bool {
        !self.inner().session.is_answering(Correlation::from_u64(call))
    }
}

/// Locks, whatever happened to the last holder: each section leaves its data whole.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
