//! Timeouts, on a clock that only moves when everybody waits.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actor_core::{
    CallError, CallFailure, Capacity, Exit, Rejection, ReplyPort, SendError, SpawnOptions, Status, WaitError,
    call, call_t, cast,
};

use actor_core::limits::CALL_TIMEOUT_DEFAULT;

use crate::support::{Door, Entry, Gate, Log, Message, Probe, act_once, dead, settled};

const TIMEOUT: Duration = Duration::from_millis(100);

pub(super) async fn a14_a_call_times_out_and_a_late_answer_is_harmless(door: impl Door) {
    let clock = door.system().executor().clone();
    let kept: Arc<Mutex<Option<ReplyPort<&'static str>>>> = Arc::default();
    let keep = |port: ReplyPort<&'static str>| {
        let kept = kept.clone();
        Message::Do(act_once(|| async move { *kept.lock().unwrap() = Some(port) }))
    };
    let actor = door.spawn(Probe::new(&Log::default())).await;
    let called_at = clock.now();
    let failed = actor.call_timeout(TIMEOUT, keep).await;
    assert_eq!(failed, Err(CallError::Failed(CallFailure::TimedOut(TIMEOUT))));
    assert_eq!(clock.now() - called_at, TIMEOUT);

    let late = kept.lock().unwrap().take().expect("the handler kept the port");
    assert_eq!(late.deadline(), Some(called_at + TIMEOUT));
    assert!(late.is_closed());
    assert_eq!(late.send("late"), Err("late"));
    assert_eq!(settled(&actor).await, 0);
}

pub(super) async fn b17_a_call_may_take_the_default_timeout(door: impl Door) {
    let system = door.system().clone();
    assert_eq!(system.call_timeout(), CALL_TIMEOUT_DEFAULT);
    let actor = door.spawn(Probe::new(&Log::default())).await;
    let silent = |port: ReplyPort<()>| Message::Do(act_once(|| async { std::mem::forget(port) }));
    // In a hook it is the actor's own system that says how long.
    let caller = door.spawn(Probe::new(&Log::default())).await;
    for (timeout, expected) in [
        (None, CALL_TIMEOUT_DEFAULT),
        (Some(2 * TIMEOUT), 2 * TIMEOUT),
        (Some(Duration::ZERO), Duration::ZERO),
    ] {
        if let Some(timeout) = timeout {
            system.set_call_timeout(timeout);
        }
        let callee = actor.clone();
        let (said, hears) = tokio::sync::oneshot::channel();
        let call = act_once(move || async move {
            let _ = said.send(callee.call_default_timeout(silent).await);
        });
        caller.cast(Message::Do(call)).unwrap();
        assert_eq!(hears.await.unwrap(), Err(CallError::Failed(CallFailure::TimedOut(expected))));
    }
    system.set_call_timeout(Duration::MAX);
    assert!(system.call_timeout() > Duration::from_secs(60 * 60 * 24 * 365 * 500));
    // Outside it is the process's default system, which nobody has changed here.
    let began = system.executor().now();
    let failed = actor.call_default_timeout(silent).await;
    assert_eq!(failed, Err(CallError::Failed(CallFailure::TimedOut(CALL_TIMEOUT_DEFAULT))));
    assert_eq!(system.executor().now() - began, CALL_TIMEOUT_DEFAULT);
    assert_eq!(call_t!(actor, Message::Ask), Ok(0));
}

pub(super) async fn a14_a_call_that_finds_no_room_was_not_sent(door: impl Door) {
    let (log, gate) = (Log::default(), Gate::new());
    let clock = door.system().executor().clone();
    let options = SpawnOptions::new().mailbox(Capacity::try_from(1).unwrap());
    let actor = door.start(Probe::new(&log), options).await.unwrap();
    actor.cast(Message::Do(gate.act())).unwrap();
    gate.reached().await;
    actor.cast(Message::Note(1)).unwrap();

    let called_at = clock.now();
    let failed = actor.call_timeout(TIMEOUT, Message::Ask).await;
    assert_eq!(clock.now() - called_at, TIMEOUT);
    let Err(CallError::NotSent(SendError::Full(Message::Ask(port)))) = failed else { panic!("{failed:?}") };
    assert_eq!(port.deadline(), Some(called_at + TIMEOUT));
    assert!(port.is_closed());

    // The wait left no trace: the one slot can be had as before.
    gate.open();
    assert_eq!(settled(&actor).await, 1);
    let answered = call_t!(actor, Message::Ask, 100);
    assert_eq!(answered, Ok(1));
    // What else a message holds stands after the time, and before the port.
    let add = |a: u32, b: u32, port: ReplyPort<u32>| {
        Message::Do(act_once(move || async move { _ = port.send(a + b) }))
    };
    assert_eq!((call_t!(actor, add, 100, 3, 4), call!(actor, add, 5, 6)), (Ok(7), Ok(11)));
    assert_eq!(call_t!(actor, Message::Ask, 100,), Ok(1));
    assert_eq!(log.entries(), [Entry::PreStart, Entry::PostStart, Entry::Note(1)]);
}

pub(super) async fn a14_a_call_is_answered_or_told_why_not(door: impl Door) {
    let gate = Gate::new();
    let actor = door.spawn(Probe::new(&Log::default())).await;
    cast!(actor, Message::Note(1)).unwrap();
    assert_eq!(call!(actor, Message::Ask), Ok(1));
    assert_eq!(call_t!(actor, Message::Ask, 100), Ok(1));

    // Nothing is sent before the future is polled, and nobody is asked for ever.
    drop(actor.call(Message::Ask));
    let unanswered = |port: ReplyPort<()>| Message::Do(act_once(|| async { drop(port) }));
    assert_eq!(actor.call(unanswered).await, Err(CallError::Failed(CallFailure::NoReply)));
    assert_eq!(settled(&actor).await, 1);

    // With the call in its queue, the actor stops.
    actor.cast(Message::Do(gate.act())).unwrap();
    gate.reached().await;
    let stop = async {
        actor.stop(None);
        gate.open();
    };
    let (cut_off, ()) = tokio::join!(actor.call(Message::Ask), stop);
    assert_eq!(cut_off, Err(CallError::Failed(CallFailure::Rejected(Rejection::Stopped))));
    let not_sent = actor.call(Message::Ask).await;
    assert!(
        matches!(not_sent, Err(CallError::NotSent(SendError::Stopped(Message::Ask(_), _)))),
        "{not_sent:?}"
    );
    assert!(not_sent.unwrap_err().never_ran());
}

pub(super) async fn a_wait_times_out_and_the_actor_goes_on(door: impl Door) {
    let (log, gate) = (Log::default(), Gate::new());
    let clock = door.system().executor().clone();
    let actor = door.spawn(Probe::new(&log)).await;
    let began = clock.now();
    assert_eq!(actor.wait(Some(TIMEOUT)).await, Err(WaitError::TimedOut(TIMEOUT)));
    assert_eq!(clock.now() - began, TIMEOUT);
    assert_eq!(actor.status(), Status::Running);

    actor.cast(Message::Do(gate.act())).unwrap();
    gate.reached().await;
    let stopped = actor.stop_and_wait(Some("slow"), Some(TIMEOUT)).await;
    assert_eq!(stopped, Err(WaitError::TimedOut(TIMEOUT)));
    assert_eq!(clock.now() - began, 2 * TIMEOUT);
    // The request stands.
    gate.open();
    assert_eq!(actor.wait(Some(TIMEOUT)).await, Ok(Exit::Stopped(Some("slow".into()))));
    assert_eq!(dead(&door).await.wait(Some(Duration::ZERO)).await, Ok(Exit::Stopped(None)));
    assert_eq!(clock.now() - began, 2 * TIMEOUT);
    assert_eq!(log.entries(), [Entry::PreStart, Entry::PostStart, Entry::PostStop, Entry::Dropped]);
}

pub(super) async fn a11_a_hook_that_sleeps_for_ever(door: impl Door) {
    const EVER: Duration = Duration::from_secs(60 * 60 * 24 * 365 * 100);
    let (log, gate) = (Log::default(), Gate::new());
    let clock = door.system().executor().clone();
    let began = clock.now();
    let hook = (gate.clone(), clock.clone());
    let act = act_once(|| async move {
        let (gate, clock) = hook;
        gate.pass().await;
        // sleep: the handler that a kill interrupts, in virtual time
        clock.sleep(EVER).await;
    });
    let actor = door.spawn(Probe::new(&log)).await;
    actor.cast(Message::Do(act)).unwrap();
    gate.reached().await;
    gate.open();
    let day = Duration::from_secs(60 * 60 * 24);
    assert_eq!(actor.stop_and_wait(None, Some(day)).await, Err(WaitError::TimedOut(day)));
    assert_eq!(actor.kill_and_wait(Some(day)).await, Ok(Exit::Killed));
    assert_eq!(clock.now() - began, day);
    assert_eq!(log.entries(), [Entry::PreStart, Entry::PostStart, Entry::Dropped]);
}

/// A port that nobody will ever drop, not even at its holder's end.
pub(super) async fn a14_a_port_that_is_kept_for_ever_times_out(door: impl Door) {
    let actor = door.spawn(Probe::new(&Log::default())).await;
    let forget = |port: ReplyPort<()>| Message::Do(act_once(|| async { std::mem::forget(port) }));
    let (unanswered, ()) = tokio::join!(actor.call_timeout(TIMEOUT, forget), async {
        assert_eq!(actor.drain_and_wait(None).await, Ok(Exit::Drained));
    });
    assert_eq!(unanswered, Err(CallError::Failed(CallFailure::TimedOut(TIMEOUT))));
}
