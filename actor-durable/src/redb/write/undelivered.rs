//! Messages that were sent and given up.

use super::inbox::{known, put_outgoing};
use super::{Operation, Writing};
use crate::id::DurableId;
use crate::redb::error::Trouble;
use crate::redb::keys::Kind;
use crate::store::{Enqueued, GivingUp, Message, OutboxPosition, Outgoing, Undelivered};

/// [`Store::give_up_delivery`](crate::store::Store::give_up_delivery).
pub(in crate::redb) struct GiveUpDelivery(pub(in crate::redb) GivingUp);

impl Operation for GiveUpDelivery {
    type Output = bool;

    fn bytes(&self) -> usize {
        self.0.reason.len() + self.0.notice.as_ref().map_or(0, Message::bytes)
    }

    fn apply(&self, writing: &mut Writing<'_>) -> Result<bool, Trouble> {
        let GiveUpDelivery(giving_up) = self;
        giving_up.check()?;
        let actor = writing.actor(&giving_up.actor);
        let before = actor.owned(giving_up.epoch)?;
        let key = actor.keys.outgoing(giving_up.position);
        let Some(outgoing) = actor.row::<Outgoing>(&key)? else { return Ok(false) };
        GivingUp::check_room(actor.count(Kind::Undelivered)?)?;
        let mut told = None;
        if let Some(notice) = &giving_up.notice
            && known(&actor, notice.id)?.is_none()
        {
            told = before.notify(notice, writing.world.now())?.map(|after| (notice, after));
        }
        let keys = actor.keys;
        writing.drop_row(&key)?;
        writing.put(&keys.undelivered(giving_up.position), &giving_up.undelivered(outgoing))?;
        let Some((notice, after)) = told else {
            writing.put_head(&keys, &before)?;
            return Ok(true);
        };
        writing.put_letter(&keys, &before, notice)?;
        writing.put_head(&keys, &after)?;
        writing.arrived.push(after.target);
        Ok(true)
    }
}

/// [`Store::redeliver`](crate::store::Store::redeliver).
pub(in crate::redb) struct Redeliver {
    pub(in crate::redb) actor: DurableId,
    pub(in crate::redb) position: OutboxPosition,
}

impl Operation for Redeliver {
    type Output = Option<Enqueued>;

    fn bytes(&self) -> usize {
        0
    }

    fn apply(&self, writing: &mut Writing<'_>) -> Result<Option<Enqueued>, Trouble> {
        let actor = writing.actor(&self.actor);
        actor.head()?;
        let key = actor.keys.undelivered(self.position);
        let Some(Undelivered { outgoing, .. }) = actor.row(&key)? else { return Ok(None) };
        let moved = put_outgoing(writing, &self.actor, &outgoing)?;
        writing.drop_row(&key)?;
        Ok(Some(moved))
    }
}

/// [`Store::discard`](crate::store::Store::discard).
pub(in crate::redb) struct Discard {
    pub(in crate::redb) actor: DurableId,
    pub(in crate::redb) position: OutboxPosition,
}

impl Operation for Discard {
    type Output = bool;

    fn bytes(&self) -> usize {
        0
    }

    fn apply(&self, writing: &mut Writing<'_>) -> Result<bool, Trouble> {
        let actor = writing.actor(&self.actor);
        actor.head()?;
        let key = actor.keys.undelivered(self.position);
        if actor.row::<Undelivered>(&key)?.is_none() {
            return Ok(false);
        }
        writing.drop_row(&key)?;
        Ok(true)
    }
}
