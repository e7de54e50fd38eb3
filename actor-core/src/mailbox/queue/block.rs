//! Memory for messages: blocks of slots, each a single allocation.
//!
//! ```text
//!  Block │ next │ base, is_tagged │ slot … slot │ tag … tag (only if tagged) │
//! ```
//!
//! A position's *offset* is its number modulo [`LAP`](Lap::LAP). A full block has a
//! slot for every offset; the small block that a mailbox begins with has slots for
//! the last few, its first being `base`. Nothing here knows who may touch a slot
//! when; `mod.rs` does.

use std::alloc::{Layout, handle_alloc_error};
use std::marker::PhantomData;
use std::mem::{self, MaybeUninit};
use std::ptr::{self, NonNull};

use crate::sync::{AtomicBool, AtomicPtr, Ordering, UnsafeCell, alloc, dealloc};
use crate::trace::Tag;

/// How many slots the blocks of a message type have.
pub(super) struct Lap<T>(PhantomData<T>);

impl<T> Lap<T> {
    /// Slots of a full block: fewer for large messages, so that no block is much
    /// larger than [`BLOCK_BYTES`], and one for a message as large as that. A power
    /// of two.
    pub(super) const LAP: usize = {
        let most = BLOCK_BYTES / size_of::<Slot<T>>();
        match most {
            0 | 1 => 1,
            _ if most >= SLOTS_MAX => SLOTS_MAX,
            // The largest power of two that is not more than `most`.
            _ => 1 << most.ilog2(),
        }
    };

    /// Slots of a small block.
    pub(super) const SMALL: usize = if Self::LAP < SLOTS_SMALL { Self::LAP } else { SLOTS_SMALL };

    /// The offset that a small block begins at.
    pub(super) const SMALL_BASE: usize = Self::LAP - Self::SMALL;
}

/// Where one message lies.
pub(super) struct Slot<T> {
    value: UnsafeCell<MaybeUninit<T>>,
    /// Set by the sender when the message is in, and cleared when the block is used
    /// again. Release and acquire: whoever sees it set sees the message.
    is_full: AtomicBool,
}

impl<T> Slot<T> {
    fn new() -> Self {
        Self { value: UnsafeCell::new(MaybeUninit::uninit()), is_full: AtomicBool::new(false) }
    }

    pub(super) fn is_full(&self) -> bool {
        // Pairs with the store in `fill`.
        self.is_full.load(Ordering::Acquire)
    }

    /// # Safety
    ///
    /// The slot is empty and only the caller may fill it.
    pub(super) unsafe fn fill(&self, value: T) {
        // SAFETY: the caller alone may touch the value until the flag is set.
        self.value.with_mut(|slot| unsafe { (*slot).write(value) });
        self.is_full.store(true, Ordering::Release);
    }

    /// Takes the message out. The slot goes on saying that it is full, until its block is
    /// [reset](BlockPtr::reset).
    ///
    /// # Safety
    ///
    /// The slot was seen full and only the caller may empty it, once.
    pub(super) unsafe fn empty(&self) -> T {
        // SAFETY: it is full, and no sender touches a full slot.
        self.value.with(|slot| unsafe { (*slot).assume_init_read() })
    }
}

/// A block's fixed part; its slots follow in the same allocation.
#[repr(C)]
pub(super) struct Block<T> {
    /// Set once, by the sender that takes the last slot, before it fills it.
    next: AtomicPtr<Block<T>>,
    base: u32,
    is_tagged: bool,
    /// Gives the fixed part the alignment of the slots, which begin where it ends.
    slots: [Slot<T>; 0],
}

/// A block that is passed around by address. Copying it copies the address; who
/// frees it is `mod.rs`'s business.
pub(super) struct BlockPtr<T>(NonNull<Block<T>>);

impl<T> Clone for BlockPtr<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for BlockPtr<T> {}

impl<T> BlockPtr<T> {
    /// A block with a slot for every offset from `base`, all empty.
    pub(super) fn allocate(base: usize, is_tagged: bool) -> Self {
        let layout = Shape::<T>::of(base, is_tagged).layout;
        // SAFETY: the layout is not empty: the fixed part has a size.
        let Some(block) = NonNull::new(unsafe { alloc(layout) }.cast::<Block<T>>()) else {
            handle_alloc_error(layout);
        };
        #[expect(clippy::cast_possible_truncation, reason = "an offset is less than `SLOTS_MAX`")]
        let fixed = Block { next: AtomicPtr::new(ptr::null_mut()), base: base as u32, is_tagged, slots: [] };
        // SAFETY: the memory is fresh, aligned and large enough for the fixed part.
        unsafe { block.write(fixed) };
        let block = Self(block);
        for offset in base..Lap::<T>::LAP {
            // SAFETY: the layout has room for a slot, and a tag, at each of these.
            unsafe {
                block.slot_at(offset).write(Slot::new());
                if is_tagged {
                    block.tag_at(offset).write(UnsafeCell::new(Tag::none()));
                }
            }
        }
        block
    }

    /// Makes every slot of a full block one that says it is empty.
    ///
    /// The sender that uses the block again does this for all of them at once, not the
    /// receiver for each as it empties it: so the receiver only reads what senders
    /// write, and the sender gets all lines of the block back from the receiver's
    /// processor together, where it would wait for one after another.
    ///
    /// # Safety
    ///
    /// The block is the caller's alone, and its slots have been emptied.
    pub(super) unsafe fn reset(self) {
        for offset in 0..Lap::<T>::LAP {
            // SAFETY: the caller's. Relaxed: the receiver comes to the block through its
            // `next`, which pairs.
            unsafe { self.slot(offset) }.is_full.store(false, Ordering::Relaxed);
        }
    }

    /// The block of this address; `None` for null. Whether it is one, and alive, is for
    /// whoever uses it to know.
    pub(super) fn from_ptr(block: *mut Block<T>) -> Option<Self> {
        NonNull::new(block).map(Self)
    }

    pub(super) fn as_ptr(self) -> *mut Block<T> {
        self.0.as_ptr()
    }

    /// # Safety
    ///
    /// The block is alive.
    pub(super) unsafe fn is_small(self) -> bool {
        // SAFETY: the caller's; `base` never changes.
        unsafe { (*self.as_ptr()).base != 0 }
    }

    /// # Safety
    ///
    /// The block is alive for as long as the reference is used, and has this offset.
    pub(super) unsafe fn slot<'a>(self, offset: usize) -> &'a Slot<T> {
        // SAFETY: the caller's; every slot of a block is initialised.
        unsafe { &*self.slot_at(offset) }
    }

    /// Lays a tag beside an empty slot of a tagged block. Runs nobody's code: there is none
    /// yet.
    ///
    /// # Safety
    ///
    /// As [`slot`](Self::slot); the block is tagged, the slot is empty and only the caller
    /// may fill it.
    pub(super) unsafe fn set_tag(self, offset: usize, tag: Tag) {
        // SAFETY: a tag is touched under the same rule as its slot's value.
        let former = unsafe { (*self.tag_at(offset)).with_mut(|place| mem::replace(&mut *place, tag)) };
        debug_assert!(former.is_none(), "an empty slot has no tag");
        mem::forget(former);
    }

    /// Takes the tag out; `None` if the block has no tags.
    ///
    /// # Safety
    ///
    /// As [`slot`](Self::slot); the slot was seen full and only the caller may
    /// empty it.
    pub(super) unsafe fn take_tag(self, offset: usize) -> Option<Tag> {
        // SAFETY: a tag is touched under the same rule as its slot's value.
        unsafe {
            (*self.as_ptr())
                .is_tagged
                .then(|| (*self.tag_at(offset)).with_mut(|place| mem::replace(&mut *place, Tag::none())))
        }
    }

    /// # Safety
    ///
    /// The block is alive.
    pub(super) unsafe fn next(self) -> Option<Self> {
        // Acquire: pairs with `set_next`, so that the block's contents are seen.
        // SAFETY: the caller's.
        Self::from_ptr(unsafe { (*self.as_ptr()).next.load(Ordering::Acquire) })
    }

    /// # Safety
    ///
    /// The block is alive.
    pub(super) unsafe fn set_next(self, next: Option<Self>) {
        let next = next.map_or(ptr::null_mut(), Self::as_ptr);
        // SAFETY: the caller's.
        unsafe { (*self.as_ptr()).next.store(next, Ordering::Release) };
    }

    /// Gives the memory back. Values still in the slots, and tags, are not dropped.
    ///
    /// # Safety
    ///
    /// The block came from [`allocate`](Self::allocate), and nobody uses it now or
    /// later.
    pub(super) unsafe fn free(self) {
        // SAFETY: the caller's. What the fixed part and the slots hold needs no drop.
        unsafe {
            let fixed = &*self.as_ptr();
            let layout = Shape::<T>::of(fixed.base as usize, fixed.is_tagged).layout;
            dealloc(self.as_ptr().cast(), layout);
        }
    }

    /// # Safety
    ///
    /// The block is alive and has this offset.
    unsafe fn slot_at(self, offset: usize) -> *mut Slot<T> {
        // SAFETY: slots begin where the fixed part ends and lie side by side; the
        // fixed part was initialised first.
        unsafe {
            let index = offset - (*self.as_ptr()).base as usize;
            self.as_ptr().cast::<u8>().add(size_of::<Block<T>>()).cast::<Slot<T>>().add(index)
        }
    }

    /// # Safety
    ///
    /// The block is alive, tagged, and has this offset.
    unsafe fn tag_at(self, offset: usize) -> *mut UnsafeCell<Tag> {
        // SAFETY: as `slot_at`; the tags begin where the shape says.
        unsafe {
            let base = (*self.as_ptr()).base as usize;
            let tags = self.as_ptr().cast::<u8>().add(Shape::<T>::of(base, true).tags);
            tags.cast::<UnsafeCell<Tag>>().add(offset - base)
        }
    }
}

/// How a block lies in memory.
struct Shape<T> {
    layout: Layout,
    /// Where the tags begin, if there are any.
    tags: usize,
    of: PhantomData<T>,
}

impl<T> Shape<T> {
    fn of(base: usize, is_tagged: bool) -> Self {
        let slots = Lap::<T>::LAP - base;
        let fits = "a block of at most a few slots fits into memory";
        let (untagged, at) =
            Layout::new::<Block<T>>().extend(Layout::array::<Slot<T>>(slots).expect(fits)).expect(fits);
        debug_assert_eq!(at, size_of::<Block<T>>());
        if !is_tagged {
            return Self { layout: untagged.pad_to_align(), tags: 0, of: PhantomData };
        }
        let (tagged, tags) =
            untagged.extend(Layout::array::<UnsafeCell<Tag>>(slots).expect(fits)).expect(fits);
        Self { layout: tagged.pad_to_align(), tags, of: PhantomData }
    }
}

/// Slots of a full block of small messages. 8 to 128 measured alike from 32 up.
#[cfg(not(actor_loom))]
const SLOTS_MAX: usize = 32;
/// Slots of the first block: an actor that gets few messages stays small.
#[cfg(not(actor_loom))]
const SLOTS_SMALL: usize = 8;
/// Models stay small.
#[cfg(actor_loom)]
const SLOTS_MAX: usize = 2;
#[cfg(actor_loom)]
const SLOTS_SMALL: usize = 1;

/// About the most bytes that a block of several slots takes.
const BLOCK_BYTES: usize = 8 * 1024;

#[cfg(all(test, not(actor_loom)))]
mod tests {
    use super::*;
    use crate::trace::Ledger;

    #[test]
    fn large_messages_get_blocks_of_few_slots() {
        assert_eq!((Lap::<()>::LAP, Lap::<()>::SMALL), (32, 8));
        assert_eq!((Lap::<[u64; 3]>::LAP, Lap::<[u64; 3]>::SMALL_BASE), (32, 24));
        assert_eq!((Lap::<[u8; 1024]>::LAP, Lap::<[u8; 1024]>::SMALL), (4, 4));
        assert_eq!((Lap::<[u8; 4096]>::LAP, Lap::<[u8; 4096]>::SMALL), (1, 1));
        assert_eq!((Lap::<[u8; 1 << 20]>::LAP, Lap::<[u8; 1 << 20]>::SMALL), (1, 1));
    }

    #[test]
    fn a_tag_costs_nothing_where_there_is_none() {
        assert_eq!(size_of::<Slot<[u64; 3]>>(), 32);
        let plain = Shape::<[u64; 3]>::of(0, false).layout.size();
        assert_eq!(plain, 16 + 32 * 32);
        assert_eq!(Shape::<[u64; 3]>::of(0, true).layout.size(), plain + 32 * size_of::<Tag>());
        assert_eq!(Shape::<[u64; 3]>::of(24, false).layout.size(), 16 + 8 * 32);
    }

    #[test]
    fn tags_lie_beside_their_slots_whatever_the_alignment() {
        #[repr(align(64))]
        struct Aligned(usize);
        let ledger = Ledger::default();
        let block = BlockPtr::<Aligned>::allocate(Lap::<Aligned>::SMALL_BASE, true);
        for offset in Lap::<Aligned>::SMALL_BASE..Lap::<Aligned>::LAP {
            // SAFETY: the block is alive, tagged and nobody else's; the slot is empty.
            unsafe {
                block.set_tag(offset, ledger.tag(1 + offset as u64));
                block.slot(offset).fill(Aligned(offset));
            }
        }
        for offset in Lap::<Aligned>::SMALL_BASE..Lap::<Aligned>::LAP {
            // SAFETY: as above; the slot is full.
            let (tag, value) = unsafe { (block.take_tag(offset).unwrap(), block.slot(offset).empty()) };
            assert_eq!((tag.number(), value.0), (Some(1 + offset as u64), offset));
        }
        assert_eq!(ledger.open(), 0);
        // SAFETY: nobody uses the block any more.
        unsafe { block.free() };
    }
}
