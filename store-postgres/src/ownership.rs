//! Who lives, and who has which actor.

use std::time::Duration;

use actor_durable::store::{Claim, Head, Refusal, Renewal, StoreError};
use actor_durable::{DurableId, Epoch, OwnerId, Target, WallTime};

use crate::error::Trouble;
use crate::pool::{Pool, Session, until_settled};
use crate::row::{clamped, column, head, head_columns, number, signed};

/// A thousand years: what is longer has no end that matters, and the database could not say it.
const LEASE_MAX: Duration = Duration::from_secs(1000 * 365 * 24 * 3600);

pub(crate) async fn renew(pool: &Pool, owner: OwnerId, lease: Duration) -> Result<Renewal, Trouble> {
    let (owner, seconds) = (owner.to_bytes(), lease.min(LEASE_MAX).as_secs_f64());
    let renew = || pool.write(sqlx::query("SELECT renew($1, $2)").bind(owner).bind(seconds));
    let rows = until_settled(renew).await?;
    let was_held = rows.first().map(|row| column(row, 0)).transpose()?.unwrap_or(false);
    Ok(if was_held { Renewal::Extended } else { Renewal::Begun })
}

pub(crate) async fn retire(pool: &Pool, owner: OwnerId) -> Result<(), Trouble> {
    let owner = owner.to_bytes();
    until_settled(|| pool.write(sqlx::query("DELETE FROM leases WHERE owner = $1").bind(owner)))
        .await
        .map(drop)
}

pub(crate) async fn acquire(pool: &Pool, claim: &Claim) -> Result<Head, Trouble> {
    until_settled(|| async {
        let mut session = pool.begin().await?;
        let outcome = acquire_in(&mut session, claim).await;
        session.end(outcome).await
    })
    .await
}

async fn acquire_in(session: &mut Session, claim: &Claim) -> Result<Head, Trouble> {
    let Target { id, actor_type } = &claim.target;
    let found = match lock(session, id).await? {
        Some(found) => found,
        None => {
            let make = sqlx::query("SELECT make_actor($1, $2)");
            session.run(make.bind(id.as_str()).bind(actor_type.as_str())).await?;
            let found = lock(session, id).await?;
            found.ok_or(Trouble::from(Refusal::NoSuchActor))?
        }
    };
    // Only now: while the lock was waited for, another may have taken it.
    if !has_lease(session, claim.owner).await? {
        return Err(Refusal::LeaseOver { owner: claim.owner }.into());
    }
    let is_held = match found.owner {
        Some(owner) => holds(session, owner).await?,
        None => false,
    };
    let head = found.claim(claim, is_held)?;
    let keep = "UPDATE actors SET epoch = $2, owner = $3, crashes = $4 WHERE id = $1";
    let keep = sqlx::query(keep)
        .bind(id.as_str())
        .bind(signed(head.epoch.0)?)
        .bind(claim.owner.to_bytes())
        .bind(i64::from(head.crashes));
    session.run(keep).await?;
    Ok(head)
}

pub(crate) async fn release(pool: &Pool, actor: &DurableId, epoch: Epoch) -> Result<(), Trouble> {
    let free =
        "UPDATE actors SET owner = NULL WHERE id = $1 AND epoch = $2 AND owner IS NOT NULL RETURNING 1";
    until_settled(|| async {
        let rows = pool.write(sqlx::query(free).bind(actor.as_str()).bind(clamped(epoch.0))).await?;
        if rows.is_empty() { Err(not_owned(pool, actor, epoch).await) } else { Ok(()) }
    })
    .await
}

/// Deletes all of an actor.
pub(crate) async fn delete(pool: &Pool, actor: &DurableId, epoch: Epoch) -> Result<(), Trouble> {
    until_settled(|| async {
        let delete = sqlx::query("SELECT delete_actor($1, $2)").bind(actor.as_str()).bind(clamped(epoch.0));
        let rows = pool.write(delete).await?;
        let is_owned = rows.first().map(|row| column(row, 0)).transpose()?.unwrap_or(false);
        if is_owned { Ok(()) } else { Err(not_owned(pool, actor, epoch).await) }
    })
    .await
}

const HEAD: &str = concat!("SELECT ", head_columns!(), ", now_ms() FROM actors WHERE id = $1");
const LOCK: &str = concat!("SELECT ", head_columns!(), " FROM actors WHERE id = $1 FOR UPDATE");

/// An actor as it is now, and the time by the server's clock.
pub(crate) async fn find(pool: &Pool, actor: &DurableId) -> Result<Option<(Head, WallTime)>, Trouble> {
    let rows = pool.read(sqlx::query(HEAD).bind(actor.as_str())).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some((head(row)?, WallTime::from_millis(number(row, 13)?))))
}

/// The time by the server's clock.
pub(crate) async fn now(pool: &Pool) -> Result<WallTime, Trouble> {
    let rows = pool.read(sqlx::query("SELECT now_ms()")).await?;
    let now = rows.first().map(|row| number(row, 0)).transpose()?;
    Ok(WallTime::from_millis(now.unwrap_or_default()))
}

/// An actor as it is until the end of the transaction.
pub(crate) async fn lock(session: &mut Session, actor: &DurableId) -> Result<Option<Head>, Trouble> {
    let rows = session.run(sqlx::query(LOCK).bind(actor.as_str())).await?;
    Ok(rows.first().map(head).transpose()?)
}

/// Checks that an epoch is the actor's.
pub(crate) async fn check_owner(pool: &Pool, actor: &DurableId, epoch: Epoch) -> Result<(), Trouble> {
    let (head, _) = find(pool, actor).await?.ok_or(Trouble::from(Refusal::NoSuchActor))?;
    Ok(head.check_owner(epoch)?)
}

/// Why an epoch could not do what only the owner does.
pub(crate) async fn not_owned(pool: &Pool, actor: &DurableId, epoch: Epoch) -> Trouble {
    match find(pool, actor).await {
        Err(trouble) => trouble,
        Ok(None) => Refusal::NoSuchActor.into(),
        // It was not owned a moment ago, and epochs only grow.
        Ok(Some((found, _))) => StoreError::Fenced { ours: epoch, theirs: found.epoch }.into(),
    }
}

async fn has_lease(session: &mut Session, owner: OwnerId) -> Result<bool, Trouble> {
    let lives = "SELECT EXISTS (SELECT FROM leases WHERE owner = $1 AND ends_at > clock_timestamp())";
    said(session, lives, owner).await
}

/// As [`has_lease`], of somebody whose actor is taken if not.
async fn holds(session: &mut Session, owner: OwnerId) -> Result<bool, Trouble> {
    said(session, "SELECT holds($1)", owner).await
}

/// What a statement says of an owner.
async fn said(session: &mut Session, statement: &'static str, owner: OwnerId) -> Result<bool, Trouble> {
    let rows = session.run(sqlx::query(statement).bind(owner.to_bytes())).await?;
    Ok(rows.first().map(|row| column(row, 0)).transpose()?.unwrap_or(false))
}
