//! Durable actors on a disk whose power is cut: whatever is torn, they go on as they promise.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use async_trait::async_trait;

use super::script::options;
use super::suite::BEGAN;
use crate::id::WallTime;
use crate::redb::faulty::{DiskFault, FaultyDisk};
use crate::store::Store;
use crate::testing::WallClock;
use crate::testing::store_suite::Place;
use crate::testing::turn_suite::{Form, Torn, try_torn};

/// No run makes so many steps.
const NEVER: u64 = u64::MAX;

/// So many cuts are made where not all are.
const CUTS: u64 = 24;

/// A disk whose power is cut at a step, counted from when it was opened first.
struct Disk {
    disk: Mutex<FaultyDisk>,
    clock: WallClock,
    step: u64,
    /// How many steps were made when it had been opened first.
    opened: OnceLock<u64>,
    /// How many more when the first process had ended.
    lived: Arc<OnceLock<u64>>,
}

impl Disk {
    fn cut_at(step: u64) -> Self {
        let (opened, lived) = (OnceLock::new(), Arc::default());
        Self { disk: Mutex::default(), clock: WallClock::at(BEGAN), step, opened, lived }
    }

    fn lock(&self) -> MutexGuard<'_, FaultyDisk> {
        self.disk.lock().expect("nothing panics with it")
    }

    fn disk(&self) -> FaultyDisk {
        self.lock().clone()
    }
}

#[async_trait]
impl Place for Disk {
    async fn open(&self) -> Arc<dyn Store> {
        if self.disk().has_failed() {
            *self.lock() = self.disk().power_cut(self.step);
        }
        let (options, disk) = (options().executor(self.clock.store_executor()), self.disk());
        let store = options.open_on(disk.clone()).await.expect("it opens");
        self.opened.get_or_init(|| {
            disk.fail_at(disk.steps().saturating_add(self.step), DiskFault::Gone);
            disk.steps()
        });
        Arc::new(store)
    }

    async fn pass(&self, time: Duration) {
        let (disk, opened) = (self.disk(), self.opened.get().expect("it was opened"));
        self.lived.get_or_init(|| {
            // Whoever looks at what was cut is not cut.
            if !disk.has_failed() {
                disk.mend();
            }
            disk.steps() - opened
        });
        self.clock.pass(time);
    }

    fn now(&self) -> WallTime {
        self.clock.now()
    }
}

impl Torn for Disk {
    async fn gone(&self) {
        self.disk().failed().await;
    }
}

impl fmt::Display for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the power is cut at step {}", self.step)
    }
}

/// How many steps the disk makes while a process lives.
async fn steps(form: Form) -> u64 {
    let place = Disk::cut_at(NEVER);
    let lived = place.lived.clone();
    assert_eq!(try_torn(form, vec![place]).await, 0);
    *lived.get().expect("it has ended")
}

async fn cut_everywhere(form: Form) {
    let steps = steps(form).await;
    let is_full = std::env::var_os("ACTOR_TEST_FULL").is_some();
    let stride = if is_full { 1 } else { steps / CUTS };
    // Where more is stored at once there are fewer steps.
    let cuts: Vec<Disk> =
        (0..steps).step_by(usize::try_from(stride).expect("it is small")).map(Disk::cut_at).collect();
    let tried = cuts.len();
    let cut = try_torn(form, cuts).await;
    assert!(cut * 2 > tried, "{cut} of {tried} were cut, of {steps} steps");
}

#[tokio::test]
async fn power_that_is_cut_at_any_step_breaks_no_promise_of_actors() {
    cut_everywhere(Form::State).await;
}

#[tokio::test]
async fn power_that_is_cut_at_any_step_breaks_no_promise_of_actors_with_events() {
    cut_everywhere(Form::Events).await;
}
