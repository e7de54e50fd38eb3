//! Builds that differ: if two versions of a type are compatible, each reads what the other wrote, all that both
//! know arrives, and the rest is its default. And it costs nothing.

use std::sync::Arc;

use actor_cluster::wire::schema::Schema;
use actor_cluster::wire::{DecodeErrorKind, EncodeError, WireContext, from_bytes, to_bytes};
use actor_cluster::{RemoteMessage, Wire};
use proptest::prelude::*;

/// What a version of the type is: how to make one, and what any version can tell of it.
trait Version: Wire + std::fmt::Debug + Clone + 'static {
    type Message: RemoteMessage;
    /// How many of these versions' fields it has.
    const FIELDS: usize;

    fn of(value: &Value) -> Self;
    fn seen(&self) -> Value;
}

/// Everything that the last version has.
#[derive(Clone, Debug, PartialEq)]
struct Value {
    sku: String,
    tree: Vec<(u8, u16)>,
    count: u32,
    range: (u8, String),
    choice: u8,
}

/// What a version makes of a value that came from one with so many fields.
fn expected(value: &Value, fields: usize) -> Value {
    let mut value = value.clone();
    if fields < 2 {
        value.count = 7;
        value.tree.iter_mut().for_each(|(_, weight)| *weight = 3);
    }
    if fields < 3 {
        value.range = (0, String::new());
        value.choice = 9;
    }
    value
}

macro_rules! version {
    ($version:ident, $fields:literal, { $($line:tt)* } { $($leaf:tt)* } { $($choice:tt)* }
        |$value:ident| $line_of:expr; |$weight:ident| $leaf_of:expr; |$self_:ident| $seen:expr; |$of:ident| $weight_of:expr;) => {
        mod $version {
            use super::*;

            #[derive(Clone, Debug, Wire)]
            #[wire(name = "test/line")]
            pub(super) struct Line { pub(super) sku: String, pub(super) tree: Vec<Leaf>, $($line)* }

            #[derive(Clone, Debug, Wire)]
            #[wire(name = "test/leaf")]
            pub(super) struct Leaf(pub(super) u8, $($leaf)*);

            #[derive(Clone, Debug, Wire)]
            #[wire(name = "test/choice")]
            #[allow(dead_code, reason = "not in every version")]
            pub(super) enum Choice { $($choice)* }

            #[derive(RemoteMessage)]
            #[wire(name = "test/message")]
            pub(super) enum Message { Put(Line), Choose(Choice) }

            impl Version for Line {
                type Message = Message;
                const FIELDS: usize = $fields;

                fn of($value: &Value) -> Self {
                    $line_of
                }

                fn seen(&self) -> Value {
                    let $self_ = self;
                    $seen
                }
            }

            pub(super) fn tree(value: &Value) -> Vec<Leaf> {
                value.tree.iter().map(|(n, $weight)| { let n = *n; $leaf_of(n) }).collect()
            }

            pub(super) fn seen_tree(line: &Line) -> Vec<(u8, u16)> {
                line.tree.iter().map(|$of| ($of.0, $weight_of)).collect()
            }
        }
    };
}

version! {
    first, 1, {} {} { A(u8) }
    |value| Line { sku: value.sku.clone(), tree: tree(value) };
    |_weight| Leaf;
    |line| Value { sku: line.sku.clone(), tree: seen_tree(line), count: 7, range: (0, String::new()), choice: 9 };
    |_leaf| 3;
}

version! {
    second, 2, { #[wire(default = 7)] pub(super) count: u32 } { #[wire(default = 3)] pub(super) u16 } { B, A(u8) }
    |value| Line { sku: value.sku.clone(), tree: tree(value), count: value.count };
    |weight| |n| Leaf(n, *weight);
    |line| Value {
        sku: line.sku.clone(), tree: seen_tree(line), count: line.count, range: (0, String::new()), choice: 9
    };
    |leaf| leaf.1;
}

version! {
    third, 3, {
        #[wire(default = 7)] pub(super) count: u32,
        #[wire(serde, default)] pub(super) range: (u8, String),
        #[wire(default = Choice::A(9, ()))] pub(super) choice: Choice,
    } { #[wire(default = 3)] pub(super) u16 } { A(u8, #[wire(default)] ()) }
    |value| Line {
        sku: value.sku.clone(), tree: tree(value), count: value.count, range: value.range.clone(),
        choice: Choice::A(value.choice, ()),
    };
    |weight| |n| Leaf(n, *weight);
    |line| {
        let Choice::A(choice, ()) = line.choice;
        Value { sku: line.sku.clone(), tree: seen_tree(line), count: line.count, range: line.range.clone(), choice }
    };
    |leaf| leaf.1;
}

/// What one version is lent for messages to and from another.
fn context<Mine: Version, Theirs: Version>() -> WireContext {
    let (mine, theirs) = (Schema::of::<Mine::Message>(), Schema::of::<Theirs::Message>());
    WireContext::default().speaking(Arc::new(mine.compare(&theirs).unwrap()))
}

fn value() -> impl Strategy<Value = Value> {
    let tree = proptest::collection::vec(any::<(u8, u16)>(), 0..4);
    (any::<String>(), tree, any::<u32>(), any::<(u8, String)>(), any::<u8>())
        .prop_map(|(sku, tree, count, range, choice)| Value { sku, tree, count, range, choice })
}

fn check<Writer: Version, Reader: Version>(value: &Value) {
    let written = to_bytes(&Writer::of(value), &context::<Writer, Reader>()).unwrap();
    let read: Reader = from_bytes(&written, &context::<Reader, Writer>()).unwrap();
    assert_eq!(read.seen(), expected(value, Writer::FIELDS.min(Reader::FIELDS)));
    // Nothing is left over, and nothing is missing.
    for end in 0..written.len() {
        assert!(from_bytes::<Reader>(&written.slice(..end), &context::<Reader, Writer>()).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_compatible_builds_write_they_read(value in value()) {
        check::<first::Line, first::Line>(&value);
        check::<first::Line, second::Line>(&value);
        check::<first::Line, third::Line>(&value);
        check::<second::Line, first::Line>(&value);
        check::<second::Line, second::Line>(&value);
        check::<second::Line, third::Line>(&value);
        check::<third::Line, first::Line>(&value);
        check::<third::Line, second::Line>(&value);
        check::<third::Line, third::Line>(&value);
    }

    /// What a hostile peer says changes what is read, not that it is safe.
    #[test]
    fn any_bytes_are_harmless_in_any_dialect(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let bytes = bytes.into();
        for context in [context::<third::Line, first::Line>(), context::<third::Line, second::Line>()] {
            if let Ok(line) = from_bytes::<third::Line>(&bytes, &context) {
                to_bytes(&line, &context).unwrap();
            }
        }
    }
}

#[test]
fn builds_that_do_not_compare_do_not_read_each_other() {
    let value = Value { sku: "a".into(), tree: vec![], count: 1, range: (0, String::new()), choice: 1 };
    let plain = WireContext::default();
    let new = to_bytes(&second::Line::of(&value), &plain).unwrap();
    let error = from_bytes::<first::Line>(&new, &plain).unwrap_err();
    assert_eq!(error.kind(), &DecodeErrorKind::TrailingBytes { bytes: 4 });
}

#[test]
fn a_variant_that_the_peer_does_not_know_is_not_written() {
    let error = to_bytes(&second::Choice::B, &context::<second::Line, first::Line>()).unwrap_err();
    let EncodeError::UnknownVariant { type_name, variant } = error else { panic!("{error}") };
    assert!(type_name.ends_with("second::Choice"));
    assert_eq!(variant, "B");
}

#[test]
fn a_default_takes_no_bytes() {
    #[derive(Wire)]
    struct Plain(u8, u32, Option<String>);

    #[derive(Wire)]
    struct Defaulted(u8, #[wire(default)] u32, #[wire(default)] Option<String>);

    let context = WireContext::default();
    let plain = to_bytes(&Plain(1, 2, Some("three".into())), &context).unwrap();
    let defaulted = to_bytes(&Defaulted(1, 2, Some("three".into())), &context).unwrap();
    assert_eq!(plain, defaulted);
    assert_eq!(plain.len(), 1 + 4 + 1 + 1 + 5);
    // Only what is always there counts.
    assert_eq!((Plain::ENCODED_BYTES_MIN, Defaulted::ENCODED_BYTES_MIN), (6, 1));
}
