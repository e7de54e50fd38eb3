//! A session and its streams: they come, and they are lost, and it goes on.

use std::collections::BTreeSet;

use actor_core::Instant;

use super::streams::ConnectionId;
use super::{Correlation, Event, Phase, Session};
use crate::limits::GOODBYE_PATIENCE;
use crate::transport::{CloseCode, CloseReason};
use crate::wire::frame::Kind;
use crate::wire::lanes::{LaneId, LaneIds};

/// A lane waits for a stream.
#[derive(Debug)]
pub(super) struct Broken {
    /// Why its stream was lost.
    reason: CloseReason,
    /// Until when nobody is told, since a goodbye may be on its way on another stream.
    quiet_until: Option<Instant>,
    /// Until when it waits.
    until: Instant,
}

impl Broken {
    pub(super) fn next_timeout(&self) -> Instant {
        self.quiet_until.map_or(self.until, |quiet| quiet.min(self.until))
    }
}

impl Session {
    /// Gives the session another stream, and says what carries it, see [`carrier`](crate::transport::ClusterBidiStream::carrier).
    pub(crate) fn attach(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        lanes: LaneIds,
        carrier: Option<u64>,
    ) {
        self.streams.attach(now, connection, lanes, carrier);
        self.assign_lanes();
        self.check_ready();
    }

    /// Tells the session that a stream has ended, and why. Its lanes go on with another, or wait
    /// for one. While the session opens, it ends with a stream that has carried anything.
    pub(crate) fn detach(&mut self, now: Instant, connection: ConnectionId, reason: CloseReason) {
        let Some(lost) = self.streams.detach(connection) else { return };
        let is_over = self.streams.is_empty();
        self.has_lost = true;
        // What was acknowledged on it may be lost with it.
        self.owes_ack = true;
        self.assign_lanes();
        // A peer that says goodbye ends its streams one by one; without one it is no proper end.
        let may_be_goodbye = reason.code == CloseCode::Done && !is_over;
        let reason = match reason.code {
            CloseCode::Done => CloseReason::new(CloseCode::Lost, reason.detail()),
            _ => reason,
        };
        match &self.phase {
            Phase::Leaving { reason, .. } if is_over => self.end(reason.clone(), |_| true),
            Phase::Leaving { .. } | Phase::Ended(_) => {}
            // The peer means it.
            _ if !reason.code.is_passing() => self.end(reason, |_| true),
            Phase::Opening { .. } if !lost.is_used && !is_over => {}
            // Until the goodbye comes, for all that is known there is none.
            Phase::Opening { .. } if may_be_goodbye => self.leave(now, reason),
            Phase::Opening { .. } => self.end(reason, |_| true),
            Phase::Ready if self.is_complete() => {}
            Phase::Ready if self.config.resume_timeout.is_zero() && may_be_goodbye => self.leave(now, reason),
            Phase::Ready if self.config.resume_timeout.is_zero() => self.end(reason, |_| true),
            Phase::Ready => self.begin_waiting(now, reason, may_be_goodbye),
        }
    }

    fn begin_waiting(&mut self, now: Instant, reason: CloseReason, may_be_goodbye: bool) {
        let until = now + self.config.resume_timeout;
        let broken = self.broken.get_or_insert(Broken { reason, quiet_until: Some(now), until });
        if may_be_goodbye && broken.quiet_until.is_some() {
            broken.quiet_until = Some(now + GOODBYE_PATIENCE);
        } else {
            broken.quiet_until = broken.quiet_until.map(|_| now);
        }
        self.check_broken(now);
    }

    /// Whoever waits for a stream is told of it, and does not wait for ever.
    pub(super) fn check_broken(&mut self, now: Instant) {
        let Some(broken) = &mut self.broken else { return };
        if broken.quiet_until.take_if(|quiet| now >= *quiet).is_some() {
            self.events.push_back(Event::Interrupted(broken.reason.clone()));
        }
        if now >= broken.until {
            let reason = broken.reason.clone();
            self.end(reason, |_| true);
        }
    }

    /// Takes a stream away that is of no use any more.
    pub(crate) fn cut(&mut self, now: Instant, connection: ConnectionId, reason: &CloseReason) {
        self.events.push_back(Event::Cut { connection, reason: reason.clone() });
        self.detach(now, connection, reason.clone());
    }

    /// Gives every lane without a stream one that carries it, if there is one.
    fn assign_lanes(&mut self) {
        for id in LaneId::all(self.peer.data_lanes) {
            let stream = self.lane(id).and_then(|lane| lane.stream());
            if stream.is_some_and(|stream| self.streams.get(stream).is_some()) {
                continue;
            }
            let stream = self.streams.of_lane(id);
            if let Some(lane) = self.lane(id) {
                lane.write_to(stream);
            }
            if let Some(stream) = stream.filter(|_| self.has_lost) {
                // The peer may not know yet that the stream is lost that it writes to.
                self.write(stream, Kind::Take, LaneIds::of(id).bits(), &[]);
                self.owes_ack = true;
            }
        }
        if self.is_complete()
            && let Some(broken) = self.broken.take()
            && broken.quiet_until.is_none()
        {
            self.events.push_back(Event::Resumed);
        }
    }

    /// Whether every lane has a stream: another would only stand by.
    pub(crate) fn is_complete(&self) -> bool {
        self.lanes().all(|lane| lane.stream().is_some())
    }

    /// Whether every lane would have one if these were not there.
    pub(crate) fn is_complete_without(&self, streams: &[ConnectionId]) -> bool {
        LaneId::all(self.peer.data_lanes).all(|lane| self.streams.carry_without(lane, streams))
    }

    /// Whether any lane is written to this stream.
    pub(crate) fn uses(&self, stream: ConnectionId) -> bool {
        self.lanes().any(|lane| lane.stream() == Some(stream))
    }

    /// Writes a whole frame of a lane that this stream has; whether it is one.
    #[cfg(test)]
    pub(crate) fn inject(&mut self, connection: ConnectionId, bytes: bytes::Bytes) -> bool {
        let lane = crate::wire::frame::lane_of(&bytes).and_then(|id| self.lane(id));
        let lane = lane.filter(|lane| lane.stream() == Some(connection));
        lane.is_some_and(|lane| {
            lane.out.open().extend_from_slice(&bytes);
            true
        })
    }

    /// Calls of which no byte was given to a stream, nor ever will be.
    pub(super) fn never_left(&self) -> BTreeSet<Correlation> {
        let waiting = self.lanes().filter(|lane| lane.stream().is_none());
        waiting.flat_map(|lane| lane.out.unsent_calls()).map(Correlation::from_u64).collect()
    }

    /// How many messages were sent, and perhaps have never arrived.
    pub(super) fn unacked(&self) -> u64 {
        self.lanes().map(|lane| lane.out.kept_messages()).sum()
    }
}
