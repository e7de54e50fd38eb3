//! `#[derive(RemoteMessage)]` on every shape of variant.

use std::fmt::Debug;

use actor_cluster::wire::{
    DecodeError, DecodeErrorKind, Decoder, Encoder, PendingReplies, PendingReply, ReplyTo, TypeTag,
    VariantTag, WireContext,
};
use actor_cluster::{RemoteMessage, Wire};
use actor_core::{CallFailure, ReplyPort};
use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::replies::{Sink, poll_once};
use super::{assert_survives, with_one_more};

#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Note(String);

#[derive(Clone, PartialEq, prost::Message)]
struct Parcel {
    #[prost(string, tag = "1")]
    label: String,
}

#[derive(Debug, RemoteMessage)]
#[expect(unused_qualifications, reason = "a port is known by the last word of its path")]
enum Message {
    Unit,
    Tuple(u32, String),
    Struct {
        body: Bytes,
        list: Vec<u16>,
    },
    #[rpc]
    First(ReplyPort<u64>, u8),
    #[rpc]
    Last {
        key: String,
        reply: actor_core::ReplyPort<Result<u64, String>>,
    },
    #[rpc]
    Only(ReplyPort<()>),
    Foreign {
        #[wire(serde)]
        note: Note,
        #[wire(prost)]
        parcel: Parcel,
    },
}

#[derive(Debug, RemoteMessage)]
#[wire(name = "test/generic")]
enum Generic<T: Debug> {
    Put(T),
    #[rpc]
    Take(ReplyPort<Option<T>>),
}

#[derive(Debug, RemoteMessage)]
enum Silent {}

/// A message of casts alone may travel inside another one.
#[derive(Debug, PartialEq, RemoteMessage, Wire)]
enum Both {
    Put { reply: u8, dec: u8 },
}

/// The fields of a message, encoded.
fn encode(message: &impl RemoteMessage) -> Bytes {
    let context = WireContext::default();
    let mut buffer = BytesMut::new();
    message.encode_fields(&mut Encoder::new(&mut buffer, &context)).unwrap();
    buffer.freeze()
}

fn decode<M: RemoteMessage>(
    variant: VariantTag,
    bytes: &Bytes,
    reply: &mut Option<ReplyTo>,
) -> Result<M, DecodeError> {
    M::decode(variant, Decoder::new(bytes, &WireContext::default()), reply)
}

/// Sends a message to another node and takes it in there, cut and damaged first.
fn carry<M: RemoteMessage + Debug>(mut message: M) -> (M, Option<PendingReply>, Sink) {
    let (variant, bytes) = (message.variant(), encode(&message));
    let sink = Sink::default();
    let call = message.call();
    let pending = message.take_reply(&mut PendingReplies::default());
    assert_eq!(call.map(|call| call.deadline), pending.as_ref().map(PendingReply::deadline));
    let mut reply = pending.is_some().then(|| sink.reply_to(1));
    for end in 0..bytes.len() {
        assert!(decode::<M>(variant, &bytes.slice(..end), &mut reply).is_err());
    }
    assert!(decode::<M>(variant, &with_one_more(&bytes), &mut reply).is_err());
    assert_eq!(reply.is_some(), pending.is_some(), "a failed decode leaves the caller to be told");
    let arrived = decode(variant, &bytes, &mut reply).unwrap();
    assert!(reply.is_none());
    (arrived, pending, sink)
}

#[test]
fn b04_derive_round_trips_every_variant_shape() {
    proptest!(|(number: u32, text: String, body: Vec<u8>, list: Vec<u16>)| {
        round_trip_casts(number, &text, &body, &list);
        round_trip_calls(number, &text);
    });
}

fn round_trip_casts(number: u32, text: &str, body: &[u8], list: &[u16]) {
    assert!(matches!(carry(Message::Unit), (Message::Unit, None, _)));
    match carry(Message::Tuple(number, text.to_owned())) {
        (Message::Tuple(n, t), None, _) => assert_eq!((n, &*t), (number, text)),
        other => panic!("{other:?}"),
    }
    match carry(Message::Struct { body: body.to_vec().into(), list: list.to_vec() }) {
        (Message::Struct { body: b, list: l }, None, _) => assert_eq!((&b[..], &l[..]), (body, list)),
        other => panic!("{other:?}"),
    }
    let (note, parcel) = (Note(text.to_owned()), Parcel { label: text.to_owned() });
    match carry(Message::Foreign { note: note.clone(), parcel: parcel.clone() }) {
        (Message::Foreign { note: n, parcel: p }, None, _) => assert_eq!((n, p), (note, parcel)),
        other => panic!("{other:?}"),
    }
}

fn round_trip_calls(number: u32, text: &str) {
    let (port, answer) = ReplyPort::new(None);
    let (arrived, pending, sink) = carry(Message::First(port, 7));
    let Message::First(port, 7) = arrived else { panic!("{arrived:?}") };
    port.send(u64::from(number)).unwrap();
    pending.unwrap().answer(&sink.only_answer().unwrap(), &WireContext::default()).unwrap();
    assert_eq!(poll_once(answer), Ok(u64::from(number)));

    let (port, answer) = ReplyPort::new(None);
    let (arrived, pending, sink) = carry(Message::Last { key: text.to_owned(), reply: port });
    let Message::Last { key, reply } = arrived else { panic!("{arrived:?}") };
    reply.send(Err(key)).unwrap();
    pending.unwrap().answer(&sink.only_answer().unwrap(), &WireContext::default()).unwrap();
    assert_eq!(poll_once(answer), Ok(Err(text.to_owned())));
}

#[test]
fn a_call_without_fields_is_only_its_port() {
    let (port, answer) = ReplyPort::new(None);
    let (arrived, pending, sink) = carry(Message::Only(port));
    drop(arrived);
    assert_eq!(sink.only_answer(), Err(CallFailure::NoReply));
    pending.unwrap().fail(CallFailure::NoReply);
    assert_eq!(poll_once(answer), Err(CallFailure::NoReply));
}

#[test]
fn generic_messages_are_told_apart_by_their_arguments() {
    assert!(matches!(carry(Generic::Put(7_u16)), (Generic::Put(7), None, _)));
    let (port, _answer) = ReplyPort::new(None);
    assert!(matches!(carry(Generic::<String>::Take(port)), (Generic::Take(_), Some(_), _)));
    assert_eq!(<Generic<u16>>::TYPE, TypeTag::named("test/generic").with(<u16 as Wire>::TYPE));
    assert_ne!(<Generic<u16>>::TYPE, <Generic<u32>>::TYPE);
}

#[test]
fn a_message_may_be_a_value_too() {
    assert_survives(&Both::Put { reply: 1, dec: 2 });
    assert!(matches!(carry(Both::Put { reply: 1, dec: 2 }), (Both::Put { reply: 1, dec: 2 }, None, _)));
}

#[test]
fn b04_unknown_variant_is_an_error() {
    let variant = VariantTag::named("NoSuchVariant");
    let error = decode::<Message>(variant, &Bytes::new(), &mut None).unwrap_err();
    assert_eq!(error.kind(), &DecodeErrorKind::UnknownVariant { variant });
    assert!(decode::<Silent>(variant, &Bytes::new(), &mut None).is_err());
}

#[test]
fn a_call_without_a_caller_is_one_whose_answer_nobody_wants() {
    let mut message = Message::Only(ReplyPort::nobody());
    assert_eq!(message.call(), None, "it travels as a cast");
    assert!(message.take_reply(&mut PendingReplies::default()).is_none());
    let decoded = decode::<Message>(VariantTag::named("Only"), &Bytes::new(), &mut None).unwrap();
    assert!(matches!(decoded, Message::Only(port) if port.is_nobody()));
}

#[test]
fn a_cast_must_have_no_caller() {
    let sink = Sink::default();
    let mut reply = Some(sink.reply_to(1));
    let error = decode::<Message>(VariantTag::named("Unit"), &Bytes::new(), &mut reply).unwrap_err();
    assert_eq!(error.kind(), &DecodeErrorKind::NotACast);
    assert_eq!(error.type_name(), Some(std::any::type_name::<Message>()));
    assert!(reply.is_some());
}

#[test]
fn the_order_of_variants_does_not_matter() {
    assert_eq!(Message::Unit.variant(), VariantTag::named("Unit"));
    assert_eq!(Message::TYPE, TypeTag::named("actor-cluster::Message"));
}

proptest! {
    #[test]
    fn random_bytes_never_harm(bytes: Vec<u8>, which in 0..7_usize) {
        let name = ["Unit", "Tuple", "Struct", "First", "Last", "Only", "Foreign"][which];
        let sink = Sink::default();
        let _ = decode::<Message>(VariantTag::named(name), &bytes.clone().into(), &mut None);
        let _ = decode::<Message>(VariantTag::named(name), &bytes.into(), &mut Some(sink.reply_to(1)));
    }
}
