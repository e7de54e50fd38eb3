//! Texts and byte strings: a length in bytes, and the bytes.

use std::sync::Arc;

use bytes::Bytes;

use crate::wire::schema::{Form, Types};
use crate::wire::{DecodeError, Decoder, EncodeError, Encoder, TypeTag, Wire};

macro_rules! text {
    ($($text:ty)+) => {$(
        impl Wire for $text {
            const TYPE: TypeTag = TypeTag::named("text");
            const ENCODED_BYTES_MIN: usize = 1;

            fn describe(_: &mut Types) -> Form {
                Form::named("text")
            }

            fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
                enc.put_text(self)
            }

            fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                dec.take_text().map(Self::from)
            }
        }
    )+};
}

text!(String Box<str> Arc<str>);

/// Has the form of `Vec<u8>`, but a long one is decoded as a slice of the payload: nothing is
/// copied, and what was read together stays in memory while the slice lives. See
/// [`SHARED_BYTES_LEAST`](crate::limits::SHARED_BYTES_LEAST).
impl Wire for Bytes {
    const TYPE: TypeTag = Vec::<u8>::TYPE;
    const ENCODED_BYTES_MIN: usize = 1;

    fn describe(types: &mut Types) -> Form {
        Vec::<u8>::describe(types)
    }

    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        enc.put_length(self.len())?;
        enc.put(self)
    }

    fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        dec.take_bytes()
    }
}
