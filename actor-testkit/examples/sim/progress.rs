//! Says now and then how far it is.

use std::time::{Duration, Instant};

use actor_testkit::cluster::scenario::Run;

/// How often it says something.
const EVERY: Duration = Duration::from_secs(5);

/// See the module.
pub(crate) struct Progress {
    begun: Instant,
    said: Instant,
    seeds: u64,
    done: u64,
    failed: u64,
    virtual_time: Duration,
}

impl Progress {
    pub(crate) fn new(seeds: u64) -> Self {
        let now = Instant::now();
        Self { begun: now, said: now, seeds, done: 0, failed: 0, virtual_time: Duration::ZERO }
    }

    pub(crate) fn count(&mut self, run: &Run) {
        self.done += 1;
        self.failed += u64::from(run.failure.is_some());
        self.virtual_time += run.virtual_time;
        if self.said.elapsed() >= EVERY {
            self.said = Instant::now();
            self.say();
        }
    }

    pub(crate) fn end(&self) {
        self.say();
    }

    fn say(&self) {
        let Self { seeds, done, failed, .. } = self;
        let (hours, real) = (self.virtual_time.as_secs_f64() / 3600.0, self.begun.elapsed());
        eprintln!("{done} of {seeds} seeds in {real:.1?}, {hours:.2} hours of virtual time, {failed} failed");
    }
}
