//! The erased half of an address: who the actor is, how it stands, and the
//! requests that need no message type. Both [`ActorRef`](super::ActorRef) and
//! [`ActorCell`](super::ActorCell) dereference to it.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::cell::ActorCell;
use super::local::{Local, LocalState};
use crate::error::WaitError;
use crate::executor::Executor;
use crate::exit::Exit;
use crate::hook;
use crate::id::ActorId;
use crate::key::CallKey;
use crate::lifecycle::{Flag, Status, Word};
use crate::mailbox::{Mailbox, MailboxStats, Owner};
use crate::sync::{LockExt, Mutex};
use crate::time::Instant;

/// What can be asked of an actor without knowing its messages.
///
/// `W` is the way messages go to it. Everybody but the typed address sees it
/// erased, as `Control`.
pub struct Control<W: ?Sized = dyn Way> {
    id: ActorId,
    executor: Executor,
    /// Of an actor in this process; of another only the name is kept here.
    state: LocalState,
    /// Last, so that it can be erased where it lies.
    way: W,
}

/// All that addresses of a local actor share: one allocation.
pub(crate) type LocalCell<M> = Control<Mailbox<M>>;

/// The way messages go to an actor, without their type.
pub trait Way: Send + Sync + 'static {
    /// Makes a local actor look at what was asked of it.
    fn wake(&self);

    /// Lets no more messages in. Runs nobody's code, so it may be called under a lock.
    fn shut(&self);

    /// Tells those who wait for room that there will be none.
    fn send_away(&self);

    /// What went through the mailbox of a local actor.
    fn stats(&self) -> Option<MailboxStats>;

    /// The controls of an actor in another process; `None` if it is in this one.
    fn foreign(&self) -> Option<&dyn ForeignControl>;
}

impl<M: Send + 'static> Way for Mailbox<M> {
    fn wake(&self) {
        Mailbox::wake(self);
    }

    fn shut(&self) {
        Mailbox::shut(self);
    }

    fn send_away(&self) {
        Mailbox::send_away(self);
    }

    fn stats(&self) -> Option<MailboxStats> {
        Some(Mailbox::stats(self))
    }

    fn foreign(&self) -> Option<&dyn ForeignControl> {
        None
    }
}

/// The way to another process.
struct Foreign(Box<dyn ForeignControl>);

impl Way for Foreign {
    fn wake(&self) {}

    fn shut(&self) {}

    fn send_away(&self) {}

    fn stats(&self) -> Option<MailboxStats> {
        None
    }

    fn foreign(&self) -> Option<&dyn ForeignControl> {
        Some(&*self.0)
    }
}

/// The controls of an actor in another process. A cluster implements this.
///
/// The requests are sent and forgotten, as they are locally: where there is no
/// session any more the actor counts as unreachable, which a watch reports.
pub trait ForeignControl: Any + Send + Sync {
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

    /// The number of the next key of a call to an actor of the same life of a node.
    fn next_call_key(&self) -> u64 {
        0
    }

    /// Puts the actor under a supervisor in this process. The listener is called exactly once,
    /// as that of a [`watch`](Self::watch), unless the link is over before; and the actor is
    /// killed where it lives if it cannot be reached from here any more.
    ///
    /// `false` if such actors cannot be linked; then the listener is dropped.
    fn link(&self, supervisor: ActorId, listener: Arc<dyn ExitListener>) -> bool {
        let _ = (supervisor, listener);
        false
    }

    /// Ends the link to a supervisor, if there is one. Its listener is not called any more,
    /// unless it is being called already.
    fn unlink(&self, supervisor: ActorId, why: Unlink) {
        let _ = (supervisor, why);
    }

    /// Takes an actor of this process under this one, which is its supervisor from now on;
    /// `false` if it cannot be one.
    fn adopt(&self, child: &ActorCell) -> bool {
        let _ = child;
        false
    }

    /// An actor of this process has another supervisor now, or none. Also called of one that has
    /// ended.
    fn disown(&self, child: ActorId) {
        let _ = child;
    }
}

/// Why an actor in another process is linked no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlink {
    /// It goes on without.
    Released,
    /// Its supervisor has ended, and it ends too.
    SupervisorEnded,
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

    /// Called instead, of a [link](ForeignControl::link), if the actor is put under another
    /// supervisor where it lives.
    fn on_unlinked(&self, actor: ActorId) {
        let _ = actor;
    }

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

impl<M> LocalCell<M> {
    pub(crate) fn actor_id(&self) -> ActorId {
        self.id
    }

    pub(crate) fn local(id: ActorId, name: Option<Arc<str>>, executor: Executor, way: Mailbox<M>) -> Self {
        Self { id, executor, state: LocalState::new(name), way }
    }

    /// The time on the actor's clock.
    pub(crate) fn now(&self) -> Instant {
        self.executor.now()
    }

    /// What is asked of the actor and where it is in its life.
    #[inline]
    pub(crate) fn word(&self) -> Word {
        self.state.word()
    }
}

impl<M> Owner<M> for LocalCell<M> {
    #[inline]
    fn mailbox(&self) -> &Mailbox<M> {
        &self.way
    }
}

impl Control {
    /// Said by whoever is about to wait for this actor's answer. Panics in one of the
    /// actor's own hooks, in builds with debug assertions: the answer could come only after
    /// the hook. What an attached future or another task waits for holds up no hook.
    #[inline(always)]
    pub(crate) fn refuse_self_call(&self) {
        if hook::is_polled(|| self.id) {
            self.panic_for_self_call();
        }
    }

    #[cold]
    fn panic_for_self_call(&self) -> ! {
        let (id, name) = (self.id, self.name().unwrap_or("without a name"));
        panic!(
            "actor {id} ({name}) calls itself and waits for the answer in its own hook, which has to end \
             before the call can be handled; cast instead, or let `pipe` wait for the answer"
        );
    }

    /// Said by whoever is about to wait for this actor's end, as
    /// [`refuse_self_call`](Self::refuse_self_call) is: the end could come only after the hook.
    fn refuse_self_wait(&self) {
        if hook::is_polled(|| self.id) {
            self.panic_for_self_wait();
        }
    }

    #[cold]
    fn panic_for_self_wait(&self) -> ! {
        let (id, name) = (self.id, self.name().unwrap_or("without a name"));
        panic!(
            "actor {id} ({name}) waits for its own end in its own hook, which has to end before; stop \
             or drain without waiting, or wait in a task of its own"
        );
    }

    /// The controls of an actor in another process. `executor` is the caller's:
    /// it tells the time that callers' timeouts run on.
    pub fn foreign(
        id: ActorId,
        name: Option<Arc<str>>,
        executor: Executor,
        control: Box<dyn ForeignControl>,
    ) -> Arc<Self> {
        Arc::new(Control { id, executor, state: LocalState::new(name), way: Foreign(control) })
    }

    /// The actor's id; the same on every node.
    pub fn id(&self) -> ActorId {
        self.id
    }

    /// The name it was spawned or published under.
    pub fn name(&self) -> Option<&str> {
        self.state.name()
    }

    /// Whether it lives in this process.
    pub fn is_local(&self) -> bool {
        self.way.foreign().is_none()
    }

    /// A key for one call that is to [run once](crate::ActorRef::call_once), however often it is asked. Make it
    /// right before the call: what is remembered of calls is forgotten in about the order of their keys.
    pub fn call_key(&self) -> CallKey {
        CallKey::new(self.id, self.way.foreign().map_or(0, ForeignControl::next_call_key))
    }

    /// Whether it lives in this process and handles each message in the span that it was sent in:
    /// [`SpawnOptions::traced`](crate::SpawnOptions::traced).
    pub fn is_traced(&self) -> bool {
        self.is_local() && self.state.word().has(Flag::Traced)
    }

    /// What a cluster made the address of an actor in another process [with](Self::foreign), if
    /// it is of this type.
    pub fn foreign_control<C: ForeignControl>(&self) -> Option<&C> {
        let control: &dyn Any = self.way.foreign()?;
        control.downcast_ref()
    }

    /// Whether it takes messages, if there is room: it has not ended, is not ending, and was not asked to drain.
    pub fn admits(&self) -> bool {
        match self.way.foreign() {
            None => self.state.word().admits(),
            Some(foreign) => foreign.status().admits(),
        }
    }

    /// Where it is in its life.
    pub fn status(&self) -> Status {
        match self.way.foreign() {
            None => self.state.word().status(),
            Some(foreign) => foreign.status(),
        }
    }

    /// How it ended; `None` while it has not, and of an actor in another process.
    pub fn exit(&self) -> Option<Exit> {
        self.as_local()?.known_exit()
    }

    /// What went through its mailbox; `None` if it lives in another process.
    pub fn mailbox_stats(&self) -> Option<MailboxStats> {
        self.way.stats()
    }

    /// Asks the actor to stop. The hook in hand finishes, messages still queued
    /// are dropped, `post_stop` runs. Only the first stop's reason counts; a
    /// stopped actor ignores it.
    pub fn stop(&self, reason: Option<&str>) {
        match self.route() {
            Route::Local(local) => local.stop(reason.map(Arc::from)),
            Route::Foreign(foreign) => foreign.request(ControlRequest::Stop(reason.map(Arc::from))),
        }
    }

    /// Ends the actor at its next await point. `post_stop` does not run. Code
    /// that never awaits cannot be interrupted.
    pub fn kill(&self) {
        match self.route() {
            Route::Local(local) => local.request(Flag::Kill),
            Route::Foreign(foreign) => foreign.request(ControlRequest::Kill),
        }
    }

    /// Lets the actor handle every message it has accepted, accepts no more, and
    /// then stops it. Once this has returned, no later send to a local actor is
    /// accepted; one that has work beside its mailbox may
    /// [finish that first](crate::ActorCell::on_drain).
    pub fn drain(&self) {
        match self.route() {
            Route::Local(local) => local.drain(),
            Route::Foreign(foreign) => foreign.request(ControlRequest::Drain),
        }
    }

    /// Waits until the actor has ended and says how. Any number of callers may
    /// wait, before and after its end. Dropping the future only ends the wait.
    ///
    /// Of a restartable actor it is the end of the life it is in, or of the next one if it
    /// is suspended.
    ///
    /// # Errors
    ///
    /// [`WaitError::TimedOut`]; the actor goes on.
    ///
    /// # Panics
    ///
    /// In builds with debug assertions, if one of the actor's own hooks awaits it, with a
    /// timeout or without: the end could come only after the hook. Other builds wait, for ever
    /// or until the timeout. What is [attached](crate::ActorCell::attach) may wait, until it
    /// ends with the life.
    pub async fn wait(&self, timeout: Option<Duration>) -> Result<Exit, WaitError> {
        self.refuse_self_wait();
        self.wait_anywhere(timeout).await
    }

    /// [`wait`](Self::wait) for whoever sees to it that the wait is not for ever.
    pub(crate) async fn wait_anywhere(&self, timeout: Option<Duration>) -> Result<Exit, WaitError> {
        self.within(timeout, self.exited()).await
    }

    /// [`stop`](Self::stop), and [`wait`](Self::wait), from before the request.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait); the request stands.
    ///
    /// # Panics
    ///
    /// As [`wait`](Self::wait), and then nothing was asked.
    pub async fn stop_and_wait(
        &self,
        reason: Option<&str>,
        timeout: Option<Duration>,
    ) -> Result<Exit, WaitError> {
        self.refuse_self_wait();
        let exit = self.exited();
        self.stop(reason);
        self.within(timeout, exit).await
    }

    /// [`kill`](Self::kill), and [`wait`](Self::wait), from before the request. In one of the
    /// actor's own hooks it does not panic: there the hook ends.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait); the request stands.
    pub async fn kill_and_wait(&self, timeout: Option<Duration>) -> Result<Exit, WaitError> {
        let exit = self.exited();
        self.kill();
        self.within(timeout, exit).await
    }

    /// [`drain`](Self::drain), and [`wait`](Self::wait), from before the request.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait); the request stands.
    ///
    /// # Panics
    ///
    /// As [`stop_and_wait`](Self::stop_and_wait).
    pub async fn drain_and_wait(&self, timeout: Option<Duration>) -> Result<Exit, WaitError> {
        self.refuse_self_wait();
        let exit = self.exited();
        self.drain();
        self.within(timeout, exit).await
    }

    /// Calls the listener exactly once when the actor ends; at once if it has
    /// ended already.
    pub fn watch_with(&self, listener: Arc<dyn ExitListener>) -> WatchId {
        match self.route() {
            Route::Local(local) => local.watch(self.id, listener),
            Route::Foreign(foreign) => foreign.watch(listener),
        }
    }

    /// Ends a watch. The listener is not called any more, unless it is being
    /// called already.
    pub fn unwatch(&self, watch: WatchId) {
        match self.route() {
            Route::Local(local) => local.unwatch(watch),
            Route::Foreign(foreign) => foreign.unwatch(watch),
        }
    }

    pub(crate) fn executor(&self) -> &Executor {
        &self.executor
    }

    pub(crate) fn as_foreign(&self) -> Option<&dyn ForeignControl> {
        self.way.foreign()
    }

    pub(crate) fn as_local(&self) -> Option<Local<'_>> {
        match self.route() {
            Route::Local(local) => Some(local),
            Route::Foreign(_) => None,
        }
    }

    fn route(&self) -> Route<'_> {
        match self.way.foreign() {
            None => Route::Local(Local::new(&self.state, &self.way)),
            Some(foreign) => Route::Foreign(foreign),
        }
    }

    async fn within(
        &self,
        timeout: Option<Duration>,
        exit: impl Future<Output = Exit>,
    ) -> Result<Exit, WaitError> {
        match timeout {
            None => Ok(exit.await),
            Some(timeout) => {
                self.executor.timeout(timeout, exit).await.map_err(|_| WaitError::TimedOut(timeout))
            }
        }
    }

    /// Begins to wait at once, not when the future is first polled: the end of a life that
    /// is asked for afterwards is not missed.
    fn exited(&self) -> impl Future<Output = Exit> + use<'_> {
        let (sender, receiver) = oneshot::channel();
        let watching = match self.route() {
            Route::Local(local) => {
                local.wait(sender);
                None
            }
            Route::Foreign(foreign) => {
                let watch = foreign.watch(Arc::new(Waiter(Mutex::new(Some(sender)))));
                Some(Watching { foreign, watch })
            }
        };
        async move {
            let _watching = watching;
            // The sender goes unused only if the actor's whole runtime is being torn down.
            receiver.await.unwrap_or(Exit::Cancelled)
        }
    }
}

/// Where an actor is to be reached.
enum Route<'a> {
    Local(Local<'a>),
    Foreign(&'a dyn ForeignControl),
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
        if let Some(name) = self.name() {
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
