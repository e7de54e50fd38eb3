//! The caller's end of calls that went to another node: their ports, by the types of the answers, so
//! that a call in the steady state allocates nothing.
//!
//! ```text
//!  ReplyPort<T> ─► PendingReplies ── ports of T: a slab, locked for as long as one is moved
//!                        │                   ▲
//!                        └─► PendingReply ───┘  which knows the slab without its type
//! ```

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use actor_core::{CallFailure, Instant, ReplyPort};
use bytes::Bytes;
use slab::Slab;

use super::context::WireContext;
use super::error::{DecodeError, DecodeErrorKind};
use super::payload::{Wire, from_bytes};
use super::schema::Dialect;
use crate::contain::contained;
use crate::locked::locked;

/// The ports of calls that went to another node. A session has one.
#[derive(Default)]
pub struct PendingReplies {
    of_type: HashMap<TypeId, Ports>,
}

/// The ports of one type: the same twice, with that type to be found and without.
struct Ports {
    typed: Arc<dyn Any + Send + Sync>,
    erased: Arc<dyn ErasedPorts>,
}

impl PendingReplies {
    /// Keeps the port of a call until it is answered.
    #[expect(clippy::missing_panics_doc, reason = "its key is its type")]
    pub fn insert<T: Wire + Send + 'static>(&mut self, port: ReplyPort<T>) -> PendingReply {
        let ports = self.of_type.entry(TypeId::of::<T>()).or_insert_with(|| {
            let ports = Arc::new(PortsOf::<T>::default());
            Ports { typed: ports.clone(), erased: ports }
        });
        let typed = ports.typed.downcast_ref::<PortsOf<T>>().expect("its key is its type");
        PendingReply { key: Some(typed.slots().insert(port)), ports: ports.erased.clone(), dialect: None }
    }
}

impl fmt::Debug for PendingReplies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingReplies").field("types", &self.of_type.len()).finish_non_exhaustive()
    }
}

/// The caller's end of a call that went to another node: a reply port that takes
/// bytes. Dropping it tells the caller [`CallFailure::NoReply`].
pub struct PendingReply {
    ports: Arc<dyn ErasedPorts>,
    /// `None` once it was answered.
    key: Option<usize>,
    /// What the peer's build does not know of the call's types.
    dialect: Option<Arc<Dialect>>,
}

impl PendingReply {
    /// Wraps the port of a single call.
    pub fn new<T: Wire + Send + 'static>(port: ReplyPort<T>) -> Self {
        PendingReplies::default().insert(port)
    }

    /// Says what the peer's build does not know of the types of the call.
    #[must_use]
    pub fn speaking(mut self, dialect: Option<Arc<Dialect>>) -> Self {
        self.dialect = dialect;
        self
    }

    /// Answers the call with an encoded value.
    ///
    /// # Errors
    ///
    /// Where the bytes are no such value. The caller has then been told
    /// [`CallFailure::BadReply`].
    pub fn answer(mut self, bytes: &Bytes, context: &WireContext) -> Result<(), DecodeError> {
        let Some(key) = self.key.take() else { return Ok(()) };
        match self.dialect.take() {
            None => self.ports.answer(key, bytes, context),
            Some(dialect) => self.ports.answer(key, bytes, &context.speaking(dialect)),
        }
    }

    /// Tells the caller what became of the call instead of an answer.
    pub fn fail(mut self, failure: CallFailure) {
        if let Some(key) = self.key.take() {
            self.ports.fail(key, failure);
        }
    }

    /// Whether nobody waits for the answer any more.
    pub fn is_closed(&self) -> bool {
        self.key.is_none_or(|key| self.ports.is_closed(key))
    }

    /// When the caller stops waiting.
    pub fn deadline(&self) -> Option<Instant> {
        self.ports.deadline(self.key?)
    }
}

impl Drop for PendingReply {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.ports.forget(key);
        }
    }
}

impl fmt::Debug for PendingReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingReply").field("deadline", &self.deadline()).finish_non_exhaustive()
    }
}

/// A `PortsOf<T>` without its `T`. Each key is one [`PendingReply`]'s, and is used up by what takes
/// the port out.
trait ErasedPorts: Send + Sync {
    fn answer(&self, key: usize, bytes: &Bytes, context: &WireContext) -> Result<(), DecodeError>;
    fn fail(&self, key: usize, failure: CallFailure);
    fn forget(&self, key: usize);
    fn is_closed(&self, key: usize) -> bool;
    fn deadline(&self, key: usize) -> Option<Instant>;
}

struct PortsOf<T>(Mutex<Slab<ReplyPort<T>>>);

impl<T> Default for PortsOf<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> PortsOf<T> {
    /// Nobody's code runs under the lock: a port is moved out before anything is done with it.
    fn slots(&self) -> MutexGuard<'_, Slab<ReplyPort<T>>> {
        locked(&self.0)
    }

    fn take(&self, key: usize) -> Option<ReplyPort<T>> {
        self.slots().try_remove(key)
    }
}

impl<T: Wire + Send + 'static> ErasedPorts for PortsOf<T> {
    fn answer(&self, key: usize, bytes: &Bytes, context: &WireContext) -> Result<(), DecodeError> {
        let Some(port) = self.take(key) else { return Ok(()) };
        // A hand-written `Wire` may panic on bytes it does not expect; the call ran.
        let decoded = contained("a decoder", || from_bytes::<T>(bytes, context));
        let panicked = || Err(DecodeError::at(0, DecodeErrorKind::custom("its decoder panicked")));
        match decoded.unwrap_or_else(panicked) {
            Ok(value) => {
                // A caller that went away does not miss its answer.
                drop(port.send(value));
                Ok(())
            }
            Err(error) => {
                port.fail(CallFailure::BadReply(error.to_string().into()));
                Err(error)
            }
        }
    }

    fn fail(&self, key: usize, failure: CallFailure) {
        if let Some(port) = self.take(key) {
            port.fail(failure);
        }
    }

    fn forget(&self, key: usize) {
        drop(self.take(key));
    }

    fn is_closed(&self, key: usize) -> bool {
        self.slots().get(key).is_none_or(ReplyPort::is_closed)
    }

    fn deadline(&self, key: usize) -> Option<Instant> {
        self.slots().get(key)?.deadline()
    }
}
