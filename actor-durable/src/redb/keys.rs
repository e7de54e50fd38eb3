//! The layout of the file: tables, keys, and the small rows that point from one key to another.

use redb::TableDefinition;

use crate::id::{DurableId, MessageId, Name, Position, Sequence, WallTime};
use crate::store::{OutboxPosition, Refusal};

/// A table of rows: bytes to bytes.
pub(super) type RowTable = TableDefinition<'static, &'static [u8], &'static [u8]>;
/// A table of keys without values.
pub(super) type IndexTable = TableDefinition<'static, &'static [u8], ()>;

/// Facts about the file itself.
pub(super) const META: RowTable = TableDefinition::new("meta");
/// Everything that is stored of actors. The rows of an actor are adjacent.
pub(super) const ROWS: RowTable = TableDefinition::new("rows");
/// The reminders of all actors, the earliest first.
pub(super) const DUE: IndexTable = TableDefinition::new("due");
/// The actors that have something to do, by id.
pub(super) const BUSY: IndexTable = TableDefinition::new("busy");

/// In [`META`]: the version of what is described here.
pub(super) const FORMAT_KEY: &[u8] = b"format";
/// In [`META`]: the greatest epoch of all actors that were ever deleted.
pub(super) const FLOOR_KEY: &[u8] = b"floor";

/// The latest version of the tables and keys. Rows have a version of their own.
pub(super) const FORMAT: u32 = 1;

/// The kind of a row in [`ROWS`]. An actor's rows are in this order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub(super) enum Kind {
    /// A `Head`; its rest is empty.
    Head = 1,
    /// A `Snapshot`; its rest is empty.
    Snapshot = 2,
    /// An `Entry`; by sequence.
    Entry = 3,
    /// A `Letter`; by position.
    Letter = 4,
    /// A [`Place`]; by message.
    Place = 5,
    /// A [`Turn`], and the `Handled`; by message.
    Handled = 6,
    /// The id of a handled message; by [`Turn`].
    Order = 7,
    /// An `Outgoing`; by position in the outbox.
    Outgoing = 8,
    /// A `Reminder`; by name.
    Reminder = 9,
    /// A `Child`; by name.
    Child = 10,
    /// A `DeadLetter`; by message.
    DeadLetter = 11,
    /// An `Undelivered`; by position in the outbox.
    Undelivered = 12,
}

/// Ends an id. No id contains it, so that keys sort as ids do.
const END: u8 = 0;

/// Makes the keys of one actor's rows.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    prefix: Vec<u8>,
}

impl Keys {
    pub(super) fn of(actor: &DurableId) -> Self {
        let mut prefix = Vec::with_capacity(actor.as_str().len() + 32);
        prefix.extend_from_slice(actor.as_str().as_bytes());
        prefix.push(END);
        Self { prefix }
    }

    /// The key of a row of a kind.
    pub(super) fn row(&self, kind: Kind, rest: &[u8]) -> Vec<u8> {
        let mut key = self.prefix.clone();
        key.push(kind as u8);
        key.extend_from_slice(rest);
        key
    }

    pub(super) fn head(&self) -> Vec<u8> {
        self.row(Kind::Head, &[])
    }

    pub(super) fn snapshot(&self) -> Vec<u8> {
        self.row(Kind::Snapshot, &[])
    }

    pub(super) fn entry(&self, sequence: Sequence) -> Vec<u8> {
        self.row(Kind::Entry, &sequence.0.to_be_bytes())
    }

    pub(super) fn letter(&self, position: Position) -> Vec<u8> {
        self.row(Kind::Letter, &position.0.to_be_bytes())
    }

    pub(super) fn place(&self, message: MessageId) -> Vec<u8> {
        self.row(Kind::Place, &message.to_bytes())
    }

    pub(super) fn handled(&self, message: MessageId) -> Vec<u8> {
        self.row(Kind::Handled, &message.to_bytes())
    }

    pub(super) fn order(&self, turn: Turn) -> Vec<u8> {
        self.row(Kind::Order, &turn.to_bytes())
    }

    pub(super) fn outgoing(&self, position: OutboxPosition) -> Vec<u8> {
        let turn = Turn { sequence: position.sequence, index: position.index };
        self.row(Kind::Outgoing, &turn.to_bytes())
    }

    pub(super) fn undelivered(&self, position: OutboxPosition) -> Vec<u8> {
        let turn = Turn { sequence: position.sequence, index: position.index };
        self.row(Kind::Undelivered, &turn.to_bytes())
    }

    pub(super) fn reminder(&self, name: &Name) -> Vec<u8> {
        self.row(Kind::Reminder, name.as_str().as_bytes())
    }

    pub(super) fn child(&self, name: &Name) -> Vec<u8> {
        self.row(Kind::Child, name.as_str().as_bytes())
    }

    pub(super) fn dead_letter(&self, message: MessageId) -> Vec<u8> {
        self.row(Kind::DeadLetter, &message.to_bytes())
    }

    /// Before all rows of a kind, and before those of the next.
    pub(super) fn kind(&self, kind: Kind) -> [Vec<u8>; 2] {
        let mut end = self.row(kind, &[]);
        end[self.prefix.len()] += 1;
        [self.row(kind, &[]), end]
    }

    /// Before all rows of the actor, and before those of the next.
    pub(super) fn all(&self) -> [Vec<u8>; 2] {
        let mut end = self.prefix.clone();
        end[self.prefix.len() - 1] = END + 1;
        [self.prefix.clone(), end]
    }

    /// Before all rows of all actors with a later id.
    pub(super) fn after(&self) -> Vec<u8> {
        let [_, end] = self.all();
        end
    }

    /// In [`DUE`].
    pub(super) fn due(&self, due: WallTime, name: &Name) -> Vec<u8> {
        let mut key = due.as_millis().to_be_bytes().to_vec();
        key.extend_from_slice(&self.prefix);
        key.extend_from_slice(name.as_str().as_bytes());
        key
    }
}

/// The parts of a key in [`ROWS`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Parts<'k> {
    pub(super) actor: &'k str,
    pub(super) kind: u8,
    pub(super) rest: &'k [u8],
}

/// Takes a key apart.
///
/// # Errors
///
/// [`Refusal::Damaged`] if it is no such key.
pub(super) fn parts(key: &[u8]) -> Result<Parts<'_>, Refusal> {
    let parted = |end: usize| {
        let actor = std::str::from_utf8(&key[..end]).ok()?;
        let [kind, rest @ ..] = &key[end + 1..] else { return None };
        Some(Parts { actor, kind: *kind, rest })
    };
    key.iter().position(|byte| *byte == END).and_then(parted).ok_or_else(|| no_key(key))
}

/// The time, the actor and the name of a key in [`DUE`].
///
/// # Errors
///
/// [`Refusal::Damaged`] if it is no such key.
pub(super) fn due_parts(key: &[u8]) -> Result<(WallTime, DurableId, Name), Refusal> {
    let parted = || {
        let (due, rest) = key.split_first_chunk::<8>()?;
        let end = rest.iter().position(|byte| *byte == END)?;
        let actor = std::str::from_utf8(&rest[..end]).ok()?;
        let name = std::str::from_utf8(&rest[end + 1..]).ok()?;
        let due = WallTime::from_millis(u64::from_be_bytes(*due));
        Some((due, DurableId::new(actor).ok()?, Name::new(name).ok()?))
    };
    parted().ok_or_else(|| no_key(key))
}

/// Reads an id from a key.
///
/// # Errors
///
/// [`Refusal::Damaged`] if it is no such key.
pub(super) fn actor_id(text: &[u8]) -> Result<DurableId, Refusal> {
    let id = std::str::from_utf8(text).ok().and_then(|text| DurableId::new(text).ok());
    id.ok_or_else(|| no_key(text))
}

fn no_key(key: &[u8]) -> Refusal {
    damaged(key, "it is no key of a store")
}

/// Something is not as it was written.
pub(super) fn damaged(key: &[u8], detail: impl Into<String>) -> Refusal {
    Refusal::Damaged { what: key.escape_ascii().to_string(), detail: detail.into() }
}

/// When a message was handled: the last entry of the commit, and the message's place among those that the commit handled.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Turn {
    pub(super) sequence: Sequence,
    pub(super) index: u32,
}

impl Turn {
    pub(super) const BYTES: usize = 12;

    pub(super) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.sequence.0.to_be_bytes());
        bytes[8..].copy_from_slice(&self.index.to_be_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (sequence, index) = bytes.split_first_chunk::<8>()?;
        let sequence = Sequence(u64::from_be_bytes(*sequence));
        Some(Self { sequence, index: u32::from_be_bytes(index.try_into().ok()?) })
    }
}

/// Where a message is in the inbox, and how many attempts to handle it were begun.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub(super) position: Position,
    pub(super) attempts: u32,
}

impl Place {
    pub(super) fn to_bytes(self) -> [u8; 12] {
        Turn { sequence: Sequence(self.position.0), index: self.attempts }.to_bytes()
    }

    pub(super) fn from_bytes(bytes: [u8; 12]) -> Self {
        let [p0, p1, p2, p3, p4, p5, p6, p7, attempts @ ..] = bytes;
        let position = Position(u64::from_be_bytes([p0, p1, p2, p3, p4, p5, p6, p7]));
        Self { position, attempts: u32::from_be_bytes(attempts) }
    }
}

/// A small row: bytes of a known length, and the CRC-32 of its key and them.
pub(super) fn seal(key: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut row = bytes.to_vec();
    row.extend_from_slice(&sum(key, bytes).to_le_bytes());
    row
}

/// What [`seal`] was given.
///
/// # Errors
///
/// [`Refusal::Damaged`] if anything is not as it was written.
pub(super) fn unseal<const N: usize>(key: &[u8], row: &[u8]) -> Result<[u8; N], Refusal> {
    let (bytes, stored) =
        row.split_first_chunk::<N>().ok_or_else(|| damaged(key, format!("it has {} bytes", row.len())))?;
    if stored == sum(key, bytes).to_le_bytes() { Ok(*bytes) } else { Err(damaged(key, "its sum is wrong")) }
}

fn sum(key: &[u8], bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&(key.len() as u64).to_le_bytes());
    hasher.update(key);
    hasher.update(bytes);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(id: &str) -> Keys {
        Keys::of(&DurableId::new(id).expect("a good id"))
    }

    #[test]
    fn keys_sort_by_actor_then_kind_then_number() {
        let sorted = [
            keys("a").head(),
            keys("a").entry(Sequence(1)),
            keys("a").entry(Sequence(256)),
            keys("a").letter(Position(0)),
            keys("a b").head(),
            keys("aa").head(),
            keys("é").head(),
        ];
        assert!(sorted.is_sorted());
        for kind in [Kind::Head, Kind::Entry, Kind::DeadLetter] {
            let [start, end] = keys("a").kind(kind);
            assert!(keys("a").row(kind, &[0xff; 16]) < end && start <= keys("a").row(kind, &[]));
        }
        assert!(keys("a").after() > keys("a").row(Kind::DeadLetter, &[0xff; 16]));
        assert!(keys("a").after() < keys("a b").head());
    }

    #[test]
    fn a_key_is_taken_apart_as_it_was_made() {
        let key = keys("order-17").entry(Sequence(5));
        let expected = Parts { actor: "order-17", kind: Kind::Entry as u8, rest: &[0, 0, 0, 0, 0, 0, 0, 5] };
        assert_eq!(parts(&key), Ok(expected));
        let name = Name::new("abandoned").expect("a good name");
        let due = keys("order-17").due(WallTime::from_millis(7), &name);
        let id = DurableId::new("order-17").expect("a good id");
        assert_eq!(due_parts(&due), Ok((WallTime::from_millis(7), id, name)));
        assert!(
            parts(b"order-17").is_err() && parts(b"order-17\0").is_err() && due_parts(b"1234567").is_err()
        );
    }

    #[test]
    fn a_small_row_that_differs_in_a_bit_or_lies_elsewhere_is_damaged() {
        let place = Place { position: Position(3), attempts: 2 };
        let row = seal(b"key", &place.to_bytes());
        assert_eq!(unseal(b"key", &row).map(Place::from_bytes), Ok(place));
        assert!(unseal::<12>(b"other", &row).is_err());
        for bit in 0..row.len() * 8 {
            let mut row = row.clone();
            row[bit / 8] ^= 1 << (bit % 8);
            assert!(unseal::<12>(b"key", &row).is_err(), "bit {bit}");
        }
        assert!(unseal::<12>(b"key", &row[..11]).is_err() && unseal::<12>(b"key", &row[..15]).is_err());
    }

    #[test]
    fn a_row_is_no_row_of_another_key_whatever_both_begin_with() {
        let row = seal(b"ab", b"c");
        assert_eq!(unseal(b"ab", &row).ok(), Some(*b"c"));
        assert!(unseal::<1>(b"ax", &row).is_err());
        let longer = [b"b", row.as_slice()].concat();
        assert!(unseal::<2>(b"a", &longer).is_err());
    }
}
