//! Where members are: what each says of itself, passed on by everybody, and compared now and then so that what was missed is
//! made up for.
//!
//! A record says only where to dial. Who answers there must prove to be the node that was meant, so a record that lies costs
//! dials, and at worst hides where a node is until that node dials itself; and of two for the same life the greater one stays everywhere, unless the node itself said
//! the other here.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

use crate::id::{NodeId, NodeLife};
use crate::limits::{
    ADDRESSES_PER_NODE_MAX, MEMBERSHIP_RECORD_BYTES_MAX, MEMBERSHIP_RECORDS_BYTES, NODE_NAME_BYTES_MAX,
    RECORDS_MAX, STRANGERS_KEPT,
};
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
        let mut left = MEMBERSHIP_RECORD_BYTES_MAX.saturating_sub(name.len());
        // All nodes leave out the same ones, so that they know the same.
        let fits = |address: &Address| {
            left.checked_sub(address.as_str().len()).inspect(|less| left = *less).is_some()
        };
        let addresses = addresses.into_iter().take(ADDRESSES_PER_NODE_MAX).take_while(fits).collect();
        Self { life, name, addresses }
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

pub(super) fn bucket_of(node: NodeId) -> usize {
    usize::from(node.as_bytes()[0]) % BUCKETS
}

#[derive(Debug)]
struct Entry {
    record: Record,
    hash: u64,
    /// Whether the node itself has said it, in a session with it.
    is_first_hand: bool,
    /// When it was known last that the node is here, or when somebody told of it.
    since: Duration,
}

#[derive(Debug, Default)]
pub(crate) struct Records {
    entries: BTreeMap<NodeId, Entry>,
}

impl Records {
    pub(crate) fn get(&self, node: NodeId) -> Option<&Record> {
        self.entries.get(&node).map(|entry| &entry.record)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Record> {
        self.entries.values().map(|entry| &entry.record)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Takes what a node says of itself. Whether that is news.
    pub(crate) fn learn_first_hand(
        &mut self,
        record: Record,
        now: Duration,
        is_here: impl Fn(NodeId) -> bool,
    ) -> bool {
        if let Some(entry) = self.entries.get_mut(&record.life.node).filter(|entry| entry.record == record) {
            entry.is_first_hand = true;
            return false;
        }
        self.put(record, true, now, is_here)
    }

    /// Takes what somebody says of another. Whether that is news.
    pub(crate) fn learn(&mut self, record: Record, now: Duration, is_here: impl Fn(NodeId) -> bool) -> bool {
        if let Some(entry) = self.entries.get(&record.life.node) {
            let known = &entry.record;
            let is_older = known.life.incarnation > record.life.incarnation;
            let is_lesser = known.life == record.life && *known >= record;
            // Who has said so itself can do so again at any time.
            if entry.is_first_hand || is_older || is_lesser {
                return false;
            }
        }
        self.put(record, false, now, is_here)
    }

    fn put(
        &mut self,
        record: Record,
        is_first_hand: bool,
        now: Duration,
        is_here: impl Fn(NodeId) -> bool,
    ) -> bool {
        let node = record.life.node;
        let is_full = self.entries.len() >= RECORDS_MAX && !self.entries.contains_key(&node);
        if is_full && !((is_first_hand || is_here(node)) && self.displace_stranger(is_here)) {
            return false;
        }
        let hash = record.hash();
        self.entries.insert(node, Entry { record, hash, is_first_hand, since: now });
        true
    }

    /// Whoever is here needs the place more than the one among all others who was told of first.
    fn displace_stranger(&mut self, is_here: impl Fn(NodeId) -> bool) -> bool {
        let strangers = self.entries.iter().filter(|(node, _)| !is_here(**node));
        let oldest = strangers.min_by_key(|(_, entry)| entry.since).map(|(node, _)| *node);
        oldest.and_then(|node| self.entries.remove(&node)).is_some()
    }

    /// The session with a node is over: what others say of it counts again.
    pub(crate) fn is_hearsay_again(&mut self, node: NodeId) {
        if let Some(entry) = self.entries.get_mut(&node) {
            entry.is_first_hand = false;
        }
    }

    pub(crate) fn forget(&mut self, node: NodeId) {
        self.entries.remove(&node);
    }

    /// Forgets those who are not here, and have not been for long.
    pub(crate) fn forget_strangers(&mut self, now: Duration, is_here: impl Fn(NodeId) -> bool) {
        self.entries.retain(|node, entry| {
            if is_here(*node) {
                entry.since = now;
            }
            now.saturating_sub(entry.since) < STRANGERS_KEPT
        });
    }

    /// One number for each bucket, equal if the records are.
    pub(crate) fn digest(&self, is_told: impl Fn(NodeId) -> bool) -> [u64; BUCKETS] {
        let mut buckets = [0; BUCKETS];
        for (node, entry) in self.entries.iter().filter(|(node, _)| is_told(**node)) {
            buckets[bucket_of(*node)] ^= entry.hash;
        }
        buckets
    }

    /// Which buckets differ, as bits.
    pub(crate) fn difference(ours: &[u64; BUCKETS], theirs: &[u64; BUCKETS]) -> u32 {
        let bits = ours.iter().zip(theirs).enumerate();
        bits.filter(|(_, (ours, theirs))| ours != theirs).fold(0, |bits, (bucket, _)| bits | 1 << bucket)
    }

    /// The records of some buckets, of nodes behind one: as many as fit into a frame, and behind whom there are more.
    pub(crate) fn portion(
        &self,
        wanted: u32,
        after: Option<NodeId>,
        is_told: impl Fn(NodeId) -> bool,
    ) -> (Vec<Record>, Option<NodeId>) {
        let behind = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let is_wanted = |node: NodeId| wanted & (1 << bucket_of(node)) != 0 && is_told(node);
        let (mut portion, mut bytes) = (Vec::<Record>::new(), 0);
        for (_, entry) in self.entries.range(behind).filter(|(node, _)| is_wanted(**node)) {
            bytes += entry.record.bytes();
            if bytes > MEMBERSHIP_RECORDS_BYTES {
                let last = portion.last().map(|record| record.life.node);
                return (portion, last);
            }
            portion.push(entry.record.clone());
        }
        (portion, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Incarnation;
    use crate::limits::MEMBERSHIP_FRAME_BYTES_MAX;
    use crate::membership::frame::Frame;

    const NOW: Duration = Duration::ZERO;

    fn record(node: u8, life: u64, name: &str) -> Record {
        let life = NodeLife::new(NodeId::from_bytes([node; 32]), Incarnation::from_u64(life));
        Record::new(life, name.to_owned(), [format!("pipe://{name}").parse().unwrap()])
    }

    fn key(node: usize) -> NodeId {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&node.to_le_bytes());
        NodeId::from_bytes(key)
    }

    fn of(node: usize) -> Record {
        Record::new(NodeLife::new(key(node), Incarnation::from_u64(1)), "n".to_owned(), [])
    }

    fn nobody(_: NodeId) -> bool {
        false
    }

    fn all(_: NodeId) -> bool {
        true
    }

    fn portions(records: &Records, wanted: u32) -> Vec<Vec<Record>> {
        let (mut portions, mut after) = (Vec::new(), None);
        loop {
            let (portion, more_behind) = records.portion(wanted, after, all);
            portions.push(portion);
            after = more_behind;
            if after.is_none() {
                return portions;
            }
        }
    }

    #[test]
    fn what_a_node_says_itself_stands_against_what_others_say() {
        let mut records = Records::default();
        let learn = |records: &mut Records, record| records.learn(record, NOW, nobody);
        let learn_first_hand = |records: &mut Records, record| records.learn_first_hand(record, NOW, nobody);
        assert!(learn(&mut records, record(1, 1, "a")));
        assert!(learn(&mut records, record(1, 1, "b")), "the greater of two");
        assert!(!learn(&mut records, record(1, 1, "a")));
        assert!(learn_first_hand(&mut records, record(1, 1, "a")));
        assert!(!learn_first_hand(&mut records, record(1, 1, "a")), "it is no news");
        assert!(!learn(&mut records, record(1, 1, "z")));
        assert!(!learn(&mut records, record(1, 2, "z")), "not of another life either");
        records.is_hearsay_again(record(1, 1, "a").life.node);
        assert!(learn(&mut records, record(1, 2, "c")), "a later life");
        assert!(!learn(&mut records, record(1, 1, "z")), "an earlier one");
        assert!(learn_first_hand(&mut records, record(1, 2, "a")));
        records.is_hearsay_again(record(1, 2, "a").life.node);
        assert!(learn(&mut records, record(1, 2, "z")));
    }

    /// Two that have heard different things tell each other the buckets that differ, and then know the same.
    #[test]
    fn two_that_tell_each_other_what_differs_know_the_same() {
        let (mut ours, mut theirs) = (Records::default(), Records::default());
        for node in 0..40 {
            if node % 3 != 0 {
                ours.learn(record(node, 1, if node % 5 == 0 { "x" } else { "y" }), NOW, nobody);
            }
            if node % 4 != 0 {
                theirs.learn(record(node, 1, "y"), NOW, nobody);
            }
        }
        let differing = Records::difference(&ours.digest(all), &theirs.digest(all));
        assert_ne!(differing, 0);
        let (told, answered) = (portions(&ours, differing), portions(&theirs, differing));
        for record in told.into_iter().flatten() {
            theirs.learn(record, NOW, nobody);
        }
        for record in answered.into_iter().flatten() {
            ours.learn(record, NOW, nobody);
        }
        assert!(ours.iter().eq(theirs.iter()));
        assert_eq!(Records::difference(&ours.digest(all), &theirs.digest(all)), 0);
    }

    #[test]
    fn the_longest_records_fit_into_frames_and_no_more_are_kept_than_may_be() {
        let mut records = Records::default();
        let long = "x".repeat(crate::limits::ADDRESS_BYTES_MAX - 7);
        for node in 0..=RECORDS_MAX {
            let count = if node < 64 { ADDRESSES_PER_NODE_MAX + 1 } else { 1 };
            let addresses = (0..count).map(|_| format!("pipe://{long}").parse().unwrap());
            let life = NodeLife::new(key(node), Incarnation::from_u64(1));
            let record = Record::new(life, "é".repeat(200), addresses);
            assert_eq!(record.addresses.len(), 1, "as many as fit beside a name of 254 bytes");
            records.learn(record, NOW, nobody);
        }
        assert_eq!(records.len(), RECORDS_MAX);
        let told = portions(&records, u32::MAX);
        assert_eq!(told.iter().map(Vec::len).sum::<usize>(), RECORDS_MAX, "each once");
        for entries in told {
            let bytes = Frame::Records { entries, wanted: 0 }.encode();
            assert!(bytes.len() <= MEMBERSHIP_FRAME_BYTES_MAX, "{}", bytes.len());
        }
    }

    /// Of addresses only what all nodes know of can be compared.
    #[test]
    fn a_record_has_so_many_addresses_and_so_many_bytes_of_them() {
        let record = |bytes: usize| {
            let address = format!("pipe://{}", "x".repeat(bytes - 7));
            let addresses = (0..20).map(|_| address.parse().unwrap());
            Record::new(NodeLife::new(key(1), Incarnation::from_u64(1)), String::new(), addresses)
        };
        assert_eq!(record(MEMBERSHIP_RECORD_BYTES_MAX / ADDRESSES_PER_NODE_MAX).addresses.len(), 16);
        assert_eq!(record(MEMBERSHIP_RECORD_BYTES_MAX / 4).addresses.len(), 4);
        assert_eq!(record(MEMBERSHIP_RECORD_BYTES_MAX / 4 + 1).addresses.len(), 3);
    }

    #[test]
    fn who_is_here_displaces_the_stranger_who_was_told_of_first() {
        let mut records = Records::default();
        let is_here = |node: NodeId| node == key(0) || node == key(RECORDS_MAX + 1);
        for node in 0..RECORDS_MAX {
            let now = Duration::from_secs(if node == 77 { 1 } else { 2 });
            assert!(records.learn(of(node), now, is_here));
        }
        assert!(!records.learn(of(RECORDS_MAX), NOW, is_here), "another stranger has no place");
        assert!(records.learn(of(RECORDS_MAX + 1), NOW, is_here), "a member");
        assert_eq!((records.len(), records.get(key(77))), (RECORDS_MAX, None));
        assert!(records.learn_first_hand(of(RECORDS_MAX + 2), NOW, is_here));
        assert_eq!(records.len(), RECORDS_MAX);
        assert!(records.get(key(0)).is_some() && records.get(key(RECORDS_MAX + 1)).is_some());
        assert!(!records.learn_first_hand(of(RECORDS_MAX + 3), NOW, all), "all others are here");
    }

    #[test]
    fn strangers_are_forgotten_in_time_and_whoever_is_here_is_not() {
        let mut records = Records::default();
        records.learn(of(0), NOW, nobody);
        records.learn_first_hand(of(1), NOW, nobody);
        let is_here = |node: NodeId| node == key(1);
        records.forget_strangers(STRANGERS_KEPT - Duration::from_millis(1), is_here);
        assert_eq!(records.len(), 2);
        records.forget_strangers(STRANGERS_KEPT, is_here);
        assert_eq!((records.get(key(0)), records.get(key(1))), (None, Some(&of(1))));
        records.forget_strangers(2 * STRANGERS_KEPT - Duration::from_millis(1), nobody);
        assert_eq!(records.len(), 1, "it was here until then");
        records.forget_strangers(2 * STRANGERS_KEPT, nobody);
        assert_eq!(records.len(), 0);
    }
}
