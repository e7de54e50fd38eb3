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

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};

    use super::*;
    use crate::wire::WireContext;

    #[derive(Clone, PartialEq, ::prost::Message)]
    struct Blob {
        #[prost(bytes = "bytes", tag = "1")]
        bytes: Bytes,
    }

    #[test]
    fn bytes_of_a_long_message_share_its_memory_and_those_of_a_short_one_do_not() {
        let context = WireContext::default();
        for (length, is_shared) in [(10, false), (SHARED_BYTES_LEAST, true)] {
            let blob = Blob { bytes: vec![1; length].into() };
            let mut buffer = BytesMut::new();
            encode(&blob, &mut Encoder::new(&mut buffer, &context)).unwrap();
            let payload = buffer.freeze();
            let read: Blob = decode(&mut Decoder::within(&payload, 0..payload.len(), &context)).unwrap();
            assert_eq!(read, blob);
            assert_eq!(payload.as_ptr_range().contains(&read.bytes.as_ptr()), is_shared, "{length}");
        }
    }
}
