//! The receiving end: what only one thread at a time may do.

use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::task::Waker;

use super::block::{BlockPtr, Lap};
use super::waker::{ERRANDS, Published};
use super::{BLOCKLESS, CLOSED, FLAGS, ONE, PARKED, Queue, offset, with_errand};
use crate::contain::contained;
use crate::reply::{Bound, Unhandled, drop_unhandled};
use crate::sync::{Backoff, Ordering};
use crate::trace::Tag;

/// What comes out of a queue.
pub(crate) enum Taken<T> {
    /// The oldest message.
    Message(T),
    /// Nothing, and nothing will come.
    Closed,
    /// Nothing.
    Empty,
    /// A sender has claimed the next slot and not filled it yet: look again soon. It
    /// will wake nobody.
    Busy,
}

impl<T> Taken<T> {
    #[inline(always)]
    pub(crate) fn map<R>(self, message: impl FnOnce(T) -> R) -> Taken<R> {
        match self {
            Self::Message(taken) => Taken::Message(message(taken)),
            Self::Closed => Taken::Closed,
            Self::Empty => Taken::Empty,
            Self::Busy => Taken::Busy,
        }
    }
}

/// A message that was taken out, and what is known of it.
pub(crate) struct Whole<T> {
    pub(crate) message: T,
    /// What lay beside it, if the queue is tagged.
    pub(crate) tag: Option<Tag>,
    /// It and all that came after it.
    pub(crate) unseen: Bound,
}

/// What became of an attempt to park.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Park {
    /// The next message, or whoever else calls, wakes the task. Look once more at
    /// whatever else one waits for: its change may have come before the park.
    Parked,
    /// There is something to take, or the queue is closed.
    Awake,
    /// A sender is at work: look again soon.
    Busy,
}

/// The one receiver of a queue that lies in an `Arc`.
pub(crate) struct Receiver<T, C> {
    /// Lies in `owner`, and so stays where it is.
    queue: NonNull<Queue<T>>,
    owner: Arc<C>,
    /// Whether the last park has not been ended by this receiver yet.
    is_parked: bool,
    /// The errand of the last park.
    errand: u8,
    of: PhantomData<fn() -> T>,
}

// SAFETY: the receiver may move between threads: it takes messages, which are
// `Send`, from a queue that is `Sync`, through an owner that others share.
unsafe impl<T: Send, C: Send + Sync> Send for Receiver<T, C> {}

impl<T, C> Receiver<T, C> {
    /// The receiver of the queue in `owner`.
    ///
    /// # Panics
    ///
    /// If the queue does not lie in the owner, or has a receiver already, or has had
    /// one.
    pub(crate) fn new(owner: Arc<C>, queue: impl FnOnce(&C) -> &Queue<T>) -> Self {
        let queue = queue(&owner);
        let from = Arc::as_ptr(&owner).addr();
        let within = from..=from + size_of::<C>() - size_of::<Queue<T>>();
        assert!(within.contains(&ptr::from_ref(queue).addr()), "the queue lies in its owner");
        // Relaxed: nothing else is told by it.
        let has_one = queue.has_receiver.swap(true, Ordering::Relaxed);
        assert!(!has_one, "a queue has one receiver");
        Self { queue: NonNull::from(queue), owner, is_parked: false, errand: 0, of: PhantomData }
    }

    pub(crate) fn owner(&self) -> &Arc<C> {
        &self.owner
    }

    /// The oldest message, still where it lies. Its room is not free before
    /// [`release`](Self::release).
    #[inline(always)]
    pub(crate) fn take(&mut self) -> Taken<Oldest<'_, T>> {
        self.take_beside().0
    }

    /// [`take`](Self::take), and the owner beside it.
    #[inline(always)]
    pub(crate) fn take_beside(&mut self) -> (Taken<Oldest<'_, T>>, &C) {
        self.unpark();
        let queue = self.queue();
        let taking = queue.is_evicting.then(|| queue.begin_taking());
        // SAFETY: this is the one receiver, which `Oldest` borrows; and if others may
        // take, they are locked out for as long as `Oldest` holds `taking`.
        (unsafe { queue.oldest(taking) }, &self.owner)
    }

    /// Whether a sender has claimed the next slot and not filled it yet.
    pub(crate) fn is_busy(&self) -> bool {
        let queue = self.queue();
        let _taking = queue.is_evicting.then(|| queue.begin_taking());
        // SAFETY: this is the one receiver, and others that take are locked out.
        unsafe { matches!(queue.oldest(None), Taken::Busy) }
    }

    /// Gives back the room of one message that was taken out.
    pub(crate) fn release(&mut self) {
        let queue = self.queue();
        if queue.is_evicting {
            let _taking = queue.begin_taking();
            // SAFETY: as in `take`.
            return unsafe { queue.release() };
        }
        // SAFETY: as in `take`.
        unsafe { queue.release() };
    }

    /// Makes sure that whoever [wakes](Queue::wake) the receiver wakes this waker.
    pub(crate) fn publish(&mut self, waker: &Waker) -> Published {
        self.unpark();
        // SAFETY: this is the one receiver, and it is not parked.
        unsafe { self.queue().waker.publish(waker) }
    }

    /// Goes to sleep if there is nothing to take: the task of `waker` is woken by the
    /// next message that gets in, and by whoever calls.
    #[inline]
    pub(crate) fn park(&mut self, waker: &Waker) -> Park {
        self.unpark();
        let queue = self.queue();
        // Only the one receiver reads or writes the head; evicting senders do so under a
        // lock that we take.
        let head = {
            let _taking = queue.is_evicting.then(|| queue.begin_taking());
            // SAFETY: see above.
            unsafe { queue.head() }
        };
        let mut tail = queue.tail.load(Ordering::Relaxed);
        if tail & !FLAGS != head || tail & CLOSED != 0 {
            return Park::Awake;
        }
        // SAFETY: this is the one receiver, and it is not parked.
        let published = unsafe { queue.waker.publish(waker) };
        let errand = (self.errand + 1) % ERRANDS;
        if published == Published::Busy || !queue.waker.open_errand(errand) {
            return Park::Busy;
        }
        while tail & !FLAGS == head && tail & CLOSED == 0 {
            // Release: whoever ends the park sees the waker and the errand.
            // Acquire: what was done before an earlier change of the word is seen by the
            // caller now.
            let parked = with_errand(tail, errand) | PARKED;
            let parked = queue.tail.compare_exchange_weak(tail, parked, Ordering::AcqRel, Ordering::Relaxed);
            match parked {
                Ok(_) => {
                    self.is_parked = true;
                    self.errand = errand;
                    return Park::Parked;
                }
                Err(current) => tail = current,
            }
        }
        queue.waker.drop_errand(errand);
        Park::Awake
    }

    /// Lets nothing in any more. What got in still comes out.
    pub(crate) fn close(&mut self) {
        self.queue().close();
    }

    /// Gives the memory back that an empty queue holds. The next message brings new
    /// memory. Does nothing if there is a message.
    #[cfg_attr(not(test), expect(dead_code, reason = "idle actors that give their memory back are to come"))]
    pub(crate) fn rest(&mut self) {
        let queue = self.queue();
        let _taking = queue.is_evicting.then(|| queue.begin_taking());
        // SAFETY: this is the one receiver, others that take are locked out.
        unsafe { queue.rest() };
    }

    /// Ends a park, unless a sender has ended it, whose errand it is then.
    #[inline(always)]
    fn unpark(&mut self) {
        if self.is_parked {
            self.is_parked = false;
            let queue = self.queue();
            // AcqRel, as all that changes the word; nothing here depends on it, because
            // who uses a waker is told by the park before and by the errand.
            let is_ours = queue.tail.load(Ordering::Relaxed) & PARKED != 0
                && queue.tail.fetch_and(!PARKED, Ordering::AcqRel) & PARKED != 0;
            if is_ours {
                queue.waker.drop_errand(self.errand);
            }
        }
    }

    fn queue(&self) -> &Queue<T> {
        // SAFETY: it lies in `owner`, which lives as long as `self` and is not moved or
        // lent out exclusively while it is shared.
        unsafe { self.queue.as_ref() }
    }
}

/// Closes the queue and drops what is left in it; a message whose destructor panics
/// does not keep the others.
impl<T, C> Drop for Receiver<T, C> {
    fn drop(&mut self) {
        self.close();
        let mut backoff = Backoff::default();
        let mut unseen = None;
        loop {
            match self.take() {
                Taken::Message(oldest) => {
                    let Whole { message, tag: _tag, unseen: bound } = oldest.take_whole();
                    let unseen = *unseen.get_or_insert(bound);
                    contained("a message's destructor", || {
                        drop_unhandled(message, Unhandled::Stopped, unseen);
                    });
                }
                Taken::Closed => break,
                // A sender is between claiming and filling, where it runs nobody's code.
                Taken::Busy | Taken::Empty => backoff.pause(),
            }
        }
        // SAFETY: this is the one receiver, and `take` has ended the park.
        unsafe { self.queue().waker.clear() };
    }
}

impl<T> Queue<T> {
    /// Finds the oldest message.
    ///
    /// # Safety
    ///
    /// Nobody else takes before the result is dropped.
    #[inline(always)]
    pub(super) unsafe fn oldest<'a>(&'a self, taking: Option<Taking<'a, T>>) -> Taken<Oldest<'a, T>> {
        // SAFETY: the caller's.
        let head = unsafe { self.head() };
        // Acquire: pairs with the sender that brought a first block.
        let block = self.head_block.load(Ordering::Acquire);
        let Some(block) = BlockPtr::from_ptr(block) else { return self.nothing_at(head) };
        // SAFETY: this is the block of the head position, which only we free.
        if unsafe { block.slot(offset::<T>(head)) }.is_full() {
            Taken::Message(Oldest { queue: self, head, block, _taking: taking })
        } else {
            self.nothing_at(head)
        }
    }

    /// Goes on to the next block.
    ///
    /// # Safety
    ///
    /// Nobody else takes; every slot of the head's block has been filled and emptied.
    #[cold]
    unsafe fn leave(&self, block: BlockPtr<T>) {
        // SAFETY: the block is alive. Its next was set before its last slot was filled.
        let next = unsafe { block.next() }.unwrap_or_else(|| unreachable!("a full block has a next"));
        self.head_block.store(next.as_ptr(), Ordering::Relaxed);
        // SAFETY: the senders that filled its slots are done with it, and a sender that
        // still has its address cannot claim with it: the tail is past it.
        unsafe {
            if block.is_small() {
                block.free();
            } else {
                self.keep_spare(block);
            }
        }
    }

    /// Why there is no message at the head.
    #[cold]
    fn nothing_at<R>(&self, head: u64) -> Taken<R> {
        // Acquire: after a drain's closing, what the closer did before is seen.
        let tail = self.tail.load(Ordering::Acquire);
        if tail & !FLAGS != head {
            Taken::Busy
        } else if tail & CLOSED != 0 {
            Taken::Closed
        } else {
            Taken::Empty
        }
    }

    /// # Safety
    ///
    /// Nobody else takes meanwhile.
    #[inline(always)]
    pub(super) unsafe fn release(&self) {
        // Only the taker writes it. Release: pairs with a sender that reads the truth.
        let released = self.released.load(Ordering::Relaxed);
        self.released.store(released.wrapping_add(ONE), Ordering::Release);
    }

    /// # Safety
    ///
    /// Nobody else takes meanwhile.
    unsafe fn head(&self) -> u64 {
        // SAFETY: the caller's.
        self.head.with(|head| unsafe { *head })
    }

    /// # Safety
    ///
    /// Nobody else takes meanwhile.
    unsafe fn rest(&self) {
        // SAFETY: the caller's.
        let head = unsafe { self.head() };
        let block = self.head_block.load(Ordering::Relaxed);
        let Some(block) = BlockPtr::from_ptr(block) else { return };
        let tail = self.tail.load(Ordering::Relaxed);
        if tail & !FLAGS != head {
            return;
        }
        // Before the word changes: from then on a sender may bring a new block.
        self.head_block.store(ptr::null_mut(), Ordering::Relaxed);
        let rested = self.tail.compare_exchange(tail, tail | BLOCKLESS, Ordering::AcqRel, Ordering::Relaxed);
        if rested.is_err() {
            self.head_block.store(block.as_ptr(), Ordering::Relaxed);
            return;
        }
        // SAFETY: a sender that has the address cannot claim with it any more: the
        // word has changed. So it is ours; and so is what was in `spare`.
        unsafe {
            block.free();
            let spare = self.spare.swap(ptr::null_mut(), Ordering::Acquire);
            if let Some(spare) = BlockPtr::from_ptr(spare) {
                spare.free();
            }
        }
    }

    /// Locks out everybody else who takes.
    pub(super) fn begin_taking(&self) -> Taking<'_, T> {
        let mut backoff = Backoff::default();
        // Acquire and release: takings come one after another.
        let begin =
            || self.is_taking.compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed);
        while begin().is_err() {
            backoff.pause();
        }
        Taking(self)
    }
}

/// A message that is there to be taken. It is copied once, to where it is wanted:
/// through several results and matches it would be copied at each.
pub(crate) struct Oldest<'a, T> {
    queue: &'a Queue<T>,
    head: u64,
    block: BlockPtr<T>,
    /// Held until the message is out, where others may take too.
    _taking: Option<Taking<'a, T>>,
}

impl<T> Oldest<'_, T> {
    /// Takes the message out. Its room is not free before it is
    /// [released](Receiver::release).
    #[cfg(test)]
    pub(crate) fn take(self) -> T {
        self.take_unless(|| true)
    }

    /// Takes the message out with all that is known of it, and gives its room back. It goes
    /// to the caller, to be dropped when others may take again.
    pub(crate) fn take_whole(self) -> Whole<T> {
        self.take_whole_unless(|| false)
    }

    /// [`take_whole`](Self::take_whole), but its room is not free before it is
    /// [released](Receiver::release).
    pub(crate) fn take_whole_held(self) -> Whole<T> {
        self.take_whole_unless(|| true)
    }

    fn take_whole_unless(self, hand_on: impl FnOnce() -> bool) -> Whole<T> {
        let (tag, unseen) = (self.take_tag(), Bound::new(self.queue, self.head));
        Whole { message: self.take_unless(hand_on), tag, unseen }
    }

    /// Takes what lies beside the message; `None` if the queue has no tags. Whoever takes
    /// the message of a tagged queue has done this before.
    ///
    /// Inlined, with what it does behind a call that is told where to look: a message's
    /// whereabouts stay in registers.
    #[inline(always)]
    pub(crate) fn take_tag(&self) -> Option<Tag> {
        // SAFETY: the slot was seen full, and nobody else has taken since; as in `read`.
        unsafe { take_tag(self.block, self.head) }
    }

    /// Takes the message out and gives its room back, unless that is handed on.
    #[inline(always)]
    pub(crate) fn take_unless(self, hand_on: impl FnOnce() -> bool) -> T {
        // All that is to be said of it is said before it is read, so that it goes to its
        // place at once. A sender that has its room does not have its slot: the block is
        // used again only after it has been left.
        if !hand_on() {
            // SAFETY: only we take.
            unsafe { self.queue.release() };
        }
        // SAFETY: only we take.
        self.queue.head.with_mut(|head| unsafe { *head = self.head.wrapping_add(ONE) });
        if offset::<T>(self.head) == Lap::<T>::LAP - 1 {
            return self.read_last();
        }
        self.read()
    }

    /// The message, whose position the head has passed.
    #[inline(always)]
    fn read(&self) -> T {
        // SAFETY: the slot was seen full, and nobody else has taken since: `oldest`'s
        // caller saw to that. There is one `Oldest` of a position, and it reads once.
        unsafe { self.block.slot(offset::<T>(self.head)).empty() }
    }

    #[cold]
    fn read_last(self) -> T {
        let message = self.read();
        // SAFETY: that was the block's last message, and we are done with it.
        unsafe { self.queue.leave(self.block) };
        message
    }
}

/// # Safety
///
/// The slot at the position is full, and only the caller may empty it.
#[cold]
#[inline(never)]
unsafe fn take_tag<T>(block: BlockPtr<T>, position: u64) -> Option<Tag> {
    // SAFETY: the caller's.
    unsafe { block.take_tag(offset::<T>(position)) }
}

/// The right to take from a queue whose senders may take too.
pub(super) struct Taking<'a, T>(&'a Queue<T>);

impl<T> Drop for Taking<'_, T> {
    fn drop(&mut self) {
        self.0.is_taking.store(false, Ordering::Release);
    }
}
