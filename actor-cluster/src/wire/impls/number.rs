//! Numbers, truth values and characters.

use std::num::NonZero;

use crate::wire::schema::{Form, Types};
use crate::wire::{DecodeError, DecodeErrorKind, Decoder, EncodeError, Encoder, TypeTag, Wire};

/// Bytes are moved in bulk, which is what makes `Vec<u8>` and `[u8; N]` fast.
impl Wire for u8 {
    const TYPE: TypeTag = TypeTag::named("u8");
    const ENCODED_BYTES_MIN: usize = 1;

    fn describe(_: &mut Types) -> Form {
        Form::named("u8")
    }

    #[inline]
    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        enc.put(&[*self])
    }

    #[inline]
    fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        dec.take_array().map(|[byte]| byte)
    }

    #[inline]
    fn encode_slice(values: &[Self], enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        enc.put(values)
    }

    #[inline]
    fn decode_vec(count: usize, dec: &mut Decoder<'_>) -> Result<Vec<Self>, DecodeError> {
        dec.take(count).map(<[u8]>::to_vec)
    }

    #[inline]
    fn decode_array<const N: usize>(dec: &mut Decoder<'_>) -> Result<[Self; N], DecodeError> {
        dec.take_array()
    }
}

/// How many numbers are put at a time: one check for all of them.
const AT_ONCE: usize = 32;

macro_rules! fixed_size {
    ($($number:ident)+) => {$(
        impl Wire for $number {
            const TYPE: TypeTag = TypeTag::named(stringify!($number));
            const ENCODED_BYTES_MIN: usize = size_of::<$number>();

            fn describe(_: &mut Types) -> Form {
                Form::named(stringify!($number))
            }

            #[inline]
            fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
                enc.put(&self.to_le_bytes())
            }

            #[inline]
            fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                dec.take_array().map($number::from_le_bytes)
            }

            fn encode_slice(values: &[Self], enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
                let mut bytes = [[0; size_of::<$number>()]; AT_ONCE];
                values.chunks(AT_ONCE).try_for_each(|values| {
                    let bytes = &mut bytes[..values.len()];
                    bytes.iter_mut().zip(values).for_each(|(place, value)| *place = value.to_le_bytes());
                    enc.put(bytes.as_flattened())
                })
            }

            /// One check for all of them, so that the loop is a copy.
            fn decode_vec(count: usize, dec: &mut Decoder<'_>) -> Result<Vec<Self>, DecodeError> {
                let bytes = dec.take(count.saturating_mul(size_of::<$number>()))?;
                let (values, _) = bytes.as_chunks();
                Ok(values.iter().copied().map($number::from_le_bytes).collect())
            }

            #[inline]
            fn decode_array<const N: usize>(dec: &mut Decoder<'_>) -> Result<[Self; N], DecodeError> {
                let (values, _) = dec.take(N * size_of::<$number>())?.as_chunks();
                Ok(std::array::from_fn(|index| $number::from_le_bytes(values[index])))
            }
        }
    )+};
}

fixed_size!(u16 u32 u64 u128 i8 i16 i32 i64 i128 f32 f64);

macro_rules! pointer_size {
    ($($number:ident as $wire:ident)+) => {$(
        /// Has the form of the 64-bit number. A number that this machine cannot hold
        /// is out of range.
        impl Wire for $number {
            const TYPE: TypeTag = $wire::TYPE;
            const ENCODED_BYTES_MIN: usize = $wire::ENCODED_BYTES_MIN;

            fn describe(types: &mut Types) -> Form {
                $wire::describe(types)
            }

            #[inline]
            fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
                (*self as $wire).encode(enc)
            }

            #[inline]
            fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                $wire::decode(dec)?.try_into().map_err(|_| dec.error(DecodeErrorKind::OutOfRange))
            }
        }
    )+};
}

pointer_size!(usize as u64 isize as i64);

macro_rules! non_zero {
    ($($number:ident)+) => {$(
        /// Has the form of the plain number. Zero is out of range.
        impl Wire for NonZero<$number> {
            const TYPE: TypeTag = $number::TYPE;
            const ENCODED_BYTES_MIN: usize = $number::ENCODED_BYTES_MIN;

            fn describe(types: &mut Types) -> Form {
                $number::describe(types)
            }

            #[inline]
            fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
                self.get().encode(enc)
            }

            #[inline]
            fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                Self::new($number::decode(dec)?).ok_or_else(|| dec.error(DecodeErrorKind::OutOfRange))
            }
        }
    )+};
}

non_zero!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize);

impl Wire for bool {
    const TYPE: TypeTag = TypeTag::named("bool");
    const ENCODED_BYTES_MIN: usize = 1;

    fn describe(_: &mut Types) -> Form {
        Form::named("bool")
    }

    #[inline]
    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        u8::from(*self).encode(enc)
    }

    #[inline]
    fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        match u8::decode(dec)? {
            0 => Ok(false),
            1 => Ok(true),
            tag => Err(dec.error(DecodeErrorKind::BadTag { tag })),
        }
    }
}

impl Wire for char {
    const TYPE: TypeTag = TypeTag::named("char");
    const ENCODED_BYTES_MIN: usize = size_of::<u32>();

    fn describe(_: &mut Types) -> Form {
        Form::named("char")
    }

    #[inline]
    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        u32::from(*self).encode(enc)
    }

    #[inline]
    fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        char::from_u32(u32::decode(dec)?).ok_or_else(|| dec.error(DecodeErrorKind::OutOfRange))
    }
}
