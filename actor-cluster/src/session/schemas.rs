//! What the two sides have told each other of their message types, and what follows. A type is compared
//! once in a session: the first time that it is looked up, sent, or comes in.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::limits::{SCHEMA_BYTES_MAX, SCHEMAS_BYTES_MAX, SCHEMAS_MAX};
use crate::wire::TypeTag;
use crate::wire::control::SchemaSaid;
use crate::wire::schema::{Dialect, Difference, Fingerprint, Mismatch, Schema, parse};

/// Both sides' schemas.
#[derive(Debug, Default)]
pub(super) struct Schemas {
    said: Said,
    heard: Said,
    theirs: BTreeMap<TypeTag, Theirs>,
    /// By this side's schema too: two types of a program may share a tag by mistake.
    verdicts: BTreeMap<(TypeTag, Fingerprint), Verdict>,
    /// Those that leave something out. Usually there are none, and nothing to look up.
    dialects: BTreeMap<TypeTag, Arc<Dialect>>,
}

/// What the peer has said of one of its types.
#[derive(Debug)]
struct Theirs {
    fingerprint: Fingerprint,
    /// Empty if it is too long.
    text: String,
}

/// What this side and the peer have in common of a message type.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// The peer has not said what it knows.
    Unsaid,
    /// Everything.
    Same,
    /// All but what the dialect leaves out, on this side and on the other.
    Common(Option<Arc<Dialect>>),
    /// Too little.
    Incompatible(Arc<Mismatch>),
}

/// More schemas than a peer may say.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMany;

/// How much one side has said.
#[derive(Debug, Default)]
struct Said {
    /// Those that were said, and whether with their text.
    types: BTreeMap<TypeTag, bool>,
    bytes: usize,
}

impl Said {
    /// Counts a type, unless there are too many.
    fn takes_type(&mut self, message: TypeTag) -> bool {
        if self.types.len() >= SCHEMAS_MAX && !self.types.contains_key(&message) {
            return false;
        }
        self.types.entry(message).or_insert(false);
        true
    }

    /// Counts a type's text, unless there is too much.
    fn takes_text(&mut self, message: TypeTag, bytes: usize) -> bool {
        if bytes > SCHEMA_BYTES_MAX || self.bytes + bytes > SCHEMAS_BYTES_MAX {
            return false;
        }
        self.bytes += bytes;
        self.types.insert(message, true);
        true
    }
}

impl Schemas {
    /// What to tell the peer of a type of this side's: once, and as much as it takes.
    pub(super) fn say(&mut self, message: TypeTag, schema: &Schema) -> Option<SchemaSaid> {
        if self.said.types.contains_key(&message) || !self.said.takes_type(message) {
            return None;
        }
        let is_told = self.said.takes_text(message, schema.as_str().len());
        Some(SchemaSaid {
            message: message.as_u64(),
            fingerprint: schema.fingerprint().as_u64(),
            text: if is_told { schema.as_str().to_owned() } else { String::new() },
        })
    }

    /// Whether the peer takes the text of a type of this side's.
    pub(super) fn spell(&mut self, message: TypeTag, schema: &Schema) -> bool {
        self.said.types.get(&message) == Some(&true)
            || (self.said.takes_type(message) && self.said.takes_text(message, schema.as_str().len()))
    }

    /// Takes note of what the peer says of a type of its. What it says first counts. Whether it is
    /// news.
    pub(super) fn hear(
        &mut self,
        message: TypeTag,
        fingerprint: Fingerprint,
        text: &str,
    ) -> Result<bool, TooMany> {
        if let Some(known) = self.theirs.get(&message) {
            if known.fingerprint != fingerprint || !known.text.is_empty() || text.is_empty() {
                return Ok(false);
            }
            // It was refused, as it had not said more.
            self.verdicts.retain(|(judged, _), _| *judged != message);
        }
        if !self.heard.takes_type(message) || !self.heard.takes_text(message, text.len()) {
            return Err(TooMany);
        }
        self.theirs.insert(message, Theirs { fingerprint, text: text.to_owned() });
        Ok(true)
    }

    /// What both have in common of a type.
    pub(super) fn agree(&mut self, message: TypeTag, ours: &Schema) -> Verdict {
        let Some(theirs) = self.theirs.get(&message) else { return Verdict::Unsaid };
        let key = (message, ours.fingerprint());
        if let Some(verdict) = self.verdicts.get(&key) {
            return verdict.clone();
        }
        let verdict = judge(ours, theirs);
        if let Verdict::Common(Some(dialect)) = &verdict {
            self.dialects.insert(message, dialect.clone());
        }
        self.verdicts.insert(key, verdict.clone());
        verdict
    }

    /// What messages of a type to the peer leave out, once it was agreed.
    #[inline]
    pub(super) fn dialect(&self, message: TypeTag) -> Option<Arc<Dialect>> {
        if self.dialects.is_empty() { None } else { self.dialects.get(&message).cloned() }
    }
}

fn judge(ours: &Schema, theirs: &Theirs) -> Verdict {
    if ours.fingerprint() == theirs.fingerprint {
        return Verdict::Same;
    }
    let refused = |difference| Verdict::Incompatible(Arc::new(Mismatch::of_type(ours.name(), difference)));
    // Of what is too long to be told the other side cannot know what to leave out.
    if theirs.text.is_empty() || ours.as_str().len() > SCHEMA_BYTES_MAX {
        return refused(Difference::Unsaid);
    }
    let parsed = match parse(&theirs.text) {
        Ok(parsed) => parsed,
        Err(error) => return refused(Difference::Unreadable(error.to_string())),
    };
    match ours.compare(&parsed) {
        Ok(dialect) => Verdict::Common((!dialect.is_empty()).then(|| Arc::new(dialect))),
        Err(mismatch) => Verdict::Incompatible(mismatch.into()),
    }
}
