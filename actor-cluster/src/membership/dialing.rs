//! Whom to dial, and when: seeds, members without a session, those of whom somebody told, and those who were lost.

use std::collections::BTreeMap;
use std::time::Duration;

use super::dice::Dice;
use crate::id::NodeId;
use crate::limits::{DIAL_PAUSE, DIAL_PAUSE_MAX, GOSSIP_DIALS_MAX, LOST_KEPT, MEMBERS_MAX, TOLD_DIALS_MAX};
use crate::transport::Address;

/// Why a node is dialled, from the least certain to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Why {
    /// Somebody said that it is there.
    Told,
    /// It was a member, and may come back.
    Lost,
    /// It is a member.
    Member,
}

/// What is dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    /// The seed of this number.
    Seed(usize),
    Node(NodeId),
}

/// How it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Dialled {
    /// There is a session with this node.
    Connected(NodeId),
    /// It is this node itself.
    Ourselves,
    Failed(String),
}

#[derive(Debug)]
struct Attempts {
    failed: u32,
    next: Duration,
    is_under_way: bool,
}

impl Attempts {
    fn new(next: Duration) -> Self {
        Self { failed: 0, next, is_under_way: false }
    }

    fn is_due(&self, now: Duration) -> bool {
        !self.is_under_way && now >= self.next
    }

    fn on_failed(&mut self, now: Duration, dice: &mut Dice) {
        let pause = (DIAL_PAUSE * 2_u32.saturating_pow(self.failed.min(16))).min(DIAL_PAUSE_MAX);
        // Up to a quarter less, so that not all come at the same time.
        let early = pause / 256 * u32::from(dice.roll().to_le_bytes()[0]) / 4;
        self.next = now + pause - early;
        self.failed += 1;
        self.is_under_way = false;
    }
}

#[derive(Debug)]
struct Wanted {
    why: Why,
    addresses: Vec<Address>,
    since: Duration,
    attempts: Attempts,
}

#[derive(Debug)]
struct Seed {
    attempts: Attempts,
    /// Who answered last.
    reached: Option<NodeId>,
    is_ourselves: bool,
    told: Option<String>,
}

impl Seed {
    fn is_wanted(&self, is_alone: bool, is_connected: impl Fn(NodeId) -> bool) -> bool {
        match self.reached {
            None => !self.is_ourselves,
            Some(reached) => is_alone && !is_connected(reached),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Dialing {
    seeds: Vec<Seed>,
    wanted: BTreeMap<NodeId, Wanted>,
    under_way: usize,
}

impl Dialing {
    pub(crate) fn new(seeds: usize) -> Self {
        let seed = |_| {
            let attempts = Attempts::new(Duration::ZERO);
            Seed { attempts, reached: None, is_ourselves: false, told: None }
        };
        Self { seeds: (0..seeds).map(seed).collect(), ..Self::default() }
    }

    /// A node without a session should have one.
    pub(crate) fn want(
        &mut self,
        node: NodeId,
        why: Why,
        addresses: &[Address],
        now: Duration,
        first: Duration,
    ) {
        if addresses.is_empty() {
            return;
        }
        let is_full = self.wanted.len() >= MEMBERS_MAX;
        match self.wanted.get_mut(&node) {
            Some(wanted) => {
                if wanted.why < why {
                    (wanted.why, wanted.since) = (why, now);
                }
                if wanted.addresses != addresses {
                    wanted.addresses = addresses.to_vec();
                    wanted.attempts.next = wanted.attempts.next.min(now + first);
                }
            }
            None if is_full => {}
            None => {
                let attempts = Attempts::new(now + first);
                let addresses = addresses.to_vec();
                self.wanted.insert(node, Wanted { why, addresses, since: now, attempts });
            }
        }
    }

    /// Nobody needs to dial it.
    pub(crate) fn unwant(&mut self, node: NodeId) {
        if self.wanted.remove(&node).is_some_and(|wanted| wanted.attempts.is_under_way) {
            self.under_way -= 1;
        }
    }

    /// Whether there is nobody to dial, now or later.
    pub(crate) fn is_idle(&self, is_alone: bool, is_connected: impl Fn(NodeId) -> bool) -> bool {
        self.wanted.is_empty() && !self.seeds.iter().any(|seed| seed.is_wanted(is_alone, &is_connected))
    }

    #[cfg(test)]
    pub(crate) fn wants(&self, node: NodeId) -> Option<Why> {
        self.wanted.get(&node).map(|wanted| wanted.why)
    }

    /// What is to be dialled now. Seeds while they were not reached yet, or nobody is there; the others as long as they are
    /// wanted, so many at a time.
    pub(crate) fn due(
        &mut self,
        now: Duration,
        is_alone: bool,
        is_connected: impl Fn(NodeId) -> bool,
    ) -> Vec<(Target, Vec<Address>)> {
        let mut due = Vec::new();
        for (number, seed) in self.seeds.iter_mut().enumerate() {
            if seed.is_wanted(is_alone, &is_connected) && seed.attempts.is_due(now) {
                seed.attempts.is_under_way = true;
                due.push((Target::Seed(number), Vec::new()));
            }
        }
        self.wanted.retain(|_, wanted| {
            let is_over = match wanted.why {
                Why::Member => false,
                Why::Told => wanted.attempts.failed >= TOLD_DIALS_MAX,
                Why::Lost => now.saturating_sub(wanted.since) >= LOST_KEPT,
            };
            !is_over || wanted.attempts.is_under_way
        });
        for (node, wanted) in &mut self.wanted {
            if self.under_way >= GOSSIP_DIALS_MAX {
                break;
            }
            if wanted.attempts.is_due(now) {
                wanted.attempts.is_under_way = true;
                self.under_way += 1;
                due.push((Target::Node(*node), wanted.addresses.clone()));
            }
        }
        due
    }

    /// A dial has come to its end. What is new to tell of a seed.
    pub(crate) fn on_dialled(
        &mut self,
        target: Target,
        dialled: &Dialled,
        now: Duration,
        dice: &mut Dice,
    ) -> Option<String> {
        match target {
            Target::Node(node) => {
                let wanted = self.wanted.get_mut(&node).filter(|wanted| wanted.attempts.is_under_way)?;
                self.under_way -= 1;
                // Where there is a session by now, it is not wanted any more anyhow.
                wanted.attempts.on_failed(now, dice);
                None
            }
            Target::Seed(number) => {
                let seed = self.seeds.get_mut(number)?;
                let error = match dialled {
                    Dialled::Connected(node) => {
                        (seed.reached, seed.told) = (Some(*node), None);
                        seed.attempts = Attempts::new(now + DIAL_PAUSE);
                        return None;
                    }
                    Dialled::Ourselves => {
                        seed.is_ourselves = true;
                        "it is this node itself".to_owned()
                    }
                    Dialled::Failed(error) => error.clone(),
                };
                seed.attempts.on_failed(now, dice);
                let is_news = seed.told.as_ref() != Some(&error);
                is_news.then(|| seed.told.insert(error).clone())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn node(number: usize) -> NodeId {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&number.to_le_bytes());
        NodeId::from_bytes(key)
    }

    fn address() -> Vec<Address> {
        vec!["pipe://a".parse().unwrap()]
    }

    fn failed() -> Dialled {
        Dialled::Failed("no".to_owned())
    }

    /// When it is dialled within so many milliseconds, if each dial fails at once.
    fn dialled(dialing: &mut Dialing, until: u64) -> Vec<u64> {
        let mut dice = Dice::new(1);
        let mut times = Vec::new();
        for now in (0..until).step_by(25) {
            for (target, _) in dialing.due(ms(now), true, |_| false) {
                times.push(now);
                dialing.on_dialled(target, &failed(), ms(now), &mut dice);
            }
        }
        times
    }

    #[test]
    fn who_does_not_answer_is_dialled_at_growing_pauses_and_somebody_who_was_told_of_not_for_ever() {
        let mut dialing = Dialing::default();
        dialing.want(node(1), Why::Member, &address(), ms(0), ms(500));
        let times = dialled(&mut dialing, 600_000);
        assert_eq!(times[0], 500);
        let pauses: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(pauses.windows(2).take(6).all(|pair| pair[1] > pair[0]), "{pauses:?}");
        let most = u64::try_from(DIAL_PAUSE_MAX.as_millis()).unwrap();
        assert!(pauses[8..].iter().all(|pause| (most * 3 / 4..=most + 25).contains(pause)), "{pauses:?}");
        let mut dialing = Dialing::default();
        dialing.want(node(1), Why::Told, &address(), ms(0), ms(0));
        assert_eq!(dialled(&mut dialing, 600_000).len(), usize::try_from(TOLD_DIALS_MAX).unwrap());
        assert_eq!(dialing.wants(node(1)), None);
        dialing.want(node(1), Why::Told, &[], ms(0), ms(0));
        assert_eq!(dialing.wants(node(1)), None, "nowhere to dial");
    }

    #[test]
    fn so_many_are_dialled_at_a_time_and_so_many_wanted() {
        let mut dialing = Dialing::default();
        for number in 0..2 * MEMBERS_MAX {
            dialing.want(node(number), Why::Told, &address(), ms(0), ms(0));
        }
        assert_eq!(dialing.wanted.len(), MEMBERS_MAX);
        let due = dialing.due(ms(0), true, |_| false);
        assert_eq!(due.len(), GOSSIP_DIALS_MAX);
        assert_eq!(dialing.due(ms(0), true, |_| false), []);
        let mut dice = Dice::new(1);
        dialing.on_dialled(due[0].0, &failed(), ms(0), &mut dice);
        dialing.on_dialled(due[0].0, &failed(), ms(0), &mut dice);
        let Target::Node(second) = due[1].0 else { panic!("not a node") };
        dialing.unwant(second);
        assert_eq!(dialing.due(ms(0), true, |_| false).len(), 2);
    }

    #[test]
    fn seeds_are_dialled_until_they_are_reached_and_again_when_nobody_is_left() {
        let mut dialing = Dialing::new(3);
        let mut dice = Dice::new(1);
        let due = dialing.due(ms(0), true, |_| false);
        assert_eq!(due.len(), 3);
        let mut told = |dialing: &mut Dialing, seed, dialled: Dialled| {
            dialing.on_dialled(Target::Seed(seed), &dialled, ms(0), &mut dice)
        };
        assert_eq!(told(&mut dialing, 0, Dialled::Connected(node(1))), None);
        assert!(told(&mut dialing, 1, Dialled::Ourselves).is_some());
        assert_eq!(told(&mut dialing, 2, failed()), Some("no".to_owned()));
        let seeds =
            |due: Vec<(Target, Vec<Address>)>| due.into_iter().map(|(target, _)| target).collect::<Vec<_>>();
        assert_eq!(seeds(dialing.due(ms(60_000), false, |_| true)), [Target::Seed(2)], "never ourselves");
        assert_eq!(told(&mut dialing, 2, failed()), None, "it was told");
        assert_eq!(seeds(dialing.due(ms(120_000), true, |_| false)), [Target::Seed(0), Target::Seed(2)]);
    }
}
