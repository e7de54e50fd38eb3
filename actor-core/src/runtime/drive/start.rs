//! How a life begins: `pre_start`, and the link to the supervisor. Whatever goes wrong there,
//! nothing of the actor is left.

use std::future::Future;
use std::pin::pin;

use super::finish::abandon;
use super::{Started, Unstarted};
use crate::actor::LocalActor;
use crate::address::ActorCell;
use crate::error::SpawnError;
use crate::exit::Exit;
use crate::lifecycle::Status;
use crate::runtime::boundary::{Caught, panicked};
use crate::runtime::killable::{Interrupted, Killable};

/// Runs `pre_start` and links the actor. Whatever goes wrong, or if this future
/// is dropped, polled or not, nothing of the actor is left. Runs [`Within`] the actor's
/// system.
pub(in crate::runtime) fn start<A: LocalActor, K>(
    unstarted: Unstarted<A>,
    arguments: A::Arguments,
    supervisor: Option<ActorCell>,
) -> impl Future<Output = Result<Started<A, K>, SpawnError>> + use<A, K> {
    let beginning = Beginning(Some(unstarted));
    try_start(beginning, arguments, supervisor)
}

/// An actor in its `pre_start`, which may be given up there.
pub(super) struct Beginning<A: LocalActor>(pub(super) Option<Unstarted<A>>);

impl<A: LocalActor> Drop for Beginning<A> {
    fn drop(&mut self) {
        // The guard is bound first, so that it is dropped last.
        let Some(Unstarted { guard, inbox, actor }) = self.0.take() else { return };
        // Whatever the destructors do, it was cancelled.
        abandon(&guard, inbox, actor, || {});
    }
}

async fn try_start<A: LocalActor, K>(
    mut beginning: Beginning<A>,
    arguments: A::Arguments,
    supervisor: Option<ActorCell>,
) -> Result<Started<A, K>, SpawnError> {
    let begun = {
        let Some(unstarted) = &mut beginning.0 else { unreachable!("it was just put in") };
        begin(unstarted, arguments).await
    };
    // The guard is bound first, so that it is dropped last.
    let Some(Unstarted { guard, inbox, actor }) = beginning.0.take() else { unreachable!("nobody took it") };
    let exit = match begun {
        Ok(Ok(state)) => {
            if supervisor.is_some_and(|supervisor| guard.myself().cell().link(&supervisor).is_err()) {
                // Should a destructor panic, the refusal is still all there is to say.
                abandon(&guard, inbox, actor, || drop(state));
                return Err(SpawnError::SupervisorStopping);
            }
            return Ok(Started::new(Unstarted { guard, inbox, actor }, state));
        }
        Ok(Err(exit)) => exit,
        Err(payload) => panicked(payload),
    };
    let exit = guard.explain(exit);
    abandon(&guard, inbox, actor, || {});
    guard.finish(&exit, None);
    Err(SpawnError::Startup(exit))
}

/// Runs `pre_start`, which gives the state or says why there is none.
pub(super) fn begin<A: LocalActor>(
    unstarted: &mut Unstarted<A>,
    arguments: A::Arguments,
) -> Caught<impl Future<Output = Result<A::State, Exit>> + use<'_, A>> {
    let Unstarted { guard, inbox, actor } = unstarted;
    guard.control().advance(Status::Starting);
    // Called within the boundary: a hook may panic before it gives a future, and its
    // error when it is read or dropped.
    Caught::new(async move {
        let hook = pin!(actor.pre_start(guard.myself(), arguments));
        match Killable::new(inbox, hook).await {
            Ok(Ok(state)) => Ok(state),
            Ok(Err(error)) => Err(Exit::failed(&error)),
            Err(Interrupted) => Err(Exit::Killed),
        }
    })
}
