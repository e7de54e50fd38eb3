//! How what a life had is dropped: within boundaries, in one order, and before anybody is told
//! of its end.

use std::thread;

use super::{ActorInbox, KeepState, Started, Unstarted};
use crate::actor::LocalActor;
use crate::contain::{caught, discard, first_panic};
use crate::event::BoxedState;
use crate::exit::Exit;
use crate::runtime::boundary::panicked;
use crate::runtime::exit::ExitGuard;

/// Drops everything of an actor's and tells the world.
pub(super) fn finish<A: LocalActor, K: KeepState<A::State>>(started: Started<A, K>, exit: Exit) {
    // The guard is bound first, so that it is dropped last.
    let Started { unstarted: Unstarted { guard, inbox, actor }, state, .. } = started;
    let is_wanted = is_state_wanted(&guard, &exit);
    let dropped = drop_contents(&guard, inbox, actor, || keep_if::<A, K>(is_wanted, state));
    let (exit, kept) = outcome(exit, dropped);
    guard.finish(&exit, kept);
}

/// Whether a state is to be shown to the supervisor. A killed or failed actor's state may
/// be torn; without a supervisor nobody could look at it.
pub(super) fn is_state_wanted<M: Send + 'static>(guard: &ExitGuard<M>, exit: &Exit) -> bool {
    matches!(exit, Exit::Stopped(_) | Exit::Drained) && guard.has_supervisor()
}

pub(super) fn keep_if<A: LocalActor, K: KeepState<A::State>>(
    is_wanted: bool,
    state: A::State,
) -> Option<BoxedState> {
    if is_wanted {
        return K::keep(state);
    }
    drop(state);
    None
}

/// How a life ended whose contents were dropped like this, and what is left of it.
pub(super) fn outcome(exit: Exit, dropped: thread::Result<Option<BoxedState>>) -> (Exit, Option<BoxedState>) {
    match dropped {
        Ok(kept) => (exit, kept),
        Err(payload) => {
            let panicked = panicked(payload);
            (if exit.is_failure() { exit } else { panicked }, None)
        }
    }
}

/// Drops what the user gave, after the names are free and before anybody is told of
/// the end. Each is dropped within a boundary of its own: a destructor that panicked while a
/// hook's panic, or another destructor's, unwinds would abort the process.
fn drop_contents<A: LocalActor, R>(
    guard: &ExitGuard<A::Msg>,
    inbox: ActorInbox<A::Msg>,
    actor: A,
    state: impl FnOnce() -> R,
) -> thread::Result<R> {
    guard.begin_stopping();
    let discarded = inbox.discard();
    first_panic(discarded, drop_life(actor, state))
}

/// Frees the names and drops the queue of an actor that has nothing else, whatever the
/// destructors of messages do.
pub(in crate::runtime) fn give_up<M: Send + 'static>(inbox: ActorInbox<M>, guard: &ExitGuard<M>) {
    guard.begin_stopping();
    if let Err(payload) = inbox.discard() {
        discard(payload);
    }
}

/// Drops what one life had of its own; see [`drop_contents`].
pub(super) fn drop_life<A, R>(actor: A, state: impl FnOnce() -> R) -> thread::Result<R> {
    let dropped = caught(|| drop(actor));
    let state = caught(state);
    first_panic(dropped, state)
}

/// [`drop_contents`], where a panic changes nothing any more.
pub(super) fn abandon<A: LocalActor>(
    guard: &ExitGuard<A::Msg>,
    inbox: ActorInbox<A::Msg>,
    actor: A,
    state: impl FnOnce(),
) {
    if let Err(payload) = drop_contents(guard, inbox, actor, state) {
        discard(payload);
    }
}
