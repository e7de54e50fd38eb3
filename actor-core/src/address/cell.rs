//! [`ActorCell`]: an address that has forgotten its message type.

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::{Arc, Weak};

use super::control::{Control, LocalCell};

/// A strong, untyped address of an actor: everything but sending. Clones are
/// equal. An actor lives on when all its addresses are dropped.
#[derive(Clone)]
pub struct ActorCell {
    pub(super) route: CellRoute,
}

#[derive(Clone)]
pub(super) enum CellRoute {
    Local(Arc<dyn AnyCell>),
    Foreign(Arc<Control>),
}

/// A local cell whose message type is known only at run time.
pub(super) trait AnyCell: Send + Sync + 'static {
    fn control(&self) -> &Control;
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

impl<M: Send + 'static> AnyCell for LocalCell<M> {
    fn control(&self) -> &Control {
        self
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

impl ActorCell {
    pub(super) fn of_local(cell: Arc<dyn AnyCell>) -> Self {
        Self { route: CellRoute::Local(cell) }
    }

    pub(super) fn of_foreign(control: Arc<Control>) -> Self {
        Self { route: CellRoute::Foreign(control) }
    }

    /// An address that does not keep the actor's memory alive.
    pub fn downgrade(&self) -> WeakActorCell {
        WeakActorCell {
            route: match &self.route {
                CellRoute::Local(cell) => WeakRoute::Local(Arc::downgrade(cell)),
                CellRoute::Foreign(control) => WeakRoute::Foreign(Arc::downgrade(control)),
            },
        }
    }
}

impl Deref for ActorCell {
    type Target = Control;

    fn deref(&self) -> &Control {
        match &self.route {
            CellRoute::Local(cell) => cell.control(),
            CellRoute::Foreign(control) => control,
        }
    }
}

impl PartialEq for ActorCell {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for ActorCell {}

impl Hash for ActorCell {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id().hash(state);
    }
}

impl fmt::Debug for ActorCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActorCell({:?})", &**self)
    }
}

/// An address that does not keep the actor's memory alive.
#[derive(Clone)]
pub struct WeakActorCell {
    route: WeakRoute,
}

#[derive(Clone)]
enum WeakRoute {
    Local(Weak<dyn AnyCell>),
    Foreign(Weak<Control>),
}

impl WeakActorCell {
    /// The strong address; `None` once the actor has ended and the last strong
    /// address is gone.
    pub fn upgrade(&self) -> Option<ActorCell> {
        let route = match &self.route {
            WeakRoute::Local(cell) => CellRoute::Local(cell.upgrade()?),
            WeakRoute::Foreign(control) => CellRoute::Foreign(control.upgrade()?),
        };
        Some(ActorCell { route })
    }
}

impl fmt::Debug for WeakActorCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WeakActorCell")
    }
}
