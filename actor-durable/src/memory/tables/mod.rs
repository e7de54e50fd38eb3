//! Everything that a store keeps, as tables. Each operation of the contract is a method that checks everything and then changes.
//! Pure: the time is an argument.
//!
//! ```text
//!  leases: owner ─► end            due: places, by time
//!  actors: id ─► head · entries · snapshot · inbox · handled · outbox · reminders · children · dead · undelivered
//! ```

mod dead;
mod inbox;
mod lists;
mod ownership;
mod reminders;
mod turns;
mod undelivered;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;

use self::inbox::Inbox;
pub(crate) use self::reminders::Fired;
use crate::id::{DurableId, Epoch, MessageId, Name, OwnerId, WallTime};
use crate::limits::PAGE_ROWS_MAX;
use crate::remembered::Remembered;
use crate::store::{
    Child, DeadLetter, DuePlace, Entry, Head, OutboxPosition, Outgoing, Page, Refusal, Reminder, Snapshot,
    StoreError, Undelivered,
};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    /// When each owner's lease is over. Leases that are over may still be there.
    leases: BTreeMap<OwnerId, WallTime>,
    actors: BTreeMap<DurableId, Actor>,
    /// The reminders of all actors, the earliest first.
    due: BTreeSet<DuePlace>,
    /// The greatest epoch of all actors that were deleted.
    floor: Epoch,
}

#[derive(Debug)]
struct Actor {
    head: Head,
    /// From the one after `head.trimmed` to `head.sequence`.
    entries: VecDeque<Entry>,
    snapshot: Option<Snapshot>,
    inbox: Inbox,
    /// With the replies.
    handled: Remembered<Option<Bytes>>,
    outbox: BTreeMap<OutboxPosition, Outgoing>,
    reminders: BTreeMap<Name, Reminder>,
    children: BTreeMap<Name, Child>,
    dead: BTreeMap<MessageId, DeadLetter>,
    undelivered: BTreeMap<OutboxPosition, Undelivered>,
}

impl Tables {
    fn actor(&self, id: &DurableId) -> Result<&Actor, StoreError> {
        self.actors.get(id).ok_or(StoreError::NotApplied(Refusal::NoSuchActor))
    }

    fn actor_mut(&mut self, id: &DurableId) -> Result<&mut Actor, StoreError> {
        self.actors.get_mut(id).ok_or(StoreError::NotApplied(Refusal::NoSuchActor))
    }

    fn owned(&self, id: &DurableId, epoch: Epoch) -> Result<&Actor, StoreError> {
        let actor = self.actor(id)?;
        actor.head.check_owner(epoch)?;
        Ok(actor)
    }

    fn owned_mut(&mut self, id: &DurableId, epoch: Epoch) -> Result<&mut Actor, StoreError> {
        let actor = self.actor_mut(id)?;
        actor.head.check_owner(epoch)?;
        Ok(actor)
    }
}

impl Actor {
    fn new(head: Head) -> Self {
        Self {
            head,
            entries: VecDeque::new(),
            snapshot: None,
            inbox: Inbox::default(),
            handled: Remembered::default(),
            outbox: BTreeMap::new(),
            reminders: BTreeMap::new(),
            children: BTreeMap::new(),
            dead: BTreeMap::new(),
            undelivered: BTreeMap::new(),
        }
    }
}

/// How many actors a page has.
fn page(limit: usize) -> usize {
    limit.min(PAGE_ROWS_MAX)
}

/// A page of rows of any size.
fn page_of<'r, R: Clone + 'r>(
    rows: impl Iterator<Item = &'r R>,
    limit: usize,
    bytes: impl Fn(&R) -> usize,
) -> Vec<R> {
    let mut room = Page::new(limit);
    rows.take_while(|row| room.takes(bytes(row))).cloned().collect()
}

#[cfg(test)]
mod tests;
