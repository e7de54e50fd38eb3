//! The inbox: letters are read when somebody says that there may be some, and handled before what callers ask later. One whose
//! handling fails is tried again, and given up after so many times.

use std::panic::catch_unwind;
use std::time::Duration;

use actor_core::{ActorError, Status};
use bytes::Bytes;

use super::run::{Job, said};
use super::{Activation, Incoming, Request, is_last};
use crate::actor::Durable;
use crate::codec::cut;
use crate::error::{ActivationError, NotApplied, panic_text};
use crate::id::{MessageId, Position};
use crate::ledger::Outcome;
use crate::limits::{ATTEMPT_PAUSE_FIRST, ATTEMPT_PAUSE_MAX, DEATHS_MAX, INBOX_PAGE, REASON_BYTES_MAX};
use crate::model::{Model, read_command};
use crate::process::MailFlag;
use crate::question::{self, Answer};
use crate::store::{Cause, Letter, Message, Refusal, Source, StoreError};
use crate::supervise::Order;

/// How far an inbox is read.
#[derive(Debug)]
pub(super) struct Mailing {
    flag: MailFlag,
    /// Letters up to this one are handled, or given up.
    read_to: Position,
    /// The letters up to this one have been searched for a supervisor's orders; they themselves may wait.
    seen_to: Position,
    /// A letter is to be tried again later; those behind it wait.
    is_paused: bool,
    /// A letter waits for room in the outbox, and so do those behind it.
    waits_for_room: bool,
    /// Former activations have ended without a word: what ends processes may be in the inbox, so each attempt is counted
    /// before it begins, until one has gone well.
    is_careful: bool,
}

impl Mailing {
    pub(super) fn new(flag: MailFlag, is_careful: bool) -> Self {
        Self {
            flag,
            read_to: Position::ZERO,
            seen_to: Position::ZERO,
            is_paused: false,
            waits_for_room: false,
            is_careful,
        }
    }

    pub(super) fn take_flag(&self) -> bool {
        self.flag.take()
    }

    /// There is no order among the letters up to this one that was not obeyed.
    pub(super) fn seen_to(&self) -> Position {
        self.seen_to.max(self.read_to)
    }

    /// The letters up to this one have been searched for orders.
    pub(super) fn note_seen(&mut self, position: Position) {
        self.seen_to = position;
    }

    /// Whether a letter that has failed is to be tried again later.
    pub(super) fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Whether no letter is handled for now.
    fn is_held(&self) -> bool {
        self.is_paused || self.waits_for_room
    }

    /// The pause after a failed attempt is over.
    pub(super) fn resume(&mut self) {
        self.is_paused = false;
        self.flag.raise();
    }
}

impl<M: Model> Activation<M> {
    /// Whether [`read_mail`](Self::read_mail) has anything to do.
    pub(super) fn has_mail_to_read(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.mailing.flag.is_raised())
    }

    /// Handles the letters that were there when somebody said so. Those that come meanwhile are left to the next message, all but
    /// the first of them: letters without end keep no caller waiting, and no end.
    pub(super) async fn read_mail(&mut self) -> Result<(), ActorError> {
        let Some(kept) = &mut self.kept else { return Ok(()) };
        if kept.committer.ledger.has_ended() {
            return Ok(());
        }
        if kept.mailing.waits_for_room && kept.committer.await_room().await? {
            kept.mailing.waits_for_room = false;
        }
        if kept.mailing.is_held() {
            // What a supervisor says does not wait.
            return if kept.standing.is_some() { self.take_orders().await } else { Ok(()) };
        }
        if !kept.mailing.flag.take() {
            return Ok(());
        }
        let letters = self.next_letters().await?;
        if !self.take_letters(letters, Position(u64::MAX)).await? {
            return Ok(());
        }
        let mut letters = self.next_letters().await?;
        if letters.is_empty() {
            return Ok(());
        }
        let end = self.inbox_end().await?;
        while self.take_letters(letters, end).await? {
            letters = self.next_letters().await?;
        }
        Ok(())
    }

    /// Whether no further letter is handled here: whoever is asked to end, and has handled what was accepted behind them, leaves them
    /// where they are.
    fn leaves_letters(&self) -> bool {
        match self.myself.status() {
            Status::Draining => is_last(&self.myself),
            status => status >= Status::Stopping,
        }
    }

    /// A page of letters.
    async fn next_letters(&mut self) -> Result<Vec<Letter>, ActorError> {
        if self.leaves_letters() {
            return Ok(Vec::new());
        }
        let kept = self.kept_mut()?;
        let (epoch, after) = (kept.committer.ledger.epoch(), kept.mailing.read_to);
        Ok(self.shared.store().inbox(&self.target.id, epoch, after, INBOX_PAGE).await?)
    }

    /// Where the next letter will lie.
    async fn inbox_end(&mut self) -> Result<Position, ActorError> {
        let head = self.shared.store().head(&self.target.id).await?;
        Ok(head.map_or(Position::ZERO, |head| head.next))
    }

    /// Handles letters, if they are before an end. Whether there may be more of them.
    async fn take_letters(&mut self, letters: Vec<Letter>, end: Position) -> Result<bool, ActorError> {
        if letters.is_empty() {
            return Ok(false);
        }
        self.note_active();
        for letter in letters {
            if self.leaves_letters() {
                return Ok(false);
            }
            if letter.position >= end {
                self.read_again()?;
                return Ok(false);
            }
            self.take_letter(letter).await?;
            if self.is_suspended() {
                // Among those behind it there may be an order, of which nobody says anything again.
                self.read_again()?;
                return Ok(false);
            }
            let kept = self.kept_mut()?;
            if kept.mailing.is_held() {
                return Ok(false);
            }
            if kept.committer.ledger.has_ended() {
                // What is behind it lies there until the actor is deleted.
                return Ok(false);
            }
            if kept.committer.is_to_be_stored() {
                self.settle().await?;
            }
        }
        Ok(true)
    }

    /// There are letters that were not read: they are, behind what waits here.
    pub(super) fn read_again(&mut self) -> Result<(), ActivationError> {
        self.kept_mut()?.mailing.flag.raise();
        drop(self.myself.cast(Incoming(Request::Mail)));
        Ok(())
    }

    /// The pause after a failed attempt is over.
    pub(super) async fn resume_mail(&mut self) -> Result<(), ActorError> {
        if let Some(kept) = &mut self.kept {
            kept.mailing.resume();
        }
        self.read_mail().await
    }

    async fn take_letter(&mut self, letter: Letter) -> Result<(), ActorError> {
        let (position, id) = (letter.position, letter.message.id);
        if let Some(reply) = self.has_handled(id).await? {
            return self.drop_double(&letter, reply);
        }
        if Order::of(&letter.message).is_some() {
            self.obey(&letter, true).await?;
            self.kept_mut()?.mailing.read_to = position;
            return Ok(());
        }
        // Before it is counted or in hand: whatever ends the process meanwhile is another's doing.
        let kept = self.kept_mut()?;
        if !kept.committer.await_room().await? {
            kept.mailing.waits_for_room = true;
            return Ok(());
        }
        let (shared, mut permit, mut counted) = (self.shared.clone(), None, None);
        if self.kept_mut()?.mailing.is_careful || letter.attempts > 0 {
            // Until it is stored: of all letters here, one is counted against that is in hand when the process ends.
            permit = Some(shared.enter_suspect().await);
            let attempts = self.count_attempt(&letter).await?;
            if attempts > M::Actor::ATTEMPTS_MAX.saturating_add(DEATHS_MAX) {
                return self.give_up(letter, attempts, "its handling has ended the process").await;
            }
            counted = Some(attempts);
        }
        if let Some(why) = self.try_letter(&letter).await? {
            drop(permit);
            return self.letter_failed(letter, counted, &why).await;
        }
        if permit.is_some() {
            // Only what is stored has gone well.
            self.settle().await?;
        }
        Ok(())
    }

    /// Does what a letter says. Why it was not done, if it was not.
    async fn try_letter(&mut self, letter: &Letter) -> Result<Option<NotApplied>, ActorError> {
        let command = match read_message::<M::Actor>(&letter.message) {
            Ok(command) => command,
            Err(why) => return Ok(Some(why)),
        };
        let (id, clock) = (letter.message.id, self.shared.wall_time());
        let job = Job { command, id, source: Some(Source::Inbox), letter: Some(letter), clock };
        if let Err(why) = self.execute(job).await? {
            return Ok(Some(why));
        }
        let mailing = &mut self.kept_mut()?.mailing;
        (mailing.read_to, mailing.is_careful) = (letter.position, false);
        Ok(None)
    }

    /// It is tried again after a pause, or given up. `counted` are its attempts if this one is counted already.
    async fn letter_failed(
        &mut self,
        letter: Letter,
        counted: Option<u32>,
        why: &NotApplied,
    ) -> Result<(), ActorError> {
        let attempts = match counted {
            Some(attempts) => attempts,
            None => self.count_attempt(&letter).await?,
        };
        let id = letter.message.id;
        tracing::warn!(actor = %self.target, message = %id, attempts, %why, "a message was not handled");
        if attempts >= M::Actor::ATTEMPTS_MAX {
            return self.give_up(letter, attempts, &why.to_string()).await;
        }
        self.kept_mut()?.mailing.is_paused = true;
        self.myself.send_after(pause(attempts), Incoming(Request::MailAgain));
        Ok(())
    }

    /// The reply to a letter's message that was handled before, which may be none. One that is remembered here and not in the store
    /// was given up, and put back by somebody: it is as new. One that is forgotten here may be remembered there, as it lies in the
    /// inbox.
    async fn has_handled(&mut self, id: MessageId) -> Result<Option<Option<Bytes>>, ActorError> {
        let ledger = &self.kept_mut()?.committer.ledger;
        let is_known = ledger.knows(id);
        if !is_known && !ledger.may_have_forgotten(id) {
            return Ok(None);
        }
        if is_known {
            self.settle().await?;
        }
        let reply = self.shared.store().reply(&self.target.id, id).await?;
        if is_known && reply.is_none() {
            self.kept_mut()?.committer.ledger.revive(id);
        }
        Ok(reply)
    }

    /// A caller sent the same, and was first. If it is a question, its answer is the same.
    fn drop_double(&mut self, letter: &Letter, reply: Option<Bytes>) -> Result<(), ActorError> {
        let now = self.shared.wall_time();
        let kept = self.kept_mut()?;
        let at = kept.committer.ledger.time(now);
        let mut outcome = Outcome::nothing(Cause::Duplicate(letter.message.id), at, now);
        let said = reply.map(said::<M>).ok_or_else(|| "it was given up before".to_owned());
        outcome.asked.sends.extend(question::answer(&letter.message, said));
        kept.committer.ledger.stage(outcome)?;
        kept.mailing.read_to = letter.position;
        Ok(())
    }

    async fn count_attempt(&mut self, letter: &Letter) -> Result<u32, ActorError> {
        let epoch = self.kept_mut()?.committer.ledger.epoch();
        Ok(self.shared.store().begin_attempt(&self.target.id, epoch, letter.message.id).await?)
    }

    /// A letter goes to the dead ones, and those behind it get their turn.
    async fn give_up(&mut self, mut letter: Letter, attempts: u32, reason: &str) -> Result<(), ActorError> {
        tracing::warn!(actor = %self.target, message = %letter.message.id, attempts, reason, "a message is given up");
        // What is staged is not to fail with it.
        self.settle().await?;
        let now = self.shared.wall_time();
        let kept = self.kept_mut()?;
        let (id, position) = (letter.message.id, letter.position);
        let before = kept.committer.ledger.clone();
        letter.attempts = attempts;
        let at = kept.committer.ledger.time(now);
        let mut outcome = Outcome::nothing(Cause::GaveUp(id), at, now);
        let reason = cut(reason.to_owned(), REASON_BYTES_MAX);
        outcome.asked.sends.extend(question::answer(&letter.message, Err(reason.clone())));
        outcome.dead = Some(Box::new(letter.given_up(at, reason)));
        kept.committer.ledger.stage(outcome)?;
        match kept.committer.settle().await {
            Err(StoreError::NotApplied(refusal @ Refusal::TooMany { .. })) => {
                // Nothing is dropped that nobody has seen: it waits until somebody makes room, and so does what is behind it.
                tracing::error!(actor = %self.target, message = %id, %refusal, "a message cannot be given up; the mail waits");
                let kept = self.kept_mut()?;
                kept.committer.ledger = before;
                kept.mailing.is_paused = true;
                self.myself.send_after(ATTEMPT_PAUSE_MAX, Incoming(Request::MailAgain));
                Ok(())
            }
            settled => {
                settled?;
                self.kept_mut()?.mailing.read_to = position;
                Ok(self.save_snapshot().await?)
            }
        }
    }
}

/// What a letter says. What reads it is the user's, and may panic.
fn read_message<A: Durable>(message: &Message) -> Result<A::Command, NotApplied> {
    let read = || match Answer::of(message) {
        Some(answer) => A::on_answer(&answer),
        None => read_command::<A>(&message.body),
    };
    match catch_unwind(read) {
        Ok(command) => Ok(command?),
        Err(payload) => Err(NotApplied::Panicked(panic_text(&*payload))),
    }
}

/// How long to wait before the next attempt.
fn pause(attempts: u32) -> Duration {
    let doubled = 1 << attempts.saturating_sub(1).min(20);
    ATTEMPT_PAUSE_FIRST.saturating_mul(doubled).min(ATTEMPT_PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_between_attempts_double_up_to_a_bound() {
        let paused = [0, 1, 2, 3, 7, 8, 9, u32::MAX].map(|attempts| pause(attempts).as_millis());
        assert_eq!(paused, [100, 100, 200, 400, 6_400, 10_000, 10_000, 10_000]);
    }
}
