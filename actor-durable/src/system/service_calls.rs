//! A durable service as its callers see it: a `tower` service again.

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::future::{Either, select};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower_service::Service;

use super::DurableRef;
use crate::codec::CodecError;
use crate::error::{AskError, Doubt, NotApplied};
use crate::id::MessageId;
use crate::limits::SERVICE_CALLS_MAX;
use crate::wrap::{WrapService, WrappedService};

/// Calls of one durable service, as a `tower` service.
///
/// It is ready while fewer than [`SERVICE_CALLS_MAX`] calls by it and its clones are in flight, or another [bound](Self::bounded).
/// `poll_ready` fails once the system is shut down. A call waits for its answer only, which comes when the request is stored.
///
/// Each call has a new id unless the request [has one](WrapService::id). A layer that repeats calls needs requests with ids, or a
/// request may be applied twice.
///
/// # Cancellation
///
/// If the future of a call is dropped before it is ready, the request may be applied.
///
/// # Panics
///
/// `call` panics if `poll_ready` has not returned ready, as `tower` allows.
pub struct ServiceCalls<W: WrapService> {
    actor: DurableRef<WrappedService<W>>,
    room: Arc<Semaphore>,
    place: Place,
}

/// The place of the next call among those in flight.
enum Place {
    None,
    /// Until there is none any more.
    Waiting(Pin<Box<dyn Future<Output = Option<OwnedSemaphorePermit>> + Send>>),
    Taken(OwnedSemaphorePermit),
}

/// Why a call of a durable service has no response.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ServiceError {
    /// The text of the service's own error. The request was applied: with the same id it gets the same answer.
    Service(String),
    /// The request was certainly not applied.
    NotApplied(NotApplied),
    /// The request was applied, or was not, or may yet be. Ask again with the same id: see [`WrapService::id`].
    Unknown {
        /// The id to ask again with.
        id: MessageId,
        /// Why it is not known.
        why: Doubt,
    },
    /// The request was applied, but this program cannot read its answer.
    BadReply(CodecError),
}

impl<W: WrapService> ServiceCalls<W> {
    /// Calls of this service.
    pub fn new(actor: DurableRef<WrappedService<W>>) -> Self {
        Self::bounded(actor, SERVICE_CALLS_MAX)
    }

    /// [`new`](Self::new) with another bound for the calls in flight, which is at least one.
    pub fn bounded(actor: DurableRef<WrappedService<W>>, calls_max: usize) -> Self {
        let room = Arc::new(Semaphore::new(calls_max.clamp(1, Semaphore::MAX_PERMITS)));
        Self { actor, room, place: Place::None }
    }

    /// The service as a durable actor, to call it with an id or to send it a request.
    pub fn actor(&self) -> &DurableRef<WrappedService<W>> {
        &self.actor
    }
}

impl<W: WrapService> Service<W::Request> for ServiceCalls<W> {
    type Response = W::Response;
    type Error = ServiceError;
    type Future = Pin<Box<dyn Future<Output = Result<W::Response, ServiceError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ServiceError>> {
        loop {
            if self.actor.is_shut_down() {
                self.place = Place::None;
                return Poll::Ready(Err(ServiceError::NotApplied(NotApplied::ShutDown)));
            }
            self.place = match &mut self.place {
                Place::Taken(_) => return Poll::Ready(Ok(())),
                Place::None => Place::Waiting(Box::pin(place(self.room.clone(), self.actor.shut_down()))),
                Place::Waiting(waiting) => {
                    ready!(waiting.as_mut().poll(cx)).map_or(Place::None, Place::Taken)
                }
            };
        }
    }

    fn call(&mut self, request: W::Request) -> Self::Future {
        let Place::Taken(permit) = std::mem::replace(&mut self.place, Place::None) else {
            panic!("a service is called when it is ready: await `poll_ready` first");
        };
        let actor = self.actor.clone();
        Box::pin(async move {
            let answer = match W::id(&request) {
                Some(id) => actor.call(request).id(id).await,
                // Made for this call alone, so it is never too late.
                None => actor.call(request).await,
            };
            drop(permit);
            match answer {
                Ok(Ok(response)) => Ok(response),
                Ok(Err(error)) => Err(ServiceError::Service(error)),
                Err(AskError::Refused(never)) => match never {},
                Err(AskError::NotApplied(why)) => Err(ServiceError::NotApplied(why)),
                Err(AskError::Unknown { id, why }) => Err(ServiceError::Unknown { id, why }),
                Err(AskError::BadReply(form)) => Err(ServiceError::BadReply(form)),
            }
        })
    }
}

/// A place, unless the system is shut down first.
async fn place(room: Arc<Semaphore>, shut_down: impl Future<Output = ()>) -> Option<OwnedSemaphorePermit> {
    match select(pin!(room.acquire_owned()), pin!(shut_down)).await {
        Either::Left((permit, _)) => permit.ok(),
        Either::Right(_) => None,
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(text) => f.write_str(text),
            Self::NotApplied(why) => write!(f, "not applied: {why}"),
            Self::Unknown { id, why } => write!(f, "unknown, ask again with the id {id}: {why}"),
            Self::BadReply(form) => write!(f, "applied, but the answer is unreadable: {form}"),
        }
    }
}

impl std::error::Error for ServiceError {}

/// The clone has to become ready by itself.
impl<W: WrapService> Clone for ServiceCalls<W> {
    fn clone(&self) -> Self {
        Self { actor: self.actor.clone(), room: self.room.clone(), place: Place::None }
    }
}

impl<W: WrapService> fmt::Debug for ServiceCalls<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceCalls")
            .field("actor", &self.actor)
            .field("free", &self.room.available_permits())
            .finish_non_exhaustive()
    }
}
