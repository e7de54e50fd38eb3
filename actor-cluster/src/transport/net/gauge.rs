//! A number of things that exist, and a way to wait until none does.

use std::sync::Arc;

use tokio::sync::watch;

/// Counts things that exist. Clones count the same.
#[derive(Clone, Debug)]
pub struct Gauge {
    count: Arc<watch::Sender<usize>>,
}

impl Gauge {
    /// One more, until the guard is dropped.
    pub fn enter(&self) -> GaugeGuard {
        self.count.send_modify(|count| *count += 1);
        GaugeGuard { count: self.count.clone() }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        *self.count.borrow()
    }

    /// Waits until there is none.
    pub async fn emptied(&self) {
        // The sender is ours, so the wait cannot end for want of one.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Default for Gauge {
    fn default() -> Self {
        Self { count: Arc::new(watch::Sender::new(0)) }
    }
}

/// One thing that a [`Gauge`] counts.
#[derive(Debug)]
#[must_use = "it counts for as long as it lives"]
pub struct GaugeGuard {
    count: Arc<watch::Sender<usize>>,
}

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        self.count.send_modify(|count| *count -= 1);
    }
}
