//! Where jobs wait: first in first out, by priority with ageing, or by a rank. Each can
//! give its next job and shed its oldest, both without looking at the others.
//!
//! ```text
//!  push ─► lane ──┬─ shelf of those that may be shed ──┐
//!                 └─ shelf of those that must stay ────┴─► pop: the older head of the two
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU32;

use super::Tags;

/// How the jobs of one queue are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::factory) enum Arrangement {
    /// First in, first out.
    Fifo,
    /// So many levels, the lowest number first. After so many jobs of higher levels one of a
    /// lower level has its turn; never, if there is none.
    Levels(u8, Option<NonZeroU32>),
    /// The lowest rank first.
    Ranked,
}

/// Jobs that wait for one worker, or for any.
pub(in crate::factory) enum Queue<J> {
    Fifo(Lane<J>),
    Levels(Box<Levels<J>>),
    Ranked(Box<Ranked<J>>),
}

impl<J> Queue<J> {
    pub(in crate::factory) fn new(arrangement: Arrangement) -> Self {
        match arrangement {
            Arrangement::Fifo => Self::Fifo(Lane::new()),
            Arrangement::Levels(levels, ageing) => Self::Levels(Box::new(Levels::new(levels, ageing))),
            Arrangement::Ranked => Self::Ranked(Box::default()),
        }
    }

    pub(in crate::factory) fn len(&self) -> usize {
        match self {
            Self::Fifo(lane) => lane.len(),
            Self::Levels(levels) => levels.len,
            Self::Ranked(ranked) => ranked.loose.len() + ranked.fixed.len(),
        }
    }

    pub(in crate::factory) fn push(&mut self, job: J, tags: Tags) {
        match self {
            Self::Fifo(lane) => lane.shelf(tags).push_back((job, tags)),
            Self::Levels(levels) => levels.push(job, tags),
            Self::Ranked(ranked) => ranked.push(job, tags),
        }
    }

    /// Puts a job back that was the next one before.
    pub(in crate::factory) fn push_front(&mut self, job: J, tags: Tags) {
        match self {
            Self::Fifo(lane) => lane.shelf(tags).push_front((job, tags)),
            Self::Levels(levels) => {
                levels.len += 1;
                levels.lane(tags).shelf(tags).push_front((job, tags));
            }
            Self::Ranked(ranked) => ranked.push(job, tags),
        }
    }

    /// The next job.
    pub(in crate::factory) fn pop(&mut self) -> Option<(J, Tags)> {
        match self {
            Self::Fifo(lane) => lane.pop(),
            Self::Levels(levels) => levels.pop(),
            Self::Ranked(ranked) => ranked.pop(),
        }
    }

    /// The oldest job that may be shed, of those that would run last.
    pub(in crate::factory) fn shed(&mut self) -> Option<(J, Tags)> {
        match self {
            Self::Fifo(lane) => lane.loose.pop_front(),
            Self::Levels(levels) => levels.shed(),
            Self::Ranked(ranked) => ranked.shed(),
        }
    }
}

type Shelf<J> = VecDeque<(J, Tags)>;

/// First in, first out.
pub(in crate::factory) struct Lane<J> {
    loose: Shelf<J>,
    fixed: Shelf<J>,
}

impl<J> Lane<J> {
    fn new() -> Self {
        Self { loose: VecDeque::new(), fixed: VecDeque::new() }
    }

    fn len(&self) -> usize {
        self.loose.len() + self.fixed.len()
    }

    fn shelf(&mut self, tags: Tags) -> &mut Shelf<J> {
        if tags.is_discardable { &mut self.loose } else { &mut self.fixed }
    }

    fn pop(&mut self) -> Option<(J, Tags)> {
        let is_loose_first = match (self.loose.front(), self.fixed.front()) {
            (Some((_, loose)), Some((_, fixed))) => loose.number < fixed.number,
            (loose, _) => loose.is_some(),
        };
        if is_loose_first { self.loose.pop_front() } else { self.fixed.pop_front() }
    }
}

/// A lane for each level.
pub(in crate::factory) struct Levels<J> {
    /// Each with how often it was passed over since it last had a turn.
    lanes: Vec<(Lane<J>, u32)>,
    ageing: Option<NonZeroU32>,
    len: usize,
}

impl<J> Levels<J> {
    fn new(levels: u8, ageing: Option<NonZeroU32>) -> Self {
        Self { lanes: (0..levels.max(1)).map(|_| (Lane::new(), 0)).collect(), ageing, len: 0 }
    }

    fn lane(&mut self, tags: Tags) -> &mut Lane<J> {
        // Who dispatches has been told of a level that is not there.
        let level = usize::from(tags.level).min(self.lanes.len() - 1);
        &mut self.lanes[level].0
    }

    fn push(&mut self, job: J, tags: Tags) {
        self.len += 1;
        self.lane(tags).shelf(tags).push_back((job, tags));
    }

    fn pop(&mut self) -> Option<(J, Tags)> {
        let first = self.lanes.iter().position(|(lane, _)| lane.len() > 0)?;
        let aged = |(lane, passed): &(Lane<J>, u32)| {
            lane.len() > 0 && self.ageing.is_some_and(|limit| *passed >= limit.get())
        };
        let level = self.lanes.iter().position(aged).unwrap_or(first);
        self.lanes[level].1 = 0;
        for (lane, passed) in &mut self.lanes[level + 1..] {
            *passed = if lane.len() > 0 { passed.saturating_add(1) } else { 0 };
        }
        self.len -= 1;
        self.lanes[level].0.pop()
    }

    fn shed(&mut self) -> Option<(J, Tags)> {
        let shed = self.lanes.iter_mut().rev().find_map(|(lane, _)| lane.loose.pop_front())?;
        self.len -= 1;
        Some(shed)
    }
}

/// By rank, and within one by age.
pub(in crate::factory) struct Ranked<J> {
    loose: BTreeMap<(i64, u64), (J, Tags)>,
    fixed: BTreeMap<(i64, u64), (J, Tags)>,
}

impl<J> Default for Ranked<J> {
    fn default() -> Self {
        Self { loose: BTreeMap::new(), fixed: BTreeMap::new() }
    }
}

impl<J> Ranked<J> {
    fn push(&mut self, job: J, tags: Tags) {
        let shelf = if tags.is_discardable { &mut self.loose } else { &mut self.fixed };
        shelf.insert((tags.rank, tags.number), (job, tags));
    }

    fn pop(&mut self) -> Option<(J, Tags)> {
        let is_loose_first = match (self.loose.first_key_value(), self.fixed.first_key_value()) {
            (Some((loose, _)), Some((fixed, _))) => loose < fixed,
            (loose, _) => loose.is_some(),
        };
        let shelf = if is_loose_first { &mut self.loose } else { &mut self.fixed };
        shelf.pop_first().map(|(_, job)| job)
    }

    fn shed(&mut self) -> Option<(J, Tags)> {
        let (last, _) = *self.loose.last_key_value()?.0;
        let oldest = *self.loose.range((last, 0)..).next()?.0;
        self.loose.remove(&oldest)
    }
}

impl<J> Queue<J> {
    /// The pick of each job, in no order.
    pub(super) fn picks(&self) -> impl Iterator<Item = u64> + '_ {
        let (lanes, ranked): (Vec<&Lane<J>>, _) = match self {
            Self::Fifo(lane) => (vec![lane], None),
            Self::Levels(levels) => (levels.lanes.iter().map(|(lane, _)| lane).collect(), None),
            Self::Ranked(ranked) => (Vec::new(), Some(ranked)),
        };
        let in_lanes = lanes.into_iter().flat_map(|lane| lane.loose.iter().chain(&lane.fixed));
        let in_ranks =
            ranked.into_iter().flat_map(|ranked| ranked.loose.values().chain(ranked.fixed.values()));
        in_lanes.chain(in_ranks).map(|(_, tags)| tags.pick)
    }
}
