//! The ids of the messages that an actor remembers as handled. Pure.
//!
//! Messages are mostly handled in the order in which they were made. So each id is kept with the greatest until then. Those are
//! sorted: an id that is greater than all of them is new, and any other one is found by a binary search. Only ids that were overtaken
//! are in a tree as well.

use std::collections::{BTreeMap, VecDeque};

use crate::id::MessageId;

/// See the module. Something may be kept with each id.
#[derive(Clone, Debug)]
pub(crate) struct Remembered<T = ()> {
    /// In the order in which they were handled.
    handled: VecDeque<Row<T>>,
    /// The places of those that are no greater than one before them.
    overtaken: BTreeMap<MessageId, u64>,
}

#[derive(Clone, Debug)]
struct Row<T> {
    /// Grows from row to row, so that a row is found by its place by halves.
    place: u64,
    id: MessageId,
    greatest: MessageId,
    kept: T,
}

impl<T> Remembered<T> {
    pub(crate) fn len(&self) -> usize {
        self.handled.len()
    }

    pub(crate) fn contains(&self, id: MessageId) -> bool {
        self.find(id).is_some()
    }

    /// What is kept with it.
    pub(crate) fn get(&self, id: MessageId) -> Option<&T> {
        let row = self.handled.get(self.find(id)?)?;
        Some(&row.kept)
    }

    /// In the order in which they were handled.
    pub(crate) fn ids(&self) -> impl DoubleEndedIterator<Item = MessageId> {
        self.handled.iter().map(|row| row.id)
    }

    /// Adds an id that is not remembered yet.
    pub(crate) fn push(&mut self, id: MessageId, kept: T) {
        let last = self.handled.back();
        let place = last.map_or(0, |last| last.place + 1);
        let greatest = match last {
            // It may also be one that was forgotten and is handled again.
            Some(last) if last.greatest >= id => {
                self.overtaken.insert(id, place);
                last.greatest
            }
            _ => id,
        };
        self.handled.push_back(Row { place, id, greatest, kept });
    }

    /// Forgets the id that was handled longest ago.
    pub(crate) fn pop(&mut self) -> Option<MessageId> {
        let Row { id, .. } = self.handled.pop_front()?;
        self.overtaken.remove(&id);
        Some(id)
    }

    /// Forgets an id, wherever it is.
    pub(crate) fn remove(&mut self, id: MessageId) {
        if self.handled.front().is_some_and(|first| first.id == id) {
            self.pop();
        } else if let Some(at) = self.find(id) {
            self.handled.remove(at);
            self.overtaken.remove(&id);
        }
    }

    fn find(&self, id: MessageId) -> Option<usize> {
        if self.handled.back().is_none_or(|last| last.greatest < id) {
            return None;
        }
        let at = self.handled.partition_point(|row| row.greatest < id);
        if self.handled.get(at).is_some_and(|row| row.id == id) {
            return Some(at);
        }
        let place = self.overtaken.get(&id)?;
        self.handled.binary_search_by_key(place, |row| row.place).ok()
    }
}

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Self { handled: VecDeque::new(), overtaken: BTreeMap::new() }
    }
}

impl FromIterator<MessageId> for Remembered {
    fn from_iter<I: IntoIterator<Item = MessageId>>(ids: I) -> Self {
        let mut remembered = Self::default();
        ids.into_iter().for_each(|id| remembered.push(id, ()));
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
        let (mut remembered, mut list) = (Remembered::default(), VecDeque::<(MessageId, u32)>::new());
        for step in 0..3_000 {
            let any = id(below(60));
            match below(8) {
                0..4 if !list.iter().any(|(other, _)| *other == any) => {
                    remembered.push(any, step);
                    list.push_back((any, step));
                }
                4 | 5 => assert_eq!(remembered.pop(), list.pop_front().map(|(first, _)| first)),
                6 if below(4) == 0 => {
                    remembered.remove(any);
                    list.retain(|(other, _)| *other != any);
                }
                _ => {}
            }
            assert_eq!(remembered.len(), list.len());
            assert!(remembered.ids().eq(list.iter().map(|(other, _)| *other)));
            for number in 0..60 {
                let any = id(number);
                let expected = list.iter().find(|(other, _)| *other == any).map(|(_, kept)| kept);
                assert_eq!(remembered.get(any), expected, "step {step}, {any}");
                assert_eq!(remembered.contains(any), expected.is_some());
            }
        }
    }
}
