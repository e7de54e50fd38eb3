//! The time of the wall clock.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// A time of the wall clock, in milliseconds since the beginning of 1970 (UTC). It is for people, for reminders and for leases:
/// clocks differ and step back, so no order of messages or turns depends on it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WallTime(u64);

impl WallTime {
    /// The beginning of 1970 (UTC).
    pub const ZERO: WallTime = WallTime(0);
    /// The latest time there is.
    pub const MAX: WallTime = WallTime(u64::MAX);

    /// The time this many milliseconds after the beginning of 1970.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// The time this long after the beginning of 1970, such as [`Executor::unix_time`](actor_core::Executor::unix_time) gives.
    pub fn from_unix(since: Duration) -> Self {
        Self(millis(since))
    }

    /// Milliseconds since the beginning of 1970.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The time that much later; saturates.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(millis(time)))
    }

    /// The time since an earlier moment; zero if it is not earlier.
    pub fn since(self, earlier: WallTime) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Debug for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

/// As RFC 3339 writes it, in UTC and with milliseconds, such as `2027-01-15T08:00:00.000Z`. Years after 9999 have more digits.
impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = date(self.0 / DAY_MS);
        let (second, milli) = (self.0 % DAY_MS / 1000, self.0 % 1000);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
    }
}

/// The year, month and day that is so many days after the first of 1970, by the Gregorian calendar. Years are counted from March, so
/// that a leap day is the last of its year.
fn date(day: u64) -> (u64, u64, u64) {
    const ERA_DAYS: u64 = 146_097;
    // From the first of March of the year 0.
    let day = day + 719_468;
    let (era, day) = (day / ERA_DAYS, day % ERA_DAYS);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let is_next_year = u64::from(month >= 10);
    (era * 400 + year + is_next_year, if month < 10 { month + 3 } else { month - 9 }, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates_of_the_calendar() {
        let utc = |millis| WallTime::from_millis(millis).to_string();
        assert_eq!(utc(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(utc(68_169_600_000 - 1), "1972-02-28T23:59:59.999Z");
        assert_eq!(utc(68_169_600_000), "1972-02-29T00:00:00.000Z");
        assert_eq!(utc(951_868_799_000), "2000-02-29T23:59:59.000Z");
        assert_eq!(utc(1_800_000_000_000), "2027-01-15T08:00:00.000Z");
        assert_eq!(utc(4_107_542_400_000), "2100-03-01T00:00:00.000Z");
        assert_eq!(utc(u64::MAX), "584556019-04-03T14:25:51.615Z");
    }
}
