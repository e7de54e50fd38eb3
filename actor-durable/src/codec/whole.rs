//! A serializer in front of another that refuses to leave a field out. What is stored does not say which fields it has, so whoever
//! reads it would take the next field for the one that is not there, and perhaps without an error: another value than was written.
//! Only of fields with names does serde tell that they are left out.

use std::cell::Cell;
use std::fmt::Display;

use serde::ser::{
    Error as _, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};
use serde::{Serialize, Serializer};

/// A value of which no field is left out, or the serializer behind, or a part of that; and where the name of a field is put that was
/// left out, as not all serializers keep what an error says.
pub(super) struct Whole<'f, T>(pub(super) T, pub(super) &'f Cell<Option<&'static str>>);

impl<T: Serialize + ?Sized> Serialize for Whole<'_, &T> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(Whole(serializer, self.1))
    }
}

/// What a value without parts is, is for the serializer behind to say.
macro_rules! plain {
    ($($method:ident($($name:ident: $type:ty),*);)*) => {
        $(
            #[inline]
            fn $method(self, $($name: $type),*) -> Result<S::Ok, S::Error> {
                self.0.$method($($name),*)
            }
        )*
    };
}

/// The parts of what has some are for this one.
macro_rules! compound {
    ($($method:ident($($name:ident: $type:ty),*) -> $compound:ident;)*) => {
        $(
            #[inline]
            fn $method(self, $($name: $type),*) -> Result<Whole<'f, S::$compound>, S::Error> {
                Ok(Whole(self.0.$method($($name),*)?, self.1))
            }
        )*
    };
}

impl<'f, S: Serializer> Serializer for Whole<'f, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Whole<'f, S::SerializeSeq>;
    type SerializeTuple = Whole<'f, S::SerializeTuple>;
    type SerializeTupleStruct = Whole<'f, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Whole<'f, S::SerializeTupleVariant>;
    type SerializeMap = Whole<'f, S::SerializeMap>;
    type SerializeStruct = Whole<'f, S::SerializeStruct>;
    type SerializeStructVariant = Whole<'f, S::SerializeStructVariant>;

    plain! {
        serialize_bool(value: bool);
        serialize_i8(value: i8);
        serialize_i16(value: i16);
        serialize_i32(value: i32);
        serialize_i64(value: i64);
        serialize_i128(value: i128);
        serialize_u8(value: u8);
        serialize_u16(value: u16);
        serialize_u32(value: u32);
        serialize_u64(value: u64);
        serialize_u128(value: u128);
        serialize_f32(value: f32);
        serialize_f64(value: f64);
        serialize_char(value: char);
        serialize_str(value: &str);
        serialize_bytes(value: &[u8]);
        serialize_none();
        serialize_unit();
        serialize_unit_struct(name: &'static str);
        serialize_unit_variant(name: &'static str, index: u32, variant: &'static str);
    }

    compound! {
        serialize_seq(len: Option<usize>) -> SerializeSeq;
        serialize_tuple(len: usize) -> SerializeTuple;
        serialize_tuple_struct(name: &'static str, len: usize) -> SerializeTupleStruct;
        serialize_tuple_variant(name: &'static str, index: u32, variant: &'static str, len: usize)
            -> SerializeTupleVariant;
        serialize_map(len: Option<usize>) -> SerializeMap;
        serialize_struct(name: &'static str, len: usize) -> SerializeStruct;
        serialize_struct_variant(name: &'static str, index: u32, variant: &'static str, len: usize)
            -> SerializeStructVariant;
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.0.serialize_some(&Whole(value, self.1))
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.0.serialize_newtype_struct(name, &Whole(value, self.1))
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.0.serialize_newtype_variant(name, index, variant, &Whole(value, self.1))
    }

    #[inline]
    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.0.collect_str(value)
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
}

/// What consists of values without names.
macro_rules! values {
    ($($trait:ident: $($method:ident),+;)*) => {
        $(
            impl<S: $trait> $trait for Whole<'_, S> {
                type Ok = S::Ok;
                type Error = S::Error;

                $(
                    #[inline]
                    fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
                        self.0.$method(&Whole(value, self.1))
                    }
                )+

                #[inline]
                fn end(self) -> Result<S::Ok, S::Error> {
                    self.0.end()
                }
            }
        )*
    };
}

values! {
    SerializeSeq: serialize_element;
    SerializeTuple: serialize_element;
    SerializeTupleStruct: serialize_field;
    SerializeTupleVariant: serialize_field;
    SerializeMap: serialize_key, serialize_value;
}

/// What consists of fields, none of which may be left out.
macro_rules! fields {
    ($($trait:ident),*) => {
        $(
            impl<S: $trait> $trait for Whole<'_, S> {
                type Ok = S::Ok;
                type Error = S::Error;

                #[inline]
                fn serialize_field<T: Serialize + ?Sized>(
                    &mut self,
                    name: &'static str,
                    value: &T,
                ) -> Result<(), S::Error> {
                    self.0.serialize_field(name, &Whole(value, self.1))
                }

                #[cold]
                fn skip_field(&mut self, name: &'static str) -> Result<(), S::Error> {
                    self.1.set(Some(name));
                    Err(S::Error::custom("a field is left out"))
                }

                #[inline]
                fn end(self) -> Result<S::Ok, S::Error> {
                    self.0.end()
                }
            }
        )*
    };
}

fields!(SerializeStruct, SerializeStructVariant);
