//! Messages that wait for an actor, those it has handled, and those that were given up.

use actor_durable::limits::{CLOCK_SKEW_MAX, INBOX_MESSAGES_MAX, INBOX_RESERVED, PAGE_BYTES_MAX};
use actor_durable::store::{DeadLetter, Enqueued, Handled, Head, Letter, Message, Refusal};
use actor_durable::{DurableId, Epoch, MessageId, Position, WallTime};
use bytes::Bytes;
use sqlx::postgres::PgRow;

use crate::error::{Stage, Trouble};
use crate::ownership::{find, lock, not_owned, now};
use crate::pool::{Pool, Session, Statement, until_settled};
use crate::recovery::check_owner;
use crate::row::{clamped, column, count, decode, encode, millis, number, page};

/// How a message comes into an inbox. Only what is sent from outside can be too old to be known; the others have their own way of
/// being once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    Sent,
    Reminder,
    /// From another actor's outbox, or from among what that could not deliver.
    Moved,
    /// What an actor is told of a message of its own.
    Notice,
}

impl Way {
    /// As [`Head::enqueue`], [`Head::accept`], [`Head::receive`] and [`Head::notify`] have it.
    pub(crate) fn waiting_max(self, message: &Message) -> i64 {
        count(match self {
            Self::Sent | Self::Reminder => INBOX_MESSAGES_MAX,
            Self::Moved if message.is_order() => INBOX_MESSAGES_MAX + 3 * INBOX_RESERVED,
            Self::Moved => INBOX_MESSAGES_MAX + INBOX_RESERVED,
            Self::Notice => INBOX_MESSAGES_MAX + 2 * INBOX_RESERVED,
        })
    }
}

/// Puts a message into an inbox, once for its id.
pub(crate) async fn enqueue(pool: &Pool, message: &Message) -> Result<Enqueued, Trouble> {
    // What has no room is not sent in vain; of what is not new only its type is looked at, so it is asked about then.
    let is_too_large = message_only(message).accept(message, WallTime::MAX).is_err();
    if is_too_large {
        return enqueue_known(pool, message).await;
    }
    let row = letter_row(message);
    until_settled(|| async {
        match pool.write(put(message, &row, Way::Sent)).await {
            Ok(rows) => Ok(outcome(message, &rows)?),
            Err(Trouble::Raised(_)) => Err(explain(pool, message, Way::Sent).await?),
            Err(trouble) => Err(trouble),
        }
    })
    .await
}

/// As [`enqueue`], as a part of a transaction. Raises what the head does not allow.
pub(crate) async fn put_in(session: &mut Session, message: &Message, way: Way) -> Result<Enqueued, Trouble> {
    let row = letter_row(message);
    let rows = session.rows(put(message, &row, way), Stage::Open).await?;
    let outcome = outcome(message, &rows)?;
    if outcome == Enqueued::Stored {
        // Of what is not new the size is no matter; what is goes with the transaction.
        message_only(message).accept(message, WallTime::MAX)?;
    }
    Ok(outcome)
}

/// Of a message that can only be one that is known already; why it cannot be new otherwise.
async fn enqueue_known(pool: &Pool, message: &Message) -> Result<Enqueued, Trouble> {
    let (head, now) = head_or_new(pool, message).await?;
    head.check_type(&message.to)?;
    let rows = pool.read(known(message)).await?;
    if !is_known(&rows)? {
        head.enqueue(message, now)?;
    }
    Ok(outcome(message, &rows)?)
}

/// Whether an inbox has had a message, as a part of a transaction.
pub(crate) async fn is_known_in(session: &mut Session, message: &Message) -> Result<bool, Trouble> {
    Ok(is_known(&session.run(known(message)).await?)?)
}

/// As `put_letter` says it; 0 if it is new.
fn known(message: &Message) -> Statement<'_> {
    let known = "SELECT CASE WHEN EXISTS (SELECT FROM dead_letters WHERE actor = $1 AND message = $2) THEN 4
        WHEN EXISTS (SELECT FROM handled WHERE actor = $1 AND message = $2) THEN 3
        WHEN EXISTS (SELECT FROM letters WHERE actor = $1 AND message = $2) THEN 2 ELSE 0 END::bigint,
        (SELECT row FROM handled WHERE actor = $1 AND message = $2)";
    sqlx::query(known).bind(message.to.id.as_str()).bind(message.id.to_bytes())
}

fn is_known(rows: &[PgRow]) -> Result<bool, Refusal> {
    Ok(rows.first().map(|row| number(row, 0)).transpose()?.is_some_and(|known| known > 0))
}

/// A head that says nothing against a message but what the message itself gives cause for.
fn message_only(message: &Message) -> Head {
    Head::new(message.to.clone(), Epoch::ZERO, WallTime::ZERO)
}

/// Why a head did not let a message in.
pub(crate) async fn explain(pool: &Pool, message: &Message, way: Way) -> Result<Trouble, Trouble> {
    let (head, now) = head_or_new(pool, message).await?;
    Ok(why(&head, now, message, way))
}

/// Why this head does not let a message in.
pub(crate) fn why(head: &Head, now: WallTime, message: &Message, way: Way) -> Trouble {
    let refused = match way {
        Way::Sent => head.enqueue(message, now).err(),
        Way::Reminder => head.accept(message, now).err(),
        Way::Moved => head.receive(message, now).err(),
        Way::Notice => head.notify(message, now).err(),
    };
    refused.map_or_else(Trouble::overtaken, Trouble::from)
}

async fn head_or_new(pool: &Pool, message: &Message) -> Result<(Head, WallTime), Trouble> {
    if let Some(found) = find(pool, &message.to.id).await? {
        return Ok(found);
    }
    let now = now(pool).await?;
    Ok((Head::new(message.to.clone(), Epoch::ZERO, now), now))
}

fn put<'q>(message: &'q Message, row: &'q [u8], way: Way) -> Statement<'q> {
    sqlx::query("SELECT outcome, kept FROM put_letter($1, $2, $3, $4, $5, $6, $7, $8)")
        .bind(message.to.id.as_str())
        .bind(message.to.actor_type.as_str())
        .bind(message.id.to_bytes())
        .bind(row)
        .bind(millis(message.id.made()))
        .bind(skew_ms())
        .bind(way != Way::Sent)
        .bind(way.waiting_max(message))
}

pub(crate) fn outcome(message: &Message, rows: &[PgRow]) -> Result<Enqueued, Refusal> {
    let row = rows.first().ok_or(Refusal::Malformed("a function has one row"))?;
    Ok(match column::<i64>(row, 0)? {
        1 => Enqueued::Stored,
        2 => Enqueued::Waiting,
        3 => Enqueued::Handled(handled(&message.to.id, message.id, column(row, 1)?)?.reply),
        _ => Enqueued::Dead,
    })
}

fn handled(actor: &DurableId, id: MessageId, row: &[u8]) -> Result<Handled, Refusal> {
    decode(actor, &id.to_bytes(), row)
}

/// How far in the future a message may be made.
pub(crate) fn skew_ms() -> i64 {
    i64::try_from(CLOCK_SKEW_MAX.as_millis()).unwrap_or(i64::MAX)
}

/// The letter as it is kept: where it lies and how often it was tried the columns say.
pub(crate) fn letter_row(message: &Message) -> Vec<u8> {
    let letter = Letter { position: Position::ZERO, attempts: 0, message: message.clone() };
    encode(&message.to.id, &message.id.to_bytes(), &letter)
}

/// Whose it is, and the letter, if there is one; at least one row if there is such an actor.
const INBOX: &str = "
    SELECT a.epoch, a.owner IS NOT NULL, l.position, l.attempts, l.message, l.row FROM actors a LEFT JOIN LATERAL (
        SELECT position, attempts, message, row FROM (
            SELECT *, sum(octet_length(row)) OVER (ORDER BY position) AS bytes
            FROM (SELECT * FROM letters WHERE actor = $1 AND position > $2 ORDER BY position LIMIT $3) page
        ) counted WHERE bytes <= $4 OR bytes = octet_length(row)
    ) l ON true WHERE a.id = $1 ORDER BY l.position";

pub(crate) async fn inbox(
    pool: &Pool,
    actor: &DurableId,
    epoch: Epoch,
    after: Position,
    limit: usize,
) -> Result<Vec<Letter>, Trouble> {
    let select = sqlx::query(INBOX).bind(actor.as_str()).bind(clamped(after.0));
    let rows = pool.read(select.bind(page(limit)).bind(count(PAGE_BYTES_MAX))).await?;
    let first = rows.first().ok_or(Refusal::NoSuchActor)?;
    check_owner(epoch, Epoch(number(first, 0)?), column(first, 1)?)?;
    if column::<Option<i64>>(first, 2)?.is_none() {
        return Ok(Vec::new());
    }
    Ok(rows.iter().map(|row| letter(actor, row)).collect::<Result<_, _>>()?)
}

fn letter(actor: &DurableId, row: &PgRow) -> Result<Letter, Refusal> {
    let letter: Letter = decode(actor, column(row, 4)?, column(row, 5)?)?;
    let attempts = u32::try_from(number(row, 3)?).unwrap_or(u32::MAX);
    Ok(Letter { position: Position(number(row, 2)?), attempts, ..letter })
}

/// The lock keeps a new owner away until the attempt is counted.
const ATTEMPT: &str = "
    WITH owned AS (SELECT id FROM actors WHERE id = $1 AND epoch = $2 AND owner IS NOT NULL FOR SHARE)
    UPDATE letters SET attempts = attempts + 1 FROM owned
    WHERE letters.actor = owned.id AND letters.message = $3 RETURNING letters.attempts";

pub(crate) async fn begin_attempt(
    pool: &Pool,
    actor: &DurableId,
    epoch: Epoch,
    message: MessageId,
) -> Result<u32, Trouble> {
    until_settled(|| async {
        let count = sqlx::query(ATTEMPT).bind(actor.as_str()).bind(clamped(epoch.0)).bind(message.to_bytes());
        let rows = pool.write(count).await?;
        if let Some(row) = rows.first() {
            return Ok(u32::try_from(number(row, 0)?).unwrap_or(u32::MAX));
        }
        match find(pool, actor).await? {
            Some((head, _)) if head.check_owner(epoch).is_ok() => Err(Refusal::NoSuchMessage(message).into()),
            _ => Err(not_owned(pool, actor, epoch).await),
        }
    })
    .await
}

pub(crate) async fn reply(
    pool: &Pool,
    actor: &DurableId,
    message: MessageId,
) -> Result<Option<Option<Bytes>>, Trouble> {
    let select = "SELECT row FROM handled WHERE actor = $1 AND message = $2";
    let rows = pool.read(sqlx::query(select).bind(actor.as_str()).bind(message.to_bytes())).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(handled(actor, message, column(row, 0)?)?.reply))
}

/// At least one row if there is such an actor.
const DEAD: &str = "
    SELECT d.message, d.row FROM actors a LEFT JOIN LATERAL (
        SELECT message, row FROM (
            SELECT message, row, sum(octet_length(row)) OVER (ORDER BY message) AS bytes FROM (
                SELECT message, row FROM dead_letters WHERE actor = $1 AND message > $2 ORDER BY message LIMIT $3
            ) page
        ) counted WHERE bytes <= $4 OR bytes = octet_length(row)
    ) d ON true WHERE a.id = $1 ORDER BY d.message";

pub(crate) async fn dead_letters(
    pool: &Pool,
    actor: &DurableId,
    after: Option<MessageId>,
    limit: usize,
) -> Result<Vec<DeadLetter>, Trouble> {
    // No bytes come before all ids.
    let after = after.map_or_else(Vec::new, |after| after.to_bytes().into());
    let select = sqlx::query(DEAD).bind(actor.as_str()).bind(after).bind(page(limit));
    let rows = pool.read(select.bind(count(PAGE_BYTES_MAX))).await?;
    let first = rows.first().ok_or(Refusal::NoSuchActor)?;
    if column::<Option<&[u8]>>(first, 0)?.is_none() {
        return Ok(Vec::new());
    }
    let letter = |row: &PgRow| decode(actor, column(row, 0)?, column(row, 1)?);
    Ok(rows.iter().map(letter).collect::<Result<_, Refusal>>()?)
}

/// Puts a dead letter back into the inbox.
pub(crate) async fn revive(pool: &Pool, actor: &DurableId, message: MessageId) -> Result<(), Trouble> {
    until_settled(|| async {
        let mut session = pool.begin().await?;
        let outcome = revive_in(&mut session, actor, message).await;
        session.end(outcome).await
    })
    .await
}

async fn revive_in(session: &mut Session, actor: &DurableId, message: MessageId) -> Result<(), Trouble> {
    let head = lock(session, actor).await?.ok_or(Trouble::from(Refusal::NoSuchActor))?;
    let dead = take_dead(session, actor, message).await?;
    head.revive()?;
    let forget = "DELETE FROM handled WHERE actor = $1 AND message = $2";
    session.run(sqlx::query(forget).bind(actor.as_str()).bind(message.to_bytes())).await?;
    let append = sqlx::query("SELECT append_letter($1, $2, $3)").bind(actor.as_str());
    session.run(append.bind(message.to_bytes()).bind(letter_row(&dead.letter.message))).await?;
    Ok(())
}

/// Drops a dead letter for good.
pub(crate) async fn purge(pool: &Pool, actor: &DurableId, message: MessageId) -> Result<(), Trouble> {
    until_settled(|| async {
        let mut session = pool.begin().await?;
        let outcome = purge_in(&mut session, actor, message).await;
        session.end(outcome).await
    })
    .await
}

async fn purge_in(session: &mut Session, actor: &DurableId, message: MessageId) -> Result<(), Trouble> {
    lock(session, actor).await?.ok_or(Trouble::from(Refusal::NoSuchActor))?;
    take_dead(session, actor, message).await.map(drop)
}

async fn take_dead(
    session: &mut Session,
    actor: &DurableId,
    message: MessageId,
) -> Result<DeadLetter, Trouble> {
    let take = "DELETE FROM dead_letters WHERE actor = $1 AND message = $2 RETURNING row";
    let rows = session.run(sqlx::query(take).bind(actor.as_str()).bind(message.to_bytes())).await?;
    let row = rows.first().ok_or(Refusal::NoSuchMessage(message))?;
    Ok(decode(actor, &message.to_bytes(), column(row, 0)?)?)
}
