//! Messages that come in parts, put together again.

use bytes::{Bytes, BytesMut};

use crate::limits::{FRAME_BODY_BYTES_MAX, LARGE_OPEN_MAX, PART_BYTES};
use crate::session::annotations::Annotated;
use crate::wire::frame::Head;

/// What has arrived of them so far, by their numbers.
#[derive(Debug, Default)]
pub(crate) struct Assemblies {
    /// A place for each number, or no places while there are none: most lanes never have any.
    open: Vec<Option<Assembly>>,
}

#[derive(Debug)]
struct Assembly {
    head: Head,
    annotated: Annotated,
    /// How many bytes of it have come.
    came: usize,
    /// Those bytes; empty if nobody wants them.
    body: BytesMut,
    /// Whether it is put together at all.
    is_wanted: bool,
}

/// A message of which every part has come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    pub(crate) head: Head,
    pub(crate) annotated: Annotated,
    pub(crate) body: Bytes,
}

/// The peer cuts otherwise than it must.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadPart;

impl Assemblies {
    /// A message begins, which is at most `length_max` long.
    pub(crate) fn begin(
        &mut self,
        number: u32,
        head: Head,
        annotated: Annotated,
        length_max: usize,
    ) -> Result<(), BadPart> {
        let length = head.length as usize;
        if length <= FRAME_BODY_BYTES_MAX || length > length_max {
            return Err(BadPart);
        }
        if self.open.is_empty() {
            self.open.resize_with(LARGE_OPEN_MAX, || None);
        }
        match self.slot(number)? {
            Some(_) => Err(BadPart),
            // No memory before there are bytes to put there.
            slot => {
                *slot = Some(Assembly { head, annotated, came: 0, body: BytesMut::new(), is_wanted: true });
                Ok(())
            }
        }
    }

    /// What a message is of which no part has come.
    pub(crate) fn unbegun(&self, number: u32) -> Option<Head> {
        let assembly = self.open.get(usize::try_from(number).ok()?)?.as_ref();
        assembly.filter(|assembly| assembly.came == 0).map(|assembly| assembly.head)
    }

    /// How much memory they take.
    #[cfg(test)]
    pub(crate) fn kept_bytes(&self) -> usize {
        self.open.iter().flatten().map(|assembly| assembly.body.capacity()).sum()
    }

    /// Nobody wants it: nothing of it is kept, and it never becomes whole.
    pub(crate) fn ignore(&mut self, number: u32) {
        if let Ok(Some(assembly)) = self.slot(number) {
            assembly.is_wanted = false;
            assembly.body = BytesMut::new();
        }
    }

    /// A part of one; what has become whole with it.
    pub(crate) fn part(&mut self, number: u32, part: &[u8]) -> Result<Option<Whole>, BadPart> {
        let slot = self.slot(number)?;
        let Some(Assembly { head, came, body, is_wanted, .. }) = slot else { return Err(BadPart) };
        let length = head.length as usize;
        // Parts of another length could cost more than they hold.
        if part.len() != PART_BYTES.min(length - *came) {
            return Err(BadPart);
        }
        *came += part.len();
        if *is_wanted {
            body.reserve(length - body.len());
            body.extend_from_slice(part);
        }
        if *came < length {
            return Ok(None);
        }
        let whole = slot.take().filter(|assembly| assembly.is_wanted);
        if self.open.iter().all(Option::is_none) {
            self.open = Vec::new();
        }
        Ok(whole.map(|Assembly { head, annotated, body, .. }| Whole { head, annotated, body: body.freeze() }))
    }

    fn slot(&mut self, number: u32) -> Result<&mut Option<Assembly>, BadPart> {
        usize::try_from(number).ok().and_then(|number| self.open.get_mut(number)).ok_or(BadPart)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::wire::frame::Kind;

    const MAX: usize = 4 * PART_BYTES;

    fn head(length: usize) -> Head {
        Head { kind: Kind::Cast, index: 7, length: u32::try_from(length).unwrap() }
    }

    fn annotated() -> Annotated {
        Annotated { annotation: Some(Arc::default()), bytes: 9 }
    }

    fn begin(assemblies: &mut Assemblies, number: u32, length: usize) -> Result<(), BadPart> {
        assemblies.begin(number, head(length), annotated(), MAX)
    }

    #[test]
    fn parts_of_several_messages_may_come_in_turns() {
        let mut assemblies = Assemblies::default();
        let length = 2 * PART_BYTES + 1;
        assert_eq!(begin(&mut assemblies, 0, length), Ok(()));
        assert_eq!(begin(&mut assemblies, 15, MAX), Ok(()));
        for _ in 0..2 {
            assert_eq!(assemblies.part(0, &[1; PART_BYTES]), Ok(None));
            assert_eq!(assemblies.part(15, &[2; PART_BYTES]), Ok(None));
        }
        let whole = Whole { head: head(length), annotated: annotated(), body: vec![1; length].into() };
        assert_eq!(assemblies.part(0, &[1]), Ok(Some(whole)));
        assert_eq!(assemblies.part(0, &[1]), Err(BadPart), "it is whole");
        assert_eq!(begin(&mut assemblies, 0, length), Ok(()), "the number is free");
    }

    #[test]
    fn what_nobody_wants_is_counted_and_not_kept() {
        let mut assemblies = Assemblies::default();
        begin(&mut assemblies, 3, 2 * PART_BYTES + 1).unwrap();
        assert_eq!((assemblies.unbegun(3), assemblies.unbegun(4)), (Some(head(2 * PART_BYTES + 1)), None));
        assert_eq!(assemblies.part(3, &[1; PART_BYTES]), Ok(None));
        assert_eq!((assemblies.unbegun(3), assemblies.unbegun(16)), (None, None));
        assemblies.ignore(3);
        assert_eq!(assemblies.part(3, &[1; PART_BYTES]), Ok(None));
        assert_eq!(assemblies.open[3].as_ref().unwrap().body.capacity(), 0);
        assert_eq!(assemblies.part(3, &[1, 1]), Err(BadPart), "it is cut as others are");
        assert_eq!(assemblies.part(3, &[1]), Ok(None), "it is never whole");
        assert_eq!(begin(&mut assemblies, 3, MAX), Ok(()), "the number is free");
    }

    #[test]
    fn other_cuts_are_refused() {
        let mut assemblies = Assemblies::default();
        assert_eq!(begin(&mut assemblies, 0, FRAME_BODY_BYTES_MAX), Err(BadPart), "it needs no parts");
        assert_eq!(begin(&mut assemblies, 0, MAX + 1), Err(BadPart), "it is too long");
        assert_eq!(begin(&mut assemblies, 16, MAX), Err(BadPart), "no such number");
        assert_eq!(assemblies.part(0, &[0; PART_BYTES]), Err(BadPart), "nothing has begun");
        let length = FRAME_BODY_BYTES_MAX + 1;
        assert_eq!(begin(&mut assemblies, 0, length), Ok(()));
        assert_eq!(begin(&mut assemblies, 0, MAX), Err(BadPart), "the number is taken");
        for length in [0, 1, PART_BYTES - 1, PART_BYTES + 1] {
            assert_eq!(assemblies.part(0, &vec![0; length]), Err(BadPart), "{length} bytes");
        }
        assert_eq!(assemblies.part(0, &[0; PART_BYTES]), Ok(None));
        assert_eq!(assemblies.part(0, &[0; PART_BYTES]), Ok(None));
        assert_eq!(assemblies.part(0, &[0; 2]), Err(BadPart), "more than was announced");
        let whole = Whole { head: head(length), annotated: annotated(), body: vec![0; length].into() };
        assert_eq!(assemblies.part(0, &[0]), Ok(Some(whole)));
    }
}
