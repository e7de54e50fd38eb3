//! Many schedules of more parties than can be explored in full.
//!
//! ```text
//!  callers ──replier──► clerks ──some are passed on──► clerks ··· answer, or drop
//!     ▲ some wait, some for a number of polls only, some not at all      │
//!     └──────────────────────────────── slot ◄───────────────────────────┘
//! ```

use std::future::poll_fn;
use std::pin::pin;

use shuttle::future::{self, block_on};
use shuttle::rand::{Rng, thread_rng};
use shuttle::sync::mpsc::{Receiver, Sender, channel};
use shuttle::thread;

use super::super::*;
use super::{Counted, Drops};

const CALLERS: usize = 4;
const CLERKS: usize = 3;
const SCHEDULES: usize = 5_000;

fn schedules() -> usize {
    if std::env::var_os("ACTOR_TEST_FULL").is_some() { 50 * SCHEDULES } else { SCHEDULES }
}

/// Polls until there is an outcome, or as often as the caller's patience lasts.
async fn within(mut caller: Caller<Counted>, polls_max: Option<usize>) -> Option<Outcome<Counted>> {
    let mut polls = 0;
    poll_fn(|cx| {
        if polls_max == Some(polls) {
            return Poll::Ready(None);
        }
        polls += 1;
        let polled = caller.poll(cx);
        if polls_max.is_some() && polled.is_pending() {
            // Time passes.
            cx.waker().wake_by_ref();
        }
        polled.map(Some)
    })
    .await
}

/// Two tasks take turns in polling one caller, each with its own waker.
async fn in_turns(mut caller: Caller<Counted>) -> Outcome<Counted> {
    let first = poll_fn(|cx| Poll::Ready(caller.poll(cx))).await;
    match first {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => {
            let other = future::spawn(async move { poll_fn(|cx| caller.poll(cx)).await });
            pin!(other).await.expect("the other task ends well")
        }
    }
}

fn call(caller: Caller<Counted>) {
    let outcome = match thread_rng().gen_range(0..4) {
        0 => Some(block_on(in_turns(caller))),
        1 => block_on(within(caller, None)),
        _ => block_on(within(caller, Some(thread_rng().gen_range(0..4)))),
    };
    if let Some(Ok(value)) = outcome {
        assert_eq!(*value.number, 7);
    }
}

/// Answers, drops, or passes on. Says how many values it made.
fn clerk(inbox: &Receiver<Replier<Counted>>, next: &Sender<Replier<Counted>>, drops: &Drops) -> usize {
    let mut made = 0;
    while let Ok(replier) = inbox.recv() {
        match thread_rng().gen_range(0..5) {
            0 => drop(replier),
            1 => _ = next.send(replier),
            _ if replier.is_left() => assert!(replier.answer(Err(CallFailure::Expired)).is_err()),
            _ => {
                made += 1;
                drop(replier.answer(Ok(drops.value())));
            }
        }
    }
    made
}

fn office() {
    let drops = Drops::default();
    let (ends, mut inboxes): (Vec<_>, Vec<_>) = (0..=CLERKS).map(|_| channel()).unzip();
    let last: Receiver<Replier<Counted>> = inboxes.pop().expect("there is one more than clerks");
    // Each passes on to the one after it, so that the office closes from the front.
    let clerks: Vec<_> = inboxes
        .into_iter()
        .zip(ends.clone().into_iter().skip(1))
        .map(|(inbox, next)| {
            let drops = drops.clone();
            thread::spawn(move || clerk(&inbox, &next, &drops))
        })
        .collect();
    let callers: Vec<_> = (0..CALLERS)
        .map(|which| {
            let end = ends[which % CLERKS].clone();
            thread::spawn(move || {
                let (replier, caller) = slot(Bound::NOWHERE, None, None);
                end.send(replier).expect("the office is open");
                call(caller);
            })
        })
        .collect();
    drop(ends);
    // What was passed on by the last clerk is dropped here.
    let bin = thread::spawn(move || last.iter().for_each(drop));
    for caller in callers {
        caller.join().expect("the caller ends well");
    }
    bin.join().expect("the bin ends well");
    let made: usize = clerks.into_iter().map(|clerk| clerk.join().expect("the clerk ends well")).sum();
    assert_eq!(drops.count(), made, "each value is dropped once");
}

#[test]
fn every_call_of_a_busy_office_ends() {
    shuttle::check_random(office, schedules());
}

#[test]
fn every_call_of_an_unfair_office_ends() {
    shuttle::check_pct(office, schedules(), 3);
}
