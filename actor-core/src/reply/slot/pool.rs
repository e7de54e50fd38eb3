//! Memory for slots: blocks of a few sizes, kept per thread.
//!
//! ```text
//!  allocate ◄── the thread's list of the class ◄──┬── the allocator, if it is empty
//!                            ▲                     │
//!  give_back ────────────────┴── the allocator, if it is full, the thread's lists
//!                                are gone, or no class fits
//! ```
//!
//! A block is untyped while it is kept, and of its class's size whatever is put
//! there; so it may be taken on one thread and given back on another. The class
//! of a type is known when it is compiled.
//!
//! Kept memory is out of sight of an address sanitizer, and models count every
//! allocation: under `--cfg actor_no_pool`, and in models, nothing is kept.

use std::alloc::{Layout, handle_alloc_error};
use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use crate::limits::REPLY_SLOTS_KEPT_MAX;
use crate::sync::{MODELLED, alloc, dealloc};

/// Memory for one `S`, not written yet.
pub(super) fn allocate<S>() -> NonNull<S> {
    let memory = match const { Class::of(Layout::new::<S>()) } {
        Some(class) => class.take(),
        None => fresh(Layout::new::<S>()),
    };
    memory.cast()
}

/// Takes the memory back.
///
/// # Safety
///
/// It came from [`allocate`] for the same `S`, on whichever thread, and nobody
/// looks at it hereafter.
pub(super) unsafe fn give_back<S>(memory: NonNull<S>) {
    let memory = memory.cast();
    match const { Class::of(Layout::new::<S>()) } {
        // SAFETY: `allocate` took it from this class.
        Some(class) => unsafe { class.give_back(memory) },
        // SAFETY: `allocate` asked the allocator for it with this layout.
        None => unsafe { dealloc(memory.as_ptr(), Layout::new::<S>()) },
    }
}

/// A value in pooled memory, whose type may be forgotten: a `Box` that is used again.
pub(super) struct Pooled<S: ?Sized> {
    memory: NonNull<S>,
}

// SAFETY: it owns the value, as a `Box` does.
unsafe impl<S: ?Sized + Send> Send for Pooled<S> {}

// SAFETY: shared, it gives shared access alone.
unsafe impl<S: ?Sized + Sync> Sync for Pooled<S> {}

impl<S> Pooled<S> {
    /// Moves the value there.
    pub(super) fn new(value: S) -> Self {
        let memory = allocate::<S>();
        // SAFETY: the pool gave memory of this size and alignment to us alone.
        unsafe { memory.write(value) };
        Self { memory }
    }

    /// Gives the value up: it is to be [known](Pooled::known) by another type.
    pub(super) fn forget(self) -> NonNull<S> {
        ManuallyDrop::new(self).memory
    }
}

impl<S: ?Sized> Pooled<S> {
    /// Takes a value over.
    ///
    /// # Safety
    ///
    /// It comes from [`forget`](Self::forget), perhaps with another type, and has no other owner.
    pub(super) unsafe fn known(memory: NonNull<S>) -> Self {
        Self { memory }
    }
}

impl<S: ?Sized> Deref for Pooled<S> {
    type Target = S;

    fn deref(&self) -> &S {
        // SAFETY: the value was written by `new`, and is there until the destructor.
        unsafe { self.memory.as_ref() }
    }
}

impl<S: ?Sized> DerefMut for Pooled<S> {
    fn deref_mut(&mut self) -> &mut S {
        // SAFETY: as above, and nobody else has it.
        unsafe { self.memory.as_mut() }
    }
}

impl<S: ?Sized> Drop for Pooled<S> {
    fn drop(&mut self) {
        let layout = Layout::for_value(&**self);
        // Also if the value's destructor panics.
        let _memory = Memory { memory: self.memory.cast(), layout };
        // SAFETY: the value is there, and nobody looks at it hereafter.
        unsafe { self.memory.drop_in_place() };
    }
}

/// Gives memory back when it is dropped.
struct Memory {
    memory: NonNull<u8>,
    layout: Layout,
}

impl Drop for Memory {
    fn drop(&mut self) {
        match Class::of(self.layout) {
            // SAFETY: `allocate` took it from the class of the same layout, and it is nobody's.
            Some(class) => unsafe { class.give_back(self.memory) },
            // SAFETY: `allocate` asked the allocator for it with this layout.
            None => unsafe { dealloc(self.memory.as_ptr(), self.layout) },
        }
    }
}

/// An index into [`SIZES`].
#[derive(Clone, Copy)]
struct Class(usize);

/// With a header of about 40 bytes: small answers, strings and the like, and what
/// is still sensible to move by value.
const SIZES: [usize; 3] = [64, 128, 256];

/// What allocators give without being asked.
const ALIGN: usize = 16;

const POOLED: bool = !MODELLED && !cfg!(actor_no_pool);

impl Class {
    /// The smallest class that fits.
    const fn of(layout: Layout) -> Option<Class> {
        let mut class = 0;
        while class < SIZES.len() {
            if POOLED && layout.size() <= SIZES[class] && layout.align() <= ALIGN {
                return Some(Class(class));
            }
            class += 1;
        }
        None
    }

    const fn layout(self) -> Layout {
        match Layout::from_size_align(SIZES[self.0], ALIGN) {
            Ok(layout) => layout,
            Err(_) => panic!("every size is a multiple of the alignment"),
        }
    }

    fn take(self) -> NonNull<u8> {
        // Without its lists the thread is ending; it may still call.
        let kept = LISTS.try_with(|lists| lists.0[self.0].pop()).ok().flatten();
        kept.unwrap_or_else(|| fresh(self.layout()))
    }

    /// # Safety
    ///
    /// The memory is of this class's layout, from the allocator, and nobody's.
    unsafe fn give_back(self, memory: NonNull<u8>) {
        // SAFETY: it is nobody's, and every class has room for a link.
        let is_kept = LISTS.try_with(|lists| unsafe { lists.0[self.0].push(memory) }).unwrap_or(false);
        if !is_kept {
            // SAFETY: it is of this layout, and was not kept.
            unsafe { dealloc(memory.as_ptr(), self.layout()) };
        }
    }
}

fn fresh(layout: Layout) -> NonNull<u8> {
    // SAFETY: no slot is of size zero: each has a state.
    let memory = unsafe { alloc(layout) };
    NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout))
}

thread_local! {
    static LISTS: Lists = const { Lists([const { List::new() }; SIZES.len()]) };
}

/// A thread's kept blocks, a list for each class.
struct Lists([List; SIZES.len()]);

impl Drop for Lists {
    fn drop(&mut self) {
        for (class, list) in self.0.iter().enumerate() {
            while let Some(memory) = list.pop() {
                // SAFETY: blocks of a class's list are of its layout, from the
                // allocator, and nobody's.
                unsafe { dealloc(memory.as_ptr(), Class(class).layout()) };
            }
        }
    }
}

/// Blocks of one class that nobody uses. Each begins with the link to the next.
struct List {
    first: Cell<Option<NonNull<Link>>>,
    length: Cell<usize>,
}

struct Link {
    next: Option<NonNull<Link>>,
}

impl List {
    const fn new() -> Self {
        Self { first: Cell::new(None), length: Cell::new(0) }
    }

    fn pop(&self) -> Option<NonNull<u8>> {
        let first = self.first.get()?;
        // SAFETY: `push` wrote a link there, and a kept block is nobody else's.
        self.first.set(unsafe { first.read() }.next);
        self.length.set(self.length.get() - 1);
        Some(first.cast())
    }

    /// Whether there was room.
    ///
    /// # Safety
    ///
    /// The block can hold a link, and is nobody's.
    unsafe fn push(&self, memory: NonNull<u8>) -> bool {
        if self.length.get() == REPLY_SLOTS_KEPT_MAX {
            return false;
        }
        let link = memory.cast::<Link>();
        // SAFETY: it can hold a link, which the alignment of the classes sees to.
        unsafe { link.write(Link { next: self.first.get() }) };
        self.first.set(Some(link));
        self.length.set(self.length.get() + 1);
        true
    }
}

/// How many blocks the thread keeps that an `S` could use.
#[cfg(all(test, not(any(actor_loom, actor_shuttle))))]
pub(super) fn kept<S>() -> Option<usize> {
    Class::of(Layout::new::<S>()).map(|class| LISTS.with(|lists| lists.0[class.0].length.get()))
}
