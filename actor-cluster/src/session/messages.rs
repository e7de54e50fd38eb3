//! Messages on their way out of a session. Many come in one piece of bytes, and leave in one
//! event that shares it: a message by itself has no share in anything.

use std::ops::Range;
use std::sync::Arc;

use actor_core::Instant;
use bytes::Bytes;

use super::Correlation;
use super::types::{Shape, Spoken};
use crate::wire::annotation::Annotation;
use crate::wire::lanes::LaneId;

/// A message from the peer. Its fields are in the bytes of the [`Messages`] it came with.
#[derive(Clone, Debug)]
pub(crate) struct Inbound {
    /// The lane that it came in.
    pub(crate) lane: LaneId,
    /// The serial of an actor here.
    pub(crate) actor: u64,
    pub(crate) shape: Shape,
    pub(crate) spoken: Spoken,
    pub(crate) call: Option<InboundCall>,
    /// What it brings along; most messages nothing.
    pub(crate) annotation: Option<Arc<Annotation>>,
    pub(crate) fields: Fields,
    /// What it costs in credit.
    pub(crate) bytes: usize,
}

/// The part of a message that makes it a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InboundCall {
    pub(crate) correlation: Correlation,
    pub(crate) deadline: Option<Instant>,
}

/// Where a message's fields are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields {
    start: usize,
    end: usize,
}

impl Fields {
    pub(crate) fn new(range: Range<usize>) -> Self {
        Self { start: range.start, end: range.end }
    }

    pub(crate) fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// Messages that came one behind the other, and the bytes that they are in.
#[derive(Debug)]
pub(crate) struct Messages {
    bytes: Bytes,
    list: Vec<Inbound>,
    /// How many of them have been taken.
    taken: usize,
}

impl Messages {
    /// None so far, in an empty list that may have room.
    pub(crate) fn new(bytes: Bytes, list: Vec<Inbound>) -> Self {
        debug_assert!(list.is_empty(), "it is used for these alone");
        Self { bytes, list, taken: 0 }
    }

    /// Whether messages of this piece belong here.
    pub(crate) fn are_in(&self, bytes: &Bytes) -> bool {
        self.bytes.as_ptr() == bytes.as_ptr() && self.bytes.len() == bytes.len()
    }

    pub(crate) fn push(&mut self, message: Inbound) {
        self.list.push(message);
    }

    /// Where their fields are.
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The next one.
    pub(crate) fn front(&self) -> Option<&Inbound> {
        self.list.get(self.taken)
    }

    /// The next one has been taken.
    pub(crate) fn pop_front(&mut self) {
        self.taken += 1;
    }

    /// Those that there are still.
    pub(crate) fn rest(&self) -> &[Inbound] {
        &self.list[self.taken..]
    }

    /// The list for others, with its room.
    pub(crate) fn into_list(mut self) -> Vec<Inbound> {
        self.list.clear();
        self.list
    }
}
