//! Whether messages are what a lock file says. Pure: text in, text out.

use std::collections::BTreeMap;

use crate::wire::schema::{
    Definition, Form, Kind, Schema, compare_all, is_second, parse_definitions, write_definition,
};

/// What became of a comparison. Each comes with the text that the file should have.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It has it.
    Holds,
    /// There is none.
    Missing(String),
    /// It is not a lock file, and why.
    Unreadable(String, String),
    /// Something has changed that breaks nothing.
    Changed(String),
    /// This breaks.
    Broken(Vec<String>, String),
    /// These types cannot be told apart, so no file can say what they are.
    Ambiguous(Vec<String>),
}

type Definitions = BTreeMap<String, Definition>;

/// Compares a file's text with what the messages are now.
pub(super) fn judge(file: &str, locked: Option<&str>, schemas: &[Schema]) -> Outcome {
    let (now, ambiguous) = merge(schemas);
    if !ambiguous.is_empty() {
        return Outcome::Ambiguous(ambiguous);
    }
    let text = write(&now);
    let Some(locked) = locked else { return Outcome::Missing(text) };
    let read = match parse_definitions(locked) {
        Ok(read) => read,
        Err(error) => return Outcome::Unreadable(error.to_string(), text),
    };
    let roots: Vec<Form> =
        read.iter().filter(|(_, one)| one.kind == Kind::Message).map(|(form, _)| form.clone()).collect();
    let then: Definitions =
        read.into_iter().map(|(form, definition)| (form.to_string(), definition)).collect();
    let mut problems = Vec::new();
    for root in roots {
        let then = Schema::of_lock(root, then.clone());
        match schemas.iter().find(|schema| schema.name() == then.name()) {
            None => problems.push(format!("the message `{}` is gone", then.name())),
            Some(schema) => {
                let (_, found) = compare_all(schema, &then);
                problems.extend(found.iter().map(|mismatch| mismatch.say("now", &format!("in {file}"))));
            }
        }
    }
    problems.extend(taken_back(&now, &then));
    problems.sort();
    problems.dedup();
    if !problems.is_empty() {
        Outcome::Broken(problems, text)
    } else if now == then {
        Outcome::Holds
    } else {
        Outcome::Changed(text)
    }
}

/// All types of all messages, and those that are called alike.
fn merge(schemas: &[Schema]) -> (Definitions, Vec<String>) {
    let mut all = Definitions::new();
    let mut ambiguous = Vec::new();
    for schema in schemas {
        for (key, definition) in schema.definitions() {
            let former = all.insert(key.clone(), definition.clone());
            if is_second(key) || former.is_some_and(|former| former != *definition) {
                ambiguous
                    .push(format!("{key}: give one of them another name with `#[wire(name = \"...\")]`"));
            }
        }
    }
    (all, ambiguous)
}

/// What two builds can do without of each other, but no build should have known once and not now.
fn taken_back(now: &Definitions, then: &Definitions) -> Vec<String> {
    let mut problems = Vec::new();
    for (key, then) in then {
        let Some(now) = now.get(key) else { continue };
        for (name, then) in &then.variants {
            let Some(now) = now.variants.get(name) else {
                problems.push(format!("the variant `{key}::{name}` is gone"));
                continue;
            };
            for (then, now) in then.fields.iter().zip(&now.fields) {
                if then.has_default && !now.has_default && then.name == now.name {
                    problems.push(format!("the field `{}` of `{key}` has no default any more", now.name));
                }
            }
        }
    }
    problems
}

const HEAD: &str = "\
# What the messages of this crate look like on the wire. Written by its tests: SCHEMA_LOCK=accept cargo test
# Commit it. Nodes of builds whose lines differ may not understand each other.
";

/// The messages first, each type on lines of its own.
fn write(definitions: &Definitions) -> String {
    let mut text = HEAD.to_owned();
    let mut sorted: Vec<_> = definitions.iter().collect();
    sorted.sort_by_key(|(key, definition)| (definition.kind != Kind::Message, *key));
    for (key, definition) in sorted {
        text.push('\n');
        write_definition(&mut text, key, definition);
    }
    text
}
