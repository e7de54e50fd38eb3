//! A place in a hook where a test holds an actor.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::probe::{Act, act};

/// Whoever comes to a gate says so and waits until it is opened, once for each.
#[derive(Clone)]
pub(crate) struct Gate {
    came: Arc<Semaphore>,
    open: Arc<Semaphore>,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self { came: Arc::new(Semaphore::new(0)), open: Arc::new(Semaphore::new(0)) }
    }

    /// Waits, in the actor, until the test opens.
    pub(crate) async fn pass(&self) {
        self.came.add_permits(1);
        take(&self.open).await;
    }

    /// Waits, in the test, until an actor stands at the gate.
    pub(crate) async fn reached(&self) {
        take(&self.came).await;
    }

    /// Lets one pass.
    pub(crate) fn open(&self) {
        self.open.add_permits(1);
    }

    /// A hook that comes to the gate.
    pub(crate) fn act(&self) -> Act {
        let gate = self.clone();
        act(move |_| {
            let gate = gate.clone();
            async move {
                gate.pass().await;
                Ok(())
            }
        })
    }
}

async fn take(semaphore: &Semaphore) {
    semaphore.acquire().await.expect("a gate is never closed for good").forget();
}
