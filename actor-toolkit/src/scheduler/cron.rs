//! Cron expressions: parsed, and asked for the next moment. Pure.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::limits::CRON_BYTES_MAX;

/// Moments of the wall clock, in UTC: minute, hour, day of the month, month and day of the week,
/// as cron has them; with one more field in front, seconds, and with one more behind, years.
///
/// A field is `*`, a number, a range `8-17`, a list `1,15`, steps `*/5`; months and days of the
/// week have their English names too, and 0 and 7 are Sunday. `L` is the last day. If both days
/// are given, either suffices. `@hourly`, `@daily` and their like stand for what they say.
///
/// UTC has no summer time: no moment is left out, and none comes twice.
///
/// ```
/// use actor_toolkit::scheduler::Cron;
/// use std::time::Duration;
///
/// let workdays: Cron = "30 8 * * MON-FRI".parse()?;
/// // From 1970, a Thursday, at midnight: that day at half past eight.
/// let next = workdays.next_after(Duration::ZERO).unwrap();
/// assert_eq!(next, Duration::from_secs(8 * 3_600 + 30 * 60));
/// assert!("61 * * * *".parse::<Cron>().is_err());
/// # Ok::<(), actor_toolkit::scheduler::CronError>(())
/// ```
#[derive(Clone)]
pub struct Cron {
    expression: croner::Cron,
    text: Box<str>,
}

/// A cron expression does not parse. Nothing was scheduled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CronError {
    /// It is too long.
    #[error("a cron expression of {0} bytes: it has at most {CRON_BYTES_MAX}")]
    TooLong(usize),
    /// What is wrong with it.
    #[error("not a cron expression: {0}")]
    Wrong(Box<str>),
}

impl Cron {
    /// The first moment after another, both since 1970, to the second. `None` if there is none,
    /// as of the 30th of February, or none before the year 5000.
    pub fn next_after(&self, unix: Duration) -> Option<Duration> {
        let seconds = i64::try_from(unix.as_secs()).ok()?;
        let after = DateTime::<Utc>::from_timestamp(seconds, 0)?;
        let next = self.expression.find_next_occurrence(&after, false).ok()?;
        Some(Duration::from_secs(u64::try_from(next.timestamp()).ok()?))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Cron {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Self, CronError> {
        if text.len() > CRON_BYTES_MAX {
            return Err(CronError::TooLong(text.len()));
        }
        if !text.is_ascii() {
            return Err(CronError::Wrong("it holds letters that no cron expression has".into()));
        }
        match croner::Cron::from_str(text) {
            Ok(expression) => Ok(Self { expression, text: text.into() }),
            Err(error) => Err(CronError::Wrong(error.to_string().into())),
        }
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cron({:?})", self.text)
    }
}
