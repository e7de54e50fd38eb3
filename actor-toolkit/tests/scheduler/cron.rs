//! Schedules by cron expressions: which moments, and which when the clock is set.

use std::time::Duration;

use actor_core::ActorRef;
use actor_toolkit::scheduler::limits::CRON_BYTES_MAX;
use actor_toolkit::scheduler::{Cron, CronError, ScheduleError, Scheduler};

use super::with_wall_clock;
use crate::support::{Gate, Message, Note, heard, held, listener, pass, simulated};

const MINUTE: Duration = Duration::from_secs(60);

/// 2025-03-30T00:00:00Z, a Sunday: in most of Europe that night has an hour less.
const MIDNIGHT: u64 = 1_743_292_800;

/// The moments after midnight, in minutes.
fn minutes(expression: &str, count: usize) -> Vec<u64> {
    let cron: Cron = expression.parse().unwrap();
    let after = |unix: &Duration| cron.next_after(*unix);
    let first = cron.next_after(Duration::from_secs(MIDNIGHT - 1));
    let moments = std::iter::successors(first, after).take(count);
    moments.map(|unix| (unix.as_secs() - MIDNIGHT) / 60).collect()
}

#[test]
fn c31_an_expression_is_for_the_moments_it_says() {
    const HOUR: u64 = 60;
    const DAY: u64 = 24 * HOUR;
    assert_eq!(minutes("* * * * *", 3), [0, 1, 2]);
    assert_eq!(minutes("*/20 1,3 * * *", 7), [60, 80, 100, 180, 200, 220, DAY + 60]);
    assert_eq!(minutes("30 8-9 * * MON-FRI", 3), [DAY + 510, DAY + 570, 2 * DAY + 510]);
    assert_eq!(minutes("0 0 * * 0", 2), minutes("0 0 * * 7", 2));
    assert_eq!(minutes("0 12 L * *", 2), [DAY + 720, 31 * DAY + 720]);
    assert_eq!(minutes("@daily", 3), [0, DAY, 2 * DAY]);
    // The next 29th of February, thirty days before three years have passed.
    assert_eq!(minutes("0 0 29 2 *", 1), [(3 * 365 + 1 - 30) * DAY]);
    // With seconds.
    let cron: Cron = "15,45 * * * * *".parse().unwrap();
    let next = cron.next_after(Duration::from_millis(MIDNIGHT * 1_000 + 15_500)).unwrap();
    assert_eq!(next.as_secs() - MIDNIGHT, 45);
}

#[test]
fn c31_utc_has_no_summer_time() {
    // Each hour of the days on which Europe's clocks go forward and back, once.
    for midnight in [MIDNIGHT, 1_761_436_800] {
        let cron: Cron = "30 * * * *".parse().unwrap();
        let mut at = Duration::from_secs(midnight);
        for hour in 0..24 {
            at = cron.next_after(at).unwrap();
            assert_eq!(at.as_secs(), midnight + hour * 3_600 + 1_800);
        }
    }
}

#[test]
fn c31_a_wrong_expression_is_an_error_at_the_call() {
    let long = format!("{} * * * *", "1,".repeat(CRON_BYTES_MAX));
    let wrong = [
        "",
        " ",
        "* * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "a b c d e",
        "*/0 * * * *",
        "5-1 * * * *",
        "* * * * * * * *",
        "@never",
        "1..2 * * * *",
        "½ * * * *",
        "-1 * * * *",
    ];
    simulated(|system| async move {
        let (scheduler, actor) = (Scheduler::new(&system), listener(&system).await);
        for expression in wrong.into_iter().chain([&long[..]]) {
            let refused = scheduler.cron(&actor, expression, || Note(1)).unwrap_err();
            assert!(matches!(refused, ScheduleError::Cron(_)), "{expression:?}: {refused}");
        }
        assert_eq!(long.parse::<Cron>().unwrap_err(), CronError::TooLong(long.len()));
        // What never comes.
        for expression in ["0 0 30 2 *", "0 0 0 1 1 * 1999"] {
            assert_eq!(scheduler.cron(&actor, expression, || Note(1)).unwrap_err(), ScheduleError::Never);
        }
        actor.stop_and_wait(None, None).await.unwrap();
        let refused = scheduler.cron(&actor, "* * * * *", || Note(1)).unwrap_err();
        assert!(matches!(refused, ScheduleError::Stopped(Some(_))));
    });
}

#[test]
fn c31_no_text_makes_the_parser_panic() {
    // SplitMix64 over the letters that expressions have.
    let letters = b"0123456789*/,-?#LW@ abcMONJAN. \t";
    let mut state = 7_u64;
    for _ in 0..20_000 {
        let mut draw = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            usize::try_from(z >> 40).unwrap()
        };
        let length = draw() % 30;
        let text: String = (0..length).map(|_| char::from(letters[draw() % letters.len()])).collect();
        if let Ok(cron) = text.parse::<Cron>() {
            _ = cron.next_after(Duration::from_secs(MIDNIGHT));
        }
    }
}

/// Ticks each hour, on the hour; begins at midnight.
async fn hourly(scheduler: &Scheduler, actor: &ActorRef<Message>) -> actor_toolkit::scheduler::Schedule {
    let mut number = 0;
    let next = move || {
        number += 1;
        Note(number)
    };
    let schedule = scheduler.cron(actor, "0 * * * *", next).unwrap();
    assert_eq!(heard(actor).await, []);
    schedule
}

#[test]
fn c31_a_cron_schedule_ticks_and_is_cancelled() {
    with_wall_clock(|system, clock| async move {
        clock.set(MIDNIGHT);
        let (scheduler, actor) = (Scheduler::new(&system), listener(&system).await);
        let schedule = hourly(&scheduler, &actor).await;
        pass(&system, 59 * MINUTE).await;
        assert_eq!(schedule.sent(), 0);
        pass(&system, 2 * MINUTE).await;
        assert_eq!(heard(&actor).await, [1]);
        pass(&system, 120 * MINUTE).await;
        assert_eq!(heard(&actor).await, [1, 2, 3]);
        schedule.cancel();
        pass(&system, 120 * MINUTE).await;
        assert_eq!((heard(&actor).await, schedule.is_over()), (vec![1, 2, 3], true));
    });
}

#[test]
fn c31_a_clock_that_is_set_forward_passes_moments_over_once() {
    with_wall_clock(|system, clock| async move {
        clock.set(MIDNIGHT);
        let (scheduler, actor) = (Scheduler::new(&system), listener(&system).await);
        let schedule = hourly(&scheduler, &actor).await;
        pass(&system, 30 * MINUTE).await;
        // From half past midnight to half past five: five moments are one.
        clock.step(5 * 3_600);
        pass(&system, MINUTE).await;
        assert_eq!((heard(&actor).await, schedule.sent()), (vec![1], 1));
        pass(&system, 28 * MINUTE).await;
        assert_eq!(schedule.sent(), 1);
        pass(&system, 2 * MINUTE).await;
        assert_eq!(heard(&actor).await, [1, 2]);
    });
}

#[test]
fn c31_a_clock_that_is_set_back_a_little_brings_no_moment_again() {
    with_wall_clock(|system, clock| async move {
        clock.set(MIDNIGHT);
        let (scheduler, actor) = (Scheduler::new(&system), listener(&system).await);
        let schedule = hourly(&scheduler, &actor).await;
        pass(&system, 70 * MINUTE).await;
        assert_eq!(heard(&actor).await, [1]);
        // From ten past one to ten past eleven, the evening before: eleven and one come with two.
        clock.step(-2 * 3_600);
        pass(&system, 169 * MINUTE).await;
        assert_eq!(schedule.sent(), 1);
        pass(&system, 2 * MINUTE).await;
        assert_eq!(heard(&actor).await, [1, 2]);
    });
}

#[test]
fn c31_a_clock_that_was_wrong_is_believed_when_it_is_set_back() {
    with_wall_clock(|system, clock| async move {
        // Years ahead of what it is.
        clock.set(MIDNIGHT + 100_000_000);
        let (scheduler, actor) = (Scheduler::new(&system), listener(&system).await);
        let schedule = hourly(&scheduler, &actor).await;
        pass(&system, MINUTE).await;
        clock.set(MIDNIGHT);
        pass(&system, 59 * MINUTE).await;
        assert_eq!(schedule.sent(), 0);
        pass(&system, 2 * MINUTE).await;
        assert_eq!(heard(&actor).await, [1]);
        pass(&system, 60 * MINUTE).await;
        assert_eq!(heard(&actor).await, [1, 2]);
    });
}

#[test]
fn c31_what_falls_due_while_there_is_no_room_is_left_out() {
    with_wall_clock(|system, clock| async move {
        clock.set(MIDNIGHT);
        let (scheduler, gate) = (Scheduler::new(&system), Gate::default());
        let actor = held(&system, 1, &gate).await;
        let schedule = scheduler.cron(&actor, "0 * * * *", || Note(1)).unwrap();
        // One in the mailbox, one that waits, and three that are left out.
        pass(&system, 330 * MINUTE).await;
        assert_eq!(schedule.sent(), 1);
        gate.open();
        pass(&system, MINUTE).await;
        assert_eq!(schedule.sent(), 2);
        pass(&system, 30 * MINUTE).await;
        assert_eq!(heard(&actor).await, [1, 1, 1]);
    });
}

#[test]
fn c31_a_clock_that_is_set_back_while_there_is_no_room_brings_no_moment_again() {
    with_wall_clock(|system, clock| async move {
        clock.set(MIDNIGHT);
        let (scheduler, gate) = (Scheduler::new(&system), Gate::default());
        let actor = held(&system, 1, &gate).await;
        let schedule = scheduler.cron(&actor, "0 * * * *", || Note(1)).unwrap();
        // One's is in the mailbox, two's waits for room, and it is ten past midnight again.
        pass(&system, 130 * MINUTE).await;
        clock.step(-2 * 3_600);
        gate.open();
        pass(&system, MINUTE).await;
        assert_eq!(schedule.sent(), 2);
        pass(&system, 168 * MINUTE).await;
        assert_eq!(schedule.sent(), 2);
        pass(&system, 2 * MINUTE).await;
        assert_eq!(heard(&actor).await, [1, 1, 1]);
    });
}

#[test]
fn c31_a_clock_that_was_wrong_is_believed_when_it_is_set_back_while_there_is_no_room() {
    with_wall_clock(|system, clock| async move {
        // Years ahead of what it is, while one's is in the mailbox and two's waits for room.
        clock.set(MIDNIGHT + 100_000_000 / 3_600 * 3_600);
        let (scheduler, gate) = (Scheduler::new(&system), Gate::default());
        let actor = held(&system, 1, &gate).await;
        let schedule = scheduler.cron(&actor, "0 * * * *", || Note(1)).unwrap();
        pass(&system, 130 * MINUTE).await;
        clock.set(MIDNIGHT + 60);
        gate.open();
        pass(&system, MINUTE).await;
        assert_eq!(schedule.sent(), 2);
        pass(&system, 57 * MINUTE).await;
        assert_eq!(schedule.sent(), 2);
        pass(&system, 2 * MINUTE).await;
        assert_eq!(heard(&actor).await, [1, 1, 1]);
    });
}
