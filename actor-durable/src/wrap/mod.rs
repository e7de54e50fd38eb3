//! Existing actors and services made durable: a plain [`actor_core::Actor`], whose state is kept whole, and a `tower` service,
//! whose requests are kept and replayed.
//!
//! ```text
//!  command ─► turn ─► message with a ReplyTo ─► Actor::handle ─► state, reply      ┐
//!  request ─► turn ─► Service::call ───────────► the request as an event, response ┴─► staged, stored, told
//! ```
//!
//! The engine that runs all durable actors runs both. The code here only says how their turns are made.

mod actor;
mod myself;
mod reply_to;
mod service;

pub(crate) use self::actor::ByWrapping;
pub use self::actor::{WrapActor, WrapError, Wrapped};
pub use self::reply_to::ReplyTo;
pub(crate) use self::service::ByRequests;
#[cfg(any(test, feature = "testing"))]
pub(crate) use self::service::read_request;
pub use self::service::{WrapService, WrappedService};
