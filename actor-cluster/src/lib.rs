//! Run actors across processes: the same [`ActorRef`](actor_core::ActorRef) works
//! whether its actor is here or on another node.
//!
//! A [`NodeServer`] listens and dials through [transports](transport), holds one
//! session with each peer, and publishes actors to them. Messages are enums that
//! derive [`RemoteMessage`]:
//!
//! ```
//! use actor_cluster::testing::pipe::PipeNetwork;
//! use actor_cluster::transport::PeerIdentity;
//! use actor_cluster::{NodeId, NodeServer, RemoteMessage};
//! use actor_core::{Actor, ActorError, ActorRef, ActorSystem, ReplyPort, SpawnOptions};
//!
//! #[derive(RemoteMessage)]
//! enum Message {
//!     Add(u64),
//!     #[rpc]
//!     Get(ReplyPort<u64>),
//! }
//!
//! struct Counter;
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
//!             Message::Get(port) => drop(port.send(*n)),
//!         }
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Two nodes in one process, over pipes; `transport-tcp`, `transport-quic` and `transport-iroh` cross machines.
//! let network = PipeNetwork::new();
//! let node = |name: &str, key: u8, system: &ActorSystem| {
//!     let id = NodeId::from_bytes([key; 32]);
//!     let transport = network.transport(name).with_identity(PeerIdentity::Node(id));
//!     NodeServer::builder(id).name(name).system(system.clone()).transport(transport).start()
//! };
//! let (here, there) = (ActorSystem::new(), ActorSystem::new());
//! let (a, b) = (node("a", 1, &here).await?, node("b", 2, &there).await?);
//!
//! let counter = there.spawn(Counter, (), SpawnOptions::new()).await?;
//! b.publish("counter", &counter)?;
//!
//! a.connect(&b.addresses()[0]).await?;
//! let counter = a.find::<Message>("counter")?;
//! counter.cast(Message::Add(3))?;
//! assert_eq!(counter.call(Message::Get).await?, 3);
//! # Ok(())
//! # }
//! ```
//!
//! A type that only serde knows can be a message too, without a derive:
//! [`Serde`](wire::serde::Serde) and [`SerdeCall`](wire::serde::SerdeCall).
//!
//! # What holds
//!
//! * Messages from one sender to one actor arrive in the order they were sent, each once, for
//!   as long as the session lives. It outlives its connections: when they are cut, messages
//!   wait until there are others, and [nothing is lost](NodeBuilder::resume_timeout), repeated or
//!   overtaken.
//! * A call ends at the latest with its actor or its session, with an answer or
//!   with a [`CallError`](actor_core::CallError) that says when it never ran. For an
//!   actor that lives and does not answer there is
//!   [`call_timeout`](actor_core::ActorRef::call_timeout).
//! * A watch fires exactly once, at the latest when the session is lost.
//! * A peer that does not read makes senders wait, or gives their messages back;
//!   nothing grows without a [bound](limits).
//! * A peer reaches the actors that are published, and those whose address it was given, in a
//!   message or an answer; and each of its operations passes [`Authorize`].
//! * A supervisor hears of the end of an actor on another node that is linked to it once, and
//!   that one does not outlive it. [`spawn_on`](NodeServer::spawn_on) starts an actor once at
//!   most, and leaves nobody behind if there is no answer.
//! * User data never delays heartbeats and watches by more than one segment on a
//!   shared stream.
//!
//! A session ends when one of its nodes closes it, or begins another life, or when its
//! connections are lost for too long: [`NodeEvent::SessionLost`]. Addresses of actors keep
//! working once there is a session with the same life of their node again.

// Tests in here derive messages, and derives name this crate from outside.
#[cfg(any(test, feature = "fuzzing"))]
extern crate self as actor_cluster;

mod authorize;
mod contain;
pub mod error;
mod event;
mod external;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod id;
pub mod limits;
#[doc(hidden)]
pub mod lock;
mod locked;
mod membership;
mod names;
mod node;
mod once;
mod refusal;
mod rights;
mod session;
pub mod testing;
mod trace;
pub mod transport;
pub mod wire;

pub use authorize::denials::Denials;
pub use authorize::{AllowPublished, Authorize, Operation, PublishedAs, Subject};
pub use error::{ConnectError, FindError, HandshakeError, PublishError, SpawnOnError, StartError};
pub use event::{Events, GroupEvent, NodeEvent, PeerInfo, PublishedActor};
pub use external::ExternalStream;
pub use id::{Incarnation, NodeId};
pub use membership::events::{Clash, LostReason, Member, MemberEvent, Members};
pub use names::conflict::{Conflict, NameRule};
pub use node::{
    GroupEvents, MemberEvents, Mode, NodeBuilder, NodeGroups, NodeScope, NodeServer, NodeSession, Preference,
    StreamStatus,
};
pub use once::CallMemory;
pub use refusal::{RefusalCause, Refusals};
pub use rights::{Actors, Allow, Labels, Rights};
#[doc(hidden)]
pub use session::audit::{CreditAudit, LaneAudit, SessionAudit};
pub use session::handshake::{SecretError, Secrets};
pub use trace::{Propagator, TraceContext, TraceContextError};
pub use wire::{RemoteMessage, Wire};
