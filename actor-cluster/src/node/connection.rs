//! The data plane: one task runs one session and all its streams.
//!
//! ```text
//!  Link ◄── callers of any thread: encode, wake
//!   │ lock
//!  SessionTask ── poll: arrivals, write, read, look, timer, events, deliveries
//!   └── streams: each with what it is writing and what it has read so far
//! ```
//!
//! Reading and writing share a task on purpose: after a read it stands in the run
//! queue behind the actors it woke, so their answers leave in one write.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actor_core::Instant;
use actor_core::executor::Sleep;
use bytes::BytesMut;

use super::Node;
use super::delivering::{Deliveries, LeftOver};
use super::inbound;
use super::link::{Link, TurnBegun};
use super::stream::{Round, StreamIo, Turn};
use crate::contain::contained;
use crate::limits::LINGER;
use crate::session::streams::ConnectionId;
use crate::session::{Event, TakesMore};
use crate::transport::{CloseCode, CloseReason};

/// How often a session goes round before other tasks get their turn.
const ROUNDS_PER_TURN: usize = 4;

/// Runs a session until it has ended, its streams are closed, and what it had received
/// is delivered.
pub(super) struct SessionTask {
    node: Arc<Node>,
    link: Arc<Link>,
    streams: Vec<StreamIo>,
    /// What those of them are read into on which little comes, one after the other.
    spare: BytesMut,
    deliveries: Deliveries,
    /// Filled by a look and emptied when they are handled: it keeps its room.
    events: VecDeque<Event>,
    timer: Option<(Instant, Pin<Box<Sleep>>)>,
    /// Set when the session has ended: when the streams are cut off.
    cut_off: Option<Instant>,
}

/// What a session says in each round.
struct Outlook {
    next_timeout: Instant,
    /// Which more of the peer's messages should be taken.
    wants_messages: TakesMore,
    wants_write: bool,
}

impl SessionTask {
    pub(super) fn new(node: Arc<Node>, link: Arc<Link>) -> Self {
        let (streams, deliveries) = (Vec::new(), Deliveries::default());
        let (events, spare) = (VecDeque::new(), BytesMut::new());
        Self { node, link, streams, spare, deliveries, events, timer: None, cut_off: None }
    }

    /// Begins a turn. Whether the session has something to write.
    fn begin_turn(&mut self) -> bool {
        let TurnBegun { arrivals, wants_write } = self.link.begin_turn();
        let link = &self.link;
        self.streams.extend(arrivals.into_iter().map(|arrival| StreamIo::new(arrival, link)));
        wants_write
    }

    /// Whether any stream could go on, and whether others are to have their turn first.
    fn poll_streams(&mut self, wants_write: bool) -> (bool, bool) {
        let round =
            Round { now: self.node.executor().now(), wants_write, is_closing: self.cut_off.is_some() };
        let (link, spare) = (&self.link, &mut self.spare);
        let (mut is_busy, mut is_sated) = (false, false);
        self.streams.retain_mut(|stream| match stream.poll(link, round, spare) {
            Turn::Idle => true,
            Turn::Busy => {
                is_busy = true;
                true
            }
            Turn::Sated => {
                (is_busy, is_sated) = (true, true);
                true
            }
            Turn::Over(reason) => {
                link.detach(stream.connection(), reason.clone());
                stream.close(&reason);
                // Its lanes may go on with one that has had its turn.
                is_busy = true;
                false
            }
        });
        (is_busy, is_sated)
    }

    /// Takes out of the session what it has to report, and asks what else a round needs to know.
    fn look(&mut self) -> Outlook {
        let events = &mut self.events;
        self.link.run(|session| {
            session.swap_events(events);
            Outlook {
                next_timeout: session.next_timeout(),
                wants_messages: session.wants_messages(),
                wants_write: session.wants_write(),
            }
        })
    }

    /// Acts on what was reported. Whether there was any.
    fn handle_events(&mut self) -> bool {
        let mut events = std::mem::take(&mut self.events);
        let has_any = !events.is_empty();
        events.drain(..).for_each(|event| self.handle_event(event));
        self.events = events;
        has_any
    }

    fn handle_event(&mut self, event: Event) {
        match event {
            Event::Messages(messages) => self.deliveries.push(messages),
            Event::Cut { connection, reason } => self.cut(connection, &reason),
            Event::Ended { reason, unacked } => {
                // What has arrived is delivered still, as far as that goes.
                self.cut_off = Some(self.node.executor().now() + LINGER);
                contained("the end of a session", || self.node.on_ended(&self.link, &reason, unacked));
            }
            event => {
                let (node, link) = (&self.node, &self.link);
                contained("a listener", || inbound::on_event(node, link, event));
            }
        }
    }

    /// Closes a stream that the session has given up.
    fn cut(&mut self, connection: ConnectionId, reason: &CloseReason) {
        self.streams.retain_mut(|stream| {
            let is_kept = stream.connection() != connection;
            if !is_kept {
                stream.close(reason);
                self.link.cut(connection);
            }
            is_kept
        });
    }

    /// Whether the time made a difference.
    fn poll_timer(&mut self, cx: &mut Context<'_>, next_timeout: Instant) -> bool {
        let mut has_fired = false;
        let mut due = self.cut_off.unwrap_or(next_timeout);
        loop {
            let is_armed = self.timer.as_ref().is_some_and(|(armed, _)| *armed <= due);
            if !is_armed {
                let at = self.node.review_due().map_or(due, |review| due.min(review));
                self.timer = Some((at, Box::pin(self.node.executor().sleep_until(at))));
            }
            let Some((_, sleep)) = &mut self.timer else { return has_fired };
            if sleep.as_mut().poll(cx).is_pending() {
                return has_fired;
            }
            self.timer = None;
            has_fired = true;
            let now = self.node.executor().now();
            self.node.once.sweep(now);
            self.streams.iter_mut().for_each(|stream| stream.rest(now));
            match self.cut_off {
                Some(at) if now >= at => {
                    self.give_up();
                    return has_fired;
                }
                Some(at) => due = at,
                None => {
                    due = self.link.run(|session| {
                        session.handle_timeout(now);
                        session.next_timeout()
                    });
                    self.node.review(&self.link, now);
                }
            }
        }
    }

    /// The time to finish is over.
    fn give_up(&mut self) {
        let reason = CloseReason::from(CloseCode::Timeout);
        self.streams.drain(..).for_each(|mut stream| stream.close(&reason));
        self.clear_deliveries();
    }

    /// What has found no room never will.
    fn clear_deliveries(&mut self) {
        let left_over = self.deliveries.clear();
        if left_over.is_empty() {
            return;
        }
        tracing::warn!(peer = %self.link.info.name, lost = left_over.len(), "messages found no room in time");
        for LeftOver { actor, shape, .. } in left_over.into_iter().filter(|message| !message.is_call) {
            self.node.on_left_over(&self.link, actor, shape);
        }
    }

    fn is_over(&self) -> bool {
        let is_idle = self.streams.is_empty() && self.deliveries.is_empty();
        // A stream that came just before the end is told of it.
        self.cut_off.is_some() && is_idle && !self.link.has_arrivals()
    }
}

impl Future for SessionTask {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        // Registered first: whatever is asked of the session from here on wakes it.
        this.link.waker.register(cx.waker());
        let mut wants_write = this.begin_turn();
        this.link.questions.answer(|| this.streams.iter().map(|stream| stream.status(&this.link)).collect());
        // What was exported is in what waits to be written now.
        this.node.exports.watch_fresh();
        for _ in 0..ROUNDS_PER_TURN {
            let (is_busy, is_sated) = this.poll_streams(wants_write);
            let outlook = this.look();
            let has_fired = this.poll_timer(cx, outlook.next_timeout);
            let has_events = this.handle_events();
            let is_last = this.cut_off.is_some();
            let takes_more = if is_last { TakesMore::ALL } else { outlook.wants_messages };
            let has_delivered = this.deliveries.poll(cx, &this.node, &this.link, takes_more, is_last);
            if this.is_over() {
                this.link.release_memory();
                return Poll::Ready(());
            }
            if is_sated {
                break;
            }
            if !(is_busy || has_fired || has_events || has_delivered) && this.link.may_rest() {
                return Poll::Pending;
            }
            // What was done since the look may have left something to write. What others ask for meanwhile is news.
            wants_write = outlook.wants_write || has_fired || has_events || has_delivered;
        }
        // There is more to do; other tasks get their turn first.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for SessionTask {
    /// A task that is dropped before its end, because the runtime shuts down or the
    /// node gave up waiting, still answers every call and every watch.
    fn drop(&mut self) {
        if self.cut_off.is_none() {
            self.link.close(&CloseReason::from(CloseCode::Shutdown));
            loop {
                self.look();
                if !self.handle_events() {
                    break;
                }
            }
            drop(self.link.take_arrivals());
        }
        self.link.questions.end();
        self.clear_deliveries();
    }
}
