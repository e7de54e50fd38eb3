//! How states, commands, events and replies are encoded and decoded, and what can be wrong with them.

mod whole;

use std::cell::Cell;

use bytes::Bytes;
use postcard::ser_flavors::Flavor;
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::whole::Whole;
use crate::store::Body;

/// Why a value cannot be decoded or encoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// It was encoded in a version that this program does not know.
    #[error("{what} of version {found}; this program knows version {known} and those it can convert into it")]
    UnknownVersion {
        /// What kind of value.
        what: &'static str,
        /// The version it has.
        found: u32,
        /// The version that this program writes.
        known: u32,
    },
    /// This program has nothing of that name: a method is gone, say, or takes other arguments.
    #[error("{what} called `{found}` is unknown to this program")]
    UnknownName {
        /// What kind of value.
        what: &'static str,
        /// Its name.
        found: String,
    },
    /// It has a known version, but the bytes are not such a value.
    #[error("{what} of version {version} cannot be read: {why}")]
    Undecodable {
        /// What kind of value.
        what: &'static str,
        /// The version it has.
        version: u32,
        /// The decoder's error.
        why: String,
    },
    /// The type's own `Serialize` refuses the value, or what it writes cannot be read again.
    #[error("{what} cannot be written: {why}")]
    Unencodable {
        /// What kind of value.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

/// The error for a version that nobody reads.
pub(crate) fn unknown<T>(what: &'static str, found: u32, known: u32) -> Result<T, CodecError> {
    Err(CodecError::UnknownVersion { what, found, known })
}

pub(crate) fn encode<T: Serialize>(what: &'static str, value: &T) -> Result<Bytes, CodecError> {
    let mut short = Short { start: [0; SHORT_BYTES], filled: 0, rest: Vec::new() };
    let left_out = Cell::new(None);
    let Err(error) = postcard::serialize_with_flavor(&Whole(value, &left_out), &mut short) else {
        return Ok(short.into());
    };
    let why = match left_out.get() {
        Some(field) => format!("the field `{field}` is left out, and whoever reads it would not miss it"),
        None => error.to_string(),
    };
    Err(CodecError::Unencodable { what, why })
}

/// What was written can be read again; `read` is what reading it gave. Some types can be written and not read: it is better to hear
/// of that before anything is stored.
///
/// # Errors
///
/// [`CodecError::Unencodable`], if it cannot.
pub(crate) fn legible<T>(what: &'static str, read: Result<T, CodecError>) -> Result<(), CodecError> {
    let unread = |error| CodecError::Unencodable { what, why: format!("it cannot be read again: {error}") };
    read.map(drop).map_err(unread)
}

/// Where a value is written to: most are short, and then memory is asked for once, when it is known how much.
struct Short {
    start: [u8; SHORT_BYTES],
    filled: usize,
    /// All of it, once it is longer.
    rest: Vec<u8>,
}

const SHORT_BYTES: usize = 128;

/// By reference: moving it would cost as much as what is written.
impl Flavor for &mut Short {
    type Output = ();

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.try_extend(&[byte])
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        if self.rest.is_empty() {
            if let Some(room) = self.start.get_mut(self.filled..self.filled + bytes.len()) {
                room.copy_from_slice(bytes);
                self.filled += bytes.len();
                return Ok(());
            }
            self.rest.reserve(2 * (SHORT_BYTES + bytes.len()));
            self.rest.extend_from_slice(&self.start[..self.filled]);
        }
        self.rest.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

impl From<Short> for Bytes {
    fn from(short: Short) -> Self {
        if short.rest.is_empty() {
            return Self::copy_from_slice(&short.start[..short.filled]);
        }
        short.rest.into()
    }
}

pub(crate) fn encode_body<T: Serialize>(
    what: &'static str,
    version: u32,
    value: &T,
) -> Result<Body, CodecError> {
    Ok(Body { version, bytes: encode(what, value)? })
}

/// Decodes a value from all of the bytes. `what` names the kind of value in errors.
///
/// # Errors
///
/// [`CodecError::Undecodable`], also if bytes are left over.
pub fn decode<T: DeserializeOwned>(what: &'static str, version: u32, bytes: &[u8]) -> Result<T, CodecError> {
    let bad = |why: String| CodecError::Undecodable { what, version, why };
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(bad(format!("{} bytes are left over", rest.len()))),
        Err(error) => Err(bad(error.to_string())),
    }
}

/// A text cut to so many bytes, between two characters.
pub(crate) fn cut(mut text: String, bytes_max: usize) -> String {
    let end = (0..=bytes_max.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or(0));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each kind of value that serde knows.
    #[derive(Serialize)]
    struct Kinds<'a> {
        numbers: (i8, i16, i32, i64, i128, u8, u16, u32, u64, u128, f32, f64),
        texts: (&'a str, char, bool, &'a [u8], std::net::Ipv4Addr),
        options: [Option<u8>; 2],
        units: ((), Unit),
        variants: [Variant; 4],
        map: std::collections::BTreeMap<u8, New>,
        tuple: Tuple,
    }

    #[derive(Serialize)]
    struct Unit;
    #[derive(Serialize)]
    struct New(u8);
    #[derive(Serialize)]
    struct Tuple(u8, u16);
    #[derive(Serialize)]
    enum Variant {
        Plain,
        One(u8),
        Two(u8, u8),
        Named { n: u8 },
    }

    #[test]
    fn a_value_of_any_kind_is_written_as_postcard_writes_it() {
        let kinds = Kinds {
            numbers: (-1, -2, -3, -4, -5, 1, 2, 3, 4, 5, 0.5, 0.25),
            texts: ("text", 'ä', true, b"bytes", [127, 0, 0, 1].into()),
            options: [None, Some(1)],
            units: ((), Unit),
            variants: [Variant::Plain, Variant::One(1), Variant::Two(1, 2), Variant::Named { n: 3 }],
            map: [(1, New(2))].into(),
            tuple: Tuple(1, 2),
        };
        let plain = postcard::to_stdvec(&kinds).expect("it has a form");
        assert_eq!(encode("kinds", &kinds).expect("it has a form"), plain);
    }

    /// Without its first field, `{true, [0, 0]}` reads as `{Some(2), false, []}`.
    #[derive(Default, Serialize)]
    struct Sparse {
        #[serde(skip_serializing_if = "Option::is_none")]
        maybe: Option<u8>,
        is: bool,
        bytes: Vec<u8>,
        /// It is never there, and whoever reads it knows that.
        #[serde(skip)]
        never: u8,
    }

    #[test]
    fn what_leaves_a_field_out_is_not_written_wherever_it_is() {
        #[derive(Serialize)]
        enum Deep {
            Here {
                #[serde(skip_serializing_if = "Option::is_none")]
                maybe: Option<u8>,
            },
        }
        let refused = |written: Result<Bytes, CodecError>| match written {
            Err(error) => error.to_string(),
            Ok(bytes) => panic!("{bytes:?}"),
        };
        let why =
            "it cannot be written: the field `maybe` is left out, and whoever reads it would not miss it";
        assert_eq!(refused(encode("it", &Sparse { is: true, bytes: vec![0, 0], ..Sparse::default() })), why);
        assert_eq!(refused(encode("it", &[Some((1, Sparse::default()))])), why);
        assert_eq!(refused(encode("it", &Deep::Here { maybe: None })), why);
        let whole = Sparse { maybe: Some(3), never: 9, ..Sparse::default() };
        assert_eq!(whole.never, 9);
        assert_eq!(*encode("it", &whole).expect("nothing is left out"), [1, 3, 0, 0]);
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        let cut = |max| cut("aäb".to_owned(), max);
        assert_eq!([cut(0), cut(1), cut(2), cut(3), cut(4), cut(9)], ["", "a", "a", "aä", "aäb", "aäb"]);
    }

    /// In pieces of all lengths, so that one of them crosses the end of what is short.
    #[test]
    fn values_of_all_lengths_are_written_as_postcard_writes_them() {
        for length in 0..3 * SHORT_BYTES {
            for piece in [1, 2, 7, SHORT_BYTES, 300] {
                let value: Vec<String> = vec!["x".repeat(piece); length / piece];
                let plain = postcard::to_stdvec(&value).expect("texts have a form");
                assert_eq!(encode("texts", &value).expect("texts have a form"), plain);
            }
        }
    }
}
