//! Values side by side: units, tuples, arrays, boxes. They add nothing to the bytes
//! of their parts.

use std::marker::PhantomData;

use crate::wire::schema::{Form, Types};
use crate::wire::{DecodeError, Decoder, EncodeError, Encoder, TypeTag, Wire};

impl Wire for () {
    const TYPE: TypeTag = TypeTag::named("tuple");
    const ENCODED_BYTES_MIN: usize = 0;

    fn describe(_: &mut Types) -> Form {
        Form::named("tuple")
    }

    #[inline]
    fn encode(&self, _: &mut Encoder<'_>) -> Result<(), EncodeError> {
        Ok(())
    }

    #[inline]
    fn decode(_: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(())
    }
}

macro_rules! tuple {
    ($($part:ident $index:tt),+) => {
        impl<$($part: Wire),+> Wire for ($($part,)+) {
            const TYPE: TypeTag = <()>::TYPE$(.with($part::TYPE))+;
            const ENCODED_BYTES_MIN: usize = 0_usize$(.saturating_add($part::ENCODED_BYTES_MIN))+;

            fn describe(types: &mut Types) -> Form {
                Form::named("tuple")$(.with($part::describe(types)))+
            }

            #[inline]
            fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
                $(self.$index.encode(enc)?;)+
                Ok(())
            }

            #[inline]
            fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                Ok(($($part::decode(dec)?,)+))
            }
        }
    };
}

tuple!(A 0);
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);

impl<T: Wire, const N: usize> Wire for [T; N] {
    const TYPE: TypeTag = TypeTag::named("array").with(T::TYPE).with_const(N as u128);
    const ENCODED_BYTES_MIN: usize = T::ENCODED_BYTES_MIN.saturating_mul(N);

    fn describe(types: &mut Types) -> Form {
        Form::named("array").with(T::describe(types)).with(Form::named(N.to_string()))
    }

    #[inline]
    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        T::encode_slice(self, enc)
    }

    #[inline]
    fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        T::decode_array(dec)
    }
}

/// Has the form of what is in the box.
impl<T: Wire> Wire for Box<T> {
    const TYPE: TypeTag = T::TYPE;
    const ENCODED_BYTES_MIN: usize = T::ENCODED_BYTES_MIN;

    fn describe(types: &mut Types) -> Form {
        T::describe(types)
    }

    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        enc.charge::<T>(1)?;
        T::encode(self, enc)
    }

    fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        dec.charge::<T>(1)?;
        T::decode(dec).map(Self::new)
    }
}

/// Has the form of `()`: it marks a type and holds nothing.
impl<T: ?Sized> Wire for PhantomData<T> {
    const TYPE: TypeTag = <()>::TYPE;
    const ENCODED_BYTES_MIN: usize = 0;

    fn describe(types: &mut Types) -> Form {
        <()>::describe(types)
    }

    #[inline]
    fn encode(&self, _: &mut Encoder<'_>) -> Result<(), EncodeError> {
        Ok(())
    }

    #[inline]
    fn decode(_: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self)
    }
}
