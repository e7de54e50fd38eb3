//! From an actor's outbox into another one's inbox, as one.

use actor_durable::store::{Enqueued, OutboxPosition, Outgoing};
use actor_durable::{DurableId, Epoch};

use crate::error::Trouble;
use crate::inbox::{Way, explain, letter_row, outcome, skew_ms};
use crate::ownership::{check_owner, not_owned};
use crate::pool::{Pool, until_settled};
use crate::row::{clamped, column, decode, millis, number};
use crate::turn::outbox_key;

pub(crate) async fn transfer(
    pool: &Pool,
    actor: &DurableId,
    epoch: Epoch,
    position: OutboxPosition,
) -> Result<Enqueued, Trouble> {
    until_settled(|| transfer_once(pool, actor, epoch, position)).await
}

async fn transfer_once(
    pool: &Pool,
    actor: &DurableId,
    epoch: Epoch,
    position: OutboxPosition,
) -> Result<Enqueued, Trouble> {
    let Some(outgoing) = outgoing(pool, actor, position).await? else {
        check_owner(pool, actor, epoch).await?;
        return Ok(Enqueued::Waiting);
    };
    let message = match outgoing.message(actor.clone()) {
        Ok(message) => message,
        Err(refusal) => {
            check_owner(pool, actor, epoch).await?;
            return Err(refusal.into());
        }
    };
    let to = &message.to;
    let row = letter_row(&message);
    let _shares = pool.at_both(actor, &to.id).await?;
    let transfer =
        sqlx::query("SELECT outcome, kept FROM transfer($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)")
            .bind(actor.as_str())
            .bind(clamped(epoch.0))
            .bind(clamped(position.sequence.0))
            .bind(i64::from(position.index))
            .bind(to.id.as_str())
            .bind(to.actor_type.as_str())
            .bind(message.id.to_bytes())
            .bind(&row)
            .bind(millis(message.id.made()))
            .bind(skew_ms())
            .bind(Way::Moved.waiting_max(&message));
    let rows = match pool.write(transfer).await {
        Err(Trouble::Raised(_)) => return Err(explain(pool, &message, Way::Moved).await?),
        rows => rows?,
    };
    if rows.first().map(|row| number(row, 0)).transpose()? == Some(0) {
        return Err(not_owned(pool, actor, epoch).await);
    }
    Ok(outcome(&message, &rows)?)
}

async fn outgoing(
    pool: &Pool,
    actor: &DurableId,
    position: OutboxPosition,
) -> Result<Option<Outgoing>, Trouble> {
    let find = "SELECT row FROM outbox WHERE actor = $1 AND sequence = $2 AND place = $3";
    let find = sqlx::query(find).bind(actor.as_str()).bind(clamped(position.sequence.0));
    let rows = pool.read(find.bind(i64::from(position.index))).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(decode(actor, &outbox_key(position), column(row, 0)?)?))
}
