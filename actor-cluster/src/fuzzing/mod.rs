//! What a peer, a file or a user may hand to this crate, and what must hold whatever it is: the
//! entries of the programs in `fuzz/`, behind the feature `fuzzing`. No part of the interface.
//!
//! Each takes any bytes and panics where a promise is broken. Bytes that begin a target's own
//! form of input are read by `arbitrary`; all others are taken as a peer would send them.

mod frames;
mod handshake;
mod membership;
mod names;
mod parts;
mod payload;
mod schema;
mod session;
#[cfg(test)]
mod tests;

pub use self::frames::{control, frames};
pub use self::handshake::handshake;
pub use self::membership::membership;
pub use self::names::names;
pub use self::parts::parts;
pub use self::payload::{payload, serde};
pub use self::schema::schema;
pub use self::session::session;
