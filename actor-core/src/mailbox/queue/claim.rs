//! A sender's claim to the slot at the tail, with the next block where one is needed, and
//! what it lays beside its message.

use std::mem;

use super::block::{Block, BlockPtr, Lap};
use super::{BLOCKLESS, LOCKED, ONE, PARKED, Queue, TAGGED, offset};
use crate::sync::Ordering;
use crate::trace::Tag;

/// What a message goes in with: a tag, or nothing.
pub(super) trait Beside {
    /// What in the tail word says that the queue wants something else.
    const UNWANTED: u64;

    /// Lays it there, and leaves nothing of it here.
    ///
    /// # Safety
    ///
    /// The block is alive and was made for a queue that wants this; the slot is empty and
    /// only the caller may fill it.
    unsafe fn lay<T>(&mut self, block: BlockPtr<T>, offset: usize);
}

impl Beside for () {
    const UNWANTED: u64 = TAGGED;

    // SAFETY: nothing is done, so nothing is asked.
    #[inline(always)]
    unsafe fn lay<T>(&mut self, _: BlockPtr<T>, _: usize) {}
}

/// Whoever puts it in has seen that the queue is tagged.
impl Beside for Tag {
    const UNWANTED: u64 = 0;

    /// # Safety
    ///
    /// As [`Beside::lay`].
    unsafe fn lay<T>(&mut self, block: BlockPtr<T>, offset: usize) {
        // SAFETY: the caller's.
        unsafe { block.set_tag(offset, mem::replace(self, Tag::none())) };
    }
}

/// An attempt to claim a slot. Holds the next block ready, for the case that the
/// claimed slot is a block's last.
pub(super) struct Claim<'a, T> {
    queue: &'a Queue<T>,
    next: Option<BlockPtr<T>>,
}

impl<'a, T> Claim<'a, T> {
    #[inline(always)]
    pub(super) fn new(queue: &'a Queue<T>) -> Self {
        Self { queue, next: None }
    }

    /// Claims the slot at the tail, if the tail is still as it was. Gives the block
    /// that the slot is in, or the tail as it is now.
    #[inline(always)]
    pub(super) fn try_at(&mut self, tail: u64, tail_block: *mut Block<T>) -> Result<BlockPtr<T>, u64> {
        let is_last = offset::<T>(tail) == Lap::<T>::LAP - 1;
        if is_last || tail & BLOCKLESS != 0 {
            return self.try_with_new_blocks(tail, tail_block, is_last);
        }
        self.swap(tail, (tail & !PARKED).wrapping_add(ONE))?;
        // With a block installed and the tail unchanged, this is the tail's.
        Ok(BlockPtr::from_ptr(tail_block).unwrap_or_else(|| unreachable!("the tail has a block")))
    }

    #[cold]
    fn try_with_new_blocks(
        &mut self,
        tail: u64,
        tail_block: *mut Block<T>,
        is_last: bool,
    ) -> Result<BlockPtr<T>, u64> {
        let queue = self.queue;
        let is_first = tail & BLOCKLESS != 0;
        let first = is_first.then(|| Owned(BlockPtr::allocate(offset::<T>(tail), tail & TAGGED != 0)));
        if is_last && self.next.is_none() {
            self.next = Some(queue.fresh_block());
        }
        self.swap(tail, (tail & !(PARKED | BLOCKLESS)).wrapping_add(ONE) | LOCKED)?;

        let next = if is_last { self.next.take() } else { None };
        let block = match first {
            Some(first) => {
                let block = first.give();
                // Release: pairs with the receiver's load; a block's contents are seen.
                queue.head_block.store(block.as_ptr(), Ordering::Release);
                block
            }
            // With a block installed and the tail unchanged, this is the tail's.
            None => BlockPtr::from_ptr(tail_block).unwrap_or_else(|| unreachable!("the tail has a block")),
        };
        if let Some(next) = next {
            // SAFETY: the block is alive: its last slot, which is ours, is unread.
            unsafe { block.set_next(Some(next)) };
        }
        // Release: as below, where the unlocking alone would do.
        queue.tail_block.store(next.unwrap_or(block).as_ptr(), Ordering::Release);
        // Others may have closed or parked nothing meanwhile, so only the lock goes.
        queue.tail.fetch_and(!LOCKED, Ordering::Release);
        Ok(block)
    }

    #[inline(always)]
    fn swap(&self, from: u64, to: u64) -> Result<(), u64> {
        // AcqRel: the sender that ends a park sees the waker that was published before
        // it; what a closer saw as accepted is ordered before its closing. The release is
        // that promise's alone: a message reaches the receiver by its slot's flag.
        self.queue.tail.compare_exchange_weak(from, to, Ordering::AcqRel, Ordering::Acquire).map(drop)
    }
}

impl<T> Drop for Claim<'_, T> {
    fn drop(&mut self) {
        if let Some(next) = self.next.take() {
            // SAFETY: it was never installed, so it is ours, empty and full-sized.
            unsafe { self.queue.keep_spare(next) };
        }
    }
}

/// A block that nobody else knows of yet.
struct Owned<T>(BlockPtr<T>);

impl<T> Owned<T> {
    fn give(self) -> BlockPtr<T> {
        let block = self.0;
        mem::forget(self);
        block
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: nobody else knows of it.
        unsafe { self.0.free() };
    }
}
