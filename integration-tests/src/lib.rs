//! What the demo and the scenarios share: nodes that can prove who they are over
//! real transports, and nodes that are processes of their own.
//!
//! ```text
//!  keys ── Authority ─► NodeKeys ──┬─► RunningNode        in this process
//!                                  └─► Invitation ── stdin ─► NodeProcess
//! ```
//!
//! Must not live here: what nodes do once they run. The demo's work is in
//! `bin/word-count/`, the tests' own actor in [`echo`].

pub mod chaos;
pub mod echo;
pub mod flood;
pub mod guest;
pub mod invitation;
pub mod keys;
pub mod playground;
pub mod shop;
pub mod siege;
pub mod tally;
pub mod vitals;
pub mod witness;

pub use actor_testkit::process::{self, NodeProcess};
pub use invitation::Invitation;
pub use keys::{Authority, NodeKeys, RunningNode, Way};

/// The README's programs, which run as written.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// The book's programs, which run as written.
#[cfg(doctest)]
#[doc = include_str!("../../docs/book/actors.md")]
struct Actors;

/// As [`Actors`].
#[cfg(doctest)]
#[doc = include_str!("../../docs/book/supervision.md")]
struct Supervision;

/// As [`Actors`].
#[cfg(doctest)]
#[doc = include_str!("../../docs/book/systems.md")]
struct Systems;

/// As [`Actors`].
#[cfg(doctest)]
#[doc = include_str!("../../docs/book/testing.md")]
struct Testing;

/// As [`Actors`].
#[cfg(doctest)]
#[doc = include_str!("../../docs/book/factory.md")]
struct Factory;

/// As [`Actors`].
#[cfg(doctest)]
#[doc = include_str!("../../docs/book/messaging.md")]
struct Messaging;

/// As [`Actors`].
#[cfg(doctest)]
#[doc = include_str!("../../docs/book/remote.md")]
struct Remote;

/// As [`Actors`].
#[cfg(doctest)]
#[doc = include_str!("../../docs/book/rights.md")]
struct Rights;
