//! How far a session is, for those who ask and those who wait.

use std::sync::Mutex;

use tokio::sync::Notify;

use super::LinkState;
use crate::locked::locked;

/// A state and those who wait for the next. They are woken in the order in which they came: `tokio::sync::watch` wakes its in
/// an order of its own each time, and a simulated cluster could not be run again.
pub(in crate::node) struct Standing {
    state: Mutex<LinkState>,
    changed: Notify,
}

impl Standing {
    pub(super) fn new() -> Self {
        Self { state: Mutex::new(LinkState::Opening), changed: Notify::new() }
    }

    pub(in crate::node) fn set(&self, state: LinkState) {
        *locked(&self.state) = state;
        self.changed.notify_waiters();
    }

    pub(in crate::node) fn is_ready(&self) -> bool {
        *locked(&self.state) == LinkState::Ready
    }

    /// Completes when the state is one that is wanted.
    pub(super) async fn reached(&self, is_wanted: impl Fn(&LinkState) -> bool) -> LinkState {
        loop {
            // Made first: it hears of every change from here on.
            let changed = self.changed.notified();
            let state = locked(&self.state).clone();
            if is_wanted(&state) {
                return state;
            }
            changed.await;
        }
    }
}
