//! Durable actors on a disk whose power is cut: whatever is torn, they go on as they promise.

use std::fmt;
use std::sync::{Arc, Mutex};
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
}

impl Disk {
    fn cut_at(step: u64) -> Self {
        Self { disk: Mutex::default(), clock: WallClock::at(BEGAN), step }
    }

    fn disk(&self) -> FaultyDisk {
        self.disk.lock().expect("nothing panics with it").clone()
    }
}

#[async_trait]
impl Place for Disk {
    async fn open(&self) -> Arc<dyn Store> {
        let is_new = self.disk().steps() == 0;
        let has_failed = self.disk().has_failed();
        if has_failed {
            *self.disk.lock().expect("nothing panics with it") = self.disk().power_cut(self.step);
        }
        let (options, disk) = (options().executor(self.clock.store_executor()), self.disk());
        let store = options.open_on(disk.clone()).await.expect("it opens");
        if is_new {
            disk.fail_at(disk.steps().saturating_add(self.step), DiskFault::Gone);
        }
        Arc::new(store)
    }

    async fn pass(&self, time: Duration) {
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

/// How many steps the disk makes in a run.
async fn steps(form: Form) -> u64 {
    let place = Disk::cut_at(NEVER);
    let disk = place.disk();
    assert_eq!(try_torn(form, vec![place]).await, 0);
    disk.steps()
}

async fn cut_everywhere(form: Form) {
    let steps = steps(form).await;
    let is_full = std::env::var_os("ACTOR_TEST_FULL").is_some();
    let stride = if is_full { 1 } else { steps / CUTS };
    // Where more is stored at once there are fewer steps.
    let cuts: Vec<Disk> =
        (0..steps / 2).step_by(usize::try_from(stride).expect("it is small")).map(Disk::cut_at).collect();
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
