//! The numbers that stand for message types: agreed on the fly, so that no
//! message carries a name. Each side numbers what it sends.

use std::collections::BTreeMap;

use crate::limits::TYPES_MAX;
use crate::wire::schema::Fingerprint;
use crate::wire::{TypeTag, VariantTag};

/// A variant of a message type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shape {
    pub(crate) message: TypeTag,
    pub(crate) variant: VariantTag,
}

/// What the sender of a message has said of its version of the type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spoken {
    /// Nothing: the two builds are taken to be alike.
    Unsaid,
    /// The message has all fields of this version.
    Own(Fingerprint),
    /// The message has the fields that both versions know.
    Common,
}

/// A shape that a peer sends, and in which version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Defined {
    pub(crate) shape: Shape,
    pub(crate) spoken: Spoken,
}

/// The numbers this side has given out.
#[derive(Debug, Default)]
pub(crate) struct SentTypes {
    /// None where a shape is to be defined anew.
    indices: BTreeMap<Shape, Option<u32>>,
    /// The one that was looked up last: the next is often the same.
    last: Option<(Shape, u32)>,
    /// What each number stands for.
    order: Vec<Shape>,
}

/// The index of a shape, and whether the peer must be told of it first.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Index {
    Known(u32),
    New(u32),
}

impl SentTypes {
    /// The shape's number, if it has one.
    #[inline]
    pub(crate) fn known(&mut self, shape: Shape) -> Option<u32> {
        match self.last {
            Some((last, index)) if last == shape => Some(index),
            _ => {
                let index = self.indices.get(&shape).copied()??;
                self.last = Some((shape, index));
                Some(index)
            }
        }
    }

    /// Whether the peer was ever told of the shape.
    pub(crate) fn has(&self, shape: Shape) -> bool {
        self.indices.contains_key(&shape)
    }

    /// What each number stands for.
    pub(crate) fn in_order(&self) -> &[Shape] {
        &self.order
    }

    /// The shape's number; `None` if there are as many as there may be.
    pub(crate) fn index(&mut self, shape: Shape) -> Option<Index> {
        if let Some(index) = self.known(shape) {
            return Some(Index::Known(index));
        }
        let index = u32::try_from(self.order.len()).ok().filter(|index| (*index as usize) < TYPES_MAX)?;
        self.order.push(shape);
        self.indices.insert(shape, Some(index));
        Some(Index::New(index))
    }

    /// The peer's version of a type is known now: what it was told of this side's is worth nothing.
    pub(crate) fn forget(&mut self, message: TypeTag) {
        self.last.take_if(|(shape, _)| shape.message == message);
        let of_type = self.indices.iter_mut().filter(|(shape, _)| shape.message == message);
        of_type.for_each(|(_, index)| *index = None);
    }
}

/// The numbers the peer has given out.
#[derive(Debug, Default)]
pub(crate) struct ReceivedTypes {
    defined: Vec<Defined>,
}

/// The peer numbered out of order or too much.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadIndex;

impl ReceivedTypes {
    pub(crate) fn define(&mut self, index: u32, defined: Defined) -> Result<(), BadIndex> {
        if index as usize != self.defined.len() || self.defined.len() >= TYPES_MAX {
            return Err(BadIndex);
        }
        self.defined.push(defined);
        Ok(())
    }

    pub(crate) fn defined(&self, index: u32) -> Option<Defined> {
        self.defined.get(index as usize).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(n: u64) -> Shape {
        Shape { message: TypeTag::from_u64(n), variant: VariantTag::from_u64(n) }
    }

    fn defined(n: u64) -> Defined {
        Defined { shape: shape(n), spoken: Spoken::Unsaid }
    }

    #[test]
    fn both_sides_agree() {
        let (mut sent, mut received) = (SentTypes::default(), ReceivedTypes::default());
        for n in [3, 1, 3, 2] {
            if let Some(Index::New(index)) = sent.index(shape(n)) {
                assert_eq!(received.define(index, defined(n)), Ok(()));
            }
            let Some(Index::Known(index)) = sent.index(shape(n)) else { panic!("it was just defined") };
            assert_eq!(received.defined(index), Some(defined(n)));
        }
        assert_eq!(received.defined(3), None);
        assert_eq!(received.define(7, defined(9)), Err(BadIndex));
    }

    #[test]
    fn what_was_forgotten_gets_another_number_and_what_was_sent_stays_known() {
        let mut sent = SentTypes::default();
        for n in [1, 2, 1] {
            sent.index(shape(n));
        }
        assert_eq!(sent.known(shape(1)), Some(0));
        sent.forget(TypeTag::from_u64(1));
        assert_eq!((sent.known(shape(1)), sent.known(shape(2))), (None, Some(1)));
        assert!(sent.has(shape(1)), "messages of it may be under way");
        assert_eq!(sent.index(shape(1)), Some(Index::New(2)));
        assert_eq!(sent.in_order(), [1, 2, 1].map(shape));
        assert!(!sent.has(shape(3)));
    }

    #[test]
    fn there_is_an_end_to_it() {
        let mut sent = SentTypes::default();
        let mut received = ReceivedTypes::default();
        let end = u32::try_from(TYPES_MAX).unwrap();
        for n in 0..end {
            assert_eq!(sent.index(shape(n.into())), Some(Index::New(n)));
            assert_eq!(received.define(n, defined(n.into())), Ok(()));
        }
        assert_eq!(sent.index(shape(u64::MAX)), None);
        assert_eq!(received.define(end, defined(u64::MAX)), Err(BadIndex));
    }
}
