//! What became of an operation when the database or the way to it fails.
//!
//! ```text
//!  no connection ─────────────────────────► not applied
//!  the server says ERROR ─────────────────► it has rolled back: not applied, or again
//!  it ends (FATAL), or is not heard again ► before the last word was sent: not applied
//!                                           after it: unknown
//! ```

use actor_durable::store::{ErrorCause, Refusal, StoreError};
use sqlx::postgres::{PgDatabaseError, PgSeverity};

/// Why an attempt at an operation has failed.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// This is the answer.
    Store(StoreError),
    /// Another has got in between; the next attempt may succeed.
    Again(ErrorCause),
    /// A function of the schema has refused; the number is the last digit of its `DA00x`, or [`HANDLED`].
    Raised(u8),
}

/// A message was handled before: a row is there already.
pub(crate) const HANDLED: u8 = 1;

/// How far an operation has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// Without another word of ours nothing of it is kept.
    Open,
    /// What is being sent, if it arrives, makes it so.
    Committing,
}

impl Trouble {
    /// Of an error of the database or of the connection to it.
    pub(crate) fn of(error: sqlx::Error, stage: Stage) -> Self {
        match rolled_back(&error).map(|said| (said.code(), said.constraint())) {
            Some((code @ ("40001" | "40P01"), _)) => {
                tracing::debug!(code, "the database has rolled back, to try again");
                Self::Again(ErrorCause::new(error))
            }
            Some(("23505", Some("handled_are_unique"))) => Self::Raised(HANDLED),
            Some((code, _)) => match code.strip_prefix("DA00").and_then(|digit| digit.parse().ok()) {
                Some(number) => Self::Raised(number),
                None => Self::Store(refusal(code, &error).into()),
            },
            None if stage == Stage::Committing => Self::Store(StoreError::Unknown(ErrorCause::new(error))),
            // Nothing was to be kept.
            None => Self::Store(Refusal::Unavailable(ErrorCause::new(error)).into()),
        }
    }

    /// What was refused would be allowed now, as others have changed things since.
    pub(crate) fn overtaken() -> Self {
        Self::Again(ErrorCause::new("others have changed the actor meanwhile"))
    }

    /// Nobody waits for it any longer.
    pub(crate) fn late(stage: Stage) -> Self {
        let cause = ErrorCause::new("the database does not answer in time");
        Self::Store(match stage {
            Stage::Open => Refusal::Unavailable(cause).into(),
            Stage::Committing => StoreError::Unknown(cause),
        })
    }
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::Store(refusal.into())
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Whether the server has said itself that nothing is kept.
pub(crate) fn is_rolled_back(error: &sqlx::Error) -> bool {
    rolled_back(error).is_some()
}

/// Whether a refusal may be for what the connection is, and not for what was asked: it is to a server that takes no writes any more,
/// it has lost the statements that were prepared, or knows them as they were before the tables changed. Another one may fare better.
pub(crate) fn is_of_connection(error: &sqlx::Error) -> bool {
    let code = rolled_back(error).map(PgDatabaseError::code).unwrap_or_default();
    // Connection exceptions, invalid transaction states, statement names and authorization; "cached plan must not change".
    ["08", "25", "26", "28"].iter().any(|class| code.starts_with(class)) || code == "0A000"
}

/// The server's word that it has rolled back. One that ends the connection says nothing of the kind: it may come
/// right after a commit.
fn rolled_back(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    let error = error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?;
    (error.severity() == PgSeverity::Error).then_some(error)
}

/// What a rolled-back operation is refused for.
fn refusal(code: &str, error: &sqlx::Error) -> Refusal {
    let cause = || ErrorCause::new(error.to_string());
    match code {
        // disk_full.
        "53100" => Refusal::NoSpace(cause()),
        // read_only_sql_transaction.
        "25006" => Refusal::ReadOnly(cause()),
        // insufficient_privilege.
        "42501" => Refusal::Denied(cause()),
        // Its files are corrupt; a table, a column or a constraint is not as it was made.
        _ if ["XX001", "XX002"].contains(&code)
            || ["23", "42"].iter().any(|class| code.starts_with(class)) =>
        {
            Refusal::Damaged { what: "the database".into(), detail: error.to_string() }
        }
        _ => Refusal::Unavailable(cause()),
    }
}
