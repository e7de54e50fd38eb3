//! Watching: to hear of an end without sharing it.

use std::sync::Arc;

use actor_core::{ActorCell, ActorId, Exit, ExitListener, Status};

use crate::support::{Door, Entry, Log, Message, Probe, dead, panics, settled};

pub(super) async fn a21_watch_tells_of_the_end_once_and_of_the_dead_at_once(door: impl Door) {
    let (log, target_log) = (Log::default(), Log::default());
    let watcher = door.spawn(Probe::new(&log)).await;
    let target = door.spawn(Probe::new(&target_log)).await;
    watcher.cell().watch(&target.cell());
    settled(&watcher).await;
    assert_eq!(log.take(), [Entry::PreStart, Entry::PostStart]);

    target.cast(Message::Do(panics("fell"))).unwrap();
    let exit = Exit::Panicked("fell".into());
    assert_eq!(target.wait(None).await, Ok(exit.clone()));
    settled(&watcher).await;
    assert_eq!(log.take(), [Entry::Down(target.id(), exit.clone())]);
    assert_eq!(watcher.status(), Status::Running);

    watcher.cell().watch(&target.cell());
    settled(&watcher).await;
    assert_eq!(log.take(), [Entry::Down(target.id(), exit)]);

    // Neither does the watcher's end concern the watched.
    let target = door.spawn(Probe::new(&target_log)).await;
    watcher.cell().watch(&target.cell());
    assert_eq!(watcher.kill_and_wait(None).await, Ok(Exit::Killed));
    assert_eq!(settled(&target).await, 0);
    assert_eq!(target.stop_and_wait(None, None).await, Ok(Exit::Stopped(None)));
    assert_eq!(log.entries(), [Entry::Dropped]);
}

pub(super) async fn each_watch_tells_once(door: impl Door) {
    let logs = [Log::default(), Log::default()];
    let [twice, once] = [door.spawn(Probe::new(&logs[0])).await, door.spawn(Probe::new(&logs[1])).await];
    let target = door.spawn(Probe::new(&Log::default())).await;
    let first = twice.cell().watch(&target.cell());
    let second = twice.cell().watch(&target.cell());
    assert_ne!(first, second);
    once.cell().watch(&target.cell());
    // Even an actor may watch itself; it is past hearing of it.
    target.cell().watch(&target.cell());

    assert_eq!(target.stop_and_wait(None, None).await, Ok(Exit::Stopped(None)));
    for (watcher, log, downs) in [(twice, &logs[0], 2), (once, &logs[1], 1)] {
        settled(&watcher).await;
        let mut expected = vec![Entry::PreStart, Entry::PostStart];
        expected.extend(vec![Entry::Down(target.id(), Exit::Stopped(None)); downs]);
        assert_eq!(log.entries(), expected);
    }
}

pub(super) async fn an_ended_watch_is_silent(door: impl Door) {
    let log = Log::default();
    let watcher = door.spawn(Probe::new(&log)).await;
    let target = door.spawn(Probe::new(&Log::default())).await;
    let ended = watcher.cell().watch(&target.cell());
    watcher.cell().watch(&target.cell());
    target.unwatch(ended);
    target.unwatch(ended);
    assert_eq!(target.stop_and_wait(None, None).await, Ok(Exit::Stopped(None)));
    target.unwatch(ended);
    settled(&watcher).await;
    let down = Entry::Down(target.id(), Exit::Stopped(None));
    assert_eq!(log.entries(), [Entry::PreStart, Entry::PostStart, down]);
    dead(&door).await;
}

pub(super) async fn a_listener_may_speak_to_the_actor_while_it_is_dropped(door: impl Door) {
    struct Talker(ActorCell);
    impl ExitListener for Talker {
        fn on_exit(&self, _: ActorId, _: &Exit) {}
    }
    impl Drop for Talker {
        fn drop(&mut self) {
            self.0.stop(Some("goodbye"));
        }
    }
    let target = door.spawn(Probe::new(&Log::default())).await;
    let watch = target.watch_with(Arc::new(Talker(target.cell())));
    // If this hangs, a lock is held while the listener is dropped.
    target.unwatch(watch);
    assert_eq!(target.wait(None).await, Ok(Exit::Stopped(Some("goodbye".into()))));
}

pub(super) async fn watchers_that_are_gone_do_not_pile_up(door: impl Door) {
    /// Its clones of the count say how many of its kind are kept.
    struct Gone {
        _count: Arc<()>,
    }
    impl ExitListener for Gone {
        fn on_exit(&self, _: ActorId, _: &Exit) {}

        fn is_gone(&self) -> bool {
            true
        }
    }
    let target = door.spawn(Probe::new(&Log::default())).await;
    let kept = Arc::new(());
    for _ in 0..1000 {
        target.watch_with(Arc::new(Gone { _count: kept.clone() }));
    }
    assert!(Arc::strong_count(&kept) < 10, "{} are kept", Arc::strong_count(&kept));

    // A watcher that lives is never forgotten, and a dead actor is gone as one.
    let log = Log::default();
    let watcher = door.spawn(Probe::new(&log)).await;
    watcher.cell().watch(&target.cell());
    for _ in 0..100 {
        let mayfly = dead(&door).await;
        mayfly.watch(&target.cell());
    }
    target.stop(None);
    let exit = target.wait(None).await.unwrap();
    settled(&watcher).await;
    assert_eq!(log.entries(), [Entry::PreStart, Entry::PostStart, Entry::Down(target.id(), exit)]);
}
