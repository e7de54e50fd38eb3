//! Schemas as data: what is written can be read, what is compared is compared alike from both sides, and
//! nothing that a peer says does harm.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::compare::compare_all;
use super::text::Name;
use super::{Definition, Field, Fingerprint, Form, Kind, Schema, Variant, parse};
use crate::limits::{SCHEMA_BYTES_MAX, SCHEMA_DEPTH_MAX};
use crate::wire::RemoteMessage;

/// The text and its hash are part of the protocol.
#[test]
fn a_schema_is_frozen() {
    #[derive(RemoteMessage)]
    #[wire(name = "test/letter")]
    enum Letter {
        Note(u32),
        #[rpc]
        Ask(actor_core::ReplyPort<Option<u32>>, #[wire(default)] String),
    }
    let schema = Schema::of::<Letter>();
    let text = "message test/letter\n  Ask -> option<u32>\n    1: text = default\n  Note\n    0: u32\n";
    assert_eq!(schema.to_string(), text);
    assert_eq!(schema.fingerprint(), Fingerprint::from_u64(0x1bf1_2f8d_36ea_b4da));
    assert_eq!(parse(text).unwrap().fingerprint(), schema.fingerprint());
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-c]", 1 => "[a-z:/ \"\\\\\n\r<>,#é]{1,6}"]
}

fn form(depth: u32) -> BoxedStrategy<Form> {
    let leaf = name().prop_map(Form::named);
    leaf.prop_recursive(depth, 8, 2, |inner| {
        (name(), proptest::collection::vec(inner, 0..3))
            .prop_map(|(name, arguments)| arguments.into_iter().fold(Form::named(name), Form::with))
    })
    .boxed()
}

fn field() -> impl Strategy<Value = Field> {
    (name(), form(2), any::<bool>()).prop_map(|(name, form, has_default)| Field { name, form, has_default })
}

fn variant() -> impl Strategy<Value = Variant> {
    (proptest::option::of(form(1)), proptest::collection::vec(field(), 0..3))
        .prop_map(|(answer, fields)| Variant { answer, fields })
}

fn definition() -> impl Strategy<Value = Definition> {
    let variants = || proptest::collection::btree_map(name(), variant(), 0..3);
    prop_oneof![
        variants().prop_map(|variants| Definition { kind: Kind::Enum, variants }),
        variant().prop_map(|variant| {
            let variant = Variant { answer: None, ..variant };
            Definition { kind: Kind::Struct, variants: BTreeMap::from([(String::new(), variant)]) }
        }),
    ]
}

fn schema() -> impl Strategy<Value = Schema> {
    let message = proptest::collection::btree_map(name(), variant(), 0..4);
    (message, proptest::collection::vec((form(1), definition()), 0..5)).prop_map(|(variants, others)| {
        let root = Form::named("root");
        let mut definitions: BTreeMap<_, _> =
            others.into_iter().map(|(form, definition)| (form.to_string(), definition)).collect();
        definitions.insert(root.to_string(), Definition { kind: Kind::Message, variants });
        Schema::new(root, definitions, BTreeMap::new())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_can_be_read(schema in schema()) {
        let read = parse(schema.as_str()).map_err(|error| TestCaseError::fail(format!("{error}\n{schema}")))?;
        prop_assert_eq!(&read.definitions, &schema.definitions);
        prop_assert_eq!(read.as_str(), schema.as_str());
        prop_assert_eq!(read.fingerprint(), schema.fingerprint());
    }

    #[test]
    fn a_name_survives(name in any::<String>()) {
        let form = Form::named(name.clone()).with(Form::named(name.clone()));
        let text = format!("message {form}\n  {}\n    {}: {form}\n", Name(&name), Name(&name));
        let read = parse(&text).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
        prop_assert_eq!(&read.root, &form);
        prop_assert_eq!(&read.definitions[&form.to_string()].variants[&name].fields[0].name, &name);
    }

    /// Both sides find the same things, in their own words, or none.
    #[test]
    fn a_comparison_is_the_same_from_both_sides(a in schema(), b in schema()) {
        let places = |schema: &Schema, other: &Schema| {
            let mut places: Vec<_> = compare_all(schema, other).1.into_iter().map(|found| found.place).collect();
            places.iter_mut().for_each(|place| place.field = None);
            places.sort_by_key(|place| format!("{place:?}"));
            places
        };
        prop_assert_eq!(places(&a, &b), places(&b, &a));
        prop_assert!(compare_all(&a, &a).1.is_empty());
        prop_assert_eq!(a.compare(&b).is_ok(), b.compare(&a).is_ok());
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[a-z<>,:=\"\\\\#\n -]{0,200}", noise in any::<String>()) {
        drop(parse(&text));
        drop(parse(&noise));
        drop(parse(&format!("message a\n{text}")));
    }
}

#[test]
fn a_hostile_schema_is_bounded() {
    let nested =
        |depth: usize| format!("message a\n  B\n    0: {}u8{}\n", "l<".repeat(depth), ">".repeat(depth));
    assert!(parse(&nested(SCHEMA_DEPTH_MAX)).is_ok());
    let error = parse(&nested(SCHEMA_DEPTH_MAX + 1)).unwrap_err();
    assert_eq!(error.to_string(), "line 3: a form is nested too deeply");
    assert!(parse(&nested(SCHEMA_BYTES_MAX / 3)).is_err());
    // As many types as there is room for, each in each, are compared once each.
    let types: Vec<String> = (0..1000).map(|n| format!("struct t{n}\n  0: t{}\n", (n + 1) % 1000)).collect();
    let text = format!("message a\n  B\n    0: t0\n{}", types.concat());
    assert!(text.len() < SCHEMA_BYTES_MAX);
    let (one, other) = (
        parse(&text).unwrap(),
        parse(&text.replacen("    0: t0\n", "    0: t0\n    1: u8 = default\n", 1)).unwrap(),
    );
    assert!(one.compare(&other).is_ok());
    let wide = format!("message a\n{}", "  B\n".repeat(SCHEMA_BYTES_MAX / 4));
    assert_eq!(parse(&wide).unwrap_err().to_string(), "line 3: a variant is there twice");
}

#[test]
fn what_is_no_schema_says_why() {
    for (text, why) in [
        ("", "line 1: a schema begins with its message"),
        ("struct a\n", "line 1: a schema begins with its message"),
        ("message a<b\n", "line 1: a form does not end"),
        ("message a\n  \"\\x\"\n", "line 2: an unknown escape"),
        ("message a\n  -> u8\n", "line 2: something is left over at its end"),
        ("message a\n  B ->\n", "line 2: something is left over at its end"),
        ("message a\n\tB\n", "line 2: a type's kind and its name are expected"),
    ] {
        assert_eq!(parse(text).unwrap_err().to_string(), why, "{text:?}");
    }
}
