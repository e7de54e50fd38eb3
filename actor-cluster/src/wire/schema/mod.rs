//! What a type looks like on the wire, as plain data: so that two builds of a program can compare
//! theirs before a message is sent.
//!
//! ```text
//!  derives ── build ──► Schema ── text ──► a line for each field: schema.lock, the peer
//!                          │                                          │ text
//!                          └────────────── compare ◄──────────────────┘
//!                                            │
//!                                 Dialect, or the Mismatch
//! ```
//!
//! Lives here: the model. Must not live here: sessions, which exchange schemas, and files.

mod build;
mod compare;
mod dialect;
mod form;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeMap;
use std::fmt;

pub use self::build::{Described, Types};
pub(crate) use self::compare::compare_all;
pub use self::compare::{Difference, Mismatch};
pub use self::dialect::Dialect;
pub use self::form::Form;
pub use self::text::Unreadable;
pub(crate) use self::text::{parse, parse_definitions, write_definition};
use super::payload::RemoteMessage;
use super::tag::{TypeTag, VariantTag, fnv1a_of};
use crate::contain::contained;

/// The schema of one message type and of all the types in it.
///
/// [`Display`](fmt::Display) writes it with a line for each field; `docs/PROTOCOL.md` §4.5 has the grammar.
#[derive(Clone, Debug)]
pub struct Schema {
    root: Form,
    definitions: BTreeMap<String, Definition>,
    /// Of this build's own types, how the codec calls them.
    tags: BTreeMap<String, TypeTag>,
    text: String,
    fingerprint: Fingerprint,
}

impl Schema {
    /// The schema of a message type. It takes some microseconds; keep it.
    pub fn of<M: RemoteMessage>() -> Self {
        let described = contained("the description of a type", || {
            let mut types = Types::default();
            let root = M::describe(&mut types);
            (root, types)
        });
        let (root, types) = described.unwrap_or_else(|| (Form::opaque(M::TYPE), Types::default()));
        let (definitions, tags) = types.finish();
        Self::new(root, definitions, tags)
    }

    /// A message of those that a lock file has.
    pub(crate) fn of_lock(root: Form, definitions: BTreeMap<String, Definition>) -> Self {
        Self::new(root, definitions, BTreeMap::new())
    }

    fn new(root: Form, definitions: BTreeMap<String, Definition>, tags: BTreeMap<String, TypeTag>) -> Self {
        let text = text::write(&root, &definitions);
        let fingerprint = Fingerprint(fnv1a_of(text.as_bytes()));
        Self { root, definitions, tags, text, fingerprint }
    }

    /// What the message type is called.
    pub fn name(&self) -> String {
        self.root.to_string()
    }

    /// A hash of the text. Equal ones mean equal schemas.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The text: what a peer is told.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What this build and another have in common.
    ///
    /// # Errors
    ///
    /// The first field that keeps them apart.
    pub fn compare(&self, other: &Schema) -> Result<Dialect, Box<Mismatch>> {
        let (dialect, found) = compare_all(self, other);
        found.into_iter().next().map_or(Ok(dialect), |first| Err(Box::new(first)))
    }

    /// The name of a variant of the message.
    pub(crate) fn variant(&self, tag: VariantTag) -> Option<&str> {
        let root = self.definitions.get(&self.root.to_string())?;
        root.variants.keys().map(String::as_str).find(|name| VariantTag::named(name) == tag)
    }

    pub(crate) fn definitions(&self) -> &BTreeMap<String, Definition> {
        &self.definitions
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The 64-bit FNV-1a hash of a schema's text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// Takes back what [`as_u64`](Self::as_u64) gave.
    pub const fn from_u64(bits: u64) -> Self {
        Self(bits)
    }

    /// The number that crosses the wire.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// What a named type is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// What an actor can be asked.
    Message,
    /// A value of one variant of several.
    Enum,
    /// A value with fields.
    Struct,
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::Message, Kind::Enum, Kind::Struct];

    /// The word in the text.
    fn word(self) -> &'static str {
        match self {
            Kind::Message => "message",
            Kind::Enum => "enum",
            Kind::Struct => "struct",
        }
    }
}

/// A named type. A struct has one variant, without a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Definition {
    pub(crate) kind: Kind,
    pub(crate) variants: BTreeMap<String, Variant>,
}

/// What is sent together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Variant {
    /// What a call is answered with.
    pub(crate) answer: Option<Form>,
    pub(crate) fields: Vec<Field>,
}

/// One field, known by its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) form: Form,
    /// Whether a build that does not know it can do without.
    pub(crate) has_default: bool,
}

/// Whether a key is one of [`second`]'s.
pub(crate) fn is_second(key: &str) -> bool {
    key.starts_with("again<")
}

/// Where the second type of a name is kept. There should be none.
fn second(key: &str) -> String {
    format!("again<{key}>")
}
