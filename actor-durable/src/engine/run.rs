//! One turn: the handler is run, and what it gave is staged or taken back.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::task::Poll;

use actor_core::ActorError;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{Either, poll_fn, select};

use super::committer::{Committer, doubt};
use super::own::OwnTurns;
use super::supervised::hand_over;
use super::written::write_state;
use super::{Activation, Incoming, Label, Port, Request, Told, not_applied};
use crate::actor::{Durability, Durable};
use crate::codec::{encode, legible};
use crate::error::{AskError, Doubt, NotApplied, panic_text};
use crate::id::{MessageId, Position, WallTime};
use crate::ledger::{Judgement, Known, Outcome};
use crate::limits::OUTBOX_PAUSE;
use crate::model::{Command, Error, Keeps, Model, NotRun, Ran, read_command, read_state};
use crate::outbox::Room;
use crate::question;
use crate::recover::read_past;
use crate::store::{Body, Cause, Letter, Message, Refusal, Source, StoreError};
use crate::supervise::{Failure, Standing, What};
use crate::turn::{About, Asked, Moment, Turn};

/// The reply or refusal of a turn that is staged, or why it is not.
pub(super) type Executed<A> = Result<Result<<A as Durable>::Reply, <A as Durable>::Error>, NotApplied>;

/// What a panic carries.
pub(super) type Payload = Box<dyn std::any::Any + Send>;

/// What is run.
pub(super) struct Job<'a, A: Durable> {
    pub(super) command: A::Command,
    pub(super) id: MessageId,
    /// None if it is a timer's: nobody has its id, to ask again with.
    pub(super) source: Option<Source>,
    /// If it lay in the inbox.
    pub(super) letter: Option<&'a Letter>,
    /// What the clock says.
    pub(super) clock: WallTime,
}

/// A reply as whoever has asked for it gets it.
pub(super) fn said<M: Model>(reply: Bytes) -> Body {
    Body { version: M::Actor::COMMAND_VERSION, bytes: reply }
}

impl<M: Model> Activation<M> {
    /// A caller's command.
    pub(super) async fn ask(
        &mut self,
        label: Option<Label>,
        command: Command<M>,
        port: Port<M::Actor>,
    ) -> Result<(), ActorError> {
        self.note_active();
        let made = || Label { id: self.shared.new_message_id(), is_chosen: false };
        let Label { id, is_chosen } = label.unwrap_or_else(made);
        let clock = self.shared.wall_time();
        let Some(kept) = &mut self.kept else { return Ok(()) };
        match kept.committer.ledger.judge(id, clock) {
            Judgement::New => {}
            // Nobody but this command has its id while its caller waits: however old it is, it was not forgotten. A caller that has
            // given up knows the id, and may have used it again.
            Judgement::Known(Known::Refused(Refusal::TooOld { .. })) if !is_chosen && port.is_awaited() => {}
            Judgement::Known(known) => return self.answer_known(known, id, port).await,
        }
        if kept.committer.ledger.has_ended() {
            not_applied::<M::Actor>(port, NotApplied::Store(Refusal::Ended.into()));
            return Ok(());
        }
        match self.run_called(id, command, clock).await {
            Ok(Ok(Ok(reply))) => self.answer(id, port, Told::Reply(reply)).await,
            Ok(Ok(Err(error))) => self.answer(id, port, Told::Refused(error)).await,
            Ok(Err(why)) => {
                not_applied::<M::Actor>(port, why);
                Ok(())
            }
            Err(error) => {
                // A turn is staged as the last thing, so of this one nothing is.
                not_applied::<M::Actor>(port, NotApplied::ActivationEnded);
                Err(error)
            }
        }
    }

    /// A caller's command whose id is new is run, unless there is no room for what it may send.
    async fn run_called(
        &mut self,
        id: MessageId,
        command: Command<M>,
        mut clock: WallTime,
    ) -> Result<Executed<M::Actor>, ActorError> {
        let committer = &mut self.kept_mut()?.committer;
        if !committer.has_room(Room::Calls) && !M::Actor::is_query(&command) {
            if !committer.wait_for_room().await? {
                return Ok(Err(NotApplied::OutboxFull));
            }
            clock = self.shared.wall_time();
        }
        self.execute(Job { command, id, source: Some(Source::Caller), letter: None, clock }).await
    }

    /// A command of a timer, whose answer nobody waits for. It comes again if there is no room for what it may send.
    pub(super) async fn run_timer(&mut self, body: Box<Body>, life: u64) -> Result<(), ActorError> {
        if !self.kept_mut()?.committer.has_room(Room::Calls) {
            self.settle().await?;
            self.myself.send_after(OUTBOX_PAUSE, Incoming(Request::Timer { body, life }));
            return Ok(());
        }
        // It was written here.
        let command = read_command::<M::Actor>(&body)?;
        let (id, clock) = (self.shared.new_message_id(), self.shared.wall_time());
        let job = Job { command, id, source: None, letter: None, clock };
        if let Err(why) = self.execute(job).await? {
            tracing::warn!(actor = %self.target, %why, "a timer's command was not applied");
        }
        Ok(())
    }

    /// The reply leaves when what it follows from is stored. Where that is not promised, and where nothing is to be stored, it
    /// leaves at once, if the actor is certainly this process's.
    async fn answer(
        &mut self,
        id: MessageId,
        port: Port<M::Actor>,
        told: Told<M::Actor>,
    ) -> Result<(), ActorError> {
        let Some(kept) = &mut self.kept else { return Ok(()) };
        if M::Actor::DURABILITY == Durability::WriteThrough && kept.committer.ledger.is_staged() {
            kept.committer.hold(id, port, told);
            return Ok(());
        }
        match self.is_still_ours().await {
            Ok(()) => port.tell(told),
            Err(error @ StoreError::Fenced { .. }) => {
                // What is staged is not stored any more either.
                not_applied::<M::Actor>(port, NotApplied::Store(error.clone()));
                return Err(error.into());
            }
            Err(error) => port.tell(Err(self.unconfirmed(id, error))),
        }
        Ok(())
    }

    /// What a caller is told whose command was run while the store does not say whose the actor is.
    fn unconfirmed(&self, id: MessageId, error: StoreError) -> AskError<Error<M>> {
        // It may yet be stored.
        let is_staged = self.kept.as_ref().is_some_and(|kept| kept.committer.ledger.knows(id));
        if is_staged {
            AskError::Unknown { id, why: Doubt::Store(error) }
        } else {
            NotApplied::Store(error).into()
        }
    }

    /// A caller's command that is not run. If it was before, its caller is answered again; others are told why it is not.
    pub(super) async fn turn_away(
        &mut self,
        id: Option<MessageId>,
        port: Port<M::Actor>,
        why: NotApplied,
    ) -> Result<(), ActorError> {
        if let (Some(id), Some(kept)) = (id, &self.kept) {
            let judgement = kept.committer.ledger.judge(id, self.shared.wall_time());
            if let Judgement::Known(known) = judgement {
                return self.answer_known(known, id, port).await;
            }
        }
        not_applied::<M::Actor>(port, why);
        Ok(())
    }

    /// A command whose id is not new.
    async fn answer_known(
        &mut self,
        known: Known,
        id: MessageId,
        port: Port<M::Actor>,
    ) -> Result<(), ActorError> {
        match known {
            Known::Remembered => return self.answer_again(id, port).await,
            Known::Unsettled => {
                let Some(kept) = &mut self.kept else { return Ok(()) };
                if let Err(error) = kept.committer.settle().await {
                    port.tell(Err(doubt(id, &error)));
                    return Err(error.into());
                }
                self.answer_again(id, port).await?;
                return self.save_snapshot().await;
            }
            Known::Refused(refusal @ Refusal::TooOld { .. }) => {
                port.tell(Err(AskError::Unknown { id, why: Doubt::Forgotten(refusal) }));
            }
            Known::Refused(refusal) => {
                not_applied::<M::Actor>(port, NotApplied::Store(refusal.into()));
            }
        }
        Ok(())
    }

    /// The same command came again: its reply is stored.
    async fn answer_again(&mut self, id: MessageId, port: Port<M::Actor>) -> Result<(), ActorError> {
        let reply = self.shared.store().reply(&self.target.id, id).await;
        let answer = match reply {
            Ok(Some(Some(bytes))) => match M::Actor::read_reply(&bytes) {
                Ok(result) => result.map_err(AskError::Refused),
                Err(form) => Err(AskError::BadReply(form)),
            },
            // It was given up as poison, or lay in the inbox without a reply.
            Ok(Some(None)) => {
                Err(AskError::NotApplied(NotApplied::Store(Refusal::AlreadyHandled(id).into())))
            }
            Ok(None) => Err(AskError::Unknown { id, why: Doubt::Forgotten(Refusal::NoSuchMessage(id)) }),
            Err(error) => Err(AskError::Unknown { id, why: Doubt::Store(error) }),
        };
        port.tell(answer);
        Ok(())
    }

    /// Runs a command and stages what came of it.
    ///
    /// # Errors
    ///
    /// Only what ends the activation.
    pub(super) async fn execute(&mut self, job: Job<'_, M::Actor>) -> Result<Executed<M::Actor>, ActorError> {
        let Job { command, id, source, letter, clock } = job;
        let message = letter.map(|letter| &letter.message);
        let is_query = M::Actor::is_query(&command) && source != Some(Source::Inbox);
        let mut asked = Asked::default();
        let Self { model, state, target, kept: Some(kept), .. } = self else {
            return Err("a volatile actor has no turns".into());
        };
        let place = kept.committer.ledger.next_place(clock);
        let supervisor = kept.standing.as_ref().and_then(Standing::supervisor);
        let about = About { actor: target, at: Moment::Entered(place), id: Some(&id), message, supervisor };
        let mut turn = Turn::new(about, &mut asked);
        let run = model.run(command, state, &mut turn);
        let ran = match contained(&mut kept.committer, run).await? {
            Ok(ran) => ran,
            Err(payload) => {
                let is_repeated = letter.is_some_and(|letter| letter.attempts > 0);
                return self.has_panicked(payload, is_repeated).await.map(Err);
            }
        };
        let (result, events) = match ran {
            Ok((reply, events)) => (Ok(reply), events),
            Err(NotRun::Refused(error)) => {
                asked = Asked::default();
                self.take_back_state().await?;
                (Err(error), Vec::new())
            }
            Err(NotRun::Unwritable(form)) => return Ok(Err(form.into())),
            Err(NotRun::Broken(text)) => {
                self.rebuild().await?;
                return Ok(Err(NotApplied::NotTaken(text)));
            }
        };
        if is_query && !asked.sends.is_empty() && !self.kept_mut()?.committer.has_room(Room::Calls) {
            // It was let in as one that only looks.
            self.rebuild().await?;
            return Ok(Err(NotApplied::OutboxFull));
        }
        if is_query && events.is_empty() && asked.is_nothing() {
            self.begin_timers(asked.timers);
            if asked.passivates {
                self.passivate();
            }
            return Ok(Ok(result));
        }
        self.kept_mut()?.committer.count_reminders(&asked).await?;
        let cause = source.map_or(Cause::Own, |_| Cause::Message(id));
        let outcome = Outcome { source, events, asked, ..Outcome::nothing(cause, place.at, clock) };
        let Err(why) = self.stage_replied(outcome, message, &result) else { return Ok(Ok(result)) };
        // Events were applied, and a state may have changed, for nothing.
        self.rebuild().await?;
        Ok(Err(why))
    }

    /// Stages a turn with its reply, which goes to whoever asked by a message too.
    fn stage_replied(
        &mut self,
        mut outcome: Outcome,
        message: Option<&Message>,
        result: &Result<<M::Actor as Durable>::Reply, <M::Actor as Durable>::Error>,
    ) -> Result<(), NotApplied> {
        let reply = encode("a reply", &result.as_ref())?;
        if cfg!(debug_assertions) {
            legible("a reply", M::Actor::read_reply(&reply))?;
        }
        if let Some(message) = message {
            outcome.asked.sends.extend(question::answer(message, Ok(said::<M>(reply.clone()))));
        }
        outcome.reply = Some(reply);
        self.stage(outcome, result.is_ok())
    }

    /// What leaves before it is stored is not compared by the store: where somebody else may have the actor by now, it is asked.
    async fn is_still_ours(&mut self) -> Result<(), StoreError> {
        if self.shared.is_lease_held_since(self.guard.term) {
            return Ok(());
        }
        let Some(kept) = &self.kept else { return Ok(()) };
        let (store, epoch) = (self.shared.store(), kept.committer.ledger.epoch());
        let term = self.shared.lease_term();
        store.inbox(&self.target.id, epoch, Position(u64::MAX), 1).await?;
        self.guard.term = term;
        Ok(())
    }

    /// What a turn gave is to be stored.
    pub(super) fn stage(&mut self, mut outcome: Outcome, is_accepted: bool) -> Result<(), NotApplied> {
        let Self { state, written, kept: Some(kept), .. } = self else { return Ok(()) };
        let asked = &mut outcome.asked;
        let (timers, passivates) = (std::mem::take(&mut asked.timers), asked.passivates);
        let reminds = !asked.reminders.is_empty();
        let next = hand_over(kept.standing.as_ref(), &self.target.id, asked, outcome.clock)?;
        outcome.has_changed = !outcome.events.is_empty();
        let mut tail = kept.tail;
        tail.add(&outcome.events);
        let ledger = &mut kept.committer.ledger;
        if M::KEEPS == Keeps::State && is_accepted {
            let is_checkpoint = ledger.is_checkpoint_due();
            if is_checkpoint {
                self.model.actor().on_checkpoint(&self.target.id, state);
            }
            let body = write_state::<M>(state)?;
            outcome.has_changed = !written.is(&body);
            outcome.state = (outcome.has_changed || is_checkpoint).then_some(body);
            ledger.stage(outcome).map_err(NotApplied::Store)?;
            // Only now, as whoever is refused goes back to the one before.
            if let Some(body) = ledger.staged_state() {
                written.set(body);
            }
        } else {
            ledger.stage(outcome).map_err(NotApplied::Store)?;
        }
        if next.is_some() {
            kept.standing = next;
        }
        kept.tail = tail;
        kept.committer.note(passivates, reminds);
        if !timers.is_empty() {
            self.begin_timers(timers);
        }
        Ok(())
    }

    /// The handler panicked: the state is as before, or whoever supervises the actor is told; also whether it was at a letter that was
    /// tried before.
    pub(super) async fn has_panicked(
        &mut self,
        payload: Payload,
        is_repeated: bool,
    ) -> Result<NotApplied, ActorError> {
        let text = panic_text(&*payload);
        drop(payload);
        if self.is_supervised() {
            let failure = Failure::Panicked(text.clone()).short();
            let what = if is_repeated { What::FailedAgain(failure) } else { What::Failed(failure) };
            self.fail(what).await?;
        } else {
            self.rebuild().await?;
        }
        Ok(NotApplied::Panicked(text))
    }

    /// The handler refused: a state that is kept whole is as it was last written.
    pub(super) async fn take_back_state(&mut self) -> Result<(), ActorError> {
        if M::KEEPS != Keeps::State || self.is_as_written() {
            return Ok(());
        }
        self.read_back().await
    }

    /// Whether the state is how it was last written.
    pub(super) fn is_as_written(&self) -> bool {
        write_state::<M>(&self.state).is_ok_and(|body| self.written.is(&body))
    }

    /// The state is made anew of how it was last written.
    async fn read_back(&mut self) -> Result<(), ActorError> {
        self.state = read_state::<M::Actor>(&self.written.body())?;
        let requester = OwnTurns::new(&self.myself, &self.shared);
        self.model.recover(&self.target.id, &mut self.state, &requester).await?;
        self.note_recovered();
        Ok(())
    }

    /// The state was made of how it was written.
    pub(super) fn note_recovered(&mut self) {
        self.written.note_recovered(write_state::<M>(&self.state).ok());
    }

    /// The state may be anything: it is made anew of what is staged and stored.
    pub(super) async fn rebuild(&mut self) -> Result<(), ActorError> {
        if M::KEEPS == Keeps::State {
            return self.read_back().await;
        }
        let requester = OwnTurns::new(&self.myself, &self.shared);
        let Some(kept) = &mut self.kept else { return Ok(()) };
        kept.committer.settle().await?;
        let (head, store) = (kept.committer.ledger.head(), self.shared.store());
        let recovery = store.load(&head.target.id, head.epoch).await?;
        let past = read_past(&*self.model, store, head, &recovery, &requester).await?;
        kept.tail = past.tail;
        self.state = past.state;
        Ok(())
    }

    /// What else comes to a volatile actor.
    pub(super) async fn handle_volatile(&mut self, request: Request<M::Actor>) -> Result<(), ActorError> {
        match request {
            Request::Timer { body, .. } => {
                let command = read_command::<M::Actor>(&body)?;
                let Self { model, state, target, shared, asked, .. } = self;
                let about = About::unasked(target, Moment::Now(shared));
                // Nobody waits for what it says.
                let ran = model.run(command, state, &mut Turn::new(about, asked)).await;
                self.follow_asked(ran.is_ok());
            }
            Request::Idle => self.end_if_idle(),
            Request::Passivate => self.passivate(),
            Request::Ask { .. }
            | Request::Own { .. }
            | Request::Mail
            | Request::MailAgain
            | Request::Flush
            | Request::Delivered => {}
        }
        Ok(())
    }

    /// Does what a turn of a volatile actor has asked for. Almost none has.
    #[inline]
    pub(super) fn follow_volatile(&mut self, is_accepted: bool) {
        self.note_active();
        if !self.asked.is_over() {
            self.follow_asked(is_accepted);
        }
    }

    #[cold]
    fn follow_asked(&mut self, is_accepted: bool) {
        let asked = std::mem::take(&mut self.asked);
        if !is_accepted {
            return;
        }
        self.begin_timers(asked.timers);
        if asked.ends || asked.passivates {
            self.passivate();
        }
    }
}

/// What a turn of which nothing is stored says.
#[inline]
pub(super) fn said_at_once<A: Durable>(ran: Ran<A>) -> Told<A> {
    match ran {
        Ok((reply, _)) => Told::Reply(reply),
        Err(NotRun::Refused(error)) => Told::Refused(error),
        Err(NotRun::Unwritable(form)) => Err(AskError::NotApplied(form.into())).into(),
        Err(NotRun::Broken(text)) => Err(AskError::NotApplied(NotApplied::NotTaken(text))).into(),
    }
}

/// What a handler gives, or what it panicked with. If it waits, what was done before it need not, and is stored meanwhile, when it
/// is to be.
pub(super) async fn contained<A: Durable, T>(
    committer: &mut Committer<A>,
    run: impl Future<Output = T>,
) -> Result<Result<T, Payload>, StoreError> {
    let mut run = pin!(AssertUnwindSafe(run).catch_unwind());
    if let Poll::Ready(ran) = first_poll(run.as_mut()).await {
        return Ok(ran);
    }
    if A::DURABILITY != Durability::WriteThrough {
        run = match select(pin!(committer.due()), run).await {
            Either::Left(((), run)) => run,
            Either::Right((ran, _)) => return Ok(ran),
        };
    }
    match select(pin!(committer.settle()), run).await {
        Either::Left((settled, run)) => {
            // If it failed nobody will store what the handler does, however long it takes.
            settled?;
            Ok(run.await)
        }
        Either::Right((ran, settled)) => {
            settled.await?;
            Ok(ran)
        }
    }
}

/// What one poll of a future gives.
async fn first_poll<F: Future + Unpin>(mut future: F) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.poll_unpin(cx))).await
}
