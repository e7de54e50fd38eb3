//! What is too long for one frame is encoded outside of its session's lock: a gibibyte takes most of a second to copy,
//! and nobody else is to wait for that.
//!
//! ```text
//!  locked    send, answer ──► it does not fit into a frame; a message has its credit ──► Long
//!  unlocked  Reservation::encode, Encoded::of_reply
//!  locked    send_encoded, answer_encoded ──► parts of it, without a copy
//! ```

use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};

use super::send::PREFIX_BYTES_MAX;
use crate::wire::lanes::LaneId;
use crate::wire::schema::Dialect;
use crate::wire::{EncodeError, EncodeReply, Encoder, RemoteMessage, WireContext};

/// Credit for the longest message to an actor, and how its fields are to be encoded.
#[derive(Debug)]
#[must_use = "it has credit"]
pub(crate) struct Reservation {
    pub(super) actor: u64,
    pub(super) lane: LaneId,
    pub(super) credit: u64,
    /// In a box: it goes along with each result of a send.
    pub(super) context: Box<WireContext>,
}

impl Reservation {
    /// Encodes the fields of its message, however long they are.
    pub(crate) fn encode<M: RemoteMessage>(&self, message: &M) -> Result<Encoded, EncodeError> {
        Encoded::of::<M>(&self.context, |encoder| message.encode_fields(encoder))
    }

    /// Whether they were encoded as the peer is known to speak. What two builds have in common has one address.
    pub(super) fn speaks(&self, dialect: Option<&Arc<Dialect>>) -> bool {
        self.context.dialect.as_ref().map(Arc::as_ptr) == dialect.map(Arc::as_ptr)
    }
}

/// What came of encoding aside, until the session takes it: what it does not take is dropped outside of its lock.
pub(crate) type Outcome = Option<Result<Encoded, EncodeError>>;

/// A value that was encoded aside. There is room in front of it for what a frame says before it.
#[derive(Debug)]
pub(crate) struct Encoded(BytesMut);

impl Encoded {
    /// Runs the encoder of a `T`.
    pub(crate) fn of<T: ?Sized>(
        context: &WireContext,
        encode: impl FnOnce(&mut Encoder<'_>) -> Result<(), EncodeError>,
    ) -> Result<Self, EncodeError> {
        let mut bytes = BytesMut::zeroed(PREFIX_BYTES_MAX);
        EncodeError::contained::<T>(|| encode(&mut Encoder::new(&mut bytes, context)))?;
        let limit = context.payload_bytes_max;
        // A foreign codec may have misjudged its length.
        if bytes.len() - PREFIX_BYTES_MAX > limit {
            return Err(EncodeError::TooLarge { limit });
        }
        Ok(Self(bytes))
    }

    /// An answer.
    pub(crate) fn of_reply(context: &WireContext, value: &dyn EncodeReply) -> Result<Self, EncodeError> {
        Self::of::<dyn EncodeReply>(context, |encoder| value.encode_reply(encoder))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0[PREFIX_BYTES_MAX..]
    }

    /// The body of a frame that begins so.
    pub(super) fn behind(self, prefix: &[u8]) -> Bytes {
        let Self(mut body) = self;
        body.advance(PREFIX_BYTES_MAX - prefix.len());
        body[..prefix.len()].copy_from_slice(prefix);
        body.freeze()
    }
}
