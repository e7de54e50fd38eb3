//! How much data may be under way, in bytes, each direction on its own.
//!
//! A sender may begin a frame while it has any credit left, so it can overdraw by
//! one frame; a receiver that sees more than that has a peer that cheats. Credit
//! comes back when messages are in their mailboxes, half a window at a time.

use crate::wire::frame::HEADER_BYTES;

/// What this side may still send.
#[derive(Debug)]
pub(crate) struct SendWindow {
    window: u64,
    /// Below zero by less than one frame after an overdraft.
    credit: i64,
}

/// The peer granted more than it had lent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooMuchCredit;

impl SendWindow {
    pub(crate) fn new(window: u64) -> Self {
        let window = window.min(i64::MAX as u64);
        Self { window, credit: window.cast_signed() }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.credit > 0
    }

    pub(crate) fn sent(&mut self, bytes: usize) {
        self.credit -= bytes as i64;
    }

    pub(crate) fn granted(&mut self, bytes: u64) -> Result<(), TooMuchCredit> {
        let credit = i64::try_from(bytes).ok().and_then(|bytes| self.credit.checked_add(bytes));
        match credit {
            Some(credit) if credit <= self.window.cast_signed() => {
                self.credit = credit;
                Ok(())
            }
            _ => Err(TooMuchCredit),
        }
    }
}

/// What this side has lent to the peer.
#[derive(Debug)]
pub(crate) struct ReceiveWindow {
    window: u64,
    body_bytes_max: u64,
    /// Received and not granted again.
    outstanding: u64,
    /// Of these, in their mailboxes and not granted again.
    delivered: u64,
}

/// The peer sent more than it was lent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Overdrawn;

impl ReceiveWindow {
    pub(crate) fn new(window: u64, body_bytes_max: usize) -> Self {
        Self { window, body_bytes_max: body_bytes_max as u64, outstanding: 0, delivered: 0 }
    }

    pub(crate) fn received(&mut self, bytes: usize) -> Result<(), Overdrawn> {
        self.outstanding += bytes as u64;
        let most = self.window + self.body_bytes_max + HEADER_BYTES as u64;
        if self.outstanding < most { Ok(()) } else { Err(Overdrawn) }
    }

    /// Counts a message as delivered; what to grant now, if it is worth a frame.
    pub(crate) fn delivered(&mut self, bytes: usize) -> Option<u64> {
        self.delivered += bytes as u64;
        if self.delivered < self.window / 2 {
            return None;
        }
        self.outstanding = self.outstanding.saturating_sub(self.delivered);
        Some(std::mem::take(&mut self.delivered))
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
        assert_eq!(window.granted(3), Ok(()));
        assert!(!window.is_open(), "an overdraft is paid back first");
        assert_eq!(window.granted(10), Ok(()));
        assert!(window.is_open());
    }

    #[test]
    fn credit_out_of_nowhere_is_refused() {
        let mut window = SendWindow::new(10);
        assert_eq!(window.granted(1), Err(TooMuchCredit));
        window.sent(5);
        assert_eq!(window.granted(u64::MAX), Err(TooMuchCredit));
        assert_eq!(window.granted(5), Ok(()));
    }

    #[test]
    fn a_receiver_grants_half_a_window_at_a_time_and_catches_an_overdraft() {
        let mut window = ReceiveWindow::new(10, 4);
        assert_eq!(window.received(9), Ok(()));
        assert_eq!(window.delivered(4), None);
        assert_eq!(window.delivered(5), Some(9));
        assert_eq!(window.received(10), Ok(()));
        assert_eq!(window.received(11), Ok(()), "one frame over the window is an overdraft");
        assert_eq!(window.received(1), Err(Overdrawn));
    }
}
