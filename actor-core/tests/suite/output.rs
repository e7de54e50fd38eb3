//! What an actor says to whoever subscribes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use actor_core::limits::OUTPUT_BACKLOG_MAX;
use actor_core::{
    ActorRef, Backlog, Capacity, OutputPort, Overflow, SpawnOptions, Status, SubscriptionEnd, WhenFull,
};

use crate::support::{Door, Entry, Gate, Log, Message, Probe, dead, pass, poll_once, settled};

const MS: Duration = Duration::from_millis(1);

/// The numbers that were noted.
fn notes(log: &Log) -> Vec<u32> {
    let number = |entry: &Entry| if let Entry::Note(number) = entry { Some(*number) } else { None };
    log.entries().iter().filter_map(number).collect()
}

fn note(number: u32) -> Option<Message> {
    Some(Message::Note(number))
}

/// An actor in a hook until the gate is opened, with room for one message.
async fn busy(door: &impl Door, log: &Log, gate: &Gate) -> ActorRef<Message> {
    let options = SpawnOptions::new().mailbox(Capacity::try_from(1).unwrap());
    let actor = door.start(Probe::new(log), options).await.unwrap();
    actor.cast(Message::Do(gate.act())).unwrap();
    gate.reached().await;
    actor
}

pub(super) async fn a24_each_subscriber_gets_what_is_for_it(door: impl Door) {
    let (all_log, even_log) = (Log::default(), Log::default());
    let (all, even) = (door.spawn(Probe::new(&all_log)).await, door.spawn(Probe::new(&even_log)).await);
    let mut port = OutputPort::new();
    port.send(0).unwrap();
    let first = port.subscribe(&all, note);
    port.send(1).unwrap();
    let _even = port.subscribe(&even, |number| (number % 2 == 0).then_some(Message::Note(number)));
    for number in 2..=5 {
        port.send(number).unwrap();
    }
    // Twice from here on.
    let _second = port.subscribe(&all, |number| note(10 * number));
    assert_eq!(port.subscriptions(), 3);
    port.send(6).unwrap();
    first.cancel();
    first.cancel();
    assert_eq!((first.end(), port.subscriptions()), (Some(SubscriptionEnd::Cancelled), 2));
    port.send(7).unwrap();
    settled(&all).await;
    settled(&even).await;
    assert_eq!(notes(&all_log), [1, 2, 3, 4, 5, 6, 60, 70]);
    assert_eq!(notes(&even_log), [2, 4, 6]);
}

pub(super) async fn a24_a_full_subscriber_loses_nothing_and_delays_nobody(door: impl Door) {
    let (full_log, free_log, gate) = (Log::default(), Log::default(), Gate::new());
    let (full, free) = (busy(&door, &full_log, &gate).await, door.spawn(Probe::new(&free_log)).await);
    let mut port = OutputPort::default();
    let subscription = port.subscribe(&full, note);
    port.subscribe(&free, note);
    let all: Vec<u32> = (0..300).collect();
    for number in &all {
        port.send(*number).unwrap();
    }
    settled(&free).await;
    assert_eq!((notes(&free_log), notes(&full_log)), (all.clone(), vec![]));
    gate.open();
    pass(door.system(), MS).await;
    assert_eq!(notes(&full_log), all);
    // Nothing waits any more, and what waits again stays in order.
    full.cast(Message::Do(gate.act())).unwrap();
    gate.reached().await;
    for number in 300..310 {
        port.send(number).unwrap();
    }
    // What was sent arrives, though the port is gone.
    drop(port);
    gate.open();
    pass(door.system(), MS).await;
    assert_eq!((notes(&full_log), subscription.end()), ((0..310).collect(), None));
}

pub(super) async fn a24_a_subscriber_that_restarts_loses_nothing(door: impl Door) {
    let parent = door.spawn(Probe::new(&Log::default())).await;
    let log = Log::default();
    let make = {
        let log = log.clone();
        move || Probe::new(&log)
    };
    let options = SpawnOptions::new().mailbox(Capacity::try_from(2).unwrap());
    let child = door.restartable(&parent, options, make).await;
    settled(&child).await;
    let mut port = OutputPort::new();
    let subscription = port.subscribe(&child, note);
    let mut number = 0..;
    let ends: [fn(&ActorRef<Message>); 3] =
        [|actor| actor.kill(), |actor| actor.stop(None), |actor| actor.drain()];
    for end in ends {
        // In its last hook, suspended, and in its new life.
        let gate = Gate::new();
        child.cast(Message::Do(gate.act())).unwrap();
        gate.reached().await;
        number.by_ref().take(5).for_each(|number| port.send(number).unwrap());
        end(&child);
        number.by_ref().take(5).for_each(|number| port.send(number).unwrap());
        gate.open();
        child.wait(None).await.unwrap();
        pass(door.system(), MS).await;
        assert_eq!(child.status(), Status::Suspended);
        number.by_ref().take(5).for_each(|number| port.send(number).unwrap());
        child.cell().restart();
        pass(door.system(), MS).await;
        number.by_ref().take(5).for_each(|number| port.send(number).unwrap());
        pass(door.system(), MS).await;
    }
    assert_eq!((notes(&log), subscription.end()), ((0..60).collect(), None));
}

pub(super) async fn a24_a_dead_subscriber_is_let_go(door: impl Door) {
    let gate = Gate::new();
    let doomed = busy(&door, &Log::default(), &gate).await;
    let held = Arc::new(());
    let mut port = OutputPort::new();
    let converter = |held: &Arc<()>| {
        let held = held.clone();
        move |number| {
            let _held = &held;
            note(number)
        }
    };
    let subscription = port.subscribe(&doomed, converter(&held));
    for number in 0..10 {
        port.send(number).unwrap();
    }
    assert_eq!((port.subscriptions(), subscription.end()), (1, None));
    let mut room = Box::pin(subscription.room());
    assert!(poll_once(room.as_mut()).await.is_ready());
    doomed.kill_and_wait(None).await.unwrap();
    assert_eq!((port.subscriptions(), subscription.end()), (0, Some(SubscriptionEnd::Stopped)));
    port.send(10).unwrap();
    assert_eq!(Arc::strong_count(&held), 1);
    // Nor do the dead pile up in a port that is never sent to.
    for _ in 0..100 {
        let gone = dead(&door).await;
        let gone = ActorRef::<Message>::from_cell(gone).unwrap();
        assert_eq!(port.subscribe(&gone, converter(&held)).end(), Some(SubscriptionEnd::Stopped));
    }
    assert!(Arc::strong_count(&held) <= 2);
    subscription.cancel();
}

pub(super) async fn a24_what_waits_is_dropped_when_it_is_cancelled(door: impl Door) {
    let (log, gate) = (Log::default(), Gate::new());
    let full = busy(&door, &log, &gate).await;
    let mut port = OutputPort::new();
    let subscription = port.subscribe(&full, note);
    for number in 0..10 {
        port.send(number).unwrap();
    }
    pass(door.system(), MS).await;
    subscription.cancel();
    pass(door.system(), MS).await;
    port.send(10).unwrap();
    gate.open();
    pass(door.system(), MS).await;
    // One had found room.
    assert_eq!((settled(&full).await, notes(&log)), (1, vec![0]));
}

pub(super) async fn a24_a_port_whose_subscriber_is_too_far_behind_gives_the_value_back(door: impl Door) {
    let (log, gate) = (Log::default(), Gate::new());
    let stuck = busy(&door, &log, &gate).await;
    let heard = Arc::new(AtomicU32::new(0));
    let other = door.spawn(Probe::new(&Log::default())).await;
    let mut port = OutputPort::new();
    port.subscribe(&stuck, note);
    let count = {
        let heard = heard.clone();
        move |_| {
            heard.fetch_add(1, Ordering::SeqCst);
            None
        }
    };
    port.subscribe(&other, count);
    // One in the mailbox, one on its way there, and the rest.
    let mut sent = 0;
    let error = loop {
        match port.send(sent) {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
        if sent == 2 {
            pass(door.system(), MS).await;
        }
    };
    let most = u32::try_from(OUTPUT_BACKLOG_MAX).unwrap() + 2;
    assert_eq!((sent, error.value, heard.load(Ordering::SeqCst)), (most, most, most));
    assert_eq!(error.to_string(), format!("not sent: {OUTPUT_BACKLOG_MAX} messages wait for a subscriber"));
    // Who waits for room finds it, and nothing was lost.
    {
        let mut room = Box::pin(error.subscription.room());
        assert!(poll_once(room.as_mut()).await.is_pending());
        gate.open();
        room.await;
    }
    port.send(error.value).unwrap();
    pass(door.system(), MS).await;
    assert_eq!(settled(&stuck).await, most + 1);
    assert!(notes(&log).into_iter().eq(0..=most));
    // Or it goes on without it.
    error.subscription.cancel();
    error.subscription.room().await;
    port.send(0).unwrap();
    assert_eq!((port.subscriptions(), settled(&stuck).await), (1, most + 1));
}

pub(super) async fn a24_a_subscriber_that_may_lose_loses_the_oldest_and_they_are_counted(door: impl Door) {
    let (log, free_log, gate) = (Log::default(), Log::default(), Gate::new());
    let (stuck, free) = (busy(&door, &log, &gate).await, door.spawn(Probe::new(&free_log)).await);
    let mut port = OutputPort::new();
    let lossy = port.subscribe_with(Backlog::new(3, WhenFull::DropOldest).unwrap(), &stuck, note);
    port.subscribe(&free, note);
    // One in the mailbox, one on its way there, three that wait.
    port.send(0).unwrap();
    port.send(1).unwrap();
    pass(door.system(), MS).await;
    for number in 2..20 {
        port.send(number).unwrap();
    }
    assert_eq!((lossy.waiting(), lossy.dropped(), lossy.end()), (3, 15, None));
    // It lets nobody wait.
    lossy.room().await;
    gate.open();
    pass(door.system(), MS).await;
    port.send(20).unwrap();
    settled(&stuck).await;
    settled(&free).await;
    assert_eq!(notes(&log), [0, 1, 17, 18, 19, 20]);
    assert_eq!((notes(&free_log), lossy.waiting(), lossy.dropped()), ((0..=20).collect(), 0, 15));
}

pub(super) async fn a24_a_subscription_that_may_not_lose_fails_alone(door: impl Door) {
    let (log, free_log, gate) = (Log::default(), Log::default(), Gate::new());
    let (stuck, free) = (busy(&door, &log, &gate).await, door.spawn(Probe::new(&free_log)).await);
    let mut port = OutputPort::new();
    let strict = port.subscribe_with(Backlog::new(3, WhenFull::Fail).unwrap(), &stuck, note);
    port.subscribe(&free, note);
    port.send(0).unwrap();
    port.send(1).unwrap();
    pass(door.system(), MS).await;
    for number in 2..5 {
        port.send(number).unwrap();
    }
    assert_eq!((strict.waiting(), strict.end()), (3, None));
    port.send(5).unwrap();
    assert_eq!((strict.waiting(), strict.end()), (0, Some(SubscriptionEnd::Failed)));
    port.send(6).unwrap();
    assert_eq!(port.subscriptions(), 1);
    gate.open();
    pass(door.system(), MS).await;
    // What the mailbox had is handled; the one on its way counts as lost, as all others do.
    assert_eq!((settled(&stuck).await, notes(&log), strict.dropped()), (1, vec![0], 5));
    settled(&free).await;
    assert_eq!(notes(&free_log), (0..=6).collect::<Vec<_>>());
    strict.cancel();
    assert_eq!(strict.end(), Some(SubscriptionEnd::Failed));
}

pub(super) async fn a24_a_burst_past_one_that_stands_still_reaches_all_others(door: impl Door) {
    const BURST: u32 = 10_000;
    let (log, gate) = (Log::default(), Gate::new());
    let stuck = busy(&door, &log, &gate).await;
    let mut others = Vec::new();
    let mut port = OutputPort::new();
    let waiting = port.subscribe(&stuck, note);
    for _ in 1..50 {
        let log = Log::default();
        let options = SpawnOptions::new().mailbox(Capacity::try_from(100).unwrap());
        let actor = door.start(Probe::new(&log), options).await.unwrap();
        port.subscribe(&actor, note);
        others.push((actor, log));
    }
    for number in 0..BURST {
        port.send(number).unwrap();
    }
    pass(door.system(), MS).await;
    for (actor, log) in &others {
        assert_eq!(settled(actor).await, BURST);
        assert!(notes(log).into_iter().eq(0..BURST));
    }
    // Nor does it, once it moves again.
    assert!(waiting.waiting() > 9_000);
    gate.open();
    pass(door.system(), MS).await;
    assert_eq!((settled(&stuck).await, waiting.waiting()), (BURST, 0));
    assert!(notes(&log).into_iter().eq(0..BURST));
}

pub(super) async fn a24_a_subscriber_whose_mailbox_lets_nobody_wait_loses_nothing(door: impl Door) {
    let (log, gate) = (Log::default(), Gate::new());
    let options = SpawnOptions::new().mailbox(Capacity::try_from(1).unwrap()).overflow(Overflow::Reject);
    let actor = door.start(Probe::new(&log), options).await.unwrap();
    actor.cast(Message::Do(gate.act())).unwrap();
    gate.reached().await;
    let mut port = OutputPort::new();
    let subscription = port.subscribe(&actor, note);
    for number in 0..5 {
        port.send(number).unwrap();
    }
    pass(door.system(), MS).await;
    gate.open();
    pass(door.system(), MS).await;
    assert_eq!((notes(&log), subscription.waiting()), ((0..5).collect(), 0));
}
