//! An activation under a supervisor: it tells of its failure, does nothing until it is told, and does as it is told. See
//! [`supervise`](crate::supervise).
//!
//! ```text
//!        panic, hook, form: one turn with the report
//!  up ─────────────────────────────────────────────► suspended ─► callers are told, letters wait
//!   ▲                                                    │
//!   └──────── Start: one turn, fresh state or not ◄──────┘ orders are looked for among the letters
//! ```

use std::panic::AssertUnwindSafe;

use actor_core::ActorError;
use futures_util::FutureExt;

use super::written::write_legible_state;
use super::{Activation, Incoming, OwnTurns, Request};
use crate::actor::Durable;
use crate::codec::CodecError;
use crate::error::{ActivationError, NotApplied, panic_text};
use crate::id::{DurableId, Name, WallTime};
use crate::ledger::Outcome;
use crate::limits::{ADOPTION_PAGES_MAX, IDLE_PAUSE_MIN, INBOX_PAGE, PAGE_ROWS_MAX};
use crate::model::{Keeps, Model};
use crate::process::Shared;
use crate::recover::read_past;
use crate::store::{Cause, Child, Head, Letter, Source, Store, StoreError, check_state};
use crate::supervise::{DurableSupervisor, Failure, Giver, Order, Stage, Standing, What};
use crate::turn::{Asked, is_reserved};

/// The order by which an actor that has no supervisor gets one, if it lies in its inbox: of one that has not begun it counts before
/// anything that may fail, of one that cannot be activated before what is in front of it. What was looked through before is not
/// again.
pub(super) async fn adoption(shared: &Shared, head: &Head) -> Result<Option<Letter>, StoreError> {
    if head.waiting == 0 {
        return Ok(None);
    }
    let is_adoption =
        |letter: &Letter| matches!(Order::of(&letter.message), Some(Ok((_, order))) if order.is_beginning());
    let mut after = shared.sought().after(head);
    for _ in 0..ADOPTION_PAGES_MAX {
        let letters = shared.store().inbox(&head.target.id, head.epoch, after, PAGE_ROWS_MAX).await?;
        let Some(last) = letters.last().map(|last| last.position) else { break };
        if let Some(found) = letters.into_iter().find(is_adoption) {
            return Ok(Some(found));
        }
        after = last;
        shared.sought().note(head, after);
    }
    Ok(None)
}

/// When the last entry of a journal was.
pub(super) async fn last_at(store: &dyn Store, head: &Head) -> Result<WallTime, StoreError> {
    let before = crate::Sequence(head.sequence.0.saturating_sub(1)).max(head.trimmed);
    let last = store.entries(&head.target.id, before, 1).await?;
    Ok(last.last().map_or(WallTime::ZERO, |entry| entry.at))
}

/// What a turn asks for that is its supervisor's to decide: that is told, and nothing more is done until it has.
pub(super) fn hand_over(
    standing: Option<&Standing>,
    id: &DurableId,
    asked: &mut Asked,
    clock: WallTime,
) -> Result<Option<Standing>, CodecError> {
    let Some(standing) = standing else { return Ok(None) };
    let what = match (asked.fails.take(), asked.ends) {
        (Some(text), _) => What::Failed(Failure::Escalated(text).short()),
        (None, true) => What::Ended,
        (None, false) => return Ok(None),
    };
    asked.ends = false;
    report(standing, id, what, asked, clock).map(Some)
}

/// How an actor stands to a supervisor after its first turn, and what it tells it then.
pub(super) fn after_start(
    standing: Option<Standing>,
    id: &DurableId,
    asked: &mut Asked,
    clock: WallTime,
) -> Result<Option<Standing>, CodecError> {
    let Some(mut standing) = standing else { return Ok(None) };
    if standing.is_released() {
        asked.children.push(Standing::removal()?);
        return Ok(None);
    }
    standing.kept.has_started = true;
    asked.children.push(standing.change()?);
    Ok(Some(hand_over(Some(&standing), id, asked, clock)?.unwrap_or(standing)))
}

fn report(
    standing: &Standing,
    id: &DurableId,
    what: What,
    asked: &mut Asked,
    clock: WallTime,
) -> Result<Standing, CodecError> {
    let mut next = standing.clone();
    next.kept.stage = Stage::Reported;
    asked.sends.push(next.report(id, what, clock)?);
    asked.children.push(next.change()?);
    Ok(next)
}

fn not_activated(why: String) -> What {
    What::Failed(Failure::NotActivated(why).short())
}

/// What an order leads to.
struct Obeyed {
    /// How the actor stands to a supervisor then.
    next: Option<Standing>,
    /// Whether it begins with a new state.
    is_fresh: bool,
    halts_children: bool,
}

/// Whether actors of a type have children that are to do what they do.
fn is_supervisor<M: Model>() -> bool {
    M::Actor::TYPE == DurableSupervisor::TYPE
}

/// By what name an actor is a child to whoever gives it an order, if that says so.
fn child_of(order: &Order) -> Option<Name> {
    match order {
        Order::Adopt { child, .. } | Order::Start { child, .. } | Order::Halt { child } => {
            Some(child.clone())
        }
        Order::End | Order::Release => None,
    }
}

/// Whose an order is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// The actor's supervisor's.
    Own,
    /// A supervisor's that may have the actor: nobody has it, or nobody that will ever say anything again.
    Free,
    /// Not the supervisor's that it has.
    Another,
    /// A supervisor's that was deleted since. Whoever is called so now has not given it, and is told nothing of it.
    Gone,
}

async fn whose(
    store: &dyn Store,
    standing: Option<&Standing>,
    giver: &Giver,
    order: &Order,
) -> Result<Whose, StoreError> {
    if standing.is_some_and(|standing| standing.is_of(giver)) {
        return Ok(Whose::Own);
    }
    let head = store.head(&giver.id).await?;
    if head.is_none_or(|head| head.created_at != giver.since) {
        return Ok(Whose::Gone);
    }
    let Some(standing) = standing else { return Ok(Whose::Free) };
    if !order.is_beginning() {
        return Ok(Whose::Another);
    }
    let head = store.head(&standing.supervisor.id).await?;
    Ok(if standing.is_supervised_by(head.as_ref()) { Whose::Another } else { Whose::Free })
}

impl<M: Model> Activation<M> {
    fn standing(&self) -> Option<&Standing> {
        self.kept.as_ref().and_then(|kept| kept.standing.as_ref())
    }

    pub(super) fn is_supervised(&self) -> bool {
        self.standing().is_some_and(|standing| !standing.is_released())
    }

    /// Whether it does nothing until its supervisor says so.
    pub(super) fn is_suspended(&self) -> bool {
        self.standing().is_some_and(|standing| !standing.is_up())
    }

    /// Which of its lives it is.
    pub(super) fn life(&self) -> u64 {
        self.standing().map_or(0, |standing| standing.kept.life)
    }

    /// The beginning of one that has a supervisor, or is given one by this letter; `has_started` is whether it had its first turn
    /// without one.
    pub(super) async fn begin_supervised(
        &mut self,
        adoption: Option<Letter>,
        has_started: bool,
    ) -> Result<(), ActivationError> {
        match adoption {
            Some(letter) => {
                self.obey(&letter, has_started).await?;
                // One that had no first turn has had it now, and that has read it.
                if has_started && !self.is_suspended() { self.revive(true).await } else { Ok(()) }
            }
            None if self.is_suspended() => Ok(()),
            None => self.revive(true).await,
        }
    }

    /// Has the recorded children be active.
    pub(super) fn activate_children(&self, children: &[Child]) {
        if self.is_suspended() {
            return;
        }
        for child in children.iter().filter(|child| !is_reserved(child.name.as_str())) {
            if let Err(why) = self.shared.resolve(&child.target) {
                tracing::debug!(actor = %self.target, child = %child.target, %why, "a child was not activated");
            }
        }
    }

    /// What is asked of one that is suspended.
    pub(super) async fn handle_suspended(&mut self, request: Request<M::Actor>) -> Result<(), ActorError> {
        match request {
            Request::Ask { label, port, .. } => {
                let chosen = label.filter(|label| label.is_chosen).map(|label| label.id);
                self.turn_away(chosen, port, NotApplied::Suspended).await?;
            }
            // It was of a life that is over.
            Request::Timer { .. } | Request::Own { .. } | Request::Mail | Request::Passivate => {}
            Request::MailAgain => self.kept_mut()?.mailing.resume(),
            Request::Flush => self.flush().await?,
            Request::Delivered => self.kept_mut()?.committer.mark_delivered().await?,
            Request::Idle => self.end_if_nothing_waits().await,
        }
        Ok(())
    }

    /// One that is suspended gives its memory back as any other does, but not while letters wait for its order with it: it would be
    /// activated for them again at once.
    async fn end_if_nothing_waits(&mut self) {
        let Some(idle) = M::Actor::IDLE_MAX else { return };
        match self.shared.store().head(&self.target.id).await {
            Ok(head) if !head.as_ref().is_some_and(Head::has_mail) => self.end_if_idle(),
            // Or nobody knows.
            _ => _ = self.myself.send_after(idle.max(IDLE_PAUSE_MIN), Incoming(Request::Idle)),
        }
    }

    /// It has failed: its state in memory is forgotten, and its supervisor is told, in one turn.
    ///
    /// # Errors
    ///
    /// It cannot be stored, or there is no supervisor: the activation ends.
    pub(super) async fn fail(&mut self, what: What) -> Result<(), ActivationError> {
        tracing::warn!(actor = %self.target, ?what, "an actor under a supervisor failed");
        let now = self.shared.wall_time();
        let id = self.target.id.clone();
        let kept = self.kept_mut()?;
        // The turns before it are good.
        kept.committer.settle().await?;
        let Some(standing) = &kept.standing else {
            return Err(ActivationError::Inconsistent(format!("nobody is told of {what:?}")));
        };
        let at = kept.committer.ledger.time(now);
        let mut outcome = Outcome::nothing(Cause::Own, at, now);
        let next = report(standing, &id, what, &mut outcome.asked, now)
            .map_err(|form| ActivationError::Codec { what: format!("the failure of {id}"), form })?;
        kept.committer.ledger.stage(outcome)?;
        kept.committer.settle().await?;
        kept.standing = Some(next);
        self.state = self.model.actor().create(&id);
        Ok(())
    }

    /// Looks for orders among the letters, before those that wait.
    pub(super) async fn take_orders(&mut self) -> Result<(), ActorError> {
        let kept = self.kept_mut()?;
        if !kept.mailing.take_flag() {
            return Ok(());
        }
        loop {
            let kept = self.kept_mut()?;
            let (epoch, after) = (kept.committer.ledger.epoch(), kept.mailing.seen_to());
            let letters = self.shared.store().inbox(&self.target.id, epoch, after, INBOX_PAGE).await?;
            let Some(last) = letters.last().map(|last| last.position) else { return Ok(()) };
            for letter in letters {
                if Order::of(&letter.message).is_some() {
                    self.obey(&letter, true).await?;
                }
                if self.is_over() {
                    return Ok(());
                }
            }
            self.kept_mut()?.mailing.note_seen(last);
        }
    }

    /// Does what a supervisor says, in one turn. `has_started` is whether an actor without supervisor had its first turn.
    pub(super) async fn obey(&mut self, letter: &Letter, has_started: bool) -> Result<(), ActivationError> {
        let now = self.shared.wall_time();
        let Some(order) = Order::of(&letter.message) else { return Ok(()) };
        let kept = self.kept_mut()?;
        kept.committer.settle().await?;
        let (before, at) = (kept.standing.clone(), kept.committer.ledger.time(now));
        let has_started = before.as_ref().map_or(has_started, |standing| standing.kept.has_started);
        let mut outcome = Outcome::nothing(Cause::Message(letter.message.id), at, now);
        outcome.source = Some(Source::Inbox);
        let mut obeyed = match order {
            Ok((giver, order)) => self.judge_order(giver, order, before, has_started, &mut outcome).await?,
            Err(form) => {
                tracing::warn!(actor = %self.target, %form, "an order cannot be read");
                Obeyed { next: before, is_fresh: false, halts_children: false }
            }
        };
        if obeyed.halts_children {
            self.halt_children(&mut outcome.asked).await?;
        }
        let failure = if obeyed.is_fresh { self.write_fresh(&mut outcome).err() } else { None };
        obeyed.is_fresh &= failure.is_none();
        self.follow_order(outcome, obeyed, has_started).await?;
        match failure {
            Some(failure) => self.fail(not_activated(failure)).await,
            None => Ok(()),
        }
    }

    /// What an order leads to, whosever it is.
    async fn judge_order(
        &mut self,
        giver: Giver,
        order: Order,
        before: Option<Standing>,
        has_started: bool,
        outcome: &mut Outcome,
    ) -> Result<Obeyed, ActivationError> {
        let supervised = before.clone().filter(|before| !before.is_released());
        let next = match whose(&**self.shared.store(), supervised.as_ref(), &giver, &order).await? {
            Whose::Own | Whose::Free => {
                return Ok(self.decide_order(giver, order, supervised, has_started, outcome));
            }
            Whose::Another => {
                self.decline(giver, order, outcome)?;
                before
            }
            Whose::Gone => {
                tracing::debug!(actor = %self.target, ?giver, ?order, "an order of a supervisor that was deleted");
                // That its first turn is yet to be is not forgotten with its first order.
                let unstarted = || Standing::adopted(giver, child_of(&order)?, 0, false)?.released();
                before.or_else(|| if has_started { None } else { unstarted() })
            }
        };
        Ok(Obeyed { next, is_fresh: false, halts_children: false })
    }

    /// An order is not from the actor's supervisor. Whoever takes it for a child is told.
    fn decline(&self, giver: Giver, order: Order, outcome: &mut Outcome) -> Result<(), ActivationError> {
        let id = &self.target.id;
        match order {
            Order::Adopt { child, life } | Order::Start { child, life, .. } => {
                let why = "it has another supervisor".to_owned();
                let what = What::OutOfReach(Failure::NotActivated(why));
                let adopted = Standing::adopted(giver, child, life, true);
                let report = adopted.map(|adopted| adopted.report(id, what, outcome.clock)).transpose();
                outcome.asked.sends.extend(report.map_err(|form| self.no_form(form))?);
            }
            order => {
                tracing::warn!(actor = %id, ?giver, ?order, "an order is not from this actor's supervisor");
            }
        }
        Ok(())
    }

    /// What an order leads to that is from the actor's supervisor, or from whoever is to be that. One that has none is whose child
    /// it is said to be, even if it is to halt: it was deleted, and has begun anew, while its supervisor counted on it.
    fn decide_order(
        &self,
        giver: Giver,
        order: Order,
        before: Option<Standing>,
        has_started: bool,
        outcome: &mut Outcome,
    ) -> Obeyed {
        let mut obeyed = Obeyed { next: before, is_fresh: false, halts_children: false };
        match (order, &mut obeyed.next) {
            (Order::Adopt { child, life }, next) => {
                *next = Standing::adopted(giver, child, life, has_started);
            }
            (Order::Start { child, life, is_fresh }, next) => {
                *next = Standing::adopted(giver, child, life, has_started);
                obeyed.is_fresh = is_fresh;
            }
            (Order::Halt { child }, next) => {
                *next = next.take().or_else(|| Standing::adopted(giver, child, 0, has_started));
                next.iter_mut().for_each(|standing| standing.kept.stage = Stage::Halted);
                obeyed.halts_children = is_supervisor::<M>();
            }
            (Order::End, Some(_)) => {
                outcome.asked.ends = true;
                obeyed.halts_children = is_supervisor::<M>();
            }
            (Order::Release, next) => *next = next.take().and_then(Standing::released),
            (Order::End, None) => {
                tracing::warn!(actor = %self.target, ?giver, "an actor without supervisor does not end by an order");
            }
        }
        obeyed
    }

    /// Has its recorded children do nothing more. A supervisor that was asked to halt while it could has told them itself, and
    /// records none; one that cannot read its own state has them recorded all the same.
    async fn halt_children(&mut self, asked: &mut Asked) -> Result<(), ActivationError> {
        let Some(kept) = &self.kept else { return Ok(()) };
        let head = kept.committer.ledger.head();
        let recovery = self.shared.store().load(&self.target.id, head.epoch).await?;
        for child in recovery.children.into_iter().filter(|child| !is_reserved(child.name.as_str())) {
            let halt = Order::Halt { child: child.name }.draft(child.target, head.created_at);
            asked.sends.push(halt.map_err(|form| self.no_form(form))?);
        }
        Ok(())
    }

    /// A state as `create` makes it is to be stored.
    ///
    /// # Errors
    ///
    /// Why it cannot be.
    fn write_fresh(&self, outcome: &mut Outcome) -> Result<(), String> {
        let state = self.model.actor().create(&self.target.id);
        let body = write_legible_state::<M>(&state).map_err(|form| form.to_string())?;
        check_state(&body).map_err(|refusal| refusal.to_string())?;
        (outcome.state, outcome.has_changed) = (Some(body), true);
        Ok(())
    }

    /// Stores what an order leads to, and does it.
    async fn follow_order(
        &mut self,
        mut outcome: Outcome,
        Obeyed { next, is_fresh, .. }: Obeyed,
        has_started: bool,
    ) -> Result<(), ActivationError> {
        let is_up = next.as_ref().is_none_or(Standing::is_up);
        let was_up = self.standing().is_none_or(Standing::is_up);
        if next.as_ref() != self.standing() {
            let change = next.as_ref().map_or_else(Standing::removal, Standing::change);
            outcome.asked.children.push(change.map_err(|form| self.no_form(form))?);
        }
        let kept = self.kept_mut()?;
        // Alone: a state that is stored beside events is of the last entry of its commit.
        kept.committer.ledger.stage(outcome)?;
        kept.committer.settle().await?;
        kept.standing = next;
        if !is_up {
            self.state = self.model.actor().create(&self.target.id);
        } else if is_fresh || !was_up || !has_started {
            self.revive(has_started).await?;
        }
        // The letters that have waited are read.
        self.read_again()
    }

    /// What it tells or keeps of its supervisor cannot be encoded. That never happens: it is plain data.
    fn no_form(&self, form: CodecError) -> ActivationError {
        ActivationError::Codec { what: format!("what {} tells its supervisor", self.target), form }
    }

    /// Makes the state of what is stored, and has the first turn if it was not. Its failure is told to its supervisor, if it has one.
    async fn revive(&mut self, has_started: bool) -> Result<(), ActivationError> {
        let has_started = self.standing().map_or(has_started, |standing| standing.kept.has_started);
        let error = match AssertUnwindSafe(self.try_revive(has_started)).catch_unwind().await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error,
            Err(payload) => ActivationError::Panicked(panic_text(&*payload)),
        };
        if matches!(error, ActivationError::Store(_)) || !self.is_supervised() {
            return Err(error);
        }
        self.fail(not_activated(error.to_string())).await
    }

    async fn try_revive(&mut self, has_started: bool) -> Result<(), ActivationError> {
        // What was in memory is over before anything else is.
        self.state = self.model.actor().create(&self.target.id);
        let requester = OwnTurns::new(&self.myself, &self.shared);
        let Some(kept) = &mut self.kept else { return Ok(()) };
        let (head, store) = (kept.committer.ledger.head(), self.shared.store());
        let recovery = store.load(&head.target.id, head.epoch).await?;
        let past = read_past(&*self.model, store, head, &recovery, &requester).await?;
        kept.tail = past.tail;
        self.state = past.state;
        if let (Keeps::State, Some(snapshot)) = (M::KEEPS, recovery.snapshot) {
            self.written.set(&snapshot.body);
            self.note_recovered();
        }
        if !has_started {
            self.start().await?;
        }
        Ok(())
    }
}
