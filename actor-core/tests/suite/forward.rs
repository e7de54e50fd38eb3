//! A call whose answer goes to another actor.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actor_core::{Capacity, Exit, ReplyPort, SendError, SpawnOptions};

use crate::support::{Door, Entry, Gate, Log, Message, Probe, act, act_once, dead, pass, settled};

const MS: Duration = Duration::from_millis(1);

fn notes(log: &Log) -> Vec<u32> {
    let number = |entry: &Entry| if let Entry::Note(number) = entry { Some(*number) } else { None };
    log.entries().iter().filter_map(number).collect()
}

/// Probes that call, are called, and get the answer, and what the last one notes.
macro_rules! three {
    ($door:ident) => {{
        let log = Log::default();
        let spawn = || $door.spawn(Probe::new(&Log::default()));
        (spawn().await, spawn().await, $door.spawn(Probe::new(&log)).await, log)
    }};
}

pub(super) async fn an_answer_is_forwarded(door: impl Door) {
    let (caller, callee, target, log) = three!(door);
    let gate = Gate::new();
    callee.cast(Message::Do(gate.act())).unwrap();
    gate.reached().await;
    let others = (callee.clone(), target.clone());
    let forward = act(move |myself| {
        let (callee, target) = others.clone();
        async move {
            myself
                .call_and_forward(&callee, None, Message::Ask, &target, |n| Message::Note(100 + n))
                .unwrap();
            // After the call, so the answer does not count it.
            callee.cast(Message::Note(1)).unwrap();
            Ok(())
        }
    });
    caller.cast(Message::Do(forward)).unwrap();
    // The caller does not wait for the answer.
    assert_eq!(settled(&caller).await, 0);
    assert_eq!(notes(&log), []);
    gate.open();
    pass(door.system(), MS).await;
    assert_eq!((notes(&log), settled(&callee).await), (vec![100], 1));
}

pub(super) async fn a14_only_an_answer_is_forwarded(door: impl Door) {
    let (caller, callee, target, log) = three!(door);
    let never = |_| -> Message { panic!("there was no answer") };
    // Unanswered, and not answered in time.
    let unanswered = |port: ReplyPort<u32>| Message::Do(act_once(|| async { drop(port) }));
    let forward = caller.call_and_forward(&callee, None, unanswered, &target, never).unwrap();
    let kept = Arc::new(Mutex::new(None));
    let keep = |port: ReplyPort<u32>| {
        let kept = kept.clone();
        Message::Do(act_once(|| async move { *kept.lock().unwrap() = Some(port) }))
    };
    let timed = caller.call_and_forward(&callee, Some(10 * MS), keep, &target, never).unwrap();
    pass(door.system(), 9 * MS).await;
    assert!(forward.is_over() && !timed.is_over());
    pass(door.system(), 2 * MS).await;
    assert!(timed.is_over());
    assert_eq!(kept.lock().unwrap().take().map(|port| port.send(1)), Some(Err(1)));
    // One that accepts no more, and says so at once.
    callee.stop_and_wait(None, None).await.unwrap();
    let refused = caller.call_and_forward(&callee, None, Message::Ask, &target, never);
    assert!(matches!(refused, Err(SendError::Stopped(Message::Ask(_), _))));
    assert_eq!((settled(&caller).await, settled(&target).await, notes(&log)), (0, 0, vec![]));
}

pub(super) async fn c14_a_forward_waits_for_room_on_both_sides(door: impl Door) {
    let (log, gate) = (Log::default(), Gate::new());
    let caller = door.spawn(Probe::new(&Log::default())).await;
    let options = SpawnOptions::new().mailbox(Capacity::try_from(1).unwrap());
    let callee = door.start(Probe::new(&Log::default()), options.clone()).await.unwrap();
    let target = door.start(Probe::new(&log), options).await.unwrap();
    for actor in [&callee, &target] {
        actor.cast(Message::Do(gate.act())).unwrap();
        gate.reached().await;
        actor.cast(Message::Note(1)).unwrap();
    }
    let late = caller.call_and_forward(&callee, Some(5 * MS), Message::Ask, &target, Message::Note).unwrap();
    let forward = caller.call_and_forward(&callee, None, Message::Ask, &target, |n| Message::Note(10 * n));
    pass(door.system(), 10 * MS).await;
    assert!(late.is_over() && !forward.as_ref().unwrap().is_over());
    gate.open();
    gate.open();
    pass(door.system(), MS).await;
    assert_eq!((notes(&log), forward.unwrap().is_over()), (vec![1, 10], true));
}

pub(super) async fn a_forward_is_part_of_whoever_asked_for_it(door: impl Door) {
    // It ends with its life, or when it is cancelled,
    for is_cancelled in [false, true] {
        let (caller, callee, target, log) = three!(door);
        let gate = Gate::new();
        callee.cast(Message::Do(gate.act())).unwrap();
        gate.reached().await;
        let forward = caller.call_and_forward(&callee, None, Message::Ask, &target, Message::Note).unwrap();
        if is_cancelled {
            forward.cancel();
        } else {
            caller.stop_and_wait(None, None).await.unwrap();
        }
        gate.open();
        pass(door.system(), MS).await;
        assert_eq!((notes(&log), forward.is_over()), (vec![], true));
        // and of one that has ended there is none.
        let ended = actor_core::ActorRef::<Message>::from_cell(dead(&door).await).unwrap();
        let forward = ended.call_and_forward(&callee, None, Message::Ask, &target, Message::Note).unwrap();
        assert!(forward.is_over());
    }
    // Neither of the others suffers from its panic, nor it from their end.
    let (caller, callee, target, _) = three!(door);
    let gone = actor_core::ActorRef::<Message>::from_cell(dead(&door).await).unwrap();
    caller.call_and_forward(&callee, None, Message::Ask, &gone, Message::Note).unwrap();
    pass(door.system(), MS).await;
    assert_eq!(settled(&caller).await, 0);
    caller.call_and_forward(&callee, None, Message::Ask, &target, |_| panic!("no way")).unwrap();
    assert_eq!(caller.wait(None).await, Ok(Exit::Panicked("no way".into())));
    assert_eq!((settled(&callee).await, settled(&target).await), (0, 0));
}
