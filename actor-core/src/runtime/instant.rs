//! Spawns that give the address at once. What exists before the start is the cell, the
//! name and the queue; the actor is built and started where it will run.
//!
//! ```text
//!  spawn_instant ─► Reserved ── the job ──► begin ─► start ─► run
//!       │              └── dropped anywhere: cancelled        │
//!       └─► address, Starting ◄───────────────── told ────────┘
//! ```

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tokio::sync::oneshot;

use super::boundary::{Droppable, Within, panicked, within};
use super::drive::{ActorInbox, Started, Unstarted, give_up, run, start};
use super::exit::ExitGuard;
use super::spawn::{Kept, SpawnOptions};
use super::spawn_local::{LocalSpawner, NotKept};
use crate::actor::{Actor, LocalActor};
use crate::address::{ActorCell, ActorRef};
use crate::contain::{Contained, caught, contained};
use crate::error::SpawnError;
use crate::exit::Exit;
use crate::system::ActorSystem;

impl ActorSystem {
    /// Gives an actor's address at once and starts it in a task of its own: messages that
    /// are sent meanwhile queue. What can be known at once is told at once, such as a name
    /// that is taken; what becomes of the start, by the second value.
    ///
    /// A stop that comes before the start waits for it, a drain waits and handles what had
    /// come, a kill ends it.
    ///
    /// # Errors
    ///
    /// See [`SpawnError`]; nothing of the actor is left.
    ///
    /// # Panics
    ///
    /// As [`spawn`](Self::spawn).
    pub fn spawn_instant<A: Actor>(
        &self,
        actor: A,
        arguments: A::Arguments,
        options: SpawnOptions,
    ) -> Result<(ActorRef<A::Msg>, Starting), SpawnError> {
        let mut options = options;
        let place = options.place.take();
        // Each by itself: should both destructors panic, nothing aborts.
        let (actor, arguments) = (Contained::new(actor), Contained::new(arguments));
        let build = move || (actor.into_inner(), arguments.into_inner());
        let (reserved, supervisor) = Reserved::new::<A>(options, self, build)?;
        let myself = reserved.myself().clone();
        let (report, starting) = Starting::new();
        let life = Droppable::new(BeginThenRun::new(begin::<A, Kept, _>(reserved, supervisor, report), run));
        let task = Within::new(Some(self.clone()), life);
        match place {
            None => self.executor().spawn(task).detach(),
            Some(place) => place.spawn(task),
        }
        Ok((myself, starting))
    }
}

impl LocalSpawner {
    /// [`ActorSystem::spawn_instant`] on this thread: the actor is built there. If the
    /// thread is gone, the start is [cancelled](Exit::Cancelled).
    ///
    /// # Errors
    ///
    /// As there. A panic while the actor is built is a [`SpawnError::Startup`], told by the
    /// second value.
    pub fn spawn_instant<A: LocalActor>(
        &self,
        actor: impl FnOnce() -> A + Send + 'static,
        arguments: A::Arguments,
        options: SpawnOptions,
    ) -> Result<(ActorRef<A::Msg>, Starting), SpawnError> {
        let system = self.system().clone();
        let (actor, arguments) = (Contained::new(actor), Contained::new(arguments));
        let build = move || (actor.into_inner()(), arguments.into_inner());
        let (reserved, supervisor) = Reserved::new::<A>(options, &system, build)?;
        let myself = reserved.myself().clone();
        let (report, starting) = Starting::new();
        self.thread().spawn(move || {
            let life = BeginThenRun::new(begin::<A, NotKept, _>(reserved, supervisor, report), run);
            Within::new(Some(system), Droppable::new(life))
        });
        Ok((myself, starting))
    }
}

/// An actor whose address is known and that nobody has built. If it is dropped, wherever
/// that is, it is cancelled.
struct Reserved<M: Send + 'static, B> {
    /// Taken when the actor is built.
    parts: Option<(ActorInbox<M>, ExitGuard<M>, B)>,
    /// What it is dropped within: it may lie in a job that never runs.
    system: Option<ActorSystem>,
}

impl<M: Send + 'static, B> Reserved<M, B> {
    fn new<A: LocalActor<Msg = M>>(
        options: SpawnOptions,
        system: &ActorSystem,
        build: B,
    ) -> Result<(Self, Option<ActorCell>), SpawnError> {
        let (inbox, guard, supervisor) = options.reserve::<A>(system)?;
        Ok((Self { parts: Some((inbox, guard, build)), system: Some(system.clone()) }, supervisor))
    }

    fn myself(&self) -> &ActorRef<M> {
        let (_, guard, _) = self.parts.as_ref().expect("it is taken where it ends");
        guard.myself()
    }

    fn take(mut self) -> (ActorInbox<M>, ExitGuard<M>, B) {
        self.parts.take().expect("it is taken where it ends")
    }
}

impl<M: Send + 'static, B> Drop for Reserved<M, B> {
    fn drop(&mut self) {
        let Some((inbox, guard, build)) = self.parts.take() else { return };
        within(&mut self.system, || {
            give_up(inbox, &guard);
            contained("the destructor of an actor that never started", || drop(build));
            drop(guard);
        });
    }
}

pin_project! {
    /// An actor's begin, and its run if that succeeds. Not an `async` block, which would be one more of them on the way of each
    /// message.
    #[project = BeginThenRunProjected]
    enum BeginThenRun<B, F, R> {
        Begin {
            #[pin]
            begin: B,
            run: F,
        },
        Run {
            #[pin]
            running: R,
        },
    }
}

impl<B, F, R> BeginThenRun<B, F, R> {
    fn new<S>(begin: B, run: F) -> Self
    where
        B: Future<Output = Option<S>>,
        F: Fn(S) -> R,
    {
        Self::Begin { begin, run }
    }
}

impl<S, B, F, R> Future for BeginThenRun<B, F, R>
where
    B: Future<Output = Option<S>>,
    F: Fn(S) -> R,
    R: Future<Output = ()>,
{
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let running = match self.as_mut().project() {
                BeginThenRunProjected::Run { running } => return running.poll(cx),
                BeginThenRunProjected::Begin { begin, run } => match ready!(poll_apart(begin, cx)) {
                    Some(started) => run(started),
                    None => return Poll::Ready(()),
                },
            };
            self.set(Self::Run { running });
        }
    }
}

/// In a function of its own: what a start takes of the stack is not taken again for each message.
#[inline(never)]
fn poll_apart<F: Future>(future: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<F::Output> {
    future.poll(cx)
}

/// Builds a reserved actor, starts it, and says what became of that. Runs [`Within`] the
/// actor's system.
///
/// If it is dropped, the report goes last: whoever hears of it finds nothing left.
async fn begin<A: LocalActor, K, B: FnOnce() -> (A, A::Arguments)>(
    reserved: Reserved<A::Msg, B>,
    supervisor: Option<ActorCell>,
    report: StartReport,
) -> Option<Started<A, K>> {
    let (inbox, guard, build) = reserved.take();
    let outcome = match caught(build) {
        Ok((actor, arguments)) => start(Unstarted { actor, inbox, guard }, arguments, supervisor).await,
        Err(payload) => {
            let exit = panicked(payload);
            give_up(inbox, &guard);
            guard.finish(&exit, None);
            Err(SpawnError::Startup(exit))
        }
    };
    report.started(outcome)
}

/// What becomes of a start that was not waited for; see [`ActorSystem::spawn_instant`].
/// Dropping it changes nothing.
///
/// It is ready once `pre_start` has succeeded and the actor is linked to its supervisor, or
/// once nothing of the actor is left.
///
/// # Errors
///
/// See [`SpawnError`]. [`Startup`](SpawnError::Startup) with [`Exit::Cancelled`] if the
/// runtime, or the actor's thread, went away.
///
/// # Panics
///
/// If it is polled again after it was ready.
#[must_use = "a start that fails is told to nobody else"]
pub struct Starting {
    outcome: oneshot::Receiver<Result<(), SpawnError>>,
}

/// Tells what becomes of a start.
struct StartReport(oneshot::Sender<Result<(), SpawnError>>);

impl Starting {
    fn new() -> (StartReport, Self) {
        let (report, outcome) = oneshot::channel();
        (StartReport(report), Self { outcome })
    }
}

impl StartReport {
    fn started<S>(self, outcome: Result<S, SpawnError>) -> Option<S> {
        let (report, started) = match outcome {
            Ok(started) => (Ok(()), Some(started)),
            Err(error) => (Err(error), None),
        };
        // Nobody may want to know.
        drop(self.0.send(report));
        started
    }
}

impl Future for Starting {
    type Output = Result<(), SpawnError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Unsaid only if the task was dropped before it had started the actor.
        let cancelled = |_| Err(SpawnError::Startup(Exit::Cancelled));
        Pin::new(&mut self.outcome).poll(cx).map(|outcome| outcome.unwrap_or_else(cancelled))
    }
}

impl fmt::Debug for Starting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Starting")
    }
}
