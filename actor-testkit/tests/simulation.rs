//! Time, order and end of a simulation. That actors live in one as on tokio, actor-core's own
//! tests show.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::process::Command;
use std::rc::Rc;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Wake, Waker};

use actor_core::{ActorEvent, ActorId, ActorSystem, Event, Executor, Exit, Instant, SpawnError};
use actor_testkit::{Order, Simulation};

use crate::{Counter, SECOND, counter, panic_of, yield_once};

/// Five tasks take three turns each; gives the turns, an actor's id and what chance says.
fn turns(order: Order) -> (Vec<(u32, u32)>, ActorId, u64) {
    let mut simulation = Simulation::new(order);
    let (system, turns) = (simulation.system(), Arc::new(Mutex::new(Vec::new())));
    let actor = simulation.block_on(counter(&system));
    for task in 0..5 {
        let turns = turns.clone();
        let run = async move {
            for turn in 0..3 {
                turns.lock().unwrap().push((task, turn));
                yield_once().await;
            }
        };
        simulation.executor().spawn(run).detach();
    }
    simulation.run_until_idle();
    let random = simulation.executor().random_u64();
    (std::mem::take(&mut *turns.lock().unwrap()), actor.id(), random)
}

#[test]
fn the_same_seed_does_the_same() {
    let seven = turns(Order::Seeded(7));
    assert_eq!(turns(Order::Seeded(7)), seven);
    let eight = turns(Order::Seeded(8));
    assert_ne!(eight.0, seven.0);
    assert_ne!((eight.1, eight.2), (seven.1, seven.2));
}

#[test]
fn first_in_first_out_is_the_order_of_waking() {
    let expected: Vec<_> = (0..3).flat_map(|turn| (0..5).map(move |task| (task, turn))).collect();
    assert_eq!(turns(Order::Fifo).0, expected);
}

#[test]
fn running_until_idle_moves_no_time_and_counts() {
    let mut simulation = Simulation::fifo();
    let executor = simulation.executor();
    let sleeper = executor.clone();
    let task = executor.spawn(async move {
        yield_once().await;
        // sleep: virtual time.
        sleeper.sleep(SECOND).await;
    });
    assert_eq!((simulation.run_until_idle(), simulation.now()), (2, Instant::ZERO));
    assert_eq!(simulation.run_until_idle(), 0);
    simulation.block_on(task);
    assert_eq!(simulation.now(), Instant::ZERO + SECOND);
}

#[test]
fn time_advances_through_every_timer_that_is_due() {
    let mut simulation = Simulation::seeded(7);
    let (executor, ticks) = (simulation.executor(), Arc::new(Mutex::new(Vec::new())));
    let (clock, told) = (executor.clone(), ticks.clone());
    executor
        .spawn(async move {
            loop {
                // sleep: virtual time.
                clock.sleep(SECOND * 10).await;
                told.lock().unwrap().push(clock.now().elapsed());
            }
        })
        .detach();
    let take = || std::mem::take(&mut *ticks.lock().unwrap());
    simulation.advance(SECOND * 35);
    assert_eq!(
        (take(), simulation.now().elapsed()),
        ([10, 20, 30].map(|n| SECOND * n).to_vec(), SECOND * 35)
    );
    simulation.advance(SECOND * 4);
    assert_eq!((take(), simulation.now().elapsed()), (vec![], SECOND * 39));
    // What is due at the very end has happened.
    simulation.advance(SECOND);
    assert_eq!((take(), simulation.now().elapsed()), (vec![SECOND * 40], SECOND * 40));
}

/// Two timers of one moment, in the order in which they were set; gives the order in which those
/// who wait for them ran.
fn of_one_moment(order: Order) -> Vec<u32> {
    let mut simulation = Simulation::new(order);
    let (executor, ran) = (simulation.executor(), Arc::new(Mutex::new(Vec::new())));
    for task in 0..2 {
        // sleep: virtual time.
        let (sleep, ran) = (executor.sleep(SECOND), ran.clone());
        let run = async move {
            sleep.await;
            ran.lock().unwrap().push(task);
            yield_once().await;
            ran.lock().unwrap().push(task);
        };
        executor.spawn(run).detach();
    }
    simulation.advance(SECOND);
    std::mem::take(&mut *ran.lock().unwrap())
}

#[test]
fn those_who_wait_for_one_moment_race_by_the_seed() {
    let found: BTreeSet<Vec<u32>> = (0..100).map(|seed| of_one_moment(Order::Seeded(seed))).collect();
    let all = [[0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 0], [1, 0, 0, 1], [1, 0, 1, 0], [1, 1, 0, 0]];
    assert_eq!(found, all.map(Vec::from).into());
    assert_eq!(of_one_moment(Order::Seeded(7)), of_one_moment(Order::Seeded(7)));
    assert_eq!(of_one_moment(Order::Fifo), [0, 0, 1, 1]);
}

#[test]
fn a_deadlock_says_where_and_in_which_order() {
    let mut simulation = Simulation::seeded(7);
    simulation.advance(SECOND);
    simulation.executor().spawn(pending()).detach();
    let text = panic_of(|| simulation.block_on(pending::<()>()));
    assert!(
        text.starts_with("a deadlock at 1s, with Order::Seeded(7): the future waits, so do all 1 tasks"),
        "{text}"
    );
    // The simulation is as it was.
    let executor = simulation.executor();
    assert_eq!(simulation.block_on(async { executor.now() }), Instant::ZERO + SECOND);
}

/// What yields to tokio is woken by the task that waits for it, if it is a task of tokio's.
#[tokio::test]
async fn a_deadlock_that_tokio_made_says_how_to_undo_it() {
    let mut simulation = Simulation::fifo();
    let text = panic_of(|| simulation.block_on(tokio::task::yield_now()));
    assert!(text.contains("a task of tokio's") && text.ends_with("use a plain `#[test]`"), "{text}");
    let plain = std::thread::spawn(|| Simulation::fifo().block_on(tokio::task::yield_now()));
    plain.join().unwrap();
}

#[test]
fn a_livelock_is_ended_by_name() {
    let mut simulation = Simulation::seeded(7).steps_max(1000);
    let busy = simulation.executor().spawn(async {
        loop {
            yield_once().await;
        }
    });
    let text = panic_of(|| simulation.run_until_idle());
    assert!(text.starts_with("no end after 1000 steps at 0ns, with Order::Seeded(7)"), "{text}");
    busy.abort();
    simulation.run_until_idle();

    // Time moves, and the future waits for ever.
    let executor = simulation.executor();
    let ticking = executor.clone();
    let ticking = executor.spawn(async move {
        loop {
            // sleep: virtual time.
            ticking.sleep(SECOND).await;
        }
    });
    let text = panic_of(|| simulation.block_on(pending::<()>()));
    assert!(text.starts_with("no end after 1000 steps at"), "{text}");
    let text = panic_of(|| simulation.advance(SECOND * 2000));
    assert!(text.starts_with("no end after 1000 steps at"), "{text}");
    // Each call has as many steps.
    (0..10).for_each(|_| simulation.advance(SECOND * 900));
    drop(ticking);
}

#[test]
fn a_panic_is_the_tests_unless_it_is_an_actors() {
    let mut simulation = Simulation::fifo();
    let system = simulation.system();
    let exit = simulation.block_on(async {
        let counter = counter(&system).await;
        assert!(counter.add(13).await.is_err());
        counter.wait(None).await
    });
    assert!(matches!(exit, Ok(Exit::Panicked(text)) if text.contains("thirteen")));
    let task = simulation.executor().spawn(async {
        poll_fn(|cx| -> Poll<()> {
            cx.waker().wake_by_ref();
            panic!("a task's")
        })
        .await;
    });
    assert_eq!(panic_of(|| simulation.run_until_idle()), "a task's");
    // It was woken, and is gone: who waits for it is told.
    assert_eq!(simulation.run_until_idle(), 1);
    simulation.block_on(task);
}

#[test]
fn what_a_test_awaits_may_borrow_and_stay_on_its_thread() {
    let mut simulation = Simulation::fifo();
    let (mut borrowed, kept) = (0, Rc::new(Cell::new(1)));
    simulation.block_on(async {
        yield_once().await;
        borrowed += kept.get();
    });
    assert_eq!(borrowed, 1);
}

#[test]
fn whatever_lives_in_a_simulation_ends_with_it() {
    let (mut simulation, dropped) = (Simulation::fifo(), Arc::new(()));
    let (system, executor) = (simulation.system(), simulation.executor());
    let counter = simulation.block_on(counter(&system));
    let [begun, queued, late] = [(); 3].map(|()| dropped.clone());
    let begun = executor.spawn(async move {
        pending::<()>().await;
        drop(begun);
    });
    simulation.run_until_idle();
    let queued = executor.spawn(async move { drop(queued) });
    assert_eq!(Arc::strong_count(&dropped), 4);
    drop(simulation);
    assert_eq!((Arc::strong_count(&dropped), counter.exit()), (2, Some(Exit::Cancelled)));

    // What comes later is dropped at once. Whoever waits for any of them is told.
    let late = executor.spawn(async move { drop(late) });
    assert_eq!(Arc::strong_count(&dropped), 1);
    let mut other = Simulation::fifo();
    for task in [begun, queued, late] {
        other.block_on(task);
    }
    let (late, starting) = Counter(0).spawn().on(&system).instant().unwrap();
    assert!(other.block_on(starting).is_err());
    assert_eq!(late.exit(), Some(Exit::Cancelled));
}

/// A task's own, which panics at its end.
struct Bad;

impl Drop for Bad {
    fn drop(&mut self) {
        panic!("in a destructor");
    }
}

#[test]
fn a_destructor_that_panics_keeps_no_other_task_from_its_end() {
    let mut simulation = Simulation::fifo();
    let executor = simulation.executor();
    let waiting = |bad: Option<Bad>| {
        executor.spawn(async move {
            pending::<()>().await;
            drop(bad);
        })
    };
    let begun = [waiting(Some(Bad)), waiting(Some(Bad)), waiting(None)];
    simulation.run_until_idle();
    let queued = [waiting(Some(Bad)), waiting(None)];
    assert_eq!(panic_of(|| drop(simulation)), "in a destructor");
    let mut other = Simulation::fifo();
    for task in begun.into_iter().chain(queued) {
        other.block_on(task);
    }
}

/// Otherwise the process is aborted, and nobody hears of any test.
#[test]
fn a_test_that_has_failed_is_not_aborted_by_a_destructor() {
    let text = panic_of(|| {
        let mut simulation = Simulation::fifo();
        let bad = Bad;
        let waiting = async move {
            pending::<()>().await;
            drop(bad);
        };
        simulation.executor().spawn(waiting).detach();
        simulation.run_until_idle();
        panic!("the test's own");
    });
    assert_eq!(text, "the test's own");
}

#[test]
fn systems_are_built_on_it() {
    let mut simulation = Simulation::fifo();
    let bounded = simulation.builder().actors_max(1).build();
    simulation.block_on(async {
        let _one = counter(&bounded).await;
        let refused = Counter(0).spawn().on(&bounded).await;
        assert!(matches!(refused, Err(SpawnError::TooManyActors(1))));
    });
    let (system, recorder) = simulation.recorded();
    let counter = simulation.block_on(system.scope(async {
        assert_eq!(ActorSystem::current().incarnation(), system.incarnation());
        Counter(0).spawn().await.unwrap()
    }));
    assert!(
        matches!(&recorder.events()[..], [Event::Actor(ActorEvent { actor, .. }), ..] if *actor == counter.id())
    );
}

/// A waker, or what it holds, may do anything when it is dropped: no lock is held then.
#[test]
fn no_waker_is_dropped_under_a_lock() {
    struct Asking {
        executor: Executor,
        task: Waker,
    }
    impl Wake for Asking {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Asking {
        fn drop(&mut self) {
            self.executor.now();
            self.task.wake_by_ref();
        }
    }
    let mut simulation = Simulation::fifo();
    let (executor, own) = (simulation.executor(), Arc::new(OnceLock::new()));
    let told = own.clone();
    let mut task = executor.spawn(poll_fn(move |cx| {
        told.get_or_init(|| cx.waker().clone());
        Poll::Pending
    }));
    simulation.run_until_idle();
    let poll = |future: &mut (dyn Future<Output = ()> + Unpin)| {
        let asking = Asking { executor: executor.clone(), task: own.get().unwrap().clone() };
        let waker = Waker::from(Arc::new(asking));
        assert!(Pin::new(future).poll(&mut Context::from_waker(&waker)).is_pending());
    };
    // sleep: virtual time, which does not move.
    let mut sleep = Box::pin(executor.sleep(SECOND));
    for _ in 0..2 {
        poll(&mut sleep);
        poll(&mut task);
    }
    drop(sleep);
}

/// The victim of [`a_test_that_fails_says_its_seed`].
#[test]
#[ignore = "it fails on purpose"]
fn a_test_that_fails() {
    let mut simulation = Simulation::seeded(4711);
    simulation.block_on(async { panic!("it fails on purpose") });
}

#[test]
fn a_test_that_fails_says_its_seed() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command
        .args(["--exact", "simulation::a_test_that_fails", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("Simulation::seeded(4711) does the same again"), "{said}");
}
