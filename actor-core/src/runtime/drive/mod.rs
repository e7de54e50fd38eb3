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

#[cfg(test)]
mod tests;

use std::any::Any;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::boundary::{Boundary, contain, enter};
use super::exit::ExitGuard;
use super::killable::{Killable, Killed};
use crate::actor::LocalActor;
use crate::address::{ActorCell, LocalCell};
use crate::error::SpawnError;
use crate::event::{BoxedState, SupervisionEvent};
use crate::exit::{ActorError, Exit};
use crate::lifecycle::{Status, Turn};
use crate::limits::MESSAGES_PER_TURN;
use crate::mailbox::{Inbox, Park, Received};
use crate::sync::Backoff;
use crate::system::ActorSystem;

/// The receiving end of an actor's mailbox.
pub(super) type ActorInbox<M> = Inbox<M, LocalCell<M>>;

/// An actor that exists but has not begun.
pub(super) struct Unstarted<A: LocalActor> {
    pub(super) actor: A,
    pub(super) inbox: ActorInbox<A::Msg>,
    /// Last, so that it is dropped last.
    pub(super) guard: ExitGuard<A::Msg>,
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
    let Unstarted { guard, inbox, actor } = unstarted;
    let mut inbox = inbox;
    guard.control().advance(Status::Starting);
    // Called within the boundary: a hook may panic before it gives a future.
    let pre_start = async { Killable::new(&mut inbox, actor.pre_start(guard.myself(), arguments)).await };
    let exit = match Boundary::new(guard.system().clone(), pre_start).await {
        Ok(Ok(Ok(state))) => {
            if supervisor.is_some_and(|supervisor| guard.myself().cell().link(&supervisor).is_err()) {
                // Should a destructor panic, the refusal is still all there is to say.
                let _ = drop_contents(guard.system(), inbox, || drop((actor, state)));
                return Err(SpawnError::SupervisorStopping);
            }
            return Ok(Started { state, keep, unstarted: Unstarted { guard, inbox, actor } });
        }
        Ok(Ok(Err(error))) => Exit::failed(&error),
        Ok(Err(Killed)) => Exit::Killed,
        Err(payload) => Exit::panicked(&*payload),
    };
    let _ = drop_contents(guard.system(), inbox, || drop(actor));
    guard.finish(&exit, None);
    Err(SpawnError::Startup(exit))
}

/// Runs a started actor to its end.
///
/// Not an `async fn`, which would keep its argument in the task twice.
pub(super) fn drive<A: LocalActor>(started: Started<A>) -> impl Future<Output = ()> + use<A> {
    let mut started = started;
    async move {
        let system = started.unstarted.guard.system().clone();
        let exit = Boundary::new(system, live(&mut started)).await;
        finish(started, exit.unwrap_or_else(|payload| Exit::panicked(&*payload)));
    }
}

/// Drops everything of an actor's and tells the world.
fn finish<A: LocalActor>(started: Started<A>, exit: Exit) {
    // The guard is bound first, so that it is dropped last.
    let Started { unstarted: Unstarted { guard, inbox, actor }, state, keep } = started;
    guard.begin_stopping();

    // A killed or failed actor's state may be torn; without a supervisor nobody
    // could look at it.
    let is_whole = matches!(exit, Exit::Stopped(_) | Exit::Drained);
    let keep = if is_whole && guard.has_supervisor() { keep } else { |_| None };
    let dropped = drop_contents(guard.system(), inbox, || {
        drop(actor);
        keep(state)
    });
    let (exit, kept) = match dropped {
        Ok(kept) => (exit, kept),
        Err(_) if exit.is_failure() => (exit, None),
        Err(payload) => (Exit::panicked(&*payload), None),
    };
    guard.finish(&exit, kept);
}

/// Drops what the user gave, before anybody is told of the end. That happens in
/// a boundary of its own: a destructor that panicked while a hook's panic unwinds
/// would abort the process.
fn drop_contents<M: Send + 'static, R>(
    system: &ActorSystem,
    inbox: ActorInbox<M>,
    rest: impl FnOnce() -> R,
) -> Result<R, Box<dyn Any + Send>> {
    let _entered = enter(system);
    let discarded = inbox.discard();
    let rest = contain(rest);
    discarded.and(rest)
}

/// What comes next for a running actor.
enum Next<M> {
    Kill,
    Stop,
    Drained,
    Supervise(SupervisionEvent),
    Handle(M),
}

/// The hooks from `post_start` to `post_stop`, each killable.
///
/// What is borrowed is borrowed anew for each hook, and what is matched is moved out
/// whole before the next await, so that the task keeps nothing beside the hook's own
/// future.
fn live<A: LocalActor>(life: &mut Started<A>) -> impl Future<Output = Exit> + use<'_, A> {
    async move {
        let Unstarted { actor, inbox, guard } = &mut life.unstarted;
        let hook = Killable::new(inbox, actor.post_start(guard.myself(), &mut life.state));
        if let Some(exit) = verdict(hook.await) {
            return exit;
        }
        life.unstarted.guard.control().advance(Status::Running);
        life.unstarted.guard.tell_supervisor(SupervisionEvent::Started);
        let exit = serve(life).await;
        depart(life, exit).await
    }
}

/// The hook after the last.
fn depart<A: LocalActor>(life: &mut Started<A>, exit: Exit) -> impl Future<Output = Exit> + use<'_, A> {
    async move {
        life.unstarted.guard.begin_stopping();
        if !matches!(exit, Exit::Stopped(_) | Exit::Drained) {
            return exit;
        }
        let Unstarted { actor, inbox, guard } = &mut life.unstarted;
        let hook = Killable::new(inbox, actor.post_stop(guard.myself(), &mut life.state));
        verdict(hook.await).unwrap_or(exit)
    }
}

/// The loop itself.
fn serve<A: LocalActor>(life: &mut Started<A>) -> impl Future<Output = Exit> + use<'_, A> {
    async move {
        let mut turn = MESSAGES_PER_TURN;
        loop {
            let next = poll_fn(|cx| poll_next(&mut life.unstarted, &mut turn, cx)).await;
            let hook = match begin(life, next) {
                Ok(hook) => hook,
                Err(exit) => return exit,
            };
            if let Some(exit) = verdict(hook.await) {
                return exit;
            }
        }
    }
}

/// The hook that comes next, not yet polled; or how the actor ends.
fn begin<A: LocalActor>(
    life: &mut Started<A>,
    next: Next<A::Msg>,
) -> Result<Killable<'_, impl Future<Output = Result<(), ActorError>> + use<'_, A>, A::Msg>, Exit> {
    let Unstarted { actor, inbox, guard } = &mut life.unstarted;
    let hook = match next {
        Next::Handle(message) => {
            Hook::Message { hook: actor.handle(guard.myself(), message, &mut life.state) }
        }
        Next::Supervise(event) => {
            Hook::Event { hook: actor.handle_supervisor_evt(guard.myself(), event, &mut life.state) }
        }
        Next::Kill => return Err(Exit::Killed),
        Next::Stop => return Err(Exit::Stopped(guard.control().stop_reason())),
        Next::Drained => return Err(Exit::Drained),
    };
    Ok(Killable::new(inbox, hook))
}

pin_project_lite::pin_project! {
    /// One of the two hooks that a running actor has.
    #[project = HookProjected]
    enum Hook<M, E> {
        Message { #[pin] hook: M },
        Event { #[pin] hook: E },
    }
}

impl<T, M: Future<Output = T>, E: Future<Output = T>> Future for Hook<M, E> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        match self.project() {
            HookProjected::Message { hook } => hook.poll(cx),
            HookProjected::Event { hook } => hook.poll(cx),
        }
    }
}

/// What is due now, in the order kill, stop, supervision, message. `turn` counts
/// down to where the others of this thread have theirs.
fn poll_next<A: LocalActor>(
    unstarted: &mut Unstarted<A>,
    turn: &mut u32,
    cx: &mut Context<'_>,
) -> Poll<Next<A::Msg>> {
    let Unstarted { inbox, guard, .. } = unstarted;
    let mut backoff = Backoff::default();
    loop {
        match inbox.owner().word().next_turn() {
            Turn::Kill => return Poll::Ready(Next::Kill),
            Turn::Stop => return Poll::Ready(Next::Stop),
            Turn::Supervise => {
                if let Some(event) = guard.control().take_event() {
                    return Poll::Ready(Next::Supervise(event));
                }
            }
            Turn::Receive if *turn == 0 => break,
            Turn::Receive => match inbox.receive() {
                Received::Message(message) => {
                    *turn -= 1;
                    return Poll::Ready(Next::Handle(message));
                }
                Received::Closed => return Poll::Ready(Next::Drained),
                Received::Empty => match inbox.park(cx.waker()) {
                    // The word is read once more: a request is either seen there or
                    // wakes this task.
                    Park::Parked if inbox.owner().word().next_turn() == Turn::Receive => {
                        *turn = MESSAGES_PER_TURN;
                        return Poll::Pending;
                    }
                    Park::Parked | Park::Awake => {}
                    Park::Busy if backoff.try_pause() => {}
                    Park::Busy => break,
                },
                Received::Busy if backoff.try_pause() => {}
                Received::Busy => break,
            },
        }
    }
    // Somebody else's turn; then ours again.
    *turn = MESSAGES_PER_TURN;
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// How the actor ends if a hook ran like this; `None` if it lives on.
fn verdict(ran: Result<Result<(), ActorError>, Killed>) -> Option<Exit> {
    match ran {
        Err(Killed) => Some(Exit::Killed),
        Ok(Err(error)) => Some(Exit::failed(&error)),
        Ok(Ok(())) => None,
    }
}
