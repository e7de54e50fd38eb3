//! What is to come later.

use actor_durable::WallTime;
use actor_durable::limits::{PAGE_BYTES_MAX, PAGE_ROWS_MAX};
use actor_durable::store::{Due, DuePlace, Enqueued, Firing, Head, Reminder};

use crate::error::Trouble;
use crate::inbox::{Way, put_in, why};
use crate::ownership::{lock, now};
use crate::pool::{Pool, Session, until_settled};
use crate::row::{column, count, decode, encode, millis, target};

/// One row more than are asked for, or than there is room for: it says when the next one is due.
const DUE: &str = "
    SELECT actor, actor_type, name, row, has_room FROM (
        SELECT *, lag(has_room, 1, true) OVER places AS had_room FROM (
            SELECT *, sum(octet_length(row)) OVER places <= $5 OR row_number() OVER places = 1 AS has_room FROM (
                SELECT r.actor, a.actor_type, r.name, r.due, r.row FROM reminders r JOIN actors a ON a.id = r.actor
                WHERE (r.due, r.actor, r.name) > ($2, $3, $4) ORDER BY r.due, r.actor, r.name LIMIT $1
            ) page WINDOW places AS (ORDER BY due, actor, name)
        ) counted WINDOW places AS (ORDER BY due, actor, name)
    ) known WHERE had_room ORDER BY due, actor, name";

pub(crate) async fn due(
    pool: &Pool,
    now: WallTime,
    after: Option<&DuePlace>,
    limit: usize,
) -> Result<Due, Trouble> {
    let limit = limit.min(PAGE_ROWS_MAX);
    // No time is before all others, so this is before all of them.
    let (at, actor, name) = after.map_or((i64::MIN, "", ""), |DuePlace { due, actor, name }| {
        (millis(*due), actor.as_str(), name.as_str())
    });
    let query = sqlx::query(DUE).bind(count(limit + 1)).bind(at).bind(actor).bind(name);
    let rows = pool.read(query.bind(count(PAGE_BYTES_MAX))).await?;
    let mut due = Due::default();
    for row in &rows {
        let target = target(row, 0)?;
        let reminder: Reminder = decode(&target.id, column::<&str>(row, 2)?.as_bytes(), column(row, 3)?)?;
        if reminder.due > now || due.reminders.len() == limit || !column::<bool>(row, 4)? {
            due.next = Some(reminder.due);
            break;
        }
        due.reminders.push((target, reminder));
    }
    Ok(due)
}

/// Puts a reminder's messages into its actor's inbox, and sets when it is due next.
pub(crate) async fn fire(pool: &Pool, firing: &Firing) -> Result<bool, Trouble> {
    firing.check()?;
    until_settled(|| async {
        let mut session = pool.begin().await?;
        let mut refused = None;
        let outcome = fire_in(&mut session, firing, &mut refused).await;
        match (session.end(outcome).await, refused) {
            (Err(Trouble::Raised(_)), Some((at, head))) => {
                Err(why(&head, now(pool).await?, &firing.messages[at], Way::Reminder))
            }
            (outcome, _) => outcome,
        }
    })
    .await
}

/// Notes which message the head did not allow, and the head: with those before it, which are not kept either.
async fn fire_in(
    session: &mut Session,
    firing: &Firing,
    refused: &mut Option<(usize, Head)>,
) -> Result<bool, Trouble> {
    let Some(head) = lock(session, &firing.actor).await? else { return Ok(false) };
    let (actor, name) = (firing.actor.as_str(), firing.name.as_str());
    let find = "SELECT row FROM reminders WHERE actor = $1 AND name = $2";
    let rows = session.run(sqlx::query(find).bind(actor).bind(name)).await?;
    let Some(row) = rows.first() else { return Ok(false) };
    let reminder: Reminder = decode(&firing.actor, name.as_bytes(), column(row, 0)?)?;
    if !reminder.is_meant_by(firing) {
        return Ok(false);
    }
    let (at, head) = refused.insert((0, head));
    for message in &firing.messages {
        if put_in(session, message, Way::Reminder).await? == Enqueued::Stored {
            head.waiting += 1;
        }
        *at += 1;
    }
    let Some(next) = firing.next else {
        let drop = "DELETE FROM reminders WHERE actor = $1 AND name = $2";
        session.run(sqlx::query(drop).bind(actor).bind(name)).await?;
        return Ok(true);
    };
    let row = encode(&firing.actor, name.as_bytes(), &Reminder { due: next, ..reminder });
    let keep = "UPDATE reminders SET due = $3, row = $4 WHERE actor = $1 AND name = $2";
    session.run(sqlx::query(keep).bind(actor).bind(name).bind(millis(next)).bind(row)).await?;
    Ok(true)
}
