//! A deserializer that counts.
//!
//! postcard checks lengths but neither depth nor memory: a megabyte of `Some` would
//! overflow the stack of a type that contains itself, and a five-byte count of units
//! would keep a thread busy for hours. This wrapper stands between postcard and the
//! type, sees every value pass, and charges the payload's budget.
//!
//! Every value is handed to its type by a visitor, so that is where memory is charged;
//! every nested value through one of a visitor's five doors (some, newtype, seq, map,
//! enum), so those are where depth is counted. A value that lies within another is
//! charged with both: this is a bound, not an account.

use std::fmt;

use ::serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use crate::wire::budget::{Breach, Budget};

/// A payload's budget while a foreign codec spends it. serde's errors cannot carry
/// ours, so the first breach is kept here.
pub(super) struct Meter<'b> {
    budget: &'b mut Budget,
    breach: Option<Breach>,
}

impl<'b> Meter<'b> {
    pub(super) fn new(budget: &'b mut Budget) -> Self {
        Self { budget, breach: None }
    }

    pub(super) fn breach(&self) -> Option<Breach> {
        self.breach
    }

    fn nested<T, E: Error>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        self.charge::<T, E>()?;
        let entered = self.budget.enter();
        self.check(entered)?;
        let result = read(self);
        self.budget.leave();
        result
    }

    fn charge<T, E: Error>(&mut self) -> Result<(), E> {
        let charged = self.budget.charge::<T>(1);
        self.check(charged)
    }

    fn check<E: Error>(&mut self, outcome: Result<(), Breach>) -> Result<(), E> {
        outcome.map_err(|breach| {
            self.breach.get_or_insert(breach);
            E::custom("over a bound")
        })
    }
}

/// Any part of serde's machinery, with a meter: the traits below forward to `inner`
/// and wrap what passes through.
pub(super) struct Bounded<'m, 'b, I> {
    inner: I,
    meter: &'m mut Meter<'b>,
}

impl<'m, 'b, I> Bounded<'m, 'b, I> {
    pub(super) fn new(inner: I, meter: &'m mut Meter<'b>) -> Self {
        Self { inner, meter }
    }
}

macro_rules! forward_to_deserializer {
    ($($method:ident($($argument:ident: $type:ty),*))+) => {$(
        fn $method<V: Visitor<'de>>(
            self,
            $($argument: $type,)*
            visitor: V,
        ) -> Result<V::Value, Self::Error> {
            self.inner.$method($($argument,)* Bounded::new(visitor, self.meter))
        }
    )+};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Bounded<'_, '_, D> {
    type Error = D::Error;

    forward_to_deserializer! {
        deserialize_any() deserialize_bool()
        deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64() deserialize_i128()
        deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64() deserialize_u128()
        deserialize_f32() deserialize_f64() deserialize_char()
        deserialize_str() deserialize_string() deserialize_bytes() deserialize_byte_buf()
        deserialize_option() deserialize_unit() deserialize_seq() deserialize_map()
        deserialize_identifier() deserialize_ignored_any()
        deserialize_unit_struct(name: &'static str)
        deserialize_newtype_struct(name: &'static str)
        deserialize_tuple(len: usize)
        deserialize_tuple_struct(name: &'static str, len: usize)
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! forward_to_visitor {
    ($($method:ident($($value:ident: $type:ty)?))+) => {$(
        fn $method<E: Error>(self $(, $value: $type)?) -> Result<Self::Value, E> {
            self.meter.charge::<Self::Value, E>()?;
            self.inner.$method($($value)?)
        }
    )+};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Bounded<'_, '_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    forward_to_visitor! {
        visit_bool(value: bool) visit_char(value: char)
        visit_i8(value: i8) visit_i16(value: i16) visit_i32(value: i32)
        visit_i64(value: i64) visit_i128(value: i128)
        visit_u8(value: u8) visit_u16(value: u16) visit_u32(value: u32)
        visit_u64(value: u64) visit_u128(value: u128)
        visit_f32(value: f32) visit_f64(value: f64)
        visit_str(value: &str) visit_borrowed_str(value: &'de str) visit_string(value: String)
        visit_bytes(value: &[u8]) visit_borrowed_bytes(value: &'de [u8]) visit_byte_buf(value: Vec<u8>)
        visit_none() visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Self::Value, D::Error> {
        self.meter.nested(|meter| self.inner.visit_some(Bounded::new(inner, meter)))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Self::Value, D::Error> {
        self.meter.nested(|meter| self.inner.visit_newtype_struct(Bounded::new(inner, meter)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<Self::Value, A::Error> {
        self.meter.nested(|meter| self.inner.visit_seq(Bounded::new(inner, meter)))
    }

    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<Self::Value, A::Error> {
        self.meter.nested(|meter| self.inner.visit_map(Bounded::new(inner, meter)))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, inner: A) -> Result<Self::Value, A::Error> {
        self.meter.nested(|meter| self.inner.visit_enum(Bounded::new(inner, meter)))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Bounded<'_, '_, A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Self::Error> {
        self.inner.next_element_seed(Bounded::new(seed, self.meter))
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Bounded<'_, '_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Self::Error> {
        self.inner.next_key_seed(Bounded::new(seed, self.meter))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Self::Error> {
        self.inner.next_value_seed(Bounded::new(seed, self.meter))
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, 'm, 'b, A: EnumAccess<'de>> EnumAccess<'de> for Bounded<'m, 'b, A> {
    type Error = A::Error;
    type Variant = Bounded<'m, 'b, A::Variant>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self::Variant), Self::Error> {
        let (value, variant) = self.inner.variant_seed(Bounded::new(seed, &mut *self.meter))?;
        Ok((value, Bounded::new(variant, self.meter)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Bounded<'_, '_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), Self::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Self::Error> {
        self.inner.newtype_variant_seed(Bounded::new(seed, self.meter))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Self::Error> {
        self.inner.tuple_variant(len, Bounded::new(visitor, self.meter))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.inner.struct_variant(fields, Bounded::new(visitor, self.meter))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Bounded<'_, '_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<Self::Value, D::Error> {
        self.inner.deserialize(Bounded::new(inner, self.meter))
    }
}
