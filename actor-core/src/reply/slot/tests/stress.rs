//! Two real threads and a barrier between each round, for the sanitizers: what
//! the models cannot see is how memory is really used.

use std::sync::{Arc, mpsc};
use std::task::Wake;
use std::thread;

use super::super::*;
use super::{Counted, Drops};

const ROUNDS: usize = 20_000;

struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for the outcome, by a new waker each time.
fn block_on<T>(caller: &mut Caller<T>) -> Outcome<T> {
    loop {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        match caller.poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(outcome) => return outcome,
            Poll::Pending => thread::park(),
        }
    }
}

/// What the caller of a round does, by its number: takes the answer, waits for a
/// moment only, or leaves.
fn call(round: usize, mut caller: Caller<Counted>) -> bool {
    match round % 4 {
        0 | 1 => matches!(block_on(&mut caller), Ok(value) if *value.number == 7),
        2 => caller.poll(&mut Context::from_waker(Waker::noop())).is_ready(),
        _ => false,
    }
}

/// Answers every call and says how many values it made for that.
fn replies(repliers: &mpsc::Receiver<Replier<Counted>>, drops: &Drops) -> usize {
    let mut made = 0;
    for (round, replier) in repliers.iter().enumerate() {
        if round % 3 == 0 {
            thread::yield_now();
        }
        if replier.is_left() && round % 5 != 0 {
            drop(replier);
        } else {
            made += 1;
            drop(replier.answer(Ok(drops.value())));
        }
    }
    made
}

#[test]
fn two_threads_race_and_every_value_is_dropped_once() {
    let drops = Drops::default();
    let (to_replier, repliers) = mpsc::sync_channel(4);
    let ours = drops.clone();
    let replier = thread::spawn(move || replies(&repliers, &ours));
    let mut taken = 0;
    for round in 0..ROUNDS {
        let (replier, caller) = slot(Bound::NOWHERE, None, None);
        to_replier.send(replier).expect("the replier's thread lives");
        taken += usize::from(call(round, caller));
    }
    drop(to_replier);
    let made = replier.join().expect("the replier's thread ends well");
    assert!(taken >= ROUNDS / 2, "those who wait are answered: {taken}");
    assert_eq!(drops.count(), made, "each value is dropped once");
}

/// Slots are made on one thread, answered on a second and left on a third, so that
/// blocks wander between the threads' lists.
#[test]
fn memory_wanders_between_threads() {
    let drops = Drops::default();
    let (to_replier, repliers) = mpsc::sync_channel::<Replier<Counted>>(64);
    let (to_caller, callers) = mpsc::sync_channel::<Caller<Counted>>(64);
    let ours = drops.clone();
    let replier = thread::spawn(move || replies(&repliers, &ours));
    let caller = thread::spawn(move || {
        callers.iter().enumerate().map(|(round, caller)| call(round, caller)).filter(|taken| *taken).count()
    });
    for _ in 0..ROUNDS {
        let (replier, caller) = slot(Bound::NOWHERE, None, None);
        to_caller.send(caller).expect("the callers' thread lives");
        to_replier.send(replier).expect("the replier's thread lives");
    }
    drop((to_replier, to_caller));
    let made = replier.join().expect("the replier's thread ends well");
    let taken = caller.join().expect("the callers' thread ends well");
    assert!(taken >= ROUNDS / 2, "those who wait are answered: {taken}");
    assert_eq!(drops.count(), made, "each value is dropped once");
}
