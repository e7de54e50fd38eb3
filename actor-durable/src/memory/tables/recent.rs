//! The messages that an actor remembers as handled, with their replies.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::id::MessageId;

#[derive(Debug, Default)]
pub(super) struct Recent {
    replies: BTreeMap<MessageId, (u64, Option<Bytes>)>,
    /// In the order they were handled. The numbers are those beside the replies.
    order: BTreeMap<u64, MessageId>,
}

impl Recent {
    pub(super) fn contains(&self, message: MessageId) -> bool {
        self.replies.contains_key(&message)
    }

    pub(super) fn reply(&self, message: MessageId) -> Option<&Option<Bytes>> {
        self.replies.get(&message).map(|(_, reply)| reply)
    }

    pub(super) fn insert(&mut self, message: MessageId, reply: Option<Bytes>) {
        let place = self.order.last_key_value().map_or(0, |(last, _)| last + 1);
        self.replies.insert(message, (place, reply));
        self.order.insert(place, message);
    }

    pub(super) fn remove(&mut self, message: MessageId) {
        if let Some((place, _)) = self.replies.remove(&message) {
            self.order.remove(&place);
        }
    }

    pub(super) fn in_order(&self) -> impl Iterator<Item = MessageId> {
        self.order.values().copied()
    }
}
