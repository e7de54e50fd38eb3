//! Tells listeners whose inboxes have got messages.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::broadcast::{Receiver, Sender, channel, error::RecvError};

use crate::id::Target;
use crate::limits::ARRIVALS_BEHIND_MAX;
use crate::store::{Arrival, Arrivals};

/// Where arrivals are announced; empty once the store is closed.
#[derive(Debug)]
pub(super) struct Announcer(Mutex<Option<Sender<Target>>>);

impl Announcer {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Some(channel(ARRIVALS_BEHIND_MAX).0)))
    }

    pub(super) fn listen(&self) -> Listener {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Listener(sender.as_ref().map_or_else(|| channel(1).1, Sender::subscribe))
    }

    pub(super) fn announce(&self, arrived: Vec<Target>) {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(sender) = sender.as_ref() else { return };
        for target in arrived {
            // There may be no listeners.
            let _ = sender.send(target);
        }
    }

    /// Ends all listeners.
    pub(super) fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// See [`Arrivals`].
#[derive(Debug)]
pub(super) struct Listener(Receiver<Target>);

#[async_trait]
impl Arrivals for Listener {
    async fn next(&mut self) -> Arrival {
        match self.0.recv().await {
            Ok(target) => Arrival::Mail(target),
            Err(RecvError::Lagged(_)) => Arrival::Missed,
            Err(RecvError::Closed) => Arrival::Closed,
        }
    }
}
