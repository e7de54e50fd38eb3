//! Tells listeners whose inboxes have got messages.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::broadcast::{Receiver, Sender, channel, error::RecvError};

use crate::id::Target;
use crate::limits::ARRIVALS_BEHIND_MAX;
use crate::store::{Arrival, Arrivals};

/// Where arrivals are announced; empty once the store is closed.
#[derive(Debug)]
pub(super) struct Announcer(Mutex<Option<Sender<Arrival>>>);

impl Announcer {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Some(channel(ARRIVALS_BEHIND_MAX).0)))
    }

    pub(super) fn listen(&self) -> Listener {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Listener(sender.as_ref().map_or_else(|| channel(1).1, Sender::subscribe))
    }

    /// These have got messages.
    pub(super) fn announce(&self, arrived: Vec<Target>) {
        self.send(arrived.into_iter().map(Arrival::Mail));
    }

    /// Another process may have put messages into the file.
    pub(super) fn announce_missed(&self) {
        self.send([Arrival::Missed]);
    }

    fn send(&self, arrivals: impl IntoIterator<Item = Arrival>) {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(sender) = sender.as_ref() else { return };
        for arrival in arrivals {
            // There may be no listeners.
            let _ = sender.send(arrival);
        }
    }

    /// Ends all listeners.
    pub(super) fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// See [`Arrivals`].
#[derive(Debug)]
pub(super) struct Listener(Receiver<Arrival>);

#[async_trait]
impl Arrivals for Listener {
    async fn next(&mut self) -> Arrival {
        match self.0.recv().await {
            Ok(arrival) => arrival,
            Err(RecvError::Lagged(_)) => Arrival::Missed,
            Err(RecvError::Closed) => Arrival::Closed,
        }
    }
}
