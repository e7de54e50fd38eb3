//! Bytes and values: what a payload looks like on the wire.
//!
//! ```text
//!  value ── Wire::encode ──► Encoder ──► the lane's buffer
//!                                              │  frames, sessions, transports
//!  value ◄── Wire::decode ── Decoder ◄── Bytes ┘  (not here)
//! ```
//!
//! Lives here: the traits [`Wire`] (a value) and [`RemoteMessage`] (a message of
//! an actor), their derives, the codec, and the bounds that keep a hostile payload
//! harmless. Must not live here: sessions, clocks, input and output.
//!
//! # The format
//!
//! | value | bytes |
//! |---|---|
//! | integers, floats | fixed size, little endian; `usize` as `u64` |
//! | `bool`, the tag of `Option` and `Result` | one byte, 0 or 1 |
//! | `char` | its scalar value as `u32` |
//! | text, bytes, lists, sets, maps | the count, then the elements |
//! | arrays, tuples, structs | the elements or fields in order |
//! | enums | the [`VariantTag`] in 8 bytes, then the fields |
//! | `#[wire(serde)]`, `#[wire(prost)]` | the byte length as `u32`, then that many bytes |
//! | `ActorRef<M>`, handles of `#[actor(remote)]` | whose actor it is, and the right to reach it |
//!
//! An address can be encoded and decoded in a session only, since it depends on who reads it.
//! A count is a LEB128 number of at most 32 bits in its shortest form. Nothing is
//! self-describing: both sides must agree on the types, and their [schemas](schema) are how
//! they find out whether they do.
//!
//! # What a change to a type does
//!
//! * Moving a type to another module, or reordering the variants of an enum: nothing.
//! * Adding a variant: where the peer does not know it, it is refused at its sender.
//! * Adding fields at the end with `#[wire(default)]`: peers that do not know them are not sent
//!   them, and what they send has the defaults.
//! * Renaming a variant, a field or a type: it becomes another one, unless
//!   `#[wire(name = "...")]` keeps the old name. The default name of a type is
//!   `package::Ident`, so two types of one package that share an identifier need
//!   `#[wire(name = "...")]` too.
//! * Adding other fields, removing, reordering or retyping them: **breaks the format**, as fields are
//!   known by their position. Nodes compare their types before they talk, and
//!   [`schema_lock!`](crate::schema_lock) before they are built.

pub(crate) mod annotation;
mod budget;
pub(crate) mod context;
pub(crate) mod control;
mod decoder;
mod encoder;
mod error;
pub(crate) mod frame;
pub(crate) mod hello;
mod impls;
mod kind;
pub(crate) mod lanes;
pub(crate) mod membership;
mod payload;
mod pending;
pub(crate) mod piece;
pub(crate) mod reference;
mod reply;
mod tag;
mod varint;

pub mod prost;
pub mod schema;
pub mod serde;
#[doc(hidden)]
pub mod support;

pub use actor_cluster_derive::{RemoteMessage, Wire};
pub use context::WireContext;
pub use decoder::Decoder;
pub use encoder::Encoder;
pub use error::{DecodeError, DecodeErrorKind, EncodeError};
pub use payload::{CallHeader, RemoteMessage, Urgency, Wire, from_bytes, to_bytes};
pub use pending::{PendingReplies, PendingReply};
pub use reply::{EncodeReply, ReplySink, ReplyTo};
pub use tag::{TypeTag, VariantTag};
