//! Supervisors: each test is written against a [`Cradle`] and runs with children that may
//! move and children that stay on their thread, on a clock that only moves when everybody
//! waits.

mod dynamic;
mod family;
mod health;
mod limits;
mod meddling;
mod random;
mod strategies;
mod trees;

macro_rules! mount {
    ($($room:ident::$test:ident),* $(,)?) => {
        mod children_in_paused_time {
            use super::family::Movable;
            use actor_core::ActorSystem;
            $(#[tokio::test(start_paused = true)]
            async fn $test() {
                super::$room::$test(Movable::new(ActorSystem::new())).await;
            })*
        }

        mod children_in_virtual_time {
            use super::family::Movable;
            use actor_testkit::{Order, Simulation};
            $(#[test]
            fn $test() {
                for order in [Order::Fifo, Order::Seeded(3), Order::Seeded(11)] {
                    let mut simulation = Simulation::new(order);
                    let cradle = Movable::new(simulation.system());
                    simulation.block_on(super::$room::$test(cradle));
                }
            })*
        }

        mod local_children_in_virtual_time {
            use super::family::Bound;
            use actor_testkit::{Order, Simulation};
            $(#[test]
            fn $test() {
                for order in [Order::Fifo, Order::Seeded(5)] {
                    let mut simulation = Simulation::new(order);
                    let cradle = Bound::new(simulation.system());
                    simulation.block_on(super::$room::$test(cradle));
                }
            })*
        }
    };
}

mount! {
    strategies::c01_only_the_child_that_failed_starts_again,
    strategies::c02_all_stop_in_reverse_order_and_start_in_order_once,
    strategies::c03_those_after_it_start_again_and_those_before_do_not,
    strategies::c04_c05_c06_who_starts_again_after_what,
    strategies::c12_a_failure_is_noticed_by_itself,
    strategies::what_waits_in_the_mailbox_outlives_a_siblings_failure,

    limits::c07_one_restart_too_many_in_the_window_ends_it_all,
    limits::c07_older_restarts_age_out,
    limits::c08_delays_double_and_the_supervisor_answers_meanwhile,
    limits::c08_a_stable_child_begins_anew,
    limits::c08_a_delay_is_over_only_for_who_waits_for_it,
    limits::c08_a_time_to_stop_is_over_only_for_who_has_not,
    limits::c10_what_the_builder_was_told_is_what_happens,

    health::c09_checks_that_fail_in_a_row_are_one_restart,
    health::c09_a_check_of_a_former_life_does_not_count,
    health::c09_a_slow_check_and_one_that_panics_have_failed,
    health::a_check_may_panic_when_it_is_given_up,

    trees::a30_a_child_is_found_by_its_path,
    trees::c11_a_supervisor_over_its_limit_fails_and_its_own_decides,
    trees::c28_an_error_that_is_escalated_ends_the_family_in_peace,
    trees::a_supervisor_ends_its_children_from_the_last_to_the_first,
    trees::a_child_that_does_not_stop_in_time_is_killed,
    trees::a_supervisor_that_is_killed_takes_its_children_along,
    trees::a_child_that_does_not_start_undoes_the_start,

    meddling::children_that_fall_together_start_again_once,
    meddling::a_child_that_is_about_to_start_is_halted_too,
    meddling::a_child_that_a_stranger_starts_again_is_up,
    meddling::a_child_that_a_stranger_starts_again_is_ended_all_the_same,
    meddling::a_child_that_was_away_and_is_back_has_fallen_once,
    meddling::a_child_that_was_taken_away_is_not_waited_for,
    meddling::a_child_that_was_taken_away_while_it_waits_is_let_go,
    meddling::the_end_of_a_child_that_was_taken_away_is_heard_of,
    meddling::a_child_that_is_ended_while_it_starts_has_its_time_and_no_more,
    meddling::a_child_that_is_ended_while_it_fails_to_start_has_ended,
    meddling::a_launch_of_a_former_life_is_not_news_of_the_next,
    meddling::a_child_that_was_launched_is_ended_with_the_others,
    meddling::a_stranger_under_the_supervisor_is_not_remembered,
    meddling::a_child_that_does_not_begin_again_is_kept,
    meddling::a_specification_that_panics_when_dropped_harms_nobody,
    dynamic::children_come_and_go,
    dynamic::a_child_that_does_not_start_is_not_there,
    dynamic::a_child_is_ended_while_it_starts,
    dynamic::a_child_that_does_not_begin_again_holds_up_nobody,
    dynamic::what_a_supervisor_does_not_know_it_says,
}
