//! Which actors' hooks are being polled on this thread, one within another: so that an
//! actor that waits for itself is told, in builds with debug assertions. Other builds pay
//! nothing for it and tell nothing.

use std::cell::RefCell;

use crate::id::ActorId;

thread_local! {
    /// The last is the innermost. Each entry is a poll on this thread's stack.
    static POLLED: RefCell<Vec<ActorId>> = const { RefCell::new(Vec::new()) };
}

/// A hook of an actor is being polled here until this is dropped.
pub(crate) struct Polled;

impl Polled {
    #[inline(always)]
    pub(crate) fn new(id: impl FnOnce() -> ActorId) -> Self {
        if cfg!(debug_assertions) {
            let _ = POLLED.try_with(|polled| polled.borrow_mut().push(id()));
        }
        Self
    }
}

impl Drop for Polled {
    #[inline(always)]
    fn drop(&mut self) {
        if cfg!(debug_assertions) {
            let _ = POLLED.try_with(|polled| polled.borrow_mut().pop());
        }
    }
}

/// Whether one of this actor's hooks is being polled here; never in a build without debug
/// assertions.
#[inline(always)]
pub(crate) fn is_polled(id: impl FnOnce() -> ActorId) -> bool {
    cfg!(debug_assertions) && POLLED.try_with(|polled| polled.borrow().contains(&id())).unwrap_or(false)
}
