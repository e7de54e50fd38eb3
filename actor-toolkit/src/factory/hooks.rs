//! Who is told what a factory does.

use std::time::Duration;

use actor_core::{ActorError, Exit};

use super::job::DiscardReason;
use super::reference::FactoryRef;

/// What is called at the turns of a factory's life, in this order. It must not block. A panic is
/// reported, and the factory goes on.
pub trait FactoryHooks<K: Send + 'static, M: Send + 'static>: Send + Sync + 'static {
    /// The workers are there, and no job has been taken in.
    ///
    /// # Errors
    ///
    /// Any error fails the factory.
    fn started(&self, factory: &FactoryRef<K, M>) -> Result<(), ActorError> {
        let _ = factory;
        Ok(())
    }

    /// The factory takes no more jobs and runs those that it has.
    ///
    /// # Errors
    ///
    /// Any error fails the factory.
    fn draining(&self, factory: &FactoryRef<K, M>) -> Result<(), ActorError> {
        let _ = factory;
        Ok(())
    }

    /// The factory was stopped or drained, and its workers have ended, or are killed after this.
    /// Not called after a kill or a failure.
    ///
    /// # Errors
    ///
    /// Any error makes the factory's end a failure.
    fn stopped(&self, factory: &FactoryRef<K, M>) -> Result<(), ActorError> {
        let _ = factory;
        Ok(())
    }
}

/// Is told what happens in a factory, for whoever counts and measures. It is called by the
/// factory, for each job but those that go with it, of which the
/// [`DiscardHandler`](super::DiscardHandler) hears. It must not block. A panic is reported and goes no further. Every
/// closure of the right form is one.
pub trait FactoryObserver: Send + Sync + 'static {
    /// Something happened.
    fn observe(&self, event: &FactoryEvent);
}

impl<F: Fn(&FactoryEvent) + Send + Sync + 'static> FactoryObserver for F {
    fn observe(&self, event: &FactoryEvent) {
        self(event);
    }
}

/// Something happened in a factory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FactoryEvent {
    /// A job was taken in.
    Accepted,
    /// A job was not.
    Refused(DiscardReason),
    /// A job that had been taken in will not run.
    Discarded(DiscardReason),
    /// A worker was given a job.
    Assigned {
        /// Which worker.
        worker: usize,
        /// How long the job had waited in the factory.
        waited: Duration,
    },
    /// A job is done.
    Completed {
        /// By which worker.
        worker: usize,
        /// How long that took.
        took: Duration,
    },
    /// A job was lost with its worker.
    Lost {
        /// Which worker.
        worker: usize,
        /// How long it had the job.
        took: Duration,
    },
    /// A job was put back, to be begun again or at all.
    Returned {
        /// By which worker.
        worker: usize,
    },
    /// A life of a worker has begun.
    WorkerStarted {
        /// Which worker.
        worker: usize,
    },
    /// A life of a worker has ended that had begun.
    WorkerEnded {
        /// Which worker.
        worker: usize,
        /// How.
        exit: Exit,
    },
    /// A worker has had one job in hand for too long.
    WorkerStuck {
        /// Which worker.
        worker: usize,
        /// How long.
        busy_for: Duration,
    },
    /// There shall be another number of workers.
    Resized {
        /// How many.
        workers: usize,
    },
    /// The factory takes no more jobs.
    Draining,
    /// It was drained, and nothing is left to do.
    Drained,
}
