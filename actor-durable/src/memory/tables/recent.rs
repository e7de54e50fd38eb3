//! The messages that an actor remembers as handled, with their replies.
//!
//! They lie in the order they were handled, which is mostly that of their ids. So beside each stands the greatest id until
//! then: one that is greater than all is new at a glance, and one that is not is looked for by halves. Only those that were
//! overtaken are in a tree as well.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::id::MessageId;

#[derive(Debug, Default)]
pub(super) struct Recent {
    /// The longest ago first.
    order: VecDeque<Row>,
    /// The places of those that are no greater than one before them.
    overtaken: BTreeMap<MessageId, u64>,
}

#[derive(Debug)]
struct Row {
    /// Places grow, and none is given twice.
    place: u64,
    message: MessageId,
    greatest: MessageId,
    reply: Option<Bytes>,
}

impl Recent {
    pub(super) fn contains(&self, message: MessageId) -> bool {
        self.find(message).is_some()
    }

    pub(super) fn reply(&self, message: MessageId) -> Option<&Option<Bytes>> {
        self.find(message).map(|at| &self.order[at].reply)
    }

    /// One that is not remembered yet.
    pub(super) fn insert(&mut self, message: MessageId, reply: Option<Bytes>) {
        let last = self.order.back();
        let place = last.map_or(0, |last| last.place + 1);
        let greatest = match last {
            // Also of one that was forgotten, and is handled again.
            Some(last) if last.greatest >= message => {
                let greatest = last.greatest;
                self.overtaken.insert(message, place);
                greatest
            }
            _ => message,
        };
        self.order.push_back(Row { place, message, greatest, reply });
    }

    pub(super) fn remove(&mut self, message: MessageId) {
        // What was handled longest ago is forgotten first.
        let is_first = self.order.front().is_some_and(|first| first.message == message);
        let Some(at) = (if is_first { Some(0) } else { self.find(message) }) else { return };
        self.order.remove(at);
        self.overtaken.remove(&message);
    }

    pub(super) fn in_order(&self) -> impl Iterator<Item = MessageId> {
        self.order.iter().map(|row| row.message)
    }

    fn find(&self, message: MessageId) -> Option<usize> {
        if self.order.back().is_none_or(|last| last.greatest < message) {
            return None;
        }
        let at = self.order.partition_point(|row| row.greatest < message);
        if self.order.get(at).is_some_and(|row| row.message == message) {
            return Some(at);
        }
        let place = self.overtaken.get(&message)?;
        self.order.binary_search_by_key(place, |row| row.place).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::WallTime;

    /// Against a plain list, with ids in all orders.
    #[test]
    fn it_remembers_what_a_list_does() {
        let mut seed = 7_u64;
        let mut below = |bound: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % bound
        };
        let id = |number: u64| MessageId::new(WallTime::from_millis(number / 4), (number % 4).into());
        let (mut recent, mut list) = (Recent::default(), VecDeque::<(MessageId, Option<Bytes>)>::new());
        for step in 0..3_000_u64 {
            let any = id(below(60));
            let is_there = list.iter().any(|(message, _)| *message == any);
            match below(8) {
                0..4 if !is_there => {
                    let reply = (step % 3 > 0).then(|| Bytes::from(step.to_string()));
                    recent.insert(any, reply.clone());
                    list.push_back((any, reply));
                }
                4 | 5 => {
                    if let Some((first, _)) = list.pop_front() {
                        recent.remove(first);
                    }
                }
                6 => {
                    recent.remove(any);
                    list.retain(|(message, _)| *message != any);
                }
                _ => {}
            }
            assert!(recent.in_order().eq(list.iter().map(|(message, _)| *message)));
            for number in 0..60 {
                let any = id(number);
                let expected = list.iter().find(|(message, _)| *message == any).map(|(_, reply)| reply);
                assert_eq!(recent.reply(any), expected, "step {step}, {any}");
                assert_eq!(recent.contains(any), expected.is_some());
            }
        }
    }
}
