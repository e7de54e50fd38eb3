//! Carries what an actor has sent, beside its other work.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actor_core::{ActorCell, Executor, Instant};
use futures_util::future::{Either, pending, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::Notify;

use crate::id::{Epoch, Target};
use crate::limits::OUTBOX_MAX;
use crate::outbox::Outbox;
use crate::store::{Destination, OutboxPosition, Outgoing};
use crate::system::Shared;

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
        actor.attach(carry(shared, from, desk.clone()));
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

    pub(super) fn has_room(&self) -> bool {
        self.desk.papers().outbox.len() < OUTBOX_MAX
    }

    /// Waits until there is room.
    pub(super) async fn room(&self) {
        loop {
            let room = self.desk.room.notified();
            if self.has_room() {
                return;
            }
            room.await;
        }
    }

    /// What has arrived since the last time.
    pub(super) fn take_arrived(&self) -> Vec<OutboxPosition> {
        std::mem::take(&mut self.desk.papers().arrived)
    }
}

async fn carry(shared: Arc<Shared>, from: Sender, desk: Arc<Desk>) {
    let executor: Executor = shared.executor().clone();
    let mut under_way = FuturesUnordered::new();
    loop {
        let more = pin!(desk.more.notified());
        while let Some(outgoing) = desk.next(executor.now()) {
            under_way.push(deliver(&shared, &from, outgoing));
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
        if let Either::Left((delivery, _)) = select(arrival, select(more, timer)).await
            && desk.note(delivery, executor.now())
        {
            shared.tell_delivered(&from.target);
        }
    }
}

/// What became of a message that left.
struct Delivery {
    to: Destination,
    has_arrived: bool,
}

impl Desk {
    /// A message that may leave now.
    fn next(&self, now: Instant) -> Option<Outgoing> {
        self.papers().outbox.poll_send(now)
    }

    /// Whether something has arrived that is to be marked, and nobody was told so yet.
    fn note(&self, Delivery { to, has_arrived }: Delivery, now: Instant) -> bool {
        let mut papers = self.papers();
        if !has_arrived {
            papers.outbox.handle_failed(&to, now);
            return false;
        }
        let is_first = papers.arrived.is_empty();
        let position = papers.outbox.handle_arrived(&to);
        // One that went to an actor has left the outbox with that.
        let is_marked = matches!(to, Destination::Outlet(_));
        papers.arrived.extend(position.filter(|_| is_marked));
        drop(papers);
        self.room.notify_one();
        is_first && is_marked
    }
}

async fn deliver(shared: &Shared, from: &Sender, outgoing: Outgoing) -> Delivery {
    let delivered = match &outgoing.to {
        Destination::Actor(to) => shared.transfer(from, to, outgoing.position).await,
        Destination::Outlet(name) => shared.bring_out(name, &from.target.id, &outgoing).await,
    };
    if let Err(why) = &delivered {
        let (actor, to, message) = (&from.target.id, &outgoing.to, outgoing.id);
        tracing::warn!(%actor, ?to, %message, why, "a message did not arrive; it is sent again");
    }
    Delivery { to: outgoing.to, has_arrived: delivered.is_ok() }
}
