//! What derived code calls. Not for people: it may change without notice.

use actor_core::ReplyPort;

use super::decoder::Decoder;
use super::encoder::BLOCK_LENGTH_BYTES;
use super::error::{DecodeError, DecodeErrorKind};
use super::payload::{CallHeader, Wire};
use super::pending::{PendingReplies, PendingReply};
use super::reply::ReplyTo;

/// The fewest bytes that a field in a foreign form takes.
pub const BLOCK_BYTES_MIN: usize = BLOCK_LENGTH_BYTES;

/// Reads the field that errors call `place`.
#[inline]
pub fn field<T: Wire>(dec: &mut Decoder<'_>, place: &'static str) -> Result<T, DecodeError> {
    T::decode(dec).map_err(|error| error.within::<T>(place))
}

/// Reads the field that errors call `place` with another codec.
#[inline]
pub fn field_with<T>(
    dec: &mut Decoder<'_>,
    place: &'static str,
    read: impl FnOnce(&mut Decoder<'_>) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    read(dec).map_err(|error| error.within::<T>(place))
}

/// Ends the payload of a cast.
#[inline]
pub fn finish_cast(dec: &Decoder<'_>, reply: &Option<ReplyTo>) -> Result<(), DecodeError> {
    dec.finish()?;
    if reply.is_some() {
        return Err(dec.error(DecodeErrorKind::NotACast));
    }
    Ok(())
}

/// Ends the payload of a call. One that came as a cast has a caller who does not want
/// the answer.
#[inline]
pub fn finish_call<T: Wire + Send + 'static>(
    dec: &Decoder<'_>,
    reply: &mut Option<ReplyTo>,
) -> Result<ReplyPort<T>, DecodeError> {
    dec.finish()?;
    Ok(reply.take().map_or_else(ReplyPort::nobody, ReplyTo::into_port))
}

/// What the frame of a call says; `None` if nobody waits for the answer, so that it
/// travels as a cast.
#[inline]
pub fn call_header<T>(port: &ReplyPort<T>) -> Option<CallHeader> {
    (!port.is_nobody()).then(|| CallHeader::of(port))
}

/// The port of a call that goes to another node, if anybody waits at it.
#[inline]
pub fn pending_reply<T: Wire + Send + 'static>(
    port: ReplyPort<T>,
    pending: &mut PendingReplies,
) -> Option<PendingReply> {
    (!port.is_nobody()).then(|| pending.insert(port))
}
