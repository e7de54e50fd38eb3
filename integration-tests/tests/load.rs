//! Senders that never rest, whose order and number the other side checks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use actor_core::ActorRef;
use integration_tests::echo::Say;
use tokio::task::JoinHandle;

/// Several senders to one echo.
pub(crate) struct Load {
    echo: ActorRef<Say>,
    progress: Arc<Progress>,
    senders: Vec<JoinHandle<u64>>,
}

#[derive(Default)]
struct Progress {
    sent: AtomicU64,
    is_over: AtomicBool,
}

impl Load {
    pub(crate) fn start(echo: &ActorRef<Say>, senders: u32) -> Self {
        let progress = Arc::<Progress>::default();
        let begin = |sender| tokio::spawn(send(echo.clone(), sender, progress.clone()));
        Self { echo: echo.clone(), senders: (0..senders).map(begin).collect(), progress }
    }

    /// Waits until so many more messages were sent.
    pub(crate) async fn passes(&self, messages: u64) {
        let target = self.progress.sent.load(Ordering::Relaxed) + messages;
        while self.progress.sent.load(Ordering::Relaxed) < target {
            assert!(!self.senders.iter().any(JoinHandle::is_finished), "a sender has failed");
            tokio::task::yield_now().await;
        }
    }

    /// Ends it. The echo has got all that was sent, each once and in its turn.
    pub(crate) async fn has_arrived(self) {
        self.progress.is_over.store(true, Ordering::Relaxed);
        let mut sent = 0;
        for sender in self.senders {
            sent += sender.await.unwrap();
        }
        assert_eq!(self.echo.call(Say::Tally).await.unwrap(), (sent, 0), "all of them, each in its turn");
    }
}

/// Sends numbers until it is told that it is enough; how many.
async fn send(echo: ActorRef<Say>, sender: u32, progress: Arc<Progress>) -> u64 {
    let mut number = 0;
    while !progress.is_over.load(Ordering::Relaxed) {
        if number % 16 == 0 {
            let answer = echo.call(|port| Say::AskNext(sender, number, port)).await;
            assert_eq!(answer.unwrap(), number, "a call is answered, whatever is cut");
        } else {
            echo.send(Say::Next(sender, number)).await.unwrap();
        }
        number += 1;
        progress.sent.fetch_add(1, Ordering::Relaxed);
    }
    number
}
