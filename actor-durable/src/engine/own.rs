//! Turns that nobody else has asked for: an actor that was not written to be durable is told things by other ways than its
//! commands, such as its timers, and [requests](TurnRequester::request) for a turn.

use std::sync::Arc;

use actor_core::{ActorError, ActorRef, ActorSystem, ReplyPort};

use super::run::contained;
use super::{Activation, Incoming, Request};
use crate::actor::Durable;
use crate::id::WallTime;
use crate::ledger::Outcome;
use crate::limits::OUTBOX_PAUSE;
use crate::model::{Model, NotRun, TurnRequester};
use crate::outbox::Room;
use crate::process::Shared;
use crate::store::Cause;
use crate::turn::{About, Asked, Moment, Turn};

/// Requests turns of one activation, by its mailbox.
pub(super) struct OwnTurns<A: Durable> {
    activation: ActorRef<Incoming<A>>,
    shared: Arc<Shared>,
}

impl<A: Durable> OwnTurns<A> {
    pub(super) fn new(activation: &ActorRef<Incoming<A>>, shared: &Arc<Shared>) -> Self {
        Self { activation: activation.clone(), shared: shared.clone() }
    }
}

impl<A: Durable> TurnRequester for OwnTurns<A> {
    async fn request(&self) {
        // There may be no activation any more.
        drop(self.activation.call(|done| Incoming(Request::Own { done })).await);
    }

    fn passivate(&self) {
        self.activation.drain();
    }

    fn system(&self) -> &ActorSystem {
        self.shared.system()
    }
}

impl<A: Durable> Clone for OwnTurns<A> {
    fn clone(&self) -> Self {
        Self { activation: self.activation.clone(), shared: self.shared.clone() }
    }
}

impl<M: Model> Activation<M> {
    /// A turn that the actor has requested. Nobody is told of its failure: the state is as before.
    pub(super) async fn run_own(&mut self, done: ReplyPort<()>) -> Result<(), ActorError> {
        let Self { model, state, target, kept: Some(kept), shared, myself, .. } = self else { return Ok(()) };
        if !kept.committer.has_room(Room::Calls) {
            kept.committer.settle().await?;
            myself.send_after(OUTBOX_PAUSE, Incoming(Request::Own { done }));
            return Ok(());
        }
        let clock = shared.wall_time();
        let place = kept.committer.ledger.next_place(clock);
        let about = About::unasked(target, Moment::Entered(place));
        let mut asked = Asked::default();
        let mut turn = Turn::new(about, &mut asked);
        let run = model.run_own(state, &mut turn);
        let why = match contained(&mut kept.committer, run).await? {
            Ok(Ok(())) => self.stage_own(place.at, clock, asked).await?,
            Ok(Err(NotRun::Refused(error))) => {
                self.take_back_state().await?;
                Some(error.to_string())
            }
            Ok(Err(NotRun::Unwritable(form))) => Some(form.to_string()),
            Ok(Err(NotRun::Broken(text))) => {
                self.rebuild().await?;
                Some(text)
            }
            Err(payload) => Some(self.has_panicked(payload, false).await?.to_string()),
        };
        if let Some(why) = why {
            tracing::warn!(actor = %self.target, why, "what an actor told itself was not handled");
        }
        // Whoever no longer waits does not miss it.
        _ = done.send(());
        Ok(())
    }

    /// Why it is not staged, if it is not: then nothing was.
    async fn stage_own(
        &mut self,
        at: WallTime,
        clock: WallTime,
        asked: Asked,
    ) -> Result<Option<String>, ActorError> {
        let is_nothing = asked.is_nothing() && asked.timers.is_empty() && !asked.passivates;
        if is_nothing && self.is_as_written() {
            return Ok(None);
        }
        self.kept_mut()?.committer.count_reminders(&asked).await?;
        let staged = self.stage(Outcome { asked, ..Outcome::nothing(Cause::Own, at, clock) }, true);
        let Err(why) = staged else { return Ok(None) };
        self.rebuild().await?;
        Ok(Some(why.to_string()))
    }
}
