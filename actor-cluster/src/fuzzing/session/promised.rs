//! What the node was promised, and what it is told of that.

use std::collections::BTreeSet;

use actor_core::DeadReason;

use super::Fuzzed;
use crate::limits::CLOSE_DETAIL_BYTES_MAX;
use crate::session::{Death, Event, Unread};
use crate::wire::control::Publication;
use crate::wire::frame::Kind;
use crate::wire::lanes::LaneId;

/// What the node was promised.
#[derive(Default)]
pub(super) struct Promised {
    pub(super) calls: usize,
    pub(super) calls_ended: usize,
    pub(super) watches: BTreeSet<u64>,
    pub(super) messages_due: usize,
    pub(super) presents_due: usize,
    /// What the peer publishes.
    pub(super) published: BTreeSet<Publication>,
    /// What the peer watches or has linked, and was not told the end of.
    pub(super) watched: BTreeSet<u64>,
    pub(super) casts: u64,
    /// How many of those the peer, or the session's end, has told to be dead.
    pub(super) dead: u64,
    /// The lanes in which the next message brings something along.
    pub(super) annotated: BTreeSet<LaneId>,
    /// How many messages there were that did.
    pub(super) annotated_messages: usize,
    pub(super) annotated_messages_seen: usize,
    /// The peer has said things that nobody keeps account of here.
    pub(super) is_wild: bool,
    pub(super) has_ended: bool,
}

impl Promised {
    /// The peer has sent a frame, and the session goes on.
    pub(super) fn note(&mut self, kind: Kind, lane: LaneId) {
        match kind {
            Kind::Annotate => assert!(self.annotated.insert(lane), "a second annotation is a violation"),
            Kind::Cast | Kind::Call => self.annotated_messages += usize::from(self.annotated.remove(&lane)),
            Kind::Large => _ = self.annotated.remove(&lane),
            _ => assert!(!self.annotated.contains(&lane), "a {kind:?} behind an annotation is a violation"),
        }
    }
}

impl Fuzzed {
    pub(super) fn on_event(&mut self, event: Event) {
        match event {
            Event::Messages(mut messages) => {
                while let Some(Unread { message, annotation, .. }) = messages.front() {
                    self.undelivered.push((message.lane, message.bytes));
                    self.asked.extend(message.call.map(|call| call.correlation));
                    self.promised.annotated_messages_seen += usize::from(annotation.is_some());
                    let is_due = self.promised.messages_due > 0;
                    assert!(is_due || self.promised.is_wild, "a message that was not sent, or twice");
                    self.promised.messages_due = self.promised.messages_due.saturating_sub(1);
                    messages.pop_front();
                }
            }
            Event::Answered { reply, value } => {
                self.promised.calls_ended += 1;
                // It may be no answer to this question.
                _ = reply.answer(&value, self.session.context());
            }
            Event::Failed { reply, failure } => {
                self.promised.calls_ended += 1;
                reply.fail(failure);
            }
            Event::Abandoned { reply } => {
                self.promised.calls_ended += 1;
                drop(reply);
            }
            Event::Down { watch, .. } | Event::Unlinked { link: watch } => {
                assert!(self.promised.watches.remove(&watch), "an end is told once");
            }
            Event::Watch { watch, .. } | Event::Link { link: watch, .. } => {
                assert!(self.promised.watched.insert(watch), "two of the same number");
            }
            Event::Unwatch { watch } | Event::Unlink { link: watch, .. } => {
                assert!(self.promised.watched.remove(&watch), "it was over");
            }
            Event::Presented { .. } => {
                let is_due = self.promised.presents_due > 0;
                assert!(is_due || self.promised.is_wild, "a token that was not shown, or twice");
                self.promised.presents_due = self.promised.presents_due.saturating_sub(1);
            }
            Event::Published(entries) => {
                for entry in entries {
                    assert!(entry.is_usable() && self.promised.published.insert(entry), "it was said before");
                }
            }
            Event::Unpublished(entries) => {
                for entry in entries {
                    assert!(self.promised.published.remove(&entry), "it was never said");
                }
            }
            Event::Died(deaths) => self.on_died(&deaths),
            Event::Cut { connection, .. } => self.streams.retain(|stream| stream.id != connection),
            Event::Ended { .. } => self.promised.has_ended = true,
            _ => {}
        }
        assert!(self.promised.calls_ended <= self.promised.calls, "a call ends once");
    }

    fn on_died(&mut self, deaths: &[Death]) {
        for death in deaths {
            assert!(
                death.count > 0
                    && death.detail.as_ref().is_none_or(|text| text.len() <= CLOSE_DETAIL_BYTES_MAX)
            );
            if death.reason != DeadReason::Unacknowledged {
                self.promised.dead += death.count;
                assert!(self.promised.dead <= self.promised.casts, "more have died than were sent");
            } else {
                assert!(death.count <= self.promised.casts, "more are lost than were sent");
            }
        }
    }
}
