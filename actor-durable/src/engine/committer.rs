//! What is between a turn and the world: it is stored, and only then do replies and messages leave.

use std::sync::Arc;

use actor_core::executor::Sleep;
use actor_core::{ActorCell, ActorError, Instant};

use super::courier::Courier;
use super::{Port, Told, not_applied};
use crate::actor::{Durability, Durable};
use crate::error::{AskError, Doubt, NotApplied};
use crate::id::MessageId;
use crate::ledger::Ledger;
use crate::limits::{COMMIT_PAUSE_FIRST, COMMIT_PAUSE_MAX, COMMIT_RETRIED_MAX, OUTBOX_WAIT_MAX};
use crate::outbox::Room;
use crate::process::{Sender, Shared};
use crate::store::{Body, OutboxPosition, Outgoing, Refusal, Snapshot, StoreError, TurnCommit};
use crate::turn::Asked;

/// See the module.
pub(super) struct Committer<A: Durable> {
    pub(super) ledger: Ledger,
    shared: Arc<Shared>,
    actor: ActorCell,
    /// Answers that follow from what is staged.
    held: Vec<Held<A>>,
    courier: Option<Courier>,
    /// Whether a flush is on its way.
    will_flush: bool,
    /// Until when what is staged is to be stored, if that is promised.
    due: Instant,
    /// What the staged turns want once they are stored.
    passivates: bool,
    reminds: bool,
    /// Whether a turn that is stored wants that.
    has_passivated: bool,
}

struct Held<A: Durable> {
    id: MessageId,
    port: Port<A>,
    told: Told<A>,
}

impl<A: Durable> Committer<A> {
    pub(super) fn new(shared: Arc<Shared>, actor: ActorCell, ledger: Ledger) -> Self {
        Self {
            ledger,
            shared,
            actor,
            held: Vec::new(),
            courier: None,
            will_flush: false,
            due: Instant::FAR,
            passivates: false,
            reminds: false,
            has_passivated: false,
        }
    }

    /// An answer leaves once what is staged is stored.
    pub(super) fn hold(&mut self, id: MessageId, port: Port<A>, told: Told<A>) {
        self.held.push(Held { id, port, told });
    }

    /// What the turn that was staged last wants once it is stored.
    pub(super) fn note(&mut self, passivates: bool, reminds: bool) {
        self.passivates |= passivates;
        self.reminds |= reminds;
        if let Durability::WriteBack(interval) = A::DURABILITY
            && self.due == Instant::FAR
        {
            self.due = self.shared.executor().now() + interval;
        }
    }

    /// Has the reminders counted that there are, if a turn would be refused otherwise: those that have come count no more.
    pub(super) async fn count_reminders(&mut self, asked: &Asked) -> Result<(), StoreError> {
        if asked.reminders.is_empty() || !self.ledger.has_too_many(&asked.reminders) {
            return Ok(());
        }
        self.settle().await?;
        let (actor, epoch) = (&self.ledger.target().id, self.ledger.epoch());
        let recovery = self.shared.store().load(actor, epoch).await?;
        self.ledger.note_reminders(&recovery.reminders);
        Ok(())
    }

    /// Whether a turn that is staged wants the actor's memory to be given back.
    pub(super) fn will_passivate(&self) -> bool {
        self.passivates
    }

    /// Whether what is staged is to be stored before anything else is done.
    pub(super) fn is_to_be_stored(&self) -> bool {
        let is_promised = matches!(A::DURABILITY, Durability::WriteBack(_));
        self.ledger.is_full() || is_promised && self.due <= self.shared.executor().now()
    }

    /// Waits until what is staged is to be stored, if it is not stored when a turn ends.
    pub(super) fn due(&self) -> Sleep {
        self.shared.executor().sleep_until(self.due)
    }

    /// Sees to it that a flush comes, unless one does already. Whether one does.
    pub(super) fn flush_later(&mut self, begin: impl FnOnce() -> bool) -> bool {
        self.will_flush = self.will_flush || begin();
        self.will_flush
    }

    /// A flush has come.
    pub(super) fn has_flushed(&mut self) {
        self.will_flush = false;
    }

    /// Stores what is staged. Whoever waits for an answer gets it then, or is told what is certain.
    ///
    /// # Errors
    ///
    /// Memory is not what is stored any more, or nobody knows: the activation has to end.
    pub(super) async fn settle(&mut self) -> Result<(), StoreError> {
        let Some(commit) = self.ledger.take() else { return Ok(()) };
        self.due = Instant::FAR;
        let outbox = commit.outbox.clone();
        let (passivates, reminds) = (std::mem::take(&mut self.passivates), std::mem::take(&mut self.reminds));
        // Those of turns that are staged meanwhile are held anew.
        let held = std::mem::take(&mut self.held);
        let stored = if A::DURABILITY == Durability::WriteThrough {
            self.shared.store().commit_turn(*commit).await
        } else {
            commit_answered(&self.shared, &commit).await
        };
        if let Err(error) = stored {
            for Held { id, port, .. } in held {
                port.tell(Err(doubt(id, &error)));
            }
            return Err(error);
        }
        self.ledger.settle();
        self.release_answers(held);
        self.send_on(outbox);
        if reminds {
            self.shared.look_at_reminders();
        }
        self.has_passivated |= passivates;
        Ok(())
    }

    /// Whether a turn that is stored wants it, once.
    pub(super) fn take_passivates(&mut self) -> bool {
        std::mem::take(&mut self.has_passivated)
    }

    /// Has the actor told when nothing is under way any more. Whether nothing is.
    pub(super) fn await_outbox(&self) -> bool {
        self.courier.as_ref().inspect(|courier| courier.await_all());
        !self.is_sending()
    }

    fn release_answers(&mut self, mut held: Vec<Held<A>>) {
        for Held { port, told, .. } in held.drain(..) {
            port.tell(told);
        }
        // Its memory serves again.
        if self.held.is_empty() {
            self.held = held;
        }
    }

    /// Stores the state beside the journal, and cuts off what it makes needless.
    pub(super) async fn save_snapshot(&mut self, body: Body) -> Result<(), StoreError> {
        let sequence = self.ledger.head().sequence;
        let trim = self.ledger.trim_for(sequence);
        let (actor, epoch) = (&self.ledger.target().id, self.ledger.epoch());
        self.shared.store().save_snapshot(actor, epoch, Snapshot { sequence, body }, trim).await?;
        self.ledger.note_snapshot(sequence, trim);
        Ok(())
    }

    /// Sends messages that are stored.
    pub(super) fn send_on(&mut self, outbox: Vec<Outgoing>) {
        if outbox.is_empty() {
            return;
        }
        let (shared, actor) = (&self.shared, &self.actor);
        let from = || Sender { target: self.ledger.target().clone(), epoch: self.ledger.epoch() };
        let courier = self.courier.get_or_insert_with(|| Courier::begin(shared.clone(), actor, from()));
        courier.send(outbox);
    }

    /// Whether messages have left that are not known to have arrived.
    pub(super) fn is_sending(&self) -> bool {
        self.courier.as_ref().is_some_and(Courier::is_sending)
    }

    /// Whether anything has arrived that is not marked.
    pub(super) fn has_arrived(&self) -> bool {
        self.courier.as_ref().is_some_and(Courier::has_arrived)
    }

    /// Whether there is room for what a turn may send.
    pub(super) fn has_room(&self, room: Room) -> bool {
        let (staged, staged_bytes) = self.ledger.staged_sends();
        let (sent, sent_bytes) = self.courier.as_ref().map_or((0, 0), Courier::waiting);
        room.is_in(staged + sent, staged_bytes + sent_bytes)
    }

    /// Waits until there is room for a caller's turn, for a while: whoever comes while there is none waits for the same end of it.
    /// Whether there is.
    pub(super) async fn wait_for_room(&mut self) -> Result<bool, ActorError> {
        // What is staged may leave now.
        self.settle().await?;
        let Some(courier) = &self.courier else { return Ok(true) };
        let executor = self.shared.executor();
        let until = courier.full_until(executor.now() + OUTBOX_WAIT_MAX);
        let has_room = executor.timeout_at(until, courier.room()).await.is_ok();
        self.mark_delivered().await?;
        Ok(has_room)
    }

    /// Whether there is room for the turn of a letter; if not, it is told when there is.
    pub(super) async fn await_room(&mut self) -> Result<bool, ActorError> {
        if self.has_room(Room::Letters) {
            return Ok(true);
        }
        self.settle().await?;
        Ok(self.courier.as_ref().is_none_or(Courier::await_room))
    }

    /// Forgets what has arrived.
    pub(super) async fn mark_delivered(&mut self) -> Result<(), ActorError> {
        let Some(courier) = &self.courier else { return Ok(()) };
        let arrived: Vec<OutboxPosition> = courier.take_arrived();
        if !arrived.is_empty() {
            let (actor, epoch) = (&self.ledger.target().id, self.ledger.epoch());
            self.shared.store().mark_delivered(actor, epoch, &arrived).await?;
        }
        Ok(())
    }

    /// Gives the actor back.
    pub(super) async fn release(&mut self) -> Result<(), StoreError> {
        let (actor, epoch) = (&self.ledger.target().id, self.ledger.epoch());
        self.shared.store().release(actor, epoch).await
    }
}

/// Stores turns that may have been answered: they are not lost because the store is away or full for a while.
async fn commit_answered(shared: &Shared, commit: &TurnCommit) -> Result<(), StoreError> {
    let executor = shared.executor();
    let until = executor.now() + COMMIT_RETRIED_MAX;
    let mut pause = COMMIT_PAUSE_FIRST;
    loop {
        // It says where the journal ends and in which epoch, so it is stored once, and only while the actor is this process's.
        let error = match shared.store().commit_turn(commit.clone()).await {
            Err(error) if is_away(&error) && executor.now() < until => error,
            stored => return stored,
        };
        if pause == COMMIT_PAUSE_FIRST {
            tracing::warn!(actor = %commit.actor, %error, "turns that may have been answered are not stored yet");
        }
        executor.sleep(pause).await;
        pause = pause.saturating_mul(2).min(COMMIT_PAUSE_MAX);
    }
}

/// Whether nothing was changed, for a reason that may pass by itself and lies in nothing that was to be changed.
fn is_away(error: &StoreError) -> bool {
    matches!(error, StoreError::NotApplied(Refusal::Unavailable(_) | Refusal::NoSpace(_)))
}

/// What a caller is told whose turn was in a commit that failed.
pub(super) fn doubt<E>(id: MessageId, error: &StoreError) -> AskError<E> {
    match error {
        StoreError::Unknown(_) => AskError::Unknown { id, why: Doubt::Store(error.clone()) },
        _ => AskError::NotApplied(NotApplied::Store(error.clone())),
    }
}

/// The activation ends with turns that no store was asked to keep.
impl<A: Durable> Drop for Committer<A> {
    fn drop(&mut self) {
        for Held { port, .. } in self.held.drain(..) {
            not_applied::<A>(port, NotApplied::ActivationEnded);
        }
    }
}
