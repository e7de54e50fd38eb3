//! What a [`DurableSystem`] is made with.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actor_core::{ActorCell, ActorError, ActorRef, ActorSystem, SpawnOptions};
use async_trait::async_trait;

use super::active::Seat;
use super::shared::{Registered, Shared};
use super::{DurableSystem, services};
use crate::actor::{Durable, DurableActor, EventSourced};
use crate::engine::{Beginning, Engine, Incoming, Request};
use crate::error::{ActivationError, NotApplied};
use crate::id::{DurableId, Name, Target};
use crate::limits::{LEASE_DEFAULT, LEASE_MIN, LOOK_INTERVAL_DEFAULT, LOOK_INTERVAL_MIN};
use crate::model::{ByEvents, ByState, Model};
use crate::store::{Outgoing, Store};
use crate::wrap::{ByRequests, ByWrapping, WrapActor, WrapService};

/// Where messages go that leave the world of actors.
#[async_trait]
pub trait Outlet: Send + Sync + 'static {
    /// Does what a message says. It is called until it succeeds, and so perhaps more than once: the message's id tells the same
    /// again.
    ///
    /// # Errors
    ///
    /// Any error: it is tried again later, and what comes after it from the same actor waits. [`EffectRefused`]: it is not; it lies
    /// among what the actor could not [deliver](crate::store::Store::undelivered) from then on, and the next is its turn.
    async fn deliver(&self, from: &DurableId, message: &Outgoing) -> Result<(), ActorError>;
}

/// What an [`Outlet`] says of an effect that can never be done, such as a payment to an account that is none.
///
/// ```
/// use actor_core::ActorError;
/// use actor_durable::EffectRefused;
///
/// fn pay(account: &str) -> Result<(), ActorError> {
///     if account.is_empty() { Err(EffectRefused::new("there is no such account").into()) } else { Ok(()) }
/// }
/// # assert!(pay("").is_err() && pay("a").is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EffectRefused(String);

impl EffectRefused {
    /// Refused for this reason, which is kept with the effect.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// Makes a [`DurableSystem`].
#[must_use = "no system is made unless it is started"]
pub struct DurableBuilder {
    system: ActorSystem,
    store: Arc<dyn Store>,
    types: BTreeMap<&'static str, Arc<dyn Registered>>,
    outlets: BTreeMap<Name, Arc<dyn Outlet>>,
    lease: Duration,
    look_interval: Duration,
    /// The first thing that was wrong.
    mistake: Option<NotApplied>,
}

impl DurableBuilder {
    pub(super) fn new(system: ActorSystem, store: Arc<dyn Store>) -> Self {
        let (types, outlets) = (BTreeMap::new(), BTreeMap::new());
        let (lease, look_interval) = (LEASE_DEFAULT, LOOK_INTERVAL_DEFAULT);
        Self { system, store, types, outlets, lease, look_interval, mistake: None }
    }

    /// Has the system know a type of actors whose state is kept whole. The value serves all of them.
    pub fn register<A: DurableActor>(self, actor: A) -> Self {
        self.add(ByState(actor))
    }

    /// Has the system know a type of actors whose events are kept. The value serves all of them.
    pub fn register_event_sourced<A: EventSourced>(self, actor: A) -> Self {
        self.add(ByEvents(actor))
    }

    /// Has the system know a type of plain actors, made durable. The value serves all of them, and each is called as
    /// [`Wrapped`](crate::Wrapped) of its type.
    pub fn wrap<A: WrapActor>(self, actor: A) -> Self {
        self.add(ByWrapping::new(actor))
    }

    /// Has the system know a kind of services, made durable. The value makes all of them; see
    /// [`ServiceCalls`](crate::ServiceCalls).
    pub fn wrap_service<W: WrapService>(self, kind: W) -> Self {
        self.add(ByRequests::new(kind))
    }

    fn add<M: Model>(mut self, model: M) -> Self {
        if let Err(error) = crate::ActorType::new(M::Actor::TYPE) {
            self.mistake = self.mistake.or(Some(error.into()));
        }
        if self.types.insert(M::Actor::TYPE, Arc::new(Type { model: Arc::new(model) })).is_some() {
            let what = format!("the type {}", M::Actor::TYPE);
            self.mistake = self.mistake.or(Some(NotApplied::Twice(what)));
        }
        self
    }

    /// Gives a name to something outside that actors send [effects](crate::Turn::effect) to.
    pub fn outlet(mut self, name: &str, outlet: impl Outlet) -> Self {
        match Name::new(name) {
            Ok(name) if self.outlets.contains_key(&name) => {
                self.mistake = self.mistake.or(Some(NotApplied::Twice(format!("the outlet {name}"))));
            }
            Ok(name) => drop(self.outlets.insert(name, Arc::new(outlet))),
            Err(error) => self.mistake = self.mistake.or(Some(error.into())),
        }
        self
    }

    /// For how long the process holds its actors after the store last heard of it; it is heard of three times in that time.
    /// Without it, [`LEASE_DEFAULT`]; never less than [`LEASE_MIN`].
    pub fn lease(self, lease: Duration) -> Self {
        Self { lease: lease.max(LEASE_MIN), ..self }
    }

    /// How often the store is asked for work that nobody was told of: letters of actors that nobody has, reminders that another
    /// process has set. Without it, [`LOOK_INTERVAL_DEFAULT`]; never less than [`LOOK_INTERVAL_MIN`].
    pub fn look_interval(self, look_interval: Duration) -> Self {
        Self { look_interval: look_interval.max(LOOK_INTERVAL_MIN), ..self }
    }

    /// Begins the process's lease, and the services.
    ///
    /// # Errors
    ///
    /// A name is none, or is given twice; or the store does not give a lease.
    ///
    /// # Panics
    ///
    /// As [`Executor::spawn`](actor_core::Executor::spawn).
    pub async fn start(self) -> Result<DurableSystem, NotApplied> {
        let Self { system, store, types, outlets, lease, look_interval, mistake } = self;
        if let Some(mistake) = mistake {
            return Err(mistake);
        }
        // Before anything is told, so that nothing is missed.
        let arrivals = store.arrivals();
        let shared = Arc::new(Shared::new(system, store, types, outlets));
        shared.renew(lease).await.map_err(NotApplied::Store)?;
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
        seat: Seat,
    ) -> Result<ActorCell, ActivationError> {
        let engine = Engine { model: self.model.clone() };
        let beginning = Beginning { shared: shared.clone(), target: target.clone(), seat };
        let (myself, _) = shared.system().spawn_instant(engine, beginning, SpawnOptions::new())?;
        Ok(myself.cell())
    }

    fn tell(&self, cell: &ActorCell, news: News) {
        let Ok(actor) = ActorRef::<Incoming<M::Actor>>::from_cell(cell.clone()) else { return };
        let request = match news {
            News::Mail => Request::Mail,
            News::Delivered => Request::Delivered,
        };
        // Where there is no room there are messages, and with each the flag is looked at.
        drop(actor.cast(Incoming(request)));
    }
}

/// What an activation is told by the services.
#[derive(Clone, Copy, Debug)]
pub(crate) enum News {
    /// There may be letters.
    Mail,
    /// Something has arrived that is to be marked.
    Delivered,
}
