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
//! | `refusals` | what commits are refused |
//! | `snapshots` | states that are stored beside the journal, and what is trimmed |
//! | `inbox` | what is put into inboxes, once and in order, and attempts |
//! | `transfers` | messages that move from an outbox to an inbox |
//! | `undelivered` | messages that leave an outbox without having arrived |
//! | `dead_letters` | what is given up, revived and purged |
//! | `reminders` | what is due, and what fires |
//! | `lists` | the actors, those that have something to do, and arrivals |
//! | `deletion` | what is deleted for good |
//! | `concurrency` | many callers at once |
//! | `promises` | rows of `docs/missions.md`, whole |
//! | `oracle` | whatever comes, beside the store in memory |
#![allow(clippy::missing_panics_doc, reason = "a suite speaks by panicking")]

mod concurrency;
mod dead_letters;
mod deletion;
pub(super) mod dice;
pub(super) mod dump;
mod inbox;
mod lists;
mod oracle;
mod ownership;
mod promises;
mod refusals;
mod reminders;
mod scene;
mod snapshots;
mod transfers;
mod turns;
mod undelivered;

use std::sync::Arc;
use std::time::Duration;

use actor_core::Executor;
use async_trait::async_trait;

pub use self::concurrency::*;
pub use self::dead_letters::*;
pub use self::deletion::*;
pub use self::inbox::*;
pub use self::lists::*;
pub use self::oracle::*;
pub use self::ownership::*;
pub use self::promises::*;
pub use self::refusals::*;
pub use self::reminders::*;
pub use self::snapshots::*;
pub use self::transfers::*;
pub use self::turns::*;
pub use self::undelivered::*;
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
            a_lease_that_was_over_begins_anew,
            an_actor_is_held_as_long_as_its_owners_lease,
            a_retired_owner_holds_nothing,
            a_released_actor_is_free,
            a_held_actor_may_be_seized,
            an_owner_takes_its_own_again,
            an_epoch_is_never_less_than_it_must_be,
            an_epoch_with_no_room_above_it_is_refused,
            crashes_are_counted_until_a_commit,
            whoever_does_not_own_an_actor_changes_and_reads_nothing,
            an_owner_whose_lease_is_over_goes_on_until_somebody_takes_the_actor,
            an_actor_that_is_not_there_is_said_to_be_none,
            an_actor_of_another_type_is_refused,
            a_commit_is_found_whole,
            entries_are_read_from_anywhere,
            a_commit_of_an_earlier_time_is_stored_as_it_is,
            a_commit_brings_a_state_or_leaves_it,
            the_last_word_on_a_name_counts,
            what_is_handled_leaves_the_inbox,
            a_double_is_dropped_in_the_commit_of_the_first,
            handled_messages_are_remembered_in_order_until_forgotten,
            what_waits_is_not_forgotten,
            what_is_given_up_is_a_dead_letter,
            a_horizon_never_goes_back,
            what_has_arrived_leaves_the_outbox,
            an_ended_actor_accepts_nothing,
            a_commit_at_another_place_is_refused,
            a_malformed_commit_is_refused,
            what_is_malformed_is_refused_whoever_asks,
            what_no_state_covers_is_not_trimmed,
            what_is_too_large_is_refused,
            a_commit_has_bounds,
            the_rows_of_a_commit_are_bounded,
            what_was_handled_is_not_handled_again,
            what_is_not_in_the_inbox_does_not_leave_it,
            reminders_are_bounded,
            children_are_bounded,
            dead_letters_are_bounded,
            a_state_is_stored_beside_the_journal,
            what_is_trimmed_is_said_to_be,
            an_older_state_changes_nothing,
            a_state_of_nothing_is_refused,
            an_actor_begins_to_be_with_a_message,
            a_message_is_found_whole,
            messages_lie_in_the_order_they_came,
            a_message_is_stored_once,
            a_message_that_is_refused_is_not_stored,
            a_horizon_in_the_future_keeps_nobody_from_sending,
            attempts_are_counted,
            a_message_moves_from_an_outbox_to_an_inbox,
            a_message_moves_to_whomever_it_goes,
            what_the_receiver_knows_only_leaves_the_outbox,
            what_the_receiver_refuses_stays_in_the_outbox,
            whoever_does_not_own_the_sender_moves_nothing,
            what_is_given_up_leaves_the_outbox,
            whoever_gives_up_tells_the_sender,
            a_notice_that_is_left_out_is_not_judged,
            an_ended_sender_is_not_told,
            what_cannot_be_given_up_stays_in_the_outbox,
            what_was_given_up_is_listed,
            what_was_given_up_is_delivered_after_all,
            what_was_given_up_and_told_is_not_answered_again,
            what_the_receiver_refuses_again_stays_given_up,
            what_was_given_up_is_discarded,
            what_was_given_up_is_bounded,
            dead_letters_are_listed,
            a_dead_letter_is_revived,
            a_revived_message_waits,
            a_dead_letter_is_purged,
            a_dead_letter_outlives_what_is_remembered,
            reminders_are_due_when_they_say,
            reminders_are_read_by_pages, a_reminder_is_found_whole,
            a_reminder_fires,
            a_reminder_that_is_not_there_does_not_fire,
            a_reminder_that_is_set_again_is_another,
            a_reminder_fires_once_and_however_late,
            a_firing_happens_whole_or_not,
            reminders_outlive_their_owner,
            actors_are_listed,
            actors_that_have_something_to_do_are_listed,
            actors_of_owners_without_a_lease_are_listed,
            pages_are_bounded,
            pages_of_large_rows_have_fewer_of_them,
            pages_of_large_reminders_have_fewer_of_them,
            arrivals_are_told,
            whoever_is_behind_misses_nothing_unknowingly,
            a_wait_for_arrivals_can_be_given_up,
            a_deleted_actor_leaves_nothing,
            messages_of_a_deleted_actor_are_new,
            owners_of_a_deleted_actor_stay_fenced,
            an_ended_actor_can_be_deleted,
            one_of_many_acquires_an_actor,
            no_two_owners_have_one_epoch,
            one_of_many_commits_at_one_place,
            many_that_send_the_same_send_it_once,
            each_senders_messages_lie_in_order,
            owners_that_fight_leave_a_journal_without_a_gap,
            a_reminder_is_fired_by_one_of_many,
            d12_state_of_a_former_owner_or_from_a_former_place_is_refused,
            d15_what_is_not_in_the_owners_inbox_is_not_acknowledged,
            d16_a_message_keeps_all_it_carries_wherever_it_lies,
            whatever_comes_a_store_does_as_the_one_in_memory,
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
