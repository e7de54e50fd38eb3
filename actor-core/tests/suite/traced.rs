//! Traced actors: a handler runs inside the span that its message was sent in, and nobody
//! else does. A span that is seen as `None` is no span.

use std::pin::pin;
use std::slice::from_ref;
use std::time::Duration;

use actor_core::{
    Actor, ActorError, ActorRef, Capacity, Exit, Instant, OutputPort, Overflow, Priority, Recipient,
    ReplyPort, SendError, Sorting, SpawnOptions, multi_call,
};

use super::mailbox::hold;
use crate::support::{
    Call, Door, Gate, Hook, Log, Message, Probe, Spans, act, act_once, fail, number, panics, pass, poll_once,
    settled, yield_once,
};

const MS: Duration = Duration::from_millis(1);

fn traced() -> SpawnOptions {
    SpawnOptions::new().traced()
}

fn traced_with(capacity: usize, overflow: Overflow) -> SpawnOptions {
    traced().mailbox(Capacity::try_from(capacity).unwrap()).overflow(overflow)
}

async fn started(door: &impl Door, options: SpawnOptions) -> ActorRef<Message> {
    door.start(Probe::new(&Log::default()), options).await.unwrap()
}

fn look(spans: &Spans) -> Message {
    Message::Do(spans.look())
}

pub(super) async fn a22_a_handler_runs_in_the_span_of_its_sender(door: impl Door) {
    let spans = Spans::default();
    let (one, other) = (spans.span(), spans.span());
    let actor = started(&door, traced()).await;
    for span in [&one, &other, &one] {
        spans.inside(span, || actor.cast(look(&spans))).unwrap();
    }
    // In no span, and where there is no subscriber.
    spans.here(|| actor.cast(look(&spans))).unwrap();
    actor.cast(look(&spans)).unwrap();
    spans.inside(&other, || actor.cast(look(&spans))).unwrap();
    settled(&actor).await;
    let (one, other) = (number(&one), number(&other));
    assert_eq!(spans.seen(), [[one; 3], [other; 3], [one; 3], [None; 3], [None; 3], [other; 3]].concat());
    assert_eq!(spans.captures(), 4);
    spans.assert_left(2);
}

pub(super) async fn a22_whatever_way_a_message_is_sent(door: impl Door) {
    let spans = Spans::default();
    let span = spans.span();
    let actor = started(&door, traced()).await;
    let answers = |port: ReplyPort<u32>| {
        let spans = spans.clone();
        Message::Do(act_once(move || async move {
            yield_once().await;
            spans.see();
            let _ = port.send(7);
        }))
    };
    let expected = [number(&span); 3];
    spans.run(&span, actor.send(look(&spans))).await.unwrap();
    settled(&actor).await;
    assert_eq!(spans.seen(), expected);
    assert_eq!(spans.run(&span, actor.call(answers)).await.unwrap(), 7);
    assert_eq!(
        spans.run(&span, multi_call(from_ref(&actor), None, answers)).await[0].as_ref().ok(),
        Some(&7)
    );
    settled(&actor).await;
    assert_eq!(spans.seen(), expected[..2]);
    let recipient: Recipient<Message> = actor.recipient();
    spans.inside(&span, || recipient.cast(look(&spans))).unwrap();
    settled(&actor).await;
    assert_eq!(spans.seen(), expected);
    let mut port: OutputPort<u32> = OutputPort::new();
    let looking = spans.clone();
    port.subscribe(&actor, move |_| Some(look(&looking)));
    spans.inside(&span, || port.send(1)).unwrap();
    settled(&actor).await;
    assert_eq!(spans.seen(), expected);
    // Before it has started.
    let (early, starting) = door.instant(Probe::new(&Log::default()), traced()).unwrap();
    spans.inside(&span, || early.cast(look(&spans))).unwrap();
    starting.await.unwrap();
    settled(&early).await;
    assert_eq!(spans.seen(), expected);
    drop(span);
    spans.assert_left(0);
}

pub(super) async fn a22_an_actor_that_is_not_traced_captures_nothing(door: impl Door) {
    let spans = Spans::default();
    let span = spans.span();
    let actor = started(&door, SpawnOptions::new()).await;
    let entries = spans.entries();
    spans.inside(&span, || actor.cast(look(&spans))).unwrap();
    spans.run(&span, actor.call(Message::Ask)).await.unwrap();
    assert_eq!(spans.seen(), [None; 3]);
    // Those of this test's: `run` takes a clone, and enters it for each poll and its drop.
    assert_eq!(spans.captures(), 1);
    let entered_by_the_test = spans.entries() - entries;
    let attached = act(move |myself| async move {
        drop(myself.cell().attach(yield_once()));
        Ok(())
    });
    spans.inside(&span, || actor.cast(Message::Do(attached))).unwrap();
    settled(&actor).await;
    assert_eq!((spans.captures(), spans.entries() - entries), (1, entered_by_the_test + 1));
}

pub(super) async fn a22_who_waits_for_room_sends_in_the_span_of_its_first_poll(door: impl Door) {
    let spans = Spans::default();
    let (one, other) = (spans.span(), spans.span());
    let (actor, gate) = (started(&door, traced_with(1, Overflow::Block)).await, Gate::new());
    hold(&actor, &gate).await;
    actor.cast(Message::Note(0)).unwrap();
    {
        let mut first = pin!(actor.send(look(&spans)));
        let mut second = pin!(actor.send(look(&spans)));
        let mut given_up = Box::pin(actor.send(look(&spans)));
        assert!(spans.run(&one, poll_once(first.as_mut())).await.is_pending());
        assert!(spans.run(&other, poll_once(given_up.as_mut())).await.is_pending());
        assert!(spans.run(&other, poll_once(second.as_mut())).await.is_pending());
        // Whoever polls it later, wherever.
        assert!(spans.run(&other, poll_once(first.as_mut())).await.is_pending());
        assert!(poll_once(second.as_mut()).await.is_pending());
        drop(given_up);
        assert_eq!(spans.handles(), 4);
        gate.open();
        first.await.unwrap();
        second.await.unwrap();
    }
    settled(&actor).await;
    assert_eq!(spans.seen(), [[number(&one); 3], [number(&other); 3]].concat());
    // A call waits too, and what is refused in the end is let go.
    hold(&actor, &gate).await;
    actor.cast(Message::Note(0)).unwrap();
    let mut call = Box::pin(actor.call(Message::Ask));
    assert!(spans.run(&one, poll_once(call.as_mut())).await.is_pending());
    assert_eq!(spans.handles(), 3);
    actor.kill_and_wait(None).await.unwrap();
    assert!(call.await.unwrap_err().never_ran());
    assert!(spans.inside(&one, || actor.cast(Message::Note(1))).is_err());
    drop((one, other));
    spans.assert_left(0);
}

pub(super) async fn a22_spans_go_with_messages_that_are_dropped(door: impl Door) {
    for (overflow, kept) in [
        (Overflow::Reject, [0, 1]),
        (Overflow::DropNewest, [0, 1]),
        (Overflow::Block, [0, 1]),
        (Overflow::DropOldest, [1, 2]),
    ] {
        let spans = Spans::default();
        let all = [(); 3].map(|()| spans.span());
        let (actor, gate) = (started(&door, traced_with(2, overflow)).await, Gate::new());
        hold(&actor, &gate).await;
        for span in &all {
            match spans.inside(span, || actor.cast(look(&spans))) {
                Ok(()) => {}
                Err(error) => assert!(matches!(error, SendError::Full(_))),
            }
        }
        assert_eq!(spans.handles(), 3 + 2, "{overflow:?}");
        gate.open();
        while actor.mailbox_stats().unwrap().depth > 0 {
            yield_to(&door).await;
        }
        settled(&actor).await;
        assert_eq!(spans.seen(), kept.map(|at| [number(&all[at]); 3]).concat(), "{overflow:?}");
        spans.assert_left(3);
    }
}

/// Lets others run, also those of another thread.
async fn yield_to(door: &impl Door) {
    let other = door.spawn(Probe::new(&Log::default())).await;
    settled(&other).await;
    other.stop_and_wait(None, None).await.unwrap();
}

/// Takes the urgent first, and nothing that is late.
struct Sorter;

enum Job {
    Hold(Gate),
    Look(Spans, Priority),
    Late,
    Ask(ReplyPort<()>),
}

impl Actor for Sorter {
    type Msg = Job;
    type State = ();
    type Arguments = ();

    const SORTING: Sorting<Job> = Sorting::new()
        .priority(|job| match job {
            Job::Look(_, priority) => *priority,
            Job::Hold(_) | Job::Late => Priority::Normal,
            Job::Ask(_) => Priority::Low,
        })
        .expires_at(|job| matches!(job, Job::Late).then_some(Instant::ZERO));

    async fn pre_start(&self, _: &ActorRef<Job>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle(&self, _: &ActorRef<Job>, job: Job, (): &mut ()) -> Result<(), ActorError> {
        match job {
            Job::Hold(gate) => gate.pass().await,
            Job::Look(spans, _) => {
                spans.see();
                yield_once().await;
                spans.see();
            }
            Job::Late => panic!("it has expired"),
            Job::Ask(port) => drop(port.send(())),
        }
        Ok(())
    }
}

pub(super) async fn a22_spans_stay_with_messages_that_are_sorted(door: impl Door) {
    let spans = Spans::default();
    let all = [(); 5].map(|()| spans.span());
    let actor = door.spawn_with(Sorter, (), traced()).await.unwrap();
    let gate = Gate::new();
    actor.cast(Job::Hold(gate.clone())).unwrap_or_else(|error| panic!("{error}"));
    gate.reached().await;
    let sent = [Priority::Low, Priority::Normal, Priority::High, Priority::Normal];
    for (span, priority) in all.iter().zip(sent) {
        let cast = spans.inside(span, || actor.cast(Job::Look(spans.clone(), priority)));
        cast.unwrap_or_else(|error| panic!("{error}"));
    }
    let late = spans.inside(&all[4], || actor.cast(Job::Late));
    late.unwrap_or_else(|error| panic!("{error}"));
    actor.cast(Job::Look(spans.clone(), Priority::Low)).unwrap_or_else(|error| panic!("{error}"));
    gate.open();
    actor.call(Job::Ask).await.unwrap_or_else(|error| panic!("{error}"));
    let [low, first, high, second, _] = all.each_ref().map(number);
    assert_eq!(spans.seen(), [[high; 2], [first; 2], [second; 2], [low; 2], [None; 2]].concat());
    // What waits when it ends, in a lane and in the queue.
    actor.cast(Job::Hold(gate.clone())).unwrap_or_else(|error| panic!("{error}"));
    gate.reached().await;
    for _ in 0..3 {
        let cast = spans.inside(&all[0], || actor.cast(Job::Look(spans.clone(), Priority::Low)));
        cast.unwrap_or_else(|error| panic!("{error}"));
    }
    actor.kill_and_wait(None).await.unwrap();
    spans.assert_left(5);
}

pub(super) async fn a22_queued_messages_keep_their_spans_from_life_to_life(door: impl Door) {
    let (spans, gate) = (Spans::default(), Gate::new());
    let (one, other) = (spans.span(), spans.span());
    let parent = door.spawn(Probe::new(&Log::default())).await;
    let child = door.restartable(&parent, traced(), || Probe::new(&Log::default())).await;
    let falls = {
        let (spans, gate) = (spans.clone(), gate.clone());
        act(move |_| {
            let (spans, gate) = (spans.clone(), gate.clone());
            async move {
                let _at_drop = spans.at_drop();
                gate.pass().await;
                panic!("fell")
            }
        })
    };
    spans.inside(&one, || child.cast(Message::Do(falls))).unwrap();
    gate.reached().await;
    spans.inside(&other, || child.cast(look(&spans))).unwrap();
    child.cast(look(&spans)).unwrap();
    gate.open();
    while child.status() != actor_core::Status::Suspended {
        settled(&parent).await;
    }
    assert_eq!(spans.seen(), [number(&one)], "what fell was dropped inside its span");
    spans.inside(&one, || child.cast(look(&spans))).unwrap();
    child.cell().restart();
    settled(&child).await;
    assert_eq!(spans.seen(), [[number(&other); 3], [None; 3], [number(&one); 3]].concat());
    spans.assert_left(2);
}

pub(super) async fn a22_a_handler_is_dropped_inside_its_span_however_it_ends(door: impl Door) {
    let killed = act(|myself| async move {
        myself.kill();
        std::future::pending().await
    });
    for (end, exit) in [
        (killed, Exit::Killed),
        (panics("fell"), Exit::Panicked("fell".into())),
        (fail("ill"), Exit::Failed("ill".into())),
    ] {
        let (spans, log) = (Spans::default(), Log::default());
        let (one, other) = (spans.span(), spans.span());
        let after = spans.look();
        let actor = door.start(Probe::new(&log).at(Hook::PostStop, after), traced()).await.unwrap();
        let ends = {
            let spans = spans.clone();
            act(move |myself| {
                let (spans, end) = (spans.clone(), end.clone());
                async move {
                    let _at_drop = spans.at_drop();
                    yield_once().await;
                    end(myself).await
                }
            })
        };
        spans.inside(&one, || actor.cast(Message::Do(ends))).unwrap();
        let _ = spans.inside(&other, || actor.cast(look(&spans)));
        assert_eq!(actor.wait(None).await, Ok(exit.clone()));
        assert_eq!(spans.seen(), [number(&one)], "{exit}");
        spans.assert_left(2);
    }
}

pub(super) async fn a22_hooks_that_handle_no_message_have_no_span(door: impl Door) {
    let spans = Spans::default();
    let (span, log) = (spans.span(), Log::default());
    let probe = [Hook::PostStart, Hook::Supervise, Hook::PostStop]
        .into_iter()
        .fold(Probe::new(&log), |probe, hook| probe.at(hook, spans.look()));
    let actor = door.start(probe, traced()).await.unwrap();
    spans.inside(&span, || actor.cast(Message::Note(1))).unwrap();
    settled(&actor).await;
    let child = door.spawn_under(&actor, Probe::new(&Log::default())).await;
    settled(&child).await;
    spans.inside(&span, || actor.cast(look(&spans))).unwrap();
    actor.drain_and_wait(None).await.unwrap();
    let seen = spans.seen();
    assert_eq!(seen.iter().filter(|seen| **seen == number(&span)).count(), 3, "its own message's: {seen:?}");
    assert_eq!(seen[seen.len() - 3..], [None; 3], "`post_stop`");
    spans.assert_left(1);
}

pub(super) async fn a22_a_subscriber_that_panics_loses_no_message(door: impl Door) {
    for call in Call::ALL {
        let (spans, gate) = (Spans::default(), Gate::new());
        let span = spans.span();
        let actor = started(&door, traced_with(2, Overflow::DropOldest)).await;
        hold(&actor, &gate).await;
        let is_capture = matches!(call, Call::Current | Call::Clone);
        spans.inside(&span, || {
            spans.panics_at(is_capture.then_some(call));
            actor.cast(look(&spans)).unwrap();
            actor.cast(look(&spans)).unwrap();
            spans.panics_at((call == Call::Close).then_some(call));
            // The oldest goes, with its span.
            actor.cast(look(&spans)).unwrap();
            spans.panics_at(None);
        });
        spans.panics_at((!is_capture).then_some(call));
        gate.open();
        while actor.mailbox_stats().unwrap().depth > 0 {
            yield_to(&door).await;
        }
        settled(&actor).await;
        spans.panics_at(None);
        let first = if is_capture { None } else { number(&span) };
        assert_eq!(spans.seen(), [[first; 3], [number(&span); 3]].concat(), "{call:?}");
        assert_eq!(actor.drain_and_wait(None).await, Ok(Exit::Drained));
        spans.assert_left(1);
    }
}

/// Here and below the subscriber is that of the one thread.
pub(super) async fn a22_a_trace_goes_on_through_what_a_handler_sends(door: impl Door) {
    let spans = Spans::default();
    let _installed = spans.installed();
    let span = spans.span();
    let last = started(&door, traced()).await;
    let middle = started(&door, traced()).await;
    let first = started(&door, traced()).await;
    let to_last = {
        let (spans, last) = (spans.clone(), last.clone());
        act(move |_| {
            let (spans, last) = (spans.clone(), last.clone());
            async move {
                yield_once().await;
                last.call(Message::Ask).await.unwrap();
                last.cast(look(&spans)).unwrap();
                Ok(())
            }
        })
    };
    let to_middle = {
        let (middle, to_last) = (middle.clone(), to_last);
        act(move |_| {
            let (middle, to_last) = (middle.clone(), to_last.clone());
            async move {
                yield_once().await;
                middle.send(Message::Do(to_last)).await.unwrap();
                Ok(())
            }
        })
    };
    spans.inside(&span, || first.cast(Message::Do(to_middle))).unwrap();
    for actor in [&first, &middle, &last] {
        settled(actor).await;
    }
    assert_eq!(spans.seen(), [number(&span); 3]);
    spans.assert_left(1);
}

pub(super) async fn a22_what_is_attached_runs_in_the_span_it_was_attached_in(door: impl Door) {
    let spans = Spans::default();
    let _installed = spans.installed();
    let span = spans.span();
    let actor = started(&door, traced()).await;
    let other = started(&door, traced()).await;
    let attaches = {
        let (spans, other) = (spans.clone(), other.clone());
        act(move |myself| {
            let (spans, other) = (spans.clone(), other.clone());
            async move {
                let beside = {
                    let spans = spans.clone();
                    async move {
                        let _at_drop = spans.at_drop();
                        yield_once().await;
                        spans.see();
                    }
                };
                let (piped, forwarded) = (look(&spans), look(&spans));
                myself.pipe(beside, move |()| piped);
                myself.send_after(5 * MS, look(&spans));
                myself.call_and_forward(&other, None, Message::Ask, &myself, move |_| forwarded).unwrap();
                Ok(())
            }
        })
    };
    spans.inside(&span, || actor.cast(Message::Do(attaches))).unwrap();
    pass(door.system(), 9 * MS).await;
    settled(&actor).await;
    assert_eq!(spans.seen(), [number(&span); 2 + 3 * 3]);
    spans.assert_left(1);
    // Outside of spans, and ended before its time.
    let timer = actor.send_after(5 * MS, look(&spans));
    pass(door.system(), 9 * MS).await;
    assert!(timer.is_over());
    settled(&actor).await;
    assert_eq!(spans.seen(), [None; 3]);
    let at_drop = spans.at_drop();
    let waits = async move {
        let _at_drop = at_drop;
        std::future::pending::<()>().await;
    };
    let waiting = spans.inside(&span, || actor.cell().attach(waits));
    pass(door.system(), MS).await;
    assert_eq!(spans.handles(), 2);
    waiting.cancel();
    pass(door.system(), MS).await;
    assert_eq!(spans.seen(), [number(&span)]);
    spans.assert_left(1);
}

pub(super) async fn a22_what_waits_in_a_port_keeps_its_span(door: impl Door) {
    let (spans, gate) = (Spans::default(), Gate::new());
    let _installed = spans.installed();
    let (one, other) = (spans.span(), spans.span());
    let actor = started(&door, traced_with(1, Overflow::Block)).await;
    hold(&actor, &gate).await;
    let mut port: OutputPort<u32> = OutputPort::new();
    let looking = spans.clone();
    let subscription = port.subscribe(&actor, move |_| Some(look(&looking)));
    for span in [&one, &other, &one] {
        spans.inside(span, || port.send(1)).unwrap();
    }
    port.send(1).unwrap();
    gate.open();
    pass(door.system(), MS).await;
    settled(&actor).await;
    let (first, second) = (number(&one), number(&other));
    assert_eq!(spans.seen(), [[first; 3], [second; 3], [first; 3], [None; 3]].concat());
    spans.assert_left(2);
    // What waits goes with the subscription.
    hold(&actor, &gate).await;
    for _ in 0..4 {
        spans.inside(&one, || port.send(1)).unwrap();
    }
    pass(door.system(), MS).await;
    subscription.cancel();
    actor.kill_and_wait(None).await.unwrap();
    pass(door.system(), MS).await;
    spans.assert_left(2);
}
