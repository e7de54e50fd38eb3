//! Times and payloads, for people and for programs.

use std::fmt;

use actor_durable::WallTime;
use actor_durable::store::Body;

use crate::json::Object;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// A time in UTC, as RFC 3339 writes it.
#[derive(Debug)]
pub(crate) struct Utc(pub(crate) WallTime);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let (year, month, day) = date(millis / DAY_MS);
        let (second, milli) = (millis % DAY_MS / 1000, millis % 1000);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
    }
}

/// The year, month and day that is so many days after the first of 1970, by the Gregorian calendar. Years are counted from March, so
/// that a leap day is the last of its year.
fn date(day: u64) -> (u64, u64, u64) {
    const ERA_DAYS: u64 = 146_097;
    // From the first of March of the year 0.
    let day = day + 719_468;
    let (era, day) = (day / ERA_DAYS, day % ERA_DAYS);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let is_next_year = u64::from(month >= 10);
    (era * 400 + year + is_next_year, if month < 10 { month + 3 } else { month - 9 }, day)
}

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

    #[test]
    fn times_are_dates_of_the_calendar() {
        let utc = |millis| Utc(WallTime::from_millis(millis)).to_string();
        assert_eq!(utc(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(utc(68_169_600_000 - 1), "1972-02-28T23:59:59.999Z");
        assert_eq!(utc(68_169_600_000), "1972-02-29T00:00:00.000Z");
        assert_eq!(utc(951_868_799_000), "2000-02-29T23:59:59.000Z");
        assert_eq!(utc(1_800_000_000_000), "2027-01-15T08:00:00.000Z");
        assert_eq!(utc(4_107_542_400_000), "2100-03-01T00:00:00.000Z");
        assert_eq!(utc(u64::MAX), "584556019-04-03T14:25:51.615Z");
    }

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
