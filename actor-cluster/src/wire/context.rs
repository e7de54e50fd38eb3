//! What a session lends to the codec. Lives here: the bounds on payloads, what the peer's build
//! does not know, and whom addresses in payloads are put to. Must not live here: per-message
//! state (`encoder.rs`, `decoder.rs`).

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use super::schema::Dialect;
use super::tag::{TypeTag, VariantTag};
use crate::limits::{PAYLOAD_BYTES_MAX, PAYLOAD_DEPTH_MAX, PAYLOAD_HEAP_BYTES_MAX};

/// What a session lends to every [`Encoder`](super::Encoder) and
/// [`Decoder`](super::Decoder).
///
/// Make one with [`Default`] and change what should differ; more will be added.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WireContext {
    /// The most bytes an encoded payload may take. Checked by the encoder; whoever
    /// reads frames checks it before there is anything to decode.
    pub payload_bytes_max: usize,
    /// The most derived types that may be nested in each other. Checked on both
    /// sides, because each level takes stack.
    pub depth_max: u32,
    /// The most heap memory that the lists, maps, texts and boxes of one decoded
    /// payload may ask for. Without it a peer could name a few megabytes of values
    /// that are a byte on the wire and a kilobyte in memory. Checked on both sides,
    /// but for fields in serde's form, which are counted where they are decoded.
    pub heap_bytes_max: usize,
    /// What the peer's build does not know of this one's types. Usually there is nothing.
    pub(crate) dialect: Option<Arc<Dialect>>,
    /// Who knows the actors behind addresses in a payload; nobody, outside a session.
    pub(crate) switchboard: Option<Switchboard>,
}

impl WireContext {
    /// This context, for a peer that was built with another version of a message type.
    #[must_use]
    pub fn speaking(&self, dialect: Arc<Dialect>) -> Self {
        Self { dialect: Some(dialect), ..self.clone() }
    }

    /// Whether the peer knows a variant.
    #[inline]
    pub(super) fn knows(&self, message: TypeTag, variant: VariantTag) -> bool {
        self.dialect.as_ref().is_none_or(|dialect| dialect.knows(message, variant))
    }

    /// Whether a field, counted from 0, is written and read.
    #[inline]
    pub(super) fn carries(&self, message: TypeTag, variant: VariantTag, field: usize) -> bool {
        self.dialect.as_ref().is_none_or(|dialect| dialect.carries(message, variant, field))
    }
}

/// What a node lends to its sessions' codecs. They pass it on; what it is only
/// `node/references.rs` knows.
#[derive(Clone)]
pub(crate) struct Switchboard(Arc<dyn Any + Send + Sync>);

impl Switchboard {
    pub(crate) fn new(board: impl Any + Send + Sync) -> Self {
        Self(Arc::new(board))
    }

    pub(crate) fn get<T: Any>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

impl fmt::Debug for Switchboard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Switchboard")
    }
}

impl Default for WireContext {
    fn default() -> Self {
        Self {
            payload_bytes_max: PAYLOAD_BYTES_MAX,
            depth_max: PAYLOAD_DEPTH_MAX,
            heap_bytes_max: PAYLOAD_HEAP_BYTES_MAX,
            dialect: None,
            switchboard: None,
        }
    }
}
