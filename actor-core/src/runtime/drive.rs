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

use super::boundary::{Boundary, contain, enter};
use super::exit::ExitGuard;
use super::killable::{Killable, Killed};
use crate::actor::LocalActor;
use crate::address::{ActorCell, ActorRef, LocalCell};
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
pub(super) async fn drive<A: LocalActor>(started: Started<A>) {
    // The guard is bound first, so that it is dropped last.
    let Started { unstarted: Unstarted { guard, inbox, actor }, state, keep } = started;
    let (mut state, mut inbox) = (state, inbox);
    let life = Boundary::new(guard.system().clone(), async {
        Hooks { actor: &actor, guard: &guard }.live(&mut state, &mut inbox).await
    });
    let exit = life.await.unwrap_or_else(|payload| Exit::panicked(&*payload));
    guard.begin_stopping();

    // A killed or failed actor's state may be torn; without a supervisor nobody
    // could look at it.
    let is_whole = matches!(exit, Exit::Stopped(_) | Exit::Drained);
    let keep = if is_whole && guard.myself().cell().supervisor().is_some() { keep } else { |_| None };
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

/// A running actor's hooks, each killable.
struct Hooks<'a, A: LocalActor> {
    actor: &'a A,
    guard: &'a ExitGuard<A::Msg>,
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
    async fn live(&self, state: &mut A::State, inbox: &mut ActorInbox<A::Msg>) -> Exit {
        let exit = match run(inbox, self.actor.post_start(self.myself(), state)).await {
            Err(exit) => exit,
            Ok(()) => {
                self.guard.control().advance(Status::Running);
                self.guard.tell_supervisor(SupervisionEvent::Started);
                self.serve(state, inbox).await
            }
        };
        self.guard.begin_stopping();
        if !matches!(exit, Exit::Stopped(_) | Exit::Drained) {
            return exit;
        }
        match run(inbox, self.actor.post_stop(self.myself(), state)).await {
            Ok(()) => exit,
            Err(worse) => worse,
        }
    }

    async fn serve(&self, state: &mut A::State, inbox: &mut ActorInbox<A::Msg>) -> Exit {
        let mut turn = MESSAGES_PER_TURN;
        loop {
            let handled = match poll_fn(|cx| self.poll_next(inbox, &mut turn, cx)).await {
                Next::Kill => return Exit::Killed,
                Next::Stop => return Exit::Stopped(self.guard.control().stop_reason()),
                Next::Drained => return Exit::Drained,
                Next::Supervise(event) => {
                    run(inbox, self.actor.handle_supervisor_evt(self.myself(), event, state)).await
                }
                Next::Handle(message) => run(inbox, self.actor.handle(self.myself(), message, state)).await,
            };
            if let Err(exit) = handled {
                return exit;
            }
        }
    }

    /// What is due now, in the order kill, stop, supervision, message. `turn` counts
    /// down to where the others of this thread have theirs.
    fn poll_next(
        &self,
        inbox: &mut ActorInbox<A::Msg>,
        turn: &mut u32,
        cx: &mut Context<'_>,
    ) -> Poll<Next<A::Msg>> {
        let mut backoff = Backoff::default();
        loop {
            match inbox.owner().word().next_turn() {
                Turn::Kill => return Poll::Ready(Next::Kill),
                Turn::Stop => return Poll::Ready(Next::Stop),
                Turn::Supervise => {
                    if let Some(event) = self.guard.control().take_event() {
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

    fn myself(&self) -> &ActorRef<A::Msg> {
        self.guard.myself()
    }
}

async fn run<M>(
    inbox: &mut ActorInbox<M>,
    hook: impl Future<Output = Result<(), ActorError>>,
) -> Result<(), Exit> {
    match Killable::new(inbox, hook).await {
        Err(Killed) => Err(Exit::Killed),
        Ok(Err(error)) => Err(Exit::failed(&error)),
        Ok(Ok(())) => Ok(()),
    }
}
