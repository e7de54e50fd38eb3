//! A broker: messages go to names, and whoever sends knows no actor.
//!
//! ```text
//!  cast, send("billing", M) ──► routes: name ─► Recipient<M> ──► mailbox
//!       │                          └ nobody: an error with the message, the system's
//!       │                            observer, and the broker's own handler
//!  request("billing", |id| M) ─► requests: id ─► who waits   (before the message leaves)
//!  answer(id, R) ────────────────────┘
//!  publish("orders.eu", M) ──► topics
//! ```
//!
//! * An address belongs to one actor at a time, and is free again when that has ended.
//! * No actor stands between: routing is a look into a sharded map, in the sender's own task.
//!   So messages of one sender to one address arrive in order.
//!
//! ```
//! use actor_core::{ActorRef, ActorSystem};
//! use actor_toolkit::broker::{Broker, CorrelationId, RouteError};
//! use std::time::Duration;
//!
//! # enum Billing { Charge(u32), Balance(CorrelationId) }
//! # async fn example(system: &ActorSystem, billing: &ActorRef<Billing>)
//! # -> Result<(), Box<dyn std::error::Error>> {
//! // Messages are `Billing`, and answers to requests are `u64`.
//! let broker: Broker<Billing, u64> = Broker::new(system);
//! broker.bind("billing", billing)?;
//! broker.cast("billing", Billing::Charge(7)).map_err(RouteError::without_message)?;
//!
//! // The actor answers with `broker.answer(id, balance)`, whenever and wherever it likes.
//! let second = Duration::from_secs(1);
//! let balance = broker.request("billing", second, Billing::Balance).await;
//! # Ok(())
//! # }
//! ```

mod error;
mod hashed;
pub mod limits;
mod requests;
mod routes;
mod telling;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actor_core::{ActorSystem, CallFailure, Event, Recipient, SendError, Unrouted, UnroutedReason};

pub use self::error::{BindError, RequestError, RouteError};
pub use self::requests::{CorrelationId, Request, Requests, TooManyRequests};
pub use self::routes::Binding;
use self::routes::Routes;
use self::telling::unless_within;
use crate::contain::contained;
use crate::topics::{PublishError, Receipt, Topics};

/// Routes messages of type `M` by name, and answers of type `R` to whoever asked. Clones are the
/// same broker.
///
/// See the [module](self) for what holds.
pub struct Broker<M, R = ()> {
    shared: Arc<Shared<M, R>>,
}

struct Shared<M, R> {
    system: ActorSystem,
    routes: Routes<M>,
    requests: Requests<R>,
    topics: Topics<M>,
    handler: Option<Box<Handler<M>>>,
}

type Handler<M> = dyn Fn(&DeadLetter<'_, M>) + Send + Sync;

/// A message that reached nobody. Its sender has it back.
#[derive(Debug)]
#[non_exhaustive]
pub struct DeadLetter<'a, M> {
    /// Where it was sent.
    pub address: &'a str,
    /// The message.
    pub message: &'a M,
    /// Why it reached nobody.
    pub reason: UnroutedReason,
}

impl<M: Send + 'static, R: Send + 'static> Broker<M, R> {
    /// A broker without addresses. The system's observer is told of messages to an address that
    /// nobody has, or whose actor has ended.
    pub fn new(system: &ActorSystem) -> Self {
        Self::made(system, None)
    }

    /// [`new`](Self::new), with a handler that is told of messages that reach nobody, too, on the
    /// thread that sends, before the sender is told. It must not block; a panic is reported and
    /// goes no further. It may send: if that reaches nobody through this broker either, it has it
    /// back in the error, and is not called again for it.
    pub fn with_dead_letters(
        system: &ActorSystem,
        handler: impl Fn(&DeadLetter<'_, M>) + Send + Sync + 'static,
    ) -> Self {
        Self::made(system, Some(Box::new(handler)))
    }

    fn made(system: &ActorSystem, handler: Option<Box<Handler<M>>>) -> Self {
        let shared = Shared {
            system: system.clone(),
            routes: Routes::new(),
            requests: Requests::new(),
            topics: Topics::new(system),
            handler,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Gives an actor an address, until it has ended or the [`Binding`] is
    /// [released](Binding::release). An actor that has it may bind it again, as in the `pre_start`
    /// of each of its lives: messages go to this recipient then, and either binding is good.
    ///
    /// # Errors
    ///
    /// [`BindError`] if the address cannot be used, or is taken. Of an actor that has ended it is
    /// free at once.
    pub fn bind(&self, address: &str, to: impl Into<Recipient<M>>) -> Result<Binding, BindError> {
        self.shared.routes.bind(address, to.into())
    }

    /// Whether somebody has the address.
    pub fn is_bound(&self, address: &str) -> bool {
        self.shared.routes.find(address).is_some()
    }

    /// How many addresses there are.
    pub fn addresses(&self) -> usize {
        self.shared.routes.len()
    }

    /// Puts a message into the mailbox of whoever has the address, and does not wait.
    ///
    /// # Errors
    ///
    /// [`RouteError`] gives the message back.
    pub fn cast(&self, address: &str, message: M) -> Result<(), RouteError<M>> {
        let Some(recipient) = self.shared.routes.find(address) else {
            return Err(self.unknown(address, message));
        };
        recipient.cast(message).map_err(|error| self.not_sent(address, error))
    }

    /// Waits for room, then does as [`cast`](Self::cast). Dropping the future before it is ready
    /// sends nothing.
    ///
    /// # Errors
    ///
    /// [`RouteError`] gives the message back.
    pub async fn send(&self, address: &str, message: M) -> Result<(), RouteError<M>> {
        let Some(recipient) = self.shared.routes.find(address) else {
            return Err(self.unknown(address, message));
        };
        recipient.send(message).await.map_err(|error| self.not_sent(address, error))
    }

    /// Sends a message with a correlation id in it, as [`cast`](Self::cast) does, and waits for
    /// what is [answered](Self::answer) to that id. It is known before `message` is called, so no
    /// answer comes too early. Nothing is sent before the future is first polled; dropping it
    /// after that forgets the id, and an answer finds nobody.
    ///
    /// Whoever gets the id may answer: the actor at the address, another, or nobody.
    ///
    /// # Errors
    ///
    /// See [`RequestError`].
    ///
    /// # Panics
    ///
    /// If `message` does. On [`Executor::tokio`](actor_core::Executor::tokio), if no runtime with
    /// its timer enabled is current.
    pub async fn request(
        &self,
        address: &str,
        timeout: Duration,
        message: impl FnOnce(CorrelationId) -> M,
    ) -> Result<R, RequestError<M>> {
        let executor = self.shared.system.executor();
        let deadline = executor.now() + timeout;
        let request = self.shared.requests.begin()?;
        self.cast(address, message(request.id()))?;
        match executor.timeout_at(deadline, request).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(CallFailure::TimedOut(timeout).into()),
        }
    }

    /// Answers a [`request`](Self::request).
    ///
    /// # Errors
    ///
    /// Gives the answer back if nobody waits for it: it came too late, was the second, or the id
    /// is nobody's.
    pub fn answer(&self, id: CorrelationId, answer: R) -> Result<(), R> {
        self.shared.requests.answer(id, answer)
    }

    /// How many requests wait for their answers.
    pub fn pending_requests(&self) -> usize {
        self.shared.requests.pending()
    }

    /// The broker's topics, to subscribe to.
    pub fn topics(&self) -> &Topics<M> {
        &self.shared.topics
    }

    /// [Publishes](Topics::publish) a message on the broker's topics. That nobody subscribed is
    /// no error, and no dead letter: see [`Receipt::subscriptions`].
    ///
    /// # Errors
    ///
    /// As [`Topics::publish`].
    ///
    /// # Panics
    ///
    /// As [`Topics::publish`].
    pub fn publish(&self, topic: &str, message: M) -> Result<Receipt<M>, PublishError<M>>
    where
        M: Clone,
    {
        self.shared.topics.publish(topic, message)
    }

    #[cold]
    fn unknown(&self, address: &str, message: M) -> RouteError<M> {
        self.tell(address, &message, UnroutedReason::Unknown);
        RouteError::Unknown(message)
    }

    #[cold]
    fn not_sent(&self, address: &str, error: SendError<M>) -> RouteError<M> {
        if let SendError::Stopped(message, _) = &error {
            self.tell(address, message, UnroutedReason::Stopped);
        }
        RouteError::NotSent(error)
    }

    fn tell(&self, address: &str, message: &M, reason: UnroutedReason) {
        let Shared { system, handler, .. } = &*self.shared;
        unless_within(system, || system.tell(|| Event::Unrouted(Unrouted::of::<M>(address, reason))));
        if let Some(handler) = handler {
            let tell = || handler(&DeadLetter { address, message, reason });
            unless_within(handler, || _ = contained("a handler of dead letters", tell));
        }
    }
}

impl<M, R> Clone for Broker<M, R> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<M: Send + 'static, R: Send + 'static> fmt::Debug for Broker<M, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker")
            .field("addresses", &self.addresses())
            .field("pending_requests", &self.pending_requests())
            .finish_non_exhaustive()
    }
}
