//! What derived code calls. Not for people: it may change without notice.

use actor_core::ReplyPort;

use super::decoder::Decoder;
use super::encoder::BLOCK_LENGTH_BYTES;
use super::error::{DecodeError, DecodeErrorKind};
use super::payload::Wire;
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

/// Ends the payload of a call.
#[inline]
pub fn finish_call<T: Wire + Send + 'static>(
    dec: &Decoder<'_>,
    reply: &mut Option<ReplyTo>,
) -> Result<ReplyPort<T>, DecodeError> {
    dec.finish()?;
    let reply = reply.take().ok_or_else(|| dec.error(DecodeErrorKind::NotACall))?;
    Ok(reply.into_port())
}
