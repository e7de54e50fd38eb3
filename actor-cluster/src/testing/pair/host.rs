//! What stands around one of the two sessions: it answers callers, decodes
//! messages and keeps what was reported. Must not live here: streams (`pair.rs`).

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use actor_core::{CallFailure, ControlRequest, Exit, Instant, ReplyFuture};
use bytes::{Bytes, BytesMut};

use super::hand::Present;
use crate::session::handshake::Peer;
use crate::session::streams::ConnectionId;
use crate::session::{Config, Correlation, Death, Event, Inbound, Messages, Session, Unread};
use crate::transport::CloseReason;
use crate::wire::annotation::Annotation;
use crate::wire::control::Publication;
use crate::wire::{Decoder, EncodeReply, RemoteMessage, ReplySink, ReplyTo};

/// An event, without the ports in it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Saw {
    Ready,
    /// A message came; it waits to be received.
    Message,
    Answered,
    /// An answer came that is not what was asked for.
    Misanswered,
    Failed(CallFailure),
    Abandoned,
    Room,
    Introduced(Vec<String>),
    Published(Vec<Publication>),
    Unpublished(Vec<Publication>),
    Members(Vec<(Vec<u8>, Vec<String>)>),
    Watch {
        watch: u64,
        actor: u64,
    },
    Unwatch {
        watch: u64,
    },
    Down {
        watch: u64,
        exit: Exit,
    },
    Request {
        actor: u64,
        request: ControlRequest,
    },
    Presented {
        actor: u64,
        token: [u8; 16],
    },
    Link {
        link: u64,
        actor: u64,
        supervisor: u64,
    },
    Unlink {
        link: u64,
        has_ended: bool,
    },
    Unlinked {
        link: u64,
    },
    Claim {
        actor: u64,
        is_unwanted: bool,
    },
    Died(Vec<Death>),
    Membership(Vec<u8>),
    Interrupted(CloseReason),
    Resumed,
    Ended(CloseReason),
}

/// What has become of a call by now; `None` while its caller waits.
pub(crate) fn outcome<T>(reply: &mut ReplyFuture<T>) -> Option<Result<T, CallFailure>> {
    match Pin::new(reply).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}

/// One side of a pair.
pub(crate) struct Host {
    session: Arc<Answering>,
    saw: Vec<Saw>,
    /// Streams that the session has given up.
    cuts: Vec<ConnectionId>,
    /// How many messages it says are lost, perhaps.
    unacked: u64,
    inbox: VecDeque<(Inbound, Option<Annotation>, Bytes)>,
}

impl Host {
    pub(crate) fn new(peer: &Peer, config: Config, now: Instant) -> Self {
        let session = Mutex::new(Session::new(peer.clone(), config, now));
        Self {
            session: Arc::new(Answering(session)),
            saw: Vec::new(),
            cuts: Vec::new(),
            unacked: 0,
            inbox: VecDeque::new(),
        }
    }

    pub(crate) fn session(&self) -> MutexGuard<'_, Session> {
        self.session.0.lock().expect("no test panics with the lock held")
    }

    /// The session, unless it is over.
    pub(crate) fn present(&self) -> Option<Present> {
        let session = self.session();
        session.ended().is_none().then(|| Present { peer: session.peer().clone(), live: session.live() })
    }

    /// Takes all whole frames of what was read.
    pub(crate) fn handle_input(&self, now: Instant, connection: ConnectionId, read: &mut BytesMut) {
        while !self.session().handle_input(now, connection, read) {}
    }

    /// Rings the session's timer if it is due.
    pub(crate) fn handle_timeout(&self, now: Instant) {
        let mut session = self.session();
        if session.next_timeout() <= now {
            session.handle_timeout(now);
            assert!(session.next_timeout() > now, "a timer that has rung is set anew");
        }
    }

    pub(crate) fn saw(&mut self) -> Vec<Saw> {
        std::mem::take(&mut self.saw)
    }

    pub(crate) fn take_cuts(&mut self) -> Vec<ConnectionId> {
        std::mem::take(&mut self.cuts)
    }

    pub(crate) fn unacked(&self) -> u64 {
        self.unacked
    }

    /// Takes events out, one at a time and without the lock, as ports may take it.
    pub(crate) fn drain(&mut self) -> bool {
        let mut has_moved = self.session().repay_refused();
        loop {
            let event = self.session().poll_event();
            let Some(event) = event else { return has_moved };
            has_moved = true;
            assert!(!matches!(self.saw.last(), Some(Saw::Ended(_))), "{event:?} after the end");
            if let Event::Cut { connection, .. } = event {
                self.cuts.push(connection);
            } else if let Event::Messages(messages) = event {
                self.take_in(messages);
            } else {
                let saw = self.react(event);
                self.saw.push(saw);
            }
        }
    }

    fn take_in(&mut self, mut messages: Messages) {
        while let Some(Unread { message, annotation, piece }) = messages.front() {
            let annotation = annotation.map(|annotation| (**annotation).clone());
            self.inbox.push_back((message, annotation, piece.clone()));
            self.saw.push(Saw::Message);
            messages.pop_front();
        }
        self.session().reuse(messages.into_list());
    }

    fn react(&mut self, event: Event) -> Saw {
        match event {
            Event::Ready => Saw::Ready,
            Event::Answered { reply, value } => {
                let context = self.session().context().clone();
                reply.answer(&value, &context).map_or(Saw::Misanswered, |()| Saw::Answered)
            }
            Event::Failed { reply, failure } => {
                reply.fail(failure.clone());
                Saw::Failed(failure)
            }
            Event::Abandoned { reply } => {
                drop(reply);
                Saw::Abandoned
            }
            Event::Room => Saw::Room,
            Event::Introduced(addresses) => Saw::Introduced(addresses),
            Event::Published(entries) => Saw::Published(entries),
            Event::Unpublished(entries) => Saw::Unpublished(entries),
            Event::Members(members) => Saw::Members(members),
            Event::Watch { watch, actor, .. } => Saw::Watch { watch, actor },
            Event::Presented { actor, token } => Saw::Presented { actor, token: *token.as_bytes() },
            Event::Link { link, actor, supervisor, .. } => Saw::Link { link, actor, supervisor },
            Event::Unlink { link, has_ended } => Saw::Unlink { link, has_ended },
            Event::Unlinked { link } => Saw::Unlinked { link },
            Event::Claim { actor, is_unwanted } => Saw::Claim { actor, is_unwanted },
            Event::Unwatch { watch } => Saw::Unwatch { watch },
            Event::Down { watch, exit } => Saw::Down { watch, exit },
            Event::Request { actor, request, .. } => Saw::Request { actor, request },
            Event::Died(deaths) => Saw::Died(deaths),
            Event::Membership(word) => Saw::Membership(word),
            Event::Interrupted(reason) => Saw::Interrupted(reason),
            Event::Resumed => Saw::Resumed,
            Event::Ended { reason, unacked } => {
                self.unacked = unacked;
                Saw::Ended(reason)
            }
            Event::Cut { .. } | Event::Messages(_) => unreachable!("they were kept before"),
        }
    }

    pub(super) fn annotations(&self) -> Vec<Option<Annotation>> {
        self.inbox.iter().map(|(_, annotation, _)| annotation.clone()).collect()
    }

    pub(crate) fn received<M: RemoteMessage>(&mut self, most: usize) -> Vec<(u64, M)> {
        let taken: Vec<_> = self.inbox.drain(..most.min(self.inbox.len())).collect();
        taken.into_iter().map(|(inbound, _, piece)| self.decode(inbound, &piece)).collect()
    }

    fn decode<M: RemoteMessage>(&self, inbound: Inbound, piece: &Bytes) -> (u64, M) {
        let Inbound { lane, actor, shape, call, fields, bytes, .. } = inbound;
        assert_eq!(shape.message, M::TYPE, "a message of another type");
        let context = self.session().context().clone();
        let mut reply = call.map(|call| {
            let sink: Arc<dyn ReplySink> = self.session.clone();
            ReplyTo::new(sink, call.correlation.as_u64(), call.deadline)
        });
        let message = M::decode(shape.variant, Decoder::within(piece, fields.range(), &context), &mut reply);
        self.session().delivered(lane, bytes);
        (actor, message.expect("the other side encoded it"))
    }
}

/// Where the ports of calls that came in find their session.
struct Answering(Mutex<Session>);

impl ReplySink for Answering {
    fn reply(&self, call: u64, answer: Result<&dyn EncodeReply, CallFailure>) {
        let mut session = self.0.lock().expect("no test panics with the lock held");
        session.answer_at_once(Correlation::from_u64(call), answer);
    }

    fn is_closed(&self, call: u64) -> bool {
        let session = self.0.lock().expect("no test panics with the lock held");
        !session.is_answering(Correlation::from_u64(call))
    }
}
