//! What can go wrong between values and bytes. Encoding fails because of the
//! caller's value, decoding because of the peer's bytes.

use std::any::type_name;
use std::fmt;

use super::tag::VariantTag;
use crate::contain::contained;

/// A value cannot be encoded. Nothing was sent, and the bytes written so far are
/// worthless.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// It takes more bytes than a payload may have. Send it in parts, or raise
    /// [`payload_bytes_max`](super::WireContext::payload_bytes_max) on both sides.
    #[error("the encoded form is over the limit of {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// Types are nested in it more deeply than the peer would accept.
    #[error("values are nested more than {limit} deep")]
    TooDeep {
        /// The limit.
        limit: u32,
    },
    /// The peer would need more memory for it than it would spend.
    #[error("decoding takes more than {limit} bytes of memory")]
    TooMuchMemory {
        /// The limit.
        limit: usize,
    },
    /// The peer was built with another version of the type, which does not have the variant.
    #[error("the peer's version of {type_name} has no variant `{variant}`")]
    UnknownVariant {
        /// The type.
        type_name: &'static str,
        /// The variant, as it is called on the wire.
        variant: &'static str,
    },
    /// A hand-written or foreign codec refused it.
    #[error("{type_name} cannot be encoded: {detail}")]
    Custom {
        /// The type that was to be encoded.
        type_name: &'static str,
        /// What is wrong.
        detail: Box<str>,
    },
}

impl EncodeError {
    /// Runs an encoder of a `T`, whose panic becomes an error: what it has written so
    /// far can then be taken back.
    #[inline]
    pub(crate) fn contained<T: ?Sized>(encode: impl FnOnce() -> Result<(), Self>) -> Result<(), Self> {
        contained("an encoder", encode).unwrap_or_else(|| Err(Self::custom::<T>("its encoder panicked")))
    }

    /// A failure of a hand-written codec for `T`.
    pub fn custom<T: ?Sized>(detail: impl fmt::Display) -> Self {
        Self::Custom { type_name: type_name::<T>(), detail: detail.to_string().into() }
    }
}

/// A payload is not what it should be.
///
/// It is one pointer wide, so that the good path returns values in registers.
#[derive(Debug, thiserror::Error)]
pub struct DecodeError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: DecodeErrorKind,
    /// How many bytes of the payload had been read.
    offset: usize,
    /// What was being decoded: the innermost place that somebody named.
    place: Option<Place>,
}

#[derive(Debug)]
struct Place {
    type_name: &'static str,
    /// `Type.field` or `Type::Variant.field`; empty for a whole payload.
    field: &'static str,
}

impl DecodeError {
    pub(super) fn at(offset: usize, kind: DecodeErrorKind) -> Self {
        Self(Box::new(Inner { kind, offset, place: None }))
    }

    /// What is wrong.
    pub fn kind(&self) -> &DecodeErrorKind {
        &self.0.kind
    }

    /// How many bytes of the payload had been read when the decoder gave up.
    pub fn offset(&self) -> usize {
        self.0.offset
    }

    /// The type that could not be decoded, as far as known.
    pub fn type_name(&self) -> Option<&'static str> {
        self.0.place.as_ref().map(|place| place.type_name)
    }

    /// Says that a `T` was being decoded for `field`. The first, innermost place
    /// stays; an empty `field` stands for a whole payload.
    #[cold]
    #[must_use]
    pub fn within<T: ?Sized>(mut self, field: &'static str) -> Self {
        self.0.place.get_or_insert(Place { type_name: type_name::<T>(), field });
        self
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, offset, place } = &*self.0;
        match place {
            None => f.write_str("cannot decode the payload")?,
            Some(Place { type_name, field: "" }) => write!(f, "cannot decode {type_name}")?,
            Some(Place { type_name, field }) => write!(f, "cannot decode {field} ({type_name})")?,
        }
        write!(f, " at byte {offset}: {kind}")
    }
}

/// What is wrong with a payload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// It ends in the middle of a value.
    #[error("the payload ends")]
    Truncated,
    /// The value ends before the payload does.
    #[error("{bytes} bytes are left over")]
    TrailingBytes {
        /// How many.
        bytes: usize,
    },
    /// A length says more than the bytes left can hold.
    #[error("a length of {length} does not fit into the {bytes_left} bytes left")]
    BadLength {
        /// The length as sent: bytes of a text, elements of a list.
        length: u32,
        /// The bytes that were left.
        bytes_left: usize,
    },
    /// A length is written with more digits than it needs, or is over 32 bits.
    #[error("a length is not in its shortest form")]
    BadVarint,
    /// The byte that tells alternatives apart is none of them.
    #[error("{tag} is none of the known tags")]
    BadTag {
        /// The byte.
        tag: u8,
    },
    /// A text is not UTF-8.
    #[error("a text is not UTF-8")]
    BadUtf8,
    /// The bytes are well formed, but the type has no such value.
    #[error("the value is out of range")]
    OutOfRange,
    /// Values are nested too deeply.
    #[error("values are nested more than {limit} deep")]
    TooDeep {
        /// The limit.
        limit: u32,
    },
    /// The value would take more memory than a payload may.
    #[error("the value takes more than {limit} bytes of memory")]
    TooMuchMemory {
        /// The limit.
        limit: usize,
    },
    /// A map or a set has a key twice.
    #[error("a key is there twice")]
    DuplicateKey,
    /// The enum has no such variant here; the peer may be newer.
    #[error("there is no variant {variant}")]
    UnknownVariant {
        /// The variant's tag.
        variant: VariantTag,
    },
    /// The variant is a call that makes no sense without an answer, and nobody waits for
    /// one. Derived code takes such a call; a hand-written one may refuse it.
    #[error("a call came without a caller")]
    NotACall,
    /// The variant is a cast, but somebody waits for an answer.
    #[error("a cast came with a caller")]
    NotACast,
    /// An address is of an actor that takes other messages.
    #[error("the actor it refers to takes messages of another type")]
    WrongMessages,
    /// An address is of an actor of this node, which has not given it to anybody.
    #[error("the reference was not given by the node of its actor")]
    NotGiven,
    /// A hand-written or foreign codec refused the bytes.
    #[error("{0}")]
    Custom(Box<str>),
}

impl DecodeErrorKind {
    /// A failure of a hand-written codec.
    pub fn custom(detail: impl fmt::Display) -> Self {
        Self::Custom(detail.to_string().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_place_is_named() {
        let error = DecodeError::at(4, DecodeErrorKind::Truncated);
        assert_eq!(error.to_string(), "cannot decode the payload at byte 4: the payload ends");
        let error = error.within::<u32>("Order.price").within::<String>("Book.orders");
        assert_eq!(error.to_string(), "cannot decode Order.price (u32) at byte 4: the payload ends");
        assert_eq!(error.type_name(), Some("u32"));
        let whole = DecodeError::at(0, DecodeErrorKind::TrailingBytes { bytes: 2 }).within::<u8>("");
        assert_eq!(whole.to_string(), "cannot decode u8 at byte 0: 2 bytes are left over");
    }
}
