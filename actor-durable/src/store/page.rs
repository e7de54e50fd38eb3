//! How much one page of a list takes.

use super::message::{DeadLetter, Letter, Reminder, Undelivered};
use super::turn::Entry;
use crate::id::MessageId;
use crate::limits::{PAGE_BYTES_MAX, PAGE_ROWS_MAX};

/// What is left of a page while a store fills it, row by row.
#[derive(Clone, Debug)]
pub struct Page {
    rows: usize,
    bytes: usize,
    is_empty: bool,
}

impl Page {
    /// An empty page, for whoever asks for at most so many rows.
    pub fn new(limit: usize) -> Self {
        Self { rows: limit.min(PAGE_ROWS_MAX), bytes: PAGE_BYTES_MAX, is_empty: true }
    }

    /// Takes a row of this size, if there is room. For the first there always is, however large it is.
    pub fn takes(&mut self, bytes: usize) -> bool {
        if self.rows == 0 || bytes > self.bytes && !self.is_empty {
            return false;
        }
        self.rows -= 1;
        self.bytes = self.bytes.saturating_sub(bytes);
        self.is_empty = false;
        true
    }
}

impl Entry {
    /// The bytes of what it says.
    pub(crate) fn bytes(&self) -> usize {
        let events: usize = self.events.iter().map(|event| event.bytes.len()).sum();
        events + self.sent.len() * size_of::<MessageId>()
    }
}

impl Letter {
    /// As [`Message::bytes`](super::Message::bytes).
    pub(crate) fn bytes(&self) -> usize {
        self.message.bytes()
    }
}

impl DeadLetter {
    /// The bytes of the letter and of the reason.
    pub(crate) fn bytes(&self) -> usize {
        self.letter.bytes() + self.reason.len()
    }
}

impl Undelivered {
    /// The bytes of the message and of the reason.
    pub(crate) fn bytes(&self) -> usize {
        self.outgoing.bytes() + self.reason.len()
    }
}

impl Reminder {
    /// The bytes of its payload.
    pub(crate) fn bytes(&self) -> usize {
        self.body.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_so_many_rows_and_bytes_and_at_least_one_row() {
        let mut rows = Page::new(2);
        assert_eq!([1, 1, 1].map(|bytes| rows.takes(bytes)), [true, true, false]);
        assert_eq!(Page::new(usize::MAX).rows, PAGE_ROWS_MAX);
        let mut bytes = Page::new(9);
        assert_eq!([PAGE_BYTES_MAX - 1, 2, 1, 1].map(|size| bytes.takes(size)), [true, false, true, false]);
        let mut large = Page::new(9);
        assert_eq!([PAGE_BYTES_MAX + 1, 1, 0].map(|size| large.takes(size)), [true, false, true]);
    }
}
