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
use super::catalog::Delivery;
use super::inbound;
use super::peer::Link;
use super::stream::{StreamIo, Turn};
use crate::limits::LINGER;
use crate::session::{Event, Inbound};
use crate::transport::{CloseCode, CloseReason};

/// How often a session goes round before other tasks get their turn.
const ROUNDS_PER_TURN: usize = 4;

/// Runs a session until it has ended and its streams are closed.
pub(super) struct SessionTask {
    node: Arc<Node>,
    link: Arc<Link>,
    streams: Vec<StreamIo>,
    /// Messages that wait for their actor, oldest first; credit bounds them.
    inbox: VecDeque<Inbound>,
    /// The message at the front whose actor has no room, and its bytes.
    waiting: Option<(Pin<Box<dyn Future<Output = ()> + Send>>, usize)>,
    timer: Option<(Instant, Pin<Box<Sleep>>)>,
    /// Set when the session has ended: when the streams are cut off.
    cut_off: Option<Instant>,
}

impl SessionTask {
    pub(super) fn new(node: Arc<Node>, link: Arc<Link>) -> Self {
        let (streams, inbox) = (Vec::new(), VecDeque::new());
        Self { node, link, streams, inbox, waiting: None, timer: None, cut_off: None }
    }

    fn poll_streams(&mut self, cx: &mut Context<'_>) -> bool {
        let now = self.node.executor().now();
        for arrival in self.link.take_arrivals() {
            self.streams.push(StreamIo::new(arrival, self.node.body_bytes_max()));
        }
        let is_closing = self.cut_off.is_some();
        let mut is_busy = false;
        let link = &self.link;
        self.streams.retain_mut(|stream| match stream.poll(cx, link, now, is_closing) {
            Turn::Idle => true,
            Turn::Busy => {
                is_busy = true;
                true
            }
            Turn::Over(reason) => {
                link.run(|session| session.detach(stream.connection(), reason.clone()));
                stream.close(&reason);
                false
            }
        });
        is_busy
    }

    fn handle_events(&mut self) -> bool {
        let mut has_progressed = false;
        while let Some(event) = self.link.run(|session| session.poll_event()) {
            has_progressed = true;
            match event {
                Event::Message(message) => self.inbox.push_back(message),
                Event::Ended(reason) => {
                    self.inbox.clear();
                    self.waiting = None;
                    self.cut_off = Some(self.node.executor().now() + LINGER);
                    self.node.on_ended(&self.link, &reason);
                }
                event => inbound::on_event(&self.node, &self.link, event),
            }
        }
        has_progressed
    }

    /// Whether any message left the session.
    fn poll_deliveries(&mut self, cx: &mut Context<'_>) -> bool {
        let mut has_progressed = false;
        loop {
            if let Some((delivery, bytes)) = &mut self.waiting {
                if delivery.as_mut().poll(cx).is_pending() {
                    return has_progressed;
                }
                let bytes = *bytes;
                self.waiting = None;
                self.link.run(|session| session.delivered(bytes));
                has_progressed = true;
            }
            if self.inbox.is_empty() || !self.link.run(|session| session.wants_messages()) {
                return has_progressed;
            }
            let Some(message) = self.inbox.pop_front() else { return has_progressed };
            let bytes = message.bytes;
            match inbound::deliver(&self.node, &self.link, message) {
                Delivery::Waiting(delivery) => self.waiting = Some((delivery, bytes)),
                Delivery::Done => {
                    self.link.run(|session| session.delivered(bytes));
                    has_progressed = true;
                }
            }
        }
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
                    let reason = CloseReason::from(CloseCode::Done);
                    self.streams.drain(..).for_each(|mut stream| stream.close(&reason));
                    return has_fired;
                }
                Some(_) => {}
                None => self.link.run(|session| session.handle_timeout(now)),
            }
        }
    }

    fn is_over(&self) -> bool {
        self.cut_off.is_some() && self.streams.is_empty()
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
        }
    }
}
