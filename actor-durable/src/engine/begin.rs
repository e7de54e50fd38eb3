//! How an activation begins: the actor is acquired and read, has its first turn if it never had one, and goes on with what it
//! has left.

use std::future::Future;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::pin;
use std::sync::Arc;

use actor_core::{ActorRef, Executor};
use futures_util::FutureExt;
use futures_util::future::{Either, select};

use super::committer::Committer;
use super::mail::Mailing;
use super::written::{Written, write_legible_state};
use super::{Activation, Incoming, Kept, OwnTurns, Request, supervised};
use crate::actor::{Durability, Durable};
use crate::error::ActivationError;
use crate::id::{Epoch, Sequence};
use crate::ledger::{Ledger, Outcome};
use crate::limits::{BEGINNING_HELD_MAX, REACTIVATION_PAUSE};
use crate::model::{Keeps, Model, State, Tail, TurnRequester};
use crate::process::{ActivationEnd, ActivationGuard, Shared};
use crate::recover::{Past, read_past};
use crate::store::{Cause, Child, Claim, ClaimMode, Head, Letter, Recovery, StoreError};
use crate::supervise::Standing;
use crate::turn::{About, Asked, Moment, Turn};

impl<M: Model> Activation<M> {
    pub(super) async fn begin(
        model: Arc<M>,
        myself: ActorRef<Incoming<M::Actor>>,
        mut guard: ActivationGuard,
    ) -> Result<Self, ActivationError> {
        if M::Actor::DURABILITY == Durability::Volatile {
            return Self::begin_volatile(model, myself, guard).await;
        }
        let (shared, target) = (guard.shared.clone(), guard.target.clone());
        // Any epoch will do: nobody else decides where actors are.
        let claim = Claim { target, owner: shared.owner(), epoch_min: Epoch::ZERO, mode: ClaimMode::IfFree };
        let claimed = shared.store().acquire(claim).await;
        let head = claimed.inspect_err(|error| guard.end = ActivationEnd::not_granted(error))?;
        let (target, epoch) = (head.target.clone(), head.epoch);
        let begun = AssertUnwindSafe(Self::begin_kept(model, myself, guard, head)).catch_unwind().await;
        // Whoever can does better. If this fails too, nobody else takes it.
        if !matches!(begun, Ok(Ok(_))) && shared.store().release(&target.id, epoch).await.is_err() {
            shared.look_again(&target, REACTIVATION_PAUSE);
        }
        begun.unwrap_or_else(|payload| resume_unwind(payload))
    }

    async fn begin_volatile(
        model: Arc<M>,
        myself: ActorRef<Incoming<M::Actor>>,
        guard: ActivationGuard,
    ) -> Result<Self, ActivationError> {
        let id = &guard.target.id;
        let mut state = model.actor().create(id);
        let requester = OwnTurns::new(&myself, &guard.shared);
        let recovered = model.recover(id, &mut state, &requester).await;
        recovered.map_err(|error| ActivationError::hook("on_recover", &error))?;
        let mut activation = Self::new(model, myself, guard, state);
        activation.start_volatile().await?;
        activation.watch_idleness();
        Ok(activation)
    }

    async fn begin_kept(
        model: Arc<M>,
        myself: ActorRef<Incoming<M::Actor>>,
        guard: ActivationGuard,
        head: Head,
    ) -> Result<Self, ActivationError> {
        if head.has_ended {
            return Self::begin_over(model, myself, guard, head).await;
        }
        let (is_careful, has_mail) = (head.crashes > 0, head.has_mail());
        let shared = guard.shared.clone();
        let mut recovery = shared.store().load(&head.target.id, head.epoch).await?;
        let standing = Standing::of(&recovery.children).map_err(|form| {
            let what = format!("how {} stands to its supervisor", head.target);
            ActivationError::Codec { what, form }
        })?;
        let requester = OwnTurns::new(&myself, &shared);
        let is_released = standing.as_ref().is_some_and(Standing::is_released);
        let is_new = head.sequence == Sequence::ZERO || is_released;
        let has_supervisor = standing.is_some() && !is_released;
        let (past, adoption) = if has_supervisor {
            (unread(&*model, &shared, &head).await?, None)
        } else {
            read_or_adopt(&*model, &shared, &head, &recovery, is_new, &requester).await?
        };
        let is_supervised = has_supervisor || adoption.is_some();
        let outbox = std::mem::take(&mut recovery.outbox);
        let mut ledger = Ledger::new(head, &recovery, M::Actor::REMEMBERED, M::Actor::JOURNAL_KEPT);
        ledger.note_time(past.last_at);
        let mut committer = Committer::new(shared, myself.cell(), ledger);
        committer.send_on(outbox);
        let mailing = Mailing::new(guard.reservation.mail.clone(), is_careful);
        let mut activation = Self::new(model, myself, guard, past.state);
        if let (Keeps::State, Some(snapshot)) = (M::KEEPS, recovery.snapshot) {
            activation.written.set(&snapshot.body);
            activation.note_recovered();
        }
        let kept = Kept { committer, mailing, tail: past.tail, standing };
        activation.kept = Some(Box::new(kept));
        if is_supervised {
            activation.begin_supervised(adoption, !is_new).await?;
        } else if is_new {
            activation.start().await?;
        }
        activation.go_on(&recovery.children, has_mail);
        Ok(activation)
    }

    /// It has begun: whatever was left for it is seen to.
    fn go_on(&mut self, children: &[Child], has_mail: bool) {
        self.shared.sought().forget(&self.target.id);
        self.activate_children(children);
        if self.kept.as_mut().is_some_and(|kept| kept.committer.take_passivates()) {
            self.passivate_later();
        }
        if has_mail || self.is_over() {
            // Perhaps nobody says anything: it was activated because of its letters, or has ended as it began.
            drop(self.myself.cast(Incoming(Request::Mail)));
        }
        self.guard.end = ActivationEnd::Lost;
        self.watch_idleness();
    }

    /// The beginning of one that has ended: it is there until what it has sent has arrived, takes nothing, and answers again
    /// what it has answered.
    async fn begin_over(
        model: Arc<M>,
        myself: ActorRef<Incoming<M::Actor>>,
        guard: ActivationGuard,
        head: Head,
    ) -> Result<Self, ActivationError> {
        let mut recovery = guard.shared.store().load(&head.target.id, head.epoch).await?;
        let (outbox, state) = (std::mem::take(&mut recovery.outbox), model.actor().create(&head.target.id));
        let ledger = Ledger::new(head, &recovery, M::Actor::REMEMBERED, M::Actor::JOURNAL_KEPT);
        let mut committer = Committer::new(guard.shared.clone(), myself.cell(), ledger);
        committer.send_on(outbox);
        let mailing = Mailing::new(guard.reservation.mail.clone(), false);
        let mut activation = Self::new(model, myself, guard, state);
        let kept = Kept { committer, mailing, tail: Tail::default(), standing: None };
        activation.kept = Some(Box::new(kept));
        // Perhaps nobody asks it anything: with this it waits for what it has sent, if there is any.
        drop(activation.myself.cast(Incoming(Request::Mail)));
        activation.guard.end = ActivationEnd::Lost;
        Ok(activation)
    }

    fn new(
        model: Arc<M>,
        myself: ActorRef<Incoming<M::Actor>>,
        guard: ActivationGuard,
        state: State<M>,
    ) -> Self {
        let (shared, target) = (guard.shared.clone(), guard.target.clone());
        let (written, last_active) = (Written::default(), shared.executor().now());
        Self {
            myself,
            model,
            shared,
            target,
            state,
            written,
            kept: None,
            asked: Asked::default(),
            last_active,
            guard,
        }
    }

    /// The first turn of a volatile actor.
    async fn start_volatile(&mut self) -> Result<(), ActivationError> {
        let Self { model, state, target, shared, .. } = self;
        let about = About::unasked(target, Moment::Now(shared));
        let mut asked = Asked::default();
        let started = model.start(state, &mut Turn::new(about, &mut asked)).await;
        started.map_err(|error| ActivationError::hook("on_start", &error))?;
        self.begin_timers(asked.timers);
        if asked.ends || asked.passivates {
            self.passivate_later();
        }
        Ok(())
    }

    /// Whoever has called it is answered before it goes: it takes nothing any more once it is asked to.
    fn passivate_later(&self) {
        drop(self.myself.cast(Incoming(Request::Passivate)));
    }

    /// The first turn of an actor, and its commit.
    pub(super) async fn start(&mut self) -> Result<(), ActivationError> {
        let Self { model, state, target, kept: Some(kept), shared, .. } = self else { return Ok(()) };
        let clock = shared.wall_time();
        let place = kept.committer.ledger.next_place(clock);
        let about = About::unasked(target, Moment::Entered(place));
        let mut asked = Asked::default();
        let started = model.start(state, &mut Turn::new(about, &mut asked)).await;
        let events = started.map_err(|error| ActivationError::hook("on_start", &error))?;
        let timers = std::mem::take(&mut asked.timers);
        let (passivates, reminds) = (asked.passivates, !asked.reminders.is_empty());
        kept.tail.add(&events);
        let form = |form| ActivationError::Codec { what: format!("the first turn of {target}"), form };
        let next =
            supervised::after_start(kept.standing.clone(), &target.id, &mut asked, clock).map_err(form)?;
        let mut outcome = Outcome::nothing(Cause::Spawned, place.at, clock);
        (outcome.events, outcome.asked, outcome.has_changed) = (events, asked, true);
        if M::KEEPS == Keeps::State {
            let form = |form| ActivationError::Codec { what: format!("the first state of {target}"), form };
            let body = write_legible_state::<M>(state).map_err(form)?;
            self.written.set(&body);
            outcome.state = Some(body);
        }
        kept.committer.ledger.stage(outcome).map_err(|error| ActivationError::start_refused(&error))?;
        kept.committer.note(passivates, reminds);
        kept.committer.settle().await?;
        kept.standing = next;
        self.begin_timers(timers);
        Ok(())
    }
}

/// What an actor without supervisor comes to. Of one that gets one by a letter it is not read yet: whatever it is, the actor is there
/// to tell, and to be told.
async fn read_or_adopt<M: Model>(
    model: &M,
    shared: &Shared,
    head: &Head,
    recovery: &Recovery,
    is_new: bool,
    requester: &impl TurnRequester,
) -> Result<(Past<M>, Option<Letter>), ActivationError> {
    // One that has never begun has it as its first thing, so that whatever fails is told.
    if is_new && let Some(adoption) = supervised::adoption(shared, head).await? {
        return Ok((unread(model, shared, head).await?, Some(adoption)));
    }
    let read =
        AssertUnwindSafe(read_past(model, shared.store(), head, recovery, requester)).catch_unwind().await;
    let can_be_read = matches!(&read, Ok(Ok(_) | Err(ActivationError::Store(_))));
    if !is_new
        && !can_be_read
        && let Some(adoption) = supervised::adoption(shared, head).await?
    {
        return Ok((unread(model, shared, head).await?, Some(adoption)));
    }
    Ok((read.unwrap_or_else(|payload| resume_unwind(payload))?, None))
}

/// The past of an actor whose state is read later, if it can be.
async fn unread<M: Model>(model: &M, shared: &Shared, head: &Head) -> Result<Past<M>, StoreError> {
    let last_at = supervised::last_at(&**shared.store(), head).await?;
    Ok(Past { state: model.actor().create(&head.target.id), last_at, tail: Tail::new(head.sequence) })
}

/// Lets go of a permit when something is done, or takes long.
pub(super) async fn holding<P, T>(
    permit: Option<P>,
    executor: &Executor,
    work: impl Future<Output = T>,
) -> T {
    if permit.is_none() {
        return work.await;
    }
    match select(pin!(work), pin!(executor.sleep(BEGINNING_HELD_MAX))).await {
        Either::Left((done, _)) => done,
        Either::Right(((), work)) => {
            drop(permit);
            work.await
        }
    }
}
