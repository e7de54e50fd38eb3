//! Lists, sets and maps: a count, and the elements. Lists share one tag because
//! they share one form; so do sets, and maps.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, Hash};

use crate::wire::schema::{Form, Types};
use crate::wire::{DecodeError, DecodeErrorKind, Decoder, EncodeError, Encoder, TypeTag, Wire};

const LIST: TypeTag = TypeTag::named("list");
const SET: TypeTag = TypeTag::named("set");
const MAP: TypeTag = TypeTag::named("map");

impl<T: Wire> Wire for Vec<T> {
    const TYPE: TypeTag = LIST.with(T::TYPE);
    const ENCODED_BYTES_MIN: usize = 1;

    fn describe(types: &mut Types) -> Form {
        Form::named("list").with(T::describe(types))
    }

    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        enc.put_count::<T>(self.len())?;
        T::encode_slice(self, enc)
    }

    fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let count = dec.take_count::<T>()?;
        T::decode_vec(count, dec)
    }
}

impl<T: Wire> Wire for Box<[T]> {
    const TYPE: TypeTag = LIST.with(T::TYPE);
    const ENCODED_BYTES_MIN: usize = 1;

    fn describe(types: &mut Types) -> Form {
        Form::named("list").with(T::describe(types))
    }

    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        enc.put_count::<T>(self.len())?;
        T::encode_slice(self, enc)
    }

    fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Vec::decode(dec).map(Vec::into_boxed_slice)
    }
}

impl<T: Wire> Wire for VecDeque<T> {
    const TYPE: TypeTag = LIST.with(T::TYPE);
    const ENCODED_BYTES_MIN: usize = 1;

    fn describe(types: &mut Types) -> Form {
        Form::named("list").with(T::describe(types))
    }

    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        enc.put_count::<T>(self.len())?;
        let (front, back) = self.as_slices();
        T::encode_slice(front, enc)?;
        T::encode_slice(back, enc)
    }

    fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Vec::decode(dec).map(Self::from)
    }
}

/// The elements come in any order, so equal sets may differ in their bytes.
impl<T, S> Wire for HashSet<T, S>
where
    T: Wire + Eq + Hash,
    S: BuildHasher + Default,
{
    const TYPE: TypeTag = SET.with(T::TYPE);
    const ENCODED_BYTES_MIN: usize = 1;

    fn describe(types: &mut Types) -> Form {
        Form::named("set").with(T::describe(types))
    }

    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        enc.put_count::<T>(self.len())?;
        self.iter().try_for_each(|value| value.encode(enc))
    }

    fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let count = dec.take_count::<T>()?;
        let mut set = Self::with_capacity_and_hasher(count, S::default());
        for _ in 0..count {
            let is_new = set.insert(T::decode(dec)?);
            refuse_duplicate(is_new, dec)?;
        }
        Ok(set)
    }
}

impl<T: Wire + Ord> Wire for BTreeSet<T> {
    const TYPE: TypeTag = SET.with(T::TYPE);
    const ENCODED_BYTES_MIN: usize = 1;

    fn describe(types: &mut Types) -> Form {
        Form::named("set").with(T::describe(types))
    }

    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        enc.put_count::<T>(self.len())?;
        self.iter().try_for_each(|value| value.encode(enc))
    }

    fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let count = dec.take_count::<T>()?;
        let mut set = Self::new();
        for _ in 0..count {
            let is_new = set.insert(T::decode(dec)?);
            refuse_duplicate(is_new, dec)?;
        }
        Ok(set)
    }
}

/// The entries come in any order, so equal maps may differ in their bytes.
impl<K, V, S> Wire for HashMap<K, V, S>
where
    K: Wire + Eq + Hash,
    V: Wire,
    S: BuildHasher + Default,
{
    const TYPE: TypeTag = MAP.with(K::TYPE).with(V::TYPE);
    const ENCODED_BYTES_MIN: usize = 1;

    fn describe(types: &mut Types) -> Form {
        Form::named("map").with(K::describe(types)).with(V::describe(types))
    }

    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        enc.put_count::<(K, V)>(self.len())?;
        self.iter().try_for_each(|(key, value)| key.encode(enc).and_then(|()| value.encode(enc)))
    }

    fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let count = dec.take_count::<(K, V)>()?;
        let mut map = Self::with_capacity_and_hasher(count, S::default());
        for _ in 0..count {
            let (key, value) = Wire::decode(dec)?;
            let is_new = map.insert(key, value).is_none();
            refuse_duplicate(is_new, dec)?;
        }
        Ok(map)
    }
}

impl<K: Wire + Ord, V: Wire> Wire for BTreeMap<K, V> {
    const TYPE: TypeTag = MAP.with(K::TYPE).with(V::TYPE);
    const ENCODED_BYTES_MIN: usize = 1;

    fn describe(types: &mut Types) -> Form {
        Form::named("map").with(K::describe(types)).with(V::describe(types))
    }

    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        enc.put_count::<(K, V)>(self.len())?;
        self.iter().try_for_each(|(key, value)| key.encode(enc).and_then(|()| value.encode(enc)))
    }

    fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let count = dec.take_count::<(K, V)>()?;
        let mut map = Self::new();
        for _ in 0..count {
            let (key, value) = Wire::decode(dec)?;
            let is_new = map.insert(key, value).is_none();
            refuse_duplicate(is_new, dec)?;
        }
        Ok(map)
    }
}

/// A key that comes twice would silently lose a value.
fn refuse_duplicate(is_new: bool, dec: &Decoder<'_>) -> Result<(), DecodeError> {
    if is_new { Ok(()) } else { Err(dec.error(DecodeErrorKind::DuplicateKey)) }
}
