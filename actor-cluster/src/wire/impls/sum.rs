//! Values that are one of two: a byte says which.
//!
//! Their least size counts that byte alone. Asking the parts would make the size of
//! a type that contains itself, as in `Option<Box<Self>>`, depend on itself.

use crate::wire::schema::{Form, Types};
use crate::wire::{DecodeError, DecodeErrorKind, Decoder, EncodeError, Encoder, TypeTag, Wire};

/// 0 is `None`, 1 is `Some`.
impl<T: Wire> Wire for Option<T> {
    const TYPE: TypeTag = TypeTag::named("option").with(T::TYPE);
    const ENCODED_BYTES_MIN: usize = 1;

    fn describe(types: &mut Types) -> Form {
        Form::named("option").with(T::describe(types))
    }

    #[inline]
    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        match self {
            None => enc.put(&[0]),
            Some(value) => {
                enc.put(&[1])?;
                value.encode(enc)
            }
        }
    }

    #[inline]
    fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        match u8::decode(dec)? {
            0 => Ok(None),
            1 => T::decode(dec).map(Some),
            tag => Err(dec.error(DecodeErrorKind::BadTag { tag })),
        }
    }
}

/// 0 is `Ok`, 1 is `Err`.
impl<T: Wire, E: Wire> Wire for Result<T, E> {
    const TYPE: TypeTag = TypeTag::named("result").with(T::TYPE).with(E::TYPE);
    const ENCODED_BYTES_MIN: usize = 1;

    fn describe(types: &mut Types) -> Form {
        Form::named("result").with(T::describe(types)).with(E::describe(types))
    }

    #[inline]
    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        match self {
            Ok(value) => {
                enc.put(&[0])?;
                value.encode(enc)
            }
            Err(error) => {
                enc.put(&[1])?;
                error.encode(enc)
            }
        }
    }

    #[inline]
    fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        match u8::decode(dec)? {
            0 => T::decode(dec).map(Ok),
            1 => E::decode(dec).map(Err),
            tag => Err(dec.error(DecodeErrorKind::BadTag { tag })),
        }
    }
}
