//! The builder of a [`DurableSystem`].

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actor_core::{ActorCell, ActorRef, ActorSystem, SpawnOptions};

use super::{DurableSystem, services};
use crate::actor::{Durable, DurableActor, EventSourced};
use crate::engine::{Beginning, Engine, Incoming, Request};
use crate::error::{ActivationError, StartError};
use crate::id::{Name, Target};
use crate::limits::{LEASE_DEFAULT, LEASE_MIN, LOOK_INTERVAL_DEFAULT, LOOK_INTERVAL_MIN};
use crate::model::{ByEvents, ByState, Model};
use crate::outlet::Outlet;
use crate::process::{Registered, Reservation, Shared, Wakeup};
use crate::store::Store;
use crate::wrap::{ByRequests, ByWrapping, WrapActor, WrapService};

/// Builds a [`DurableSystem`].
#[must_use = "no system is made unless it is started"]
pub struct DurableBuilder {
    system: ActorSystem,
    store: Arc<dyn Store>,
    types: BTreeMap<&'static str, Arc<dyn Registered>>,
    outlets: BTreeMap<Name, Arc<dyn Outlet>>,
    lease: Duration,
    look_interval: Duration,
    /// The first thing that was wrong.
    mistake: Option<StartError>,
}

impl DurableBuilder {
    pub(super) fn new(system: ActorSystem, store: Arc<dyn Store>) -> Self {
        let (types, outlets) = (BTreeMap::new(), BTreeMap::new());
        let (lease, look_interval) = (LEASE_DEFAULT, LOOK_INTERVAL_DEFAULT);
        Self { system, store, types, outlets, lease, look_interval, mistake: None }
    }

    /// Registers a type of actors whose state is kept whole. The value serves all of them.
    pub fn register<A: DurableActor>(self, actor: A) -> Self {
        self.add(ByState(actor))
    }

    /// Registers a type of actors whose events are kept. The value serves all of them.
    pub fn register_event_sourced<A: EventSourced>(self, actor: A) -> Self {
        self.add(ByEvents(actor))
    }

    /// Registers a type of plain actors that are made durable. The value serves all of them, and each is called as
    /// [`Wrapped`](crate::Wrapped) of its type.
    pub fn wrap<A: WrapActor>(self, actor: A) -> Self {
        self.add(ByWrapping::new(actor))
    }

    /// Registers a kind of services that are made durable. The value creates all of them; call them by
    /// [`ServiceCalls`](crate::ServiceCalls).
    pub fn wrap_service<W: WrapService>(self, kind: W) -> Self {
        self.add(ByRequests::new(kind))
    }

    fn add<M: Model>(mut self, model: M) -> Self {
        if let Err(error) = crate::ActorType::new(M::Actor::TYPE) {
            self.note(error);
        }
        if self.types.insert(M::Actor::TYPE, Arc::new(Type { model: Arc::new(model) })).is_some() {
            let what = format!("the type {}", M::Actor::TYPE);
            self.note(StartError::RegisteredTwice(what));
        }
        self
    }

    /// The first mistake is said.
    fn note(&mut self, mistake: impl Into<StartError>) {
        self.mistake.get_or_insert_with(|| mistake.into());
    }

    /// Registers an outlet, by the name that actors send [effects](crate::Turn::effect) to.
    pub fn outlet(mut self, name: &str, outlet: impl Outlet) -> Self {
        match Name::new(name) {
            Ok(name) if self.outlets.contains_key(&name) => {
                self.note(StartError::RegisteredTwice(format!("the outlet {name}")));
            }
            Ok(name) => drop(self.outlets.insert(name, Arc::new(outlet))),
            Err(error) => self.note(error),
        }
        self
    }

    /// Sets how long the process keeps its actors after it last renewed its lease, which it does three times in that time.
    /// [`LEASE_DEFAULT`] unless set, and at least [`LEASE_MIN`].
    pub fn lease(self, lease: Duration) -> Self {
        Self { lease: lease.max(LEASE_MIN), ..self }
    }

    /// Sets how often the store is asked for work that this process was not told of: mail of actors without an owner, and reminders
    /// that another process has set. [`LOOK_INTERVAL_DEFAULT`] unless set, and at least [`LOOK_INTERVAL_MIN`].
    pub fn look_interval(self, look_interval: Duration) -> Self {
        Self { look_interval: look_interval.max(LOOK_INTERVAL_MIN), ..self }
    }

    /// Starts the system: begins the lease of the process, and the services.
    ///
    /// # Errors
    ///
    /// [`StartError::Name`] and [`StartError::RegisteredTwice`] if the name of a type or an outlet is not valid or is used twice;
    /// [`StartError::Store`] if the store grants no lease.
    ///
    /// # Cancellation
    ///
    /// If the future is dropped before it is ready, the process may have a lease, which runs out by itself.
    ///
    /// # Panics
    ///
    /// As [`Executor::spawn`](actor_core::Executor::spawn).
    pub async fn start(self) -> Result<DurableSystem, StartError> {
        let Self { system, store, types, outlets, lease, look_interval, mistake } = self;
        if let Some(mistake) = mistake {
            return Err(mistake);
        }
        // Before anything is told, so that nothing is missed.
        let arrivals = store.arrivals();
        let shared = Arc::new(Shared::new(system, store, types, outlets));
        shared.renew(lease).await.map_err(StartError::Store)?;
        services::begin(&shared, lease, look_interval, arrivals);
        Ok(DurableSystem { shared })
    }
}

impl fmt::Debug for DurableBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DurableBuilder")
            .field("types", &self.types.keys())
            .field("outlets", &self.outlets.keys())
            .field("lease", &self.lease)
            .finish_non_exhaustive()
    }
}

/// A type that a system knows.
struct Type<M> {
    model: Arc<M>,
}

impl<M: Model> Registered for Type<M> {
    fn activate(
        &self,
        shared: &Arc<Shared>,
        target: &Target,
        reservation: Reservation,
    ) -> Result<ActorCell, ActivationError> {
        let engine = Engine { model: self.model.clone() };
        let beginning = Beginning { shared: shared.clone(), target: target.clone(), reservation };
        let (myself, _) = shared.system().spawn_instant(engine, beginning, SpawnOptions::new())?;
        Ok(myself.cell())
    }

    fn tell(&self, cell: &ActorCell, wakeup: Wakeup) {
        let Ok(actor) = ActorRef::<Incoming<M::Actor>>::from_cell(cell.clone()) else { return };
        let request = match wakeup {
            Wakeup::Mail => Request::Mail,
            Wakeup::Delivered => Request::Delivered,
        };
        // Where there is no room there are messages, and with each the flag is looked at.
        drop(actor.cast(Incoming(request)));
    }
}
