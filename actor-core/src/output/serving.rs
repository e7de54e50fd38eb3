//! The task of a [`Line`](super::Line): it lives as long as something waits there.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use super::line::SubscriptionEnd;
use super::shared::{Sent, Shared, Waiting, loss_at};
use crate::address::RoomWait;
use crate::contain::contained;
use crate::error::SendError;
use crate::pace::Pace;
use crate::trace::InSpan;

/// Hands over what waits. If it is dropped before it is done, with its runtime or by a panic,
/// the line is over: what waited there is lost, and must not be taken for sent.
pub(super) struct Serving<M: Send + 'static> {
    line: Arc<Shared<M>>,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Idle,
    /// A message is in hand, and not in the mailbox.
    Handing,
    Done,
}

impl<M: Send + 'static> Serving<M> {
    pub(super) fn of(line: Arc<Shared<M>>) -> Self {
        Self { line, stage: Stage::Idle }
    }

    pub(super) async fn run(mut self) {
        let mut pace = Pace::new();
        while let Some(Waiting { message, tag }) = self.line.take() {
            self.stage = Stage::Handing;
            let is_sent = InSpan::new(tag, self.line.hand_over(message)).await;
            if !is_sent {
                return;
            }
            self.stage = Stage::Idle;
            pace.sent_one().await;
        }
        self.stage = Stage::Done;
    }
}

impl<M: Send + 'static> Drop for Serving<M> {
    fn drop(&mut self) {
        if self.stage != Stage::Done {
            self.line.close(SubscriptionEnd::Cancelled);
        }
        if self.stage == Stage::Handing {
            self.line.tell_loss(self.line.end().and_then(loss_at));
        }
    }
}

impl<M: Send + 'static> Shared<M> {
    /// Sends a message, however long that takes; `false` if it was dropped, since the line is
    /// over.
    async fn hand_over(&self, message: M) -> bool {
        let mut sent = self.recipient().cast(message);
        loop {
            let sending = match self.judged(sent) {
                Sent::Accepted => return true,
                Sent::NoRoom(message) => self.recipient().send_patiently(message),
                Sent::Draining(message) => Box::pin(self.send_to_the_next_life(message)),
                Sent::Never(message, end) => {
                    self.lose(message, None);
                    self.close(end);
                    return false;
                }
            };
            match self.unless_closed(sending).await {
                Some(outcome) => sent = outcome,
                None => return false,
            }
        }
    }

    /// The mailbox is open again when this life has ended.
    async fn send_to_the_next_life(&self, message: M) -> Result<(), SendError<M>> {
        drop(self.recipient().wait(None).await);
        self.recipient().cast(message)
    }

    /// Sends a message, unless the line is closed first: then it is dropped.
    async fn unless_closed(&self, mut sending: RoomWait<'_, M>) -> Option<Result<(), SendError<M>>> {
        let mut closed = pin!(self.closed());
        let outcome = poll_fn(|cx| match closed.as_mut().poll(cx) {
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending => sending.as_mut().poll(cx).map(Some),
        })
        .await;
        contained("the destructor of a message", || drop(sending));
        outcome
    }
}
