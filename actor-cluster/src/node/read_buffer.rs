//! Where a stream is read into.
//!
//! The messages that were read share the memory they came in. When none of them is left it is read into
//! again: memory that comes from the system anew costs as much as what is read into it, and is in no cache.
//!
//! ```text
//!             it is full             there is much
//!   idle ───────────────────► quiet ────────────────► busy
//!    ▲ ▲                       │ ▲                    │ │
//!    │ └─ READ_REST ───────────┘ └─ QUIET_READS ──────┘ │
//!    └─ READ_REST ──────────────────────────────────────┘
//! ```

use std::mem;

use actor_core::Instant;
use bytes::BytesMut;

use crate::limits::{
    QUIET_READS, READ_BYTES, READ_BYTES_IDLE, READ_BYTES_LEAST, READ_BYTES_QUIET, READ_REST,
};

/// See the module.
pub(super) struct ReadBuffer {
    /// What was read and is not handled yet, and the room behind it.
    bytes: BytesMut,
    /// A share of nothing in the memory that was read into before, which messages may be in still.
    former: BytesMut,
    /// How much to have when it is made anew.
    size: usize,
    /// How often in a row little was read.
    quiet: usize,
    /// When more was read than heartbeats are.
    used_at: Instant,
}

impl ReadBuffer {
    /// In which bytes are already that were not looked at.
    pub(super) fn new(bytes: BytesMut) -> Self {
        Self::of_size(READ_BYTES_IDLE, bytes)
    }

    fn of_size(size: usize, bytes: BytesMut) -> Self {
        Self { bytes, former: BytesMut::new(), size, quiet: 0, used_at: Instant::ZERO }
    }

    /// Takes memory to read into that others have left, if it has none: streams on which little comes have none of their own.
    pub(super) fn borrow_from(&mut self, spare: &mut BytesMut) {
        if self.bytes.capacity() == 0 {
            mem::swap(&mut self.bytes, spare);
        }
    }

    /// Leaves its memory to others if it does not need it.
    pub(super) fn leave_to(&mut self, spare: &mut BytesMut) {
        if self.size == READ_BYTES_IDLE && self.bytes.is_empty() {
            *spare = mem::take(&mut self.bytes);
            self.former = BytesMut::new();
        }
    }

    /// What was read and is not handled yet.
    pub(super) fn unread(&mut self) -> &mut BytesMut {
        &mut self.bytes
    }

    /// How much can be read without making room.
    pub(super) fn room(&self) -> usize {
        self.bytes.capacity() - self.bytes.len()
    }

    /// How much room there is at least when it is read into.
    fn room_least(&self) -> usize {
        READ_BYTES_LEAST.min(self.size / 4)
    }

    /// Makes room to read into: [`READ_BYTES_LEAST`] at least, unless the stream is idle.
    pub(super) fn make_room(&mut self) {
        let least = self.room_least();
        if self.room() >= least {
            return;
        }
        let missing = self.size.saturating_sub(self.bytes.len()).max(least);
        if self.bytes.try_reclaim(missing) {
            return;
        }
        // Of what is there, at most a frame is left, which is moved.
        let mut next = mem::take(&mut self.former);
        if !next.try_reclaim(self.bytes.len() + missing) {
            next = BytesMut::with_capacity(self.bytes.len() + missing);
        }
        next.extend_from_slice(&self.bytes);
        self.bytes.clear();
        self.former = mem::replace(&mut self.bytes, next);
    }

    /// So much was read at once. A stream with much to read gets more memory, and one that was quiet for
    /// long gives it up.
    pub(super) fn note_read(&mut self, now: Instant, bytes: usize) {
        if self.size == READ_BYTES_IDLE {
            if self.room() == 0 {
                // What filled it is not all that there is.
                (self.size, self.used_at) = (READ_BYTES_QUIET, now);
            }
            return;
        }
        if bytes > READ_BYTES_IDLE / 2 {
            self.used_at = now;
        }
        // What is handled takes no room in the end: little at a time needs no more than there is.
        let is_much = bytes >= READ_BYTES_LEAST || self.bytes.len() > READ_BYTES_QUIET / 2;
        if is_much && self.room() < READ_BYTES_LEAST {
            (self.size, self.quiet) = (READ_BYTES, 0);
        } else if bytes >= READ_BYTES_LEAST {
            self.quiet = 0;
        } else if self.size > READ_BYTES_QUIET {
            self.quiet += 1;
            if self.quiet >= QUIET_READS {
                self.shrink(READ_BYTES_QUIET);
            }
        }
    }

    /// There is nothing to read now.
    pub(super) fn rest(&mut self, now: Instant) {
        if self.size > READ_BYTES_IDLE && now >= self.used_at + READ_REST {
            self.shrink(READ_BYTES_IDLE);
        }
    }

    fn shrink(&mut self, size: usize) {
        let used_at = self.used_at;
        *self = Self { used_at, ..Self::of_size(size, BytesMut::from(&self.bytes[..])) };
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;

    /// Reads until there is no room for more, and takes all but so many bytes out.
    fn read(buffer: &mut ReadBuffer, rest: usize) -> Bytes {
        buffer.make_room();
        let bytes = buffer.room();
        assert!(bytes >= buffer.room_least());
        let filled = buffer.unread().len() + bytes;
        buffer.unread().resize(filled, 7);
        buffer.note_read(Instant::ZERO, bytes);
        let taken = buffer.unread().len() - rest;
        buffer.unread().split_to(taken).freeze()
    }

    /// One that has read much, and has nothing of that left.
    fn busy() -> ReadBuffer {
        let mut buffer = ReadBuffer::new(BytesMut::new());
        while buffer.size < READ_BYTES {
            let _ = read(&mut buffer, 0);
        }
        buffer
    }

    #[test]
    fn memory_is_read_into_again_when_nobody_has_a_share_in_it() {
        let mut buffer = ReadBuffer::new(BytesMut::from(&b"rest"[..]));
        assert_eq!(read(&mut buffer, 10)[..5], *b"rest\x07");
        let _ = read(&mut buffer, 10);
        // What is much gets the long one, and then keeps to it.
        let first = read(&mut buffer, 10);
        assert_eq!(first.len(), READ_BYTES - 10);
        let place = first.as_ptr();
        drop(first);
        for _ in 0..5 {
            assert_eq!(read(&mut buffer, 10).as_ptr(), place);
        }
    }

    #[test]
    fn two_are_read_into_in_turn_while_one_is_in_use() {
        let mut buffer = busy();
        let mut former = [read(&mut buffer, 10), read(&mut buffer, 10)];
        let places = former.each_ref().map(|piece| piece.as_ptr());
        assert_ne!(places[0], places[1]);
        for round in 0..6 {
            former[round % 2] = Bytes::new();
            former[round % 2] = read(&mut buffer, 10);
            assert_eq!(former.each_ref().map(|piece| piece.as_ptr()), places);
        }
    }

    #[test]
    fn what_is_in_use_for_long_is_left_alone() {
        let mut buffer = busy();
        let kept: Vec<_> = (0..5).map(|_| read(&mut buffer, 1)).collect();
        assert!(kept.iter().all(|piece| piece.iter().all(|byte| *byte == 7)));
        assert_eq!(buffer.unread(), &[7][..]);
    }

    #[test]
    fn little_at_a_time_needs_no_more_memory() {
        let mut buffer = ReadBuffer::of_size(READ_BYTES_QUIET, BytesMut::new());
        buffer.make_room();
        let places = buffer.bytes.as_ptr_range().start..buffer.bytes.as_ptr().wrapping_add(READ_BYTES_QUIET);
        for _ in 0..1000 {
            buffer.make_room();
            buffer.unread().extend_from_slice(&[7; 1024]);
            buffer.note_read(Instant::ZERO, 1024);
            assert!(places.contains(&buffer.unread().split().as_ptr()));
        }
    }

    #[test]
    fn a_stream_that_is_quiet_for_long_gives_its_memory_up() {
        let mut buffer = busy();
        let _ = read(&mut buffer, 3);
        buffer.make_room();
        assert!(buffer.room() > READ_BYTES_QUIET);
        for _ in 1..QUIET_READS {
            buffer.note_read(Instant::ZERO, 1);
        }
        assert!(buffer.room() > READ_BYTES_QUIET);
        buffer.note_read(Instant::ZERO, 1);
        assert_eq!(buffer.unread(), &[7; 3][..]);
        buffer.make_room();
        assert!(buffer.room() <= READ_BYTES_QUIET);
    }

    #[test]
    fn heartbeats_need_the_memory_of_nobody_in_particular() {
        let (mut one, mut other) = (ReadBuffer::new(BytesMut::new()), ReadBuffer::new(BytesMut::new()));
        let mut spare = BytesMut::new();
        let mut place = None;
        for _ in 0..1000 {
            for buffer in [&mut one, &mut other] {
                buffer.borrow_from(&mut spare);
                buffer.make_room();
                buffer.unread().extend_from_slice(&[7; 24]);
                buffer.note_read(Instant::ZERO, 24);
                drop(buffer.unread().split());
                buffer.leave_to(&mut spare);
                assert_eq!(buffer.bytes.capacity(), 0);
            }
            one.borrow_from(&mut spare);
            one.make_room();
            let begin = one.bytes.as_ptr() as usize;
            one.leave_to(&mut spare);
            let first = *place.get_or_insert(begin);
            assert!(begin.abs_diff(first) <= READ_BYTES_IDLE, "it is the same all the time");
        }
        // Half a frame stays where it is, and others take other memory.
        one.borrow_from(&mut spare);
        one.make_room();
        one.unread().extend_from_slice(&[7; 3]);
        one.note_read(Instant::ZERO, 3);
        one.leave_to(&mut spare);
        other.borrow_from(&mut spare);
        other.make_room();
        assert_eq!((one.unread().as_ref(), other.unread().len()), (&[7; 3][..], 0));
        assert!(other.room() >= other.room_least());
    }

    #[test]
    fn a_stream_that_rests_gives_all_its_memory_up() {
        let mut buffer = busy();
        let kept = read(&mut buffer, 3);
        let later = |millis: u64| Instant::ZERO + READ_REST + Duration::from_millis(millis);
        buffer.rest(Instant::ZERO + (READ_REST - Duration::from_millis(1)));
        assert_eq!(buffer.size, READ_BYTES, "it may go on any time");
        buffer.note_read(later(0), READ_BYTES_IDLE / 2);
        buffer.rest(later(0));
        assert_eq!((buffer.size, buffer.unread().as_ref()), (READ_BYTES_IDLE, &[7; 3][..]));
        assert!(buffer.bytes.capacity() < READ_BYTES_IDLE && buffer.former.capacity() == 0);
        assert!(kept.iter().all(|byte| *byte == 7));
        // And gets it again.
        let _ = read(&mut buffer, 0);
        buffer.note_read(later(1), READ_BYTES_IDLE);
        buffer.rest(later(1));
        assert_eq!(buffer.size, READ_BYTES_QUIET);
    }
}
