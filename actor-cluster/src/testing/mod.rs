//! What tests of clusters and of transports are made of: a transport in memory
//! and the contract every transport must keep. Must not live here: anything a
//! node needs in production.

mod form;
#[cfg(test)]
pub(crate) mod pair;
pub mod pipe;
pub mod transport_suite;

pub use form::is_full;
pub use pipe::{PipeNetwork, PipeTransport, pipe, pipe_between};
