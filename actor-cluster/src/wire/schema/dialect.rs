//! What this build and a peer's do not share of their types. Empty where they are alike.

use std::collections::BTreeMap;

use crate::wire::tag::{TypeTag, VariantTag};

/// What to leave out, in messages to and from a peer that was built with another version of a type.
///
/// Both sides compute it, each from its own schema and the other's, and leave out the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dialect {
    /// Only what differs: types of this build, by variant.
    variants: BTreeMap<(TypeTag, VariantTag), Common>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Common {
    /// The peer does not know the variant.
    Nothing,
    /// Of its fields the peer knows so many.
    Fields(usize),
}

impl Dialect {
    /// The variant that the fields of a struct are under.
    pub const STRUCT: VariantTag = VariantTag::named("");

    /// Whether nothing differs, so that nothing has to be left out.
    pub fn is_empty(&self) -> bool {
        self.variants.is_empty()
    }

    /// Whether the peer knows a variant.
    pub fn knows(&self, message: TypeTag, variant: VariantTag) -> bool {
        self.variants.get(&(message, variant)) != Some(&Common::Nothing)
    }

    /// Whether a field, counted from 0, is written and read.
    pub fn carries(&self, message: TypeTag, variant: VariantTag, field: usize) -> bool {
        match self.variants.get(&(message, variant)) {
            Some(Common::Fields(count)) => field < *count,
            Some(Common::Nothing) | None => true,
        }
    }

    pub(super) fn lacks(&mut self, message: TypeTag, variant: VariantTag) {
        self.variants.insert((message, variant), Common::Nothing);
    }

    pub(super) fn shares(&mut self, message: TypeTag, variant: VariantTag, fields: usize) {
        self.variants.insert((message, variant), Common::Fields(fields));
    }
}
