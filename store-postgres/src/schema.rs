//! The tables: how they come to be, and which version of them there is.
//!
//! A schema holds one row that says its version. Whoever opens the store brings it to the version of this release, one
//! process at a time, and refuses a later one.

use actor_durable::store::{ErrorCause, Refusal};
use sqlx::{AssertSqlSafe, Row};

use crate::error::{Stage, Trouble};
use crate::pool::{Pool, Session};
use crate::row::column;

/// What makes each version of the one before it; never changed once it was released.
const MIGRATIONS: &[&str] = &[include_str!("../sql/0001_store.sql")];

/// Held while somebody looks at the version or changes it; any number that others do not use.
const LOCK: i64 = 0x6163_746f_7264_7572;

/// Brings the schema to the version of this release.
///
/// # Errors
///
/// [`Refusal::FutureVersion`] if it is of a later one; [`Refusal::Malformed`] if the database cannot have all names;
/// [`Refusal::Denied`] if the user may not use it.
pub(crate) async fn migrate(pool: &Pool, schema: &str) -> Result<(), Trouble> {
    let mut session = pool.session().await?;
    check_encoding(&mut session).await?;
    check_usage(&mut session, schema).await?;
    if version(&mut session, schema).await? == Some(known()) {
        return Ok(());
    }
    drop(session);
    let mut session = pool.begin().await?;
    let outcome = migrate_in(&mut session, schema).await;
    session.end(outcome).await
}

async fn migrate_in(session: &mut Session, schema: &str) -> Result<(), Trouble> {
    // Whoever is at it is waited for as long as for any answer.
    session.say("SET LOCAL lock_timeout = 0", Stage::Open).await?;
    session.run(sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK)).await?;
    let found = match version(session, schema).await? {
        Some(found) => found,
        None => {
            // Whoever may make no schemas may have been given one.
            if !exists(session, schema).await? {
                let create = format!("CREATE SCHEMA IF NOT EXISTS \"{schema}\"");
                // Safe: the name has been checked.
                session.run(sqlx::query(AssertSqlSafe(create))).await?;
            }
            session.say("CREATE TABLE version (number bigint NOT NULL)", Stage::Open).await?;
            session.say("INSERT INTO version (number) VALUES (0)", Stage::Open).await?;
            0
        }
    };
    for migration in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(usize::MAX)) {
        session.say(migration, Stage::Open).await?;
    }
    session.run(sqlx::query("UPDATE version SET number = $1").bind(i64::from(known()))).await?;
    Ok(())
}

async fn exists(session: &mut Session, schema: &str) -> Result<bool, Trouble> {
    let found = session.run(sqlx::query("SELECT FROM pg_namespace WHERE nspname = $1").bind(schema)).await?;
    Ok(!found.is_empty())
}

/// Names may have any letters, so the database must be able to keep them all: as UTF8, or as SQL_ASCII, which takes any bytes.
async fn check_encoding(session: &mut Session) -> Result<(), Trouble> {
    let encoding = "SELECT current_setting('server_encoding')";
    let rows = session.run(sqlx::query(encoding)).await?;
    let encoding: String = rows.first().map(|row| column(row, 0)).transpose()?.unwrap_or_default();
    if !["UTF8", "SQL_ASCII"].contains(&encoding.as_str()) {
        return Err(Refusal::Malformed("the database's encoding is neither UTF8 nor SQL_ASCII").into());
    }
    Ok(())
}

/// Of a schema that the user may not use the server shows nothing, as if there were no tables.
async fn check_usage(session: &mut Session, schema: &str) -> Result<(), Trouble> {
    let usable = "SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = $1";
    let rows = session.run(sqlx::query(usable).bind(schema)).await?;
    if rows.first().map(|row| column(row, 0)).transpose()?.unwrap_or(true) {
        return Ok(());
    }
    Err(Refusal::Denied(ErrorCause::new(format!("the user may not use the schema {schema}"))).into())
}

/// The schema's version, if it has one.
async fn version(session: &mut Session, schema: &str) -> Result<Option<u32>, Trouble> {
    // Not by `to_regclass`, which may not have heard yet of what another process has just made.
    let is_there = "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relname = 'version')";
    let is_there = session.run(sqlx::query(is_there).bind(schema)).await?;
    if !is_there.first().is_some_and(|row| row.try_get(0).unwrap_or(false)) {
        return Ok(None);
    }
    let rows = session.run(sqlx::query("SELECT number FROM version")).await?;
    let damaged = |detail: &str| Refusal::Damaged { what: "the version".into(), detail: detail.into() };
    let [row] = &rows[..] else { return Err(damaged("it is not said once").into()) };
    let number = row.try_get::<i64, _>(0).ok().and_then(|number| u32::try_from(number).ok());
    let found = number.ok_or_else(|| damaged("it is no number"))?;
    if found > known() {
        let what = "the schema".into();
        return Err(Refusal::FutureVersion { what, found, known: known() }.into());
    }
    Ok(Some(found))
}

fn known() -> u32 {
    u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX)
}
