//! [`ActorCell`]: an address that has forgotten its message type.

use std::any::{Any, type_name};
use std::error::Error;
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
    Foreign(Arc<Control>, Option<TypedForeign>),
}

/// The `ActorRef` that an untyped address was made of, in another process.
pub(super) type TypedForeign = Arc<dyn Any + Send + Sync>;

/// A local cell whose message type is known only at run time.
pub(super) trait AnyCell: Send + Sync + 'static {
    fn control(&self) -> &Control;
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
    /// The name of the type of its messages.
    fn message_type(&self) -> &'static str;
}

impl<M: Send + 'static> AnyCell for LocalCell<M> {
    fn control(&self) -> &Control {
        self
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }

    fn message_type(&self) -> &'static str {
        type_name::<M>()
    }
}

impl ActorCell {
    pub(super) fn of_local(cell: Arc<dyn AnyCell>) -> Self {
        Self { route: CellRoute::Local(cell) }
    }

    pub(super) fn of_foreign(control: Arc<Control>, typed: TypedForeign) -> Self {
        Self { route: CellRoute::Foreign(control, Some(typed)) }
    }

    /// The address of an actor in another process, whose messages are not known.
    ///
    /// # Panics
    ///
    /// If the actor is [local](Control::is_local).
    pub fn foreign(control: Arc<Control>) -> Self {
        assert!(!control.is_local(), "a local actor has an address");
        Self { route: CellRoute::Foreign(control, None) }
    }

    /// The name of the Rust type of the messages it takes; `None` if it lives in another
    /// process.
    pub fn message_type(&self) -> Option<&'static str> {
        match &self.route {
            CellRoute::Local(cell) => Some(cell.message_type()),
            CellRoute::Foreign(..) => None,
        }
    }

    /// From now on, for as long as this life lasts, [`drain`](Control::drain) calls `hook`
    /// instead of closing the mailbox. For an actor that has work beside its mailbox, and says
    /// this of itself when it starts: the hook sends it a message, it finishes what it has, and
    /// then calls [`drain_mailbox`](Self::drain_mailbox). What a supervisor drains has its time
    /// for it: see [`Shutdown::Drain`](crate::Shutdown::Drain).
    ///
    /// Each drain calls it, on the thread of whoever asks. It must not block, and what it holds
    /// it holds until the life ends: of the actor itself, a [weak address](Self::downgrade). A
    /// panic is reported and goes no further. The last one that was given counts. Of an actor
    /// that has ended, or lives in another process, it is dropped.
    pub fn on_drain(&self, hook: impl Fn() + Send + Sync + 'static) {
        if let Some(local) = self.as_local() {
            local.on_drain(Arc::new(hook));
        }
    }

    /// What [`drain`](Control::drain) does unless something was said [otherwise](Self::on_drain).
    pub fn drain_mailbox(&self) {
        match self.as_local() {
            Some(local) => local.drain_mailbox(),
            None => self.drain(),
        }
    }

    /// An address that does not keep the actor's memory alive.
    pub fn downgrade(&self) -> WeakActorCell {
        WeakActorCell {
            route: match &self.route {
                CellRoute::Local(cell) => WeakRoute::Local(Arc::downgrade(cell)),
                CellRoute::Foreign(control, _) => WeakRoute::Foreign(Arc::downgrade(control)),
            },
        }
    }
}

impl Deref for ActorCell {
    type Target = Control;

    fn deref(&self) -> &Control {
        match &self.route {
            CellRoute::Local(cell) => cell.control(),
            CellRoute::Foreign(control, _) => control,
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

/// An actor takes other messages than those it was to be sent. Nothing is wrong with it.
#[derive(Clone, PartialEq, Eq)]
pub struct WrongType {
    cell: ActorCell,
    expected: &'static str,
}

impl WrongType {
    pub(super) fn of<M>(cell: ActorCell) -> Self {
        Self { cell, expected: type_name::<M>() }
    }

    /// The actor's address.
    pub fn into_cell(self) -> ActorCell {
        self.cell
    }
}

impl fmt::Display for WrongType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, expected) = (self.cell.id(), self.expected);
        match self.cell.message_type() {
            Some(actual) => write!(f, "actor {id} takes {actual}, not {expected}"),
            None => {
                write!(
                    f,
                    "actor {id} lives in another process, and what it takes is not known to be {expected}"
                )
            }
        }
    }
}

impl fmt::Debug for WrongType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WrongType({self})")
    }
}

impl Error for WrongType {}

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
            WeakRoute::Foreign(control) => CellRoute::Foreign(control.upgrade()?, None),
        };
        Some(ActorCell { route })
    }
}

impl fmt::Debug for WeakActorCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WeakActorCell")
    }
}
