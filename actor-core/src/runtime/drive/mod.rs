//! The one loop. It runs every actor, `Send` or not: the doors in `spawn.rs` and
//! `spawn_local.rs` only differ in where they put it.
//!
//! ```text
//!          ┌──────────── next_turn: kill > stop > supervision > message ◄────┐
//!          ▼                                                                 │
//!   Kill │ Stop │ Drained            Supervise(event) │ Receive(message) ── hook
//!          ▼
//!   begin_stopping ─► post_stop (not after a kill or a failure) ─► finish.rs ─► exit.rs
//! ```
//!
//! `start.rs` is what comes before the loop, `finish.rs` drops what the life had, and
//! `restart.rs` runs life after life.

mod finish;
mod restart;
mod start;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

pub(super) use self::finish::give_up;
use self::finish::{abandon, finish};
pub(super) use self::restart::{drive_restartable, run_restartable};
pub(super) use self::start::start;
use super::boundary::{Caught, Within, panicked};
use super::exit::ExitGuard;
use super::killable::{Interrupted, Killable};
use crate::actor::LocalActor;
use crate::address::LocalCell;
use crate::event::{BoxedState, SupervisionEvent};
use crate::exit::{ActorError, ErrorAction, Exit};
use crate::lifecycle::{Flag, Status, Turn, Word};
use crate::limits::MESSAGES_PER_TURN;
use crate::mailbox::{Delivery, Inbox, Owner, Park, Taken};
use crate::observe::ActorChange;
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
pub(super) struct Started<A: LocalActor, K> {
    state: A::State,
    keep: PhantomData<K>,
    /// Last, so that its guard is dropped last.
    unstarted: Unstarted<A>,
}

impl<A: LocalActor, K> Started<A, K> {
    fn new(unstarted: Unstarted<A>, state: A::State) -> Self {
        Self { state, keep: PhantomData, unstarted }
    }
}

/// Whether a dead actor's state can go to its supervisor: yes if it is `Send`.
/// It is the one thing in which the two doors' actors differ.
pub(super) trait KeepState<S> {
    fn keep(state: S) -> Option<BoxedState>;
}

/// Runs a started actor to its end, in a task of its own.
#[inline]
pub(super) fn drive<A: LocalActor, K: KeepState<A::State>>(
    started: Started<A, K>,
    system: ActorSystem,
) -> Within<Option<ActorSystem>, impl Future<Output = ()> + use<A, K>> {
    Within::new(Some(system), run(started))
}

/// Runs a started actor to its end, [`Within`] its system.
///
/// Not an `async fn`, which would keep its argument in the task twice.
#[inline]
pub(super) fn run<A: LocalActor, K: KeepState<A::State>>(
    started: Started<A, K>,
) -> impl Future<Output = ()> + use<A, K> {
    let mut life = Life(Some(started));
    async move {
        let Some(started) = &mut life.0 else { unreachable!("it was just put in") };
        let exit = Caught::new(live(started)).await;
        if let Some(started) = life.0.take() {
            let exit = started.unstarted.guard.explain(exit.unwrap_or_else(panicked));
            finish(started, exit);
        }
    }
}

/// An actor that runs, until it is finished. If its task is dropped before that, as by
/// a runtime that shuts down, it is cancelled, whatever the destructors do.
struct Life<A: LocalActor, K>(Option<Started<A, K>>);

impl<A: LocalActor, K> Drop for Life<A, K> {
    fn drop(&mut self) {
        let Some(Started { unstarted, state, .. }) = self.0.take() else { return };
        // The guard is bound first, so that it is dropped last.
        let Unstarted { guard, inbox, actor } = unstarted;
        guard.leave_message();
        abandon(&guard, inbox, actor, || drop(state));
    }
}

/// What comes next for a running actor.
enum Next<'a, M> {
    Handle(Delivery<'a, M>),
    Other(Due),
}

/// What may come next that is no message.
enum Due {
    /// Nothing, or it is the turn of others: wait.
    Wait,
    /// A message is just being put in.
    Busy,
    Supervise,
    Kill,
    Stop,
    Drained,
}

/// The hooks from `post_start` to `post_stop`, each killable.
///
/// Each hook's future is built where it is polled, since moving it costs more than
/// most handlers do; what is borrowed is borrowed anew for each, and what is matched
/// is moved out whole before the next await, so that the task keeps nothing else. The
/// loop is not an `async` block of its own, which would keep two words of its own.
/// A message is taken in one step, with nothing after it that may panic but the hook:
/// otherwise where it lies is written to memory, to be known if something unwinds.
fn live<A: LocalActor, K>(started: &mut Started<A, K>) -> impl Future<Output = Exit> + use<'_, A, K> {
    async move {
        {
            let Unstarted { actor, inbox, guard } = &mut started.unstarted;
            let hook = pin!(actor.post_start(guard.myself(), &mut started.state));
            if let Some(exit) = verdict(Killable::new(inbox, hook).await) {
                return exit;
            }
        }
        started.unstarted.guard.control().advance(Status::Running);
        started.unstarted.guard.observe(|| ActorChange::Started);
        started.unstarted.guard.tell_supervisor(SupervisionEvent::Started);
        let mut messages_left = MESSAGES_PER_TURN;
        let exit = 'serve: loop {
            let due = loop {
                let Unstarted { actor, inbox, guard } = &mut started.unstarted;
                let myself = guard.myself();
                let ran = {
                    let message = match next::<A>(inbox, &mut messages_left) {
                        Next::Handle(delivery) => delivery.take(),
                        Next::Other(due) => break due,
                    };
                    let hook = pin!(actor.handle(myself, message, &mut started.state));
                    Killable::new(inbox, hook).await
                };
                if let Some(exit) = judge(started, ran) {
                    break 'serve exit;
                }
            };
            let Unstarted { actor, inbox, guard } = &mut started.unstarted;
            match due {
                Due::Wait => Wait { inbox, messages_left: &mut messages_left, is_over: false }.await,
                Due::Busy => await_sender(inbox, &mut messages_left),
                Due::Kill => break Exit::Killed,
                Due::Stop => break Exit::Stopped(guard.control().stop_reason()),
                Due::Drained => break Exit::Drained,
                Due::Supervise => {
                    let Some(event) = guard.control().take_event() else { continue };
                    let ran = {
                        let hook =
                            pin!(actor.handle_supervisor_evt(guard.myself(), event, &mut started.state));
                        Killable::new(inbox, hook).await
                    };
                    if let Some(exit) = judge(started, ran) {
                        break exit;
                    }
                }
            }
        };
        started.unstarted.guard.begin_ending();
        if !matches!(exit, Exit::Stopped(_) | Exit::Drained) {
            return exit;
        }
        let Unstarted { actor, inbox, guard } = &mut started.unstarted;
        let hook = pin!(actor.post_stop(guard.myself(), &mut started.state));
        let ran = Killable::new(inbox, hook).await;
        verdict(ran).unwrap_or(exit)
    }
}

/// What is due now, in the order kill, stop, supervision, message. `messages_left`,
/// which events count for too, says when the other tasks of this thread get to run.
///
/// Inlined, as all on the way of a message, so that it is not copied at each step.
#[inline(always)]
fn next<'a, A: LocalActor>(inbox: &'a mut ActorInbox<A::Msg>, messages_left: &mut u32) -> Next<'a, A::Msg> {
    let word = inbox.owner().word();
    if word.has_any(Flag::FOLLOWED) {
        end_message(inbox);
    }
    let due = match word.next_turn() {
        Turn::Receive | Turn::Supervise if *messages_left == 0 => Due::Wait,
        Turn::Receive => match receive::<A>(inbox, word) {
            Taken::Message(delivery) => {
                *messages_left -= 1;
                return Next::Handle(delivery);
            }
            Taken::Closed => Due::Drained,
            Taken::Empty => Due::Wait,
            Taken::Busy => Due::Busy,
        },
        Turn::Supervise => {
            *messages_left -= 1;
            Due::Supervise
        }
        Turn::Stop => Due::Stop,
        Turn::Kill => Due::Kill,
    };
    Next::Other(due)
}

/// The message in hand, if there is one, was handled.
#[cold]
fn end_message<M: Send + 'static>(inbox: &ActorInbox<M>) {
    let mailbox = inbox.owner().mailbox();
    if let Some(observation) = mailbox.observation() {
        observation.end_message::<M>(true);
    }
    if let Some(in_hand) = mailbox.in_hand() {
        in_hand.end();
    }
}

/// The next message, in the actor's order.
#[inline(always)]
fn receive<A: LocalActor>(inbox: &mut ActorInbox<A::Msg>, word: Word) -> Taken<Delivery<'_, A::Msg>> {
    let is_followed = word.has_any(Flag::FOLLOWED);
    if const { A::SORTING.is_active() } {
        inbox.receive_sorted(is_followed, &A::SORTING, |cell| cell.now())
    } else {
        inbox.receive(is_followed)
    }
}

/// A message is just being put in, which takes a few steps, unless its sender was
/// preempted among them: then others have their turn.
#[cold]
fn await_sender<M>(inbox: &ActorInbox<M>, messages_left: &mut u32) {
    let mut backoff = Backoff::default();
    while inbox.is_busy() {
        if !backoff.try_pause() {
            *messages_left = 0;
            return;
        }
    }
}

/// Completes when there may be something to do: at once if there is, after the
/// others' turn if it is theirs, or when the task is woken.
struct Wait<'a, M> {
    inbox: &'a mut ActorInbox<M>,
    messages_left: &'a mut u32,
    /// Whether it has slept, or others had their turn.
    is_over: bool,
}

impl<M> Future for Wait<'_, M> {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Wait { inbox, messages_left, is_over } = &mut *self;
        if std::mem::replace(is_over, true) {
            return Poll::Ready(());
        }
        let mut backoff = Backoff::default();
        let mut is_others_turn = std::mem::replace(*messages_left, MESSAGES_PER_TURN) == 0;
        while !is_others_turn {
            match inbox.park(cx.waker()) {
                // The word is read once more: a request is either seen there or wakes
                // this task.
                Park::Parked if inbox.owner().word().next_turn() == Turn::Receive => return Poll::Pending,
                Park::Parked | Park::Awake => return Poll::Ready(()),
                Park::Busy => is_others_turn = !backoff.try_pause(),
            }
        }
        // Somebody else's turn; then ours again.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// How the actor ends if it handled something like this; `None` if it lives on.
#[inline(always)]
fn judge<A: LocalActor, K>(
    started: &mut Started<A, K>,
    ran: Result<Result<(), ActorError>, Interrupted>,
) -> Option<Exit> {
    match ran {
        Ok(Ok(())) => None,
        Err(Interrupted) => Some(Exit::Killed),
        Ok(Err(error)) => act_on(started, &error),
    }
}

/// Does with an actor what it wants to be done after an error.
#[cold]
fn act_on<A: LocalActor, K>(started: &mut Started<A, K>, error: &ActorError) -> Option<Exit> {
    let Unstarted { actor, guard, .. } = &started.unstarted;
    guard.end_message(true);
    match actor.on_error(error, &mut started.state) {
        ErrorAction::Resume => {
            let myself = guard.myself();
            tracing::warn!(actor = %myself.id(), name = myself.name(), %error, "actor resumed after an error");
            return None;
        }
        ErrorAction::Restart => {}
        ErrorAction::Stop => guard.control().release(),
        ErrorAction::Escalate => {
            guard.control().raise(Flag::Escalated);
            guard.control().release();
        }
    }
    Some(Exit::failed(error))
}

/// How the actor ends if a hook ran like this; `None` if it lives on.
#[inline(always)]
fn verdict(ran: Result<Result<(), ActorError>, Interrupted>) -> Option<Exit> {
    match ran {
        Ok(Ok(())) => None,
        Err(Interrupted) => Some(Exit::Killed),
        Ok(Err(error)) => Some(Exit::failed(&error)),
    }
}
