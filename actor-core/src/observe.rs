//! What happens in a system, as plain values, and who is told: [`Observer`].
//!
//! An actor of a system without an observer pays one test of a bit that it has loaded
//! anyway; see `runtime/drive/`. Everything else here is reached only with one.

use std::any::type_name;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::contain::contained;
use crate::executor::Executor;
use crate::exit::Exit;
use crate::id::ActorId;
use crate::sync::{AtomicU64, LockExt, Mutex, Ordering};

/// Hears what happens in a system, on the thread where it happens and before that thread
/// goes on: it must not block. No lock of this crate's is held. A panic is reported and
/// goes no further.
pub trait Observer: Send + Sync + 'static {
    /// Something happened.
    fn observe(&self, event: &Event);
}

/// Something that happened in a system.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// To an actor's life.
    Actor(ActorEvent),
    /// A message was handled.
    Message(MessageEvent),
    /// A supervisor decided something about a child.
    Supervisor(SupervisorEvent),
    /// A mailbox was too small.
    Mailbox(MailboxEvent),
    /// A message died.
    DeadLetter(DeadLetter),
    /// A message was sent to an address that leads to nobody.
    Unrouted(Unrouted),
}

/// Something happened to an actor's life.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ActorEvent {
    /// The actor.
    pub actor: ActorId,
    /// Its name, if it has one.
    pub name: Option<Arc<str>>,
    /// What happened.
    pub change: ActorChange,
}

/// What happened to an actor's life.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ActorChange {
    /// It exists; `pre_start` is next. With the name of its Rust type.
    Spawned(&'static str),
    /// `post_start` has ended, in its first life or in a later one.
    Started,
    /// Its life has ended, and another one may follow.
    Suspended(Exit),
    /// It has ended.
    Ended(Exit),
}

/// A message was handled, or its handler did not come to an end.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MessageEvent {
    /// Who handled it.
    pub actor: ActorId,
    /// The name of the Rust type of its messages.
    pub message: &'static str,
    /// How long that took, on the system's clock.
    pub took: Duration,
    /// Whether the handler ended, with whatever result; otherwise it panicked or was killed.
    pub has_ended: bool,
}

/// A supervisor decided something about a child.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SupervisorEvent {
    /// The supervisor.
    pub supervisor: ActorId,
    /// What it calls the child.
    pub child: Arc<str>,
    /// What it does.
    pub decision: SupervisorDecision,
}

/// What a supervisor does about a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SupervisorDecision {
    /// It lets it live again.
    Restart,
    /// It ends its life, because of a sibling or a failed health check.
    Halt,
    /// It kills it, since it did not stop in time.
    Kill,
    /// It lets it go for good.
    Release,
    /// It ends all its children and fails.
    Escalate,
}

/// A mailbox was too small.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MailboxEvent {
    /// Whose mailbox.
    pub actor: ActorId,
    /// What became of the message: see [`Overflow`](crate::Overflow).
    pub pressure: Pressure,
}

/// What became of a message for which there was no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pressure {
    /// It was given back.
    Refused,
    /// Its sender waits.
    Waits,
    /// It was dropped.
    DroppedNewest,
    /// The oldest one was dropped in its favour.
    DroppedOldest,
}

/// A message died: it will not be handled, and nobody has it. A call that dies between two nodes is
/// not one: its caller is told.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// To whom it was sent. Serial 0 where many kinds of casts are counted together; `message` then
    /// says so.
    pub to: ActorId,
    /// The name of the Rust type of that actor's messages. Between two nodes also `opaque<…>`, with
    /// the number of a type that the node does not know, and `of several types`, where many kinds of
    /// casts are counted together.
    pub message: Cow<'static, str>,
    /// Why it died.
    pub reason: DeadReason,
    /// How many died like this: one, except where nodes tell each other of many at once.
    pub count: u64,
    /// Between which nodes it went; `None` within one system.
    pub passage: Option<Passage>,
}

impl DeadLetter {
    /// Of a message to an actor of the same system.
    pub fn new(to: ActorId, message: impl Into<Cow<'static, str>>, reason: DeadReason) -> Self {
        Self { to, message: message.into(), reason, count: 1, passage: None }
    }

    /// So many died like this.
    #[must_use]
    pub fn with_count(self, count: u64) -> Self {
        Self { count, ..self }
    }

    /// They were under way between two nodes.
    #[must_use]
    pub fn with_passage(self, passage: Passage) -> Self {
        Self { passage: Some(passage), ..self }
    }
}

/// The way of a message that died between two nodes. Told of by libraries above this crate, through
/// [`ActorSystem::tell`](crate::ActorSystem::tell).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Passage {
    /// The other node, as its library writes it: actor-cluster writes a `NodeId`.
    pub peer: Arc<str>,
    /// Whether it came from that node or went there.
    pub direction: Direction,
    /// Which variant of the message's type it was, if that is known.
    pub variant: Option<Arc<str>>,
    /// What there is to say beside the reason: what could not be read, and why.
    pub detail: Option<Arc<str>>,
}

impl Passage {
    /// To or from that node. Nothing is known of the variant, and there is nothing else to say.
    pub fn new(peer: impl Into<Arc<str>>, direction: Direction) -> Self {
        Self { peer: peer.into(), direction, variant: None, detail: None }
    }
}

/// Which way a message went between this node and another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Direction {
    /// It came from the other node, and died here.
    Inbound,
    /// It went to the other node, and died there or on its way.
    Outbound,
}

/// Why a message died.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeadReason {
    /// Its actor ended before its turn came, or before what was to send it could: a timer, a
    /// pipe, a stream, a forwarded answer, an output port.
    Stopped,
    /// The mailbox had no room: see [`Overflow`](crate::Overflow).
    Dropped,
    /// It had [expired](crate::Sorting::expires_at) when its turn came.
    Expired,
    /// The actor's node knows no such actor, or the sender's node may not know of it: it has ended,
    /// is published no more, or never was.
    NoSuchActor,
    /// The sender's node may not send to the actor.
    Forbidden,
    /// The actor's node could not read it, or the actor takes messages of another type.
    Undecodable,
    /// Its actor had no room until the session ended in which it had come.
    SessionEnded,
    /// The session with the actor's node ended, and that node has not said that the message came. It
    /// may have, and may have been handled.
    Unacknowledged,
    /// The actor's node does not say why, or says what this version does not know.
    Unknown,
}

/// A message was sent to an address that leads to nobody. What routes by address tells of it
/// through [`ActorSystem::tell`](crate::ActorSystem::tell).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Unrouted {
    /// The address.
    pub address: Arc<str>,
    /// The name of the Rust type of the messages that are routed there.
    pub message: &'static str,
    /// Why it leads to nobody.
    pub reason: UnroutedReason,
}

impl Unrouted {
    /// A message of type `M` that was sent there.
    pub fn of<M>(address: &str, reason: UnroutedReason) -> Self {
        Self { address: address.into(), message: type_name::<M>(), reason }
    }
}

/// Why an address leads to nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnroutedReason {
    /// Nobody has it.
    Unknown,
    /// The actor that has it takes no more messages.
    Stopped,
}

/// Keeps what it hears, for tests. Clones share the record, which grows without bound. The
/// `EventRecorder` of actor-testkit can be waited for as well.
#[derive(Clone, Default)]
pub struct Recorder {
    events: Arc<Mutex<Vec<Event>>>,
}

impl Recorder {
    /// What happened so far.
    pub fn events(&self) -> Vec<Event> {
        self.events.locked().clone()
    }

    /// What happened since this was last called.
    pub fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.events.locked())
    }
}

impl Observer for Recorder {
    fn observe(&self, event: &Event) {
        self.events.locked().push(event.clone());
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&*self.events.locked()).finish()
    }
}

/// An observer and the actor it hears of.
pub(crate) struct Observation {
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) actor: ActorId,
    pub(crate) name: Option<Arc<str>>,
    /// Whose clock it is.
    executor: Executor,
    /// When the message in hand was taken, in nanoseconds, and one; zero without one.
    since: AtomicU64,
}

impl Observation {
    pub(crate) fn new(
        observer: Arc<dyn Observer>,
        executor: Executor,
        actor: ActorId,
        name: Option<Arc<str>>,
    ) -> Self {
        Self { observer, actor, name, executor, since: AtomicU64::new(0) }
    }

    pub(crate) fn emit(&self, event: &Event) {
        tell(&*self.observer, event);
    }

    pub(crate) fn actor(&self, change: ActorChange) {
        self.emit(&Event::Actor(ActorEvent { actor: self.actor, name: self.name.clone(), change }));
    }

    pub(crate) fn pressure(&self, pressure: Pressure) {
        self.emit(&Event::Mailbox(MailboxEvent { actor: self.actor, pressure }));
    }

    pub(crate) fn dead_letter<M>(&self, reason: DeadReason) {
        self.emit(&Event::DeadLetter(DeadLetter::new(self.actor, type_name::<M>(), reason)));
    }

    /// A message is about to be handled.
    pub(crate) fn begin_message(&self) {
        self.since.store(self.now_nanos().saturating_add(1), Ordering::Relaxed);
    }

    /// The message in hand is done with, if there is one.
    pub(crate) fn end_message<M>(&self, has_ended: bool) {
        let Some(since) = self.since.swap(0, Ordering::Relaxed).checked_sub(1) else { return };
        let took = Duration::from_nanos(self.now_nanos().saturating_sub(since));
        let message = type_name::<M>();
        self.emit(&Event::Message(MessageEvent { actor: self.actor, message, took, has_ended }));
    }

    fn now_nanos(&self) -> u64 {
        u64::try_from(self.executor.now().elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Tells an observer.
pub(crate) fn tell(observer: &dyn Observer, event: &Event) {
    contained("an observer", || observer.observe(event));
}
