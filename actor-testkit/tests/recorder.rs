//! What a record holds, and who waits for it.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use actor_core::{ActorChange, ActorEvent, ActorId, ActorSystem, DeadReason, Event, Executor, Exit, Instant};
use actor_testkit::{EventRecorder, Simulation};

use crate::{SECOND, counter, panic_of, poll_once};

fn has_ended(id: ActorId) -> impl Fn(&Event) -> bool {
    move |event| matches!(event, Event::Actor(ActorEvent { actor, change: ActorChange::Ended(_), .. }) if *actor == id)
}

#[test]
fn an_event_is_waited_for_and_found_afterwards() {
    let mut simulation = Simulation::seeded(7);
    let (system, recorder) = simulation.recorded();
    simulation.block_on(async {
        let counter = counter(&system).await;
        counter.cell().stop_after(SECOND, Some("late"));
        let event = recorder.wait_for(has_ended(counter.id())).await;
        assert!(matches!(
            event,
            Event::Actor(ActorEvent { change: ActorChange::Ended(Exit::Stopped(Some(_))), .. })
        ));
        assert_eq!(system.executor().now().elapsed(), SECOND);
        // It is in the record still, until it is taken.
        assert_eq!(recorder.wait_for(has_ended(counter.id())).await, event);
        assert_eq!(recorder.take().last(), Some(&event));
        assert_eq!(recorder.events(), []);
    });
    let waiting = recorder.timeout(SECOND * 2);
    let text = panic_of(|| simulation.block_on(waiting.wait_for(|_| true)));
    assert!(
        text.starts_with("no event that fits was seen within 2s (actor-testkit/tests/recorder.rs:"),
        "{text}"
    );
    assert_eq!(simulation.now().elapsed(), SECOND * 3);
}

/// However many wait, and also if what was seen is taken away meanwhile.
#[test]
fn whoever_waits_sees_each_event() {
    let mut simulation = Simulation::seeded(7);
    let (system, recorder) = simulation.recorded();
    let counter = simulation.block_on(counter(&system));
    simulation.run_until_idle();
    let mut waiting = [(); 2].map(|()| Box::pin(recorder.wait_for(has_ended(counter.id()))));
    for waiting in &mut waiting {
        assert!(simulation.block_on(poll_once(waiting.as_mut())).is_pending());
    }
    assert_eq!(recorder.take().len(), 2);
    counter.kill();
    simulation.run_until_idle();
    for waiting in waiting {
        simulation.block_on(waiting);
    }
    assert_eq!((recorder.events().len(), simulation.now()), (1, Instant::ZERO));
}

/// A task that waits for more than this is polled often.
#[test]
fn a_task_that_waits_is_remembered_once_however_often_it_is_polled() {
    struct Task;
    impl Wake for Task {
        fn wake(self: Arc<Self>) {}
    }
    let mut simulation = Simulation::fifo();
    let (system, recorder) = simulation.recorded();
    let (task, mut waiting) = (Arc::new(Task), Box::pin(recorder.wait_for(|_| true)));
    let waker = Waker::from(task.clone());
    for _ in 0..100 {
        assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    // By the test, the waker, the recorder, its timer and the world in which that is.
    assert_eq!(Arc::strong_count(&task), 5);
    simulation.block_on(counter(&system));
    assert_eq!(Arc::strong_count(&task), 4);
    simulation.block_on(waiting);
}

#[test]
fn the_events_of_one_actor_are_told_from_the_others() {
    let mut simulation = Simulation::seeded(7);
    let (system, recorder) = simulation.recorded();
    let (first, _second) = simulation.block_on(async {
        let (first, second) = (counter(&system).await, counter(&system).await);
        assert_eq!(first.add(1).await.unwrap() + second.add(1).await.unwrap(), 2);
        (first, second)
    });
    let events = recorder.events_of(first.id());
    let kinds = events.iter().map(|event| match event {
        Event::Actor(ActorEvent { change: ActorChange::Spawned(_), .. }) => "spawned",
        Event::Actor(ActorEvent { change: ActorChange::Started, .. }) => "started",
        Event::Message(_) => "handled",
        _ => "else",
    });
    assert_eq!(kinds.collect::<Vec<_>>(), ["spawned", "started", "handled"]);
    assert_eq!(recorder.events().len(), 6);
}

#[test]
fn dead_letters_fail_a_test_that_has_none() {
    let mut simulation = Simulation::seeded(7);
    let (system, recorder) = simulation.recorded();
    let counter = simulation.block_on(counter(&system));
    recorder.assert_no_dead_letters();
    counter.add(1).cast().unwrap();
    counter.kill();
    simulation.run_until_idle();
    let dead = recorder.dead_letters();
    assert_eq!(
        dead.iter().map(|dead| (dead.to, dead.reason)).collect::<Vec<_>>(),
        [(counter.id(), DeadReason::Stopped)]
    );
    let text = panic_of(|| recorder.assert_no_dead_letters());
    assert!(text.starts_with("1 messages died") && text.contains("CounterMessage"), "{text}");
}

#[tokio::test]
async fn a_record_is_kept_on_tokio() {
    let recorder = EventRecorder::new(Executor::tokio());
    let system = ActorSystem::builder().observer(recorder.clone()).build();
    let counter = counter(&system).await;
    counter.kill();
    recorder.wait_for(has_ended(counter.id())).await;
}
