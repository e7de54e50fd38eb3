//! Once, at a moment of the wall clock.

use std::time::Duration;

use actor_toolkit::scheduler::Scheduler;

use super::with_wall_clock;
use crate::support::{Note, heard, listener, pass};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn c31_a_moment_of_the_wall_clock_comes_when_it_shows_it() {
    with_wall_clock(|system, clock| async move {
        let (scheduler, actor) = (Scheduler::new(&system), listener(&system).await);
        clock.set(1_000_000);
        let at = |seconds| Duration::from_secs(seconds);
        // Such a moment has been.
        scheduler.once_at(&actor, at(999_999), Note(0)).unwrap();
        scheduler.once_at(&actor, at(1_000_100), Note(1)).unwrap();
        scheduler.once_at(&actor, at(1_005_000), Note(2)).unwrap();
        scheduler.once_at(&actor, at(1_009_000), Note(3)).unwrap();
        pass(&system, 99 * SECOND).await;
        assert_eq!(heard(&actor).await, [0]);
        pass(&system, SECOND).await;
        assert_eq!(heard(&actor).await, [0, 1]);
        // Set forward, past one: it is noticed within a minute.
        clock.set(1_006_000);
        pass(&system, 60 * SECOND).await;
        assert_eq!(heard(&actor).await, [0, 1, 2]);
        // Set back, by however much: it waits, and nothing comes again.
        clock.set(900_000);
        pass(&system, 108_999 * SECOND).await;
        assert_eq!(heard(&actor).await, [0, 1, 2]);
        pass(&system, SECOND).await;
        assert_eq!(heard(&actor).await, [0, 1, 2, 3]);
    });
}
