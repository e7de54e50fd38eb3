//! `#[derive(Wire)]` on every shape of type.

use std::collections::BTreeMap;

use actor_cluster::Wire;
use actor_cluster::wire::{
    DecodeError, DecodeErrorKind, Decoder, EncodeError, Encoder, TypeTag, VariantTag, WireContext,
    from_bytes, to_bytes,
};
use bytes::Bytes;
use proptest::prelude::*;

use super::{assert_survives, check};

#[derive(Clone, Debug, PartialEq, Wire)]
struct Unit;

#[derive(Clone, Debug, PartialEq, Wire)]
struct Tuple(u8, String);

#[derive(Clone, Debug, PartialEq, Wire)]
struct Named {
    id: u64,
    r#type: Option<Tuple>,
    body: Bytes,
}

#[derive(Clone, Debug, PartialEq, Wire)]
enum Shape {
    Nothing,
    Pair(u16, Box<Shape>),
    Record { name: String, parts: Vec<Shape> },
}

#[derive(Clone, Debug, PartialEq, Wire)]
struct Generic<T, const N: usize>
where
    T: Clone,
{
    many: [T; N],
    map: BTreeMap<String, T>,
    more: Vec<Generic<T, N>>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
enum Never {}

/// serde's derive, and no wire form.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Foreign {
    text: String,
    tree: Option<Box<Foreign>>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Parcel {
    #[prost(string, tag = "1")]
    label: String,
    #[prost(uint64, repeated, tag = "2")]
    weights: Vec<u64>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
struct Mixed {
    before: u8,
    #[wire(serde)]
    foreign: Foreign,
    #[wire(prost)]
    parcel: Parcel,
    #[wire(with = "as_text")]
    millis: i32,
    after: u8,
}

/// A codec of the user's own.
mod as_text {
    use super::*;

    pub(super) fn encode(value: &i32, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        value.to_string().encode(enc)
    }

    pub(super) fn decode(dec: &mut Decoder<'_>) -> Result<i32, DecodeError> {
        let text = String::decode(dec)?;
        text.parse().map_err(|error| dec.error(DecodeErrorKind::custom(error)))
    }
}

fn shapes() -> impl Strategy<Value = Shape> {
    Just(Shape::Nothing).prop_recursive(6, 24, 4, |inner| {
        prop_oneof![
            (any::<u16>(), inner.clone()).prop_map(|(n, shape)| Shape::Pair(n, Box::new(shape))),
            (any::<String>(), proptest::collection::vec(inner, 0..4))
                .prop_map(|(name, parts)| Shape::Record { name, parts }),
        ]
    })
}

fn foreign() -> impl Strategy<Value = Foreign> {
    any::<String>().prop_map(|text| Foreign { text, tree: None }).prop_recursive(4, 4, 1, |inner| {
        (any::<String>(), inner).prop_map(|(text, tree)| Foreign { text, tree: Some(Box::new(tree)) })
    })
}

#[test]
fn b04_derive_round_trips_every_type_shape() {
    assert_survives(&Unit);
    check(any::<(u8, String)>().prop_map(|(n, s)| Tuple(n, s)));
    check(any::<(u64, Option<String>, Vec<u8>)>().prop_map(|(id, s, body)| Named {
        id,
        r#type: s.map(|s| Tuple(1, s)),
        body: body.into(),
    }));
    check(shapes());
    check(any::<([u16; 2], BTreeMap<String, u16>)>().prop_map(|(many, map)| Generic {
        many,
        map: map.clone(),
        more: vec![Generic { many, map, more: vec![] }],
    }));
    check((any::<i32>(), foreign(), any::<(String, Vec<u64>)>()).prop_map(
        |(millis, foreign, (label, weights))| Mixed {
            before: 1,
            foreign,
            parcel: Parcel { label, weights },
            millis,
            after: 2,
        },
    ));
}

#[test]
fn tags_come_from_names_and_arguments() {
    assert_eq!(Shape::TYPE, TypeTag::named("actor-cluster::Shape"));
    let generic = TypeTag::named("actor-cluster::Generic");
    assert_eq!(Generic::<u16, 2>::TYPE, generic.with(u16::TYPE).with_const(2));
    assert_ne!(Generic::<u16, 2>::TYPE, Generic::<u16, 3>::TYPE);
    assert_ne!(Generic::<u16, 2>::TYPE, Generic::<u32, 2>::TYPE);
}

/// Every word that emitted code might trip over.
#[derive(Debug, PartialEq, Wire)]
#[expect(clippy::upper_case_acronyms, reason = "to resemble a constant")]
enum Words {
    Ok { enc: u8, dec: u8, field_0: u8, error: u8, variant: u8, r#self_: u8 },
    Err(Option<Result<u8, ()>>),
    Some,
    TAG(u8),
    r#Type(u8),
}

#[test]
fn no_name_of_the_user_clashes() {
    assert_survives(&Words::Ok { enc: 1, dec: 2, field_0: 3, error: 4, variant: 5, self_: 6 });
    assert_survives(&[Words::Err(None), Words::Some, Words::TAG(1), Words::Type(2)]);
}

/// What an older release of `Evolved` looked like.
mod before {
    use super::*;

    #[derive(Debug, PartialEq, Wire)]
    #[wire(name = "test/evolved")]
    pub(super) enum Evolved {
        First(u8),
        Second,
    }
}

#[derive(Debug, PartialEq, Wire)]
#[wire(name = "test/evolved")]
enum Evolved {
    Added,
    #[wire(name = "Second")]
    Renamed,
    First(u8),
}

#[test]
fn a_type_can_grow_move_and_be_renamed() {
    let context = WireContext::default();
    assert_eq!(Evolved::TYPE, before::Evolved::TYPE);
    let old = to_bytes(&[before::Evolved::First(7), before::Evolved::Second], &context).unwrap();
    assert_eq!(from_bytes::<[Evolved; 2]>(&old, &context).unwrap(), [Evolved::First(7), Evolved::Renamed]);
    let new = to_bytes(&Evolved::Added, &context).unwrap();
    let error = from_bytes::<before::Evolved>(&new, &context).unwrap_err();
    let variant = VariantTag::named("Added");
    assert_eq!(error.kind(), &DecodeErrorKind::UnknownVariant { variant });
}

#[test]
fn an_enum_without_variants_has_no_values() {
    let tag = to_bytes(&1_u64, &WireContext::default()).unwrap();
    let error = from_bytes::<Never>(&tag, &WireContext::default()).unwrap_err();
    assert!(matches!(error.kind(), DecodeErrorKind::UnknownVariant { .. }));
}

#[test]
fn errors_name_the_innermost_field() {
    let context = WireContext::default();
    let whole = to_bytes(&Tuple(1, "text".into()), &context).unwrap();
    let error = from_bytes::<Tuple>(&whole.slice(..4), &context).unwrap_err().to_string();
    assert!(error.starts_with("cannot decode Tuple.1 (alloc::string::String) at byte 2:"), "{error}");
    let broken = Bytes::from_static(&[2, b'x', b'y']);
    let error = from_bytes::<WithCodec>(&broken, &context).unwrap_err().to_string();
    assert_eq!(error, "cannot decode WithCodec.number (i32) at byte 3: invalid digit found in string");
}

#[derive(Debug, Wire)]
struct WithCodec {
    #[wire(with = "as_text")]
    number: i32,
}

/// The emitted paths can be redirected, for crates that re-export this one.
mod reexported {
    pub(super) mod facade {
        pub(in super::super) use actor_cluster::wire;
    }

    #[derive(Debug, PartialEq, actor_cluster::Wire)]
    #[wire(crate = "crate::derive::shapes::reexported::facade")]
    pub(super) struct Through(pub(super) u8);
}

#[test]
fn the_crate_can_be_elsewhere() {
    assert_survives(&reexported::Through(3));
}
