//! Payloads, for people and for programs.

use std::fmt;

use actor_durable::store::Body;

use crate::json::Object;

/// The part of a payload that is shown.
#[derive(Debug)]
pub(crate) struct Payload<'p> {
    version: u32,
    size: usize,
    shown: Excerpt<'p>,
}

#[derive(Debug)]
enum Excerpt<'p> {
    Text(&'p str),
    Bytes(&'p [u8]),
}

impl<'p> Payload<'p> {
    /// At most `limit` bytes of a body.
    pub(crate) fn of(body: &'p Body, limit: usize) -> Self {
        let size = body.bytes.len();
        let shown = match std::str::from_utf8(&body.bytes) {
            Ok(text) if !text.chars().any(is_unprintable) => {
                let end = (0..=limit.min(size)).rev().find(|end| text.is_char_boundary(*end));
                Excerpt::Text(&text[..end.unwrap_or(0)])
            }
            _ => Excerpt::Bytes(&body.bytes[..limit.min(size)]),
        };
        Self { version: body.version, size, shown }
    }

    fn rest(&self) -> usize {
        self.size
            - match self.shown {
                Excerpt::Text(text) => text.len(),
                Excerpt::Bytes(bytes) => bytes.len(),
            }
    }

    /// The payload as JSON.
    pub(crate) fn json(&self) -> Object {
        let object = Object::new().raw("version", self.version).raw("size", self.size);
        let object = match self.shown {
            Excerpt::Text(text) => object.text("text", text),
            Excerpt::Bytes(bytes) => object.text("hex", Hex(bytes)),
        };
        if self.rest() > 0 { object.raw("not_shown", self.rest()) } else { object }
    }
}

/// A text may have line breaks and tabs, but nothing else that controls a terminal.
fn is_unprintable(letter: char) -> bool {
    letter.is_control() && !matches!(letter, '\n' | '\r' | '\t')
}

impl fmt::Display for Payload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "version {}, {} bytes: ", self.version, self.size)?;
        match self.shown {
            Excerpt::Text(text) => write!(f, "{text:?}")?,
            Excerpt::Bytes(bytes) => write!(f, "{}", Hex(bytes))?,
        }
        match self.rest() {
            0 => Ok(()),
            rest => write!(f, " and {rest} more"),
        }
    }
}

struct Hex<'b>(&'b [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(bytes: &[u8]) -> Body {
        Body { version: 2, bytes: bytes.to_vec().into() }
    }

    #[test]
    fn a_payload_is_text_or_hex_and_says_what_is_not_shown() {
        let shown = |bytes: &[u8], limit| Payload::of(&body(bytes), limit).to_string();
        assert_eq!(shown(b"", 9), "version 2, 0 bytes: \"\"");
        assert_eq!(shown("h\u{e9}\n\"".as_bytes(), 9), "version 2, 5 bytes: \"h\u{e9}\\n\\\"\"");
        // Two would be half a letter.
        assert_eq!(shown("h\u{e9}llo".as_bytes(), 2), "version 2, 6 bytes: \"h\" and 5 more");
        assert_eq!(shown(b"\x1b[2J", 9), "version 2, 4 bytes: 1b5b324a");
        assert_eq!(shown(&[0xff, 0, 1], 2), "version 2, 3 bytes: ff00 and 1 more");
        let json = Payload::of(&body(&[0xff, 0, 1]), 2).json().to_string();
        assert_eq!(json, r#"{"version":2,"size":3,"hex":"ff00","not_shown":1}"#);
        let json = Payload::of(&body(b"a\tb"), 9).json().to_string();
        assert_eq!(json, r#"{"version":2,"size":3,"text":"a\tb"}"#);
    }
}
