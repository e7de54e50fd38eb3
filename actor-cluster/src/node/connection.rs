//! The data plane: one task runs one session and all its streams.
//!
//! ```text
//!  Link ◄── callers of any thread: encode, wake
//!   │ lock
//!  SessionTask ── poll: arrivals, write, read, events, deliveries, timer
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

use super::Node;
use super::catalog::{Delivery, Waiting};
use super::inbound;
use super::peer::Link;
use super::stream::{StreamIo, Turn};
use crate::contain::contained;
use crate::limits::{DELIVERIES_PER_TURN, LINGER};
use crate::session::streams::ConnectionId;
use crate::session::{Event, Inbound};
use crate::transport::{CloseCode, CloseReason};

/// How often a session goes round before other tasks get their turn.
const ROUNDS_PER_TURN: usize = 4;

/// Runs a session until it has ended, its streams are closed, and what it had received
/// is delivered.
pub(super) struct SessionTask {
    node: Arc<Node>,
    link: Arc<Link>,
    streams: Vec<StreamIo>,
    /// Messages that wait for their actor, oldest first; credit bounds them.
    inbox: VecDeque<Inbound>,
    /// The message at the front whose actor has no room, and its bytes.
    waiting: Option<(Waiting, usize)>,
    timer: Option<(Instant, Pin<Box<Sleep>>)>,
    /// Set when the session has ended: when the streams are cut off.
    cut_off: Option<Instant>,
}

impl SessionTask {
    pub(super) fn new(node: Arc<Node>, link: Arc<Link>) -> Self {
        let (streams, inbox) = (Vec::new(), VecDeque::new());
        Self { node, link, streams, inbox, waiting: None, timer: None, cut_off: None }
    }

    /// Whether any stream could go on.
    fn poll_streams(&mut self, cx: &mut Context<'_>) -> bool {
        let now = self.node.executor().now();
        for arrival in self.link.take_arrivals() {
            self.streams.push(StreamIo::new(arrival, self.node.body_bytes_max()));
        }
        let (link, is_closing) = (&self.link, self.cut_off.is_some());
        let mut is_busy = false;
        self.streams.retain_mut(|stream| match stream.poll(cx, link, now, is_closing) {
            Turn::Idle => true,
            Turn::Busy => {
                is_busy = true;
                true
            }
            Turn::Over(reason) => {
                link.detach(stream.connection(), reason.clone());
                stream.close(&reason);
                false
            }
        });
        is_busy
    }

    /// Whether there was any event.
    fn handle_events(&mut self) -> bool {
        let mut has_progressed = false;
        while let Some(event) = self.link.run(|session| session.poll_event()) {
            has_progressed = true;
            match event {
                Event::Message(message) => self.inbox.push_back(message),
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
        has_progressed
    }

    /// Closes a stream that the session has given up.
    fn cut(&mut self, connection: ConnectionId, reason: &CloseReason) {
        self.streams.retain_mut(|stream| {
            let is_kept = stream.connection() != connection;
            if !is_kept {
                stream.close(reason);
                self.link.cut();
            }
            is_kept
        });
    }

    /// Whether any message left the session.
    fn poll_deliveries(&mut self, cx: &mut Context<'_>) -> bool {
        for delivered in 0..DELIVERIES_PER_TURN {
            let bytes = if let Some((delivery, bytes)) = &mut self.waiting {
                let polled = contained("a message", || delivery.as_mut().poll(cx));
                if polled.is_some_and(|polled| polled.is_pending()) {
                    return delivered > 0;
                }
                let bytes = *bytes;
                self.drop_waiting();
                bytes
            } else {
                let is_welcome = self.cut_off.is_some() || self.link.run(|session| session.wants_messages());
                let Some(message) = is_welcome.then(|| self.inbox.pop_front()).flatten() else {
                    return delivered > 0;
                };
                let (node, link, bytes) = (&self.node, &self.link, message.bytes);
                if let Some(Delivery::Waiting(delivery)) =
                    contained("a message", || inbound::deliver(node, link, message))
                {
                    // Polled right below, or in the next turn: only then does it wake.
                    self.waiting = Some((delivery, bytes));
                    continue;
                }
                bytes
            };
            self.link.run(|session| session.delivered(bytes));
        }
        true
    }

    /// Whether the time made a difference.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> bool {
        let mut has_fired = false;
        loop {
            let due = self.cut_off.unwrap_or_else(|| self.link.run(|session| session.next_timeout()));
            let is_armed = self.timer.as_ref().is_some_and(|(armed, _)| *armed <= due);
            if !is_armed {
                self.timer = Some((due, Box::pin(self.node.executor().sleep_until(due))));
            }
            let Some((_, sleep)) = &mut self.timer else { return has_fired };
            if sleep.as_mut().poll(cx).is_pending() {
                return has_fired;
            }
            self.timer = None;
            has_fired = true;
            let now = self.node.executor().now();
            match self.cut_off {
                Some(at) if now >= at => {
                    self.give_up();
                    return has_fired;
                }
                Some(_) => {}
                None => self.link.run(|session| session.handle_timeout(now)),
            }
        }
    }

    /// The time to finish is over.
    fn give_up(&mut self) {
        let reason = CloseReason::from(CloseCode::Timeout);
        self.streams.drain(..).for_each(|mut stream| stream.close(&reason));
        let lost = self.inbox.len() + usize::from(self.waiting.is_some());
        if lost > 0 {
            tracing::warn!(peer = %self.link.info.name, lost, "messages found no room in time");
        }
        self.inbox.clear();
        self.drop_waiting();
    }

    /// It may hold a message, and a message may panic when it is dropped.
    fn drop_waiting(&mut self) {
        let waiting = self.waiting.take();
        contained("the destructor of a message", || drop(waiting));
    }

    fn is_over(&self) -> bool {
        let is_idle = self.streams.is_empty() && self.inbox.is_empty() && self.waiting.is_none();
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
        for _ in 0..ROUNDS_PER_TURN {
            let is_busy = this.poll_streams(cx);
            let has_fired = this.poll_timer(cx);
            let has_events = this.handle_events();
            let has_delivered = this.poll_deliveries(cx);
            if this.is_over() {
                return Poll::Ready(());
            }
            // What was done may have left something to write.
            if !(is_busy || has_fired || has_events || has_delivered) {
                return Poll::Pending;
            }
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
            self.handle_events();
            drop(self.link.take_arrivals());
        }
        self.drop_waiting();
    }
}
