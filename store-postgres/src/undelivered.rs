//! Messages that were sent and given up.

use actor_durable::DurableId;
use actor_durable::limits::PAGE_BYTES_MAX;
use actor_durable::store::{Enqueued, GivingUp, Message, OutboxPosition, Outgoing, Refusal, Undelivered};
use sqlx::postgres::PgRow;

use crate::error::Trouble;
use crate::inbox::{Way, explain, is_known_in, put_in};
use crate::ownership::{self, lock};
use crate::pool::{Pool, Session, until_settled};
use crate::row::{clamped, column, count, decode, encode, number, page};
use crate::turn::outbox_key;

/// Has a message leave the outbox for good, and its sender told.
pub(crate) async fn give_up(pool: &Pool, giving_up: &GivingUp) -> Result<bool, Trouble> {
    giving_up.check()?;
    until_settled(|| async {
        let mut session = pool.begin().await?;
        let outcome = give_up_in(&mut session, giving_up).await;
        match (session.end(outcome).await, &giving_up.notice) {
            (Err(Trouble::Raised(_)), Some(notice)) => Err(explain(pool, notice, Way::Notice).await?),
            (outcome, _) => outcome,
        }
    })
    .await
}

async fn give_up_in(session: &mut Session, giving_up: &GivingUp) -> Result<bool, Trouble> {
    let GivingUp { actor, epoch, position, notice, .. } = giving_up;
    let head = lock(session, actor).await?.ok_or(Trouble::from(Refusal::NoSuchActor))?;
    head.check_owner(*epoch)?;
    let take = "DELETE FROM outbox WHERE actor = $1 AND sequence = $2 AND place = $3 RETURNING row";
    let Some(row) = at(session, take, actor, *position).await? else { return Ok(false) };
    let outgoing: Outgoing = decode(actor, &outbox_key(*position), column(&row, 0)?)?;
    let there = sqlx::query("SELECT count(*) FROM undelivered WHERE actor = $1").bind(actor.as_str());
    let there = session.run(there).await?;
    let there = there.first().map(|row| number(row, 0)).transpose()?.unwrap_or(0);
    GivingUp::check_room(usize::try_from(there).unwrap_or(usize::MAX))?;
    let count = "UPDATE actors SET outgoing = outgoing - 1 WHERE id = $1";
    session.run(sqlx::query(count).bind(actor.as_str())).await?;
    let keep = "INSERT INTO undelivered (actor, sequence, place, row) VALUES ($1, $2, $3, $4)";
    let keep = sqlx::query(keep).bind(actor.as_str()).bind(clamped(position.sequence.0));
    let row = encode(actor, &outbox_key(*position), &giving_up.undelivered(outgoing));
    session.run(keep.bind(i64::from(position.index)).bind(row)).await?;
    if let Some(notice) = notice.as_ref().filter(|_| !head.has_ended)
        && !is_known_in(session, notice).await?
    {
        put_in(session, notice, Way::Notice).await?;
    }
    Ok(true)
}

async fn at(
    session: &mut Session,
    statement: &'static str,
    actor: &DurableId,
    position: OutboxPosition,
) -> Result<Option<PgRow>, Trouble> {
    let statement = sqlx::query(statement).bind(actor.as_str()).bind(clamped(position.sequence.0));
    Ok(session.run(statement.bind(i64::from(position.index))).await?.pop())
}

/// At least one row if there is such an actor.
const LIST: &str = "
    SELECT u.sequence, u.place, u.row FROM actors a LEFT JOIN LATERAL (
        SELECT sequence, place, row FROM (
            SELECT sequence, place, row, sum(octet_length(row)) OVER (ORDER BY sequence, place) AS bytes FROM (
                SELECT sequence, place, row FROM undelivered WHERE actor = $1 AND (sequence, place) > ($2, $3)
                ORDER BY sequence, place LIMIT $4
            ) page
        ) counted WHERE bytes <= $5 OR bytes = octet_length(row)
    ) u ON true WHERE a.id = $1 ORDER BY u.sequence, u.place";

pub(crate) async fn list(
    pool: &Pool,
    actor: &DurableId,
    after: Option<OutboxPosition>,
    limit: usize,
) -> Result<Vec<Undelivered>, Trouble> {
    // No place comes before all others.
    let (sequence, place) = after.map_or((-1, -1_i64), |at| (clamped(at.sequence.0), at.index.into()));
    let list = sqlx::query(LIST).bind(actor.as_str()).bind(sequence).bind(place).bind(page(limit));
    let rows = pool.read(list.bind(count(PAGE_BYTES_MAX))).await?;
    let first = rows.first().ok_or(Refusal::NoSuchActor)?;
    if column::<Option<i64>>(first, 0)?.is_none() {
        return Ok(Vec::new());
    }
    Ok(rows.iter().map(|row| undelivered(actor, row)).collect::<Result<_, Refusal>>()?)
}

fn undelivered(actor: &DurableId, row: &PgRow) -> Result<Undelivered, Refusal> {
    let (sequence, place): (i64, i64) = (column(row, 0)?, column(row, 1)?);
    let key = [&sequence.to_be_bytes()[..], &u32::try_from(place).unwrap_or(u32::MAX).to_be_bytes()].concat();
    decode(actor, &key, column(row, 2)?)
}

/// Moves one into the inbox it goes to.
pub(crate) async fn redeliver(
    pool: &Pool,
    actor: &DurableId,
    position: OutboxPosition,
) -> Result<Option<Enqueued>, Trouble> {
    until_settled(|| redeliver_once(pool, actor, position)).await
}

async fn redeliver_once(
    pool: &Pool,
    actor: &DurableId,
    position: OutboxPosition,
) -> Result<Option<Enqueued>, Trouble> {
    let find = "SELECT row FROM undelivered WHERE actor = $1 AND sequence = $2 AND place = $3";
    let row = at(&mut pool.session().await?, find, actor, position).await?;
    let Some(row) = row else {
        return match ownership::find(pool, actor).await? {
            Some(_) => Ok(None),
            None => Err(Refusal::NoSuchActor.into()),
        };
    };
    let row = column(&row, 0)?;
    let Undelivered { outgoing, .. } = decode(actor, &outbox_key(position), row)?;
    let message = outgoing.message(actor.clone())?;
    let _shares = pool.at_both(actor, &message.to.id).await?;
    let mut session = pool.begin().await?;
    let outcome = redeliver_in(&mut session, actor, position, row, &message).await;
    match session.end(outcome).await {
        Err(Trouble::Raised(_)) => Err(explain(pool, &message, Way::Moved).await?),
        outcome => outcome,
    }
}

/// Moves what was found in this row. If the actor was deleted and began anew there may be something else in its place.
async fn redeliver_in(
    session: &mut Session,
    actor: &DurableId,
    position: OutboxPosition,
    found: &[u8],
    message: &Message,
) -> Result<Option<Enqueued>, Trouble> {
    // In the order in which all lock two actors.
    let both = "SELECT FROM actors WHERE id IN ($1, $2) ORDER BY id FOR UPDATE";
    session.run(sqlx::query(both).bind(actor.as_str()).bind(message.to.id.as_str())).await?;
    let Some(dropped) = drop_in(session, actor, position).await? else { return Ok(None) };
    if column::<&[u8]>(&dropped, 0)? != found {
        return Err(Trouble::overtaken());
    }
    put_in(session, message, Way::Moved).await.map(Some)
}

/// Drops one for good.
pub(crate) async fn discard(
    pool: &Pool,
    actor: &DurableId,
    position: OutboxPosition,
) -> Result<bool, Trouble> {
    until_settled(|| async {
        let mut session = pool.begin().await?;
        let outcome = discard_in(&mut session, actor, position).await;
        session.end(outcome).await
    })
    .await
}

async fn discard_in(
    session: &mut Session,
    actor: &DurableId,
    position: OutboxPosition,
) -> Result<bool, Trouble> {
    lock(session, actor).await?.ok_or(Trouble::from(Refusal::NoSuchActor))?;
    Ok(drop_in(session, actor, position).await?.is_some())
}

async fn drop_in(
    session: &mut Session,
    actor: &DurableId,
    position: OutboxPosition,
) -> Result<Option<PgRow>, Trouble> {
    let take = "DELETE FROM undelivered WHERE actor = $1 AND sequence = $2 AND place = $3 RETURNING row";
    at(session, take, actor, position).await
}
