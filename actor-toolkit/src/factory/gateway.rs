//! A factory under another message type, such as one that travels between nodes.

use actor_core::{Actor, ActorError, ActorRef, ActorSystem, SpawnError, SpawnOptions};

use super::job::Job;
use super::reference::FactoryRef;
use crate::contain::contained;

impl<K: Send + Sync + 'static, M: Send + 'static> FactoryRef<K, M> {
    /// Starts an actor that takes messages of a type of your own, makes each a job, and sends it
    /// here. Its address can be published to other nodes, if the type can travel. It ends with
    /// the factory.
    ///
    /// It waits for room in the factory's mailbox, and whoever sends to it waits for room in
    /// its own. Neither is a wait for workers: how many jobs may wait for those is what
    /// [`Discard`](super::Discard) bounds. If the closure panics, that is reported, and the message is gone. A job that the
    /// factory cannot take, because it has no such priority or because it ends, is reported too.
    ///
    /// # Errors
    ///
    /// See [`SpawnError`]; [`SpawnError::SupervisorStopping`] if the factory ends.
    pub async fn gateway<T: Send + 'static>(
        &self,
        system: &ActorSystem,
        job: impl Fn(T) -> Job<K, M> + Send + Sync + 'static,
    ) -> Result<ActorRef<T>, SpawnError> {
        let gateway = Gateway { factory: self.clone(), job: Box::new(job) };
        system.spawn(gateway, (), SpawnOptions::new().supervisor(&self.cell())).await
    }
}

struct Gateway<K: Send + 'static, M: Send + 'static, T> {
    factory: FactoryRef<K, M>,
    job: Box<dyn Fn(T) -> Job<K, M> + Send + Sync>,
}

impl<K: Send + Sync + 'static, M: Send + 'static, T: Send + 'static> Actor for Gateway<K, M, T> {
    type Msg = T;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<T>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle(&self, myself: &ActorRef<T>, message: T, (): &mut ()) -> Result<(), ActorError> {
        let job = contained("what makes jobs of a gateway's messages", || (self.job)(message));
        let Some(job) = job else { return Ok(()) };
        if let Err(error) = self.factory.send(job).await {
            tracing::warn!(gateway = %myself.id(), %error, "a job was not taken");
        }
        Ok(())
    }
}
