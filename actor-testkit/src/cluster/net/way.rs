//! The way from one node to another: how long bytes take, and whether they pass.

use std::time::Duration;

use actor_core::Instant;

use crate::cluster::conditions::Conditions;
use crate::cluster::fault::Degradation;
use crate::simulation::Random;

/// How long a sender waits before it sends again what was lost, the first time. TCP measures; this is its least.
const RESEND_AFTER: Duration = Duration::from_millis(200);
/// How often something is lost in a row at most.
const LOSSES_MAX: u32 = 8;
/// The longest a sender waits before it sends again, when nothing has passed for long.
const RESEND_AFTER_MAX: Duration = Duration::from_secs(60);

/// One direction between two nodes.
pub(super) struct Way {
    /// As it is now.
    pub(super) conditions: Conditions,
    /// As it is while neither of its nodes' network is degraded.
    set_up: Conditions,
    blocked: Option<Instant>,
    /// When what was written before has left.
    free_at: Instant,
}

impl Way {
    pub(super) fn new(conditions: Conditions) -> Self {
        Self { conditions, set_up: conditions, blocked: None, free_at: Instant::ZERO }
    }

    /// What it is like from now on, by itself and by what has become of the networks of its nodes.
    pub(super) fn set(&mut self, set_up: Conditions, worse: [Degradation; 2]) {
        self.set_up = set_up;
        self.degrade(worse);
    }

    pub(super) fn degrade(&mut self, worse: [Degradation; 2]) {
        self.conditions = worse.iter().fold(self.set_up, |conditions, worse| worse.of(conditions));
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.blocked.is_some()
    }

    /// Whether what was to arrive at a moment has.
    pub(super) fn has_let_pass(&self, due: Instant, now: Instant) -> bool {
        due <= now && self.blocked.is_none_or(|since| due <= since)
    }

    pub(super) fn block(&mut self, now: Instant) {
        self.blocked.get_or_insert(now);
    }

    /// Since when it was blocked, if it was.
    pub(super) fn open(&mut self) -> Option<Instant> {
        self.blocked.take()
    }

    /// When so many bytes arrive that are written now.
    pub(super) fn arrival(&mut self, now: Instant, bytes: usize, random: &mut Random) -> Instant {
        let leaves = now.max(self.free_at) + self.crossing(bytes);
        self.free_at = leaves;
        let mut lost = Duration::ZERO;
        for times in 0..LOSSES_MAX {
            if !chance(self.conditions.loss, random) {
                break;
            }
            lost += RESEND_AFTER * 2u32.pow(times);
        }
        leaves + self.delay(random) + lost
    }

    /// How long a small thing takes that is not lost.
    pub(super) fn delay(&self, random: &mut Random) -> Duration {
        self.conditions.delay + part_of(self.conditions.jitter, random)
    }

    /// When that arrives which could not pass: senders try again ever less often.
    pub(super) fn second_arrival(&self, blocked: Instant, now: Instant, random: &mut Random) -> Instant {
        now + part_of((now - blocked).min(RESEND_AFTER_MAX), random) + self.delay(random)
    }

    fn crossing(&self, bytes: usize) -> Duration {
        let Some(each_second) = self.conditions.bytes_per_second else { return Duration::ZERO };
        let nanos = (bytes as u64).saturating_mul(1_000_000_000) / each_second.max(1);
        Duration::from_nanos(nanos)
    }
}

/// Whether something happens that is so likely.
pub(super) fn chance(likelihood: f64, random: &mut Random) -> bool {
    // Nothing is drawn where nothing can happen.
    likelihood > 0.0 && random.unit() < likelihood
}

/// Any time up to this.
pub(super) fn part_of(whole: Duration, random: &mut Random) -> Duration {
    if whole.is_zero() { whole } else { whole.mul_f64(random.unit()) }
}
