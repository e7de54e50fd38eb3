//! [`Backlog`]: how much may wait for a subscriber, and what becomes of more. Plain values.

use crate::limits::OUTPUT_BACKLOG_MAX;

/// What waits for one subscriber beside its mailbox, while that has no room or its actor is
/// between two lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Backlog {
    messages_max: usize,
    when_full: WhenFull,
}

/// What becomes of a message when a subscriber's [`Backlog`] is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum WhenFull {
    /// Nothing is lost: the sender gets the message back, and waits or does without.
    #[default]
    Wait,
    /// The oldest message of the backlog is dropped in its favour, and counted.
    DropOldest,
    /// The subscription has failed: it ends, and what waits is dropped and counted. What the
    /// mailbox has accepted is still handled.
    Fail,
}

/// A [`Backlog`] of so many messages cannot be. Choose at least one, and at most
/// [`OUTPUT_BACKLOG_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a backlog of {0} messages: it holds at least one, and at most {OUTPUT_BACKLOG_MAX}")]
pub struct BacklogError(pub usize);

impl Backlog {
    /// A backlog of at most so many messages.
    ///
    /// # Errors
    ///
    /// [`BacklogError`] for none, and for more than [`OUTPUT_BACKLOG_MAX`].
    pub const fn new(messages_max: usize, when_full: WhenFull) -> Result<Self, BacklogError> {
        match messages_max {
            1..=OUTPUT_BACKLOG_MAX => Ok(Self { messages_max, when_full }),
            _ => Err(BacklogError(messages_max)),
        }
    }

    /// How many messages may wait.
    pub const fn messages_max(self) -> usize {
        self.messages_max
    }

    /// What becomes of more.
    pub const fn when_full(self) -> WhenFull {
        self.when_full
    }
}

/// As many as may be, and nothing is lost.
impl Default for Backlog {
    fn default() -> Self {
        Self { messages_max: OUTPUT_BACKLOG_MAX, when_full: WhenFull::Wait }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backlog_out_of_range_is_refused() {
        for messages in [0, OUTPUT_BACKLOG_MAX + 1, usize::MAX] {
            let refused = Backlog::new(messages, WhenFull::Fail).unwrap_err();
            assert_eq!(refused, BacklogError(messages));
            assert!(refused.to_string().contains("at least one"), "{refused}");
        }
        let largest = Backlog::new(OUTPUT_BACKLOG_MAX, WhenFull::Wait).unwrap();
        assert_eq!(largest, Backlog::default());
        let smallest = Backlog::new(1, WhenFull::DropOldest).unwrap();
        assert_eq!((smallest.messages_max(), smallest.when_full()), (1, WhenFull::DropOldest));
    }
}
