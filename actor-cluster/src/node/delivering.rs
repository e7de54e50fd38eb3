//! Messages on their way from a session to the mailboxes here.
//!
//! ```text
//!  session ──► inbox ──┬── its actor has room ──────────────► mailbox
//!                      └── it has none, or others wait ──► its own line ──► mailbox
//!                              hold ◄── to the peer ──► release, when the line is empty
//! ```
//!
//! An actor without room keeps nobody else's messages waiting: they go past its line. The peer
//! is told to hold what is for it, so the line has at most what was under way by then, a window
//! in all; a line costs memory only while there is one. Should many actors stall one after the
//! other, the lane waits when their lines have [`STALLED_WINDOWS_MAX`] windows together.

use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::Node;
use super::catalog::{Delivery, Waiting};
use super::inbound::{self, Reached};
use super::peer::Link;
use crate::contain::contained;
use crate::limits::{DELIVERIES_PER_TURN, STALLED_WINDOWS_MAX};
use crate::session::{Fields, Inbound, Messages};
use crate::wire::lanes::{LANES_MAX, LaneId};

/// See the module.
#[derive(Default)]
pub(super) struct Deliveries {
    /// Oldest first; credit bounds them.
    inbox: VecDeque<Messages>,
    /// Behind the message that is being delivered to it, what else is for an actor without room.
    lines: BTreeMap<u64, VecDeque<Stalled>>,
    /// The message in front of each line.
    fronts: FuturesUnordered<Pin<Box<dyn Future<Output = Front> + Send>>>,
    /// How many bytes are in lines, fronts included.
    stalled_bytes: u64,
}

/// A message in a line.
struct Stalled {
    message: Inbound,
    /// Where its fields are.
    piece: Bytes,
}

impl Stalled {
    /// A short message gets bytes of its own, so that it does not keep all those in memory that
    /// it came with.
    fn new(message: &Inbound, piece: &Bytes) -> Self {
        let range = message.fields.range();
        if range.len() * SHARED_PIECE_MOST >= piece.len() {
            return Self { message: message.clone(), piece: piece.clone() };
        }
        let fields = Fields::new(0..range.len());
        Self { message: Inbound { fields, ..message.clone() }, piece: Bytes::copy_from_slice(&piece[range]) }
    }
}

/// How many times its own length a message in a line may keep in memory.
const SHARED_PIECE_MOST: usize = 4;

/// The front of a line has left it.
struct Front {
    actor: u64,
    bytes: usize,
}

impl Deliveries {
    pub(super) fn push(&mut self, messages: Messages) {
        self.inbox.push_back(messages);
    }

    /// Delivers what can be delivered; whether anything was. `is_last`: no more will come, and
    /// nothing is kept back.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        node: &Arc<Node>,
        link: &Arc<Link>,
        is_last: bool,
    ) -> bool {
        // What the peer leaves unread does not change while messages are handed over.
        let takes_more = is_last || self.inbox.is_empty() || link.run(|session| session.wants_messages());
        let mut turn = Turn { is_last, ..Turn::default() };
        // A line that begins meanwhile is looked at in the next round, since there was progress.
        while turn.goes_on() && self.poll_lines(cx, &mut turn, node, link) {}
        if takes_more {
            self.take_messages(&mut turn, node, link);
        }
        turn.tell(link)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.inbox.is_empty() && self.lines.is_empty()
    }

    /// Drops everything; how many messages.
    pub(super) fn clear(&mut self) -> usize {
        let unread: usize = self.inbox.iter().map(Messages::len).sum();
        let lost = unread + self.lines.values().map(|line| 1 + line.len()).sum::<usize>();
        *self = Self::default();
        lost
    }

    /// Lets a line move on, if one can: as far as its actor has room.
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
        let Poll::Ready(Some(Front { actor, bytes })) = self.fronts.poll_next_unpin(cx) else { return false };
        self.stalled_bytes -= bytes as u64;
        turn.delivered += 1;
        loop {
            let Some(next) = self.lines.get_mut(&actor).and_then(VecDeque::pop_front) else {
                self.lines.remove(&actor);
                link.run(|session| session.release(actor));
                return true;
            };
            let bytes = next.message.bytes;
            match inbound::deliver(node, link, &mut turn.reached, &next.message, &next.piece) {
                Delivery::Waiting(waiting) => self.fronts.push(in_front(actor, bytes, waiting)),
                Delivery::Done if turn.goes_on() => {
                    self.stalled_bytes -= bytes as u64;
                    turn.delivered += 1;
                    continue;
                }
                // The rest goes in the next turn.
                Delivery::Done => self.fronts.push(Box::pin(ready(Front { actor, bytes }))),
            }
            return true;
        }
    }

    /// Takes messages out of their lanes, as long as they may come.
    fn take_messages(&mut self, turn: &mut Turn, node: &Arc<Node>, link: &Arc<Link>) {
        let most = node.window_bytes().saturating_mul(STALLED_WINDOWS_MAX);
        while turn.goes_on()
            && let Some(messages) = self.inbox.front_mut()
        {
            let Some(message) = messages.front() else {
                turn.emptied = self.inbox.pop_front();
                continue;
            };
            let Inbound { lane, actor, bytes, .. } = *message;
            // Usually there are no lines, and nothing to look up.
            let line = if self.lines.is_empty() { None } else { self.lines.get_mut(&actor) };
            if let Some(line) = line {
                if !turn.is_last && self.stalled_bytes + bytes as u64 > most {
                    return;
                }
                line.push_back(Stalled::new(message, messages.bytes()));
                self.stalled_bytes += bytes as u64;
            } else if let Delivery::Waiting(waiting) =
                inbound::deliver(node, link, &mut turn.reached, message, messages.bytes())
            {
                self.lines.insert(actor, VecDeque::new());
                self.fronts.push(in_front(actor, bytes, waiting));
                self.stalled_bytes += bytes as u64;
                link.run(|session| session.hold(actor));
            }
            messages.pop_front();
            // It has left the lane, wherever it is.
            turn.note(lane, bytes);
            turn.delivered += 1;
        }
    }
}

/// What was delivered in one turn, for the session to be told once.
#[derive(Default)]
struct Turn {
    is_last: bool,
    delivered: usize,
    reached: Reached,
    /// By the lanes' numbers.
    bytes: [usize; LANES_MAX],
    /// Messages of which none is left.
    emptied: Option<Messages>,
}

impl Turn {
    fn goes_on(&self) -> bool {
        self.delivered < DELIVERIES_PER_TURN
    }

    fn note(&mut self, lane: LaneId, bytes: usize) {
        if let Some(of_lane) = self.bytes.get_mut(usize::from(lane.as_u8())) {
            *of_lane += bytes;
        }
    }

    /// Whether there was anything.
    fn tell(self, link: &Link) -> bool {
        let lanes = (0..).map(LaneId::from_u8).zip(self.bytes).filter(|(_, bytes)| *bytes > 0);
        let list = self.emptied.map(Messages::into_list);
        link.run(|session| {
            lanes.for_each(|(lane, bytes)| session.delivered(lane, bytes));
            list.into_iter().for_each(|list| session.reuse(list));
        });
        self.delivered > 0
    }
}

/// Waits until a message has found room, or never will.
fn in_front(actor: u64, bytes: usize, waiting: Waiting) -> Pin<Box<dyn Future<Output = Front> + Send>> {
    let mut waiting = Contained(Some(waiting));
    Box::pin(std::future::poll_fn(move |cx| waiting.poll(cx).map(|()| Front { actor, bytes })))
}

/// A delivery, in which a user's message may panic when it is handed over or dropped.
struct Contained(Option<Waiting>);

impl Contained {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(waiting) = &mut self.0 else { return Poll::Ready(()) };
        if contained("a message", || waiting.as_mut().poll(cx)) == Some(Poll::Pending) {
            return Poll::Pending;
        }
        self.let_go();
        Poll::Ready(())
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
