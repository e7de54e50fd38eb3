//! The ways to start an actor, as one trait.

use std::future::Future;

use actor_core::{
    Actor, ActorRef, ActorSystem, Colocation, LocalSpawner, SpawnError, SpawnOptions, Starting,
};

use super::probe::{Message, Probe};

/// A way to start an actor. The suite is written against it.
pub(crate) trait Door: Sync {
    /// Whether a dead actor's state goes to its supervisor.
    const KEEPS_STATE: bool;

    fn system(&self) -> &ActorSystem;

    fn spawn_with<A: Actor>(
        &self,
        actor: A,
        arguments: A::Arguments,
        options: SpawnOptions,
    ) -> impl Future<Output = Result<ActorRef<A::Msg>, SpawnError>> + Send;

    fn spawn_restartable<A: Actor>(
        &self,
        make: impl FnMut() -> (A, A::Arguments) + Send + 'static,
        options: SpawnOptions,
    ) -> impl Future<Output = Result<ActorRef<A::Msg>, SpawnError>> + Send;

    fn spawn_instant<A: Actor>(
        &self,
        actor: A,
        arguments: A::Arguments,
        options: SpawnOptions,
    ) -> Result<(ActorRef<A::Msg>, Starting), SpawnError>;

    /// Starts a probe and does not wait.
    fn instant(
        &self,
        probe: Probe,
        options: SpawnOptions,
    ) -> Result<(ActorRef<Message>, Starting), SpawnError> {
        self.spawn_instant(probe, (), options)
    }

    /// Starts a restartable probe under a supervisor.
    async fn restartable(
        &self,
        supervisor: &ActorRef<Message>,
        options: SpawnOptions,
        mut make: impl FnMut() -> Probe + Send + 'static,
    ) -> ActorRef<Message> {
        let options = options.supervisor(&supervisor.cell());
        self.spawn_restartable(move || (make(), ()), options).await.expect("the probe starts")
    }

    /// Starts a probe.
    async fn start(&self, probe: Probe, options: SpawnOptions) -> Result<ActorRef<Message>, SpawnError> {
        self.spawn_with(probe, (), options).await
    }

    /// Starts a probe that is to start.
    async fn spawn(&self, probe: Probe) -> ActorRef<Message> {
        self.start(probe, SpawnOptions::new()).await.expect("the probe starts")
    }

    /// Starts a probe under a supervisor.
    async fn spawn_under(&self, supervisor: &ActorRef<Message>, probe: Probe) -> ActorRef<Message> {
        let options = SpawnOptions::new().supervisor(&supervisor.cell());
        self.start(probe, options).await.expect("the probe starts")
    }

    /// What a supervisor gets of a state with so many notes.
    fn kept(&self, notes: u32) -> Option<u32> {
        Self::KEEPS_STATE.then_some(notes)
    }
}

/// [`ActorSystem::spawn`].
pub(crate) struct SendDoor {
    system: ActorSystem,
}

impl SendDoor {
    pub(crate) fn new(system: ActorSystem) -> Self {
        Self { system }
    }
}

impl Door for SendDoor {
    const KEEPS_STATE: bool = true;

    fn system(&self) -> &ActorSystem {
        &self.system
    }

    fn spawn_with<A: Actor>(
        &self,
        actor: A,
        arguments: A::Arguments,
        options: SpawnOptions,
    ) -> impl Future<Output = Result<ActorRef<A::Msg>, SpawnError>> + Send {
        self.system.spawn(actor, arguments, options)
    }

    fn spawn_restartable<A: Actor>(
        &self,
        make: impl FnMut() -> (A, A::Arguments) + Send + 'static,
        options: SpawnOptions,
    ) -> impl Future<Output = Result<ActorRef<A::Msg>, SpawnError>> + Send {
        self.system.spawn_restartable(make, options)
    }

    fn spawn_instant<A: Actor>(
        &self,
        actor: A,
        arguments: A::Arguments,
        options: SpawnOptions,
    ) -> Result<(ActorRef<A::Msg>, Starting), SpawnError> {
        self.system.spawn_instant(actor, arguments, options)
    }
}

/// [`ActorSystem::spawn`] into a [`Colocation`].
pub(crate) struct ColocatedDoor {
    system: ActorSystem,
    place: Colocation,
}

impl ColocatedDoor {
    pub(crate) fn new(system: ActorSystem) -> Self {
        let place = Colocation::new(&system);
        Self { system, place }
    }

    /// Into a place that there is.
    pub(crate) fn of(system: &ActorSystem, place: &Colocation) -> Self {
        Self { system: system.clone(), place: place.clone() }
    }

    pub(crate) fn place(&self) -> &Colocation {
        &self.place
    }
}

impl Door for ColocatedDoor {
    const KEEPS_STATE: bool = true;

    fn system(&self) -> &ActorSystem {
        &self.system
    }

    fn spawn_with<A: Actor>(
        &self,
        actor: A,
        arguments: A::Arguments,
        options: SpawnOptions,
    ) -> impl Future<Output = Result<ActorRef<A::Msg>, SpawnError>> + Send {
        self.system.spawn(actor, arguments, options.colocate(&self.place))
    }

    fn spawn_restartable<A: Actor>(
        &self,
        make: impl FnMut() -> (A, A::Arguments) + Send + 'static,
        options: SpawnOptions,
    ) -> impl Future<Output = Result<ActorRef<A::Msg>, SpawnError>> + Send {
        self.system.spawn_restartable(make, options.colocate(&self.place))
    }

    fn spawn_instant<A: Actor>(
        &self,
        actor: A,
        arguments: A::Arguments,
        options: SpawnOptions,
    ) -> Result<(ActorRef<A::Msg>, Starting), SpawnError> {
        self.system.spawn_instant(actor, arguments, options.colocate(&self.place))
    }
}

/// [`LocalSpawner::spawn`].
pub(crate) struct LocalDoor {
    system: ActorSystem,
    spawner: LocalSpawner,
}

impl LocalDoor {
    pub(crate) fn new(system: ActorSystem) -> Self {
        let spawner = LocalSpawner::new(&system, "local actors").expect("a thread more");
        Self { system, spawner }
    }
}

impl Door for LocalDoor {
    const KEEPS_STATE: bool = false;

    fn system(&self) -> &ActorSystem {
        &self.system
    }

    fn spawn_with<A: Actor>(
        &self,
        actor: A,
        arguments: A::Arguments,
        options: SpawnOptions,
    ) -> impl Future<Output = Result<ActorRef<A::Msg>, SpawnError>> + Send {
        self.spawner.spawn(move || actor, arguments, options)
    }

    fn spawn_restartable<A: Actor>(
        &self,
        make: impl FnMut() -> (A, A::Arguments) + Send + 'static,
        options: SpawnOptions,
    ) -> impl Future<Output = Result<ActorRef<A::Msg>, SpawnError>> + Send {
        self.spawner.spawn_restartable(make, options)
    }

    fn spawn_instant<A: Actor>(
        &self,
        actor: A,
        arguments: A::Arguments,
        options: SpawnOptions,
    ) -> Result<(ActorRef<A::Msg>, Starting), SpawnError> {
        self.spawner.spawn_instant(move || actor, arguments, options)
    }
}
