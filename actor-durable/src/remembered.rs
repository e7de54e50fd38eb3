//! The ids of the messages that an actor remembers as handled. Pure.
//!
//! Messages are mostly handled in the order in which they were made. So each id is kept with the greatest until then. Those are
//! sorted: an id that is greater than all of them is new, and any other one is found by a binary search. Only ids that were overtaken
//! are in a tree as well.

use std::collections::{BTreeSet, VecDeque};

use crate::id::MessageId;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Remembered {
    /// In the order in which they were handled, each with the greatest until then.
    handled: VecDeque<(MessageId, MessageId)>,
    /// Those that are less than one before them.
    overtaken: BTreeSet<MessageId>,
}

impl Remembered {
    pub(crate) fn len(&self) -> usize {
        self.handled.len()
    }

    pub(crate) fn contains(&self, id: MessageId) -> bool {
        if self.handled.back().is_none_or(|(_, greatest)| *greatest < id) {
            return false;
        }
        let at = self.handled.partition_point(|(_, greatest)| *greatest < id);
        self.handled.get(at).is_some_and(|(other, _)| *other == id) || self.overtaken.contains(&id)
    }

    /// Whether it is among the last `count`.
    pub(crate) fn is_among_last(&self, id: MessageId, count: usize) -> bool {
        self.handled.iter().rev().take(count).any(|(other, _)| *other == id)
    }

    /// Adds an id that is not remembered yet.
    pub(crate) fn push(&mut self, id: MessageId) {
        let greatest = match self.handled.back() {
            // It may also be one that was forgotten and is handled again.
            Some((_, greatest)) if *greatest >= id => {
                self.overtaken.insert(id);
                *greatest
            }
            _ => id,
        };
        self.handled.push_back((id, greatest));
    }

    /// Forgets the id that was handled longest ago.
    pub(crate) fn pop(&mut self) -> Option<MessageId> {
        let (id, _) = self.handled.pop_front()?;
        self.overtaken.remove(&id);
        Some(id)
    }

    /// Forgets an id, wherever it is.
    pub(crate) fn remove(&mut self, id: MessageId) {
        self.overtaken.remove(&id);
        self.handled.retain(|(other, _)| *other != id);
    }
}

impl FromIterator<MessageId> for Remembered {
    fn from_iter<I: IntoIterator<Item = MessageId>>(ids: I) -> Self {
        let mut remembered = Self::default();
        ids.into_iter().for_each(|id| remembered.push(id));
        remembered
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::WallTime;

    /// Compared with a plain list, with ids in all orders.
    #[test]
    fn it_remembers_what_a_list_does() {
        let mut seed = 7_u64;
        let mut below = |bound: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % bound
        };
        let id = |number: u64| MessageId::new(WallTime::from_millis(number / 4), (number % 4).into());
        let (mut remembered, mut list) = (Remembered::default(), VecDeque::new());
        for step in 0..3_000 {
            let any = id(below(60));
            match below(8) {
                0..4 if !list.contains(&any) => {
                    remembered.push(any);
                    list.push_back(any);
                }
                4 | 5 => assert_eq!(remembered.pop(), list.pop_front()),
                6 if below(8) == 0 => {
                    remembered.remove(any);
                    list.retain(|other| *other != any);
                }
                _ => {}
            }
            assert_eq!(remembered.len(), list.len());
            for number in 0..60 {
                let any = id(number);
                assert_eq!(remembered.contains(any), list.contains(&any), "step {step}, {any}");
                let among = list.iter().rev().take(3).any(|other| *other == any);
                assert_eq!(remembered.is_among_last(any, 3), among);
            }
        }
    }
}
