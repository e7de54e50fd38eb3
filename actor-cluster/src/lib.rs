//! Run actors across processes.

mod authorize;
pub mod error;
mod event;
pub mod id;
pub mod limits;
mod names;
mod node;
mod session;
pub mod testing;
pub mod transport;
pub mod wire;

pub use authorize::{AllowPublished, Authorize, Operation};
pub use error::{ConnectError, FindError, HandshakeError, PublishError, StartError};
pub use event::{Events, NodeEvent, PeerInfo};
pub use id::{Incarnation, NodeId};
pub use node::{Mode, NodeBuilder, NodeServer, NodeSession};
pub use wire::{RemoteMessage, Wire};
