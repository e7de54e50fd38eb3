//! What is asked of a session's streams: they belong to the session's task, so it is the one that
//! answers.
//!
//! ```text
//!  NodeSession::streams ── Questions ── wake ──► SessionTask ── answer, from its streams
//! ```

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::oneshot;

use super::link::Link;
use crate::locked::locked;
use crate::transport::{LaneSet, PathStatus};

/// One stream of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamStatus {
    /// The transport and the peer's address.
    pub label: String,
    /// Which kinds of lanes it carries.
    pub lanes: LaneSet,
    /// The way its bytes take; `None` where the transport does not tell.
    pub path: Option<PathStatus>,
}

type Answer = oneshot::Sender<Vec<StreamStatus>>;

/// Who waits to hear of a session's streams.
#[derive(Debug, Default)]
pub(super) struct Questions {
    /// Looked at in each turn of the session's task, which must not cost it a lock.
    is_asked: AtomicBool,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    answers: Vec<Answer>,
    /// Whether there is nobody to answer any more.
    is_over: bool,
}

impl Questions {
    /// Answers all who wait.
    pub(super) fn answer(&self, streams: impl FnOnce() -> Vec<StreamStatus>) {
        // Acquire: pairs with the release in `ask`. Whoever asks after this look has woken the task.
        if self.is_asked.load(Ordering::Acquire) {
            self.is_asked.store(false, Ordering::Relaxed);
            let waiting = std::mem::take(&mut locked(&self.waiting).answers);
            let streams = streams();
            // One who has gone away does not want it any more.
            waiting.into_iter().for_each(|answer| drop(answer.send(streams.clone())));
        }
    }

    /// Lets go of all who wait, and of those who will ask.
    pub(super) fn end(&self) {
        let mut waiting = locked(&self.waiting);
        waiting.is_over = true;
        drop(std::mem::take(&mut waiting.answers));
    }

    fn ask(&self) -> oneshot::Receiver<Vec<StreamStatus>> {
        let (answer, answered) = oneshot::channel();
        let mut waiting = locked(&self.waiting);
        if !waiting.is_over {
            waiting.answers.retain(|answer| !answer.is_closed());
            waiting.answers.push(answer);
            self.is_asked.store(true, Ordering::Release);
        }
        answered
    }
}

impl Link {
    /// The session's streams now; none once it is over.
    pub(super) async fn stream_statistics(&self) -> Vec<StreamStatus> {
        let answered = self.questions.ask();
        self.waker.wake();
        answered.await.unwrap_or_default()
    }
}
