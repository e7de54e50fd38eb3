//! What an owner reads to begin with, each in one statement: so all of it is of one moment.

use actor_durable::limits::PAGE_BYTES_MAX;
use actor_durable::store::{Entry, OutboxPosition, Recovery, Refusal, Snapshot, StoreError};
use actor_durable::{DurableId, Epoch, Sequence};
use sqlx::postgres::PgRow;

use crate::error::Trouble;
use crate::pool::Pool;
use crate::row::{clamped, column, count, damaged, decode, message_id, number, page};
use crate::turn::{entry_key, outbox_key};

/// The kind of row, the columns of its key, and itself; first the epoch, if somebody owns the actor. The state's key is the entry that
/// the head names.
const LOAD: &str = "
    SELECT 0 AS kind, epoch AS one, CASE WHEN owner IS NULL THEN 0 ELSE 1 END::bigint AS other, NULL::bytea AS message,
        NULL::text COLLATE \"C\" AS name, NULL::bytea AS row
        FROM actors WHERE id = $1
    UNION ALL SELECT 1, a.snapshot, 0, NULL, NULL, s.row FROM actors a LEFT JOIN snapshots s ON s.actor = a.id
        WHERE a.id = $1 AND a.snapshot IS NOT NULL
    UNION ALL SELECT 2, sequence, place, message, NULL, NULL FROM handled WHERE actor = $1
    UNION ALL SELECT 3, sequence, place, NULL, NULL, row FROM outbox WHERE actor = $1
    UNION ALL SELECT 4, 0, 0, NULL, name, row FROM reminders WHERE actor = $1
    UNION ALL SELECT 5, 0, 0, NULL, name, row FROM children WHERE actor = $1
    ORDER BY kind, one, other, name";

pub(crate) async fn load(pool: &Pool, actor: &DurableId, epoch: Epoch) -> Result<Recovery, Trouble> {
    let rows = pool.read(sqlx::query(LOAD).bind(actor.as_str())).await?;
    let mut rows = rows.iter();
    let first = rows.next().ok_or(Refusal::NoSuchActor)?;
    if column::<i32>(first, 0)? != 0 {
        return Err(Refusal::NoSuchActor.into());
    }
    check_owner(epoch, Epoch(number(first, 1)?), number(first, 2)? == 1)?;
    let mut recovery = Recovery::default();
    for row in rows {
        take(&mut recovery, actor, row)?;
    }
    Ok(recovery)
}

fn take(recovery: &mut Recovery, actor: &DurableId, row: &PgRow) -> Result<(), Refusal> {
    match column::<i32>(row, 0)? {
        1 => recovery.snapshot = Some(state(actor, row)?),
        2 => recovery.handled.push(message_id(row, 3)?),
        3 => {
            let index = u32::try_from(number(row, 2)?).map_err(|error| damaged("the outbox", error))?;
            let position = OutboxPosition { sequence: Sequence(number(row, 1)?), index };
            recovery.outbox.push(decode(actor, &outbox_key(position), column(row, 5)?)?);
        }
        4 => recovery.reminders.push(decode(actor, column::<&str>(row, 4)?.as_bytes(), column(row, 5)?)?),
        _ => recovery.children.push(decode(actor, column::<&str>(row, 4)?.as_bytes(), column(row, 5)?)?),
    }
    Ok(())
}

/// The state, if it is the one that the head names.
fn state(actor: &DurableId, row: &PgRow) -> Result<Snapshot, Refusal> {
    let named = Sequence(number(row, 1)?);
    let stored =
        column::<Option<&[u8]>>(row, 5)?.map(|row| decode::<Snapshot>(actor, b"", row)).transpose()?;
    let stored = stored.filter(|stored| stored.sequence == named);
    stored.ok_or_else(|| damaged("the state", format!("that of {actor} is not of entry {named}")))
}

/// Refuses whoever does not own the actor.
pub(crate) fn check_owner(ours: Epoch, theirs: Epoch, is_owned: bool) -> Result<(), StoreError> {
    if ours == theirs && is_owned { Ok(()) } else { Err(StoreError::Fenced { ours, theirs }) }
}

/// The head's columns in each row, and at least one row if there is such an actor.
const ENTRIES: &str = "
    SELECT a.trimmed, a.sequence, e.sequence, e.row FROM actors a LEFT JOIN LATERAL (
        SELECT sequence, row FROM (
            SELECT sequence, row, sum(octet_length(row)) OVER (ORDER BY sequence) AS bytes
            FROM (SELECT sequence, row FROM entries WHERE actor = $1 AND sequence > $2 ORDER BY sequence LIMIT $3) page
        ) counted WHERE bytes <= $4 OR bytes = octet_length(row)
    ) e ON true WHERE a.id = $1 ORDER BY e.sequence";

pub(crate) async fn entries(
    pool: &Pool,
    actor: &DurableId,
    after: Sequence,
    limit: usize,
) -> Result<Vec<Entry>, Trouble> {
    let select = sqlx::query(ENTRIES).bind(actor.as_str()).bind(clamped(after.0));
    let rows = pool.read(select.bind(page(limit)).bind(count(PAGE_BYTES_MAX))).await?;
    let first = rows.first().ok_or(Refusal::NoSuchActor)?;
    let (trimmed, last) = (Sequence(number(first, 0)?), Sequence(number(first, 1)?));
    if after < trimmed {
        return Err(Refusal::Trimmed { trimmed }.into());
    }
    if limit == 0 || after >= last {
        return Ok(Vec::new());
    }
    let mut expected = after;
    let mut entries = Vec::with_capacity(rows.len());
    for row in &rows {
        expected = expected.next();
        let found = column::<Option<i64>>(row, 2)?;
        if found != Some(clamped(expected.0)) {
            return Err(damaged("the journal", format!("entry {expected} of {actor} is missing")).into());
        }
        entries.push(decode(actor, &entry_key(expected), column(row, 3)?)?);
    }
    Ok(entries)
}
