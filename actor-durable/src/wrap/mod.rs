//! Actors and services that were written for something else, made durable: a plain [`actor_core::Actor`], whose state is kept
//! whole, and a `tower` service, whose requests are kept and run again.
//!
//! ```text
//!  command ─► turn ─► message with a ReplyTo ─► Actor::handle ─► state, reply      ┐
//!  request ─► turn ─► Service::call ───────────► the request as an event, response ┴─► staged, stored, told
//! ```
//!
//! Both are run by the engine that runs all durable actors. What is here says only how a turn of theirs is made.

mod actor;
mod calls;
mod ear;
mod reply_to;
mod service;

pub(crate) use self::actor::ByWrapping;
pub use self::actor::{WrapActor, WrapError, Wrapped};
pub use self::calls::{ServiceCalls, ServiceError};
pub use self::reply_to::ReplyTo;
pub(crate) use self::service::ByRequests;
#[cfg(any(test, feature = "testing"))]
pub(crate) use self::service::read_request;
pub use self::service::{WrapService, WrappedService};
