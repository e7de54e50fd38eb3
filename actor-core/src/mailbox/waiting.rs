//! Senders that wait for room, first come, first served.
//!
//! ```text
//!  register ─► waits ──┬─► is given a place (that of a message just taken out)
//!                      └─► is called to look again (there was room all along)
//! ```
//!
//! A place that is handed on never becomes free in between, so no other sender can
//! barge in; and what waits is the sender, not its message, so a sender that gives
//! up has sent nothing.

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::sync::OnceLock;
use std::task::Waker;

use crate::contain::contained;
use crate::sync::{AtomicU32, LockExt, Mutex, Ordering};
use crate::trace::Tag;

/// The senders that wait at one mailbox, and beside their line whatever else few
/// mailboxes need.
pub(super) struct Waiting<X> {
    /// How many there are that have no place yet. Written under the lock; read by the
    /// receiver at each message.
    unserved: AtomicU32,
    /// Made when it is first needed, by a sender that has to wait for one.
    aside: OnceLock<Box<Aside<X>>>,
}

#[derive(Default)]
struct Aside<X> {
    line: Mutex<Line>,
    more: X,
}

#[derive(Default)]
struct Line {
    /// In the order they came, which is that of their tickets.
    waiters: VecDeque<Waiter>,
    tickets: u64,
}

struct Waiter {
    ticket: Ticket,
    /// Taken when it is called. It comes back to look, and leaves another one.
    waker: Option<Waker>,
    has_place: bool,
    /// What its message goes in with, in a tagged mailbox: from when it began to wait.
    tag: Option<Tag>,
}

/// What a sender leaves the line with.
#[derive(Default)]
pub(super) struct Left {
    /// Whether it had been given a place, which is now the caller's to use or to give away.
    pub(super) has_place: bool,
    /// As it was registered.
    pub(super) tag: Option<Tag>,
}

/// Names one waiting sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(NonZeroU64);

/// How a waiting sender stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has a place.
    Served,
    /// It is the first without one; if there is room, it may take it.
    First,
    /// Others come before it.
    Later,
}

impl<X> Default for Waiting<X> {
    fn default() -> Self {
        Self { unserved: AtomicU32::new(0), aside: OnceLock::new() }
    }
}

impl<X: Default> Waiting<X> {
    /// What is beside the line; made if there is nothing yet.
    pub(super) fn more(&self) -> &X {
        &self.aside.get_or_init(Box::default).more
    }

    /// What is beside the line, if it was ever needed.
    pub(super) fn known_more(&self) -> Option<&X> {
        self.aside.get().map(|aside| &aside.more)
    }

    fn line(&self) -> Option<&Mutex<Line>> {
        self.aside.get().map(|aside| &aside.line)
    }

    /// Whether anybody waits without a place. A glance: who must not miss anybody
    /// meets the senders at the tail word first.
    #[inline]
    pub(super) fn is_anybody(&self) -> bool {
        self.unserved.load(Ordering::Relaxed) != 0
    }

    pub(super) fn register(&self, waker: &Waker, tag: Option<Tag>) -> Ticket {
        // Wakers are cloned, called and dropped outside the lock: any of it may run
        // anything, and may come back here.
        let waker = Some(waker.clone());
        let mut line = self.aside.get_or_init(Box::default).line.locked();
        line.tickets += 1;
        let Some(ticket) = NonZeroU64::new(line.tickets).map(Ticket) else {
            unreachable!("it counts from one")
        };
        line.waiters.push_back(Waiter { ticket, waker, has_place: false, tag });
        self.unserved.fetch_add(1, Ordering::Relaxed);
        ticket
    }

    /// How a sender stands, whom `waker` wakes from now on.
    pub(super) fn standing(&self, ticket: Ticket, waker: &Waker) -> Standing {
        let mut other = Some(waker.clone());
        let Some(mut line) = self.line().map(|line| line.locked()) else { unreachable!("it registered") };
        let first = line.waiters.iter().position(|waiter| !waiter.has_place);
        let at = line.find(ticket);
        let waiter = &mut line.waiters[at];
        if !waiter.waker.as_ref().is_some_and(|stored| stored.will_wake(waker)) {
            std::mem::swap(&mut waiter.waker, &mut other);
        }
        let standing = match waiter.has_place {
            true => Standing::Served,
            false if first == Some(at) => Standing::First,
            false => Standing::Later,
        };
        drop(line);
        drop(other);
        standing
    }

    /// Lends a sender its tag, to look whether there is room; it comes back by
    /// [`keep_tag`](Self::keep_tag) if there is none.
    pub(super) fn take_tag(&self, ticket: Ticket) -> Option<Tag> {
        let mut line = self.line()?.locked();
        let at = line.find(ticket);
        line.waiters[at].tag.take()
    }

    pub(super) fn keep_tag(&self, ticket: Ticket, tag: Option<Tag>) {
        let Some(mut line) = self.line().map(|line| line.locked()) else { unreachable!("it registered") };
        let at = line.find(ticket);
        line.waiters[at].tag = tag;
    }

    /// Ends a wait.
    pub(super) fn leave(&self, ticket: Ticket) -> Left {
        let Some(mut line) = self.line().map(|line| line.locked()) else { return Left::default() };
        let at = line.find(ticket);
        let Some(waiter) = line.waiters.remove(at) else { unreachable!("it was found") };
        if !waiter.has_place {
            self.unserved.fetch_sub(1, Ordering::Relaxed);
        }
        drop(line);
        // Whatever its destructor does, the place is not lost.
        contained("the destructor of a waiting sender's waker", || drop(waiter.waker));
        Left { has_place: waiter.has_place, tag: waiter.tag }
    }

    /// Gives a place to the first that has none. Says whether there was one.
    pub(super) fn serve(&self) -> bool {
        let Some(mut line) = self.line().map(|line| line.locked()) else { return false };
        let Some(waiter) = line.waiters.iter_mut().find(|waiter| !waiter.has_place) else { return false };
        waiter.has_place = true;
        let waker = waiter.waker.take();
        self.unserved.fetch_sub(1, Ordering::Relaxed);
        drop(line);
        waker.into_iter().for_each(call);
        true
    }

    /// Calls the first that has no place to look again.
    pub(super) fn call_first(&self) {
        let waker = self.line().and_then(|line| {
            let mut line = line.locked();
            line.waiters.iter_mut().find(|waiter| !waiter.has_place)?.waker.take()
        });
        waker.into_iter().for_each(call);
    }

    /// Calls everybody: nobody will get a place any more.
    pub(super) fn call_all(&self) {
        let wakers: Vec<Waker> = self.line().map_or_else(Vec::new, |line| {
            line.locked().waiters.iter_mut().filter_map(|waiter| waiter.waker.take()).collect()
        });
        wakers.into_iter().for_each(call);
    }
}

/// Outside the lock, since a waker may run anything; and whatever it does, those
/// behind it are called too, and the actor goes on.
fn call(waker: Waker) {
    contained("a waiting sender's waker", || waker.wake());
}

impl Line {
    fn find(&self, ticket: Ticket) -> usize {
        match self.waiters.binary_search_by_key(&ticket, |waiter| waiter.ticket) {
            Ok(at) => at,
            Err(_) => unreachable!("a sender leaves the line itself, and once"),
        }
    }
}
