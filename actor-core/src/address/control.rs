//! The erased half of an address: who the actor is, how it stands, and the
//! requests that need no message type. Both [`ActorRef`](super::ActorRef) and
//! [`ActorCell`](super::ActorCell) dereference to it.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;
use std::time::Duration;

use atomic_waker::AtomicWaker;
use tokio::sync::oneshot;

use super::cell::ActorCell;
use crate::contain::contained;
use crate::error::WaitError;
use crate::event::SupervisionEvent;
use crate::executor::Executor;
use crate::exit::Exit;
use crate::id::ActorId;
use crate::lifecycle::{Flag, Status, Word};
use crate::sync::LockExt;

/// What can be asked of an actor without knowing its messages.
pub struct Control {
    id: ActorId,
    name: Option<Arc<str>>,
    executor: Executor,
    kind: Kind,
}

#[expect(clippy::large_enum_variant, reason = "nearly every cell is local, and lives behind an Arc")]
enum Kind {
    Local(LocalControl),
    Foreign(Box<dyn ForeignControl>),
}

/// The controls of an actor in another process. A cluster implements this.
///
/// The requests are sent and forgotten, as they are locally: where there is no
/// session any more the actor counts as unreachable, which a watch reports.
pub trait ForeignControl: Send + Sync + 'static {
    /// Asks the actor to stop, drain or die.
    fn request(&self, request: ControlRequest);

    /// [`Status::Running`] while the actor can be reached and is not known to
    /// have ended, [`Status::Stopped`] afterwards.
    fn status(&self) -> Status;

    /// Calls the listener exactly once: when the actor ends, or is found to have
    /// ended, or cannot be reached.
    fn watch(&self, listener: Arc<dyn ExitListener>) -> WatchId;

    /// Ends a watch. The listener is not called any more, unless it is being
    /// called already.
    fn unwatch(&self, watch: WatchId);
}

/// A request to an actor in another process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlRequest {
    /// End after the message in hand.
    Stop(Option<Arc<str>>),
    /// End after everything accepted so far.
    Drain,
    /// End at once.
    Kill,
}

/// Hears of an actor's end, on the thread where it ends. It must not block; a
/// panic is reported and goes no further.
pub trait ExitListener: Send + Sync + 'static {
    /// Called once.
    fn on_exit(&self, actor: ActorId, exit: &Exit);

    /// Whether nobody listens any more. Such a listener may be forgotten without
    /// having been called.
    ///
    /// Asked while the watched actor is locked: it may look at what is its own, and
    /// must not speak to any actor.
    fn is_gone(&self) -> bool {
        false
    }
}

/// Tells one watch on an actor from the others on it; see
/// [`Control::watch_with`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchId(u64);

impl WatchId {
    /// For whoever implements [`ForeignControl`].
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number it was made from.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl Control {
    pub(crate) fn local(id: ActorId, name: Option<Arc<str>>, executor: Executor) -> Self {
        Self { id, name, executor, kind: Kind::Local(LocalControl::new()) }
    }

    /// The controls of an actor in another process. `executor` is the caller's:
    /// it tells the time that callers' timeouts run on.
    pub fn foreign(
        id: ActorId,
        name: Option<Arc<str>>,
        executor: Executor,
        control: Box<dyn ForeignControl>,
    ) -> Self {
        Self { id, name, executor, kind: Kind::Foreign(control) }
    }

    /// The actor's id; the same on every node.
    pub fn id(&self) -> ActorId {
        self.id
    }

    /// The name it was spawned or published under.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Whether it lives in this process.
    pub fn is_local(&self) -> bool {
        matches!(self.kind, Kind::Local(_))
    }

    /// Where it is in its life.
    pub fn status(&self) -> Status {
        match &self.kind {
            Kind::Local(local) => local.word().status(),
            Kind::Foreign(foreign) => foreign.status(),
        }
    }

    /// Asks the actor to stop. The hook in hand finishes, messages still queued
    /// are dropped, `post_stop` runs. Only the first stop's reason counts; a
    /// stopped actor ignores it.
    pub fn stop(&self, reason: Option<&str>) {
        match &self.kind {
            Kind::Local(local) => local.stop(reason.map(Arc::from)),
            Kind::Foreign(foreign) => foreign.request(ControlRequest::Stop(reason.map(Arc::from))),
        }
    }

    /// Ends the actor at its next await point. `post_stop` does not run. Code
    /// that never awaits cannot be interrupted.
    pub fn kill(&self) {
        match &self.kind {
            Kind::Local(local) => local.request(Flag::Kill),
            Kind::Foreign(foreign) => foreign.request(ControlRequest::Kill),
        }
    }

    /// Lets the actor handle every message it has accepted, accepts no more, and
    /// then stops it. Once this has returned, no later send to a local actor is
    /// accepted.
    pub fn drain(&self) {
        match &self.kind {
            Kind::Local(local) => local.request(Flag::Drain),
            Kind::Foreign(foreign) => foreign.request(ControlRequest::Drain),
        }
    }

    /// Waits until the actor has ended and says how. Any number of callers may
    /// wait, before and after its end. Dropping the future only ends the wait.
    ///
    /// # Errors
    ///
    /// [`WaitError::TimedOut`]; the actor goes on.
    pub async fn wait(&self, timeout: Option<Duration>) -> Result<Exit, WaitError> {
        let exit = self.exited();
        match timeout {
            None => Ok(exit.await),
            Some(timeout) => {
                self.executor.timeout(timeout, exit).await.map_err(|_| WaitError::TimedOut(timeout))
            }
        }
    }

    /// [`stop`](Self::stop), then [`wait`](Self::wait).
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait); the request stands.
    pub async fn stop_and_wait(
        &self,
        reason: Option<&str>,
        timeout: Option<Duration>,
    ) -> Result<Exit, WaitError> {
        self.stop(reason);
        self.wait(timeout).await
    }

    /// [`kill`](Self::kill), then [`wait`](Self::wait).
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait); the request stands.
    pub async fn kill_and_wait(&self, timeout: Option<Duration>) -> Result<Exit, WaitError> {
        self.kill();
        self.wait(timeout).await
    }

    /// [`drain`](Self::drain), then [`wait`](Self::wait).
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait); the request stands.
    pub async fn drain_and_wait(&self, timeout: Option<Duration>) -> Result<Exit, WaitError> {
        self.drain();
        self.wait(timeout).await
    }

    /// Calls the listener exactly once when the actor ends; at once if it has
    /// ended already.
    pub fn watch_with(&self, listener: Arc<dyn ExitListener>) -> WatchId {
        match &self.kind {
            Kind::Local(local) => local.watch(self.id, listener),
            Kind::Foreign(foreign) => foreign.watch(listener),
        }
    }

    /// Ends a watch. The listener is not called any more, unless it is being
    /// called already.
    pub fn unwatch(&self, watch: WatchId) {
        match &self.kind {
            Kind::Local(local) => local.unwatch(watch),
            Kind::Foreign(foreign) => foreign.unwatch(watch),
        }
    }

    pub(crate) fn executor(&self) -> &Executor {
        &self.executor
    }

    pub(crate) fn as_local(&self) -> Option<&LocalControl> {
        match &self.kind {
            Kind::Local(local) => Some(local),
            Kind::Foreign(_) => None,
        }
    }

    async fn exited(&self) -> Exit {
        let (sender, receiver) = oneshot::channel();
        let _watching = match &self.kind {
            Kind::Local(local) => {
                local.wait(sender);
                None
            }
            Kind::Foreign(foreign) => {
                let watch = foreign.watch(Arc::new(Waiter(Mutex::new(Some(sender)))));
                Some(Watching { foreign: &**foreign, watch })
            }
        };
        // The sender goes unused only if the actor's whole runtime is being torn down.
        receiver.await.unwrap_or(Exit::Cancelled)
    }
}

/// A watch that ends with the wait it was made for.
struct Watching<'a> {
    foreign: &'a dyn ForeignControl,
    watch: WatchId,
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        self.foreign.unwatch(self.watch);
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id)?;
        if let Some(name) = &self.name {
            write!(f, " {name:?}")?;
        }
        write!(f, " {}", self.status())
    }
}

/// Someone who awaits the end of a foreign actor.
struct Waiter(Mutex<Option<oneshot::Sender<Exit>>>);

impl ExitListener for Waiter {
    fn on_exit(&self, _: ActorId, exit: &Exit) {
        if let Some(sender) = self.0.locked().take() {
            drop(sender.send(exit.clone()));
        }
    }
}

/// The controls of an actor in this process: one word that everybody may change,
/// one waker that the actor alone registers, and side slots under a lock that a
/// plain actor's life touches only at its end.
pub(crate) struct LocalControl {
    word: AtomicU32,
    waker: AtomicWaker,
    /// Whom this actor's events go to. Locked before any actor's `side`, never
    /// while one is held; see `links.rs`.
    pub(crate) supervisor: Mutex<Option<ActorCell>>,
    side: Mutex<Side>,
}

/// What does not fit into the word.
#[derive(Default)]
pub(crate) struct Side {
    stop_reason: Option<Arc<str>>,
    events: VecDeque<SupervisionEvent>,
    watchers: Vec<(WatchId, Arc<dyn ExitListener>)>,
    watches_made: u64,
    waiters: Vec<oneshot::Sender<Exit>>,
    /// How it ended: set when the watchers are told.
    exit: Option<Exit>,
    /// Whom this actor supervises.
    pub(crate) children: BTreeMap<ActorId, ActorCell>,
    /// Set when the children were taken at exit; none is added after.
    pub(crate) is_childless: bool,
}

impl Side {
    /// Watchers that are gone must not pile up while the actor lives: looked for
    /// whenever the list would have to grow.
    fn take_gone_watchers(&mut self) -> Vec<(WatchId, Arc<dyn ExitListener>)> {
        if self.watchers.len() < self.watchers.capacity() {
            return Vec::new();
        }
        let watchers = std::mem::take(&mut self.watchers);
        let (gone, here) = watchers.into_iter().partition(|(_, listener)| listener.is_gone());
        self.watchers = here;
        gone
    }
}

impl LocalControl {
    fn new() -> Self {
        Self {
            word: AtomicU32::new(Word::NEW.bits()),
            waker: AtomicWaker::new(),
            supervisor: Mutex::new(None),
            side: Mutex::new(Side::default()),
        }
    }

    /// Acquire: whoever reads a flag also sees what was stored before it was set.
    pub(crate) fn word(&self) -> Word {
        Word::from_bits(self.word.load(Ordering::Acquire))
    }

    /// Sets a flag and returns the word as it was.
    pub(crate) fn raise(&self, flag: Flag) -> Word {
        Word::from_bits(self.word.fetch_or(flag as u32, Ordering::AcqRel))
    }

    /// Moves to a later phase. Returns the word as it was; `None` if the actor
    /// was there already or beyond.
    pub(crate) fn advance(&self, status: Status) -> Option<Word> {
        let step = |bits| Word::from_bits(bits).advanced_to(status).map(Word::bits);
        let moved = self.word.fetch_update(Ordering::AcqRel, Ordering::Acquire, step);
        moved.ok().map(Word::from_bits)
    }

    /// Whom the next request wakes. Read the word again after this.
    pub(crate) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    pub(crate) fn side(&self) -> MutexGuard<'_, Side> {
        self.side.locked()
    }

    /// Posts an event. It reaches a handler unless the actor ends first.
    pub(crate) fn post(&self, event: SupervisionEvent) {
        let mut side = self.side();
        if side.exit.is_some() {
            drop(side);
            return;
        }
        side.events.push_back(event);
        self.raise(Flag::Supervision);
        drop(side);
        self.waker.wake();
    }

    /// The oldest event; clears the flag with the last one.
    pub(crate) fn take_event(&self) -> Option<SupervisionEvent> {
        let mut side = self.side();
        let event = side.events.pop_front();
        if side.events.is_empty() {
            // Under the lock, so that no event posted meanwhile loses its flag.
            self.word.fetch_and(!(Flag::Supervision as u32), Ordering::AcqRel);
        }
        event
    }

    pub(crate) fn stop_reason(&self) -> Option<Arc<str>> {
        self.side().stop_reason.clone()
    }

    /// Tells the watchers how it ended. Those who come later are told at once.
    pub(crate) fn publish_exit(&self, id: ActorId, exit: &Exit) {
        let mut side = self.side();
        side.exit = Some(exit.clone());
        let watchers = std::mem::take(&mut side.watchers);
        let events = std::mem::take(&mut side.events);
        drop(side);
        // Dropped outside the lock: an event may hold the last address of an actor.
        drop(events);
        for (_, listener) in watchers {
            contained("an exit listener", move || listener.on_exit(id, exit));
        }
    }

    /// The last step of a life: the phase, then everybody who waits.
    pub(crate) fn publish_stopped(&self) {
        let mut side = self.side();
        self.advance(Status::Stopped);
        let waiters = std::mem::take(&mut side.waiters);
        let exit = side.exit.clone();
        drop(side);
        for waiter in waiters {
            drop(waiter.send(exit.clone().unwrap_or(Exit::Cancelled)));
        }
    }

    fn request(&self, flag: Flag) {
        self.raise(flag);
        self.waker.wake();
    }

    fn stop(&self, reason: Option<Arc<str>>) {
        let mut side = self.side();
        if !self.word().has(Flag::Stop) {
            side.stop_reason = reason;
            self.raise(Flag::Stop);
        }
        drop(side);
        self.waker.wake();
    }

    fn watch(&self, id: ActorId, listener: Arc<dyn ExitListener>) -> WatchId {
        let mut side = self.side();
        side.watches_made += 1;
        let watch = WatchId(side.watches_made);
        match side.exit.clone() {
            None => {
                let gone = side.take_gone_watchers();
                side.watchers.push((watch, listener));
                drop(side);
                // Dropped outside the lock: a destructor may speak to this very actor.
                drop(gone);
            }
            Some(exit) => {
                drop(side);
                listener.on_exit(id, &exit);
            }
        }
        watch
    }

    fn unwatch(&self, watch: WatchId) {
        let mut side = self.side();
        let index = side.watchers.iter().position(|(id, _)| *id == watch);
        let ended = index.map(|index| side.watchers.remove(index));
        drop(side);
        // Dropped outside the lock: its destructor may speak to this very actor.
        drop(ended);
    }

    fn wait(&self, waiter: oneshot::Sender<Exit>) {
        let mut side = self.side();
        if self.word().status() == Status::Stopped {
            drop(waiter.send(side.exit.clone().unwrap_or(Exit::Cancelled)));
            return;
        }
        // Waiters that gave up must not pile up while the actor lives.
        if side.waiters.len() == side.waiters.capacity() {
            side.waiters.retain(|waiter| !waiter.is_closed());
        }
        side.waiters.push(waiter);
    }
}
