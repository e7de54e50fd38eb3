//! The door for actors that stay on their thread.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;

use tokio::sync::oneshot;

use super::boundary::{Caught, Within, panicked};
use super::drive::{KeepState, Started, Unstarted, run, run_restartable, start};
use super::spawn::SpawnOptions;
use crate::actor::LocalActor;
use crate::address::{ActorCell, ActorRef};
use crate::error::SpawnError;
use crate::event::BoxedState;
use crate::executor::LocalThread;
use crate::system::ActorSystem;

/// A thread on which [`LocalActor`]s of one system run. The thread ends when
/// every clone of the spawner is dropped and every actor on it has ended.
#[derive(Clone, Debug)]
pub struct LocalSpawner {
    system: ActorSystem,
    thread: LocalThread,
}

impl LocalSpawner {
    /// Starts the thread. `name` is the thread's name.
    ///
    /// # Errors
    ///
    /// When the system gives no more threads.
    pub fn new(system: &ActorSystem, name: &str) -> io::Result<Self> {
        Ok(Self { system: system.clone(), thread: system.executor().local_thread(name)? })
    }

    pub(super) fn system(&self) -> &ActorSystem {
        &self.system
    }

    pub(super) fn thread(&self) -> &LocalThread {
        &self.thread
    }

    /// Builds an actor on the thread, starts it there, and waits until its
    /// `pre_start` has succeeded. Only the messages and the arguments cross
    /// threads. Dropping the future before it is ready leaves nothing behind.
    ///
    /// # Errors
    ///
    /// See [`SpawnError`]; nothing of the actor is left.
    pub async fn spawn<A: LocalActor>(
        &self,
        actor: impl FnOnce() -> A + Send + 'static,
        arguments: A::Arguments,
        options: SpawnOptions,
    ) -> Result<ActorRef<A::Msg>, SpawnError> {
        let prepare = move |system: &ActorSystem| {
            let (unstarted, supervisor) = options.unstarted(system, actor())?;
            Ok((unstarted, arguments, supervisor, ()))
        };
        self.launch(prepare, |started, ()| run(started)).await
    }

    /// [`ActorSystem::spawn_restartable`] on this thread: `make` is called there.
    ///
    /// # Errors
    ///
    /// As there, and [`SpawnError::ThreadGone`].
    pub async fn spawn_restartable<A: LocalActor>(
        &self,
        mut make: impl FnMut() -> (A, A::Arguments) + Send + 'static,
        options: SpawnOptions,
    ) -> Result<ActorRef<A::Msg>, SpawnError> {
        let prepare = move |system: &ActorSystem| {
            let (unstarted, arguments, supervisor) = options.restartable(system, &mut make)?;
            Ok((unstarted, arguments, supervisor, make))
        };
        self.launch(prepare, run_restartable).await
    }

    /// Prepares an actor on the thread, starts it and runs it.
    async fn launch<A: LocalActor, R: 'static, L: Future<Output = ()> + 'static>(
        &self,
        prepare: impl FnOnce(&ActorSystem) -> Result<Prepared<A, R>, SpawnError> + Send + 'static,
        run: impl FnOnce(Started<A, NotKept>, R) -> L + Send + 'static,
    ) -> Result<ActorRef<A::Msg>, SpawnError> {
        let system = self.system.clone();
        let (mut report, started) = oneshot::channel();
        self.thread.spawn(move || {
            Within::new(Some(system.clone()), async move {
                let start = Caught::new(async move {
                    let (unstarted, arguments, supervisor, rest) = prepare(&system)?;
                    let myself = unstarted.guard.myself().clone();
                    let started = start::<A, NotKept>(unstarted, arguments, supervisor).await?;
                    Ok((started, rest, myself))
                });
                let Some(outcome) = unless_closed(&mut report, start).await else { return };
                // A panic here is one of the closure that builds the actor.
                let outcome = outcome.unwrap_or_else(|payload| Err(SpawnError::Startup(panicked(payload))));
                let (life, report_as) = match outcome {
                    Ok((started, rest, myself)) => (Some(run(started, rest)), Ok(Unclaimed(Some(myself)))),
                    Err(error) => (None, Err(error)),
                };
                // If nobody waits any more, dropping the actor's life cancels it.
                if let (Ok(()), Some(life)) = (report.send(report_as), life) {
                    life.await;
                }
            })
        });
        started.await.unwrap_or(Err(SpawnError::ThreadGone)).map(Unclaimed::claim)
    }
}

/// An actor that is ready to be started, its supervisor, and what it needs to run.
type Prepared<A, R> = (Unstarted<A>, <A as LocalActor>::Arguments, Option<ActorCell>, R);

/// A state that must not leave its thread is dropped there.
pub(super) struct NotKept;

impl<S> KeepState<S> for NotKept {
    fn keep(state: S) -> Option<BoxedState> {
        drop(state);
        None
    }
}

/// The address of a started actor on its way to whoever spawned it. If it is
/// dropped on the way, because the spawn was, the actor ends.
struct Unclaimed<M: Send + 'static>(Option<ActorRef<M>>);

impl<M: Send + 'static> Unclaimed<M> {
    fn claim(mut self) -> ActorRef<M> {
        self.0.take().expect("an address is claimed once")
    }
}

impl<M: Send + 'static> Drop for Unclaimed<M> {
    fn drop(&mut self) {
        if let Some(actor) = &self.0 {
            // Nobody is to start it again.
            actor.cell().release();
            actor.kill();
        }
    }
}

/// Runs a future until it ends or nobody waits for the report any more.
async fn unless_closed<T, F: Future>(report: &mut oneshot::Sender<T>, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match report.poll_closed(cx) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => future.as_mut().poll(cx).map(Some),
    })
    .await
}
