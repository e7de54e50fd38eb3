//! Members that should not be two: with one name, or at one address, or with one key.
//!
//! They are told and nothing else: names are for people, and whoever answers at an address must prove who it is. Of two lives of one key
//! the later is the member.

use std::collections::{BTreeMap, BTreeSet};

use super::events::Clash;
use super::sync::Record;
use crate::id::NodeId;
use crate::limits::CLASHES_KEPT_MAX;
use crate::transport::Address;

#[derive(Debug, Default)]
pub(crate) struct Conflicts {
    told: BTreeSet<Clash>,
}

impl Conflicts {
    /// What is new about the records of those who are here.
    pub(crate) fn look<'a>(&mut self, records: impl Iterator<Item = &'a Record>) -> Vec<Clash> {
        let mut names: BTreeMap<&str, NodeId> = BTreeMap::new();
        let mut places: BTreeMap<&Address, NodeId> = BTreeMap::new();
        let mut clashes = Vec::new();
        for record in records {
            let node = record.life.node;
            if let Some(first) = names.insert(&record.name, node).filter(|first| *first != node) {
                clashes.push(Clash::Name { name: record.name.clone(), nodes: (first, node) });
            }
            for address in &record.addresses {
                if let Some(first) = places.insert(address, node).filter(|first| *first != node) {
                    clashes.push(Clash::Address { address: address.clone(), nodes: (first, node) });
                }
            }
        }
        clashes.retain(|clash| self.is_news(clash));
        clashes
    }

    /// Whether this was not told yet. Once so many are known, no more are told.
    pub(crate) fn is_news(&mut self, clash: &Clash) -> bool {
        self.told.len() < CLASHES_KEPT_MAX && self.told.insert(clash.clone())
    }

    /// A node has gone: what it comes back to is told again.
    pub(crate) fn forget(&mut self, node: NodeId) {
        self.told.retain(|clash| !clash.is_of(node));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Incarnation, NodeLife};

    fn record(node: u8, name: &str, address: &str) -> Record {
        let life = NodeLife::new(NodeId::from_bytes([node; 32]), Incarnation::from_u64(1));
        Record::new(life, name.to_owned(), [address.parse().unwrap()])
    }

    #[test]
    fn two_with_one_name_or_one_address_are_told_once() {
        let [a, b, c] = [record(1, "a", "pipe://a"), record(2, "a", "pipe://b"), record(3, "c", "pipe://b")];
        let mut conflicts = Conflicts::default();
        assert_eq!(conflicts.look([&a].into_iter()), []);
        let nodes = |first: &Record, second: &Record| (first.life.node, second.life.node);
        let name = Clash::Name { name: "a".to_owned(), nodes: nodes(&a, &b) };
        let address = Clash::Address { address: "pipe://b".parse().unwrap(), nodes: nodes(&b, &c) };
        assert_eq!(conflicts.look([&a, &b, &c].into_iter()), [name.clone(), address]);
        assert_eq!(conflicts.look([&a, &b, &c].into_iter()), []);
        conflicts.forget(a.life.node);
        assert_eq!(conflicts.look([&a, &b, &c].into_iter()), [name]);
    }
}
