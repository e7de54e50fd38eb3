//! Names and numbers: of actors, their types, their messages and their turns. Plain values, checked when they are made.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};

use crate::limits::{DURABLE_ID_BYTES_MAX, NAME_BYTES_MAX};

/// What cannot be a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// It has no characters.
    #[error("a name is not empty")]
    Empty,
    /// It has more bytes than allowed.
    #[error("a name of {bytes} bytes; at most {max} are allowed")]
    TooLong {
        /// So many it has.
        bytes: usize,
        /// So many it may have.
        max: usize,
    },
    /// It has control characters.
    #[error("a name has no control characters")]
    Control,
}

fn checked(text: &str, max: usize) -> Result<Arc<str>, BadName> {
    if text.is_empty() {
        return Err(BadName::Empty);
    }
    if text.len() > max {
        return Err(BadName::TooLong { bytes: text.len(), max });
    }
    if text.contains(char::is_control) {
        return Err(BadName::Control);
    }
    Ok(text.into())
}

macro_rules! name {
    ($(#[$docs:meta])* $name:ident, $max:expr) => {
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
                checked(text.as_ref(), $max).map(Self)
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
    /// Names one durable actor, for ever and in all processes that share a store: `order-17`. At most
    /// [`DURABLE_ID_BYTES_MAX`] bytes.
    DurableId, DURABLE_ID_BYTES_MAX
}

name! {
    /// Names a type of durable actors as stores know it, whatever the code calls it later. At most [`NAME_BYTES_MAX`] bytes.
    ActorType, NAME_BYTES_MAX
}

name! {
    /// Names what belongs to one actor: a reminder, a child, an outlet. At most [`NAME_BYTES_MAX`] bytes.
    Name, NAME_BYTES_MAX
}

/// A durable actor and what it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Target {
    /// Which actor.
    pub id: DurableId,
    /// Of which type: another type's actor of the same id is an error.
    pub actor_type: ActorType,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.actor_type, self.id)
    }
}

/// A moment of the wall clock, in milliseconds since 1970. It is for people, for reminders and for leases: clocks differ
/// and step back, so no order of messages or turns depends on it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WallTime(u64);

impl WallTime {
    /// The beginning of 1970.
    pub const ZERO: WallTime = WallTime(0);
    /// No moment is later.
    pub const MAX: WallTime = WallTime(u64::MAX);

    /// So many milliseconds after the beginning of 1970.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// What [`Executor::unix_time`](actor_core::Executor::unix_time) tells.
    pub fn from_unix(since: Duration) -> Self {
        Self(millis(since))
    }

    /// Milliseconds since the beginning of 1970.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The moment so much later; saturates.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(millis(time)))
    }

    /// The time since an earlier moment; zero if it is not earlier.
    pub fn since(self, earlier: WallTime) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Debug for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

/// Names one message to one actor, so that it is handled once however often it is sent.
///
/// The sender chooses it, and sends the same again if it does not know what became of the first. The upper 48 bits are the
/// time when it was made, in milliseconds; the lower 80 are random, or follow the last one that a process made in the same
/// millisecond, or are a hash of what the sender calls the message. The time
/// is what lets an actor forget: of the messages it has handled it remembers the last so many, and refuses those that were
/// made before the youngest it has forgotten, as it cannot know whether it has handled them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(u128);

impl MessageId {
    const LOW_BITS: u32 = 80;
    const LOW: u128 = (1 << Self::LOW_BITS) - 1;

    /// An id made now, of random bits.
    pub const fn new(now: WallTime, random: u128) -> Self {
        Self((now.as_millis() as u128) << Self::LOW_BITS | random & Self::LOW)
    }

    /// The next greater one.
    pub(crate) const fn successor(self) -> Self {
        Self(self.0.wrapping_add(1))
    }

    /// The id of what a sender calls `key`. The same time and key give the same id, in every process and release, so a
    /// sender that keeps both with its order needs to keep no id.
    pub fn of_key(made: WallTime, key: &[u8]) -> Self {
        Self::hashed(made, &[key])
    }

    /// As [`of_key`](Self::of_key), of several parts; where one ends and the next begins matters.
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

    /// When it was made, by the clock of whoever made it.
    pub const fn made(self) -> WallTime {
        WallTime((self.0 >> Self::LOW_BITS) as u64)
    }

    /// Takes back what [`to_bytes`](Self::to_bytes) gave.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }

    /// As stores keep it; bytes compare as ids do.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId({self})")
    }
}

/// One process's life as an owner of actors: it holds a lease while it lives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OwnerId(u128);

impl OwnerId {
    /// An owner that nobody was before: the number is random.
    pub const fn new(random: u128) -> Self {
        Self(random)
    }

    /// As stores keep it.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// Takes back what [`to_bytes`](Self::to_bytes) gave.
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
            /// After 2⁶⁴ of them.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.checked_add(1).expect("nobody counts so far"))
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
    /// How many times an actor was taken into possession. Stores compare it on each commit, so that a former owner, however
    /// late, changes nothing.
    Epoch
}

number! {
    /// The number of an entry in an actor's journal: 1 is the first, none is left out.
    Sequence
}

number! {
    /// Where a message lies in an actor's inbox: a later one is greater. Some numbers may be left out.
    Position
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_when_they_are_made_and_when_they_are_read() {
        assert_eq!(DurableId::new(""), Err(BadName::Empty));
        assert_eq!(DurableId::new("a\nb"), Err(BadName::Control));
        let long = "x".repeat(DURABLE_ID_BYTES_MAX + 1);
        assert_eq!(DurableId::new(&long), Err(BadName::TooLong { bytes: 201, max: 200 }));
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
