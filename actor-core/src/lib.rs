//! Run actors in this process: typed, supervised, with bounded mailboxes.
//!
//! An [`Actor`] handles one message at a time over a state of its own. Spawning
//! it gives an [`ActorRef`], the typed address that messages are sent to:
//!
//! ```
//! use actor_core::{Actor, ActorError, ActorRef, ReplyPort, Spawn, call, cast};
//!
//! struct Counter;
//!
//! enum Message {
//!     Add(u64),
//!     Get(ReplyPort<u64>),
//! }
//!
//! impl Actor for Counter {
//!     type Msg = Message;
//!     type State = u64;
//!     type Arguments = ();
//!
//!     async fn pre_start(&self, _: &ActorRef<Message>, _: ()) -> Result<u64, ActorError> {
//!         Ok(0)
//!     }
//!
//!     async fn handle(&self, _: &ActorRef<Message>, message: Message, n: &mut u64) -> Result<(), ActorError> {
//!         match message {
//!             Message::Add(by) => *n += by,
//!             Message::Get(port) => _ = port.send(*n),
//!         }
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let counter = Counter.spawn(()).await?;
//! cast!(counter, Message::Add(3))?;
//! assert_eq!(call!(counter, Message::Get)?, 3);
//! counter.stop_and_wait(None, None).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Less to write: with [`#[actor]`](macro@actor) a plain struct is an actor, its
//! methods are its messages, and its reference has a method for each.
//!
//! ```
//! use actor_core::actor;
//!
//! struct Counter(u64);
//!
//! #[actor]
//! impl Counter {
//!     fn add(&mut self, by: u64) -> u64 {
//!         self.0 += by;
//!         self.0
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let counter = Counter(40).spawn().await?;
//! assert_eq!(counter.add(2).await?, 42);
//! # Ok(())
//! # }
//! ```
//!
//! # What holds
//!
//! * One hook of an actor runs at a time; messages of one sender arrive in order.
//! * A kill comes before a stop, a stop before supervision events, those before
//!   messages. A stop drops the queue, a drain finishes it.
//! * A full mailbox makes [`ActorRef::send`] wait and [`ActorRef::cast`] give the
//!   message back. Stop, kill and supervision are never held up by it.
//! * An actor that ends frees its name, then runs `post_stop`, then kills its
//!   children, then tells those who watch and supervise it.
//!
//! This crate knows nothing of networks, disks or serialization. Time, tasks and
//! randomness come from an [`Executor`].

mod actor;
mod address;
mod attach;
mod attached;
mod census;
mod contain;
mod error;
mod event;
pub mod executor;
mod exit;
mod groups;
mod hook;
mod id;
mod key;
mod lifecycle;
pub mod limits;
mod links;
#[doc(hidden)]
pub mod macro_support;
mod macros;
mod mailbox;
mod observe;
pub mod output;
mod owned;
mod pace;
mod plain;
mod recipient;
mod registry;
mod reply;
mod request;
mod runtime;
mod supervise;
mod supervisor;
mod sync;
mod system;
mod time;
mod trace;

pub use actor::{Actor, LocalActor};
pub use actor_core_derive::actor;
pub use address::{
    ActorCell, ActorRef, Attempt, Control, ControlRequest, Deliver, ExitListener, ForeignControl, Unlink,
    WatchId, WeakActorCell, WeakActorRef, WrongType, multi_call,
};
pub use attach::{Attachment, MissedTicks};
pub use error::{CallError, CallFailure, Rejection, SendError, SpawnError, WaitError};
pub use event::{BoxedState, GroupChange, SupervisionEvent};
pub use executor::Executor;
pub use exit::{ActorError, ErrorAction, Exit};
pub use groups::{Groups, JoinError, Scope};
pub use id::{ActorId, Incarnation};
pub use key::{CallKey, KeyedAsk};
pub use lifecycle::Status;
pub use links::LinkError;
pub use mailbox::{Capacity, MailboxStats, Overflow, Priority, Sorting};
pub use observe::{
    ActorChange, ActorEvent, DeadLetter, DeadReason, Direction, Event, MailboxEvent, MessageEvent, Observer,
    Passage, Pressure, Recorder, SupervisorDecision, SupervisorEvent, Unrouted, UnroutedReason,
};
pub use output::{Backlog, BacklogError, OutputFull, OutputPort, Subscription, SubscriptionEnd, WhenFull};
pub use owned::{OwnedSystem, ShutdownReport};
pub use plain::{Context, LocalSpawning, Spawning, Start, TypedRef};
pub use recipient::{CallRecipient, Recipient, WeakCallRecipient, WeakRecipient};
pub use reply::{Answer, Destination, ReplyFuture, ReplyPort};
pub use request::{Accepts, Answers, Call, CallFuture, Cast, OnceCall, SendFuture};
pub use runtime::{Colocation, LocalSpawner, Spawn, SpawnOptions, Starting};
pub use supervise::{Backoff, Intensity, Restart, Shutdown, Strategy};
pub use supervisor::{
    ChildInfo, ChildSpec, ChildState, HealthCheck, SpecError, Supervisor, SupervisorBuilder, SupervisorError,
    SupervisorMessage, SupervisorRef, SupervisorState,
};
pub use system::{ActorSystem, SystemBuilder};
pub use time::Instant;

/// The local actor of the [current](ActorSystem::current) system that holds a
/// name.
pub fn where_is(name: &str) -> Option<ActorCell> {
    ActorSystem::current().where_is(name)
}
