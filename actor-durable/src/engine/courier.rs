//! Carries what an actor has sent, beside its other work.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actor_core::{ActorCell, Executor, Instant, WeakActorCell};
use futures_util::future::{Either, pending, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::Notify;

use crate::form::cut;
use crate::id::{Epoch, Target};
use crate::limits::REASON_BYTES_MAX;
use crate::outbox::{Outbox, Room};
use crate::question;
use crate::store::{Destination, GivingUp, OutboxPosition, Outgoing, StoreError};
use crate::supervise::Order;
use crate::system::{NotDelivered, Shared};

/// For whom it is carried.
pub(crate) struct Sender {
    pub(crate) target: Target,
    pub(crate) epoch: Epoch,
}

/// What an activation has of its courier.
pub(super) struct Courier {
    desk: Arc<Desk>,
}

/// What the two share.
#[derive(Default)]
struct Desk {
    papers: Mutex<Papers>,
    /// There is more to carry.
    more: Notify,
    /// There is room.
    room: Notify,
}

#[derive(Default)]
struct Papers {
    outbox: Outbox,
    arrived: Vec<OutboxPosition>,
    /// Whether the actor waits for the last of them.
    is_awaited: bool,
    /// Whether its letters wait for room.
    is_room_awaited: bool,
    /// Until when callers wait for room, since there was none.
    full_until: Option<Instant>,
}

impl Papers {
    fn has_room(&self, room: Room) -> bool {
        room.is_in(self.outbox.len(), self.outbox.bytes())
    }
}

impl Desk {
    fn papers(&self) -> MutexGuard<'_, Papers> {
        // Nothing panics under it that leaves it half done.
        self.papers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Courier {
    /// Begins to carry for an actor. It ends with the actor's life.
    pub(super) fn begin(shared: Arc<Shared>, actor: &ActorCell, from: Sender) -> Self {
        let desk = Arc::<Desk>::default();
        actor.attach(carry(shared, from, actor.downgrade(), desk.clone()));
        Self { desk }
    }

    pub(super) fn send(&self, outbox: Vec<Outgoing>) {
        let mut papers = self.desk.papers();
        outbox.into_iter().for_each(|outgoing| papers.outbox.add(outgoing));
        drop(papers);
        self.desk.more.notify_one();
    }

    /// Whether anything is not known to have arrived, or that is not stored.
    pub(super) fn is_sending(&self) -> bool {
        let papers = self.desk.papers();
        papers.outbox.len() > 0 || !papers.arrived.is_empty()
    }

    /// Tells the actor when nothing is under way any more.
    pub(super) fn await_all(&self) {
        self.desk.papers().is_awaited = true;
    }

    /// How many are not known to have arrived, and how large they are.
    pub(super) fn waiting(&self) -> (usize, usize) {
        let papers = self.desk.papers();
        (papers.outbox.len(), papers.outbox.bytes())
    }

    /// Until when callers wait for room: until this, unless others wait already.
    pub(super) fn full_until(&self, until: Instant) -> Instant {
        *self.desk.papers().full_until.get_or_insert(until)
    }

    /// Waits until there is room for calls.
    pub(super) async fn room(&self) {
        loop {
            let room = self.desk.room.notified();
            if self.desk.papers().has_room(Room::Calls) {
                return;
            }
            room.await;
        }
    }

    /// Has the actor told when there is room for letters. Whether there is.
    pub(super) fn await_room(&self) -> bool {
        let mut papers = self.desk.papers();
        papers.is_room_awaited = !papers.has_room(Room::Letters);
        !papers.is_room_awaited
    }

    /// Whether anything has, that was not taken.
    pub(super) fn has_arrived(&self) -> bool {
        !self.desk.papers().arrived.is_empty()
    }

    /// What has arrived since the last time.
    pub(super) fn take_arrived(&self) -> Vec<OutboxPosition> {
        std::mem::take(&mut self.desk.papers().arrived)
    }
}

async fn carry(shared: Arc<Shared>, from: Sender, actor: WeakActorCell, desk: Arc<Desk>) {
    let executor: Executor = shared.executor().clone();
    let mut under_way = FuturesUnordered::new();
    loop {
        let more = pin!(desk.more.notified());
        while let Some(outgoing) = desk.next(executor.now()) {
            under_way.push(deliver(&shared, &from, &desk, outgoing));
        }
        let due = desk.papers().outbox.next_timeout();
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
            if matches!(delivery.fate, Fate::Fenced) {
                return end(&actor);
            }
            let News { is_to_be_marked, has_room } = desk.note(delivery, executor.now());
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
struct News {
    /// Something has arrived that is to be marked, and nobody was told so yet, or it was the last that the actor waits for.
    is_to_be_marked: bool,
    /// There is the room that its letters wait for.
    has_room: bool,
}

/// What became of a message that left.
struct Delivery {
    to: Destination,
    fate: Fate,
}

enum Fate {
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

impl Desk {
    /// A receiver has no room. Whether what goes there is to wait no longer.
    fn is_full_for_long(&self, to: &Destination, now: Instant) -> bool {
        self.papers().outbox.is_full_for_long(to, now)
    }

    /// A message that may leave now.
    fn next(&self, now: Instant) -> Option<Outgoing> {
        self.papers().outbox.poll_send(now)
    }

    fn note(&self, Delivery { to, fate }: Delivery, now: Instant) -> News {
        let mut papers = self.papers();
        let is_first = papers.arrived.is_empty();
        let position = match fate {
            Fate::Arrived => papers.outbox.handle_arrived(&to),
            Fate::GivenUp => papers.outbox.handle_given_up(&to),
            Fate::Failed | Fate::Fenced => {
                papers.outbox.handle_failed(&to, now);
                return News::default();
            }
            Fate::Full => {
                papers.outbox.handle_full(&to, now);
                return News::default();
            }
        };
        // One that went to an actor, or was given up, has left the outbox with that.
        let is_marked = matches!((&fate, &to), (Fate::Arrived, Destination::Outlet(_)));
        papers.arrived.extend(position.filter(|_| is_marked));
        let is_last = papers.is_awaited && papers.outbox.len() == 0;
        let has_room = papers.is_room_awaited && papers.has_room(Room::Letters);
        papers.is_room_awaited &= !has_room;
        if papers.has_room(Room::Calls) {
            papers.full_until = None;
        }
        drop(papers);
        self.room.notify_one();
        News { is_to_be_marked: is_first && is_marked || is_last, has_room }
    }
}

async fn deliver(shared: &Shared, from: &Sender, desk: &Desk, outgoing: Outgoing) -> Delivery {
    let delivered = match &outgoing.to {
        Destination::Actor(to) => shared.transfer(from, to, outgoing.position).await,
        Destination::Outlet(name) => shared.bring_out(name, &from.target.id, &outgoing).await,
    };
    let (actor, to, message) = (&from.target.id, &outgoing.to, outgoing.id);
    let fate = match delivered {
        Ok(()) => Fate::Arrived,
        Err(NotDelivered::Fenced) => Fate::Fenced,
        Err(NotDelivered::Yet(why)) => {
            tracing::warn!(%actor, ?to, %message, why, "a message did not arrive; it is sent again");
            Fate::Failed
        }
        Err(NotDelivered::Full(why)) if !desk.is_full_for_long(to, shared.executor().now()) => {
            tracing::debug!(%actor, ?to, %message, why, "a message did not arrive; it is sent again");
            Fate::Full
        }
        Err(NotDelivered::Full(why) | NotDelivered::Ever(why)) => {
            tracing::warn!(%actor, ?to, %message, why, "a message is given up");
            match give_up(shared, from, &outgoing, why).await {
                Ok(()) => Fate::GivenUp,
                Err(StoreError::Fenced { .. }) => Fate::Fenced,
                Err(error) => {
                    tracing::warn!(%actor, ?to, %message, %error, "a message was not given up");
                    Fate::Failed
                }
            }
        }
    };
    Delivery { to: outgoing.to, fate }
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
