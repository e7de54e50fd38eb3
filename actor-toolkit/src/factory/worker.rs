//! Who does the work: a [`Worker`], a closure, or an actor of its own kind.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;

use actor_core::{Actor, ActorError, ActorRef};

use super::parcel::Assignment;
use super::reference::FactoryRef;

/// What a factory's worker does with a job.
///
/// `&self` is configuration, made anew for each life; `State` is what jobs change. A worker has
/// one job at a time. If `handle` fails or panics, the worker's life ends: another one begins
/// after the factory's backoff, with a new state, and the job is retried or
/// [lost](super::DiscardReason::Lost).
///
/// ```
/// use actor_core::ActorError;
/// use actor_toolkit::factory::{Place, Worker};
///
/// struct Press;
///
/// impl Worker for Press {
///     type Key = u32;
///     type Message = String;
///     type State = usize;
///
///     async fn pre_start(&self, _: &Place<u32, String>) -> Result<usize, ActorError> {
///         Ok(0)
///     }
///
///     async fn handle(&self, page: &u32, text: String, printed: &mut usize) -> Result<(), ActorError> {
///         println!("{page}: {text}");
///         *printed += 1;
///         Ok(())
///     }
/// }
/// ```
pub trait Worker: Sized + Send + Sync + 'static {
    /// What jobs belong to.
    type Key: Send + Sync + 'static;
    /// What a job is.
    type Message: Send + 'static;
    /// What jobs change.
    type State: Send + 'static;

    /// Builds the state, at the beginning of each life.
    ///
    /// # Errors
    ///
    /// Any error of a worker that the factory starts with is the factory's, which does not start.
    /// Later the worker is started again, after a delay.
    fn pre_start(
        &self,
        place: &Place<Self::Key, Self::Message>,
    ) -> impl Future<Output = Result<Self::State, ActorError>> + Send;

    /// Does a job.
    ///
    /// # Errors
    ///
    /// Any error ends the worker's life.
    fn handle(
        &self,
        key: &Self::Key,
        message: Self::Message,
        state: &mut Self::State,
    ) -> impl Future<Output = Result<(), ActorError>> + Send;

    /// Cleans up when the worker is not needed any more, or its factory stops. Does not run
    /// after a failure.
    ///
    /// # Errors
    ///
    /// Any error is reported in the worker's exit.
    fn post_stop(&self, state: &mut Self::State) -> impl Future<Output = Result<(), ActorError>> + Send {
        let _ = state;
        async { Ok(()) }
    }
}

/// A worker's place in its factory.
pub struct Place<K: Send + 'static, M: Send + 'static> {
    number: usize,
    factory: FactoryRef<K, M>,
}

impl<K: Send + 'static, M: Send + 'static> Place<K, M> {
    pub(super) fn new(number: u32, factory: FactoryRef<K, M>) -> Self {
        Self { number: number as usize, factory }
    }

    /// Which worker it is, from 0. The next life, and whoever replaces it, has the same.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Its factory, for jobs that make jobs. A worker that waits there for room, or for an
    /// answer, may wait for itself.
    pub fn factory(&self) -> &FactoryRef<K, M> {
        &self.factory
    }
}

impl<K: Send + 'static, M: Send + 'static> Clone for Place<K, M> {
    fn clone(&self) -> Self {
        Self { number: self.number, factory: self.factory.clone() }
    }
}

impl<K: Send + 'static, M: Send + 'static> fmt::Debug for Place<K, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").field("number", &self.number).finish_non_exhaustive()
    }
}

/// A [`Worker`] as an actor.
pub struct WorkerActor<W>(pub(super) W);

impl<W: Worker> Actor for WorkerActor<W> {
    type Msg = Assignment<W::Key, W::Message>;
    type State = W::State;
    type Arguments = Place<W::Key, W::Message>;

    async fn pre_start(
        &self,
        _: &ActorRef<Self::Msg>,
        place: Self::Arguments,
    ) -> Result<W::State, ActorError> {
        self.0.pre_start(&place).await
    }

    #[expect(clippy::manual_async_fn, reason = "an `async fn` would keep its arguments twice")]
    fn handle(
        &self,
        _: &ActorRef<Self::Msg>,
        assignment: Self::Msg,
        state: &mut W::State,
    ) -> impl Future<Output = Result<(), ActorError>> + Send {
        async move {
            let mut assignment = assignment.or_die();
            let Some(message) = assignment.take() else { return Ok(()) };
            self.0.handle(assignment.key(), message, state).await?;
            assignment.done();
            Ok(())
        }
    }

    fn post_stop(
        &self,
        _: &ActorRef<Self::Msg>,
        state: &mut W::State,
    ) -> impl Future<Output = Result<(), ActorError>> + Send {
        self.0.post_stop(state)
    }
}

impl<W> fmt::Debug for WorkerActor<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WorkerActor")
    }
}

/// A closure as a [`Worker`]; see [`FactoryBuilder::closure`](super::FactoryBuilder::closure).
pub struct ClosureWorker<K, M, F> {
    work: F,
    types: PhantomData<fn(K, M)>,
}

impl<K, M, F> ClosureWorker<K, M, F> {
    pub(super) fn new(work: F) -> Self {
        Self { work, types: PhantomData }
    }
}

impl<K, M, F, R> Worker for ClosureWorker<K, M, F>
where
    K: Clone + Send + Sync + 'static,
    M: Send + 'static,
    F: Fn(K, M) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), ActorError>> + Send,
{
    type Key = K;
    type Message = M;
    type State = ();

    async fn pre_start(&self, _: &Place<K, M>) -> Result<(), ActorError> {
        Ok(())
    }

    fn handle(
        &self,
        key: &K,
        message: M,
        (): &mut (),
    ) -> impl Future<Output = Result<(), ActorError>> + Send {
        (self.work)(key.clone(), message)
    }
}

impl<K, M, F> fmt::Debug for ClosureWorker<K, M, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClosureWorker")
    }
}
