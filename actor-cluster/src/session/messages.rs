//! Messages on their way out of a session. Many come in one piece of bytes, and leave in one
//! event that shares it: a message by itself has no share in anything.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use actor_core::Instant;
use bytes::{Bytes, BytesMut};

use super::Correlation;
use super::types::{Shape, Spoken};
use crate::limits::{READ_ASIDE_BYTES_LEAST, READ_BYTES};
use crate::wire::annotation::Annotation;
use crate::wire::lanes::LaneId;

/// A message from the peer. Its fields are in the bytes of the [`Messages`] it came with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inbound {
    /// The lane that it came in.
    pub(crate) lane: LaneId,
    /// The serial of an actor here.
    pub(crate) actor: u64,
    pub(crate) shape: Shape,
    pub(crate) spoken: Spoken,
    pub(crate) call: Option<InboundCall>,
    pub(crate) fields: Fields,
    /// What it costs in credit.
    pub(crate) bytes: usize,
}

impl Inbound {
    /// What it takes in memory if that is more than what it costs in credit, or else 0.
    pub(crate) fn long_bytes(&self) -> usize {
        let bytes = self.fields.range().len();
        if bytes > self.bytes { bytes } else { 0 }
    }
}

/// The part of a message that makes it a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InboundCall {
    pub(crate) correlation: Correlation,
    pub(crate) deadline: Option<Instant>,
}

/// Where a message's fields are: a [`Range`] that is `Copy`.
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

/// A message whose fields have not been read yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unread<'a> {
    pub(crate) message: Inbound,
    /// What it brings along; most messages nothing.
    pub(crate) annotation: Option<&'a Arc<Annotation>>,
    /// Where its fields are.
    pub(crate) piece: &'a Bytes,
}

impl Unread<'_> {
    /// Whether it is a cast that brings nothing along.
    pub(crate) fn is_plain_cast(&self) -> bool {
        self.message.call.is_none() && self.annotation.is_none()
    }

    /// Whether it takes so long to read that this is done elsewhere.
    pub(crate) fn is_read_aside(&self) -> bool {
        self.message.fields.range().len() >= READ_ASIDE_BYTES_LEAST
    }

    /// Its fields, as a share of the piece.
    pub(crate) fn fields(&self) -> Bytes {
        self.piece.slice(self.message.fields.range())
    }
}

/// Messages that came one behind the other, and the bytes that they are in.
#[derive(Debug)]
pub(crate) struct Messages {
    bytes: Bytes,
    /// Whether they came in the urgent lane.
    is_urgent: bool,
    list: Vec<Inbound>,
    /// What some of them bring along, by their places in the list, in order.
    annotations: VecDeque<(usize, Arc<Annotation>)>,
    /// How many of them have been taken.
    taken: usize,
}

impl Messages {
    /// None so far, in an empty list that may have room.
    pub(crate) fn new(bytes: Bytes, list: Vec<Inbound>, is_urgent: bool) -> Self {
        debug_assert!(list.is_empty(), "it is used for these alone");
        Self { bytes, is_urgent, list, annotations: VecDeque::new(), taken: 0 }
    }

    /// Whether they go ahead of others.
    pub(crate) fn are_urgent(&self) -> bool {
        self.is_urgent
    }

    /// Whether messages of this piece belong here, that are as urgent.
    pub(crate) fn are_in(&self, bytes: &Bytes, is_urgent: bool) -> bool {
        self.is_urgent == is_urgent
            && self.bytes.as_ptr() == bytes.as_ptr()
            && self.bytes.len() == bytes.len()
    }

    #[inline]
    pub(crate) fn push(&mut self, message: Inbound, annotation: Option<Arc<Annotation>>) {
        if let Some(annotation) = annotation {
            self.annotations.push_back((self.list.len(), annotation));
        }
        self.list.push(message);
    }

    /// The next one.
    #[inline]
    pub(crate) fn front(&self) -> Option<Unread<'_>> {
        let message = *self.list.get(self.taken)?;
        let annotation = match self.annotations.front() {
            Some((place, annotation)) if *place == self.taken => Some(annotation),
            _ => None,
        };
        Some(Unread { message, annotation, piece: &self.bytes })
    }

    /// Gives short messages bytes of their own, so that they do not keep all those in memory that they
    /// came with.
    pub(crate) fn copy_if_short(&mut self) {
        let fields: usize = self.rest().iter().map(|message| message.fields.range().len()).sum();
        let is_done = fields == self.bytes.len();
        if is_done || !are_worth_copying(fields) {
            return;
        }
        let mut own = BytesMut::with_capacity(fields);
        for message in &mut self.list[self.taken..] {
            let start = own.len();
            own.extend_from_slice(&self.bytes[message.fields.range()]);
            message.fields = Fields::new(start..own.len());
        }
        self.bytes = own.freeze();
        self.list.drain(..self.taken);
        self.annotations.iter_mut().for_each(|(place, _)| *place -= self.taken);
        self.taken = 0;
        self.list.shrink_to_fit();
    }

    /// The next ones that are casts of the same shape, for the same actor, in the same lane, and bring
    /// nothing along: at most so many.
    pub(crate) fn alike(&self, most: usize) -> &[Inbound] {
        let plain = self.annotations.front().map_or(self.list.len(), |(place, _)| *place);
        let most = most.min(plain - self.taken);
        let rest = &self.list[self.taken..self.taken + most];
        let Some(first) = rest.first() else { return rest };
        let is_alike = |other: &&Inbound| {
            other.call.is_none()
                && (other.actor, other.shape, other.spoken, other.lane)
                    == (first.actor, first.shape, first.spoken, first.lane)
        };
        &rest[..rest.iter().take_while(is_alike).count()]
    }

    /// So many have been taken: the last of them, and what they all cost in credit.
    pub(crate) fn skip(&mut self, count: usize) -> Option<(Inbound, usize)> {
        let taken = self.list.get(self.taken..self.taken + count)?;
        let taken = (*taken.last()?, taken.iter().map(|message| message.bytes).sum());
        self.taken += count;
        while self.annotations.front().is_some_and(|(place, _)| *place < self.taken) {
            self.annotations.pop_front();
        }
        Some(taken)
    }

    /// The next one has been taken.
    pub(crate) fn pop_front(&mut self) {
        self.skip(1);
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

/// Whether messages that wait, with so many bytes of fields, are better copied: else they would keep more than
/// [`KEPT_MOST`] times as much in memory. Their piece may be short itself, and still keep a whole read buffer.
pub(crate) fn are_worth_copying(fields: usize) -> bool {
    fields * KEPT_MOST < READ_BYTES
}

/// How many times their own length messages that wait may keep in memory.
const KEPT_MOST: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::TraceContext;
    use crate::wire::{TypeTag, VariantTag};

    fn message(actor: u64, fields: Range<usize>) -> Inbound {
        Inbound {
            lane: LaneId::data(0),
            actor,
            shape: Shape { message: TypeTag::from_u64(1), variant: VariantTag::from_u64(2) },
            spoken: Spoken::Unsaid,
            call: None,
            bytes: fields.len(),
            fields: Fields::new(fields),
        }
    }

    /// Else a peer could have us keep a buffer for each of its short messages.
    #[test]
    fn short_messages_that_wait_keep_nothing_else_in_memory() {
        let piece = Bytes::from((0..=255).cycle().take(READ_BYTES).collect::<Vec<u8>>());
        let waiting = |ranges: &[Range<usize>]| {
            let mut messages = Messages::new(piece.clone(), Vec::new(), false);
            ranges.iter().for_each(|range| messages.push(message(1, range.clone()), None));
            messages.pop_front();
            messages.copy_if_short();
            for range in &ranges[1..] {
                assert_eq!(messages.front().unwrap().fields(), piece[range.clone()]);
                messages.pop_front();
            }
            messages.bytes.len()
        };
        assert_eq!(waiting(&[0..9, 20..30, 30..30, 60..65]), 15, "what was taken is not kept either");
        let [long, half] = [0..READ_BYTES / 4, READ_BYTES / 8..READ_BYTES / 4];
        assert_eq!(waiting(&[0..1, long]), READ_BYTES, "a long one is not copied");
        assert_eq!(waiting(&[0..1, half.clone(), half]), READ_BYTES, "nor are many");
    }

    #[test]
    fn what_a_message_brings_along_stays_with_it() {
        let annotation = |number: u64| {
            let trace = TraceContext::new(u128::from(number), number, 0).unwrap();
            Arc::new(Annotation { trace: Some(trace), key: None })
        };
        let mut messages = Messages::new(Bytes::new(), Vec::new(), false);
        let brought = [None, Some(1), None, Some(2), Some(3), None];
        for (actor, number) in (0..).zip(brought) {
            messages.push(message(actor, 0..0), number.map(annotation));
        }
        for (actor, number) in (0..).zip(brought) {
            let front = messages.front().unwrap();
            assert_eq!(front.message.actor, actor);
            assert_eq!(front.annotation.cloned(), number.map(annotation));
            messages.pop_front();
        }
        assert!(messages.front().is_none());
    }
}
