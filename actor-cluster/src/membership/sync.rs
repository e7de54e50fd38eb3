//! Where members are: what each says of itself, passed on by everybody, and compared now and then so that what was missed is
//! made up for.
//!
//! A record says only where to dial. Who answers there must prove to be the node that was meant, so a record that lies costs a
//! dial and nothing else; and of two for the same life the greater one stays everywhere, unless the node itself said
//! the other here.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{NodeId, NodeLife};
use crate::limits::{ADDRESSES_PER_NODE_MAX, MEMBERS_MAX, MEMBERSHIP_RECORDS_BYTES, NODE_NAME_BYTES_MAX};
use crate::transport::Address;

/// Into how many parts the records are divided, so that few are told anew where few differ.
pub(crate) const BUCKETS: usize = 16;

/// What a life of a node says of itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Record {
    pub(crate) life: NodeLife,
    pub(crate) name: String,
    pub(crate) addresses: Vec<Address>,
}

impl Record {
    pub(crate) fn new(
        life: NodeLife,
        mut name: String,
        addresses: impl IntoIterator<Item = Address>,
    ) -> Self {
        let end = (0..=NODE_NAME_BYTES_MAX.min(name.len())).rev().find(|end| name.is_char_boundary(*end));
        name.truncate(end.unwrap_or_default());
        name.retain(|letter| !letter.is_control());
        Self { life, name, addresses: addresses.into_iter().take(ADDRESSES_PER_NODE_MAX).collect() }
    }

    /// Roughly what it takes on the wire.
    fn bytes(&self) -> usize {
        let addresses = self.addresses.iter().map(|address| address.as_str().len() + 4);
        64 + self.name.len() + addresses.sum::<usize>()
    }

    /// FNV-1a of all that it says.
    fn hash(&self) -> u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut mix = |bytes: &[u8]| {
            for byte in bytes.iter().chain(&[0xff]) {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        };
        mix(self.life.node.as_bytes());
        mix(&self.life.incarnation.as_u64().to_le_bytes());
        mix(self.name.as_bytes());
        self.addresses.iter().for_each(|address| mix(address.as_str().as_bytes()));
        hash
    }
}

fn bucket_of(node: NodeId) -> usize {
    usize::from(node.as_bytes()[0]) % BUCKETS
}

#[derive(Debug, Default)]
pub(crate) struct Records {
    records: BTreeMap<NodeId, Record>,
    /// Those that the node itself has said, in a session with it.
    first_hand: BTreeSet<NodeId>,
}

impl Records {
    pub(crate) fn get(&self, node: NodeId) -> Option<&Record> {
        self.records.get(&node)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Record> {
        self.records.values()
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// Takes what a node says of itself. Whether that is news.
    pub(crate) fn learn_first_hand(&mut self, record: Record) -> bool {
        let node = record.life.node;
        if self.records.get(&node) == Some(&record) {
            self.first_hand.insert(node);
            return false;
        }
        if !self.has_place_for(node) {
            return false;
        }
        self.first_hand.insert(node);
        self.records.insert(node, record);
        true
    }

    /// Takes what somebody says of another. Whether that is news.
    pub(crate) fn learn(&mut self, record: Record) -> bool {
        let node = record.life.node;
        if self.first_hand.contains(&node) {
            // It has said so itself, and can at any time.
            return false;
        }
        match self.records.get(&node) {
            Some(known) if known.life.incarnation > record.life.incarnation => return false,
            Some(known) if known.life == record.life && *known >= record => return false,
            Some(_) => {}
            None if !self.has_place_for(node) => return false,
            None => {}
        }
        self.first_hand.remove(&node);
        self.records.insert(node, record);
        true
    }

    fn has_place_for(&self, node: NodeId) -> bool {
        // Of those who have gone, too: they are dialled again.
        self.records.contains_key(&node) || self.records.len() < 2 * MEMBERS_MAX
    }

    /// The session with a node is over: what others say of it counts again.
    pub(crate) fn is_hearsay_again(&mut self, node: NodeId) {
        self.first_hand.remove(&node);
    }

    pub(crate) fn forget(&mut self, node: NodeId) {
        self.first_hand.remove(&node);
        self.records.remove(&node);
    }

    /// One number for each bucket, equal if the records are.
    pub(crate) fn digest(&self, is_told: impl Fn(NodeId) -> bool) -> [u64; BUCKETS] {
        let mut buckets = [0; BUCKETS];
        for record in self.records.values().filter(|record| is_told(record.life.node)) {
            buckets[bucket_of(record.life.node)] ^= record.hash();
        }
        buckets
    }

    /// Which buckets differ, as bits.
    pub(crate) fn difference(ours: &[u64; BUCKETS], theirs: &[u64; BUCKETS]) -> u32 {
        let bits = ours.iter().zip(theirs).enumerate();
        bits.filter(|(_, (ours, theirs))| ours != theirs).fold(0, |bits, (bucket, _)| bits | 1 << bucket)
    }

    /// The records of some buckets, in portions that fit into a frame.
    pub(crate) fn portions(&self, wanted: u32, is_told: impl Fn(NodeId) -> bool) -> Vec<Vec<Record>> {
        let is_wanted = |node: NodeId| wanted & (1 << bucket_of(node)) != 0 && is_told(node);
        let mut portions = Vec::new();
        let (mut portion, mut bytes) = (Vec::new(), 0);
        for record in self.records.values().filter(|record| is_wanted(record.life.node)) {
            if bytes + record.bytes() > MEMBERSHIP_RECORDS_BYTES && !portion.is_empty() {
                portions.push(std::mem::take(&mut portion));
                bytes = 0;
            }
            bytes += record.bytes();
            portion.push(record.clone());
        }
        if !portion.is_empty() {
            portions.push(portion);
        }
        portions
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Incarnation;
    use crate::limits::MEMBERSHIP_FRAME_BYTES_MAX;
    use crate::membership::frame::Frame;

    fn record(node: u8, life: u64, name: &str) -> Record {
        let life = NodeLife::new(NodeId::from_bytes([node; 32]), Incarnation::from_u64(life));
        Record::new(life, name.to_owned(), [format!("pipe://{name}").parse().unwrap()])
    }

    #[test]
    fn what_a_node_says_itself_stands_against_what_others_say() {
        let mut records = Records::default();
        assert!(records.learn(record(1, 1, "a")));
        assert!(records.learn(record(1, 1, "b")), "the greater of two");
        assert!(!records.learn(record(1, 1, "a")));
        assert!(records.learn_first_hand(record(1, 1, "a")));
        assert!(!records.learn(record(1, 1, "z")));
        assert!(!records.learn(record(1, 2, "z")), "not of another life either");
        records.is_hearsay_again(record(1, 1, "a").life.node);
        assert!(records.learn(record(1, 2, "c")), "a later life");
        assert!(!records.learn(record(1, 1, "z")), "an earlier one");
        assert!(records.learn_first_hand(record(1, 2, "a")));
        records.is_hearsay_again(record(1, 2, "a").life.node);
        assert!(records.learn(record(1, 2, "z")));
    }

    /// Two that have heard different things tell each other the buckets that differ, and then know the same.
    #[test]
    fn two_that_tell_each_other_what_differs_know_the_same() {
        let all = |_| true;
        let (mut ours, mut theirs) = (Records::default(), Records::default());
        for node in 0..40 {
            if node % 3 != 0 {
                ours.learn(record(node, 1, if node % 5 == 0 { "x" } else { "y" }));
            }
            if node % 4 != 0 {
                theirs.learn(record(node, 1, "y"));
            }
        }
        let differing = Records::difference(&ours.digest(all), &theirs.digest(all));
        assert_ne!(differing, 0);
        let (told, answered) = (ours.portions(differing, all), theirs.portions(differing, all));
        for record in told.into_iter().flatten() {
            theirs.learn(record);
        }
        for record in answered.into_iter().flatten() {
            ours.learn(record);
        }
        assert_eq!(ours.records, theirs.records);
        assert_eq!(Records::difference(&ours.digest(all), &theirs.digest(all)), 0);
    }

    #[test]
    fn the_longest_records_fit_into_frames_and_no_more_are_kept_than_may_be() {
        let mut records = Records::default();
        let long = "x".repeat(crate::limits::ADDRESS_BYTES_MAX - 7);
        for node in 0..=2 * MEMBERS_MAX {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&node.to_le_bytes());
            let life = NodeLife::new(NodeId::from_bytes(key), Incarnation::from_u64(1));
            let count = if node < 64 { ADDRESSES_PER_NODE_MAX + 1 } else { 1 };
            let addresses = (0..count).map(|_| format!("pipe://{long}").parse().unwrap());
            records.learn(Record::new(life, "é".repeat(200), addresses));
        }
        assert_eq!(records.len(), 2 * MEMBERS_MAX);
        for entries in records.portions(u32::MAX, |_| true) {
            let bytes = Frame::Records { entries, wanted: 0 }.encode();
            assert!(bytes.len() <= MEMBERSHIP_FRAME_BYTES_MAX, "{}", bytes.len());
        }
    }
}
