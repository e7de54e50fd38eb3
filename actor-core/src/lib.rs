//! Run actors in this process.

pub mod error;
pub mod exit;
pub mod id;
pub mod reply;
pub mod time;

pub use error::{CallError, CallFailure, Rejection, SendError, SpawnError, WaitError};
pub use exit::{ActorError, Exit};
pub use id::{ActorId, Incarnation};
pub use reply::{Answer, ReplyFuture, ReplyPort};
pub use time::Instant;
