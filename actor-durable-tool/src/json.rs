//! Writes JSON: objects whose keys stay in order.

use std::fmt::{self, Display, Write};

/// An object that is being written.
#[derive(Debug)]
pub(crate) struct Object(String);

impl Object {
    pub(crate) fn new() -> Self {
        Self(String::from("{"))
    }

    /// An object with a `kind`, as each line has it.
    pub(crate) fn of(kind: &str) -> Self {
        Self::new().text("kind", kind)
    }

    /// A text.
    pub(crate) fn text(self, key: &str, value: impl Display) -> Self {
        let quoted = quoted(&value.to_string());
        self.raw(key, quoted)
    }

    /// A text, or null.
    pub(crate) fn maybe(self, key: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.text(key, value),
            None => self.raw(key, "null"),
        }
    }

    /// A number, a truth value, or what is JSON already.
    pub(crate) fn raw(mut self, key: &str, value: impl Display) -> Self {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        // Writing to a string does not fail.
        let _ = write!(self.0, "{}:{value}", quoted(key));
        self
    }

    /// A number, or null.
    pub(crate) fn raw_maybe(self, key: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.raw(key, value),
            None => self.raw(key, "null"),
        }
    }
}

impl Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}}}", self.0)
    }
}

/// A JSON array.
pub(crate) fn array(values: impl IntoIterator<Item = impl Display>) -> String {
    let values: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
    format!("[{}]", values.join(","))
}

/// A JSON string.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            // Lines may be split at the last two, and a terminal may obey the rest.
            letter if letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}') => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(letter));
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_written_key_by_key() {
        assert_eq!(Object::new().to_string(), "{}");
        let object = Object::of("x").raw("n", 1).maybe("m", None::<u8>).raw_maybe("o", Some(true));
        assert_eq!(
            object.raw("a", array(["1", "2"])).to_string(),
            r#"{"kind":"x","n":1,"m":null,"o":true,"a":[1,2]}"#
        );
    }

    #[test]
    fn what_would_end_a_text_or_a_line_or_move_a_cursor_is_escaped() {
        assert_eq!(quoted("a\"b\\c\n\r\té"), r#""a\"b\\c\n\r\té""#);
        assert_eq!(quoted("\0\u{1b}[2J\u{7f}\u{9b}\u{2028}"), r#""\u0000\u001b[2J\u007f\u009b\u2028""#);
    }
}
