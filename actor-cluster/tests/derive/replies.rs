//! Answers across nodes, and a stand-in for the session that carries them.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use actor_cluster::wire::{EncodeError, EncodeReply, Encoder, PendingReply, ReplySink, ReplyTo, WireContext};
use actor_core::{CallFailure, Instant, ReplyFuture, ReplyPort};
use bytes::{Bytes, BytesMut};

/// What a session was told to send back.
#[derive(Clone, Debug, Default)]
pub(super) struct Sink(Arc<Recorded>);

#[derive(Debug, Default)]
struct Recorded {
    context: WireContext,
    answers: Mutex<Vec<(u64, Result<Bytes, CallFailure>)>>,
}

impl Sink {
    pub(super) fn reply_to(&self, call: u64) -> ReplyTo {
        ReplyTo::new(self.0.clone(), call, Some(Instant::FAR))
    }

    /// The answer to call 1, which is the only one.
    pub(super) fn only_answer(&self) -> Result<Bytes, CallFailure> {
        match &self.0.answers.lock().unwrap()[..] {
            [(1, answer)] => answer.clone(),
            other => panic!("not one answer: {other:?}"),
        }
    }
}

impl ReplySink for Recorded {
    fn reply(&self, call: u64, answer: Result<&dyn EncodeReply, CallFailure>) {
        let answer = answer.and_then(|value| self.encode(value).map_err(bad_reply));
        self.answers.lock().unwrap().push((call, answer));
    }

    fn is_closed(&self, call: u64) -> bool {
        call != 1
    }
}

impl Recorded {
    fn encode(&self, value: &dyn EncodeReply) -> Result<Bytes, EncodeError> {
        let mut buffer = BytesMut::new();
        value.encode_reply(&mut Encoder::new(&mut buffer, &self.context))?;
        Ok(buffer.freeze())
    }
}

fn bad_reply(error: EncodeError) -> CallFailure {
    CallFailure::BadReply(error.to_string().into())
}

/// What the caller has got by now.
pub(super) fn poll_once<T>(answer: ReplyFuture<T>) -> Result<T, CallFailure> {
    match pin!(answer).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("there is no answer yet"),
    }
}

#[test]
fn a_port_knows_its_caller() {
    let sink = Sink::default();
    let port: ReplyPort<u8> = sink.reply_to(1).into_port();
    assert_eq!(port.deadline(), Some(Instant::FAR));
    assert!(!port.is_closed());
    assert!(sink.reply_to(2).into_port::<u8>().is_closed());
    port.send(9).unwrap();
    assert_eq!(sink.0.answers.lock().unwrap().last(), Some(&(1, Ok(Bytes::from_static(&[9])))));
}

#[test]
fn a_dropped_call_is_answered_once() {
    let sink = Sink::default();
    drop(sink.reply_to(1));
    assert_eq!(sink.only_answer(), Err(CallFailure::NoReply));
    let sink = Sink::default();
    sink.reply_to(1).fail(CallFailure::Expired);
    assert_eq!(sink.only_answer(), Err(CallFailure::Expired));
    let sink = Sink::default();
    drop(sink.reply_to(1).into_port::<u8>());
    assert_eq!(sink.only_answer(), Err(CallFailure::NoReply));
}

#[test]
fn an_answer_that_cannot_be_encoded_is_known_to_the_sink() {
    let context = WireContext::default();
    let sink = Sink::default();
    let port = sink.reply_to(1).into_port();
    port.send(vec![0_u8; context.payload_bytes_max]).unwrap();
    assert!(matches!(sink.only_answer(), Err(CallFailure::BadReply(_))));
}

#[test]
fn an_answer_that_cannot_be_read_is_known_to_both_sides() {
    let (port, answer) = ReplyPort::<bool>::new(None);
    let pending = PendingReply::new(port);
    assert_eq!((pending.is_closed(), pending.deadline()), (false, None));
    let error = pending.answer(&Bytes::from_static(&[7]), &WireContext::default()).unwrap_err();
    assert_eq!(error.to_string(), "cannot decode bool at byte 1: 7 is none of the known tags");
    assert_eq!(poll_once(answer), Err(CallFailure::BadReply(error.to_string().into())));
}

#[test]
fn a_pending_reply_follows_its_caller() {
    let (port, answer) = ReplyPort::<bool>::new(None);
    let pending = PendingReply::new(port);
    drop(answer);
    assert!(pending.is_closed());
    let (port, answer) = ReplyPort::<bool>::new(None);
    drop(PendingReply::new(port));
    assert_eq!(poll_once(answer), Err(CallFailure::NoReply));
}
