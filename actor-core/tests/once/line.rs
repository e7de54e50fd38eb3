//! A way to one recipient, used directly. What an output port makes of it is in `suite/`.

use std::time::Duration;

use actor_core::output::{Line, Put};
use actor_core::{
    ActorSystem, Backlog, Capacity, DeadReason, Event, Executor, OutputPort, Recipient, Recorder,
    SpawnOptions, SubscriptionEnd, WhenFull,
};
use actor_testkit::{Order, Simulation};

use crate::support::{Door, Entry, Gate, Log, Message, Probe, SendDoor, pass, poll_once, settled};

const MS: Duration = Duration::from_millis(1);

fn notes(log: &Log) -> Vec<u32> {
    let number = |entry: &Entry| if let Entry::Note(number) = entry { Some(*number) } else { None };
    log.entries().iter().filter_map(number).collect()
}

fn simulated<F: Future>(script: impl FnOnce(SendDoor, Recorder, Executor) -> F) -> F::Output {
    let mut simulation = Simulation::new(Order::Fifo);
    let recorder = Recorder::default();
    let executor = simulation.executor();
    let system = ActorSystem::builder().executor(executor.clone()).observer(recorder.clone()).build();
    simulation.block_on(script(SendDoor::new(system), recorder, executor))
}

/// An actor in a hook until the gate is opened, with room for one message, which it has.
async fn full(door: &SendDoor, log: &Log, gate: &Gate) -> actor_core::ActorRef<Message> {
    let options = SpawnOptions::new().mailbox(Capacity::try_from(1).unwrap());
    let actor = door.start(Probe::new(log), options).await.unwrap();
    actor.cast(Message::Do(gate.act())).unwrap();
    gate.reached().await;
    actor.cast(Message::Note(0)).unwrap();
    actor
}

#[test]
fn a24_a_line_says_what_became_of_each_message() {
    simulated(|door, _, executor| async move {
        let (log, gate) = (Log::default(), Gate::new());
        let actor = full(&door, &log, &gate).await;
        let line: Line<Message> = Line::on(&executor, &actor, Backlog::new(2, WhenFull::Wait).unwrap());
        assert_eq!(line.room().await, None);
        assert!(matches!(line.put(Message::Note(1)), Put::Waits));
        // One is in its task's hand.
        pass(door.system(), MS).await;
        assert!(matches!(line.put(Message::Note(2)), Put::Waits));
        assert!(matches!(line.clone().put(Message::Note(3)), Put::Waits));
        let Put::Refused(message) = line.put(Message::Note(4)) else { panic!("there is no room") };
        assert_eq!((line.waiting(), line.delivered(), line.dropped(), line.end()), (2, 0, 0, None));
        let mut room = Box::pin(line.room());
        assert!(poll_once(room.as_mut()).await.is_pending());
        gate.open();
        assert_eq!(room.await, None);
        assert!(matches!(line.put(message), Put::Waits | Put::Delivered));
        pass(door.system(), MS).await;
        assert!(matches!(line.put(Message::Note(5)), Put::Delivered));
        assert_eq!((settled(&actor).await, notes(&log)), (6, (0..=5).collect()));
        assert_eq!((line.waiting(), line.delivered(), line.dropped()), (0, 5, 0));
        actor.stop_and_wait(None, None).await.unwrap();
        assert_eq!(
            (line.end(), line.ended().await),
            (Some(SubscriptionEnd::Stopped), SubscriptionEnd::Stopped)
        );
        assert!(matches!(line.put(Message::Note(6)), Put::Over(SubscriptionEnd::Stopped)));
        assert_eq!(line.room().await, Some(SubscriptionEnd::Stopped));
        assert!(!line.close(SubscriptionEnd::Cancelled));
    });
}

#[test]
fn a24_what_a_line_loses_is_told() {
    let ends = [
        // In hand, two that wait; and of a line that failed, one too many.
        (WhenFull::Wait, SubscriptionEnd::Cancelled, 0, None),
        (WhenFull::Wait, SubscriptionEnd::Stopped, 3, Some(DeadReason::Stopped)),
        (WhenFull::Wait, SubscriptionEnd::Failed, 3, Some(DeadReason::Dropped)),
        (WhenFull::Fail, SubscriptionEnd::Failed, 4, Some(DeadReason::Dropped)),
    ];
    for (when_full, end, told, reason) in ends {
        simulated(|door, recorder, executor| async move {
            let (log, gate) = (Log::default(), Gate::new());
            let actor = full(&door, &log, &gate).await;
            let line: Line<Message> = Line::on(&executor, &actor, Backlog::new(2, when_full).unwrap());
            assert!(matches!(line.put(Message::Note(1)), Put::Waits));
            pass(door.system(), MS).await;
            assert!(matches!(line.put(Message::Note(2)), Put::Waits));
            assert!(matches!(line.put(Message::Note(3)), Put::Waits));
            recorder.take();
            let mut ended = Box::pin(line.ended());
            assert!(poll_once(ended.as_mut()).await.is_pending());
            if when_full == WhenFull::Fail {
                assert!(matches!(line.put(Message::Note(4)), Put::Over(SubscriptionEnd::Failed)));
            } else {
                assert!(line.close(end));
            }
            assert_eq!((ended.await, line.waiting()), (end, 0));
            pass(door.system(), MS).await;
            let dead =
                |event: Event| if let Event::DeadLetter(dead) = event { Some(dead.reason) } else { None };
            let dead: Vec<_> = recorder.take().into_iter().filter_map(dead).collect();
            assert_eq!(dead, vec![reason; told].into_iter().flatten().collect::<Vec<_>>(), "{end:?}");
            let dropped = if end == SubscriptionEnd::Failed { told as u64 } else { 0 };
            assert_eq!(line.dropped(), dropped);
            gate.open();
            assert_eq!((settled(&actor).await, notes(&log)), (1, vec![0]));
        });
    }
}

#[test]
fn a24_a_message_that_was_refused_may_be_lost_and_counts() {
    simulated(|door, recorder, executor| async move {
        let gate = Gate::new();
        let actor = full(&door, &Log::default(), &gate).await;
        let line: Line<Message> = Line::on(&executor, &actor, Backlog::new(1, WhenFull::Wait).unwrap());
        assert!(matches!(line.put(Message::Note(1)), Put::Waits));
        let Put::Refused(message) = line.put(Message::Note(2)) else { panic!("there is no room") };
        recorder.take();
        line.lose(message);
        assert_eq!(line.dropped(), 1);
        let dead =
            |event: &Event| matches!(event, Event::DeadLetter(dead) if dead.reason == DeadReason::Dropped);
        assert_eq!(recorder.take().iter().filter(|event| dead(event)).count(), 1);
        gate.open();
    });
}

/// Subscribed by one message of many, an actor need not be known by its own.
#[test]
fn a24_an_actor_is_subscribed_by_one_message_of_many() {
    simulated(|door, _, _| async move {
        let log = Log::default();
        let actor = door.spawn(Probe::new(&log)).await;
        let recipient: Recipient<Message> = actor.recipient();
        let mut port = OutputPort::new();
        let subscription = port.subscribe(recipient, |number| Some(Message::Note(number)));
        assert_eq!(subscription.actor_id(), actor.id());
        (0..3).for_each(|number| port.send(number).unwrap());
        assert_eq!((settled(&actor).await, notes(&log)), (3, vec![0, 1, 2]));
        assert_eq!(subscription.delivered(), 3);
    });
}
