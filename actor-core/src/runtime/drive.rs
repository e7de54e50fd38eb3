//! The one loop. It runs every actor, `Send` or not: the doors in `spawn.rs` and
//! `spawn_local.rs` only differ in where they put it.
//!
//! ```text
//!          ┌──────────── next_turn: kill > stop > supervision > message ◄────┐
//!          ▼                                                                 │
//!   Kill │ Stop │ Drained            Supervise(event) │ Receive(message) ── hook
//!          ▼
//!   begin_stopping ─► post_stop (not after a kill or a failure) ─► exit.rs
//! ```

use std::any::Any;
use std::future::{Future, poll_fn};
use std::task::{Context, Poll};

use super::boundary::Boundary;
use super::exit::{ExitGuard, local};
use super::killable::{Killable, Killed};
use crate::actor::LocalActor;
use crate::address::{ActorCell, ActorRef, LocalControl};
use crate::error::SpawnError;
use crate::event::{BoxedState, SupervisionEvent};
use crate::exit::{ActorError, Exit};
use crate::lifecycle::{Flag, Status, Turn};
use crate::mailbox::Receiver;
use crate::system::ActorSystem;

/// An actor that exists but has not begun.
pub(super) struct Unstarted<A: LocalActor> {
    pub(super) actor: A,
    pub(super) myself: ActorRef<A::Msg>,
    pub(super) mailbox: Receiver<A::Msg>,
    pub(super) system: ActorSystem,
    /// Last, so that it is dropped last.
    pub(super) guard: ExitGuard,
}

/// An actor whose `pre_start` has succeeded.
pub(super) struct Started<A: LocalActor> {
    state: A::State,
    keep: KeepState<A::State>,
    /// Last, so that its guard is dropped last.
    unstarted: Unstarted<A>,
}

/// Whether a dead actor's state can go to its supervisor: yes if it is `Send`.
/// It is the one thing in which the two doors' actors differ.
pub(super) type KeepState<S> = fn(S) -> Option<BoxedState>;

/// Runs `pre_start` and links the actor. Whatever goes wrong, or if this future
/// is dropped, nothing of the actor is left.
pub(super) async fn start<A: LocalActor>(
    unstarted: Unstarted<A>,
    arguments: A::Arguments,
    supervisor: Option<ActorCell>,
    keep: KeepState<A::State>,
) -> Result<Started<A>, SpawnError> {
    // The guard is bound first, so that it is dropped last.
    let Unstarted { guard, system, mailbox, myself, actor } = unstarted;
    let control = local(guard.cell());
    control.advance(Status::Starting);
    // Called within the boundary: a hook may panic before it gives a future.
    let pre_start = async { Killable::new(control, actor.pre_start(&myself, arguments)).await };
    let exit = match Boundary::new(system.clone(), pre_start).await {
        Ok(Ok(Ok(state))) => {
            if supervisor.is_some_and(|supervisor| guard.cell().link(&supervisor).is_err()) {
                // Should a destructor panic, the refusal is still all there is to say.
                let _ = drop_contents(system, mailbox, || drop((actor, state))).await;
                return Err(SpawnError::SupervisorStopping);
            }
            let unstarted = Unstarted { guard, system, mailbox, myself, actor };
            return Ok(Started { state, keep, unstarted });
        }
        Ok(Ok(Err(error))) => Exit::failed(&error),
        Ok(Err(Killed)) => Exit::Killed,
        Err(payload) => Exit::panicked(&*payload),
    };
    let _ = drop_contents(system, mailbox, || drop(actor)).await;
    guard.finish(&exit, None);
    Err(SpawnError::Startup(exit))
}

/// Runs a started actor to its end.
pub(super) async fn drive<A: LocalActor>(started: Started<A>) {
    // The guard is bound first, so that it is dropped last.
    let Started { unstarted: Unstarted { guard, system, mailbox, myself, actor }, state, keep } = started;
    let (mut state, mut mailbox) = (state, mailbox);
    let life = Boundary::new(system.clone(), async {
        let hooks = Hooks { actor: &actor, myself: &myself, control: local(guard.cell()) };
        hooks.live(&mut state, &mut mailbox, &guard).await
    });
    let exit = life.await.unwrap_or_else(|payload| Exit::panicked(&*payload));
    guard.begin_stopping();

    // A killed or failed actor's state may be torn; without a supervisor nobody
    // could look at it.
    let is_whole = matches!(exit, Exit::Stopped(_) | Exit::Drained);
    let keep = if is_whole && guard.cell().supervisor().is_some() { keep } else { |_| None };
    let dropped = drop_contents(system, mailbox, || {
        drop(actor);
        keep(state)
    });
    let (exit, kept) = match dropped.await {
        Ok(kept) => (exit, kept),
        Err(_) if exit.is_failure() => (exit, None),
        Err(payload) => (Exit::panicked(&*payload), None),
    };
    guard.finish(&exit, kept);
}

/// Drops what the user gave, before anybody is told of the end. That happens in
/// a boundary of its own: a destructor that panicked while a hook's panic unwinds
/// would abort the process.
async fn drop_contents<M, R>(
    system: ActorSystem,
    mailbox: Receiver<M>,
    rest: impl FnOnce() -> R,
) -> Result<R, Box<dyn Any + Send>> {
    let dropping = async {
        mailbox.discard().await;
        rest()
    };
    Boundary::new(system, dropping).await
}

/// A running actor's hooks, each killable.
struct Hooks<'a, A: LocalActor> {
    actor: &'a A,
    myself: &'a ActorRef<A::Msg>,
    control: &'a LocalControl,
}

/// What comes next for a running actor.
enum Next<M> {
    Kill,
    Stop,
    Drained,
    Supervise(SupervisionEvent),
    Handle(M),
}

impl<A: LocalActor> Hooks<'_, A> {
    async fn live(&self, state: &mut A::State, mailbox: &mut Receiver<A::Msg>, guard: &ExitGuard) -> Exit {
        let exit = match self.run(self.actor.post_start(self.myself, state)).await {
            Err(exit) => exit,
            Ok(()) => {
                self.control.advance(Status::Running);
                guard.cell().tell_supervisor(SupervisionEvent::Started);
                self.serve(state, mailbox).await
            }
        };
        guard.begin_stopping();
        if !matches!(exit, Exit::Stopped(_) | Exit::Drained) {
            return exit;
        }
        match self.run(self.actor.post_stop(self.myself, state)).await {
            Ok(()) => exit,
            Err(worse) => worse,
        }
    }

    async fn serve(&self, state: &mut A::State, mailbox: &mut Receiver<A::Msg>) -> Exit {
        loop {
            let handled = match poll_fn(|cx| poll_next(self.control, mailbox, cx)).await {
                Next::Kill => return Exit::Killed,
                Next::Stop => return Exit::Stopped(self.control.stop_reason()),
                Next::Drained => return Exit::Drained,
                Next::Supervise(event) => {
                    self.run(self.actor.handle_supervisor_evt(self.myself, event, state)).await
                }
                Next::Handle(message) => self.run(self.actor.handle(self.myself, message, state)).await,
            };
            if let Err(exit) = handled {
                return exit;
            }
        }
    }

    async fn run(&self, hook: impl Future<Output = Result<(), ActorError>>) -> Result<(), Exit> {
        match Killable::new(self.control, hook).await {
            Err(Killed) => Err(Exit::Killed),
            Ok(Err(error)) => Err(Exit::failed(&error)),
            Ok(Ok(())) => Ok(()),
        }
    }
}

fn poll_next<M>(control: &LocalControl, mailbox: &mut Receiver<M>, cx: &mut Context<'_>) -> Poll<Next<M>> {
    let mut is_registered = false;
    loop {
        let word = control.word();
        match word.next_turn() {
            Turn::Kill => return Poll::Ready(Next::Kill),
            Turn::Stop => return Poll::Ready(Next::Stop),
            Turn::Supervise => {
                if let Some(event) = control.take_event() {
                    return Poll::Ready(Next::Supervise(event));
                }
            }
            Turn::Receive => {
                if word.has(Flag::Drain) {
                    mailbox.close();
                }
                if let Poll::Ready(message) = mailbox.poll_recv(cx) {
                    return Poll::Ready(message.map_or(Next::Drained, Next::Handle));
                }
                if is_registered {
                    return Poll::Pending;
                }
                // Registered before the word is read once more: a request is either
                // seen then or wakes this task.
                control.register(cx.waker());
                is_registered = true;
            }
        }
    }
}
