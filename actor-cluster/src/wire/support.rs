//! What derived code calls. Not for people: it may change without notice.

use actor_core::ReplyPort;

use super::decoder::Decoder;
use super::encoder::{BLOCK_LENGTH_BYTES, Encoder};
use super::error::{DecodeError, DecodeErrorKind, EncodeError};
use super::payload::{CallHeader, Wire};
use super::pending::{PendingReplies, PendingReply};
use super::reply::ReplyTo;
pub use super::schema::Dialect;
use super::schema::{Form, Types};
use super::tag::{TypeTag, VariantTag};

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

/// Begins a value of several variants, unless the peer does not know this one.
#[inline]
pub fn put_variant<T: Wire>(
    enc: &mut Encoder<'_>,
    variant: VariantTag,
    name: &'static str,
) -> Result<(), EncodeError> {
    if enc.context().knows(T::TYPE, variant) {
        enc.put_variant(variant)
    } else {
        Err(EncodeError::UnknownVariant { type_name: std::any::type_name::<T>(), variant: name })
    }
}

/// Whether the peer knows a field that has a default, so that it is written.
#[inline]
pub fn writes(enc: &Encoder<'_>, owner: TypeTag, variant: VariantTag, field: usize) -> bool {
    enc.context().carries(owner, variant, field)
}

/// Whether the peer knows a field that has a default, and has written it.
#[inline]
pub fn reads(dec: &Decoder<'_>, owner: TypeTag, variant: VariantTag, field: usize) -> bool {
    dec.context().carries(owner, variant, field)
}

/// The port of a call.
pub trait Port {
    /// Describes the answer.
    fn describe(types: &mut Types) -> Form;
}

impl<T: Wire> Port for ReplyPort<T> {
    fn describe(types: &mut Types) -> Form {
        T::describe(types)
    }
}

/// Describes a field in a foreign form: by which codec, and what the program calls its type.
pub fn foreign(codec: &'static str, type_name: &'static str) -> Form {
    Form::named(codec).with(Form::named(type_name))
}

/// Describes a constant argument.
pub fn constant(value: u128) -> Form {
    Form::named(value.to_string())
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
    port: &mut ReplyPort<T>,
    pending: &mut PendingReplies,
) -> Option<PendingReply> {
    let port = std::mem::replace(port, ReplyPort::nobody());
    (!port.is_nobody()).then(|| pending.insert(port))
}
