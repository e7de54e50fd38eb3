//! The messages of systems where each kind is a type of its own.

use tokio::sync::oneshot;

pub(crate) struct Add<const W: usize>(pub(crate) [u64; W]);
pub(crate) struct Get(pub(crate) u64);
pub(crate) struct Token(pub(crate) u64);
pub(crate) struct Next<R>(pub(crate) Box<R>);
pub(crate) struct Relay(pub(crate) u64);
pub(crate) struct Hold(pub(crate) oneshot::Receiver<()>);
pub(crate) struct Stamp(pub(crate) u64);
