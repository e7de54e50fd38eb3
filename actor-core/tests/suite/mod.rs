//! The life of an actor: written once, mounted for every door.
//!
//! A test here is an `async fn` over a [`Door`](crate::support::Door). It may
//! not spawn tokio tasks nor ask tokio for the time, since half of the doors
//! stand in a simulation.

mod abandoned;
mod attached;
mod drain;
mod ends;
mod errors;
mod forward;
mod groups;
mod hostile;
mod instant;
mod itself;
mod links;
mod mailbox;
mod multi;
mod names;
mod output;
mod policies;
mod restart;
mod start;
mod stop;
mod time;
mod traced;
mod trouble;
mod watch;

macro_rules! mount {
    ($($room:ident::$test:ident),* $(,)?) => {
        mod actors_on_tokio {
            use crate::support::SendDoor;
            use actor_core::ActorSystem;
            $(#[tokio::test]
            async fn $test() {
                super::$room::$test(SendDoor::new(ActorSystem::new())).await;
            })*
        }

        mod local_actors_on_tokio {
            use crate::support::LocalDoor;
            use actor_core::ActorSystem;
            $(#[tokio::test]
            async fn $test() {
                super::$room::$test(LocalDoor::new(ActorSystem::new())).await;
            })*
        }

        // On two threads: one for the actors, one for the test.
        mod colocated_actors_on_tokio {
            use crate::support::ColocatedDoor;
            use actor_core::ActorSystem;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
            async fn $test() {
                super::$room::$test(ColocatedDoor::new(ActorSystem::new())).await;
            })*
        }

        mod simulated_actors {
            use actor_testkit::{Order, Simulation};

            use crate::support::SendDoor;
            $(#[test]
            fn $test() {
                let mut simulation = Simulation::new(Order::Fifo);
                let door = SendDoor::new(simulation.system());
                simulation.block_on(super::$room::$test(door));
            })*
        }

        mod simulated_colocated_actors {
            use actor_testkit::{Order, Simulation};

            use crate::support::ColocatedDoor;
            $(#[test]
            fn $test() {
                let mut simulation = Simulation::new(Order::Seeded(7));
                let door = ColocatedDoor::new(simulation.system());
                simulation.block_on(super::$room::$test(door));
            })*
        }

        mod simulated_local_actors {
            use actor_testkit::{Order, Simulation};

            use crate::support::LocalDoor;
            $(#[test]
            fn $test() {
                let mut simulation = Simulation::new(Order::Seeded(7));
                let door = LocalDoor::new(simulation.system());
                simulation.block_on(super::$room::$test(door));
            })*
        }
    };
}

mount! {
    start::a01_pre_start_error_goes_to_the_spawner,
    start::a01_pre_start_panic_goes_to_the_spawner,
    start::a01_what_pre_start_had_made_goes_when_it_fails,
    start::a02_hooks_run_in_order,
    start::messages_wait_for_the_start,
    start::a_stop_before_the_start_waits_for_it,
    start::a_drain_before_the_start_handles_what_had_come,
    start::dropping_the_spawn_in_pre_start_leaves_nothing,
    start::dropping_the_spawn_unpolled_leaves_nothing,
    start::no_start_under_a_supervisor_that_drains_or_stopped,
    start::the_system_of_a_hook_is_its_actors,
    start::unusable_options_are_an_error,

    instant::messages_queue_before_an_instant_start,
    instant::a_stop_before_an_instant_start_waits_for_it,
    instant::a_drain_before_an_instant_start_handles_what_had_come,
    instant::a11_a_kill_before_an_instant_start_ends_it,
    instant::what_can_be_known_at_once_is_told_at_once,
    instant::a01_an_instant_start_that_fails_is_told_to_nobody_else,
    instant::an_instant_start_is_linked_after_pre_start,
    instant::no_instant_start_under_a_supervisor_that_drains_or_stopped,
    instant::a_supervisor_may_stop_before_an_instant_start,
    instant::an_instant_start_goes_on_when_nobody_asks_what_became_of_it,

    stop::a05_stop_lets_the_hook_finish_and_runs_post_stop,
    stop::a07_an_actor_lives_on_without_addresses,
    stop::a08_status_only_moves_forward,
    stop::a10_kill_then_stop_then_supervision_then_messages,
    stop::a11_kill_does_not_wait_for_the_hook_and_stop_does,
    stop::a26_drain_handles_what_was_accepted_and_accepts_no_more,
    stop::a_stop_cuts_a_drain_short,
    stop::only_the_first_stop_counts,
    stop::stopping_a_dead_actor_tells_how_it_ended,
    stop::any_number_may_wait_before_and_after_the_end,

    ends::a11_a_kill_ends_any_hook_at_any_await_point,
    ends::a05_a_stop_or_a_drain_in_any_hook_lets_it_finish,
    ends::an_end_has_one_order,
    ends::a15_a_supervisor_may_use_the_name_again_at_once,
    ends::a_child_in_its_post_stop_goes_with_its_parent,
    ends::a_circle_of_links_ends_together,
    ends::what_each_phase_says_to_a_sender,

    trouble::a12_panic_reaches_supervisor,
    trouble::an_error_in_any_hook_is_a_failure,
    trouble::an_error_tells_its_causes,
    trouble::a_hook_may_fail_with_what_it_could_not_send,
    trouble::a_panic_before_the_first_await_is_caught_too,
    trouble::the_state_goes_between_the_name_and_the_end,
    trouble::a_state_that_panics_when_dropped,
    trouble::a_state_that_panics_when_dropped_does_not_hurt_the_supervisor,
    trouble::a_refused_state_that_panics_when_dropped,
    trouble::a_state_that_panics_when_dropped_after_a_panic,
    trouble::a_queued_message_that_panics_when_dropped,
    trouble::a_listener_that_panics_does_not_keep_others_waiting,

    errors::c28_an_error_resumes,
    errors::c28_an_error_restarts,
    errors::c28_an_error_stops,
    errors::c28_an_error_escalates,
    errors::c28_an_error_about_a_child_is_an_error_too,
    errors::an_error_policy_that_panics_is_a_panic,

    drain::a26_an_actor_that_says_so_finishes_its_work_before_it_drains,
    drain::a26_a_supervisor_drains_it_so_within_the_time_for_it,
    drain::a26_what_a_drain_calls_is_of_one_life,
    drain::what_a_drain_calls_goes_with_its_actor,

    links::children_are_shut_down_from_the_last_to_the_first,
    links::a_shut_down_actor_says_how_it_ended,
    links::a04_the_supervisor_hears_of_each_event_once,
    links::a_death_climbs_the_tree_unless_handled,
    links::a_stopping_parent_kills_its_children_after_post_stop,
    links::a_child_that_drains_goes_with_its_parent,
    links::relinking_moves_the_child,
    links::a_suspended_child_is_its_next_supervisors_to_decide,
    links::unlinking_sets_the_child_free,
    links::a_link_to_a_stopping_supervisor_keeps_the_former,
    links::a_child_that_never_started_is_not_the_supervisors_business,

    itself::a12_an_actor_that_calls_itself_fails,
    itself::a12_whatever_way_it_calls_itself,
    itself::a12_an_actor_that_waits_for_its_own_end_fails,
    itself::an_actor_may_be_killed_by_its_own_hook,
    itself::what_runs_beside_its_hooks_may_call_an_actor,

    restart::a_restarted_actor_keeps_all_but_the_message_in_hand,
    restart::whatever_ended_the_life_it_can_begin_again,
    restart::the_reason_of_a_stop_ends_with_the_life,
    restart::a_released_actor_ends_with_its_life,
    restart::a_released_actor_ends_at_once_when_suspended,
    restart::who_was_to_decide_is_gone,
    restart::a_new_life_begins_when_the_children_of_the_former_are_gone,
    restart::a_restart_that_fails_can_be_tried_again,
    restart::what_is_asked_of_a_suspended_actor_is_asked_of_its_next_life,
    restart::watches_are_of_actors_and_watching_is_of_lives,
    restart::whatever_panics_when_dropped_the_life_ends_in_order,
    restart::what_makes_an_actor_may_panic_when_it_is_dropped,
    restart::only_a_supervised_actor_is_restartable,
    restart::asking_for_what_cannot_be_changes_nothing,

    watch::a21_watch_tells_of_the_end_once_and_of_the_dead_at_once,
    watch::each_watch_tells_once,
    watch::an_ended_watch_is_silent,
    watch::watchers_that_are_gone_do_not_pile_up,
    watch::a_listener_may_speak_to_the_actor_while_it_is_dropped,

    names::a15_a_name_has_one_holder_and_is_free_after_stop,
    names::a_name_is_free_in_post_stop_and_stays_with_its_next_holder,

    groups::a20_groups_hold_exactly_their_members,
    groups::a20_scopes_know_nothing_of_each_other,
    groups::a20_those_who_watch_hear_of_each_change_once,
    groups::watching_groups_ends_with_the_life,
    groups::a_stopping_actor_leaves_its_groups_and_joins_none,

    mailbox::a13_messages_of_one_sender_stay_in_order,
    mailbox::c13_a_bounded_mailbox_holds_no_more_than_its_bound,
    mailbox::c14_send_waits_for_room,
    mailbox::c14_a_cancelled_send_takes_no_room,
    mailbox::c16_cast_gives_the_message_back_when_full,
    mailbox::a_full_mailbox_holds_up_no_control,
    mailbox::a_send_that_nobody_polls_does_not_hold_up_the_end,
    mailbox::a_waiting_send_fails_when_the_actor_drains_or_ends,
    mailbox::all_who_wait_get_their_message_back,
    mailbox::what_is_queued_is_handled_without_any_address_left,
    mailbox::an_actor_that_floods_itself_meets_its_bound,
    mailbox::messages_of_no_size_are_counted_too,

    policies::c15_what_is_dropped_for_the_newest_is_counted,
    policies::c15_what_is_dropped_for_the_oldest_is_counted,
    policies::c16_nobody_waits_where_the_full_mailbox_rejects,
    policies::c20_the_urgent_go_first_and_nobody_waits_for_ever,
    policies::c20_priorities_share_the_bound_and_the_close,
    policies::c23_the_depth_is_what_came_less_what_left,
    policies::a_sorting_that_panics_fails_the_actor_and_takes_no_room,
    policies::a_mailbox_that_sorts_cannot_drop_its_oldest,

    trouble::whatever_panics_when_dropped_the_actor_ends_in_order,
    trouble::a_message_that_panics_when_its_handler_drops_it,

    hostile::a_payload_that_panics_when_dropped_goes_no_further,
    hostile::a_listener_that_panics_keeps_no_other_from_being_told,
    hostile::an_error_that_panics_when_read_or_dropped_fails_the_start,
    hostile::a_callers_waker_that_panics_does_not_harm_the_actor,
    hostile::a_waiters_waker_may_come_back_when_it_is_dropped,
    hostile::an_actor_that_is_flooded_by_events_lets_others_run,

    traced::a22_a_handler_runs_in_the_span_of_its_sender,
    traced::a22_whatever_way_a_message_is_sent,
    traced::a22_an_actor_that_is_not_traced_captures_nothing,
    traced::a22_who_waits_for_room_sends_in_the_span_of_its_first_poll,
    traced::a22_spans_go_with_messages_that_are_dropped,
    traced::a22_spans_stay_with_messages_that_are_sorted,
    traced::a22_queued_messages_keep_their_spans_from_life_to_life,
    traced::a22_a_handler_is_dropped_inside_its_span_however_it_ends,
    traced::a22_hooks_that_handle_no_message_have_no_span,
    traced::a22_a_subscriber_that_panics_loses_no_message,

    abandoned::a_send_dropped_before_it_is_polled_sends_nothing,
    abandoned::a_send_dropped_after_it_was_given_a_place_gives_it_on,
    abandoned::a_call_dropped_while_it_waits_for_room_was_not_sent,
    abandoned::a_call_dropped_while_it_waits_for_its_answer_is_seen_by_its_port,
    abandoned::a_port_that_is_dropped_with_what_held_it,
    abandoned::a14_a_call_that_no_handler_has_seen_is_told_so,
    abandoned::a14_a_call_that_a_handler_sent_on_may_have_run,
}

/// The same, with virtual time in the simulation and paused time on tokio. A
/// `LocalSpawner`'s thread has a clock of its own there, which does not pause.
macro_rules! mount_with_virtual_time {
    ($($room:ident::$test:ident),* $(,)?) => {
        mod actors_in_paused_time {
            use crate::support::SendDoor;
            use actor_core::ActorSystem;
            $(#[tokio::test(start_paused = true)]
            async fn $test() {
                super::$room::$test(SendDoor::new(ActorSystem::new())).await;
            })*
        }

        mod actors_in_virtual_time {
            use actor_testkit::{Order, Simulation};

            use crate::support::SendDoor;
            $(#[test]
            fn $test() {
                let mut simulation = Simulation::new(Order::Fifo);
                let door = SendDoor::new(simulation.system());
                simulation.block_on(super::$room::$test(door));
            })*
        }

        mod colocated_actors_in_paused_time {
            use crate::support::ColocatedDoor;
            use actor_core::ActorSystem;
            $(#[tokio::test(start_paused = true)]
            async fn $test() {
                super::$room::$test(ColocatedDoor::new(ActorSystem::new())).await;
            })*
        }

        mod colocated_actors_in_virtual_time {
            use actor_testkit::{Order, Simulation};

            use crate::support::ColocatedDoor;
            $(#[test]
            fn $test() {
                let mut simulation = Simulation::new(Order::Fifo);
                let door = ColocatedDoor::new(simulation.system());
                simulation.block_on(super::$room::$test(door));
            })*
        }

        mod local_actors_in_virtual_time {
            use actor_testkit::{Order, Simulation};

            use crate::support::LocalDoor;
            $(#[test]
            fn $test() {
                let mut simulation = Simulation::new(Order::Seeded(7));
                let door = LocalDoor::new(simulation.system());
                simulation.block_on(super::$room::$test(door));
            })*
        }
    };
}

mount_with_virtual_time! {
    time::a14_a_call_times_out_and_a_late_answer_is_harmless,
    time::b17_a_call_may_take_the_default_timeout,
    time::a14_a_call_that_finds_no_room_was_not_sent,
    time::a14_a_call_is_answered_or_told_why_not,
    time::a_wait_times_out_and_the_actor_goes_on,
    time::a11_a_hook_that_sleeps_for_ever,
    time::a14_a_port_that_is_kept_for_ever_times_out,

    policies::c21_what_has_expired_is_skipped_and_counted,
    multi::a14_each_of_many_calls_ends_for_itself,
    multi::a14_many_calls_within_no_time_and_all_time,
    multi::c14_many_calls_wait_for_room,
    multi::c14_a_place_that_comes_free_is_taken_while_another_is_waited_for,
    multi::many_calls_that_are_given_up,
    multi::nobody_is_called,
    multi::a_thousand_are_called,

    output::a24_each_subscriber_gets_what_is_for_it,
    output::a24_a_full_subscriber_loses_nothing_and_delays_nobody,
    output::a24_a_subscriber_that_restarts_loses_nothing,
    output::a24_a_dead_subscriber_is_let_go,
    output::a24_what_waits_is_dropped_when_it_is_cancelled,
    output::a24_a_port_whose_subscriber_is_too_far_behind_gives_the_value_back,
    output::a24_a_subscriber_that_may_lose_loses_the_oldest_and_they_are_counted,
    output::a24_a_subscription_that_may_not_lose_fails_alone,
    output::a24_a_subscriber_whose_mailbox_lets_nobody_wait_loses_nothing,
    output::a24_a_burst_past_one_that_stands_still_reaches_all_others,

    forward::an_answer_is_forwarded,
    forward::a14_only_an_answer_is_forwarded,
    forward::c14_a_forward_waits_for_room_on_both_sides,
    forward::a_forward_is_part_of_whoever_asked_for_it,

    traced::a22_a_trace_goes_on_through_what_a_handler_sends,
    traced::a22_what_is_attached_runs_in_the_span_it_was_attached_in,
    traced::a22_what_waits_in_a_port_keeps_its_span,

    attached::a_future_is_piped_to_its_actor,
    attached::what_is_attached_ends_with_the_life,
    attached::what_is_attached_ends_before_post_stop,
    attached::what_is_attached_can_be_cancelled,
    attached::timers_do_what_they_say_when_they_say,
    attached::timers_may_be_set_before_the_start,
    attached::an_interval_is_over_when_its_actor_takes_no_more,
    attached::an_interval_that_is_late_does_as_it_was_told,
    attached::a_stream_waits_for_room,
    attached::a_timer_waits_for_room_where_nobody_else_may,
    attached::what_never_waits_lets_others_run,
    attached::an_attached_future_that_panics_fails_its_actor,
    attached::a_future_that_was_cancelled_fails_nobody,
    attached::nothing_is_attached_to_the_dead,
    attached::an_attached_future_may_panic_when_it_is_dropped,
    attached::what_is_attached_too_late_is_not_of_the_next_life,
}
