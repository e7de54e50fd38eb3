//! Between the values of the contract and the columns: numbers, heads, and the bytes of rows under their keys.

use actor_durable::limits::PAGE_ROWS_MAX;
use actor_durable::store::{Head, Refusal, Row, decode_row, encode_row};
use actor_durable::{ActorType, DurableId, Epoch, MessageId, OwnerId, Position, Sequence, Target, WallTime};
use sqlx::postgres::PgRow;
use sqlx::{Decode, Postgres, Row as _, Type};

/// The columns of a [`Head`], in the order in which [`head`] reads them.
macro_rules! head_columns {
    () => {
        "id, actor_type, epoch, owner, crashes, sequence, snapshot, trimmed, horizon, next, waiting, has_ended, created_at"
    };
}
pub(crate) use head_columns;

/// The head in a row that begins with the columns of one.
pub(crate) fn head(row: &PgRow) -> Result<Head, Refusal> {
    let owner: Option<Vec<u8>> = column(row, 3)?;
    let snapshot: Option<i64> = column(row, 6)?;
    Ok(Head {
        target: target(row, 0)?,
        epoch: Epoch(number(row, 2)?),
        owner: owner.map(|bytes| sixteen(&bytes).map(OwnerId::from_bytes)).transpose()?,
        crashes: u32::try_from(number(row, 4)?).unwrap_or(u32::MAX),
        sequence: Sequence(number(row, 5)?),
        snapshot: snapshot.map(unsigned).transpose()?.map(Sequence),
        trimmed: Sequence(number(row, 7)?),
        horizon: WallTime::from_millis(number(row, 8)?),
        next: Position(number(row, 9)?),
        waiting: number(row, 10)?,
        has_ended: column(row, 11)?,
        created_at: WallTime::from_millis(number(row, 12)?),
    })
}

/// An id and, behind it, a type.
pub(crate) fn target(row: &PgRow, at: usize) -> Result<Target, Refusal> {
    let id: &str = column(row, at)?;
    let actor_type: &str = column(row, at + 1)?;
    let bad = |error: actor_durable::BadName| damaged("a name", error);
    Ok(Target { id: DurableId::new(id).map_err(bad)?, actor_type: ActorType::new(actor_type).map_err(bad)? })
}

/// The value of a column.
pub(crate) fn column<'r, T>(row: &'r PgRow, at: usize) -> Result<T, Refusal>
where
    T: Decode<'r, Postgres> + Type<Postgres>,
{
    row.try_get(at).map_err(|error| damaged("a column", error))
}

/// A column that is no less than zero.
pub(crate) fn number(row: &PgRow, at: usize) -> Result<u64, Refusal> {
    unsigned(column(row, at)?)
}

/// A column that holds the id of a message.
pub(crate) fn message_id(row: &PgRow, at: usize) -> Result<MessageId, Refusal> {
    sixteen(column(row, at)?).map(MessageId::from_bytes)
}

/// A number as the database keeps it.
///
/// # Errors
///
/// Nobody counts so far; a placement that says so is wrong.
pub(crate) fn signed(number: u64) -> Result<i64, Refusal> {
    i64::try_from(number).map_err(|_| Refusal::Malformed("a number is less than 2^63"))
}

/// A time as the database compares it; those after the year 292 million are one.
pub(crate) fn millis(time: WallTime) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// A number that is compared with those that the database keeps, which are all smaller.
pub(crate) fn clamped(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A count as the database takes it; more than it can say is as much as it can.
pub(crate) fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// How many rows a page has of those that are asked for.
pub(crate) fn page(limit: usize) -> i64 {
    count(limit.min(PAGE_ROWS_MAX))
}

/// The bytes of what belongs to an actor under a key.
pub(crate) fn encode<R: Row>(actor: &DurableId, key: &[u8], value: &R) -> Vec<u8> {
    encode_row(&whole(actor, key), value)
}

/// The value of such bytes.
pub(crate) fn decode<R: Row>(actor: &DurableId, key: &[u8], row: &[u8]) -> Result<R, Refusal> {
    decode_row(&whole(actor, key), row)
}

fn unsigned(number: i64) -> Result<u64, Refusal> {
    u64::try_from(number).map_err(|error| damaged("a number", error))
}

fn sixteen(bytes: &[u8]) -> Result<[u8; 16], Refusal> {
    bytes.try_into().map_err(|error| damaged("an id", error))
}

/// No name has a zero in it.
fn whole(actor: &DurableId, key: &[u8]) -> Vec<u8> {
    [actor.as_str().as_bytes(), &[0], key].concat()
}

pub(crate) fn damaged(what: &str, error: impl std::fmt::Display) -> Refusal {
    Refusal::Damaged { what: what.into(), detail: error.to_string() }
}
