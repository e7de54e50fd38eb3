//! What is known of keys, by their 64-bit hash. It cannot be walked through, so that nothing
//! depends on an order: that is why a machine may hold one.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};

/// A map from hashes.
#[derive(Debug)]
pub(super) struct Keys<V> {
    map: HashMap<u64, V, BuildHasherDefault<AsItIs>>,
}

impl<V> Default for Keys<V> {
    fn default() -> Self {
        Self { map: HashMap::default() }
    }
}

impl<V> Keys<V> {
    pub(super) fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    pub(super) fn find(&mut self, key: u64) -> Option<&mut V> {
        self.map.get_mut(&key)
    }

    pub(super) fn remove(&mut self, key: u64) -> Option<V> {
        self.map.remove(&key)
    }

    /// What is known of a key; if nothing is, `make` says what.
    pub(super) fn find_or(&mut self, key: u64, make: impl FnOnce() -> V) -> &mut V {
        match self.map.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(make()),
        }
    }
}

/// A hash needs no hashing.
#[derive(Clone, Copy, Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
