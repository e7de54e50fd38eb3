//! Schemas as text, a line for each thing that can change.
//!
//! ```text
//! message shop::Order
//!   Place -> result<u64, text>
//!     lines: list<shop::Line>
//! struct shop::Line
//!   sku: text
//!   note: option<text> = default
//! ```
//!
//! Everything is sorted but for fields, whose order means something. What is read may come from a
//! peer: the text's length bounds what is made of it, and forms nest to a limit.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};

use super::{Definition, Field, Form, Kind, Schema, Variant};
use crate::limits::SCHEMA_DEPTH_MAX;

const DEFAULT: &str = " = default";
const ARROW: &str = " -> ";

/// Writes a schema: its message first, then the types in it.
pub(super) fn write(root: &Form, definitions: &BTreeMap<String, Definition>) -> String {
    let key = root.to_string();
    let mut text = String::new();
    match definitions.get(&key) {
        Some(definition) => write_definition(&mut text, &key, definition),
        // A hand-written message type, which says nothing of its variants.
        None => text = format!("{} {key}\n", Kind::Message.word()),
    }
    for (other, definition) in definitions.iter().filter(|(other, _)| **other != key) {
        write_definition(&mut text, other, definition);
    }
    text
}

/// Writes one named type.
pub(crate) fn write_definition(text: &mut String, key: &str, definition: &Definition) {
    // Writing into a String cannot fail.
    let _ = writeln!(text, "{} {}", definition.kind.word(), key);
    for (name, variant) in &definition.variants {
        let indent = if definition.kind == Kind::Struct {
            "  "
        } else {
            let _ = write!(text, "  {}", Name(name));
            if let Some(answer) = &variant.answer {
                let _ = write!(text, "{ARROW}{answer}");
            }
            text.push('\n');
            "    "
        };
        for Field { name, form, has_default } in &variant.fields {
            let default = if *has_default { DEFAULT } else { "" };
            let _ = writeln!(text, "{indent}{}: {form}{default}", Name(name));
        }
    }
}

/// A text is no schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct Unreadable {
    /// The line, from 1.
    pub line: usize,
    what: &'static str,
}

/// Reads a schema of one message, and of the types in it.
pub(crate) fn parse(text: &str) -> Result<Schema, Unreadable> {
    let read = parse_definitions(text)?;
    let root = match read.first() {
        Some((root, definition)) if definition.kind == Kind::Message => root.clone(),
        _ => return Err(Unreadable { line: 1, what: "a schema begins with its message" }),
    };
    let definitions = read.into_iter().map(|(form, definition)| (form.to_string(), definition)).collect();
    Ok(Schema::new(root, definitions, BTreeMap::new()))
}

/// Reads the named types of a text, in their order. Empty lines, and lines that begin with `#`, say nothing.
pub(crate) fn parse_definitions(text: &str) -> Result<Vec<(Form, Definition)>, Unreadable> {
    let mut reader = Reader::default();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_end();
        if !line.is_empty() && !line.starts_with('#') {
            reader.line(line).map_err(|what| Unreadable { line: index + 1, what })?;
        }
    }
    Ok(reader.definitions)
}

type Read<T> = Result<T, &'static str>;

#[derive(Default)]
struct Reader {
    definitions: Vec<(Form, Definition)>,
    keys: BTreeSet<String>,
    /// The variant that fields belong to.
    variant: Option<String>,
}

impl Reader {
    fn line(&mut self, line: &str) -> Read<()> {
        let content = line.trim_start_matches(' ');
        let indent = line.len() - content.len();
        if indent == 0 {
            return self.head(content);
        }
        let (_, definition) = self.definitions.last_mut().ok_or("this belongs to no type")?;
        match (definition.kind, indent) {
            (Kind::Message | Kind::Enum, 2) => {
                let (name, variant) = read_variant(content)?;
                self.variant = Some(name.clone());
                let former = definition.variants.insert(name, variant);
                former.map_or(Ok(()), |_| Err("a variant is there twice"))
            }
            (Kind::Struct, 2) | (Kind::Message | Kind::Enum, 4) => {
                let name = self.variant.as_ref().ok_or("this belongs to no variant")?;
                let variant = definition.variants.get_mut(name).ok_or("this belongs to no variant")?;
                variant.fields.push(read_field(content)?);
                Ok(())
            }
            _ => Err("nothing is indented like this"),
        }
    }

    fn head(&mut self, line: &str) -> Read<()> {
        let (word, rest) = line.split_once(' ').ok_or("a type's kind and its name are expected")?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.word() == word).ok_or("an unknown kind of type")?;
        let form = whole(rest, |cursor| cursor.form(0))?;
        if !self.keys.insert(form.to_string()) {
            return Err("a type is there twice");
        }
        let mut definition = Definition { kind, variants: BTreeMap::new() };
        self.variant = None;
        if kind == Kind::Struct {
            definition.variants.insert(String::new(), Variant::default());
            self.variant = Some(String::new());
        }
        self.definitions.push((form, definition));
        Ok(())
    }
}

fn read_variant(content: &str) -> Read<(String, Variant)> {
    whole(content, |cursor| {
        let name = cursor.name()?;
        let answer = if cursor.skip(ARROW) { Some(cursor.form(0)?) } else { None };
        Ok((name, Variant { answer, fields: Vec::new() }))
    })
}

fn read_field(content: &str) -> Read<Field> {
    whole(content, |cursor| {
        let name = cursor.name()?;
        if !cursor.skip(": ") {
            return Err("a field's name and its form are expected");
        }
        let form = cursor.form(0)?;
        Ok(Field { name, form, has_default: cursor.skip(DEFAULT) })
    })
}

fn whole<T>(text: &str, read: impl FnOnce(&mut Cursor<'_>) -> Read<T>) -> Read<T> {
    let mut cursor = Cursor(text);
    let value = read(&mut cursor)?;
    if cursor.0.is_empty() { Ok(value) } else { Err("something is left over at its end") }
}

/// What is left of a line.
struct Cursor<'a>(&'a str);

impl Cursor<'_> {
    fn skip(&mut self, text: &str) -> bool {
        self.0.strip_prefix(text).is_some_and(|rest| {
            self.0 = rest;
            true
        })
    }

    fn form(&mut self, depth: usize) -> Read<Form> {
        if depth > SCHEMA_DEPTH_MAX {
            return Err("a form is nested too deeply");
        }
        let mut form = Form::named(self.name()?);
        if self.skip("<") {
            loop {
                form = form.with(self.form(depth + 1)?);
                if self.skip(">") {
                    break;
                }
                if !self.skip(", ") {
                    return Err("a form does not end");
                }
            }
        }
        Ok(form)
    }

    fn name(&mut self) -> Read<String> {
        if self.skip("\"") {
            return self.quoted();
        }
        let length = plain_bytes(self.0);
        let (name, rest) = self.0.split_at(length);
        self.0 = rest;
        if name.is_empty() { Err("a name is expected") } else { Ok(name.to_owned()) }
    }

    fn quoted(&mut self) -> Read<String> {
        let mut name = String::new();
        let mut chars = self.0.chars();
        loop {
            match chars.next().ok_or("a name does not end")? {
                '"' => break,
                '\\' => match chars.next().ok_or("a name does not end")? {
                    'n' => name.push('\n'),
                    'r' => name.push('\r'),
                    same @ ('"' | '\\') => name.push(same),
                    _ => return Err("an unknown escape"),
                },
                char => name.push(char),
            }
        }
        self.0 = chars.as_str();
        Ok(name)
    }
}

/// A name, in quotes if it needs them.
pub(super) struct Name<'a>(pub(super) &'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.is_empty() && plain_bytes(self.0) == self.0.len() {
            return f.write_str(self.0);
        }
        f.write_char('"')?;
        for char in self.0.chars() {
            match char {
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '"' | '\\' => write!(f, "\\{char}")?,
                char => f.write_char(char)?,
            }
        }
        f.write_char('"')
    }
}

/// How much of a text can be a name without quotes: letters and digits of ASCII, some marks, and pairs of colons.
fn plain_bytes(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'_' | b'-' | b'.' | b'/' => at += 1,
            byte if byte.is_ascii_alphanumeric() => at += 1,
            b':' if bytes.get(at + 1) == Some(&b':') => at += 2,
            _ => break,
        }
    }
    at
}
