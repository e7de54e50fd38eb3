//! What a session lends to the codec. Lives here: the bounds on payloads, and room
//! for what refs inside messages will need. Must not live here: per-message state
//! (`encoder.rs`, `decoder.rs`).

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
}

impl Default for WireContext {
    fn default() -> Self {
        Self {
            payload_bytes_max: PAYLOAD_BYTES_MAX,
            depth_max: PAYLOAD_DEPTH_MAX,
            heap_bytes_max: PAYLOAD_HEAP_BYTES_MAX,
        }
    }
}
