//! [`ProbeBuilder`]: what a probe is made with.

use std::any::type_name;
use std::fmt;
use std::time::Duration;

use actor_core::{ActorSystem, SpawnOptions};

use super::Probe;
use super::stand::{Answering, Inbox, Stand};
use crate::limits::EXPECT_TIMEOUT_DEFAULT;

/// What a [`Probe`] is made with.
#[must_use = "there is no probe unless it is spawned"]
pub struct ProbeBuilder<M: Send + 'static> {
    options: SpawnOptions,
    answering: Option<Answering<M>>,
    describe: fn(&M) -> String,
    timeout: Duration,
}

impl<M: Send + 'static> ProbeBuilder<M> {
    pub(super) fn new() -> Self {
        let describe = |_: &M| format!("a {}", type_name::<M>());
        Self { options: SpawnOptions::new(), answering: None, describe, timeout: EXPECT_TIMEOUT_DEFAULT }
    }

    /// How its actor is spawned: a name, a mailbox, a supervisor. Without this: as
    /// [`SpawnOptions::new`] says.
    pub fn options(self, options: SpawnOptions) -> Self {
        Self { options, ..self }
    }

    /// Gives the actor a name, for those who look their neighbour up. [`options`](Self::options)
    /// that come later replace it.
    pub fn name(self, name: &str) -> Self {
        Self { options: self.options.name(name), ..self }
    }

    /// Has messages answered where they come, as by a stub: what `answer` gives back goes to the
    /// test, as all does without this. If it panics, the probe's actor fails.
    ///
    /// ```
    /// use actor_core::{ReplyPort, call};
    /// use actor_testkit::{Probe, Simulation};
    ///
    /// enum Price {
    ///     Of(ReplyPort<u64>),
    ///     Forget,
    /// }
    ///
    /// let mut simulation = Simulation::fifo();
    /// let prices = Probe::builder().answering(|message| match message {
    ///     Price::Of(port) => port.send(3).err().and(None),
    ///     other => Some(other),
    /// });
    /// let mut prices = prices.spawn(&simulation.system());
    /// let neighbour = prices.actor_ref();
    /// neighbour.cast(Price::Forget).unwrap();
    /// assert_eq!(simulation.block_on(async { call!(neighbour, Price::Of) }).unwrap(), 3);
    /// assert!(matches!(prices.received()[..], [Price::Forget]));
    /// ```
    pub fn answering(self, answer: impl FnMut(M) -> Option<M> + Send + 'static) -> Self {
        Self { answering: Some(Box::new(answer)), ..self }
    }

    /// How a panic shows a message. [`Probe::new`] takes its `Debug`; without either, it is the
    /// name of its type.
    pub fn described_by(self, describe: fn(&M) -> String) -> Self {
        Self { describe, ..self }
    }

    /// How long expectations wait. Without this: [`EXPECT_TIMEOUT_DEFAULT`].
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Makes the probe. Its address is good at once.
    ///
    /// # Panics
    ///
    /// If the system takes it not in, as when the name is taken; on tokio, if no runtime is
    /// current.
    #[track_caller]
    pub fn spawn(self, system: &ActorSystem) -> Probe<M> {
        let Self { options, answering, describe, timeout } = self;
        let inbox = Inbox::new();
        let stand = Stand { inbox: inbox.clone() };
        match system.spawn_instant(stand, answering, options) {
            Ok((actor, _)) => {
                Probe { actor, inbox, executor: system.executor().clone(), describe, timeout, until: None }
            }
            Err(error) => panic!("no probe can be spawned: {error}"),
        }
    }
}

impl<M: Send + 'static> fmt::Debug for ProbeBuilder<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProbeBuilder")
            .field("options", &self.options)
            .field("timeout", &self.timeout)
            .field("is_answering", &self.answering.is_some())
            .finish_non_exhaustive()
    }
}
