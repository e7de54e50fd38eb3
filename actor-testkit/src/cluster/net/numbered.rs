//! Things by their numbers, which are given one after the other: found at once, gone through in order.

use std::collections::VecDeque;

/// As a `BTreeMap` whose keys are made by itself. What is gone takes one word, until all before it are gone too.
pub(super) struct Numbered<T> {
    /// The number of the first slot.
    first: u64,
    slots: VecDeque<Option<Box<T>>>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self { first: 0, slots: VecDeque::new() }
    }
}

impl<T> Numbered<T> {
    pub(super) fn insert(&mut self, value: T) -> u64 {
        self.slots.push_back(Some(Box::new(value)));
        self.first + self.slots.len() as u64 - 1
    }

    pub(super) fn get(&self, number: u64) -> Option<&T> {
        self.slots.get(self.slot(number)?)?.as_deref()
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let slot = self.slot(number)?;
        self.slots.get_mut(slot)?.as_deref_mut()
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<Box<T>> {
        let slot = self.slot(number)?;
        let removed = self.slots.get_mut(slot)?.take();
        while self.slots.front().is_some_and(Option::is_none) {
            self.slots.pop_front();
            self.first += 1;
        }
        removed
    }

    pub(super) fn numbers(&self) -> Vec<u64> {
        let numbered = (self.first..).zip(&self.slots);
        numbered.filter(|(_, value)| value.is_some()).map(|(number, _)| number).collect()
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut().filter_map(Option::as_deref_mut)
    }

    fn slot(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.first)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_are_found_by_their_numbers() {
        let mut things = Numbered::default();
        let numbers: Vec<u64> = ["a", "b", "c"].map(|thing| things.insert(thing)).into();
        assert_eq!(numbers, [0, 1, 2]);
        assert_eq!(things.remove(1).as_deref(), Some(&"b"));
        assert_eq!((things.get(1), things.numbers()), (None, vec![0, 2]));
        assert_eq!(things.remove(0).as_deref(), Some(&"a"));
        assert_eq!((things.slots.len(), things.get(0), things.get(2)), (1, None, Some(&"c")));
        assert_eq!(things.insert("d"), 3);
        things.values_mut().for_each(|thing| *thing = "e");
        assert_eq!(things.get_mut(4), None);
        assert_eq!(things.get(3), Some(&"e"));
    }
}
