//! The lock-free queue below every mailbox: many senders, one receiver, messages
//! stored inline in blocks, and one word that decides everything.
//!
//! ```text
//!  tail word │ position │ TAGGED │ errand │ LOCKED │ BLOCKLESS │ CLOSED │ PARKED │
//!
//!  senders ── one compare-and-swap on the tail word ──► claims the slot at the
//!             position; fails if closed; checks the bound; ends a park
//!  receiver ─ reads full slots in order, frees blocks, parks by one compare-and-swap
//! ```
//!
//! Promises: first in, first out for each sender; the bound is exact; `close` is
//! one step, after which nothing gets in and everything that got in comes out; a
//! parked receiver is woken by exactly the sender that ended its park.
//!
//! Blocks and their hand-over follow crossbeam's segmented queue: a sender reads the
//! tail block before it claims, and uses it only if the claim succeeds, which is
//! only while the tail word has not changed. So it owns an unread slot of that
//! block, and the block cannot be freed. The sender that claims a block's last slot
//! locks the tail word for the three stores that install the next block.
//!
//! A position counts messages, wraps around, and is kept in steps of [`ONE`], so
//! that it and the flags share the word.

mod block;
mod claim;
mod receiver;
#[cfg(test)]
mod tests;
mod waker;

use std::ptr;

use self::block::{Block, BlockPtr, Lap};
use self::claim::{Beside, Claim};
pub(crate) use self::receiver::{Oldest, Park, Receiver, Taken, Whole};
pub(crate) use self::waker::Published;
use self::waker::{ERRANDS, WakerCell};
use crate::reply::Bound;
use crate::sync::{AtomicBool, AtomicPtr, AtomicU64, Backoff, Ordering, UnsafeCell};
use crate::trace::Tag;

/// The receiver sleeps. Whoever clears it, wakes it.
const PARKED: u64 = 1;
/// Nothing gets in any more.
const CLOSED: u64 = 1 << 1;
/// There is no block: the next sender brings one.
const BLOCKLESS: u64 = 1 << 2;
/// A sender is installing a block: a few stores, and it unlocks.
const LOCKED: u64 = 1 << 3;
/// Which errand goes with the last park: see `waker.rs`.
const ERRAND_AT: u32 = 4;
const ERRAND: u64 = 0b111 << ERRAND_AT;
/// Tags travel beside the messages. Never changes; it lies here because senders read this
/// word anyway.
const TAGGED: u64 = 1 << 7;
/// One position.
const ONE: u64 = 1 << 8;
const FLAGS: u64 = ONE - 1;
/// The largest bound: positions must be comparable across their wrap-around.
const BOUND_MAX: u64 = 1 << 53;

/// A message was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// There is no room now.
    Full,
    /// Nothing gets in any more.
    Closed,
    /// It was put in without a tag, and the queue is tagged.
    Untagged,
}

/// See the module. Fields lie in the order of who writes them, in groups too far
/// apart to share a cache line; alignment to a line would make every allocation
/// slow instead.
#[repr(C)]
pub(crate) struct Queue<T> {
    /// Position of the next message to get in, and the flags.
    tail: AtomicU64,
    /// The block that the tail position is in. Changes only while `LOCKED`.
    tail_block: AtomicPtr<Block<T>>,
    /// A position that surely has room below it: what a sender last found. Saves
    /// senders from reading what the receiver writes until they reach it.
    limit: AtomicU64,

    waker: WakerCell,
    /// The bound, in steps of `ONE`.
    bound: u64,
    /// An empty full block for whoever needs one next.
    spare: AtomicPtr<Block<T>>,
    /// Whether senders may take the oldest message out; then each taking is under
    /// `is_taking`.
    is_evicting: bool,
    has_receiver: AtomicBool,
    is_taking: AtomicBool,
    /// How much room was given back by others than the receiver.
    returned: AtomicU64,

    /// Position of the next message to come out. The receiver's own, or under
    /// `is_taking`.
    head: UnsafeCell<u64>,
    /// The block that the head position is in; null until a sender has brought the
    /// first. Written by that sender, then by whoever takes.
    head_block: AtomicPtr<Block<T>>,
    /// How far room has been given back: one ahead of the head while a message is being
    /// taken out, and behind it by the places that were handed on or are held back.
    released: AtomicU64,
}

// SAFETY: the queue hands each message from one thread to one other, which is what
// `Send` allows; it lends no message out, so it needs no `Sync` of them. Who may
// touch a slot or the head is decided by the tail word, the slots' flags and the
// uniqueness of the receiver.
unsafe impl<T: Send> Send for Queue<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Queue<T> {}

/// What a queue is made for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    /// The most messages in it; none for as many as memory holds.
    pub(crate) bound: Option<usize>,
    /// Whether tags travel beside the messages.
    pub(crate) is_tagged: bool,
    /// Whether senders may take the oldest message out to make room.
    pub(crate) is_evicting: bool,
}

impl Setup {
    #[cfg(test)]
    pub(crate) const fn bounded(bound: Option<usize>) -> Self {
        Self { bound, is_tagged: false, is_evicting: false }
    }
}

impl<T> Queue<T> {
    pub(crate) fn new(setup: Setup) -> Self {
        Self::starting_at(setup, 0)
    }

    /// A queue whose first message has a position soon after `start`, which is the
    /// beginning of a block.
    fn starting_at(setup: Setup, start: u64) -> Self {
        let bound = setup.bound.map_or(BOUND_MAX, |bound| (bound as u64).min(BOUND_MAX)) * ONE;
        // The first block is a small one.
        let start = (start & !FLAGS).wrapping_add((Lap::<T>::SMALL_BASE as u64) * ONE);
        Self {
            tail: AtomicU64::new(start | BLOCKLESS | if setup.is_tagged { TAGGED } else { 0 }),
            tail_block: AtomicPtr::new(ptr::null_mut()),
            limit: AtomicU64::new(start),
            waker: WakerCell::new(),
            bound,
            spare: AtomicPtr::new(ptr::null_mut()),
            is_evicting: setup.is_evicting,
            has_receiver: AtomicBool::new(false),
            is_taking: AtomicBool::new(false),
            returned: AtomicU64::new(0),
            head: UnsafeCell::new(start),
            head_block: AtomicPtr::new(ptr::null_mut()),
            released: AtomicU64::new(start),
        }
    }

    /// Puts a message in, and wakes the receiver if it is parked. A tagged queue takes it
    /// only [with a tag](Self::push_tagged).
    #[inline(always)]
    pub(crate) fn push(&self, message: T) -> Result<(), (T, Refused)> {
        self.push_under(message, &mut (), |position| self.has_room(position))
    }

    /// [`push`](Self::push) into a tagged queue. If the message gets in, so does the tag,
    /// and none is left in its place.
    ///
    /// # Panics
    ///
    /// If it is not tagged.
    pub(crate) fn push_tagged(&self, message: T, tag: &mut Tag) -> Result<(), (T, Refused)> {
        assert!(self.is_tagged(), "only a tagged queue takes tags");
        self.push_under(message, tag, |position| self.has_room(position))
    }

    /// Puts a message in, with a tag if there is one, into the place of a message that was
    /// taken out and not released, because the place was handed on to the caller. Ends the
    /// place whatever comes of it.
    ///
    /// # Panics
    ///
    /// If there is a tag and the queue is not tagged.
    pub(crate) fn push_into_place(&self, message: T, mut tag: Option<Tag>) -> Result<(), (T, Refused)> {
        let pushed = match &mut tag {
            None => self.push_under(message, &mut (), |_| true),
            Some(tag) => {
                assert!(self.is_tagged(), "only a tagged queue takes tags");
                self.push_under(message, tag, |_| true)
            }
        };
        // After the claim, so that nobody else finds room between the two; and before a tag
        // that is left is dropped, which may take as long as it likes.
        self.return_place();
        pushed
    }

    /// Whether a message goes in with a tag.
    pub(crate) fn is_tagged(&self) -> bool {
        // Relaxed: the bit never changes.
        self.tail.load(Ordering::Relaxed) & TAGGED != 0
    }

    /// Gives a place back that was handed on and is not needed.
    pub(crate) fn return_place(&self) {
        // Release: as the receiver's own releasing.
        self.returned.fetch_add(ONE, Ordering::Release);
    }

    /// Whether a [`push`](Self::push) would find room now.
    pub(crate) fn has_room_now(&self) -> bool {
        self.has_room_really(self.tail.load(Ordering::Acquire) & !FLAGS)
    }

    /// Orders what the caller did before against what the receiver, or a closer, does
    /// at the tail word: one of the two sees the other.
    pub(crate) fn meet(&self) {
        self.tail.fetch_add(0, Ordering::AcqRel);
    }

    #[inline(always)]
    fn push_under<B: Beside>(
        &self,
        message: T,
        beside: &mut B,
        has_room: impl Fn(u64) -> bool,
    ) -> Result<(), (T, Refused)> {
        let mut claim = Claim::new(self);
        let mut backoff = Backoff::default();
        let mut tail = self.tail.load(Ordering::Acquire);
        loop {
            if tail & (CLOSED | LOCKED | B::UNWANTED) != 0 {
                if tail & CLOSED != 0 {
                    return Err((message, Refused::Closed));
                }
                if tail & B::UNWANTED != 0 {
                    return Err((message, Refused::Untagged));
                }
                if tail & LOCKED != 0 {
                    tail = self.wait_unlocked(&mut backoff);
                    continue;
                }
            }
            if !has_room(tail & !FLAGS) {
                return Err((message, Refused::Full));
            }
            // Acquire: pairs with the installer's store; the word seen above was
            // unlocked after that store, which alone would do: what is newer than the
            // word is not used, because the claim fails.
            match claim.try_at(tail, self.tail_block.load(Ordering::Acquire)) {
                Ok(block) => {
                    // SAFETY: the slot at the claimed position is empty and ours; the
                    // block is alive because that slot has not been read.
                    unsafe {
                        let offset = offset::<T>(tail);
                        beside.lay(block, offset);
                        block.slot(offset).fill(message);
                    }
                    if tail & PARKED != 0 {
                        // SAFETY: our claim ended the park.
                        unsafe { self.waker.run_errand(errand_of(tail)) };
                    }
                    return Ok(());
                }
                Err(current) => tail = current,
            }
        }
    }

    /// All that comes from now on.
    #[inline(always)]
    pub(crate) fn bound(&self) -> Bound {
        // Relaxed: whoever calls puts a message in by the same word, and finds no older one.
        Bound::new(self, self.tail.load(Ordering::Relaxed) & !FLAGS)
    }

    /// Lets nothing in any more, in one step. Who was parked stays so: wake it.
    pub(crate) fn close(&self) {
        // AcqRel: the receiver that sees it sees what the closer did before.
        self.tail.fetch_or(CLOSED, Ordering::AcqRel);
    }

    /// Lets messages in again. For a receiver that has taken all that got in before the
    /// closing; a message of before would only come out together with those of after.
    pub(crate) fn reopen(&self) {
        // AcqRel: as all that changes the word. A sender that finds it open sees what the
        // receiver did before.
        self.tail.fetch_and(!CLOSED, Ordering::AcqRel);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.tail.load(Ordering::Acquire) & CLOSED != 0
    }

    /// Makes the receiver look again. For whoever has told it something by other
    /// means than a message.
    pub(crate) fn wake(&self) {
        self.waker.wake();
    }

    /// How many messages have left, and how many have come, ever: the positions, counted
    /// from where they began. As at one moment, if nobody comes while it is read; else
    /// some of those who left may have left later. Never more seem to wait than have room.
    pub(crate) fn counts(&self) -> (u64, u64) {
        const ATTEMPTS: u32 = 4;
        // Acquire, each: they are read in this order.
        let came = || self.tail.load(Ordering::Acquire) & !FLAGS;
        let left =
            || self.released.load(Ordering::Acquire).wrapping_add(self.returned.load(Ordering::Acquire));
        let mut counts = (came(), left());
        for _ in 1..ATTEMPTS {
            let now = came();
            if now == counts.0 {
                break;
            }
            counts = (now, left());
        }
        let start = (Lap::<T>::SMALL_BASE as u64) * ONE;
        let (came, left) = (counts.0.wrapping_sub(start), counts.1.wrapping_sub(start));
        // Who has got a place that was handed on came before that was given back; and who
        // left later may have come later.
        (left.max(came.saturating_sub(self.bound)).min(came) / ONE, came / ONE)
    }

    /// Takes the oldest message out on a sender's behalf, to make room; `None` if
    /// there is none, or it is just being put in.
    ///
    /// # Panics
    ///
    /// Unless the queue was set up for it.
    pub(crate) fn evict(&self) -> Option<Whole<T>> {
        assert!(self.is_evicting, "only a queue that was set up for it may evict");
        // SAFETY: under `is_taking` only we take.
        let taken = unsafe { self.oldest(Some(self.begin_taking())) };
        let Taken::Message(oldest) = taken else { return None };
        Some(oldest.take_whole())
    }

    #[inline(always)]
    fn has_room(&self, position: u64) -> bool {
        // Relaxed: a stale limit is a lower one, and then the truth is read.
        let limit = self.limit.load(Ordering::Relaxed);
        is_before(position, limit) || self.has_room_really(position)
    }

    #[cold]
    fn has_room_really(&self, position: u64) -> bool {
        // Acquire: what the receiver did before it gave the room back is seen. Nothing here
        // depends on it: the counts only grow, so an old one is a lower limit, and slots
        // and blocks change hands by other words.
        let released = self.released.load(Ordering::Acquire);
        let returned = self.returned.load(Ordering::Acquire);
        let limit = released.wrapping_add(returned).wrapping_add(self.bound);
        self.limit.store(limit, Ordering::Relaxed);
        is_before(position, limit)
    }

    /// Waits for a sender that installs a block: three stores, unless it is
    /// preempted among them.
    #[cold]
    fn wait_unlocked(&self, backoff: &mut Backoff) -> u64 {
        backoff.pause();
        self.tail.load(Ordering::Acquire)
    }

    /// An empty full block.
    fn fresh_block(&self) -> BlockPtr<T> {
        // Acquire: pairs with the receiver's release; its last reads are done.
        let spare = self.spare.swap(ptr::null_mut(), Ordering::Acquire);
        let Some(spare) = BlockPtr::from_ptr(spare) else {
            return BlockPtr::allocate(0, self.is_tagged());
        };
        // SAFETY: who takes a block out of `spare` owns it, and whoever left it there had
        // emptied it.
        unsafe { spare.reset() };
        spare
    }

    /// Keeps an empty full block for the next who needs one.
    ///
    /// # Safety
    ///
    /// The caller owns the block, it is full-sized, and its slots are empty.
    unsafe fn keep_spare(&self, block: BlockPtr<T>) {
        // Nobody follows it before it is set anew; without this a mistake there would be
        // an address of long ago, and not a null.
        // SAFETY: the caller's: nobody else has it yet.
        unsafe { block.set_next(None) };
        // Release: pairs with `fresh_block`.
        let former = self.spare.swap(block.as_ptr(), Ordering::AcqRel);
        // Acquire: with it, so that freeing comes after all that its keeper did. No model
        // sees a free that comes too early by its ordering alone.
        if let Some(former) = BlockPtr::from_ptr(former) {
            // SAFETY: we took it out, so it is ours.
            unsafe { former.free() };
        }
    }
}

impl<T> Drop for Queue<T> {
    fn drop(&mut self) {
        // SAFETY: nobody else has the queue, so no receiver takes; and no sender is
        // under way, so every claimed slot is full.
        while let Taken::Message(oldest) = unsafe { self.oldest(None) } {
            drop(oldest.take_whole());
        }
        let head = self.head_block.load(Ordering::Relaxed);
        let spare = self.spare.load(Ordering::Relaxed);
        for block in [head, spare] {
            if let Some(block) = BlockPtr::from_ptr(block) {
                // SAFETY: both are ours. The head's block is the last: whatever lay before
                // the tail has been taken.
                unsafe { block.free() };
            }
        }
    }
}

/// Where in its block a position lies.
fn offset<T>(position: u64) -> usize {
    ((position / ONE) % Lap::<T>::LAP as u64) as usize
}

/// Which errand goes with the park that a tail word tells of.
fn errand_of(tail: u64) -> u8 {
    ((tail & ERRAND) >> ERRAND_AT) as u8 % ERRANDS
}

fn with_errand(tail: u64, errand: u8) -> u64 {
    (tail & !ERRAND) | (u64::from(errand) << ERRAND_AT)
}

/// Whether one position comes before another that is not half a world away.
fn is_before(position: u64, other: u64) -> bool {
    (position.wrapping_sub(other) as i64) < 0
}
