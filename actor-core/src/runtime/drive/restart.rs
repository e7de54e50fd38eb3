//! Life after life: an actor whose supervisor starts it again where it is.
//!
//! ```text
//!  live ─► the life's own things are dropped ─► its children end ─► Suspended ─┐
//!   ▲                                                                          │
//!   └── pre_start ◄── make ◄── restarted ◄── the supervisor is told and decides┤
//!                                                                              │
//!                     exit.rs ◄── released, or nobody is there to decide ◄─────┘
//! ```
//!
//! The inbox stays here all the while, so that messages queue as ever: nothing but the
//! message in hand is lost.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use super::finish::{drop_life, finish, give_up, is_state_wanted, keep_if, outcome};
use super::start::{Beginning, begin};
use super::{ActorInbox, KeepState, Life, Started, Unstarted, live};
use crate::actor::LocalActor;
use crate::contain::{Contained, caught};
use crate::event::{BoxedState, SupervisionEvent};
use crate::exit::Exit;
use crate::lifecycle::{Flag, Verdict};
use crate::limits::FOREIGN_KILL_TIMEOUT;
use crate::observe::ActorChange;
use crate::runtime::boundary::{Caught, Within, panicked};
use crate::runtime::exit::ExitGuard;
use crate::runtime::killable::Interruptible;
use crate::system::ActorSystem;

/// [`drive`](super::drive) for an actor that is started again with what `make` gives.
pub(in crate::runtime) fn drive_restartable<A, K, F>(
    started: Started<A, K>,
    make: F,
    system: ActorSystem,
) -> Within<Option<ActorSystem>, impl Future<Output = ()> + use<A, K, F>>
where
    A: LocalActor,
    K: KeepState<A::State>,
    F: FnMut() -> (A, A::Arguments),
{
    Within::new(Some(system), run_restartable(started, make))
}

/// [`run`](super::run) for an actor that is started again with what `make` gives.
pub(in crate::runtime) fn run_restartable<A, K, F>(
    started: Started<A, K>,
    make: F,
) -> impl Future<Output = ()> + use<A, K, F>
where
    A: LocalActor,
    K: KeepState<A::State>,
    F: FnMut() -> (A, A::Arguments),
{
    let mut life = Life(Some(started));
    // Dropped after the last life, where nobody else would stop a panic.
    let mut make = Contained::new(make);
    async move {
        loop {
            let exit = {
                let Some(started) = &mut life.0 else { unreachable!("it lives") };
                Caught::new(live(started)).await.unwrap_or_else(panicked)
            };
            let Some(started) = life.0.take() else { unreachable!("it lives") };
            let exit = started.unstarted.guard.explain(exit);
            if !started.unstarted.guard.control().word().may_live_again() {
                return finish(started, exit);
            }
            let (mut vacant, mut exit, mut state) = vacate(started, exit);
            loop {
                if suspend(&mut vacant, &exit, state.take()).await == Verdict::End {
                    return vacant.end(&exit);
                }
                match revive(vacant, &mut *make).await {
                    Ok(started) => {
                        life.0 = Some(started);
                        break;
                    }
                    Err((place, failed)) => (vacant, exit) = (place, failed),
                }
            }
        }
    }
}

/// The place of an actor between two lives. If the task is dropped there, it is cancelled.
struct Vacant<M: Send + 'static>(Option<(ActorInbox<M>, ExitGuard<M>)>);

impl<M: Send + 'static> Vacant<M> {
    fn parts(&mut self) -> (&mut ActorInbox<M>, &ExitGuard<M>) {
        let (inbox, guard) = self.0.as_mut().expect("it is taken where this ends");
        (inbox, guard)
    }

    /// There is no further life.
    fn end(mut self, exit: &Exit) {
        if let Some((inbox, guard)) = self.0.take() {
            give_up(inbox, &guard);
            guard.finish(exit, None);
        }
    }
}

impl<M: Send + 'static> Drop for Vacant<M> {
    fn drop(&mut self) {
        if let Some((inbox, guard)) = self.0.take() {
            give_up(inbox, &guard);
        }
    }
}

/// Drops what a life had of its own.
fn vacate<A: LocalActor, K: KeepState<A::State>>(
    started: Started<A, K>,
    exit: Exit,
) -> (Vacant<A::Msg>, Exit, Option<BoxedState>) {
    let Started { unstarted: Unstarted { guard, inbox, actor }, state, .. } = started;
    let is_wanted = is_state_wanted(&guard, &exit);
    let dropped = drop_life(actor, || keep_if::<A, K>(is_wanted, state));
    let (exit, kept) = outcome(exit, dropped);
    (Vacant(Some((inbox, guard))), exit, kept)
}

/// Waits for what the supervisor decides, after all that the former life left is gone.
async fn suspend<M: Send + 'static>(
    vacant: &mut Vacant<M>,
    exit: &Exit,
    state: Option<BoxedState>,
) -> Verdict {
    const RELEASED: u32 = Flag::Released as u32;
    const DECIDED: u32 = Flag::Released as u32 | Flag::Restart as u32;

    let (inbox, guard) = vacant.parts();
    if exit.is_failure() {
        tracing::warn!(actor = %guard.myself().id(), name = guard.myself().name(), %exit, "actor failed");
    }
    // A new life may use the names of the former one's children.
    let children = guard.end_company();
    let gone = pin!(async {
        for child in children {
            // One in another process may not be heard of.
            let within = (!child.is_local()).then_some(FOREIGN_KILL_TIMEOUT);
            drop(child.wait(within).await);
        }
    });
    if Interruptible::<_, _, RELEASED>::new(inbox, gone).await.is_err() {
        return Verdict::End;
    }
    if !guard.control().suspend(exit, || inbox.reopen()) {
        return Verdict::End;
    }
    guard.observe(|| ActorChange::Suspended(exit.clone()));
    let told = guard.myself().cell().tell_supervisor(|actor| SupervisionEvent::Suspended {
        actor,
        exit: exit.clone(),
        state,
    });
    if !told {
        return Verdict::End;
    }
    let never = pin!(poll_fn(|_| Poll::<()>::Pending));
    let decided = Interruptible::<_, _, DECIDED>::new(inbox, never).await;
    debug_assert!(decided.is_err(), "only a decision ends the wait");
    guard.control().word().verdict().unwrap_or(Verdict::End)
}

/// Begins another life. If it does not start, the place is vacant again.
async fn revive<A: LocalActor, K, F>(
    mut vacant: Vacant<A::Msg>,
    make: &mut F,
) -> Result<Started<A, K>, (Vacant<A::Msg>, Exit)>
where
    F: FnMut() -> (A, A::Arguments),
{
    let made = caught(make);
    let (actor, arguments) = match made {
        Ok(made) => made,
        Err(payload) => return Err((vacant, panicked(payload))),
    };
    let Some((inbox, guard)) = vacant.0.take() else { unreachable!("it is taken where this ends") };
    let mut beginning = Beginning(Some(Unstarted { actor, inbox, guard }));
    let begun = {
        let Some(unstarted) = &mut beginning.0 else { unreachable!("it was just put in") };
        unstarted.guard.control().admit_children();
        begin(unstarted, arguments).await
    };
    let Some(unstarted) = beginning.0.take() else { unreachable!("nobody took it") };
    let exit = match begun {
        Ok(Ok(state)) => return Ok(Started::new(unstarted, state)),
        Ok(Err(exit)) => exit,
        Err(payload) => panicked(payload),
    };
    let Unstarted { guard, inbox, actor } = unstarted;
    let exit = guard.explain(exit);
    let (exit, _) = outcome(exit, drop_life(actor, || None));
    Err((Vacant(Some((inbox, guard))), exit))
}
