//! Messages on their way from a session to the mailboxes here.
//!
//! ```text
//!  session ──► inbox ──┬── its actor has room ──────────────► mailbox
//!                      └── it has none, or others wait ──► its own line ──► mailbox
//!                              hold ◄── to the peer ──► release, when the line is empty
//! ```
//!
//! A message that takes long to read is read elsewhere, in front of its actor's line; a few at a time.
//!
//! An actor without room keeps nobody else's messages waiting: they go past its line. The peer
//! is told to hold what is for it, so the line has at most what was under way by then, less than two windows
//! in all; a line costs memory only while there is one.
//!
//! What came in the urgent lane has an inbox of its own, and goes first.
//!
//! Should many actors stall one after the other, everything that comes from the peer waits, in whichever lane, but the urgent one, and
//! that for itself. There are three
//! cases: the next message would bring its line over the bounds below; a message that began a line has brought the lines over them
//! already; more actors have lines than the peer can be [asked to hold](Holds) for. The bounds are for all
//! lines together, those for urgent messages apart:
//! [`STALLED_WINDOWS_MAX`] windows, and [`STALLED_LONG_MAX`] of the longest messages.

use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, ready};
use std::ops::{Add, Sub};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actor_core::Rejection;
use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::Node;
use super::catalog::Waiting;
use super::holds::{Freed, Holds};
use super::inbound::{self, Reached};
use super::link::Link;
use crate::contain::contained;
use crate::limits::{DELIVERIES_PER_TURN, STALLED_LONG_MAX, STALLED_WINDOWS_MAX};
use crate::session::{Config, Fields, Inbound, Messages, Shape, TakesMore, Unread, are_worth_copying};
use crate::wire::annotation::Annotation;
use crate::wire::lanes::{LANES_MAX, LaneId};

/// How much of a turn is kept for what comes behind: of lines for each inbox that is not empty, of the urgent inbox for the other.
const DELIVERIES_KEPT: usize = DELIVERIES_PER_TURN / 4;

/// See the module.
#[derive(Default)]
pub(super) struct Deliveries {
    /// What came in the urgent lane: it goes first, whatever else waits.
    urgent: Inbox,
    others: Inbox,
    /// Behind the message that is being delivered to it, what else is for an actor without room.
    lines: BTreeMap<u64, Line>,
    /// The message in front of each line.
    fronts: FuturesUnordered<Pin<Box<dyn Future<Output = Front> + Send>>>,
    /// Whose lines wait until less is being read, in turn.
    unread: VecDeque<u64>,
    /// Whose lines the peer knows of.
    holds: Holds,
}

/// Messages that have arrived, and what became of those before them.
#[derive(Default)]
struct Inbox {
    /// Oldest first; credit bounds them.
    messages: VecDeque<Messages>,
    /// Whether some had to stay here although the last turn was not used up.
    is_stalled: bool,
    /// What has gone to lines and is still there, fronts included.
    stalled: Weight,
}

impl Inbox {
    fn push(&mut self, mut messages: Messages) {
        if self.is_stalled {
            // They may have to wait for long.
            messages.copy_if_short();
        }
        self.messages.push_back(messages);
    }

    /// So much of a turn is over: what is left here waits, or would have had its turn.
    fn end_turn(&mut self, turn: &Turn) {
        let is_stalled = turn.goes_on() && !self.messages.is_empty();
        if is_stalled && !self.is_stalled {
            self.messages.iter_mut().for_each(Messages::copy_if_short);
        }
        self.is_stalled = is_stalled;
    }
}

#[derive(Default)]
struct Line {
    /// What is being read or waits for room, unless it has found some.
    front: Option<LeftOver>,
    behind: VecDeque<Stalled>,
}

/// A message in a line.
struct Stalled {
    message: Inbound,
    annotation: Option<Arc<Annotation>>,
    /// Where its fields are.
    piece: Bytes,
}

impl Stalled {
    /// A short message gets bytes of its own, so that it does not keep all those in memory that
    /// it came with.
    fn new(unread: &Unread<'_>) -> Self {
        let Unread { message, annotation, piece } = *unread;
        let annotation = annotation.cloned();
        let range = message.fields.range();
        if !are_worth_copying(range.len()) {
            return Self { message, annotation, piece: piece.clone() };
        }
        let message = Inbound { fields: Fields::new(0..range.len()), ..message };
        Self { message, annotation, piece: Bytes::copy_from_slice(&piece[range]) }
    }

    fn unread(&self) -> Unread<'_> {
        let Self { message, annotation, piece } = self;
        Unread { message: *message, annotation: annotation.as_ref(), piece }
    }
}

/// The front of a line has left it.
struct Front {
    actor: u64,
    weight: Weight,
    is_urgent: bool,
    /// The cast that it was, and why nobody handles it.
    died: Option<(Shape, Rejection)>,
}

impl Front {
    /// Says what became of a cast that died. Whose line it has left.
    fn tell(self, node: &Node, link: &Arc<Link>) -> u64 {
        if let Some((shape, rejection)) = self.died {
            tracing::debug!(about = ?link.info, %rejection, "a remote cast was not taken");
            node.on_inbound_dead(link, self.actor, shape, &rejection);
        }
        self.actor
    }
}

/// What messages that wait count as.
#[derive(Clone, Copy, Default)]
struct Weight {
    /// What they cost in credit.
    credit: u64,
    /// How long those are that cost less than that.
    long_bytes: u64,
}

impl Weight {
    fn of(message: &Inbound) -> Self {
        Self { credit: message.bytes as u64, long_bytes: message.long_bytes() as u64 }
    }

    fn is_within(self, node: &Node) -> bool {
        let Config { window_bytes, message_bytes_max, .. } = &node.settings.session;
        self.credit <= window_bytes.saturating_mul(STALLED_WINDOWS_MAX)
            && self.long_bytes <= (*message_bytes_max as u64).saturating_mul(STALLED_LONG_MAX)
    }
}

impl Add for Weight {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { credit: self.credit + other.credit, long_bytes: self.long_bytes + other.long_bytes }
    }
}

impl Sub for Weight {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { credit: self.credit - other.credit, long_bytes: self.long_bytes - other.long_bytes }
    }
}

/// A message that no mailbox has.
#[derive(Clone, Copy)]
pub(super) struct LeftOver {
    pub(super) actor: u64,
    pub(super) shape: Shape,
    pub(super) is_call: bool,
}

impl LeftOver {
    fn of(message: &Inbound) -> Self {
        Self { actor: message.actor, shape: message.shape, is_call: message.call.is_some() }
    }
}

impl Deliveries {
    pub(super) fn push(&mut self, messages: Messages) {
        self.inbox(messages.are_urgent()).push(messages);
    }

    fn inbox(&mut self, is_urgent: bool) -> &mut Inbox {
        if is_urgent { &mut self.urgent } else { &mut self.others }
    }

    /// Delivers what can be delivered; whether anything was. `takes_more`: whether messages leave their inboxes.
    /// `is_last`: no more will come, and nothing is kept back.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        node: &Arc<Node>,
        link: &Arc<Link>,
        takes_more: TakesMore,
        is_last: bool,
    ) -> bool {
        let mut turn = Turn::new(is_last);
        // However much finds room in lines, and however much is urgent, others have a part of each turn.
        let kept_for = |inbox: &Inbox, takes: bool| {
            if takes && !inbox.messages.is_empty() { DELIVERIES_KEPT } else { 0 }
        };
        let for_others = kept_for(&self.others, takes_more.others);
        turn.most = DELIVERIES_PER_TURN - for_others - kept_for(&self.urgent, takes_more.urgent);
        // A line that begins meanwhile is looked at in the next round, since there was progress.
        while turn.goes_on() && self.poll_lines(cx, &mut turn, node, link) {}
        turn.most = DELIVERIES_PER_TURN - for_others;
        if takes_more.urgent {
            self.take_messages(true, &mut turn, node, link);
        }
        self.urgent.end_turn(&turn);
        turn.most = DELIVERIES_PER_TURN;
        if takes_more.others {
            self.take_messages(false, &mut turn, node, link);
        }
        self.others.end_turn(&turn);
        turn.tell(link)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.urgent.messages.is_empty() && self.others.messages.is_empty() && self.lines.is_empty()
    }

    /// Drops everything, and says what it was.
    pub(super) fn clear(&mut self) -> Vec<LeftOver> {
        let Self { urgent, others, lines, .. } = std::mem::take(self);
        let inboxes = [urgent.messages, others.messages];
        let lines = lines.into_values();
        let in_lines = lines.flat_map(|Line { front, behind }| {
            front.into_iter().chain(behind.into_iter().map(|stalled| LeftOver::of(&stalled.message)))
        });
        in_lines.chain(inboxes.iter().flatten().flat_map(Messages::rest).map(LeftOver::of)).collect()
    }

    /// Lets one line move on, as far as its actor has room. Whether any could.
    fn poll_lines(
        &mut self,
        cx: &mut Context<'_>,
        turn: &mut Turn,
        node: &Arc<Node>,
        link: &Arc<Link>,
    ) -> bool {
        if self.lines.is_empty() {
            return false;
        }
        let actor = match self.next_to_read(node, link) {
            Some(actor) => actor,
            None => {
                let Poll::Ready(Some(front)) = self.fronts.poll_next_unpin(cx) else { return false };
                let stalled = &mut self.inbox(front.is_urgent).stalled;
                *stalled = *stalled - front.weight;
                turn.delivered += 1;
                front.tell(node, link)
            }
        };
        self.move_on(actor, turn, node, link);
        true
    }

    /// The line that has waited longest for less to be read, if its next message may be read now.
    fn next_to_read(&mut self, node: &Node, link: &Link) -> Option<u64> {
        let next = self.unread.front().and_then(|actor| self.lines.get(actor))?.behind.front()?;
        if reads_enough(&next.message, node, link) { None } else { self.unread.pop_front() }
    }

    /// Delivers what is in a line whose front has left it.
    fn move_on(&mut self, actor: u64, turn: &mut Turn, node: &Arc<Node>, link: &Arc<Link>) {
        loop {
            let line = self.lines.entry(actor).or_default();
            line.front = None;
            let Some(next) = line.behind.pop_front() else {
                self.lines.remove(&actor);
                let Freed { release, hold } = self.holds.end(actor);
                link.run(|session| {
                    release.into_iter().for_each(|actor| session.release(actor));
                    hold.into_iter().for_each(|actor| session.hold(actor));
                });
                return;
            };
            if next.unread().is_read_aside() && reads_enough(&next.message, node, link) {
                line.behind.push_front(next);
                self.unread.push_back(actor);
                return;
            }
            let (weight, left_over) = (Weight::of(&next.message), LeftOver::of(&next.message));
            let is_urgent = next.message.lane.is_urgent();
            match inbound::deliver(node, link, &mut turn.reached, &next.unread()) {
                Some(waiting) => {
                    line.front = Some(left_over);
                    self.fronts.push(in_front(left_over, weight, is_urgent, waiting));
                }
                None if turn.goes_on() => {
                    let stalled = &mut self.inbox(is_urgent).stalled;
                    *stalled = *stalled - weight;
                    turn.delivered += 1;
                    continue;
                }
                // This one is delivered. It is counted in the next turn, with which the rest goes.
                None => {
                    self.fronts.push(Box::pin(ready(Front { actor, weight, is_urgent, died: None })));
                }
            }
            return;
        }
    }

    /// Takes messages out of their lanes, as long as they may come.
    fn take_messages(&mut self, is_urgent: bool, turn: &mut Turn, node: &Arc<Node>, link: &Arc<Link>) {
        let inbox = if is_urgent { &mut self.urgent } else { &mut self.others };
        while let Some(messages) = inbox.messages.front_mut() {
            let Some(unread) = messages.front() else {
                turn.emptied = inbox.messages.pop_front();
                continue;
            };
            if !turn.goes_on() || (!turn.is_last && self.holds.are_exceeded()) {
                return;
            }
            let first = unread.message;
            let Inbound { lane, actor, .. } = first;
            // Usually there are no lines, and nothing to look up.
            let line = if self.lines.is_empty() { None } else { self.lines.get_mut(&actor) };
            if let Some(line) = line {
                let stalled = inbox.stalled + Weight::of(&first);
                if !turn.is_last && !stalled.is_within(node) {
                    return;
                }
                line.behind.push_back(Stalled::new(&unread));
                inbox.stalled = stalled;
                turn.note(lane, 1, first.bytes);
                messages.pop_front();
                continue;
            }
            // Whether this one begins a line shows only when it is handed over.
            if !turn.is_last && !inbox.stalled.is_within(node) {
                return;
            }
            let may_read = || self.unread.is_empty() && may_read(&first, inbox.stalled, node, link);
            if unread.is_read_aside() && !turn.is_last && !may_read() {
                return;
            }
            let most = turn.most - turn.delivered;
            let together = inbound::deliver_casts(node, link, &mut turn.reached, messages, most);
            let (taken, waiting) =
                together.unwrap_or_else(|| (1, inbound::deliver(node, link, &mut turn.reached, &unread)));
            let (last, bytes) = messages.skip(taken).expect("so many were in front");
            // They have left the lane, wherever they are.
            turn.note(lane, taken, bytes);
            if let Some(waiting) = waiting {
                let left_over = LeftOver::of(&last);
                self.lines.insert(actor, Line { front: Some(left_over), behind: VecDeque::new() });
                let weight = Weight::of(&last);
                inbox.stalled = inbox.stalled + weight;
                self.fronts.push(in_front(left_over, weight, is_urgent, waiting));
                if self.holds.begin(actor) {
                    link.run(|session| session.hold(actor));
                }
            }
        }
    }
}

/// What was delivered in one turn, for the session to be told once.
struct Turn {
    is_last: bool,
    /// How many may be delivered in it.
    most: usize,
    delivered: usize,
    reached: Reached,
    /// By the lanes' numbers.
    bytes: [usize; LANES_MAX],
    /// Messages of which none is left.
    emptied: Option<Messages>,
}

impl Turn {
    fn new(is_last: bool) -> Self {
        Self {
            is_last,
            most: DELIVERIES_PER_TURN,
            delivered: 0,
            reached: Reached::default(),
            bytes: Default::default(),
            emptied: None,
        }
    }

    fn goes_on(&self) -> bool {
        self.delivered < self.most
    }

    fn note(&mut self, lane: LaneId, messages: usize, bytes: usize) {
        self.delivered += messages;
        if let Some(of_lane) = self.bytes.get_mut(usize::from(lane.as_u8())) {
            *of_lane += bytes;
        }
    }

    /// Whether there was anything.
    fn tell(self, link: &Link) -> bool {
        let lanes = (0..).map(LaneId::from_u8).zip(self.bytes).filter(|(_, bytes)| *bytes > 0);
        let list = self.emptied.map(Messages::into_list);
        let has_repaid = link.run(|session| {
            lanes.for_each(|(lane, bytes)| session.delivered(lane, bytes));
            list.into_iter().for_each(|list| session.reuse(list));
            session.repay_refused()
        });
        self.delivered > 0 || has_repaid
    }
}

/// Whether a message may be read aside now: not too much at a time, nor while too much that was read so waits
/// for room.
fn may_read(message: &Inbound, stalled: Weight, node: &Node, link: &Link) -> bool {
    let long_bytes = stalled.long_bytes + message.long_bytes() as u64;
    Weight { credit: 0, long_bytes }.is_within(node) && !reads_enough(message, node, link)
}

/// Whether too much is being read for this message to be read, too.
fn reads_enough(message: &Inbound, node: &Node, link: &Link) -> bool {
    let most = node.window_bytes().saturating_mul(STALLED_WINDOWS_MAX);
    link.reads_enough(most, message.fields.range().len() as u64)
}

/// Waits until a message has found room, or never will.
fn in_front(
    LeftOver { actor, shape, is_call }: LeftOver,
    weight: Weight,
    is_urgent: bool,
    waiting: Waiting,
) -> Pin<Box<dyn Future<Output = Front> + Send>> {
    let mut waiting = Contained(Some(waiting));
    Box::pin(std::future::poll_fn(move |cx| {
        waiting.poll(cx).map(|died| {
            // The port of a call tells its caller.
            let died = died.filter(|_| !is_call).map(|rejection| (shape, rejection));
            Front { actor, weight, is_urgent, died }
        })
    }))
}

/// A delivery, in which a user's message may panic when it is handed over or dropped.
struct Contained(Option<Waiting>);

impl Contained {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Rejection>> {
        let Some(waiting) = &mut self.0 else { return Poll::Ready(None) };
        let polled = contained("a message", || waiting.as_mut().poll(cx));
        if polled == Some(Poll::Pending) {
            return Poll::Pending;
        }
        self.let_go();
        polled.unwrap_or(Poll::Ready(None))
    }

    fn let_go(&mut self) {
        let waiting = self.0.take();
        contained("the destructor of a message", || drop(waiting));
    }
}

impl Drop for Contained {
    fn drop(&mut self) {
        self.let_go();
    }
}

#[cfg(test)]
mod tests;
