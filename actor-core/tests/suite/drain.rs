//! An actor that has work beside its mailbox, and is drained.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use actor_core::{ActorRef, Exit, SendError, Shutdown, SpawnOptions, Status};

use crate::support::{Door, Entry, Log, Message, Probe, dead, pass, settled};

const MS: Duration = Duration::from_millis(1);

/// Has it told itself of a drain.
fn note_drains(actor: &ActorRef<Message>) {
    let weak = actor.downgrade();
    actor.cell().on_drain(move || {
        if let Some(actor) = weak.upgrade() {
            actor.cast(Message::Note(99)).unwrap();
        }
    });
}

fn notes(log: &Log) -> usize {
    log.entries().iter().filter(|entry| **entry == Entry::Note(99)).count()
}

pub(super) async fn a26_an_actor_that_says_so_finishes_its_work_before_it_drains(door: impl Door) {
    let log = Log::default();
    let actor = door.spawn(Probe::new(&log)).await;
    note_drains(&actor);
    actor.drain();
    actor.drain();
    settled(&actor).await;
    assert_eq!((actor.status(), notes(&log)), (Status::Running, 2));
    // It goes on until it says that it is done.
    actor.cast(Message::Note(1)).unwrap();
    actor.cell().drain_mailbox();
    // Whether it has ended meanwhile is for the threads to decide.
    assert!(matches!(actor.cast(Message::Note(2)), Err(SendError::Stopped(Message::Note(2), _))));
    assert_eq!(actor.wait(None).await, Ok(Exit::Drained));
    let entries = log.entries();
    assert_eq!(entries[entries.len() - 3..], [Entry::Note(1), Entry::PostStop, Entry::Dropped]);
}

pub(super) async fn a26_a_supervisor_drains_it_so_within_the_time_for_it(door: impl Door) {
    for (is_done, exit) in [(true, Exit::Drained), (false, Exit::Killed)] {
        let log = Log::default();
        let parent = door.spawn(Probe::new(&Log::default())).await;
        let child = door.spawn_under(&parent, Probe::new(&log)).await;
        settled(&child).await;
        note_drains(&child);
        let cell = child.cell();
        let begun = door.system().executor().now();
        let (ended, ()) = tokio::join!(cell.shut_down(Shutdown::Drain(10 * MS)), async {
            pass(door.system(), MS).await;
            assert_eq!((child.status(), notes(&log)), (Status::Running, 1));
            if is_done {
                child.cell().drain_mailbox();
            }
        });
        assert_eq!(ended, exit);
        assert_eq!(door.system().executor().now() - begun >= 10 * MS, !is_done);
    }
}

pub(super) async fn a26_what_a_drain_calls_is_of_one_life(door: impl Door) {
    let parent = door.spawn(Probe::new(&Log::default())).await;
    let log = Log::default();
    let make = {
        let log = log.clone();
        move || Probe::new(&log)
    };
    let child = door.restartable(&parent, SpawnOptions::new(), make).await;
    settled(&child).await;
    let calls = Arc::new(AtomicU32::new(0));
    let counting = || {
        let calls = calls.clone();
        move || _ = calls.fetch_add(1, Ordering::SeqCst)
    };
    child.cell().on_drain(counting());
    // The last one counts.
    child.cell().on_drain(counting());
    assert_eq!(Arc::strong_count(&calls), 2);
    child.drain();
    child.kill_and_wait(None).await.unwrap();
    assert_eq!((calls.load(Ordering::SeqCst), Arc::strong_count(&calls)), (1, 1));
    pass(door.system(), MS).await;
    child.cell().restart();
    settled(&child).await;
    child.cell().release();
    child.drain();
    assert_eq!(child.wait(None).await, Ok(Exit::Drained));
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

pub(super) async fn what_a_drain_calls_goes_with_its_actor(door: impl Door) {
    let held = Arc::new(());
    let holding = || {
        let held = held.clone();
        move || {
            let _held = &held;
            panic!("as a drain is asked")
        }
    };
    let actor = door.spawn(Probe::new(&Log::default())).await;
    actor.cell().on_drain(holding());
    assert_eq!(Arc::strong_count(&held), 2);
    // A panic there is nobody's.
    actor.drain();
    assert_eq!(settled(&actor).await, 0);
    actor.stop_and_wait(None, None).await.unwrap();
    assert_eq!(Arc::strong_count(&held), 1);
    dead(&door).await.on_drain(holding());
    assert_eq!(Arc::strong_count(&held), 1);
}
