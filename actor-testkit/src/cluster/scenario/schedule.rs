//! Which faults happen when: drawn from a seed, printed as a list, and made smaller.

use std::fmt;
use std::time::Duration;

use crate::cluster::fault::{Crash, Degradation, Fault};
use crate::simulation::Random;

/// A kind of [`Fault`] that a seed may bring. Each is mended after a while, unless it mends itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// The nodes fall into two groups between which nothing passes.
    Partition,
    /// Nothing passes from one node to another.
    OneWay,
    /// The connections of two nodes are reset.
    Cut,
    /// A process dies, and another takes its place.
    CrashReset,
    /// A machine dies, and comes back.
    CrashSilent,
    /// A process is stopped, and goes on.
    Freeze,
    /// A node is slow for a while.
    Slow,
    /// A node's network is bad for a while: slow, with losses, and with attempts to connect that come twice.
    Degrade,
    /// A node leaves in order, and comes back.
    Leave,
    /// A node's wall clock jumps.
    ClockJump,
    /// A node's wall clock goes too fast or too slowly for a while.
    ClockDrift,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Partition,
        Self::OneWay,
        Self::Cut,
        Self::CrashReset,
        Self::CrashSilent,
        Self::Freeze,
        Self::Slow,
        Self::Degrade,
        Self::Leave,
        Self::ClockJump,
        Self::ClockDrift,
    ];

    /// What kind a fault is; none if it mends something.
    pub fn of(fault: &Fault) -> Option<Self> {
        Some(match fault {
            Fault::Partition(_) => Self::Partition,
            Fault::Block { .. } => Self::OneWay,
            Fault::Cut(..) => Self::Cut,
            Fault::Crash(_, Crash::Reset) => Self::CrashReset,
            Fault::Crash(_, Crash::Silent) => Self::CrashSilent,
            Fault::Freeze(_) => Self::Freeze,
            Fault::Slow(_, cost) if *cost > Duration::ZERO => Self::Slow,
            Fault::Degrade(_, degradation) if *degradation != Degradation::NONE => Self::Degrade,
            Fault::Leave(_) => Self::Leave,
            Fault::ClockForward(..) | Fault::ClockBack(..) => Self::ClockJump,
            Fault::ClockDrift(_, ppm) if *ppm != 0 => Self::ClockDrift,
            Fault::Degrade(..) | Fault::ClockDrift(..) => return None,
            Fault::Slow(..) | Fault::Heal | Fault::Restart(_) | Fault::Thaw(_) => return None,
        })
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Partition => "partition",
            Self::OneWay => "one-way partition",
            Self::Cut => "connections reset",
            Self::CrashReset => "process crash",
            Self::CrashSilent => "machine crash",
            Self::Freeze => "stopped process",
            Self::Slow => "slow node",
            Self::Degrade => "bad network",
            Self::Leave => "node leaves in order",
            Self::ClockJump => "clock jump",
            Self::ClockDrift => "clock drift",
        })
    }
}

/// What may go wrong, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    kinds: Vec<FaultKind>,
    every: Duration,
    last_at_most: Duration,
}

impl Faults {
    /// All kinds, about one each three seconds, each of which lasts for up to ten.
    pub fn all() -> Self {
        Self::only(FaultKind::ALL)
    }

    /// Some kinds.
    pub fn only(kinds: impl IntoIterator<Item = FaultKind>) -> Self {
        let (every, last_at_most) = (Duration::from_secs(3), Duration::from_secs(10));
        Self { kinds: kinds.into_iter().collect(), every, last_at_most }
    }

    /// Nothing goes wrong.
    pub fn none() -> Self {
        Self::only([])
    }

    /// How long it is from one fault to the next on average.
    pub fn every(mut self, time: Duration) -> Self {
        self.every = time;
        self
    }

    /// How long a fault lasts at most.
    pub fn last_at_most(mut self, time: Duration) -> Self {
        self.last_at_most = time;
        self
    }
}

/// A fault, and when it is mended. Times are counted from the moment when all nodes have met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Episode {
    /// When it happens.
    pub begin: Duration,
    /// How long it lasts; nothing if it mends itself.
    pub lasts: Option<Duration>,
    /// What happens.
    pub fault: Fault,
}

impl Episode {
    fn mend(&self) -> Option<Fault> {
        Some(match self.fault {
            Fault::Partition(_) | Fault::Block { .. } => Fault::Heal,
            Fault::Crash(node, _) | Fault::Leave(node) => Fault::Restart(node),
            Fault::Freeze(node) => Fault::Thaw(node),
            Fault::Slow(node, _) => Fault::Slow(node, Duration::ZERO),
            Fault::Degrade(node, _) => Fault::Degrade(node, Degradation::NONE),
            Fault::ClockDrift(node, _) => Fault::ClockDrift(node, 0),
            _ => return None,
        })
    }
}

/// The faults of a run, in the order of their beginnings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// They may overlap. What mends a partition mends all there are.
    pub episodes: Vec<Episode>,
}

impl Schedule {
    /// What a seed brings to so many nodes in such a time.
    pub fn random(seed: u64, nodes: usize, time: Duration, faults: &Faults) -> Self {
        let mut draw = Draw(Random::seeded(seed ^ 0x6661_756c_7473_2121));
        let mut episodes = Vec::new();
        let mut begin = Duration::ZERO;
        while !faults.kinds.is_empty() && nodes > 1 {
            begin += draw.up_to(2 * faults.every).max(Duration::from_millis(1));
            if begin >= time {
                break;
            }
            let kind = faults.kinds[draw.0.below(faults.kinds.len())];
            let fault = draw.fault(kind, nodes);
            let mut episode = Episode { begin, lasts: None, fault };
            if episode.mend().is_some() {
                episode.lasts = Some(draw.up_to(faults.last_at_most).min(time - begin));
            }
            episodes.push(episode);
        }
        Self { episodes }
    }

    /// All that is done, and when.
    pub(super) fn steps(&self) -> Vec<(Duration, Fault)> {
        let begins = self.episodes.iter().map(|episode| (episode.begin, episode.fault.clone()));
        let ends = self
            .episodes
            .iter()
            .filter_map(|episode| Some((episode.begin + episode.lasts?, episode.mend()?)));
        let mut steps: Vec<_> = begins.chain(ends).collect();
        steps.sort_by_key(|(at, _)| *at);
        steps
    }
}

/// A line for each fault.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.episodes.is_empty() {
            writeln!(f, "  none")?;
        }
        for Episode { begin, lasts, fault } in &self.episodes {
            match lasts {
                Some(lasts) => writeln!(f, "  at {begin:?} for {lasts:?}: {fault:?}")?,
                None => writeln!(f, "  at {begin:?}: {fault:?}")?,
            }
        }
        Ok(())
    }
}

/// How far a clock is set at most.
const CLOCK_JUMP_MAX: Duration = Duration::from_secs(48 * 3600);

/// How many thousandths a clock goes too fast or too slowly at most: no clock is as bad, and what goes by it shows sooner.
const CLOCK_DRIFT_PER_MILLE_MAX: u16 = 100;

/// How bad a network is at most.
const WORSE_BY_MAX: Degradation = Degradation {
    delay: Duration::from_millis(200),
    jitter: Duration::from_millis(200),
    lost_per_mille: 100,
    doubled_per_mille: 500,
};

struct Draw(Random);

impl Draw {
    /// In whole milliseconds.
    fn up_to(&mut self, time: Duration) -> Duration {
        let millis = usize::try_from(time.as_millis()).unwrap_or(usize::MAX);
        Duration::from_millis(self.0.below(millis.saturating_add(1)) as u64)
    }

    fn pair(&mut self, nodes: usize) -> (usize, usize) {
        let one = self.0.below(nodes);
        (one, (one + 1 + self.0.below(nodes - 1)) % nodes)
    }

    fn fault(&mut self, kind: FaultKind, nodes: usize) -> Fault {
        let (one, other) = self.pair(nodes);
        match kind {
            FaultKind::Partition => {
                let mut left: Vec<usize> = (0..nodes).collect();
                let mut right = Vec::new();
                for _ in 0..=self.0.below(nodes - 1) {
                    right.push(left.swap_remove(self.0.below(left.len())));
                }
                left.sort_unstable();
                right.sort_unstable();
                Fault::Partition(vec![left, right])
            }
            FaultKind::OneWay => Fault::Block { from: one, to: other },
            FaultKind::Cut => Fault::Cut(one, other),
            FaultKind::CrashReset => Fault::Crash(one, Crash::Reset),
            FaultKind::CrashSilent => Fault::Crash(one, Crash::Silent),
            FaultKind::Freeze => Fault::Freeze(one),
            FaultKind::Slow => Fault::Slow(one, Duration::from_micros(100 + self.0.below(5_000) as u64)),
            FaultKind::Degrade => Fault::Degrade(one, self.degradation()),
            FaultKind::Leave => Fault::Leave(one),
            FaultKind::ClockJump => {
                let by = self.up_to(CLOCK_JUMP_MAX);
                if self.0.below(2) == 0 { Fault::ClockBack(one, by) } else { Fault::ClockForward(one, by) }
            }
            FaultKind::ClockDrift => {
                let ppm = 1 + self.per_mille(CLOCK_DRIFT_PER_MILLE_MAX);
                let ppm = i32::from(ppm) * 1000;
                Fault::ClockDrift(one, if self.0.below(2) == 0 { -ppm } else { ppm })
            }
        }
    }

    fn degradation(&mut self) -> Degradation {
        Degradation {
            delay: self.up_to(WORSE_BY_MAX.delay),
            jitter: self.up_to(WORSE_BY_MAX.jitter),
            lost_per_mille: 1 + self.per_mille(WORSE_BY_MAX.lost_per_mille),
            doubled_per_mille: self.per_mille(WORSE_BY_MAX.doubled_per_mille),
        }
    }

    fn per_mille(&mut self, below: u16) -> u16 {
        u16::try_from(self.0.below(below.into())).unwrap_or(0)
    }
}
