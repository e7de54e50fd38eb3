//! Where an actor's messages wait: a bounded or unbounded queue with many
//! senders and one receiver.
//!
//! ```text
//!  senders ─► Mailbox ──► queue (lock-free) ──► Inbox ─► the actor
//!                └ waiting: senders without room ◄┘ hands places on
//! ```
//!
//! A sorted inbox takes what there is into `lanes`, and gives room back when a message
//! leaves its lane.
//!
//! Promises: first in, first out for each sender; the bound is exact, and room
//! comes back when a message is taken out, not when it has been handled; senders
//! that wait get room in the order they came; closing is one step, after which no
//! message gets in and everything that got in comes out.

mod lanes;
mod policy;
#[expect(unsafe_code, reason = "the lock-free queue, under models and sanitizers")]
mod queue;
mod sending;
mod sorted;
#[cfg(test)]
mod tests;
mod waiting;

use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::thread;

use self::lanes::Lanes;
pub use self::policy::{Capacity, MailboxStats, Overflow, Priority, Sorting};
use self::queue::{Oldest, Published, Queue, Receiver, Refused, Setup, Whole};
pub(crate) use self::queue::{Park, Taken};
pub(crate) use self::sending::Sending;
use self::sorted::Sorted;
use self::waiting::Waiting;
use crate::contain::{caught, contained, first_panic};
use crate::error::SendError;
use crate::observe::{DeadReason, Observation, Pressure};
use crate::reply::{Bound, Unhandled, drop_unhandled};
use crate::sync::{AtomicU64, Backoff, LockExt, Mutex, Ordering};
use crate::time::Instant;
use crate::trace::{InHand, Tag};

/// The senders' side of a mailbox; it lies in the actor's cell.
#[repr(C)]
pub(crate) struct Mailbox<M> {
    queue: Queue<M>,
    // After the queue, whose last fields are the receiver's: it reads this with them.
    waiting: Waiting<More<M>>,
    is_bounded: bool,
    overflow: Overflow,
}

/// Whether messages carry the span that they were sent in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tags {
    None,
    Carried,
}

/// What few mailboxes need.
struct More<M> {
    /// The receiver's own, if it sorts. It takes them out while it runs anybody's code.
    lanes: Mutex<Lanes<M>>,
    /// How many messages were dropped that never got in.
    dropped_newest: AtomicU64,
    /// How many messages were dropped for newer ones.
    dropped_oldest: AtomicU64,
    expired: AtomicU64,
    observation: OnceLock<Observation>,
    /// The receiver's own, in a tagged mailbox.
    in_hand: InHand,
}

impl<M> Default for More<M> {
    fn default() -> Self {
        Self {
            lanes: Mutex::default(),
            dropped_newest: AtomicU64::new(0),
            dropped_oldest: AtomicU64::new(0),
            expired: AtomicU64::new(0),
            observation: OnceLock::new(),
            in_hand: InHand::default(),
        }
    }
}

impl<M> Mailbox<M> {
    pub(crate) fn new(capacity: Capacity, overflow: Overflow, tags: Tags) -> Self {
        let bound = match capacity {
            Capacity::Bounded(bound) => Some(bound.get()),
            Capacity::Unbounded => None,
        };
        let is_evicting = bound.is_some() && overflow == Overflow::DropOldest;
        Self {
            queue: Queue::new(Setup { bound, is_tagged: tags == Tags::Carried, is_evicting }),
            waiting: Waiting::default(),
            is_bounded: bound.is_some(),
            overflow,
        }
    }

    /// Puts a message in if there is room now, or does what is done when there is none.
    #[inline(always)]
    pub(crate) fn try_send(&self, message: M) -> Result<(), SendError<M>> {
        match self.queue.push(message) {
            Ok(()) => Ok(()),
            // Under a flood this is what most sends come to.
            Err((message, Refused::Full)) if self.only_refuses() => Err(SendError::Full(message)),
            Err((message, refused)) => self.send_refused(message, refused),
        }
    }

    /// Whether what finds no room is refused, and nobody is told.
    fn only_refuses(&self) -> bool {
        matches!(self.overflow, Overflow::Block | Overflow::Reject) && self.waiting.known_more().is_none()
    }

    /// Does what is done with a message that did not simply go in.
    #[cold]
    fn send_refused(&self, message: M, refused: Refused) -> Result<(), SendError<M>> {
        let mut tag = None;
        let (message, refused) = match refused {
            Refused::Untagged => match self.push_tagged(message, &mut tag) {
                Ok(()) => return Ok(()),
                Err(refused) => refused,
            },
            refused => (message, refused),
        };
        match refused {
            Refused::Full => self.overflowed(message, tag),
            Refused::Closed | Refused::Untagged => Err(SendError::Stopped(message, None)),
        }
    }

    /// Puts a message in if there is room; into a tagged mailbox with the span of whoever
    /// calls. If there is none, `tag` keeps it for the next attempt.
    #[inline(always)]
    fn push(&self, message: M, tag: &mut Option<Tag>) -> Result<(), (M, Refused)> {
        match self.queue.push(message) {
            Err((message, Refused::Untagged)) => self.push_tagged(message, tag),
            done => done,
        }
    }

    #[cold]
    fn push_tagged(&self, message: M, tag: &mut Option<Tag>) -> Result<(), (M, Refused)> {
        // Before a slot is claimed: it may run anything, and take as long as it likes.
        let tag = tag.get_or_insert_with(Tag::capture);
        self.queue.push_tagged(message, tag)
    }

    /// There is no room. A message that goes in after all does so with the tag.
    #[cold]
    fn overflowed(&self, message: M, tag: Option<Tag>) -> Result<(), SendError<M>> {
        match self.overflow {
            Overflow::Block | Overflow::Reject => {
                self.tell_pressure(Pressure::Refused);
                Err(SendError::Full(message))
            }
            Overflow::DropNewest => {
                self.waiting.more().dropped_newest.fetch_add(1, Ordering::Relaxed);
                self.tell_pressure(Pressure::DroppedNewest);
                self.bury(message, Unhandled::Full, self.bound());
                Ok(())
            }
            Overflow::DropOldest => self.push_for_the_oldest(message, tag),
        }
    }

    /// Puts a message in, and drops the oldest ones until there is room.
    fn push_for_the_oldest(&self, mut message: M, mut tag: Option<Tag>) -> Result<(), SendError<M>> {
        let mut backoff = Backoff::default();
        loop {
            match self.queue.evict() {
                Some(Whole { message: oldest, tag: _tag, unseen }) => {
                    self.waiting.more().dropped_oldest.fetch_add(1, Ordering::Relaxed);
                    self.tell_pressure(Pressure::DroppedOldest);
                    self.bury(oldest, Unhandled::Full, unseen);
                }
                // The oldest is just being put in.
                None => backoff.pause(),
            }
            message = match self.push(message, &mut tag) {
                Ok(()) => return Ok(()),
                Err((message, Refused::Full)) => message,
                Err((message, Refused::Closed | Refused::Untagged)) => {
                    return Err(SendError::Stopped(message, None));
                }
            };
        }
    }

    /// Has somebody told what happens here.
    pub(crate) fn observe(&self, observation: Observation) {
        // Once, before anybody else knows of the mailbox.
        _ = self.waiting.more().observation.set(observation);
    }

    /// Who is told what happens here.
    pub(crate) fn observation(&self) -> Option<&Observation> {
        self.waiting.known_more()?.observation.get()
    }

    /// The span of the message in hand; `None` if there never was one.
    pub(crate) fn in_hand(&self) -> Option<&InHand> {
        Some(&self.waiting.known_more()?.in_hand)
    }

    /// A message is taken in hand that was sent like this. Calls no subscriber, since others
    /// may be locked out.
    #[cold]
    fn begin_message(&self, tag: Option<Tag>) {
        if let Some(tag) = tag.filter(|tag| !tag.is_none()) {
            self.waiting.more().in_hand.hold(tag);
        }
        if let Some(observation) = self.observation() {
            observation.begin_message();
        }
    }

    fn tell_pressure(&self, pressure: Pressure) {
        if let Some(observation) = self.observation() {
            observation.pressure(pressure);
        }
    }

    /// Says that a message has died.
    fn tell_dead(&self, reason: DeadReason) {
        if let Some(observation) = self.observation() {
            observation.dead_letter::<M>(reason);
        }
    }

    /// All that comes from now on.
    #[inline(always)]
    pub(crate) fn bound(&self) -> Bound {
        self.queue.bound()
    }

    /// Drops a message that nobody will handle, nor has handled any of those.
    pub(crate) fn bury(&self, message: M, why: Unhandled, unseen: Bound) {
        self.tell_dead(match why {
            Unhandled::Stopped => DeadReason::Stopped,
            Unhandled::Full => DeadReason::Dropped,
            Unhandled::Expired => DeadReason::Expired,
        });
        contained("a dead message's destructor", || drop_unhandled(message, why, unseen));
    }

    /// What went through since it was made.
    pub(crate) fn stats(&self) -> MailboxStats {
        let more = self.waiting.known_more();
        let count = |of: fn(&More<M>) -> &AtomicU64| more.map_or(0, |more| of(more).load(Ordering::Relaxed));
        let dropped_newest = count(|more| &more.dropped_newest);
        let dropped_oldest = count(|more| &more.dropped_oldest);
        let expired = count(|more| &more.expired);
        // What was dropped is counted first, so that it is never more than what left.
        let (left, came) = self.queue.counts();
        MailboxStats {
            depth: came - left,
            sent: came + dropped_newest,
            received: left.saturating_sub(dropped_oldest + expired),
            dropped: dropped_newest + dropped_oldest,
            expired,
        }
    }

    /// Waits for room, first come, first served, and puts a message in. Cancel safe:
    /// if the future is dropped before it is ready, nothing was sent, and a place that
    /// it was given goes to the next who waits.
    pub(crate) fn send(&self, message: M) -> Sending<'_, M> {
        Sending::new(self, message)
    }

    /// Lets no more messages in. What got in still comes out.
    pub(crate) fn close(&self) {
        self.shut();
        self.send_away();
    }

    /// The first half of [`close`](Self::close), which runs nobody's code: for whoever
    /// holds a lock.
    pub(crate) fn shut(&self) {
        self.queue.close();
    }

    /// The second half: those who wait for room are told that there will be none.
    pub(crate) fn send_away(&self) {
        // A sender that registers after it was shut meets the tail word, and finds it closed.
        if self.waiting.is_anybody() {
            self.waiting.call_all();
        }
    }

    /// Makes the receiver look again at whatever else it waits for.
    pub(crate) fn wake(&self) {
        self.queue.wake();
    }

    /// Hands the place of a message that leaves on to a sender that waits.
    #[inline(always)]
    fn is_place_handed_on(&self) -> bool {
        self.waiting.is_anybody() && self.waiting.serve()
    }

    /// Gives a place away that is not needed.
    fn pass_on(&self) {
        if !self.waiting.serve() {
            self.queue.return_place();
            self.queue.meet();
            self.call_if_room();
        }
    }

    /// Sees to it that nobody waits while there is room. Senders that register look
    /// for room, and whoever made room looks for senders, after they met at the tail
    /// word: one of the two knows of the other. The receiver does so before it sleeps;
    /// who gives a place back, at once.
    fn call_if_room(&self) {
        if self.waiting.is_anybody() && self.queue.has_room_now() {
            self.waiting.call_first();
        }
    }
}

/// What has a mailbox in it.
pub(crate) trait Owner<M> {
    fn mailbox(&self) -> &Mailbox<M>;
}

/// A message that is there to be taken.
pub(crate) enum Delivery<'a, M> {
    /// It lies in the queue.
    Queued(Oldest<'a, M>, &'a Mailbox<M>),
    /// It was taken out, because the inbox sorts.
    Sorted(M),
}

impl<M> Delivery<'_, M> {
    /// Takes the message out. Its place goes to a sender that waits, if there is one,
    /// before anybody else could have it.
    #[inline(always)]
    pub(crate) fn take(self) -> M {
        match self {
            Self::Queued(oldest, mailbox) => oldest.take_unless(|| mailbox.is_place_handed_on()),
            Self::Sorted(message) => message,
        }
    }
}

/// The end that messages come out of. There is one; dropping it closes the mailbox
/// and drops what is in it.
pub(crate) struct Inbox<M, C: Owner<M>> {
    receiver: Receiver<M, C>,
}

impl<M, C: Owner<M>> Inbox<M, C> {
    pub(crate) fn new(owner: Arc<C>) -> Self {
        Self { receiver: Receiver::new(owner, |owner| &owner.mailbox().queue) }
    }

    /// What the mailbox lies in.
    pub(crate) fn owner(&self) -> &Arc<C> {
        self.receiver.owner()
    }

    /// The next message. If the actor's messages are followed, it is now in hand: the
    /// [span](Mailbox::in_hand) that it was sent in, and its time.
    #[inline(always)]
    pub(crate) fn receive(&mut self, is_followed: bool) -> Taken<Delivery<'_, M>> {
        let (taken, owner) = self.receiver.take_beside();
        taken.map(|oldest| {
            let mailbox = owner.mailbox();
            if is_followed {
                mailbox.begin_message(oldest.take_tag());
            }
            Delivery::Queued(oldest, mailbox)
        })
    }

    /// [`receive`](Self::receive), in a sorting's order; those that have expired are dropped.
    pub(crate) fn receive_sorted(
        &mut self,
        is_followed: bool,
        sorting: &Sorting<M>,
        now: impl Fn(&C) -> Instant,
    ) -> Taken<Delivery<'_, M>> {
        let mut sorted = Sorted::begin(self);
        let rest = sorted.take_in(sorting);
        let next = sorted.next(sorting, now);
        drop(sorted);
        match next {
            Some(Whole { message, tag, .. }) => {
                if is_followed {
                    self.mailbox().begin_message(tag);
                }
                Taken::Message(Delivery::Sorted(message))
            }
            None => rest.map(|never| match never {}),
        }
    }

    /// Whether the next message is just being put in.
    pub(crate) fn is_busy(&self) -> bool {
        self.receiver.is_busy()
    }

    /// Goes to sleep if there is nothing to receive; see [`Park`].
    #[inline]
    pub(crate) fn park(&mut self, waker: &Waker) -> Park {
        let parked = self.receiver.park(waker);
        if parked == Park::Parked {
            self.mailbox().call_if_room();
        }
        parked
    }

    /// Makes sure that [`Mailbox::wake`] wakes this task while it waits for something
    /// else than a message. `false` if that cannot be done just now: try again soon.
    pub(crate) fn suspend(&mut self, waker: &Waker) -> bool {
        let published = self.receiver.publish(waker);
        let mailbox = self.mailbox();
        if mailbox.is_bounded {
            // It may be long until the next message is taken.
            mailbox.queue.meet();
            mailbox.call_if_room();
        }
        published != Published::Busy
    }

    /// Lets no more messages in. What got in still comes out.
    pub(crate) fn close(&self) {
        self.mailbox().close();
    }

    /// Lets messages in again, if it was closed.
    pub(crate) fn reopen(&self) {
        if self.mailbox().queue.is_closed() {
            self.mailbox().queue.reopen();
        }
    }

    /// Closes, and drops every message that got in. Gives the panic of the first whose
    /// destructor panicked; the others are dropped all the same.
    pub(crate) fn discard(mut self) -> thread::Result<()> {
        self.close();
        let mut outcome = Ok(());
        let mut bury = |Whole { message, tag: _tag, unseen }, mailbox: &Mailbox<M>| {
            mailbox.tell_dead(DeadReason::Stopped);
            let dropped = caught(|| drop_unhandled(message, Unhandled::Stopped, unseen));
            outcome = first_panic(std::mem::replace(&mut outcome, Ok(())), dropped);
        };
        for sorted in self.take_sorted() {
            bury(sorted, self.mailbox());
        }
        // Nobody has handled any of what is left, whoever came first among them.
        let mut unseen = None;
        // What is just being put in is left to the receiver's own drop, which waits.
        while let Taken::Message(queued) = self.receiver.take().map(Oldest::take_whole) {
            let unseen = *unseen.get_or_insert(queued.unseen);
            bury(Whole { unseen, ..queued }, self.receiver.owner().mailbox());
        }
        outcome
    }

    /// All that waits in lanes, with its room.
    fn take_sorted(&mut self) -> Vec<Whole<M>> {
        let Some(more) = self.mailbox().waiting.known_more() else { return Vec::new() };
        let mut lanes = std::mem::take(&mut *more.lanes.locked());
        let messages: Vec<_> = std::iter::from_fn(|| lanes.pop(NonZeroU32::MIN)).collect();
        messages.iter().for_each(|_| self.receiver.release());
        messages
    }

    fn mailbox(&self) -> &Mailbox<M> {
        self.receiver.owner().mailbox()
    }
}

/// Senders that wait are told; the receiver's own drop knows of the queue alone.
impl<M, C: Owner<M>> Drop for Inbox<M, C> {
    fn drop(&mut self) {
        if !self.mailbox().queue.is_closed() {
            self.close();
        }
        for Whole { message, tag: _tag, unseen } in self.take_sorted() {
            contained("a message's destructor", || drop_unhandled(message, Unhandled::Stopped, unseen));
        }
    }
}
