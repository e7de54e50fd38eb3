//! What was handed out of a lane and may have to be written again.
//!
//! ```text
//!      acked          next               sent
//!  ──────┬─────────────┬──────────────────┬──►
//!        │ written,    │ to be written    │
//!        │ not there?  │ once more        │
//!        └─────────────┴──────────────────┘
//! ```
//!
//! Every byte of a lane has an offset, counted from the session's beginning. Without a loss
//! `next` is `sent`. When the lane's stream is lost, `next` goes back to `acked`, and the lane
//! goes on with another stream; the reader skips what it has already.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};

use super::parts::Ending;
use crate::wire::frame;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// Oldest first, from `acked`.
    written: VecDeque<Written>,
    /// How many of them lie before `next`.
    at: usize,
    acked: u64,
    next: u64,
    sent: u64,
    /// The offset that the reader of the lane's stream gives to the next byte there.
    read_at: Option<u64>,
    /// How many bytes of parts are not acknowledged.
    part_bytes: u64,
}

/// A segment that was handed out.
#[derive(Clone, Debug)]
pub(super) struct Written {
    /// Whole frames, but that the last one may go on in `slice`.
    pub(super) frames: Bytes,
    pub(super) slice: Bytes,
    /// The message of which it is the last part.
    pub(super) ends: Option<Ending>,
    /// How many bytes it had if it is a part, or else 0.
    pub(super) part_bytes: u64,
}

/// What is to be written next, without anything in between.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// The offset of the first byte, if the stream's reader has to be told.
    pub(crate) begin: Option<u64>,
    /// Whole frames, but that the last one may go on in `slice`.
    pub(crate) frames: Bytes,
    /// The rest of the last frame.
    pub(crate) slice: Bytes,
}

/// The peer acknowledges what it was never sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FromTheFuture;

impl Written {
    fn len(&self) -> usize {
        self.frames.len() + self.slice.len()
    }

    fn advance(&mut self, bytes: usize) {
        let of_frames = bytes.min(self.frames.len());
        self.frames.advance(of_frames);
        self.slice.advance(bytes - of_frames);
    }

    fn messages(&self) -> u64 {
        frame::count_messages(&self.frames) + u64::from(self.ends.is_some())
    }
}

impl Log {
    /// Adds what is handed out for the first time.
    pub(super) fn push(&mut self, written: Written) {
        self.sent += written.len() as u64;
        self.part_bytes += written.part_bytes;
        self.written.push_back(written);
    }

    /// Whether there is something to write to the lane's stream.
    pub(super) fn has_more(&self) -> bool {
        self.at < self.written.len()
    }

    /// Takes out what is to be written to the lane's stream next.
    pub(super) fn pop(&mut self) -> Option<Segment> {
        let written = self.written.get(self.at)?;
        let (frames, slice) = (written.frames.clone(), written.slice.clone());
        let begin = (self.read_at != Some(self.next)).then_some(self.next);
        self.at += 1;
        self.next += written.len() as u64;
        self.read_at = Some(self.next);
        Some(Segment { begin, frames, slice })
    }

    /// It is written to another stream from now on: what is not acknowledged is written
    /// again, since it may be lost.
    pub(super) fn restart(&mut self) {
        self.at = 0;
        self.next = self.acked;
        self.read_at = None;
    }

    /// The peer has everything before this offset. Its frames go to `is_done`.
    pub(super) fn acknowledged(
        &mut self,
        offset: u64,
        mut is_done: impl FnMut(Bytes),
    ) -> Result<(), FromTheFuture> {
        if offset > self.sent {
            return Err(FromTheFuture);
        }
        // What is said on several streams may come out of order.
        while self.acked < offset
            && let Some(oldest) = self.written.front_mut()
        {
            let news = usize::try_from(offset - self.acked).unwrap_or(usize::MAX);
            if news < oldest.len() {
                oldest.advance(news);
                self.acked = offset;
            } else if let Some(written) = self.written.pop_front() {
                self.acked += written.len() as u64;
                self.part_bytes -= written.part_bytes;
                self.at = self.at.saturating_sub(1);
                is_done(written.frames);
            }
        }
        // It need not be written again either.
        self.next = self.next.max(self.acked);
        Ok(())
    }

    /// How much was handed out, ever.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// How much of that is not acknowledged.
    pub(super) fn bytes(&self) -> u64 {
        self.sent - self.acked
    }

    /// How much of that is of parts, until the last byte of each is.
    pub(super) fn part_bytes(&self) -> u64 {
        self.part_bytes
    }

    /// How many messages are in it, answers aside.
    pub(super) fn messages(&self) -> u64 {
        self.written.iter().map(Written::messages).sum()
    }

    /// The casts in it: the indices of their types, and their targets.
    pub(super) fn casts(&self) -> impl Iterator<Item = (u32, u64)> {
        self.written
            .iter()
            .flat_map(|written| frame::casts(&written.frames).chain(written.ends.and_then(Ending::cast)))
    }
}
