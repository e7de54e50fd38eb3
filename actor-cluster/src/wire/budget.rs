//! What one payload may cost the node that decodes it. The node that encodes it
//! counts alike, so that its caller learns at once what the peer would refuse.

use super::context::WireContext;
use super::error::DecodeErrorKind;

/// What is left of a payload's stack and heap.
#[derive(Debug)]
pub(super) struct Budget {
    depth_left: u32,
    heap_left: usize,
}

/// The payload asked for more than it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Breach {
    Depth,
    Heap,
}

impl Breach {
    pub(super) fn kind(self, context: &WireContext) -> DecodeErrorKind {
        match self {
            Self::Depth => DecodeErrorKind::TooDeep { limit: context.depth_max },
            Self::Heap => DecodeErrorKind::TooMuchMemory { limit: context.heap_bytes_max },
        }
    }
}

impl Budget {
    pub(super) fn new(context: &WireContext) -> Self {
        Self { depth_left: context.depth_max, heap_left: context.heap_bytes_max }
    }

    /// Goes one level down. Every success is followed by one [`leave`](Self::leave).
    #[inline]
    pub(super) fn enter(&mut self) -> Result<(), Breach> {
        self.depth_left = self.depth_left.checked_sub(1).ok_or(Breach::Depth)?;
        Ok(())
    }

    #[inline]
    pub(super) fn leave(&mut self) {
        self.depth_left += 1;
    }

    /// Pays for `count` values of type `T`.
    #[inline]
    pub(super) fn charge<T>(&mut self, count: usize) -> Result<(), Breach> {
        let each = if size_of::<T>() == 0 { SIZELESS_BYTES } else { size_of::<T>() };
        let bytes = count.saturating_mul(each);
        self.heap_left = self.heap_left.checked_sub(bytes).ok_or(Breach::Heap)?;
        Ok(())
    }
}

/// What a value without a size costs. It takes no memory and maybe no byte on the
/// wire, but time: five bytes may claim four thousand million of them.
const SIZELESS_BYTES: usize = 64;
