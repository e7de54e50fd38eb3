//! Who is being told of a message on this thread. Whoever is told may send, and what he sends
//! may reach nobody in its turn: he is not told of that, or there would be no end to it.

use std::cell::RefCell;

thread_local! {
    /// By the addresses of those who are told; seldom more than one.
    static TOLD: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Runs what tells somebody, unless it would run within itself.
pub(super) fn unless_within<T>(somebody: &T, tell: impl FnOnce()) {
    let somebody = std::ptr::from_ref(somebody).addr();
    // Where the thread is ending there is no list: nothing is told there.
    let is_first = TOLD.try_with(|told| {
        let mut told = told.borrow_mut();
        let is_first = !told.contains(&somebody);
        if is_first {
            told.push(somebody);
        }
        is_first
    });
    if is_first == Ok(true) {
        let _telling = Telling;
        tell();
    }
}

/// Takes the last one off, also if telling him panics.
struct Telling;

impl Drop for Telling {
    fn drop(&mut self) {
        // Those within have been taken off before.
        _ = TOLD.try_with(|told| told.borrow_mut().pop());
    }
}
