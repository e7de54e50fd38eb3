//! How many messages a task sends before others have their turn.

use std::future::poll_fn;
use std::task::Poll;

use actor_core::limits::MESSAGES_PER_TURN;

/// Counts down to the next turn of the others: neither a source that always has another
/// message nor room for it need ever make a task wait.
pub(crate) struct Pace {
    messages_left: u32,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self { messages_left: MESSAGES_PER_TURN }
    }

    /// To be awaited after each message.
    pub(crate) async fn sent_one(&mut self) {
        self.messages_left -= 1;
        if self.messages_left > 0 {
            return;
        }
        self.messages_left = MESSAGES_PER_TURN;
        let mut has_yielded = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut has_yielded, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}
