//! One question to many actors.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actor_core::{
    ActorRef, CallError, CallFailure, Capacity, Rejection, ReplyPort, SendError, SpawnOptions, multi_call,
};

use crate::support::{
    Door, Entry, Gate, Log, Message, Probe, act_once, held, panics, pass, poll_once, settled,
};

const TIMEOUT: Duration = Duration::from_millis(100);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Where handlers keep the ports of calls that they do not answer.
type Ports = Arc<Mutex<Vec<ReplyPort<u32>>>>;

fn keep(ports: &Ports, port: ReplyPort<u32>) -> Message {
    let ports = ports.clone();
    Message::Do(act_once(|| async move { ports.lock().unwrap().push(port) }))
}

fn panic_with(port: ReplyPort<u32>) -> Message {
    Message::Do(act_once(|| async move {
        let _port = port;
        panic!("it was too much");
    }))
}

/// An actor in a hook until the gate is opened, without room for another message.
async fn full(door: &impl Door, log: &Log, gate: &Gate) -> ActorRef<Message> {
    let options = SpawnOptions::new().mailbox(Capacity::try_from(1).unwrap());
    let actor = door.start(Probe::new(log), options).await.unwrap();
    actor.cast(Message::Do(gate.act())).unwrap();
    gate.reached().await;
    actor.cast(Message::Note(0)).unwrap();
    actor
}

fn timed_out(timeout: Duration) -> CallError<Message> {
    CallError::Failed(CallFailure::TimedOut(timeout))
}

fn is_full(result: &Result<u32, CallError<Message>>) -> bool {
    matches!(result, Err(CallError::NotSent(SendError::Full(Message::Ask(_)))))
}

pub(super) async fn a14_each_of_many_calls_ends_for_itself(door: impl Door) {
    let clock = door.system().executor().clone();
    let (gate, ports) = (Gate::new(), Ports::default());
    let spawn = || door.spawn(Probe::new(&Log::default()));
    let dead = spawn().await;
    dead.stop_and_wait(None, None).await.unwrap();
    let full = full(&door, &Log::default(), &gate).await;
    let actors = [dead, spawn().await, spawn().await, full, spawn().await, spawn().await];
    actors[5].cast(Message::Note(1)).unwrap();

    let began = clock.now();
    let mut asked = 0;
    let ask = |port| {
        asked += 1;
        match asked {
            3 => keep(&ports, port),
            5 => panic_with(port),
            _ => Message::Ask(port),
        }
    };
    let results = multi_call(&actors, Some(TIMEOUT), ask).await;

    assert_eq!((results.len(), asked, clock.now() - began), (6, 6, TIMEOUT));
    assert!(matches!(results[0], Err(CallError::NotSent(SendError::Stopped(Message::Ask(_), _)))));
    assert_eq!(results[1], Ok(0));
    assert_eq!(results[2], Err(timed_out(TIMEOUT)));
    assert!(is_full(&results[3]), "{:?}", results[3]);
    assert_eq!(results[4], Err(CallError::Failed(CallFailure::NoReply)));
    assert_eq!(results[5], Ok(1));
    // Who is late finds nobody, and the full one was never asked.
    assert_eq!(ports.lock().unwrap().pop().map(|port| port.send(1)), Some(Err(1)));
    gate.open();
    assert_eq!(settled(&actors[3]).await, 1);
}

pub(super) async fn a14_many_calls_within_no_time_and_all_time(door: impl Door) {
    let clock = door.system().executor().clone();
    let (gate, ports) = (Gate::new(), Ports::default());
    let silent = door.spawn(Probe::new(&Log::default())).await;
    let full = full(&door, &Log::default(), &gate).await;
    settled(&silent).await;

    let began = clock.now();
    let actors = [silent.clone(), full.clone()];
    let results = multi_call(&actors, Some(Duration::ZERO), |port| keep(&ports, port)).await;
    assert_eq!(results[0], Err(timed_out(Duration::ZERO)));
    assert!(matches!(results[1], Err(CallError::NotSent(SendError::Full(_)))));
    // A timer may be as coarse as this.
    assert!(clock.now() - began <= Duration::from_millis(1));

    let answer_in_an_hour = |port: ReplyPort<u32>| {
        // sleep: virtual time.
        let sleep = clock.sleep(HOUR);
        Message::Do(act_once(|| async move {
            sleep.await;
            let _ = port.send(7);
        }))
    };
    for timeout in [None, Some(Duration::MAX), Some(2 * HOUR)] {
        let asked = [silent.clone(), silent.clone()];
        assert_eq!(multi_call(&asked, timeout, answer_in_an_hour).await, [Ok(7), Ok(7)]);
    }
}

pub(super) async fn c14_many_calls_wait_for_room(door: impl Door) {
    let (log, gate) = (Log::default(), Gate::new());
    let actor = full(&door, &log, &gate).await;
    let noted = Arc::new(Mutex::new(0));
    let ask = |port: ReplyPort<u32>| {
        let mut noted = noted.lock().unwrap();
        *noted += 1;
        let (number, log) = (*noted, log.clone());
        Message::Do(act_once(move || async move {
            log.push(Entry::Note(number));
            let _ = port.send(number);
        }))
    };
    // One actor may be asked as often as one likes.
    let actors = vec![actor; 4];
    let (results, ()) = tokio::join!(multi_call(&actors, Some(TIMEOUT), ask), async { gate.open() });
    assert_eq!(results, [Ok(1), Ok(2), Ok(3), Ok(4)]);
    let notes = (0..=4).map(Entry::Note);
    assert_eq!(
        log.entries(),
        [Entry::PreStart, Entry::PostStart].into_iter().chain(notes).collect::<Vec<_>>()
    );
}

/// Who waits for room is served when it is his turn, whoever stands before him.
pub(super) async fn c14_a_place_that_comes_free_is_taken_while_another_is_waited_for(door: impl Door) {
    let (first, second) = (Gate::new(), Gate::new());
    let silent = full(&door, &Log::default(), &first).await;
    let full = full(&door, &Log::default(), &second).await;
    // The same one thrice: it has room for one at a time.
    let actors = [silent, full.clone(), full.clone(), full.clone()];
    {
        let mut asked = pin!(multi_call(&actors, None, Message::Ask));
        held(asked.as_mut(), async {
            second.open();
            pass(door.system(), Duration::from_millis(1)).await;
            // All three were put in and handled: there is room for another.
            assert!(full.cast(Message::Note(2)).is_ok());
            first.open();
        })
        .await;
        assert_eq!(asked.await, [Ok(1), Ok(1), Ok(1), Ok(1)]);
    }
    assert_eq!(settled(&full).await, 2);
}

pub(super) async fn many_calls_that_are_given_up(door: impl Door) {
    let (gate, ports) = (Gate::new(), Ports::default());
    let silent = door.spawn(Probe::new(&Log::default())).await;
    let full = full(&door, &Log::default(), &gate).await;
    let actors = [silent.clone(), full.clone()];
    // Nothing is sent before it is polled.
    drop(multi_call(&actors, None, |port| keep(&ports, port)));
    settled(&silent).await;
    assert_eq!(ports.lock().unwrap().len(), 0);

    for timeout in [None, Some(TIMEOUT)] {
        let mut calling = Box::pin(multi_call(&actors, timeout, |port| keep(&ports, port)));
        assert!(poll_once(calling.as_mut()).await.is_pending());
        settled(&silent).await;
        let port = ports.lock().unwrap().pop().expect("the first was asked");
        assert!(!port.is_closed());
        drop(calling);
        assert!(port.is_closed());
    }
    gate.open();
    assert_eq!(settled(&full).await, 1);
    assert_eq!(ports.lock().unwrap().len(), 0);
}

pub(super) async fn nobody_is_called(door: impl Door) {
    let began = door.system().executor().now();
    for timeout in [None, Some(Duration::ZERO), Some(TIMEOUT)] {
        let ask = |_: ReplyPort<u32>| -> Message { panic!("there is nobody to ask") };
        assert_eq!(multi_call(&[], timeout, ask).await, []);
    }
    assert_eq!(door.system().executor().now(), began);
}

pub(super) async fn a_thousand_are_called(door: impl Door) {
    let mut actors = Vec::new();
    for number in 0..1000 {
        let actor = door.spawn(Probe::new(&Log::default())).await;
        for _ in 0..number % 4 {
            actor.cast(Message::Note(1)).unwrap();
        }
        actors.push(actor);
    }
    // The first fails all the while the others answer.
    actors[0].cast(Message::Do(panics("never mind"))).unwrap();
    let results = multi_call(&actors, Some(HOUR), Message::Ask).await;
    assert_eq!(results[0], Err(CallError::Failed(CallFailure::Rejected(Rejection::Stopped))));
    let numbers: Vec<u32> = results.into_iter().skip(1).map(|result| result.unwrap()).collect();
    assert_eq!(numbers, (1..1000).map(|number| number % 4).collect::<Vec<_>>());
}
