//! The codec of `#[wire(prost)]` fields: a block that holds the message's protobuf
//! form, so both sides may know different versions of it.
//!
//! prost bounds how deeply messages nest, not the memory they take: a repeated
//! message of two bytes may grow to its size in memory. Keep messages with large
//! structs in repeated fields out of types that strangers may send.

use ::prost::Message;

use super::{DecodeError, DecodeErrorKind, Decoder, EncodeError, Encoder};
use crate::limits::SHARED_BYTES_LEAST;

/// Appends the message.
///
/// # Errors
///
/// [`EncodeError::TooLarge`].
pub fn encode<M: Message>(message: &M, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
    enc.put_block(|enc| {
        let mut outcome = Ok(());
        enc.put_with(message.encoded_len(), |buffer| outcome = message.encode(buffer))?;
        outcome.map_err(EncodeError::custom::<M>)
    })
}

/// Reads a message.
///
/// # Errors
///
/// [`DecodeErrorKind::Custom`] where prost refuses the bytes, and as
/// [`Decoder::take_block`].
pub fn decode<M: Message + Default>(dec: &mut Decoder<'_>) -> Result<M, DecodeError> {
    let block = dec.take_block()?;
    // Fields of `Bytes` are shares of a `Bytes`, and copies of a slice.
    let decoded = if block.len() < SHARED_BYTES_LEAST { M::decode(&*block) } else { M::decode(block) };
    decoded.map_err(|error| dec.error(DecodeErrorKind::custom(error)))
}
