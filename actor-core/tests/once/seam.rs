//! The runtime seam: whole scenarios on a runtime that is not tokio.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use actor_core::{ActorSystem, CallError, CallFailure, Exit, Incarnation, Instant, ReplyPort};
use actor_testkit::{Order, Simulation};

use crate::support::{
    Door, Entry, LocalDoor, Log, Message, Probe, SendDoor, act_once, join_all, poll_once, settled,
};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Local and other actors cast to one another in rounds; gives the record of
/// all, and when it ended.
fn rally(order: Order) -> (Vec<Entry>, Instant, Incarnation) {
    let mut simulation = Simulation::new(order);
    let system = simulation.system();
    let log = Log::default();
    let ended_at = simulation.block_on(async {
        let (send, local) = (SendDoor::new(system.clone()), LocalDoor::new(system.clone()));
        let mut actors = Vec::new();
        for _ in 0..4 {
            actors.push(send.spawn(Probe::new(&log)).await);
            actors.push(local.spawn(Probe::new(&log)).await);
        }
        join_all(actors.iter().map(settled)).await;
        log.take();
        for round in 0..10 {
            for (number, actor) in (0..).zip(&actors) {
                actor.cast(Message::Note(round * 10 + number)).unwrap();
            }
            join_all(actors.iter().map(settled)).await;
        }
        // Nobody answers this.
        let keep = |port: ReplyPort<()>| {
            Message::Do(act_once(|| async {
                std::future::pending::<()>().await;
                drop(port);
            }))
        };
        let unanswered = actors[1].call_timeout(HOUR, keep).await;
        assert_eq!(unanswered, Err(CallError::Failed(CallFailure::TimedOut(HOUR))));
        for actor in &actors {
            assert_eq!(actor.kill_and_wait(Some(HOUR)).await, Ok(Exit::Killed));
        }
        system.executor().now()
    });
    (log.take(), ended_at, system.incarnation())
}

#[test]
fn a_scenario_runs_in_virtual_time_and_in_a_chosen_order() {
    let (in_order, ended_at, _) = rally(Order::Fifo);
    // An hour has passed, and only where somebody waited for it.
    assert_eq!(ended_at, Instant::from_elapsed(HOUR));
    let rounds = (0..10).flat_map(|round| (0..8).map(move |number| Entry::Note(round * 10 + number)));
    let mut expected: Vec<Entry> = rounds.collect();
    expected.extend([const { Entry::Dropped }; 8]);
    assert_eq!(in_order, expected);

    let (seeded, ended_at, incarnation) = rally(Order::Seeded(1));
    assert_eq!(ended_at, Instant::from_elapsed(HOUR));
    assert_ne!(seeded, in_order);
    assert_eq!(rally(Order::Seeded(1)), (seeded.clone(), ended_at, incarnation));
    let (other, _, other_incarnation) = rally(Order::Seeded(2));
    assert_ne!(other, seeded);
    assert_ne!(other_incarnation, incarnation);
    // Every order handles the same.
    let sorted = |mut entries: Vec<Entry>| {
        entries.sort_unstable_by_key(|entry| format!("{entry:?}"));
        entries
    };
    assert_eq!(sorted(seeded), sorted(in_order));
}

#[test]
fn time_moves_only_when_all_wait() {
    let mut simulation = Simulation::new(Order::Fifo);
    let executor = simulation.system().executor().clone();
    simulation.block_on(async {
        let woken = Log::default();
        let sleepers = [3, 1, 2].map(|hours| {
            let (woken, executor) = (woken.clone(), executor.clone());
            executor.clone().spawn(async move {
                executor.sleep_until(Instant::from_elapsed(HOUR * hours)).await;
                assert_eq!(executor.now(), Instant::from_elapsed(HOUR * hours));
                woken.push(Entry::Note(hours));
            })
        });
        // A timeout that is given up must not move time.
        assert_eq!(executor.timeout(HOUR * 100, async { 7 }).await, Ok(7));
        let mut given_up = Box::pin(executor.timeout(HOUR * 100, std::future::pending::<()>()));
        assert!(poll_once(given_up.as_mut()).await.is_pending());
        drop(given_up);
        join_all(sleepers).await;
        assert_eq!(woken.entries(), [Entry::Note(1), Entry::Note(2), Entry::Note(3)]);
        assert_eq!(executor.now(), Instant::from_elapsed(HOUR * 3));
    });
}

/// Both runtimes agree on what a task handle does.
async fn task_handles(system: ActorSystem) {
    let executor = system.executor();
    let drops = Arc::new(AtomicU32::new(0));
    struct Counted(Arc<AtomicU32>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let counted = Counted(drops.clone());
    let task = executor.spawn(async move {
        std::future::pending::<()>().await;
        drop(counted);
    });
    assert_eq!(drops.load(Ordering::SeqCst), 0);
    task.abort();
    task.await;
    assert_eq!(drops.load(Ordering::SeqCst), 1);

    let (sender, receiver) = tokio::sync::oneshot::channel();
    executor
        .spawn(async move {
            sender.send("ran on without a handle").unwrap();
        })
        .detach();
    assert_eq!(receiver.await, Ok("ran on without a handle"));
}

#[tokio::test]
async fn task_handles_of_tokio() {
    task_handles(ActorSystem::new()).await;
}

#[test]
fn task_handles_of_a_simulation() {
    let mut simulation = Simulation::new(Order::Fifo);
    let system = simulation.system();
    simulation.block_on(task_handles(system));
}
