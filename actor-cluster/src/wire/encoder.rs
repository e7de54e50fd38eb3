//! Values to bytes. Lives here: the appending side and its bounds. Must not live
//! here: the forms of types (`impls/`).

use std::sync::Arc;

use bytes::BytesMut;

use super::budget::{Breach, Budget};
use super::context::WireContext;
use super::error::EncodeError;
use super::payload::Wire;
use super::schema::Dialect;
use super::tag::VariantTag;
use super::varint;

/// Appends one payload to a buffer that holds other things already.
///
/// It never goes back: after an error, whoever began the frame truncates the buffer.
#[derive(Debug)]
pub struct Encoder<'a> {
    buffer: &'a mut BytesMut,
    /// The length that the buffer had when the payload began.
    start: usize,
    /// The length that it may have at most.
    end: usize,
    /// What the peer would spend on decoding it: what it would refuse stays here.
    budget: Budget,
    context: &'a WireContext,
}

impl<'a> Encoder<'a> {
    /// Begins a payload at the end of `buffer`.
    pub fn new(buffer: &'a mut BytesMut, context: &'a WireContext) -> Self {
        Self::within(buffer, context, usize::MAX)
    }

    /// As [`new`](Self::new), for a payload that is at most so long, even where more is allowed.
    #[inline]
    pub(crate) fn within(buffer: &'a mut BytesMut, context: &'a WireContext, bytes_max: usize) -> Self {
        let start = buffer.len();
        let end = start.saturating_add(context.payload_bytes_max.min(bytes_max));
        Self { buffer, start, end, budget: Budget::new(context), context }
    }

    /// What the session lends.
    pub fn context(&self) -> &'a WireContext {
        self.context
    }

    /// How many bytes the payload has so far.
    pub fn bytes_written(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// Appends bytes as they are.
    ///
    /// # Errors
    ///
    /// [`EncodeError::TooLarge`] if the payload would be over its limit.
    #[inline]
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        if bytes.len() > self.bytes_left() {
            return Err(self.too_large());
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// Appends a count of bytes or elements.
    ///
    /// # Errors
    ///
    /// [`EncodeError::TooLarge`] if it is over 32 bits or the payload would be over
    /// its limit.
    #[inline]
    pub fn put_length(&mut self, length: usize) -> Result<(), EncodeError> {
        let length = u32::try_from(length).map_err(|_| self.too_large())?;
        let (bytes, count) = varint::encode(length);
        self.put(&bytes[..count])
    }

    /// Appends how many values of type `T` follow; the counterpart of
    /// [`Decoder::take_count`](super::Decoder::take_count).
    ///
    /// # Errors
    ///
    /// [`EncodeError::TooMuchMemory`], and as [`put_length`](Self::put_length).
    #[inline]
    pub fn put_count<T: Wire>(&mut self, count: usize) -> Result<(), EncodeError> {
        self.charge::<T>(count)?;
        self.put_length(count)
    }

    /// Appends a text with its length; the counterpart of
    /// [`Decoder::take_text`](super::Decoder::take_text).
    ///
    /// # Errors
    ///
    /// [`EncodeError::TooMuchMemory`], and as [`put_length`](Self::put_length).
    #[inline]
    pub fn put_text(&mut self, text: &str) -> Result<(), EncodeError> {
        self.charge::<u8>(text.len())?;
        self.put_length(text.len())?;
        self.put(text.as_bytes())
    }

    /// Appends the tag of an enum's variant.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    #[inline]
    pub fn put_variant(&mut self, variant: VariantTag) -> Result<(), EncodeError> {
        self.put(&variant.as_u64().to_le_bytes())
    }

    /// Appends the length in bytes of what `write` appends, as a `u32`, and then
    /// that: for foreign forms whose length is not known before.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put), and what `write` returns.
    pub fn put_block(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let length_at = self.buffer.len();
        self.put(&[0; BLOCK_LENGTH_BYTES])?;
        let block_at = self.buffer.len();
        write(self)?;
        let length = u32::try_from(self.buffer.len() - block_at).map_err(|_| self.too_large())?;
        self.buffer[length_at..block_at].copy_from_slice(&length.to_le_bytes());
        Ok(())
    }

    /// Runs `write` one level down. Derived types do this; a hand-written form of a
    /// type that can contain itself must, or a deep value overflows the stack.
    ///
    /// # Errors
    ///
    /// [`EncodeError::TooDeep`], and what `write` returns.
    #[inline]
    pub fn nested<R>(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<R, EncodeError>,
    ) -> Result<R, EncodeError> {
        self.budget.enter().map_err(|breach| self.breached(breach))?;
        let result = write(self);
        self.budget.leave();
        result
    }

    /// Pays for `count` values of type `T` that the peer will put on its heap; the
    /// counterpart of [`Decoder::charge`](super::Decoder::charge).
    ///
    /// # Errors
    ///
    /// [`EncodeError::TooMuchMemory`].
    #[inline]
    pub fn charge<T>(&mut self, count: usize) -> Result<(), EncodeError> {
        self.budget.charge::<T>(count).map_err(|breach| self.breached(breach))
    }

    /// Runs `write` for a peer that was built with another version of the types.
    pub(super) fn speaking(
        &mut self,
        dialect: &Arc<Dialect>,
        write: impl FnOnce(&mut Encoder<'_>) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let context = self.context.speaking(dialect.clone());
        let (start, end, budget) = (self.start, self.end, Budget::new(&context));
        write(&mut Encoder { buffer: self.buffer, start, end, budget, context: &context })
    }

    /// Lets a foreign codec append `length` bytes to the buffer itself.
    pub(super) fn put_with(
        &mut self,
        length: usize,
        write: impl FnOnce(&mut BytesMut),
    ) -> Result<(), EncodeError> {
        if length > self.bytes_left() {
            return Err(self.too_large());
        }
        write(self.buffer);
        Ok(())
    }

    #[cold]
    pub(super) fn too_large(&self) -> EncodeError {
        EncodeError::TooLarge { limit: self.context.payload_bytes_max }
    }

    #[cold]
    fn breached(&self, breach: Breach) -> EncodeError {
        match breach {
            Breach::Depth => EncodeError::TooDeep { limit: self.context.depth_max },
            Breach::Heap => EncodeError::TooMuchMemory { limit: self.context.heap_bytes_max },
        }
    }

    #[inline]
    fn bytes_left(&self) -> usize {
        // A foreign codec may have misjudged its length, so this may be below zero.
        self.end.saturating_sub(self.buffer.len())
    }
}

/// The length in front of a block.
pub(super) const BLOCK_LENGTH_BYTES: usize = size_of::<u32>();
