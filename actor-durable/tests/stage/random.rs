//! Random days: what the tests of them draw from, what goes wrong on them, and how many there are.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use actor_durable::store::Store;
use actor_durable::testing::{Fault, FaultMode, FaultStore, Operation};

/// So many faults, of the first so many of each kind of operation.
const FAULTS: usize = 6;
const VISITS: u64 = 40;

/// Numbers by chance, and the same ones for each seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, below: u64) -> u64 {
        // Splitmix.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % below
    }

    pub(crate) fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as u64)).expect("below a usize")]
    }

    pub(crate) fn millis(&mut self, below: u64) -> Duration {
        Duration::from_millis(self.below(below))
    }

    /// A store that refuses operations and loses answers.
    pub(crate) fn faulty(&mut self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        let mut faults = Vec::new();
        for _ in 0..FAULTS {
            let (operation, visit) = (self.of(Operation::ALL), 1 + self.below(VISITS));
            let mode = self.of(&[FaultMode::LoseAnswer, FaultMode::Refuse]);
            // Without its first lease a process does not begin.
            if (operation, visit) != (Operation::Renew, 1) {
                faults.push(Fault { operation, visit, mode });
            }
        }
        Arc::new(FaultStore::new(store, faults))
    }
}

/// So many days, each of another seed, or with `ACTOR_TEST_FULL` a hundred times as many.
pub(crate) fn days(quick: u64, day: impl Fn(u64)) {
    let is_full = std::env::var_os("ACTOR_TEST_FULL").is_some();
    for seed in 0..if is_full { 100 * quick } else { quick } {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| day(seed))) {
            eprintln!("the day's seed was {seed}");
            resume_unwind(panic);
        }
    }
}
