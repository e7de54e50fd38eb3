//! The time of the wall clock.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A time of the wall clock, in milliseconds since the beginning of 1970 (UTC). It is for people, for reminders and for leases:
/// clocks differ and step back, so no order of messages or turns depends on it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WallTime(u64);

impl WallTime {
    /// The beginning of 1970 (UTC).
    pub const ZERO: WallTime = WallTime(0);
    /// The latest time there is.
    pub const MAX: WallTime = WallTime(u64::MAX);

    /// The time this many milliseconds after the beginning of 1970.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// The time this long after the beginning of 1970, such as [`Executor::unix_time`](actor_core::Executor::unix_time) gives.
    pub fn from_unix(since: Duration) -> Self {
        Self(millis(since))
    }

    /// Milliseconds since the beginning of 1970.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The time that much later; saturates.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(millis(time)))
    }

    /// The time since an earlier moment; zero if it is not earlier.
    pub fn since(self, earlier: WallTime) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Debug for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}
