//! How many messages a task may send before others have their turn: neither a source that
//! always has another nor room for it need ever make it wait.

use std::future::poll_fn;
use std::task::Poll;

use crate::limits::MESSAGES_PER_TURN;

/// Lets others run now and then, on whatever runtime it is: after
/// [`MESSAGES_PER_TURN`] messages, as an actor does.
///
/// For a task that sends as long as there is something to send. On a runtime of cooperating tasks
/// it could otherwise keep its thread for ever.
///
/// ```
/// use actor_core::ActorRef;
/// use actor_core::executor::Pace;
///
/// async fn count(to: &ActorRef<u64>) {
///     let mut pace = Pace::new();
///     for n in 0.. {
///         if to.send(n).await.is_err() {
///             break;
///         }
///         pace.sent_one().await;
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Pace {
    messages_left: u32,
}

impl Pace {
    /// At the beginning of a turn.
    pub fn new() -> Self {
        Self { messages_left: MESSAGES_PER_TURN }
    }

    /// To be awaited after each message. Dropping it loses nothing.
    pub async fn sent_one(&mut self) {
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

impl Default for Pace {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    #[test]
    fn others_have_their_turn_after_so_many_messages() {
        let mut pace = Pace::new();
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..3 {
            for sent in 1..=MESSAGES_PER_TURN {
                let mut turn = pin!(pace.sent_one());
                let is_ready = turn.as_mut().poll(&mut cx).is_ready();
                assert_eq!(is_ready, sent < MESSAGES_PER_TURN, "{sent}");
                assert!(is_ready || turn.poll(&mut cx).is_ready(), "one turn of theirs, not two");
            }
        }
    }
}
