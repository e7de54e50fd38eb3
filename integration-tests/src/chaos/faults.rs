//! What is done to whom, and when: a list that follows from the seed.

use std::fmt;
use std::time::Duration;

use super::Chance;

/// What is done to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It is killed, and started again after a while.
    Crash,
    /// It is stopped as by SIGSTOP, and goes on after a while.
    Freeze,
    /// Its worker is replaced by another.
    Replace,
    /// Nothing passes between it and another, and then it does.
    Part(usize),
    /// Nothing passes from it to another, and then it does.
    Block(usize),
    /// Its wire is pulled, and put in again.
    Unplug,
}

impl Fault {
    /// The word for its kind.
    pub fn kind(self) -> &'static str {
        match self {
            Fault::Crash => "crash",
            Fault::Freeze => "freeze",
            Fault::Replace => "worker replaced",
            Fault::Part(_) => "block both ways",
            Fault::Block(_) => "block one way",
            Fault::Unplug => "unplug",
        }
    }
}

/// A fault, or its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, from the beginning.
    pub at: Duration,
    /// To whom.
    pub node: usize,
    /// What.
    pub fault: Fault,
    /// Whether it ends.
    pub is_over: bool,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Event { at, node, fault, is_over } = self;
        let over = if *is_over { "end of " } else { "" };
        let other = match fault {
            Fault::Part(other) | Fault::Block(other) => format!(", node-{other}"),
            _ => String::new(),
        };
        write!(f, "{:>6.1} s  node-{node}: {over}{}{other}", at.as_secs_f64(), fault.kind())
    }
}

/// The faults of this seed, in order of time; all of them end before the time is over. Without networks of their own nothing
/// is blocked.
pub fn schedule(seed: u64, nodes: usize, span: Duration, has_networks: bool) -> Vec<Event> {
    let mut chance = Chance::seeded(seed);
    let millis = Duration::from_millis;
    let mut events = Vec::new();
    // Whose process has something done to it until then.
    let mut busy = vec![Duration::ZERO; nodes];
    let mut at = millis(500);
    loop {
        at += millis(chance.between(150, 1200));
        let node = chance.place(nodes);
        let other = (node + 1 + chance.place(nodes - 1)) % nodes;
        let kinds = [
            Fault::Crash,
            Fault::Freeze,
            Fault::Replace,
            Fault::Part(other),
            Fault::Block(other),
            Fault::Unplug,
        ];
        let fault = kinds[chance.place(if has_networks { 6 } else { 3 })];
        let end = at + millis(chance.between(100, 3500));
        if end >= span {
            break;
        }
        if matches!(fault, Fault::Crash | Fault::Freeze | Fault::Replace) {
            if busy[node] > at {
                continue;
            }
            // It needs some time to be itself again.
            busy[node] = end + millis(500);
        }
        events.push(Event { at, node, fault, is_over: false });
        if fault != Fault::Replace {
            events.push(Event { at: end, node, fault, is_over: true });
        }
    }
    events.sort_by_key(|event| event.at);
    events
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_is_one_schedule_in_which_everything_happens_and_ends() {
        let span = Duration::from_secs(600);
        let events = schedule(7, 5, span, true);
        assert_eq!(events, schedule(7, 5, span, true));
        assert_ne!(events, schedule(8, 5, span, true));
        let kinds: BTreeSet<_> = events.iter().map(|event| event.fault.kind()).collect();
        assert_eq!(kinds.len(), 6);
        for fault in [Fault::Crash, Fault::Freeze, Fault::Unplug] {
            let count = |is_over| {
                events.iter().filter(|event| event.fault == fault && event.is_over == is_over).count()
            };
            assert_eq!(count(true), count(false));
        }
        let on_loopback = schedule(7, 5, span, false);
        assert!(
            on_loopback
                .iter()
                .all(|event| matches!(event.fault, Fault::Crash | Fault::Freeze | Fault::Replace))
        );
        assert!(events.iter().chain(&on_loopback).all(|event| event.at < span));
    }
}
