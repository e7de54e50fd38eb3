//! Every edit of a message, judged by a lock file and by two nodes.

use actor_cluster::lock::{Place, Wish};
use actor_cluster::wire::schema::Schema;
use actor_cluster::{FindError, RemoteMessage};

use super::lock::Directory;
use super::look_up;

/// What an edit does.
enum Edit {
    /// It breaks nothing.
    Grows,
    /// A lock file does not let it pass, and says this. Nodes talk, as long as what is gone is not sent.
    TakesBack(&'static str),
    /// Neither does a node, which names this field.
    Breaks(&'static str, Option<&'static str>),
}

async fn judge<Old: RemoteMessage, New: RemoteMessage>(edit: Edit) {
    let directory = Directory::new();
    let place = directory.place("schema.lock");
    let outcome = |place: &Place, wish, schema| place.outcome(wish, &[schema]);
    outcome(&place, Wish::Accept, Schema::of::<Old>()).unwrap();
    assert_eq!(outcome(&place, Wish::Exact, Schema::of::<Old>()), Ok(None));
    let locked = outcome(&place, Wish::Guard, Schema::of::<New>());
    let (there, back) = (look_up::<Old, New>().await, look_up::<New, Old>().await);
    match edit {
        Edit::Grows => {
            assert!(locked.unwrap().unwrap().contains("SCHEMA_LOCK=accept cargo test -p shop"));
            assert!(outcome(&place, Wish::Exact, Schema::of::<New>()).is_err());
            assert_eq!((there, back), (Ok(()), Ok(())));
        }
        Edit::TakesBack(says) => {
            let locked = locked.unwrap_err();
            assert!(locked.contains(says), "{locked}");
            assert_eq!((there, back), (Ok(()), Ok(())));
        }
        Edit::Breaks(says, field) => {
            let locked = locked.unwrap_err();
            assert!(locked.contains(says) && locked.contains("SCHEMA_LOCK=accept"), "{locked}");
            for found in [there, back] {
                let Err(FindError::Incompatible { mismatch, .. }) = found else {
                    panic!("{says}: {found:?}")
                };
                assert!(mismatch.type_name().starts_with("shop/"));
                if field.is_some() {
                    assert_eq!(mismatch.field(), field);
                }
            }
        }
    }
    // What was accepted is what there is now.
    outcome(&place, Wish::Accept, Schema::of::<New>()).unwrap();
    assert_eq!(outcome(&place, Wish::Exact, Schema::of::<New>()), Ok(None));
}

/// An edit of the fields of a struct that is sent in a list, and answered with.
macro_rules! field_edits {
    ($($edit:ident { $($old:tt)* } { $($new:tt)* } $expected:expr;)*) => {$(
        mod $edit {
            use super::Edit::*;

            field_edits!(@version old { $($old)* });
            field_edits!(@version new { $($new)* });

            #[tokio::test(start_paused = true)]
            async fn is_judged() {
                super::judge::<old::Order, new::Order>($expected).await;
            }
        }
    )*};
    (@version $version:ident { $($fields:tt)* }) => {
        mod $version {
            use actor_cluster::{RemoteMessage, Wire};
            use actor_core::ReplyPort;

            #[derive(Wire)]
            #[wire(name = "shop/Line")]
            pub(super) struct Line { $($fields)* }

            #[derive(RemoteMessage)]
            #[wire(name = "shop/Order")]
            pub(super) enum Order {
                Put(Vec<Line>),
                #[rpc]
                Last(ReplyPort<Option<Line>>),
            }
        }
    };
}

field_edits! {
    a_field_is_added_with_a_default { sku: String } { sku: String, #[wire(default)] count: u32 } Grows;
    two_fields_are_added_with_defaults
        { sku: String } { sku: String, #[wire(default = 1)] count: u32, #[wire(serde, default)] note: Option<String> } Grows;
    the_last_field_with_a_default_is_removed { sku: String, #[wire(default)] count: u32 } { sku: String } Grows;
    a_default_is_added { sku: String } { #[wire(default)] sku: String } Grows;
    the_value_of_a_default_changes
        { sku: String, #[wire(default = 1)] count: u32, } { sku: String, #[wire(default = 2)] count: u32, #[wire(default)] x: u8 } Grows;
    a_field_is_renamed_but_not_on_the_wire { sku: String } { #[wire(name = "sku")] code: String, #[wire(default)] x: u8 } Grows;
    a_field_has_another_type_of_the_same_form { sku: String, of: Vec<u8>, n: usize }
        { sku: Box<str>, of: bytes::Bytes, n: u64, #[wire(default)] x: u8 } Grows;
    a_field_is_added_without_a_default { sku: String } { sku: String, count: u32 }
        Breaks("`shop/Line.count` is unknown in schema.lock, and has no `#[wire(default)]` now", Some("count"));
    a_field_is_removed { sku: String, count: u32 } { sku: String }
        Breaks("`shop/Line.count` is unknown now, and has no `#[wire(default)]` in schema.lock", Some("count"));
    a_field_in_the_middle_is_removed { sku: String, count: u32, price: u64 } { sku: String, price: u64 }
        Breaks("`shop/Line.price` now has the place of `count` in schema.lock", None);
    a_field_is_renamed { sku: String, count: u32 } { sku: String, amount: u32 }
        Breaks("`shop/Line.amount` now has the place of `count` in schema.lock", None);
    fields_are_reordered { width: u32, height: u32 } { height: u32, width: u32 }
        Breaks("`shop/Line.height` now has the place of `width` in schema.lock", None);
    an_integer_is_wider { count: u32 } { count: u64 }
        Breaks("`shop/Line.count` is `u64` now and `u32` in schema.lock", Some("count"));
    an_integer_is_signed { count: u32 } { count: i32 }
        Breaks("`shop/Line.count` is `i32` now and `u32` in schema.lock", Some("count"));
    a_field_is_optional { note: String } { note: Option<String> }
        Breaks("`shop/Line.note` is `option<text>` now and `text` in schema.lock", Some("note"));
    a_list_is_a_set { of: Vec<u8> } { of: std::collections::BTreeSet<u8> }
        Breaks("`shop/Line.of` is `set<u8>` now and `list<u8>` in schema.lock", Some("of"));
    an_array_is_longer { of: [u8; 4] } { of: [u8; 5] }
        Breaks("`shop/Line.of` is `array<u8, 5>` now and `array<u8, 4>` in schema.lock", Some("of"));
    a_tuple_has_another_part { of: (u8, u8) } { of: (u8, u8, u8) }
        Breaks("`shop/Line.of` is `tuple<u8, u8, u8>` now and `tuple<u8, u8>` in schema.lock", Some("of"));
    a_field_has_another_codec { of: u32 } { #[wire(serde)] of: u32 }
        Breaks("`shop/Line.of` is `serde<u32>` now and `u32` in schema.lock", Some("of"));
    a_field_of_serde_has_another_type { #[wire(serde)] of: Vec<u8> } { #[wire(serde)] of: Vec<u16> }
        Breaks("`shop/Line.of` is `serde<\"Vec<u16>\">` now and `serde<\"Vec<u8>\">` in schema.lock", Some("of"));
    a_default_is_taken_back { sku: String, #[wire(default)] count: u32 } { sku: String, count: u32 }
        TakesBack("the field `count` of `shop/Line` has no default any more");
    another_field_takes_the_place_of_one_with_a_default
        { sku: String, #[wire(default)] count: u32 } { sku: String, #[wire(default)] price: u32 }
        Breaks("`shop/Line.price` now has the place of `count` in schema.lock", None);
}

/// An edit of the variants of a message.
macro_rules! variant_edits {
    ($($edit:ident { $($old:tt)* } { $($new:tt)* } $expected:expr;)*) => {$(
        mod $edit {
            use super::Edit::*;

            variant_edits!(@version old { $($old)* });
            variant_edits!(@version new { $($new)* });

            #[tokio::test(start_paused = true)]
            async fn is_judged() {
                super::judge::<old::Order, new::Order>($expected).await;
            }
        }
    )*};
    (@version $version:ident { $($variants:tt)* }) => {
        mod $version {
            #![allow(dead_code, unused_imports, reason = "not every version needs all")]

            use actor_cluster::{RemoteMessage, Wire};
            use actor_core::ReplyPort;

            #[derive(Wire)]
            #[wire(name = "shop/Colour")]
            pub(super) struct Colour(u8);

            #[derive(Wire)]
            #[wire(name = "shop/Color")]
            pub(super) struct Color(u8);

            #[derive(RemoteMessage)]
            #[wire(name = "shop/Order")]
            pub(super) enum Order { $($variants)* }
        }
    };
}

variant_edits! {
    a_variant_is_added { Put(u8) } { Put(u8), Take } Grows;
    a_call_is_added { Put(u8) } { Put(u8), #[rpc] Get(ReplyPort<u8>) } Grows;
    a_field_of_a_call_is_added_with_a_default
        { #[rpc] Get { reply: ReplyPort<u8> } } { #[rpc] Get { reply: ReplyPort<u8>, #[wire(default)] of: u8 } } Grows;
    a_variant_is_renamed_but_not_on_the_wire { Put(u8) } { #[wire(name = "Put")] Store(u8), New } Grows;
    a_variant_is_removed { Put(u8), Take } { Put(u8) } TakesBack("the variant `shop/Order::Take` is gone");
    a_variant_is_renamed { Put(u8) } { Store(u8) } TakesBack("the variant `shop/Order::Put` is gone");
    the_answer_has_another_type { #[rpc] Get(ReplyPort<u32>) } { #[rpc] Get(ReplyPort<u64>) }
        Breaks("`shop/Order::Get` is a call answered with `u64` now and a call answered with `u32` in schema.lock", None);
    a_call_becomes_a_cast { #[rpc] Get(ReplyPort<u32>) } { Get() }
        Breaks("`shop/Order::Get` is a cast now and a call answered with `u32` in schema.lock", None);
    a_cast_becomes_a_call { Get() } { #[rpc] Get(ReplyPort<u32>) }
        Breaks("`shop/Order::Get` is a call answered with `u32` now and a cast in schema.lock", None);
    an_argument_is_added { Put(u8) } { Put(u8, u8) }
        Breaks("`shop/Order::Put.1` is unknown in schema.lock, and has no `#[wire(default)]` now", Some("1"));
    an_argument_has_another_type { Put(u8) } { Put(i8) }
        Breaks("`shop/Order::Put.0` is `i8` now and `u8` in schema.lock", Some("0"));
    arguments_get_names { Put(u8) } { Put { of: u8 } }
        Breaks("`shop/Order::Put.of` now has the place of `0` in schema.lock", None);
    a_type_in_a_message_is_renamed { Put(Colour) } { Put(Color) }
        Breaks("`shop/Order::Put.0` is `shop/Color` now and `shop/Colour` in schema.lock", Some("0"));
}

/// Variants of values: what a peer does not know is refused when it is sent.
macro_rules! value_edits {
    ($($edit:ident { $($old:tt)* } { $($new:tt)* } $expected:expr;)*) => {$(
        mod $edit {
            use super::Edit::*;

            value_edits!(@version old { $($old)* });
            value_edits!(@version new { $($new)* });

            #[tokio::test(start_paused = true)]
            async fn is_judged() {
                super::judge::<old::Order, new::Order>($expected).await;
            }
        }
    )*};
    (@version $version:ident { $($kind:tt)* }) => {
        mod $version {
            #![allow(dead_code, unused_imports, reason = "not every version needs all")]

            use actor_cluster::{RemoteMessage, Wire};

            #[derive(Wire)]
            #[wire(name = "shop/Colour")]
            pub(super) $($kind)*

            #[derive(RemoteMessage)]
            #[wire(name = "shop/Order")]
            pub(super) enum Order { Paint(Colour) }
        }
    };
}

value_edits! {
    a_variant_of_a_value_is_added { enum Colour { Red } } { enum Colour { Red, Green } } Grows;
    a_variant_of_a_value_is_removed { enum Colour { Red, Green } } { enum Colour { Red } }
        TakesBack("the variant `shop/Colour::Green` is gone");
    a_field_of_a_variant_has_another_type { enum Colour { Mix(u8) } } { enum Colour { Mix(u16) } }
        Breaks("`shop/Colour::Mix.0` is `u16` now and `u8` in schema.lock", Some("0"));
    a_struct_becomes_an_enum { struct Colour(u8); } { enum Colour { Mix(u8) } }
        Breaks("`shop/Colour` is of kind enum now and struct in schema.lock", None);
    a_type_that_contains_itself_grows
        { struct Colour(Option<Box<Colour>>); } { struct Colour(Option<Box<Colour>>, #[wire(default)] Vec<Colour>); } Grows;
    a_type_that_contains_itself_changes
        { struct Colour(Option<Box<Colour>>, u8); } { struct Colour(Option<Box<Colour>>, u16); }
        Breaks("`shop/Colour.1` is `u16` now and `u8` in schema.lock", Some("1"));
}
