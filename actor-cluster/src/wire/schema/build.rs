//! Schemas of this build's own types, made by what the derives emit.

use std::any::type_name;
use std::collections::{BTreeMap, BTreeSet};

use super::{Definition, Field, Form, Kind, Variant, second};
use crate::wire::tag::TypeTag;

/// The named types of a schema that is being made.
#[derive(Debug, Default)]
pub struct Types {
    definitions: BTreeMap<String, Definition>,
    tags: BTreeMap<String, TypeTag>,
    /// What has been begun, by its name on the wire and in the program. A type that contains itself
    /// is described once.
    begun: BTreeSet<(String, &'static str)>,
}

impl Types {
    /// Describes a named type, unless it has been already, and gives its form back. `T` is that type, and
    /// `tag` what its encoder calls it.
    pub fn define<T: ?Sized>(
        &mut self,
        tag: TypeTag,
        kind: Kind,
        form: Form,
        describe: impl FnOnce(&mut Self, &mut Described),
    ) -> Form {
        let key = form.to_string();
        if !self.begun.insert((key.clone(), type_name::<T>())) {
            return form;
        }
        let mut described = Described::default();
        if kind == Kind::Struct {
            described.variant("");
        }
        describe(self, &mut described);
        self.insert(key, tag, Definition { kind, variants: described.variants });
        form
    }

    /// Two types may share a name if they are alike.
    fn insert(&mut self, key: String, tag: TypeTag, definition: Definition) {
        match self.definitions.get(&key) {
            Some(first) if *first == definition => {}
            Some(_) => {
                self.definitions.insert(second(&key), definition);
            }
            None => {
                self.definitions.insert(key.clone(), definition);
                self.tags.insert(key, tag);
            }
        }
    }

    pub(super) fn finish(self) -> (BTreeMap<String, Definition>, BTreeMap<String, TypeTag>) {
        (self.definitions, self.tags)
    }
}

/// A named type that is being described.
#[derive(Debug, Default)]
pub struct Described {
    variants: BTreeMap<String, Variant>,
    last: String,
}

impl Described {
    /// Begins a variant: the fields that follow are its.
    pub fn variant(&mut self, name: &str) {
        name.clone_into(&mut self.last);
        self.variants.insert(name.to_owned(), Variant::default());
    }

    /// Says what the variant, a call, is answered with.
    pub fn answer(&mut self, form: Form) {
        self.current().answer = Some(form);
    }

    /// Adds a field that is always sent.
    pub fn field(&mut self, name: &str, form: Form) {
        self.current().fields.push(Field { name: name.to_owned(), form, has_default: false });
    }

    /// Adds a field that builds which do not know it do without.
    pub fn defaulted(&mut self, name: &str, form: Form) {
        self.current().fields.push(Field { name: name.to_owned(), form, has_default: true });
    }

    fn current(&mut self) -> &mut Variant {
        self.variants.entry(self.last.clone()).or_default()
    }
}
