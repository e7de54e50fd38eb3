//! How much data may be under way, in bytes, each direction on its own.
//!
//! A sender may begin a frame while it is below its limit, so it can overdraw by one frame; a
//! receiver that sees more than that has a peer that cheats. The limit rises as messages get
//! into their mailboxes, half a window at a time. It is a place in the session's data and not
//! a number of bytes, so it may be said twice, and out of order.

use crate::wire::frame::HEADER_BYTES;

/// What this side may still send.
#[derive(Debug)]
pub(crate) struct SendWindow {
    window: u64,
    sent: u64,
    limit: u64,
}

/// The peer lent more than its window.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooMuchCredit;

impl SendWindow {
    pub(crate) fn new(window: u64) -> Self {
        Self { window, sent: 0, limit: window }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.sent < self.limit
    }

    pub(crate) fn sent(&mut self, bytes: usize) {
        self.sent += bytes as u64;
    }

    /// The peer takes everything up to this limit. Whether that is more than before.
    pub(crate) fn granted(&mut self, limit: u64) -> Result<bool, TooMuchCredit> {
        if limit > self.sent.saturating_add(self.window) {
            return Err(TooMuchCredit);
        }
        let is_more = limit > self.limit;
        self.limit = self.limit.max(limit);
        Ok(is_more)
    }
}

/// What this side has lent to the peer.
#[derive(Debug)]
pub(crate) struct ReceiveWindow {
    window: u64,
    message_bytes_max: u64,
    received: u64,
    /// Of these, in their mailboxes.
    delivered: u64,
    /// How much of what was delivered the peer was told of.
    told: u64,
}

/// The peer sent more than it was lent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Overdrawn;

impl ReceiveWindow {
    pub(crate) fn new(window: u64, message_bytes_max: usize) -> Self {
        Self { window, message_bytes_max: message_bytes_max as u64, received: 0, delivered: 0, told: 0 }
    }

    pub(crate) fn received(&mut self, bytes: usize) -> Result<(), Overdrawn> {
        self.received += bytes as u64;
        let most = self.told + self.window + self.message_bytes_max + HEADER_BYTES as u64;
        if self.received < most { Ok(()) } else { Err(Overdrawn) }
    }

    /// Counts a message as delivered. Whether the peer should be told.
    pub(crate) fn delivered(&mut self, bytes: usize) -> bool {
        self.delivered += bytes as u64;
        self.delivered - self.told >= self.window / 2
    }

    /// The limit, which the peer is being told. It rises half a window at a time, however often
    /// it is said.
    pub(crate) fn tell(&mut self) -> u64 {
        if self.delivered - self.told >= self.window / 2 {
            self.told = self.delivered;
        }
        self.told + self.window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_stops_without_credit_and_goes_on_with_it() {
        let mut window = SendWindow::new(10);
        window.sent(9);
        assert!(window.is_open());
        window.sent(4);
        assert!(!window.is_open());
        assert_eq!(window.granted(13), Ok(true));
        assert!(!window.is_open(), "an overdraft is paid back first");
        assert_eq!(window.granted(23), Ok(true));
        assert!(window.is_open());
        window.sent(10);
        assert_eq!(window.granted(13), Ok(false), "it was said before");
        assert!(!window.is_open());
    }

    #[test]
    fn credit_out_of_nowhere_is_refused() {
        let mut window = SendWindow::new(10);
        assert_eq!(window.granted(10), Ok(false));
        assert_eq!(window.granted(11), Err(TooMuchCredit));
        window.sent(5);
        assert_eq!(window.granted(u64::MAX), Err(TooMuchCredit));
        assert_eq!(window.granted(15), Ok(true));
    }

    #[test]
    fn a_receiver_grants_half_a_window_at_a_time_and_catches_an_overdraft() {
        let mut window = ReceiveWindow::new(10, 4);
        assert_eq!(window.received(9), Ok(()));
        assert!(!window.delivered(4));
        assert_eq!(window.tell(), 10, "less is not worth a word");
        assert!(window.delivered(5));
        assert_eq!(window.tell(), 19);
        assert_eq!(window.received(10), Ok(()));
        assert_eq!(window.received(11), Ok(()), "one frame over the window is an overdraft");
        assert_eq!(window.received(1), Err(Overdrawn));
    }
}
