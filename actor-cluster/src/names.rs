//! What the other nodes publish: names and groups, by node. A plain value; the
//! control plane in `node/` keeps one up to date.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::NodeId;
use crate::wire::TypeTag;
use crate::wire::control::Publication;

/// How an actor is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LabelKind {
    /// One actor of a node holds it.
    Name,
    /// Any number of actors share it.
    Group,
}

impl LabelKind {
    pub(crate) fn of(publication: &Publication) -> Self {
        if publication.kind == 0 { LabelKind::Name } else { LabelKind::Group }
    }

    pub(crate) fn code(self) -> u32 {
        match self {
            LabelKind::Name => 0,
            LabelKind::Group => 1,
        }
    }
}

/// A published actor of another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) node: NodeId,
    pub(crate) actor: u64,
    pub(crate) message: TypeTag,
}

/// Everything that peers publish.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    /// Sorted by node, then by actor: every node that knows the same publications
    /// finds them in the same order.
    entries: BTreeMap<(LabelKind, String), BTreeSet<Entry>>,
}

impl Directory {
    pub(crate) fn insert(&mut self, node: NodeId, publications: &[Publication]) {
        for publication in publications {
            let key = (LabelKind::of(publication), publication.label.clone());
            self.entries.entry(key).or_default().insert(entry(node, publication));
        }
    }

    pub(crate) fn remove(&mut self, node: NodeId, publications: &[Publication]) {
        for publication in publications {
            let key = (LabelKind::of(publication), publication.label.clone());
            if let Some(entries) = self.entries.get_mut(&key) {
                entries.remove(&entry(node, publication));
                if entries.is_empty() {
                    self.entries.remove(&key);
                }
            }
        }
    }

    pub(crate) fn remove_node(&mut self, node: NodeId) {
        self.entries.retain(|_, entries| {
            entries.retain(|entry| entry.node != node);
            !entries.is_empty()
        });
    }

    pub(crate) fn lookup(&self, kind: LabelKind, label: &str) -> Vec<Entry> {
        let key = (kind, label.to_owned());
        self.entries.get(&key).map_or_else(Vec::new, |entries| entries.iter().copied().collect())
    }
}

fn entry(node: NodeId, publication: &Publication) -> Entry {
    Entry { node, actor: publication.actor, message: TypeTag::from_u64(publication.message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publication(kind: LabelKind, label: &str, actor: u64) -> Publication {
        Publication { actor, message: 7, kind: kind.code(), label: label.to_owned() }
    }

    fn found(directory: &Directory, kind: LabelKind, label: &str) -> Vec<(u8, u64)> {
        let entries = directory.lookup(kind, label);
        entries.iter().map(|entry| (entry.node.as_bytes()[0], entry.actor)).collect()
    }

    #[test]
    fn names_and_groups_are_apart_and_sorted() {
        let [one, two] = [NodeId::from_bytes([1; 32]), NodeId::from_bytes([2; 32])];
        let mut directory = Directory::default();
        directory.insert(two, &[publication(LabelKind::Group, "a", 5), publication(LabelKind::Name, "a", 6)]);
        directory
            .insert(one, &[publication(LabelKind::Group, "a", 9), publication(LabelKind::Group, "a", 8)]);
        assert_eq!(found(&directory, LabelKind::Group, "a"), [(1, 8), (1, 9), (2, 5)]);
        assert_eq!(found(&directory, LabelKind::Name, "a"), [(2, 6)]);
        directory.remove(one, &[publication(LabelKind::Group, "a", 8)]);
        assert_eq!(found(&directory, LabelKind::Group, "a"), [(1, 9), (2, 5)]);
        directory.remove_node(two);
        assert_eq!(found(&directory, LabelKind::Group, "a"), [(1, 9)]);
        assert_eq!(found(&directory, LabelKind::Name, "a"), []);
        directory.remove_node(one);
        assert!(directory.entries.is_empty());
    }
}
