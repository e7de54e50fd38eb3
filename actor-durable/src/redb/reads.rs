//! The operations that only read.

use bytes::Bytes;

use super::error::Trouble;
use super::keys;
use super::view::{Tables, next, reminder_at};
use super::world::World;
use crate::id::{DurableId, Epoch, MessageId, Position, Target, WallTime};
use crate::limits::PAGE_ROWS_MAX;
use crate::store::{DeadLetter, Due, DuePlace, Letter, OutboxPosition, Page, Recovery, Undelivered};

pub(super) fn load(tables: &Tables, actor: &DurableId, epoch: Epoch) -> Result<Recovery, Trouble> {
    let actor = tables.actor(actor);
    let head = actor.owned(epoch)?;
    actor.recovery(&head)
}

pub(super) fn inbox(
    tables: &Tables,
    actor: &DurableId,
    epoch: Epoch,
    after: Position,
    limit: usize,
) -> Result<Vec<Letter>, Trouble> {
    let actor = tables.actor(actor);
    actor.owned(epoch)?;
    actor.inbox(after, limit)
}

pub(super) fn reply(
    tables: &Tables,
    actor: &DurableId,
    message: MessageId,
) -> Result<Option<Option<Bytes>>, Trouble> {
    Ok(tables.actor(actor).handled(message)?.map(|(_, handled)| handled.reply))
}

pub(super) fn dead_letters(
    tables: &Tables,
    actor: &DurableId,
    after: Option<MessageId>,
    limit: usize,
) -> Result<Vec<DeadLetter>, Trouble> {
    let actor = tables.actor(actor);
    actor.head()?;
    actor.dead_letters(after, limit)
}

pub(super) fn undelivered(
    tables: &Tables,
    actor: &DurableId,
    after: Option<OutboxPosition>,
    limit: usize,
) -> Result<Vec<Undelivered>, Trouble> {
    let actor = tables.actor(actor);
    actor.head()?;
    actor.undelivered(after, limit)
}

pub(super) fn due(
    tables: &Tables,
    now: WallTime,
    after: Option<&DuePlace>,
    limit: usize,
) -> Result<Due, Trouble> {
    let key = |after: &DuePlace| tables.actor(&after.actor).keys.due(after.due, &after.name);
    let start = after.map_or(Vec::new(), |after| next(&key(after)));
    let (mut room, mut due) = (Page::new(limit), Due::default());
    for pair in tables.due.range(start.as_slice()..)? {
        let (key, _) = pair?;
        let (at, actor, reminder) = reminder_at(&tables.rows, key.value())?;
        if at > now || !room.takes(reminder.bytes()) {
            due.next = Some(at);
            break;
        }
        due.reminders.push((tables.actor(&actor).head()?.target, reminder));
    }
    Ok(due)
}

pub(super) fn waiting(
    tables: &Tables,
    world: &World,
    after: Option<&DurableId>,
    limit: usize,
) -> Result<Vec<Target>, Trouble> {
    let start = after.map_or(Vec::new(), |after| next(after.as_str().as_bytes()));
    let mut waiting = Vec::new();
    for pair in tables.busy.range(start.as_slice()..)? {
        if waiting.len() >= limit.min(PAGE_ROWS_MAX) {
            break;
        }
        let (key, _) = pair?;
        let actor = tables.actor(&keys::actor_id(key.value())?);
        let head: crate::store::Head = actor.sure(&actor.keys.head())?;
        if !head.owner.is_some_and(|owner| world.is_alive(owner)) {
            waiting.push(head.target);
        }
    }
    Ok(waiting)
}
