//! How many messages a task may send before others have their turn: neither a source that
//! always has another nor room for it need ever make it wait.

use std::future::poll_fn;
use std::task::Poll;

use crate::limits::MESSAGES_PER_TURN;

/// See the module.
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
        let mut is_over = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut is_over, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}
