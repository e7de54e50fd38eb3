//! How values become bytes in a store: one encoding for all stores that keep bytes.
//!
//! ```text
//!  kind  format  sum of all else   value
//!   u8     u8      u32, LE         postcard
//! ```
//!
//! The sum is a CRC-32 of the row's key, kind, format and value, so a row that is under another row's key counts as damaged too.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::turn::Child;
use super::{DeadLetter, Entry, Handled, Head, Letter, Outgoing, Refusal, Reminder, Snapshot, Undelivered};

/// The version of the encoding. It changes when the fields of a value do.
const FORMAT: u8 = 1;

const HEADER_BYTES: usize = 6;

/// What a row holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum RowKind {
    /// A [`Head`].
    Head = 1,
    /// An [`Entry`].
    Entry = 2,
    /// A [`Snapshot`].
    Snapshot = 3,
    /// A [`Letter`].
    Letter = 4,
    /// A [`Handled`].
    Handled = 5,
    /// An [`Outgoing`].
    Outgoing = 6,
    /// A [`Reminder`].
    Reminder = 7,
    /// A [`Child`].
    Child = 8,
    /// A [`DeadLetter`].
    DeadLetter = 9,
    /// An [`Undelivered`].
    Undelivered = 10,
}

/// A value that is kept as a row.
pub trait Row: Serialize + DeserializeOwned {
    /// Which it is.
    const KIND: RowKind;
}

macro_rules! rows {
    ($($name:ident),*) => {
        $(impl Row for $name {
            const KIND: RowKind = RowKind::$name;
        })*
    };
}

rows!(Head, Entry, Snapshot, Letter, Handled, Outgoing, Reminder, Child, DeadLetter, Undelivered);

/// Encodes the row that is kept under a key.
///
/// # Panics
///
/// Never: these values can always be encoded.
pub fn encode_row<R: Row>(key: &[u8], value: &R) -> Vec<u8> {
    let header = vec![R::KIND as u8, FORMAT, 0, 0, 0, 0];
    let mut row =
        postcard::to_extend(value, header).expect("these values have a form, and memory does not fail");
    let sum = sum(key, &row);
    row[2..HEADER_BYTES].copy_from_slice(&sum.to_le_bytes());
    row
}

/// Decodes the row that was kept under a key.
///
/// # Errors
///
/// [`Refusal::Damaged`] if it is not what [`encode_row`] wrote for this key; [`Refusal::FutureVersion`] if a later release
/// wrote it.
pub fn decode_row<R: Row>(key: &[u8], row: &[u8]) -> Result<R, Refusal> {
    let damaged = |detail: String| Refusal::Damaged {
        what: format!("{:?} of {}", R::KIND, key.escape_ascii()),
        detail,
    };
    if row.len() < HEADER_BYTES {
        return Err(damaged(format!("it has {} bytes", row.len())));
    }
    if row[2..HEADER_BYTES] != sum(key, row).to_le_bytes() {
        return Err(damaged("its sum is wrong".into()));
    }
    if row[1] > FORMAT {
        let what = format!("{:?}", R::KIND);
        return Err(Refusal::FutureVersion { what, found: row[1].into(), known: FORMAT.into() });
    }
    if row[0] != R::KIND as u8 || row[1] == 0 {
        return Err(damaged(format!("it is of kind {} and format {}", row[0], row[1])));
    }
    match postcard::take_from_bytes(&row[HEADER_BYTES..]) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(damaged(format!("{} bytes are left over", rest.len()))),
        Err(error) => Err(damaged(error.to_string())),
    }
}

fn sum(key: &[u8], row: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&(key.len() as u64).to_le_bytes());
    hasher.update(key);
    hasher.update(&row[..2]);
    hasher.update(&row[HEADER_BYTES..]);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ActorType, DurableId, Epoch, Target, WallTime};

    fn head() -> Head {
        let target = Target {
            id: DurableId::new("order-17").expect("a good id"),
            actor_type: ActorType::new("order").expect("a good name"),
        };
        Head::new(target, Epoch::ZERO, WallTime::from_millis(5))
    }

    #[test]
    fn a_row_comes_back() {
        let row = encode_row(b"key", &head());
        assert_eq!(decode_row(b"key", &row), Ok(head()));
    }

    #[test]
    fn each_bit_that_flips_and_each_byte_that_is_missing_is_seen() {
        let row = encode_row(b"key", &head());
        for bit in 0..row.len() * 8 {
            let mut row = row.clone();
            row[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(decode_row::<Head>(b"key", &row), Err(Refusal::Damaged { .. })), "bit {bit}");
        }
        for end in 0..row.len() {
            assert!(
                matches!(decode_row::<Head>(b"key", &row[..end]), Err(Refusal::Damaged { .. })),
                "until {end}"
            );
        }
        assert!(decode_row::<Head>(b"another", &row).is_err());
        assert!(decode_row::<Reminder>(b"key", &row).is_err());
    }

    /// A sound row that says it has this format.
    fn of_format(format: u8) -> Vec<u8> {
        let mut row = encode_row(b"key", &head());
        row[1] = format;
        let sum = sum(b"key", &row).to_le_bytes();
        row[2..HEADER_BYTES].copy_from_slice(&sum);
        row
    }

    #[test]
    fn a_row_of_a_later_release_says_so_and_one_of_none_is_damaged() {
        let found = Refusal::FutureVersion { what: "Head".into(), found: 2, known: 1 };
        assert_eq!(decode_row::<Head>(b"key", &of_format(FORMAT + 1)), Err(found));
        assert_eq!(decode_row::<Head>(b"key", &of_format(FORMAT)), Ok(head()));
        let of_none = decode_row::<Head>(b"key", &of_format(0));
        assert!(matches!(of_none, Err(Refusal::Damaged { .. })), "{of_none:?}");
    }
}
