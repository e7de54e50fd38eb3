//! The time that an executor tells: monotonic, and virtual in a simulation.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A moment on an [`Executor`](crate::Executor)'s monotonic clock.
///
/// It is plain data: the time since the executor's beginning, in nanoseconds. There is
/// no `now` here; ask the executor. All executors on tokio in one process have one
/// beginning; instants of other executors must not be compared.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// The executor's beginning.
    pub const ZERO: Instant = Instant(0);
    /// Farther away than any timer reaches: about 584 years.
    pub const FAR: Instant = Instant(u64::MAX);

    /// The moment `elapsed` after the executor's beginning; at most [`FAR`](Self::FAR).
    pub const fn from_elapsed(elapsed: Duration) -> Self {
        let nanos = elapsed.as_secs().saturating_mul(1_000_000_000);
        Self(nanos.saturating_add(elapsed.subsec_nanos() as u64))
    }

    /// The time since the executor's beginning.
    pub const fn elapsed(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// The time from `earlier` to this moment; zero if it is not earlier.
    pub const fn saturating_since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Saturates at [`Instant::FAR`].
impl Add<Duration> for Instant {
    type Output = Instant;

    fn add(self, rhs: Duration) -> Instant {
        Instant::from_elapsed(self.elapsed().saturating_add(rhs))
    }
}

/// Saturates at zero.
impl Sub for Instant {
    type Output = Duration;

    fn sub(self, rhs: Instant) -> Duration {
        self.saturating_since(rhs)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        let second = Instant::ZERO + Duration::from_secs(1);
        assert_eq!(second - Instant::ZERO, Duration::from_secs(1));
        assert_eq!(Instant::ZERO - second, Duration::ZERO);
        assert_eq!(second + Duration::MAX, Instant::FAR);
        assert_eq!(Instant::FAR + Duration::from_secs(1), Instant::FAR);
    }
}
