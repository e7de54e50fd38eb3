//! Whether two builds understand each other.
//!
//! | of a variant that both know | |
//! |---|---|
//! | fields at the same place | have the same name and form |
//! | fields that one of them has behind the other's last | have a default, and are left out |
//! | what it is answered with | is the same |
//!
//! A variant that one of them does not know is refused when it is sent. The types in fields and
//! answers are compared alike, as far as both can come across them.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;

use super::text::Name;
use super::{Definition, Dialect, Field, Form, Kind, Schema, Variant, second};
use crate::wire::tag::VariantTag;

/// Why two builds of a message type do not understand each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    pub(crate) place: Place,
    /// What differs.
    pub difference: Difference,
}

/// Where in a type something is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) type_name: String,
    pub(crate) variant: Option<String>,
    pub(crate) field: Option<String>,
}

/// What differs between this build, *here*, and the other, *there*.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// The field has another form.
    Form {
        /// This build's.
        here: String,
        /// The other's.
        there: String,
    },
    /// Another field has this place: it was renamed, or fields were reordered or removed.
    Field {
        /// Its name in the other build.
        there: String,
    },
    /// The other build does not have the field, and this one has no default for it.
    UnknownThere,
    /// This build does not have the field, and the other one has no default for it.
    UnknownHere,
    /// A call is answered with something else. `None` for a cast.
    Answer {
        /// This build's.
        here: Option<String>,
        /// The other's.
        there: Option<String>,
    },
    /// A struct became an enum, or the like.
    Kind {
        /// This build's.
        here: Kind,
        /// The other's.
        there: Kind,
    },
    /// A message type is another one, in spite of its tag.
    Root {
        /// The other build's.
        there: String,
    },
    /// Two types are called alike, so nobody can tell which one is meant.
    Ambiguous,
    /// The other build's schema cannot be read.
    Unreadable(
        /// Why.
        String,
    ),
    /// The other build's type is not this one, and it has not said more.
    Unsaid,
}

impl Mismatch {
    /// A difference of whole types.
    pub(crate) fn of_type(type_name: String, difference: Difference) -> Self {
        Self { place: Place { type_name, ..Place::default() }, difference }
    }

    /// The type in which the difference is.
    pub fn type_name(&self) -> &str {
        &self.place.type_name
    }

    /// The variant, unless the type is a struct.
    pub fn variant(&self) -> Option<&str> {
        self.place.variant.as_deref()
    }

    /// The field, if it is one that differs.
    pub fn field(&self) -> Option<&str> {
        self.place.field.as_deref()
    }

    /// Says it, with words for the two builds: "in this program", "on the peer".
    pub(crate) fn say(&self, here: &str, there: &str) -> String {
        let place = &self.place;
        let reply = |form: &Option<String>| match form {
            Some(form) => format!("a call answered with `{form}`"),
            None => "a cast".to_owned(),
        };
        match &self.difference {
            Difference::Form { here: ours, there: theirs } => {
                format!("`{place}` is `{ours}` {here} and `{theirs}` {there}")
            }
            Difference::Field { there: theirs } => {
                format!("`{place}` {here} has the place of `{theirs}` {there}")
            }
            Difference::UnknownThere => {
                format!("`{place}` is unknown {there}, and has no `#[wire(default)]` {here}")
            }
            Difference::UnknownHere => {
                format!("`{place}` is unknown {here}, and has no `#[wire(default)]` {there}")
            }
            Difference::Answer { here: ours, there: theirs } => {
                format!("`{place}` is {} {here} and {} {there}", reply(ours), reply(theirs))
            }
            Difference::Kind { here: ours, there: theirs } => {
                format!("`{place}` is of kind {} {here} and {} {there}", ours.word(), theirs.word())
            }
            Difference::Root { there: theirs } => format!("`{place}` {here} is `{theirs}` {there}"),
            Difference::Ambiguous => format!(
                "two types are called `{place}`: give one of them another name with `#[wire(name = \"...\")]`"
            ),
            Difference::Unreadable(why) => format!("the schema of `{place}` {there} cannot be read: {why}"),
            Difference::Unsaid => {
                format!("`{place}` {there} is another version, which says no more of itself")
            }
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.say("on this node", "on the peer"))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.type_name)?;
        if let Some(variant) = &self.variant {
            write!(f, "::{}", Name(variant))?;
        }
        if let Some(field) = &self.field {
            write!(f, ".{}", Name(field))?;
        }
        Ok(())
    }
}

/// Everything that keeps two builds apart; where there is nothing, what they share.
pub(crate) fn compare_all(here: &Schema, there: &Schema) -> (Dialect, Vec<Mismatch>) {
    if here.root != there.root {
        let difference = Difference::Root { there: there.name() };
        return (Dialect::default(), vec![Mismatch::of_type(here.name(), difference)]);
    }
    let mut comparison = Comparison {
        here,
        there,
        next: VecDeque::from([here.root.to_string()]),
        seen: BTreeSet::new(),
        dialect: Dialect::default(),
        found: Vec::new(),
    };
    while let Some(key) = comparison.next.pop_front() {
        if comparison.seen.insert(key.clone()) {
            comparison.compare_type(&key);
        }
    }
    (comparison.dialect, comparison.found)
}

struct Comparison<'a> {
    here: &'a Schema,
    there: &'a Schema,
    /// Named types that both come across.
    next: VecDeque<String>,
    seen: BTreeSet<String>,
    dialect: Dialect,
    found: Vec<Mismatch>,
}

impl<'a> Comparison<'a> {
    fn compare_type(&mut self, key: &str) {
        let (Some(here), Some(there)) = (self.here.definitions.get(key), self.there.definitions.get(key))
        else {
            // What has no definition is alike if it is called alike.
            return;
        };
        let second = second(key);
        if self.here.definitions.contains_key(&second) || self.there.definitions.contains_key(&second) {
            self.found.push(Mismatch::of_type(key.to_owned(), Difference::Ambiguous));
        } else if here.kind != there.kind {
            let difference = Difference::Kind { here: here.kind, there: there.kind };
            self.found.push(Mismatch::of_type(key.to_owned(), difference));
        } else {
            self.compare_variants(key, here, there);
        }
    }

    fn compare_variants(&mut self, key: &str, here: &'a Definition, there: &'a Definition) {
        let tag = self.here.tags.get(key).copied();
        for (name, ours) in &here.variants {
            let variant = VariantTag::named(name);
            let place = Place {
                type_name: key.to_owned(),
                variant: (here.kind != Kind::Struct).then(|| name.clone()),
                field: None,
            };
            match there.variants.get(name) {
                None => {
                    if let Some(tag) = tag {
                        self.dialect.lacks(tag, variant);
                    }
                }
                Some(theirs) => {
                    self.compare_fields(&place, ours, theirs);
                    self.compare_answers(place, ours, theirs);
                    if let Some(tag) = tag
                        && theirs.fields.len() < ours.fields.len()
                    {
                        self.dialect.shares(tag, variant, theirs.fields.len());
                    }
                }
            }
        }
    }

    fn compare_fields(&mut self, place: &Place, here: &'a Variant, there: &'a Variant) {
        for (ours, theirs) in here.fields.iter().zip(&there.fields) {
            if ours.name != theirs.name {
                let there = Name(&theirs.name).to_string();
                self.find(place, ours, Difference::Field { there });
                // Behind it nothing is where it was.
                return;
            } else if ours.form != theirs.form {
                let (here, there) = (ours.form.to_string(), theirs.form.to_string());
                self.find(place, ours, Difference::Form { here, there });
            } else {
                self.come_across(&ours.form);
            }
        }
        let common = here.fields.len().min(there.fields.len());
        for ours in here.fields[common..].iter().filter(|field| !field.has_default) {
            self.find(place, ours, Difference::UnknownThere);
        }
        for theirs in there.fields[common..].iter().filter(|field| !field.has_default) {
            self.find(place, theirs, Difference::UnknownHere);
        }
    }

    fn compare_answers(&mut self, place: Place, here: &'a Variant, there: &'a Variant) {
        if here.answer == there.answer {
            if let Some(answer) = &here.answer {
                self.come_across(answer);
            }
            return;
        }
        let [here, there] = [here, there].map(|variant| variant.answer.as_ref().map(Form::to_string));
        self.found.push(Mismatch { place, difference: Difference::Answer { here, there } });
    }

    fn find(&mut self, place: &Place, field: &Field, difference: Difference) {
        let place = Place { field: Some(field.name.clone()), ..place.clone() };
        self.found.push(Mismatch { place, difference });
    }

    /// Both builds have this form: so what is named in it has to be alike.
    fn come_across(&mut self, form: &Form) {
        form.arguments().iter().for_each(|argument| self.come_across(argument));
        self.next.push_back(form.to_string());
    }
}
