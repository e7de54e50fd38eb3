//! How states, commands, events and replies are encoded and decoded, and what can be wrong with them.

use bytes::Bytes;
use postcard::ser_flavors::Flavor;
use serde::Serialize;
use serde::de::DeserializeOwned;

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
    /// The type's own `Serialize` refuses the value.
    #[error("{what} cannot be written: {why}")]
    Unencodable {
        /// What kind of value.
        what: &'static str,
        /// The error of `Serialize`.
        why: String,
    },
}

/// The error for a version that nobody reads.
pub(crate) fn unknown<T>(what: &'static str, found: u32, known: u32) -> Result<T, CodecError> {
    Err(CodecError::UnknownVersion { what, found, known })
}

pub(crate) fn encode<T: Serialize>(what: &'static str, value: &T) -> Result<Bytes, CodecError> {
    let mut short = Short { start: [0; SHORT_BYTES], filled: 0, rest: Vec::new() };
    match postcard::serialize_with_flavor(value, &mut short) {
        Ok(()) => Ok(short.into()),
        Err(error) => Err(CodecError::Unencodable { what, why: error.to_string() }),
    }
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
