//! Carries what an actor has sent, beside its other work.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actor_core::{ActorCell, Executor, Instant, WeakActorCell};
use futures_util::future::{Either, pending, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::Notify;

use crate::codec::cut;
use crate::limits::REASON_BYTES_MAX;
use crate::outbox::{Outbox, Room};
use crate::process::{NotDelivered, Sender, Shared};
use crate::question;
use crate::store::{Destination, GivingUp, OutboxPosition, Outgoing, StoreError};
use crate::supervise::Order;

/// What an activation has of its courier.
pub(super) struct Courier {
    queue: Arc<CourierQueue>,
}

/// What the two share.
#[derive(Default)]
struct CourierQueue {
    state: Mutex<QueueState>,
    /// There is more to carry.
    more: Notify,
    /// There is room.
    room: Notify,
}

#[derive(Default)]
struct QueueState {
    outbox: Outbox,
    arrived: Vec<OutboxPosition>,
    /// Whether the actor waits for the last of them.
    is_awaited: bool,
    /// Whether its letters wait for room.
    is_room_awaited: bool,
    /// Until when callers wait for room, since there was none.
    full_until: Option<Instant>,
}

impl QueueState {
    fn has_room(&self, room: Room) -> bool {
        room.is_in(self.outbox.len(), self.outbox.bytes())
    }
}

impl CourierQueue {
    fn state(&self) -> MutexGuard<'_, QueueState> {
        // Nothing panics under it that leaves it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Courier {
    /// Begins to carry for an actor. It ends with the actor's life.
    pub(super) fn begin(shared: Arc<Shared>, actor: &ActorCell, from: Sender) -> Self {
        let queue = Arc::<CourierQueue>::default();
        actor.attach(carry(shared, from, actor.downgrade(), queue.clone()));
        Self { queue }
    }

    pub(super) fn send(&self, outbox: Vec<Outgoing>) {
        let mut state = self.queue.state();
        outbox.into_iter().for_each(|outgoing| state.outbox.add(outgoing));
        drop(state);
        self.queue.more.notify_one();
    }

    /// Whether anything is not known to have arrived, or that is not stored.
    pub(super) fn is_sending(&self) -> bool {
        let state = self.queue.state();
        state.outbox.len() > 0 || !state.arrived.is_empty()
    }

    /// Tells the actor when nothing is under way any more.
    pub(super) fn await_all(&self) {
        self.queue.state().is_awaited = true;
    }

    /// How many are not known to have arrived, and how large they are.
    pub(super) fn waiting(&self) -> (usize, usize) {
        let state = self.queue.state();
        (state.outbox.len(), state.outbox.bytes())
    }

    /// Until when callers wait for room: until this, unless others wait already.
    pub(super) fn full_until(&self, until: Instant) -> Instant {
        *self.queue.state().full_until.get_or_insert(until)
    }

    /// Waits until there is room for calls.
    pub(super) async fn room(&self) {
        loop {
            let room = self.queue.room.notified();
            if self.queue.state().has_room(Room::Calls) {
                return;
            }
            room.await;
        }
    }

    /// Has the actor told when there is room for letters. Whether there is.
    pub(super) fn await_room(&self) -> bool {
        let mut state = self.queue.state();
        state.is_room_awaited = !state.has_room(Room::Letters);
        !state.is_room_awaited
    }

    /// Whether anything has, that was not taken.
    pub(super) fn has_arrived(&self) -> bool {
        !self.queue.state().arrived.is_empty()
    }

    /// What has arrived since the last time.
    pub(super) fn take_arrived(&self) -> Vec<OutboxPosition> {
        std::mem::take(&mut self.queue.state().arrived)
    }
}

async fn carry(shared: Arc<Shared>, from: Sender, actor: WeakActorCell, queue: Arc<CourierQueue>) {
    let executor: Executor = shared.executor().clone();
    let mut under_way = FuturesUnordered::new();
    loop {
        let more = pin!(queue.more.notified());
        while let Some(outgoing) = queue.next(executor.now()) {
            under_way.push(deliver(&shared, &from, &queue, outgoing));
        }
        let due = queue.state().outbox.next_timeout();
        let timer = pin!(async {
            match due {
                Some(due) => executor.sleep_until(due).await,
                None => pending().await,
            }
        });
        let arrival = pin!(async {
            match under_way.next().await {
                Some(done) => done,
                None => pending().await,
            }
        });
        if let Either::Left((delivery, _)) = select(arrival, select(more, timer)).await {
            if matches!(delivery.outcome, DeliveryOutcome::Fenced) {
                return end(&actor);
            }
            let Progress { is_to_be_marked, has_room } = queue.note(delivery, executor.now());
            if is_to_be_marked {
                shared.tell_delivered(&from.target);
            }
            if has_room {
                shared.tell_mail(&from.target);
            }
        }
    }
}

/// Another process has the actor, or nobody does: nothing that its activation here does is stored any more.
fn end(actor: &WeakActorCell) {
    if let Some(actor) = actor.upgrade() {
        actor.stop(Some("another process has the actor"));
    }
}

/// What the actor is told.
#[derive(Default)]
struct Progress {
    /// Something has arrived that is to be marked, and nobody was told so yet, or it was the last that the actor waits for.
    is_to_be_marked: bool,
    /// There is the room that its letters wait for.
    has_room: bool,
}

/// What became of a message that left.
struct Delivery {
    to: Destination,
    outcome: DeliveryOutcome,
}

enum DeliveryOutcome {
    Arrived,
    /// It has left the outbox, and will never arrive.
    GivenUp,
    /// It is tried again.
    Failed,
    /// It is another's to send.
    Fenced,
    /// It is tried again when there may be room.
    Full,
}

impl CourierQueue {
    /// A receiver has no room. Whether what goes there is to wait no longer.
    fn is_full_for_long(&self, to: &Destination, now: Instant) -> bool {
        self.state().outbox.is_full_for_long(to, now)
    }

    /// A message that may leave now.
    fn next(&self, now: Instant) -> Option<Outgoing> {
        self.state().outbox.poll_send(now)
    }

    fn note(&self, Delivery { to, outcome }: Delivery, now: Instant) -> Progress {
        let mut state = self.state();
        let is_first = state.arrived.is_empty();
        let position = match outcome {
            DeliveryOutcome::Arrived => state.outbox.handle_arrived(&to),
            DeliveryOutcome::GivenUp => state.outbox.handle_given_up(&to),
            DeliveryOutcome::Failed | DeliveryOutcome::Fenced => {
                state.outbox.handle_failed(&to, now);
                return Progress::default();
            }
            DeliveryOutcome::Full => {
                state.outbox.handle_full(&to, now);
                return Progress::default();
            }
        };
        // One that went to an actor, or was given up, has left the outbox with that.
        let is_marked = matches!((&outcome, &to), (DeliveryOutcome::Arrived, Destination::Outlet(_)));
        state.arrived.extend(position.filter(|_| is_marked));
        let is_last = state.is_awaited && state.outbox.len() == 0;
        let has_room = state.is_room_awaited && state.has_room(Room::Letters);
        state.is_room_awaited &= !has_room;
        if state.has_room(Room::Calls) {
            state.full_until = None;
        }
        drop(state);
        self.room.notify_one();
        Progress { is_to_be_marked: is_first && is_marked || is_last, has_room }
    }
}

async fn deliver(shared: &Shared, from: &Sender, queue: &CourierQueue, outgoing: Outgoing) -> Delivery {
    let delivered = match &outgoing.to {
        Destination::Actor(to) => shared.transfer(from, to, outgoing.position).await,
        Destination::Outlet(name) => shared.bring_out(name, &from.target.id, &outgoing).await,
    };
    let (actor, to, message) = (&from.target.id, &outgoing.to, outgoing.id);
    let outcome = match delivered {
        Ok(()) => DeliveryOutcome::Arrived,
        Err(NotDelivered::Fenced) => DeliveryOutcome::Fenced,
        Err(NotDelivered::Yet(why)) => {
            tracing::warn!(%actor, ?to, %message, why, "a message did not arrive; it is sent again");
            DeliveryOutcome::Failed
        }
        Err(NotDelivered::Full(why)) if !queue.is_full_for_long(to, shared.executor().now()) => {
            tracing::debug!(%actor, ?to, %message, why, "a message did not arrive; it is sent again");
            DeliveryOutcome::Full
        }
        Err(NotDelivered::Full(why) | NotDelivered::Ever(why)) => {
            tracing::warn!(%actor, ?to, %message, why, "a message is given up");
            match give_up(shared, from, &outgoing, why).await {
                Ok(()) => DeliveryOutcome::GivenUp,
                Err(StoreError::Fenced { .. }) => DeliveryOutcome::Fenced,
                Err(error) => {
                    tracing::warn!(%actor, ?to, %message, %error, "a message was not given up");
                    DeliveryOutcome::Failed
                }
            }
        }
    };
    Delivery { to: outgoing.to, outcome }
}

/// It leaves the outbox, and whoever waits for what it leads to is told.
async fn give_up(shared: &Shared, from: &Sender, outgoing: &Outgoing, why: String) -> Result<(), StoreError> {
    let Sender { target, epoch } = from;
    let (at, reason) = (shared.wall_time(), cut(why, REASON_BYTES_MAX));
    let notice = question::undelivered(target, outgoing, &reason, at)
        .or_else(|| Order::undelivered(target, outgoing, &reason, at));
    let (actor, epoch, position) = (target.id.clone(), *epoch, outgoing.position);
    shared.give_up(GivingUp { actor, epoch, position, at, reason, notice }, target).await
}
