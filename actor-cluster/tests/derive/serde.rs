//! Messages that only serde knows: their form, frozen, and what becomes of bytes that are none.

use std::collections::BTreeMap;
use std::ops::{Bound, Range};

use actor_cluster::wire::serde::{Serde, SerdeCall, named};
use actor_cluster::wire::{
    DecodeErrorKind, Decoder, EncodeError, Encoder, PendingReplies, TypeTag, VariantTag, WireContext,
    from_bytes,
};
use actor_cluster::{RemoteMessage, Wire};
use actor_core::{Accepts, Answers, CallFailure, Instant, ReplyPort};
use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::replies::{Sink, poll_once};
use super::{check, with_one_more};

type Pages = Serde<Range<u32>, { named("test/pages") }>;
type Printed = SerdeCall<Range<u32>, Vec<Range<u32>>, { named("test/printed") }>;

/// As another crate might have it.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
enum Shape {
    Unit,
    Text(String),
    Nested { inner: Option<Box<Shape>>, numbers: BTreeMap<u8, i64> },
}

type Shaped = Serde<Shape, { named("test/shaped") }>;

const CAST: VariantTag = VariantTag::named("cast");
const CALL: VariantTag = VariantTag::named("call");

fn encode(message: &impl RemoteMessage) -> Result<Bytes, EncodeError> {
    let context = WireContext::default();
    let mut buffer = BytesMut::new();
    message.encode_fields(&mut Encoder::new(&mut buffer, &context))?;
    Ok(buffer.freeze())
}

fn decode<M: RemoteMessage>(variant: VariantTag, bytes: &[u8]) -> Result<M, DecodeErrorKind> {
    let bytes = Bytes::copy_from_slice(bytes);
    let decoded = M::decode(variant, Decoder::new(&bytes, &WireContext::default()), &mut None);
    decoded.map_err(|error| error.kind().clone())
}

#[test]
fn a23_the_form_of_serde_messages_is_frozen() {
    // A block of three bytes: postcard's own numbers.
    let golden = [3, 0, 0, 0, 7, 0xac, 0x02];
    let pages = Pages::from(7..300);
    assert_eq!(encode(&pages).unwrap()[..], golden);
    assert_eq!((RemoteMessage::variant(&pages), pages.call()), (CAST, None));
    let printed = Printed::wrap(7..300);
    assert_eq!(encode(&printed).unwrap()[..], golden);
    assert_eq!((printed.variant(), printed.call()), (CALL, None), "nobody waits");
    let tag = |name, inner| TypeTag::named(name).with(TypeTag::named(inner));
    assert_eq!(<Pages as RemoteMessage>::TYPE, tag("serde/cast", "test/pages"));
    assert_eq!(<Pages as Wire>::TYPE, tag("serde", "test/pages"));
    assert_eq!(Printed::TYPE, tag("serde/call", "test/printed"));
    // As computed by another program.
    let frozen = [
        (<Pages as RemoteMessage>::TYPE, 0x5c04_e7a1_f763_5c88),
        (<Pages as Wire>::TYPE, 0x7cb5_b2a5_cbe8_8eba),
        (Printed::TYPE, 0xd7d8_b2a4_9198_e052),
    ];
    assert_eq!(frozen.map(|(tag, _)| tag), frozen.map(|(_, golden)| TypeTag::from_u64(golden)));
}

fn shape() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![Just(Shape::Unit), any::<String>().prop_map(Shape::Text)];
    leaf.prop_recursive(4, 16, 1, |inner| {
        (proptest::option::of(inner.prop_map(Box::new)), any::<BTreeMap<u8, i64>>())
            .prop_map(|(inner, numbers)| Shape::Nested { inner, numbers })
    })
}

/// As values inside of others: whole, cut, damaged, and garbage.
#[test]
fn a23_serde_values_survive_and_garbage_is_an_error() {
    check(shape().prop_map(Shaped::from));
    check(any::<(u32, Option<String>)>().prop_map(Serde::<_, 1>));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// As messages: whole, cut, and garbage.
    #[test]
    fn a23_serde_messages_survive_and_garbage_is_an_error(
        shape in shape(),
        garbage in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let message = Shaped::from(shape);
        let bytes = encode(&message).unwrap();
        prop_assert_eq!(decode::<Shaped>(CAST, &bytes), Ok(message));
        for end in (0..bytes.len()).step_by(1 + bytes.len() / 32) {
            prop_assert!(decode::<Shaped>(CAST, &bytes[..end]).is_err());
        }
        let longer = decode::<Shaped>(CAST, &with_one_more(&bytes));
        prop_assert_eq!(longer, Err(DecodeErrorKind::TrailingBytes { bytes: 1 }));
        if let Ok(message) = decode::<Shaped>(CAST, &garbage) {
            encode(&message).unwrap();
        }
        let _ = decode::<Printed>(CALL, &garbage);
    }
}

#[test]
fn an_unknown_variant_is_an_error() {
    let bytes = encode(&Pages::from(1..2)).unwrap();
    assert_eq!(decode::<Pages>(CALL, &bytes), Err(DecodeErrorKind::UnknownVariant { variant: CALL }));
    let refused = decode::<Printed>(CAST, &bytes).map(|printed| printed.request);
    assert_eq!(refused, Err(DecodeErrorKind::UnknownVariant { variant: CAST }));
}

#[test]
fn a_cast_takes_no_caller_and_a_bad_call_leaves_its_own() {
    let (sink, context) = (Sink::default(), WireContext::default());
    let bytes = encode(&Pages::from(1..2)).unwrap();
    let mut reply = Some(sink.reply_to(1));
    let error =
        <Pages as RemoteMessage>::decode(CAST, Decoder::new(&bytes, &context), &mut reply).unwrap_err();
    assert_eq!(error.kind(), &DecodeErrorKind::NotACast);
    for (variant, bytes) in [(CAST, bytes.clone()), (CALL, bytes.slice(..4)), (CALL, with_one_more(&bytes))] {
        assert!(Printed::decode(variant, Decoder::new(&bytes, &context), &mut reply).is_err());
        assert!(reply.is_some(), "it can be told that the call never ran");
    }
}

/// What a hostile length or count asks for is refused before there is memory for it.
#[test]
fn a_serde_message_reserves_no_memory_that_the_bytes_do_not_back() {
    let block = |content: &[u8]| [&u32::try_from(content.len()).unwrap().to_le_bytes()[..], content].concat();
    let refused = DecodeErrorKind::BadLength { length: u32::MAX, bytes_left: 0 };
    assert_eq!(decode::<Pages>(CAST, &[0xff; 4]), Err(refused));
    let count = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    type Units = Serde<Vec<()>, 1>;
    let limit = WireContext::default().heap_bytes_max;
    assert_eq!(decode::<Units>(CAST, &block(&count)), Err(DecodeErrorKind::TooMuchMemory { limit }));
    type Numbers = Serde<Vec<u64>, 1>;
    assert!(decode::<Numbers>(CAST, &block(&count)).is_err());
    let limit = WireContext::default().depth_max;
    let deep = [2, 1].repeat(1 << 20);
    assert_eq!(decode::<Shaped>(CAST, &block(&deep)), Err(DecodeErrorKind::TooDeep { limit }));
}

#[test]
fn the_answer_to_a_serde_call_finds_its_way_back() {
    let (sink, context) = (Sink::default(), WireContext::default());
    let (port, answer) = ReplyPort::new(Some(Instant::FAR));
    let mut printed = Printed::wrap_call(1..9, port);
    assert_eq!(printed.call().map(|call| call.deadline), Some(Some(Instant::FAR)));
    let bytes = encode(&printed).unwrap();
    let pending = printed.take_reply(&mut PendingReplies::default()).unwrap();
    assert_eq!((pending.deadline(), pending.is_closed()), (Some(Instant::FAR), false));

    let there = Printed::decode(CALL, Decoder::new(&bytes, &context), &mut Some(sink.reply_to(1))).unwrap();
    assert_eq!((there.request, there.port.deadline()), (1..9, Some(Instant::FAR)));
    assert!(!there.port.is_closed());
    there.port.send(vec![1..3, 5..9]).unwrap();
    let answered = sink.only_answer().unwrap();
    assert_eq!(from_bytes::<Serde<Vec<Range<u32>>, 1>>(&answered, &context).unwrap().0, [1..3, 5..9]);
    pending.answer(&answered, &context).unwrap();
    assert_eq!(poll_once(answer), Ok(vec![1..3, 5..9]));
}

#[test]
fn a_serde_call_that_comes_to_nothing_says_so() {
    let context = WireContext::default();
    let call = || {
        let (port, answer) = ReplyPort::new(None);
        (Printed::wrap_call(1..9, port).take_reply(&mut PendingReplies::default()).unwrap(), answer)
    };
    let (pending, answer) = call();
    drop(pending);
    assert_eq!(poll_once(answer), Err(CallFailure::NoReply));
    let (pending, answer) = call();
    pending.fail(CallFailure::Expired);
    assert_eq!(poll_once(answer), Err(CallFailure::Expired));
    let (pending, answer) = call();
    pending.answer(&Bytes::from_static(&[9, 0, 0, 0]), &context).unwrap_err();
    assert!(matches!(poll_once(answer), Err(CallFailure::BadReply(_))));
    let (pending, answer) = call();
    drop(answer);
    assert!(pending.is_closed(), "its caller has gone");

    // On the actor's side.
    let sink = Sink::default();
    let bytes = encode(&Printed::wrap(1..9)).unwrap();
    let there = Printed::decode(CALL, Decoder::new(&bytes, &context), &mut Some(sink.reply_to(1))).unwrap();
    drop(there);
    assert_eq!(sink.only_answer(), Err(CallFailure::NoReply));
    let nobody = Printed::decode(CALL, Decoder::new(&bytes, &context), &mut None).unwrap();
    assert!(nobody.port.is_nobody());
    let gone = Printed::decode(CALL, Decoder::new(&bytes, &context), &mut Some(sink.reply_to(2))).unwrap();
    assert!(gone.port.is_closed());
}

#[test]
fn a_refused_serde_message_comes_back() {
    assert_eq!(Accepts::<Range<u32>>::take_back(Pages::wrap(1..2)), Some(1..2));
    assert_eq!(Printed::wrap(1..2).take_back(), Some(1..2));
    let (port, _answer) = ReplyPort::new(None);
    assert_eq!(Printed::wrap_call(1..2, port).take_back_call().map(|(request, _)| request), Some(1..2));
}

/// Types of the standard library, on which no derive can stand.
#[test]
fn a23_foreign_types_need_no_derive() {
    type Foreign = Serde<(Bound<u8>, Result<Range<i64>, String>), { named("test/foreign") }>;
    let message = Foreign::from((Bound::Included(3), Ok(-5..5)));
    let bytes = encode(&message).unwrap();
    assert_eq!(decode::<Foreign>(CAST, &bytes), Ok(message));
}
