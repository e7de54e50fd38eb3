//! Waiting for the wall clock, which may be set meanwhile.
//!
//! It is compared with the monotonic clock: what lies between the two stays the same but when
//! somebody sets the one.

use std::time::Duration;

use actor_core::{Executor, Instant};

#[cfg(feature = "cron")]
use super::limits::CLOCK_BACK_MAX;
use super::limits::CLOCK_LOOK;

/// What both clocks showed at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// The time since 1970.
    pub(super) unix: Duration,
    /// Only where somebody asks by how much the clock was set.
    #[cfg_attr(not(feature = "cron"), expect(dead_code, reason = "cron schedules ask"))]
    monotonic: Instant,
}

impl Look {
    pub(super) fn at(executor: &Executor) -> Self {
        Self { unix: executor.unix_time(), monotonic: executor.now() }
    }

    /// Whether the wall clock was set back since another look, by more than may be.
    #[cfg(feature = "cron")]
    pub(super) fn is_set_back_since(self, earlier: Look) -> bool {
        let expected = earlier.unix.saturating_add(self.monotonic.saturating_since(earlier.monotonic));
        expected.saturating_sub(self.unix) > CLOCK_BACK_MAX
    }
}

/// Sleeps until the wall clock may show a moment, but for no longer than [`CLOCK_LOOK`]. `None`
/// if it shows it now.
pub(super) async fn sleep_towards(executor: &Executor, unix: Duration) -> Option<Look> {
    let left = unix.saturating_sub(Look::at(executor).unix);
    if left.is_zero() {
        return None;
    }
    executor.sleep(left.min(CLOCK_LOOK)).await;
    Some(Look::at(executor))
}
