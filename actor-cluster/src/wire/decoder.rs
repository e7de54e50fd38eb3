//! Bytes to values. Lives here: the reading side and its checks. Must not live
//! here: the forms of types (`impls/`).

use std::ops::Range;

use bytes::Bytes;

use super::budget::{Breach, Budget};
use super::context::WireContext;
use super::encoder::BLOCK_LENGTH_BYTES;
use super::error::{DecodeError, DecodeErrorKind};
use super::payload::Wire;
use super::tag::VariantTag;
use super::varint::{self, VarintError};
use crate::limits::SHARED_BYTES_LEAST;

/// Reads one payload from its beginning to its end.
///
/// Nothing in the payload is trusted: every length is checked against the bytes that
/// are left, and memory against a budget, before anything is allocated.
#[derive(Debug)]
pub struct Decoder<'a> {
    /// The bytes that the payload is a part of.
    payload: &'a Bytes,
    /// What is left to read.
    rest: &'a [u8],
    /// How much there was to read.
    length: usize,
    budget: Budget,
    context: &'a WireContext,
}

impl<'a> Decoder<'a> {
    /// Begins at the start of `payload`.
    pub fn new(payload: &'a Bytes, context: &'a WireContext) -> Self {
        Self::within(payload, 0..payload.len(), context)
    }

    /// Reads a part of `bytes` as a payload.
    ///
    /// # Panics
    ///
    /// If `bytes` has no such part.
    pub(crate) fn within(bytes: &'a Bytes, range: Range<usize>, context: &'a WireContext) -> Self {
        let rest = &bytes[range];
        Self { payload: bytes, rest, length: rest.len(), budget: Budget::new(context), context }
    }

    /// What the session lends.
    pub fn context(&self) -> &'a WireContext {
        self.context
    }

    /// How many bytes have not been read.
    pub fn bytes_left(&self) -> usize {
        self.rest.len()
    }

    /// Reads `count` bytes without copying them.
    ///
    /// # Errors
    ///
    /// [`DecodeErrorKind::Truncated`].
    #[inline]
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(|| self.truncated())?;
        self.rest = rest;
        Ok(taken)
    }

    /// Reads `N` bytes.
    ///
    /// # Errors
    ///
    /// [`DecodeErrorKind::Truncated`].
    #[inline]
    pub fn take_array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(|| self.truncated())?;
        self.rest = rest;
        Ok(*taken)
    }

    /// Reads a length and that many bytes.
    ///
    /// # Errors
    ///
    /// [`DecodeErrorKind::BadLength`], [`DecodeErrorKind::BadVarint`],
    /// [`DecodeErrorKind::Truncated`].
    #[inline]
    pub fn take_slice(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.length(1)?;
        self.take(length)
    }

    /// Reads a length and that many bytes. [`SHARED_BYTES_LEAST`] and more are a slice of the payload, which
    /// they keep in memory, with what was read together with it, for as long as they live.
    ///
    /// # Errors
    ///
    /// As [`take_slice`](Self::take_slice).
    pub fn take_bytes(&mut self) -> Result<Bytes, DecodeError> {
        let slice = self.take_slice()?;
        if slice.len() < SHARED_BYTES_LEAST {
            // All such copies together are no longer than the payload: it pays for them.
            return Ok(Bytes::copy_from_slice(slice));
        }
        Ok(self.payload.slice_ref(slice))
    }

    /// Reads a length and that much text, charging `heap_bytes_max` for the copy
    /// that the caller is about to make.
    ///
    /// # Errors
    ///
    /// [`DecodeErrorKind::BadUtf8`], [`DecodeErrorKind::TooMuchMemory`], and as
    /// [`take_slice`](Self::take_slice).
    pub fn take_text(&mut self) -> Result<&'a str, DecodeError> {
        let bytes = self.take_slice()?;
        self.charge::<u8>(bytes.len())?;
        std::str::from_utf8(bytes).map_err(|_| self.error(DecodeErrorKind::BadUtf8))
    }

    /// Reads how many values of type `T` follow, and checks that the bytes left can
    /// hold so many and that so many may be held in memory. To reserve room for
    /// them is safe.
    ///
    /// # Errors
    ///
    /// [`DecodeErrorKind::BadLength`], [`DecodeErrorKind::BadVarint`],
    /// [`DecodeErrorKind::Truncated`], [`DecodeErrorKind::TooMuchMemory`].
    #[inline]
    pub fn take_count<T: Wire>(&mut self) -> Result<usize, DecodeError> {
        let count = self.length(T::ENCODED_BYTES_MIN)?;
        self.charge::<T>(count)?;
        Ok(count)
    }

    /// Reads the tag of an enum's variant.
    ///
    /// # Errors
    ///
    /// [`DecodeErrorKind::Truncated`].
    #[inline]
    pub fn take_variant(&mut self) -> Result<VariantTag, DecodeError> {
        self.take_array().map(u64::from_le_bytes).map(VariantTag::from_u64)
    }

    /// Reads what [`put_block`](super::Encoder::put_block) wrote, as a slice of the
    /// payload.
    ///
    /// # Errors
    ///
    /// [`DecodeErrorKind::BadLength`], [`DecodeErrorKind::Truncated`].
    pub fn take_block(&mut self) -> Result<Bytes, DecodeError> {
        let length = self.take_array::<BLOCK_LENGTH_BYTES>().map(u32::from_le_bytes)?;
        let length = self.checked_length(length, 1)?;
        let slice = self.take(length)?;
        Ok(self.payload.slice_ref(slice))
    }

    /// Pays for `count` values of type `T` that the caller is about to put on the
    /// heap. Hand-written forms that allocate must do this;
    /// [`take_count`](Self::take_count) and [`take_text`](Self::take_text) do it
    /// themselves.
    ///
    /// # Errors
    ///
    /// [`DecodeErrorKind::TooMuchMemory`].
    #[inline]
    pub fn charge<T>(&mut self, count: usize) -> Result<(), DecodeError> {
        self.budget.charge::<T>(count).map_err(|breach| self.breached(breach))
    }

    /// Runs `read` one level down. Derived types do this; a hand-written form of a
    /// type that can contain itself must, or a hostile payload overflows the stack.
    ///
    /// # Errors
    ///
    /// [`DecodeErrorKind::TooDeep`], and what `read` returns.
    #[inline]
    pub fn nested<R>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<R, DecodeError>,
    ) -> Result<R, DecodeError> {
        self.budget.enter().map_err(|breach| self.breached(breach))?;
        let result = read(self);
        self.budget.leave();
        result
    }

    /// Ends the payload.
    ///
    /// # Errors
    ///
    /// [`DecodeErrorKind::TrailingBytes`] if bytes are left.
    #[inline]
    pub fn finish(&self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            bytes => Err(self.error(DecodeErrorKind::TrailingBytes { bytes })),
        }
    }

    /// An error at the place reached.
    #[cold]
    pub fn error(&self, kind: DecodeErrorKind) -> DecodeError {
        DecodeError::at(self.length - self.rest.len(), kind)
    }

    /// For foreign codecs, which count on their own.
    pub(super) fn budget(&mut self) -> &mut Budget {
        &mut self.budget
    }

    #[cold]
    pub(super) fn breached(&self, breach: Breach) -> DecodeError {
        self.error(breach.kind(self.context))
    }

    #[cold]
    fn truncated(&self) -> DecodeError {
        self.error(DecodeErrorKind::Truncated)
    }

    /// Reads a count of things that take at least `bytes_min` each.
    #[inline]
    fn length(&mut self, bytes_min: usize) -> Result<usize, DecodeError> {
        let (length, bytes) = varint::decode(self.rest).map_err(|error| match error {
            VarintError::Truncated => self.truncated(),
            VarintError::NotCanonical => self.error(DecodeErrorKind::BadVarint),
        })?;
        self.rest = &self.rest[bytes..];
        self.checked_length(length, bytes_min)
    }

    #[inline]
    fn checked_length(&self, length: u32, bytes_min: usize) -> Result<usize, DecodeError> {
        let bad = || self.error(DecodeErrorKind::BadLength { length, bytes_left: self.rest.len() });
        let count = usize::try_from(length).map_err(|_| bad())?;
        if count.saturating_mul(bytes_min) > self.rest.len() { Err(bad()) } else { Ok(count) }
    }
}
