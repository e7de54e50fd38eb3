//! The contract of [`store`](crate::store), written once as tests that every store runs. Must not live here: anything only
//! one store keeps, such as what becomes of torn files and lost connections.
//!
//! A store's tests implement [`Place`] and mount the suite; each case becomes a `#[tokio::test]` of its own, and makes a
//! place of its own:
//!
//! ```ignore
//! mod suite {
//!     actor_durable::store_suite!(super::MyPlace::new().await);
//! }
//! ```
//!
//! The crate that mounts it needs tokio's `macros`, `rt` and `time` features. A guard turns a wait that never ends into a
//! failure.
//!
//! | file | what it is about |
//! |---|---|
//! | `ownership` | leases, epochs, fences |
//! | `turns` | what a commit stores, field by field |
#![allow(clippy::missing_panics_doc, reason = "a suite speaks by panicking")]

mod dump;
mod ownership;
mod scene;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use actor_core::Executor;
use async_trait::async_trait;

pub use self::ownership::*;
pub use self::turns::*;
use crate::id::WallTime;
use crate::store::Store;

/// How long one case may take before it counts as hung. Generous, because a loaded machine is not a defect.
pub const CASE_DEADLINE: Duration = Duration::from_secs(60);

/// Where a store keeps what it keeps: a file, a database. Each case makes one, and it is empty.
#[async_trait]
pub trait Place: Send + Sync + 'static {
    /// Opens the store: with what is there if it was open before. A case opens it again only after it has dropped all that it
    /// had of the one before.
    async fn open(&self) -> Arc<dyn Store>;

    /// Lets the store's clock go on by so much, so that leases end. Where nothing can be done with the clock this waits.
    async fn pass(&self, time: Duration);

    /// What the store's clock shows, to a second or so.
    fn now(&self) -> WallTime {
        WallTime::from_unix(Executor::tokio().unix_time())
    }

    /// Whether what was kept is there when the store is opened again.
    fn survives_drop(&self) -> bool {
        true
    }
}

/// Generates one `#[tokio::test]` for each case of the [suite](mod@crate::testing::store_suite), each run in a
/// [`Place`](crate::testing::store_suite::Place) that the expression makes; it may await.
#[macro_export]
macro_rules! store_suite {
    ($place:expr) => {
        $crate::store_suite! { @cases $place;
            an_actor_begins_to_be_when_it_is_acquired,
            an_owner_without_a_lease_acquires_nothing,
            a_lease_is_prolonged,
            an_actor_is_held_as_long_as_its_owners_lease,
            a_retired_owner_holds_nothing,
            a_released_actor_is_free,
            a_held_actor_may_be_seized,
            an_owner_takes_its_own_again,
            an_epoch_is_never_less_than_it_must_be,
            crashes_are_counted_until_a_commit,
            whoever_does_not_own_an_actor_changes_and_reads_nothing,
            an_owner_whose_lease_is_over_goes_on_until_somebody_takes_the_actor,
            an_actor_that_is_not_there_is_said_to_be_none,
            an_actor_of_another_type_is_refused,
            a_commit_is_found_whole,
        }
    };
    (@cases $place:expr; $($case:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $case() {
                use $crate::testing::store_suite as suite;
                let place = $place;
                suite::guarded(suite::$case(&place)).await;
            }
        )*
    };
}

/// Runs a case and fails it when it hangs.
pub async fn guarded(case: impl Future<Output = ()>) {
    Executor::tokio().timeout(CASE_DEADLINE, case).await.expect("the case hangs");
}
