//! Every bound of schedules, named.

use std::time::Duration;

/// How long a schedule by the wall clock sleeps before it looks at that clock again. So much
/// later than it should, at most, it notices that the clock was set.
pub const CLOCK_LOOK: Duration = Duration::from_secs(60);

/// By how much the wall clock may be set back while a cron schedule waits for its next moment
/// without anything happening twice: that moment stays, and comes when the clock shows it. If it
/// is set back by more, it had been wrong, and the schedule goes by what it shows now.
pub const CLOCK_BACK_MAX: Duration = Duration::from_secs(3 * 3_600);

/// The longest cron expression, in bytes; a longer one does not parse.
pub const CRON_BYTES_MAX: usize = 255;
