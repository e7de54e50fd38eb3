//! One direction of a stream: what is on its way, and who waits for it.

use std::collections::VecDeque;
use std::task::Waker;

use actor_core::Instant;
use bytes::{Buf, Bytes};

use super::way::Way;
use crate::limits::SIMULATED_SOCKET_BYTES;

/// What one node writes and the other reads.
#[derive(Default)]
pub(super) struct Pipe {
    items: VecDeque<Item>,
    /// What the writer has written, and does not know to have been read: no more than the buffers of two sockets.
    held: usize,
    /// What of it was read, and the word of that cannot pass.
    owed: usize,
    /// Nothing arrives before what was written before it.
    last_due: Instant,
    /// Whoever waits for bytes, and since when somebody is to wake him.
    pub(super) reader: Option<Waker>,
    pub(super) alarm: Option<(Instant, u64)>,
    pub(super) writer: Option<Waker>,
    /// The writer has said that it writes no more.
    is_ended: bool,
    /// When the word arrives that nobody reads any more.
    unread: Option<Instant>,
}

/// Something on its way.
struct Item {
    due: Instant,
    what: What,
}

enum What {
    Bytes(Bytes),
    /// The writer writes no more.
    End,
    /// The connection is no more.
    Reset,
}

/// What there is to read.
pub(super) enum Readable {
    Bytes(Bytes),
    End,
    Reset,
    /// Nothing yet.
    Later,
}

impl Pipe {
    /// How many bytes may be written now.
    pub(super) fn room(&self) -> usize {
        SIMULATED_SOCKET_BYTES.saturating_sub(self.held)
    }

    pub(super) fn write(&mut self, bytes: Bytes, due: Instant) {
        self.held += bytes.len();
        self.put(What::Bytes(bytes), due);
    }

    /// Nothing more is written. Said again it changes nothing.
    pub(super) fn end(&mut self, due: Instant) {
        if !std::mem::replace(&mut self.is_ended, true) {
            self.put(What::End, due);
        }
    }

    pub(super) fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// What is not there by then never comes.
    pub(super) fn reset(&mut self, due: Instant) {
        self.items.retain(|item| item.due < due);
        self.items.push_back(Item { due, what: What::Reset });
        self.last_due = due;
    }

    fn put(&mut self, what: What, due: Instant) {
        let due = due.max(self.last_due);
        self.last_due = due;
        self.items.push_back(Item { due, what });
    }

    /// When what comes next is there, if anything does.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.items.front().map(|item| item.due)
    }

    /// Reads at most so many bytes. An end stays.
    pub(super) fn read(&mut self, now: Instant, there: &Way, bytes_max: usize) -> Readable {
        let Some(first) = self.items.front_mut() else { return Readable::Later };
        if !there.has_let_pass(first.due, now) {
            return Readable::Later;
        }
        match &mut first.what {
            What::End => Readable::End,
            What::Reset => Readable::Reset,
            What::Bytes(bytes) => {
                let taken = bytes.split_to(bytes.len().min(bytes_max));
                if !bytes.has_remaining() {
                    self.items.pop_front();
                }
                Readable::Bytes(taken)
            }
        }
    }

    /// The writer learns that so much was read, unless no word of it passes. Whom to wake.
    pub(super) fn note_read(&mut self, bytes: usize, back: &Way) -> Option<Waker> {
        if back.is_blocked() {
            self.owed += bytes;
            return None;
        }
        self.held -= bytes;
        self.writer.take()
    }

    /// Nobody reads any more, which the writer learns then.
    pub(super) fn note_unread(&mut self, due: Instant) {
        let due = self.unread.map_or(due, |former| former.min(due));
        self.unread = Some(due);
    }

    /// Whether the writer knows that nobody reads.
    pub(super) fn is_unread(&self, now: Instant, back: &Way) -> bool {
        self.unread.is_some_and(|due| back.has_let_pass(due, now))
    }

    /// The way on which its bytes go is open again: what could not pass is sent again, and comes after so long.
    pub(super) fn pass_on(&mut self, blocked: Instant, due: Instant) {
        let late = self.items.iter_mut().filter(|item| item.due > blocked);
        let mut last = due;
        for item in late {
            item.due = item.due.max(last);
            last = item.due;
        }
        self.last_due = self.last_due.max(last);
    }

    /// The way back is open again.
    pub(super) fn settle(&mut self, blocked: Instant, due: Instant) -> Option<Waker> {
        self.held -= std::mem::take(&mut self.owed);
        if let Some(unread) = self.unread.as_mut().filter(|unread| **unread > blocked) {
            *unread = (*unread).max(due);
        }
        self.writer.take()
    }
}
