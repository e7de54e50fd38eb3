//! Names and numbers of actors, their types, their messages and their turns. Plain values, checked when they are made.

mod wall_time;

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::limits::{DURABLE_ID_BYTES_MAX, NAME_BYTES_MAX};

pub use self::wall_time::WallTime;

/// Why a text cannot be a name, and what it should name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// It is empty.
    #[error("{what} is empty")]
    Empty {
        /// What it should name.
        what: &'static str,
    },
    /// It has more bytes than allowed.
    #[error("{what} has {bytes} bytes, and {max} are allowed; it begins with {start:?}")]
    TooLong {
        /// What it should name.
        what: &'static str,
        /// How it begins.
        start: String,
        /// How many it has.
        bytes: usize,
        /// How many are allowed.
        max: usize,
    },
    /// It has control characters.
    #[error("{what} has a control character: {text:?}")]
    Control {
        /// What it should name.
        what: &'static str,
        /// The text.
        text: String,
    },
}

/// How many characters of a name that is too long are said.
const START_CHARS: usize = 40;

fn checked(what: &'static str, text: &str, max: usize) -> Result<Arc<str>, BadName> {
    if text.is_empty() {
        return Err(BadName::Empty { what });
    }
    if text.len() > max {
        let start = text.chars().take(START_CHARS).collect();
        return Err(BadName::TooLong { what, start, bytes: text.len(), max });
    }
    if text.contains(char::is_control) {
        return Err(BadName::Control { what, text: text.to_owned() });
    }
    Ok(text.into())
}

/// What a [`Name`] is.
const NAME: &str = "the name of a reminder, a child, a question or an outlet";

macro_rules! name {
    ($(#[$docs:meta])* $name:ident, $what:expr, $max:expr) => {
        $(#[$docs])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks a text.
            ///
            /// # Errors
            ///
            /// It is empty, too long, or has control characters.
            pub fn new(text: impl AsRef<str>) -> Result<Self, BadName> {
                checked($what, text.as_ref(), $max).map(Self)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<&str> for $name {
            type Error = BadName;

            fn try_from(text: &str) -> Result<Self, BadName> {
                Self::new(text)
            }
        }

        impl FromStr for $name {
            type Err = BadName;

            fn from_str(text: &str) -> Result<Self, BadName> {
                Self::new(text)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                Self::new(text).map_err(serde::de::Error::custom)
            }
        }
    };
}

name! {
    /// Names one durable actor, such as `order-17`, in all processes that share a store. At most [`DURABLE_ID_BYTES_MAX`]
    /// bytes, without control characters.
    DurableId, "an actor's id", DURABLE_ID_BYTES_MAX
}

name! {
    /// Names a type of durable actors in stores, whatever the code calls it later. At most [`NAME_BYTES_MAX`] bytes, without
    /// control characters.
    ActorType, "the name of an actor's type", NAME_BYTES_MAX
}

name! {
    /// Names a reminder, a child, a question or an outlet. At most [`NAME_BYTES_MAX`] bytes, without control characters.
    Name, NAME, NAME_BYTES_MAX
}

/// A durable actor's id and type.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Target {
    /// Which actor.
    pub id: DurableId,
    /// Its type. No two actors in a store have the same id, not even of different types.
    pub actor_type: ActorType,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.actor_type, self.id)
    }
}

/// Identifies a message to an actor, so that it is handled once however often it is sent.
///
/// The sender chooses the id, and sends the same one again if it does not know what became of the first message. The upper 48
/// bits are the time when the id was made, in milliseconds; the lower 80 are random, or one more than in the id before it of the
/// same millisecond, or a hash of a key that the sender chooses.
///
/// The time lets an actor forget. It remembers the last [`REMEMBERED`](crate::Durable::REMEMBERED) messages that it has handled,
/// and refuses what was made before the youngest one it has forgotten, since it cannot know whether it has handled that.
// Aligned as two words are: one is in each command of a caller, and would make it longer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(transparent)]
#[repr(Rust, packed(8))]
pub struct MessageId(u128);

impl MessageId {
    const LOW_BITS: u32 = 80;
    const LOW: u128 = (1 << Self::LOW_BITS) - 1;

    /// An id made at `now`, of random bits. The upper 48 bits of `random` are ignored.
    pub const fn new(now: WallTime, random: u128) -> Self {
        Self((now.as_millis() as u128) << Self::LOW_BITS | random & Self::LOW)
    }

    /// The next greater one.
    pub(crate) const fn successor(self) -> Self {
        Self(self.0.wrapping_add(1))
    }

    /// The id for a key that the sender chooses. The same time and key give the same id in every process and release, so a
    /// sender that keeps both, say with an order, need not keep the id.
    ///
    /// Do not give one actor more ids of the same time than it [remembers](crate::Durable::REMEMBERED) messages, as an import could
    /// with the time of its file: once it forgets the first of them it cannot tell the others from those that it has forgotten.
    pub fn of_key(made: WallTime, key: &[u8]) -> Self {
        Self::hashed(made, &[key])
    }

    /// [`of_key`](Self::of_key) for a key in several parts. It matters where one ends and the next begins.
    pub fn hashed(made: WallTime, parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let mut low = [0; 16];
        low.copy_from_slice(&hash.finalize()[..16]);
        Self::new(made, u128::from_le_bytes(low))
    }

    /// When it was made, by its maker's clock.
    pub const fn made(self) -> WallTime {
        WallTime::from_millis((self.0 >> Self::LOW_BITS) as u64)
    }

    /// The id that [`to_bytes`](Self::to_bytes) made these bytes of.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }

    /// The bytes that stores keep. They compare as ids do.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

/// By hand, as what is packed cannot be borrowed.
impl Serialize for MessageId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u128(self.0)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", { self.0 })
    }
}

/// Takes back what [`Display`](fmt::Display) gave, such as the id in the text of [`AskError::Unknown`](crate::AskError::Unknown).
impl FromStr for MessageId {
    type Err = BadMessageId;

    fn from_str(text: &str) -> Result<Self, BadMessageId> {
        if text.len() != 32 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(BadMessageId);
        }
        u128::from_str_radix(text, 16).map(Self).map_err(|_| BadMessageId)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId({self})")
    }
}

/// A text is not what a [`MessageId`] is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the id of a message is 32 hexadecimal digits")]
pub struct BadMessageId;

/// Identifies one run of a process as an owner of actors. It holds a lease while the process lives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OwnerId(u128);

impl OwnerId {
    /// An owner of a random number, which no owner had before.
    pub const fn new(random: u128) -> Self {
        Self(random)
    }

    /// The bytes that stores keep.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The id that [`to_bytes`](Self::to_bytes) made these bytes of.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }
}

impl fmt::Display for OwnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for OwnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnerId({self})")
    }
}

macro_rules! number {
    ($(#[$docs:meta])* $name:ident) => {
        $(#[$docs])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// Before the first.
            pub const ZERO: Self = Self(0);

            /// The next one.
            ///
            /// # Panics
            ///
            /// At `u64::MAX`.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.checked_add(1).expect("nobody counts that far"))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

number! {
    /// How many times an actor has been acquired. Stores compare it on each commit, so that a former owner, however late,
    /// changes nothing.
    Epoch
}

number! {
    /// The number of an entry in an actor's journal. The first is 1, and there are no gaps.
    Sequence
}

number! {
    /// The place of a message in an actor's inbox. Later messages have greater ones; there may be gaps.
    Position
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_was_written() {
        let id = MessageId::new(WallTime::from_millis(17), 4);
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "17", "+0000000011000000000000000000004", &format!("{id}0"), &"é".repeat(16)] {
            assert_eq!(bad.parse::<MessageId>(), Err(BadMessageId), "{bad}");
        }
        assert_eq!("a".parse(), DurableId::new("a"));
        assert_eq!("".parse::<Name>().map_err(|error| error.to_string()), Err(format!("{NAME} is empty")));
    }

    #[test]
    fn names_are_checked_when_they_are_made_and_when_they_are_read() {
        let long = "x".repeat(DURABLE_ID_BYTES_MAX + 1);
        let said = |text: &str| DurableId::new(text).expect_err("it is bad").to_string();
        assert_eq!(said(""), "an actor's id is empty");
        assert_eq!(said("a\nb"), "an actor's id has a control character: \"a\\nb\"");
        let start = "x".repeat(40);
        assert_eq!(
            said(&long),
            format!("an actor's id has 201 bytes, and 200 are allowed; it begins with \"{start}\"")
        );
        let said = ActorType::new(&long).expect_err("it is bad").to_string();
        assert!(said.starts_with("the name of an actor's type has 201 bytes, and 100 are allowed"), "{said}");
        let said = Name::new("ä".repeat(60)).expect_err("it is bad").to_string();
        assert!(said.ends_with(&format!("begins with \"{}\"", "ä".repeat(40))), "{said}");
        let bytes = postcard::to_stdvec(&long).expect("it is text");
        assert!(postcard::from_bytes::<DurableId>(&bytes).is_err());
        let id = DurableId::new(&long[1..]).expect("it is short enough");
        let bytes = postcard::to_stdvec(&id).expect("it is text");
        assert_eq!(postcard::from_bytes(&bytes), Ok(id));
    }

    #[test]
    fn a_message_id_says_when_it_was_made_and_sorts_by_it() {
        let id = MessageId::new(WallTime::from_millis(5), u128::MAX);
        assert_eq!(id.made(), WallTime::from_millis(5));
        assert!(id < MessageId::new(WallTime::from_millis(6), 0));
        assert!(id.to_bytes() < MessageId::new(WallTime::from_millis(6), 0).to_bytes());
        assert_eq!(MessageId::from_bytes(id.to_bytes()), id);
    }

    #[test]
    fn a_key_gives_the_same_id_for_ever() {
        let id = MessageId::of_key(WallTime::from_millis(1), b"payment-17");
        // The first ten bytes of the SHA-256 of the length and the key, the last first.
        assert_eq!(id.to_string(), "000000000001ea8fb11d48c323727b7b");
        assert_ne!(
            MessageId::hashed(WallTime::ZERO, &[b"ab", b"c"]),
            MessageId::hashed(WallTime::ZERO, &[b"a", b"bc"])
        );
    }
}
