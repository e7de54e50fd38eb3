//! The builder of a [`DurableSystem`], and outlets.

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

/// Where actors send what is to happen outside: mail, say, or a payment. See [`Turn::effect`](crate::Turn::effect).
#[async_trait]
pub trait Outlet: Send + Sync + 'static {
    /// Does what a message asks for. It is called until it succeeds, and so may be called more than once for a message: the message's
    /// id tells that it is the same.
    ///
    /// # Errors
    ///
    /// After [`EffectRefused`] it is not tried again: it moves to the actor's [undelivered](crate::store::Store::undelivered) messages,
    /// and the next one is delivered. After any other error it is tried again later, and the next one from the same actor waits.
    ///
    /// # Panics
    ///
    /// A panic counts as an error.
    async fn deliver(&self, from: &DurableId, message: &Outgoing) -> Result<(), ActorError>;
}

/// The error of an [`Outlet`] for an effect that can never be done, such as a payment to an account that does not exist.
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
    /// A refusal for this reason, which is stored with the effect.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

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
    mistake: Option<NotApplied>,
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
            self.mistake = self.mistake.or(Some(error.into()));
        }
        if self.types.insert(M::Actor::TYPE, Arc::new(Type { model: Arc::new(model) })).is_some() {
            let what = format!("the type {}", M::Actor::TYPE);
            self.mistake = self.mistake.or(Some(NotApplied::Twice(what)));
        }
        self
    }

    /// Registers an outlet, by the name that actors send [effects](crate::Turn::effect) to.
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
    /// [`NotApplied::Name`] and [`NotApplied::Twice`] if the name of a type or an outlet is not valid or is used twice;
    /// [`NotApplied::Store`] if the store grants no lease.
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
