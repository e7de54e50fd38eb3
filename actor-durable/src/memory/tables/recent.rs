//! The messages that an actor remembers as handled, with their replies.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::id::MessageId;

#[derive(Debug, Default)]
pub(super) struct Recent {
    replies: BTreeMap<MessageId, (u64, Option<Bytes>)>,
    /// In the order they were handled. The numbers grow, and are those beside the replies.
    order: VecDeque<(u64, MessageId)>,
}

impl Recent {
    pub(super) fn contains(&self, message: MessageId) -> bool {
        // Most that are new are greater than all that are not.
        self.replies.last_key_value().is_some_and(|(last, _)| message <= *last)
            && self.replies.contains_key(&message)
    }

    pub(super) fn reply(&self, message: MessageId) -> Option<&Option<Bytes>> {
        self.replies.get(&message).map(|(_, reply)| reply)
    }

    /// One that is not remembered yet.
    pub(super) fn insert(&mut self, message: MessageId, reply: Option<Bytes>) {
        let place = self.order.back().map_or(0, |(last, _)| last + 1);
        self.replies.insert(message, (place, reply));
        self.order.push_back((place, message));
    }

    pub(super) fn remove(&mut self, message: MessageId) {
        let Some((place, _)) = self.replies.remove(&message) else { return };
        // What was handled longest ago is forgotten first.
        if self.order.front().is_some_and(|(first, _)| *first == place) {
            self.order.pop_front();
        } else if let Ok(at) = self.order.binary_search_by_key(&place, |(place, _)| *place) {
            self.order.remove(at);
        }
    }

    pub(super) fn in_order(&self) -> impl Iterator<Item = MessageId> {
        self.order.iter().map(|(_, message)| *message)
    }
}
