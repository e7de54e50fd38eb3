//! What a supervisor is told about its children: plain values, checked when it is
//! built.

use std::time::Duration;

use crate::exit::Exit;

/// Which children a failure concerns. Erlang's three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// The child that ended starts again, and no other.
    #[default]
    OneForOne,
    /// All children stop, the last one first, and start again in order.
    OneForAll,
    /// The child that ended and all that were added after it: they stop, the last
    /// one first, and start again in order.
    RestForOne,
}

/// When a child that ended is started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Restart {
    /// Always, also after a stop or a drain.
    #[default]
    Permanent,
    /// After an error, a panic, a kill or a failed health check; not after a stop or a
    /// drain.
    Transient,
    /// Never. The supervisor forgets it when it ends.
    Temporary,
}

impl Restart {
    /// Whether a child is started again that ended like this.
    pub(crate) fn wants(self, exit: &Exit) -> bool {
        match self {
            Self::Permanent => true,
            Self::Transient => !matches!(exit, Exit::Stopped(_) | Exit::Drained),
            Self::Temporary => false,
        }
    }
}

/// How a supervisor ends a child's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shutdown {
    /// At its next await point; `post_stop` does not run.
    Kill,
    /// By a stop. What is not over after this time is killed.
    Stop(Duration),
    /// By a drain, so that it handles what it has accepted. What is not over after
    /// this time is killed.
    Drain(Duration),
}

/// A stop, and [`CHILD_STOP_TIMEOUT_DEFAULT`](crate::limits::CHILD_STOP_TIMEOUT_DEFAULT)
/// for it.
impl Default for Shutdown {
    fn default() -> Self {
        Self::Stop(crate::limits::CHILD_STOP_TIMEOUT_DEFAULT)
    }
}

/// How many restarts in how long a time are too many.
///
/// A restart counts for exactly `window`: one that is `window` ago, or longer, counts
/// no more. The restart that makes it more than `restarts` does not happen: the
/// supervisor ends its children and fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Intensity {
    /// How many restarts are fine; zero allows none. At most
    /// [`RESTARTS_MAX`](crate::limits::RESTARTS_MAX).
    pub restarts: u32,
    /// Within what time.
    pub window: Duration,
}

/// Three restarts in five seconds.
impl Default for Intensity {
    fn default() -> Self {
        Self { restarts: 3, window: Duration::from_secs(5) }
    }
}

/// How long a child waits before it is started again.
///
/// The first restart waits `first`, each further one twice as long, at most `cap`. A
/// child that has run for `reset_after` begins anew. Each delay is shortened by a random
/// part of it, at most the share `jitter`, so that those that failed together do not come
/// back together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// Before the first restart.
    pub first: Duration,
    /// No delay is longer.
    pub cap: Duration,
    /// From 0, no randomness, to 1.
    pub jitter: f64,
    /// How long a child must have run to be forgiven.
    pub reset_after: Duration,
}

impl Backoff {
    /// No delay: the intensity alone holds restarts back.
    pub const NONE: Backoff =
        Backoff { first: Duration::ZERO, cap: Duration::ZERO, jitter: 0.0, reset_after: Duration::ZERO };

    /// From `first` to `cap`, with a tenth of jitter; forgiven after twice the cap.
    pub fn exponential(first: Duration, cap: Duration) -> Self {
        Self { first, cap, jitter: 0.1, reset_after: cap.saturating_mul(2) }
    }

    /// Replaces the jitter.
    #[must_use]
    pub fn jitter(self, jitter: f64) -> Self {
        Self { jitter, ..self }
    }

    /// Replaces the time after which a child is forgiven.
    #[must_use]
    pub fn reset_after(self, reset_after: Duration) -> Self {
        Self { reset_after, ..self }
    }

    /// Whether the values can be used.
    pub(crate) fn is_usable(&self) -> bool {
        self.first <= self.cap && (0.0..=1.0).contains(&self.jitter)
    }

    /// The delay before the `nth` restart in a row, the first being 1. `random` is
    /// uniform over all numbers.
    pub(crate) fn delay(&self, nth: u32, random: u64) -> Duration {
        let doublings = nth.saturating_sub(1).min(31);
        let delay = self.first.saturating_mul(1 << doublings).min(self.cap);
        // In [0, 1): the highest 53 bits are all that a float can hold.
        let part = (random >> 11) as f64 / (1u64 << 53) as f64;
        delay.saturating_sub(delay.mul_f64(self.jitter * part))
    }
}

/// [`NONE`](Self::NONE).
impl Default for Backoff {
    fn default() -> Self {
        Self::NONE
    }
}

/// All that a supervisor decides by about one child.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Policy {
    pub(crate) restart: Restart,
    pub(crate) shutdown: Shutdown,
    pub(crate) backoff: Backoff,
    /// How many health checks in a row must fail; none if there are no checks.
    pub(crate) unhealthy_after: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn c04_c05_c06_who_is_started_again() {
        let text = || "x".into();
        let normal = [Exit::Stopped(None), Exit::Stopped(Some(text())), Exit::Drained];
        let abnormal = [Exit::Killed, Exit::Failed(text()), Exit::Panicked(text()), Exit::Cancelled];
        for exit in &normal {
            assert!(Restart::Permanent.wants(exit), "{exit}");
            assert!(!Restart::Transient.wants(exit), "{exit}");
            assert!(!Restart::Temporary.wants(exit), "{exit}");
        }
        for exit in &abnormal {
            assert!(Restart::Permanent.wants(exit), "{exit}");
            assert!(Restart::Transient.wants(exit), "{exit}");
            assert!(!Restart::Temporary.wants(exit), "{exit}");
        }
    }

    #[test]
    fn c08_delays_double_up_to_the_cap() {
        let backoff = Backoff::exponential(10 * MS, 75 * MS).jitter(0.0);
        let delays: Vec<_> = (1..=6).map(|nth| backoff.delay(nth, u64::MAX).as_millis()).collect();
        assert_eq!(delays, [10, 20, 40, 75, 75, 75]);
        assert_eq!(backoff.delay(u32::MAX, 0), 75 * MS);
        assert_eq!(Backoff::NONE.delay(9, 9), Duration::ZERO);
    }

    #[test]
    fn c08_jitter_shortens_by_its_share_at_most() {
        let backoff = Backoff::exponential(100 * MS, 100 * MS).jitter(0.5);
        assert_eq!(backoff.delay(1, 0), 100 * MS);
        assert_eq!(backoff.delay(1, 1 << 63), 75 * MS);
        let shortest = backoff.delay(1, u64::MAX);
        assert!(shortest >= 50 * MS && shortest < 51 * MS, "{shortest:?}");
        let longest = Backoff::exponential(Duration::MAX, Duration::MAX).jitter(1.0);
        assert_eq!(longest.delay(u32::MAX, 0), Duration::MAX);
        // As much as is left after nearly all of it was taken away.
        assert!(longest.delay(1, u64::MAX) < Duration::from_secs(1 << 12));
    }

    #[test]
    fn what_cannot_be_a_backoff() {
        assert!(Backoff::NONE.is_usable());
        assert!(Backoff::exponential(MS, MS).jitter(1.0).is_usable());
        assert!(!Backoff::exponential(2 * MS, MS).is_usable());
        for jitter in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert!(!Backoff::exponential(MS, MS).jitter(jitter).is_usable(), "{jitter}");
        }
    }
}
