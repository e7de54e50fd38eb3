//! What threads share: atomics, cells and locks, from the standard library or
//! from whoever models it. The crate's only `cfg(actor_loom)` and
//! `cfg(actor_shuttle)`, but for tests and the sizes that models make smaller
//! (`queue/block.rs`, `queue/waker.rs`); plain `cfg(loom)` would reach tokio too.
//!
//! Everybody takes from here what threads share, but for `OnceLock`, which is set once
//! and not modelled. Loom runs the fenced rooms (`mailbox/queue/`, `reply/slot/`) and the
//! line of waiting senders; shuttle these and whole actors.

use std::sync::{Mutex as StdMutex, MutexGuard as StdMutexGuard, PoisonError};

#[cfg(actor_loom)]
pub(crate) use loom::{
    alloc::{alloc, dealloc},
    cell::UnsafeCell,
    sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    sync::{Mutex, MutexGuard},
    thread::yield_now,
};
#[cfg(actor_shuttle)]
pub(crate) use shuttle::{
    sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    sync::{Mutex, MutexGuard},
    thread::yield_now,
};
#[cfg(not(actor_loom))]
pub(crate) use std::alloc::{alloc, dealloc};
#[cfg(not(any(actor_loom, actor_shuttle)))]
pub(crate) use std::{
    sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    sync::{Mutex, MutexGuard},
    thread::yield_now,
};

#[cfg(not(actor_loom))]
pub(crate) use self::cell::UnsafeCell;

/// A thread's own, made without running anything; of a model's thread, if a model runs
/// this.
#[cfg(not(actor_shuttle))]
macro_rules! own {
    ($(#[$about:meta])* static $name:ident: $of:ty = $made:expr) => {
        std::thread_local! {
            $(#[$about])*
            static $name: $of = const { $made };
        }
    };
}
#[cfg(actor_shuttle)]
macro_rules! own {
    ($(#[$about:meta])* static $name:ident: $of:ty = $made:expr) => {
        shuttle::thread_local! {
            $(#[$about])*
            static $name: $of = $made;
        }
    };
}
pub(crate) use own;

/// Whether a model runs this, so that what is kept for speed must not be kept.
pub(crate) const MODELLED: bool = cfg!(any(actor_loom, actor_shuttle));

/// Waits a moment for another thread. A model runs the other thread instead.
pub(crate) fn spin() {
    #[cfg(any(actor_loom, actor_shuttle))]
    yield_now();
    #[cfg(not(any(actor_loom, actor_shuttle)))]
    std::hint::spin_loop();
}

/// Waits for another thread that needs a few steps, unless it is preempted among
/// them.
#[derive(Default)]
pub(crate) struct Backoff {
    pauses: u32,
}

impl Backoff {
    /// Pauses before others are let run. A few dozen cover the steps; a hundred cost
    /// less than a switch of threads.
    pub(crate) const SPINS_MAX: u32 = 100;

    pub(crate) fn pause(&mut self) {
        self.pauses += 1;
        if self.pauses > Self::SPINS_MAX {
            yield_now();
        } else {
            spin();
        }
    }

    /// Pauses, unless it has been long enough for a task: then the task should let
    /// others run.
    pub(crate) fn try_pause(&mut self) -> bool {
        self.pauses += 1;
        if self.pauses <= Self::SPINS_MAX {
            spin();
        }
        self.pauses <= Self::SPINS_MAX
    }
}

/// Locks, whatever happened to the last holder.
///
/// Every critical section of this crate leaves its data whole at each step, and
/// a user's panic never unwinds through one, so poisoning carries no news.
pub(crate) trait LockExt {
    type Guard<'a>
    where
        Self: 'a;

    fn locked(&self) -> Self::Guard<'_>;
}

impl<T> LockExt for StdMutex<T> {
    type Guard<'a>
        = StdMutexGuard<'a, T>
    where
        T: 'a;

    fn locked(&self) -> Self::Guard<'_> {
        self.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(actor_loom)]
impl<T> LockExt for Mutex<T> {
    type Guard<'a>
        = MutexGuard<'a, T>
    where
        T: 'a;

    fn locked(&self) -> Self::Guard<'_> {
        self.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(actor_shuttle)]
impl<T> LockExt for Mutex<T> {
    type Guard<'a>
        = MutexGuard<'a, T>
    where
        T: 'a;

    fn locked(&self) -> Self::Guard<'_> {
        self.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(not(actor_loom))]
mod cell {
    /// The standard cell with loom's two doors, which tell a reader from a writer.
    #[derive(Debug)]
    pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(std::cell::UnsafeCell::new(value))
        }

        /// Lends a pointer to read through.
        pub(crate) fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
            read(self.0.get())
        }

        /// Lends a pointer to write through.
        pub(crate) fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
            write(self.0.get())
        }
    }
}
