//! How a session ends: by a goodbye of either side, by a violation, or because it has waited for too long.

use actor_core::{CallFailure, Exit, Instant};

use super::calls::Pending;
use super::control::UNREAD;
use super::deaths::Deaths;
use super::lane::Lane;
use super::{Event, Phase, Session};
use crate::limits::{ANSWER_BACKLOG_BYTES_MAX, ANSWERS_UNREAD_BYTES_MAX};
use crate::transport::{CloseCode, CloseReason};

impl Session {
    /// Says goodbye after everything that waits to be written, and ends.
    pub(crate) fn close(&mut self, reason: &CloseReason) {
        if self.ended().is_some() {
            return;
        }
        self.tell_all_deaths();
        if self.ended().is_some() {
            // The peer does not read even those.
            return;
        }
        let is_here = reason.code.is_orderly();
        // What the peer knows to have come it need not take for lost.
        self.owes_ack |= is_here && self.has_untold();
        self.send_goodbye(reason);
        // What has a stream is still written, and read by a peer that is here; nobody hears what it acknowledges.
        self.messages.iter_mut().for_each(|lane| lane.lane.out.limit_parts(u64::MAX));
        self.end(reason.clone(), |lane| !is_here || lane.stream().is_none());
    }

    /// The peer has broken the protocol.
    pub(crate) fn violated(&mut self, detail: &str) {
        self.abort(CloseCode::Violation, detail);
    }

    /// How much is kept until the peer has acknowledged it, in all lanes of messages.
    pub(super) fn unread_bytes(&self) -> u64 {
        self.messages.iter().map(|lane| lane.lane.out.kept_bytes()).sum()
    }

    /// How much may be: beyond it, calls fail instead of being answered.
    pub(super) fn unread_bytes_max(&self) -> u64 {
        // What was sent on credit is kept as well: less than two windows in each lane. Three messages cost as much, or four if a
        // window has no half.
        let windows = self.peer.window_bytes.saturating_mul(2);
        let in_lane = windows.saturating_add(4 * self.peer.message_bytes_max as u64);
        let on_credit = in_lane.saturating_mul(self.messages.len() as u64);
        on_credit.saturating_add(ANSWERS_UNREAD_BYTES_MAX as u64)
    }

    /// Ends the session if the peer does not even read that calls have failed.
    pub(super) fn check_unread(&mut self) {
        let failures = (self.peer.message_bytes_max + ANSWER_BACKLOG_BYTES_MAX) as u64;
        if self.unread_bytes() > self.unread_bytes_max().saturating_add(failures) {
            self.abort(CloseCode::Timeout, UNREAD);
        }
    }

    /// Drops what waits to be written, says goodbye, and ends.
    pub(super) fn abort(&mut self, code: CloseCode, detail: &str) {
        if self.ended().is_some() {
            // What it has to say still is written.
            return;
        }
        self.messages.iter_mut().for_each(|lane| lane.lane.write_to(None));
        // They might not find room either.
        self.deaths = Deaths::default();
        self.close(&CloseReason::new(code, detail));
        self.messages.iter_mut().for_each(|lane| lane.lane.out.drop_unsent());
    }

    /// The peer will send no more than what is under way. Its last word is the
    /// reason; its first one starts the clock.
    pub(super) fn leave(&mut self, now: Instant, reason: CloseReason) {
        let until = match self.phase {
            Phase::Leaving { until, .. } => until,
            _ => now + self.config.patience,
        };
        self.phase = Phase::Leaving { until, reason };
        self.broken = None;
        self.events.push_back(Event::Room);
    }

    /// Ends the session: every call and every watch gets its answer, and every cast that may be lost
    /// with its lane is told of.
    pub(super) fn end(&mut self, reason: CloseReason, is_lost: impl Fn(&Lane) -> bool) {
        if self.ended().is_some() {
            return;
        }
        self.report_unacknowledged(is_lost);
        let (unacked, never_left) = (self.unacked(), self.never_left());
        self.phase = Phase::Ended(reason.clone());
        self.broken = None;
        self.answering.clear();
        for (call, Pending { reply, .. }) in self.calls.drain() {
            let is_certain = never_left.contains(&call);
            let failure = if is_certain { CallFailure::NeverLeft } else { CallFailure::Unknown };
            self.events.push_back(Event::Failed { reply, failure });
        }
        for watch in std::mem::take(&mut self.watches.ours) {
            self.events.push_back(Event::Down { watch, exit: Exit::Unreachable });
        }
        self.events.push_back(Event::Room);
        self.events.push_back(Event::Ended { reason, unacked });
    }

    /// Takes everything out of a session that is over and whose streams have ended, except whom it was with and why it
    /// ended: addresses may keep it for long.
    #[must_use = "drop it outside of every lock"]
    pub(crate) fn release_memory(&mut self) -> Self {
        debug_assert!(self.ended().is_some(), "nobody uses it any more");
        let (peer, config, context) = (self.peer.clone(), self.config.clone(), self.context.clone());
        let bare = Self::bare(peer, config, context, self.phase.clone());
        std::mem::replace(self, Self { has_heard: self.has_heard, ..bare })
    }
}
