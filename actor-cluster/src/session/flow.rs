//! How much data may be under way, in bytes, each direction on its own.
//!
//! A message costs its bytes, but never more than half a window, so that one which is longer than the window
//! leaves room for others beside it. A sender may begin one while it is below its limit, so it can overdraw
//! by as much. One that has waited for credit may begin half a window later still, where no other can have got to: senders that
//! never rest take what there is as soon as it comes, and would keep one that is slow to wake waiting for ever. A receiver
//! that sees more than both has a peer that cheats. The limit rises as messages get
//! into their mailboxes, a quarter of a window at a time. It is a place in the session's data and not
//! a number of bytes, so it may be said twice, and out of order.

use actor_core::Attempt;

/// What a message of so many bytes costs.
fn cost(bytes: usize, window: u64) -> u64 {
    (bytes as u64).min(window / 2)
}

/// How far beyond the limit a message may begin whose sender has waited for credit.
fn for_those_that_waited(window: u64) -> u64 {
    window / 2
}

/// How much must be delivered for the peer to be told.
fn worth_telling(window: u64) -> u64 {
    window / 4
}

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

    /// The window, what was spent, and the limit.
    pub(crate) fn audit(&self) -> [u64; 3] {
        [self.window, self.sent, self.limit]
    }

    /// How much may be under way.
    pub(crate) fn bytes(&self) -> u64 {
        self.window
    }

    /// Whether a message may begin.
    #[inline]
    pub(crate) fn is_open(&self, attempt: Attempt) -> bool {
        let more = match attempt {
            Attempt::First => 0,
            Attempt::Again => for_those_that_waited(self.window),
        };
        // A peer may say that its window is as large as a number can be.
        self.sent < self.limit.saturating_add(more)
    }

    /// A message of so many bytes was begun.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.sent += cost(bytes, self.window);
    }

    /// A message has begun that is not encoded yet, and has so many bytes at most. What it costs for now.
    pub(crate) fn reserve(&mut self, bytes_max: usize) -> u64 {
        self.sent(bytes_max);
        cost(bytes_max, self.window)
    }

    /// A message that was reserved so much for has this many bytes, or 0 if it is not sent: the rest is given back. Whether
    /// the window has opened with that.
    pub(crate) fn settle(&mut self, reserved: u64, bytes: usize) -> bool {
        let was_open = self.is_open(Attempt::First);
        debug_assert!(cost(bytes, self.window) <= reserved, "it is not longer than may be");
        self.sent = self.sent - reserved + cost(bytes, self.window);
        !was_open && self.is_open(Attempt::First)
    }

    /// The peer takes everything up to this limit. Whether the window has opened with that.
    pub(crate) fn granted(&mut self, limit: u64) -> Result<bool, TooMuchCredit> {
        if limit > self.sent.saturating_add(self.window) {
            return Err(TooMuchCredit);
        }
        let was_open = self.is_open(Attempt::First);
        self.limit = self.limit.max(limit);
        Ok(!was_open && self.is_open(Attempt::First))
    }
}

/// What this side has lent to the peer.
#[derive(Debug)]
pub(crate) struct ReceiveWindow {
    window: u64,
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
    pub(crate) fn new(window: u64) -> Self {
        Self { window, received: 0, delivered: 0, told: 0 }
    }

    /// The window, what was received, delivered, and told of.
    pub(crate) fn audit(&self) -> [u64; 4] {
        [self.window, self.received, self.delivered, self.told]
    }

    /// What a message of so many bytes costs.
    pub(crate) fn cost(&self, bytes: usize) -> usize {
        usize::try_from(cost(bytes, self.window)).unwrap_or(bytes)
    }

    /// A message of so many bytes has begun. What it costs.
    pub(crate) fn received(&mut self, bytes: usize) -> Result<usize, Overdrawn> {
        let cost = self.cost(bytes);
        self.received += cost as u64;
        let most = self.told + self.window + for_those_that_waited(self.window) + self.window / 2;
        if self.received < most { Ok(cost) } else { Err(Overdrawn) }
    }

    /// Messages that cost so much are delivered. Whether the peer should be told.
    pub(crate) fn delivered(&mut self, cost: usize) -> bool {
        self.delivered += cost as u64;
        self.delivered - self.told >= worth_telling(self.window)
    }

    /// The limit, which the peer is being told. It rises a quarter of a window at a time, however often
    /// it is said.
    pub(crate) fn tell(&mut self) -> u64 {
        if self.delivered - self.told >= worth_telling(self.window) {
            self.told = self.delivered;
        }
        self.told + self.window
    }
}

#[cfg(test)]
mod tests {
    use actor_core::Attempt::{Again, First};

    use super::*;
    use crate::limits::WINDOW_BYTES_MOST;

    #[test]
    fn a_sender_stops_without_credit_and_goes_on_with_it() {
        let mut window = SendWindow::new(10);
        window.sent(4);
        window.sent(5);
        assert!(window.is_open(First));
        window.sent(4);
        assert!(!window.is_open(First));
        assert_eq!(window.granted(13), Ok(false));
        assert!(!window.is_open(First), "an overdraft is paid back first");
        assert_eq!(window.granted(23), Ok(true));
        assert!(window.is_open(First));
        window.sent(5);
        window.sent(5);
        assert_eq!(window.granted(13), Ok(false), "it was said before");
        assert!(!window.is_open(First));
    }

    #[test]
    fn one_that_waited_may_begin_behind_those_that_took_all() {
        let (mut sender, mut receiver) = (SendWindow::new(64), ReceiveWindow::new(64));
        let mut send = |bytes| {
            sender.sent(bytes);
            assert_eq!(receiver.received(bytes), Ok(bytes));
            [First, Again].map(|attempt| sender.is_open(attempt))
        };
        assert_eq!(send(32), [true, true]);
        assert_eq!(send(32), [false, true]);
        assert_eq!(send(31), [false, true]);
        assert_eq!(send(32), [false, false]);
        assert!(receiver.delivered(32 + 32 + 31));
        assert_eq!(sender.granted(receiver.tell()), Ok(true));
    }

    /// A peer may say so.
    #[test]
    fn a_window_is_as_large_as_a_number_can_be() {
        let mut window = SendWindow::new(u64::MAX);
        window.sent(1 << 30);
        assert_eq!([First, Again].map(|attempt| window.is_open(attempt)), [true, true]);
        assert_eq!(window.granted(u64::MAX), Ok(false));
    }

    #[test]
    fn whatever_those_that_never_rest_send_one_that_waited_may_begin() {
        for window in [64, 65, 1000, 524_288, WINDOW_BYTES_MOST] {
            for part in 1..=40 {
                let (mut sender, bytes) = (SendWindow::new(window), usize::try_from(window / part).unwrap());
                for round in 0..20 {
                    while sender.is_open(First) {
                        sender.sent(bytes);
                    }
                    assert!(sender.is_open(Again), "a window of {window}, messages of {bytes}");
                    let delivered = sender.sent.min(round * (window / 20));
                    assert!(sender.granted(delivered.saturating_add(window)).is_ok());
                }
            }
        }
    }

    #[test]
    fn a_message_longer_than_the_window_leaves_room_for_others() {
        let (mut sender, mut receiver) = (SendWindow::new(11), ReceiveWindow::new(11));
        sender.sent(1 << 30);
        assert_eq!(receiver.received(1 << 30), Ok(5));
        sender.sent(5);
        assert_eq!(receiver.received(5), Ok(5));
        assert!(sender.is_open(First));
        sender.sent(1);
        assert!(!sender.is_open(First));
        assert_eq!(receiver.received(1), Ok(1));
        // The others are delivered, and have as much room again.
        assert!(receiver.delivered(5));
        assert_eq!(sender.granted(receiver.tell()), Ok(true));
        assert!(sender.is_open(First));
    }

    #[test]
    fn credit_out_of_nowhere_is_refused() {
        let mut window = SendWindow::new(10);
        assert_eq!(window.granted(10), Ok(false));
        assert_eq!(window.granted(11), Err(TooMuchCredit));
        window.sent(5);
        assert_eq!(window.granted(u64::MAX), Err(TooMuchCredit));
        assert_eq!(window.granted(15), Ok(false), "it was open");
        assert_eq!(window.limit, 15);
    }

    #[test]
    fn a_receiver_grants_a_quarter_of_a_window_at_a_time_and_catches_an_overdraft() {
        let mut window = ReceiveWindow::new(8);
        assert_eq!([window.received(3), window.received(4)], [Ok(3), Ok(4)]);
        assert!(!window.delivered(1));
        assert_eq!(window.tell(), 8, "less is not worth a word");
        assert!(window.delivered(6));
        assert_eq!(window.tell(), 15);
        assert_eq!([window.received(3), window.received(4)], [Ok(3), Ok(4)]);
        assert_eq!(window.received(4), Ok(4), "one message over the window is an overdraft");
        assert_eq!(window.received(9), Ok(4), "and so is that of one that had waited");
        assert_eq!(window.received(1), Err(Overdrawn));
    }

    #[test]
    fn what_is_reserved_is_at_most_what_there_can_be() {
        for window in [0, 1, 10, u64::MAX] {
            let mut sender = SendWindow::new(window);
            for _ in 0..1000 {
                let reserved = sender.reserve(100);
                assert_eq!(reserved, 100.min(window / 2));
                sender.sent(3);
                sender.settle(reserved, 0);
            }
            assert_eq!(sender.sent, 1000 * 3.min(window / 2));
        }
        let mut sender = SendWindow::new(10);
        assert_eq!((sender.reserve(8), sender.reserve(4)), (5, 4));
        sender.sent(1);
        assert!(!sender.is_open(First));
        assert!(sender.settle(4, 2), "the window opens with that");
        assert!(!sender.settle(5, 8), "it was open");
        assert_eq!(sender.sent, 8);
    }
}
