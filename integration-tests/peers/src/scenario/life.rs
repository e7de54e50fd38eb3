//! The forms that are about actors: how they start, what they weigh, and what
//! happens when they do not keep up.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::time::sleep;

use super::message::{STREAM, per};
use super::{Of, Reading};
use crate::memory::{self, Count};
use crate::system::{ENDED, Room, System};

/// Starts `n`, one after the other, and waits until their start hooks are done
/// as far as the system tells.
async fn start<S: System>(room: Room, n: u64, all: &mut Vec<S::Ref<1>>) {
    for _ in 0..n {
        all.push(S::spawn::<1>(room).await);
    }
    for one in all {
        S::started(one).await;
    }
}

fn reserved<T>(n: u64) -> Vec<T> {
    Vec::with_capacity(usize::try_from(n).expect("it fits in memory"))
}

pub(crate) async fn spawn<S: System>(room: Room, n: u64) -> Reading {
    let mut all = reserved(n);
    let at = Instant::now();
    start::<S>(room, n, &mut all).await;
    per(at, n)
}

pub(crate) async fn spawn_again<S: System>(room: Room, n: u64) -> Reading {
    let mut all = reserved(n);
    start::<S>(room, n, &mut all).await;
    // Each has run once at least, so that the first life was a whole one.
    for one in &all {
        S::ask(one, 0).await;
    }
    let before = ENDED.load(Ordering::Relaxed);
    all.drain(..).for_each(S::stop);
    while ENDED.load(Ordering::Relaxed) < before + n {
        sleep(Duration::from_millis(1)).await;
    }
    settle().await;
    let at = Instant::now();
    start::<S>(room, n, &mut all).await;
    per(at, n)
}

pub(crate) async fn spawn_ask<S: System>(room: Room, n: u64) -> Reading {
    let mut all = reserved(n);
    let at = Instant::now();
    for _ in 0..n {
        let one = S::spawn::<1>(room).await;
        assert_eq!(S::ask(&one, 0).await, 1);
        all.push(one);
    }
    per(at, n)
}

pub(crate) async fn first_message<S: System>(room: Room, n: u64) -> Reading {
    let mut all = reserved(n);
    start::<S>(room, n, &mut all).await;
    settle().await;
    let at = Instant::now();
    for one in &all {
        assert_eq!(S::ask(one, 0).await, 1);
    }
    per(at, n)
}

/// How much of the memory that is free a measurement may take.
const SHARE: f64 = 0.8;

pub(crate) async fn alive<S: System>(room: Room, n: u64) -> Reading {
    let before = memory::resident();
    let limit = before + (memory::available() as f64 * SHARE) as i64;
    let at = Instant::now();
    for spawned in 1..=n {
        S::spawn::<1>(room).await;
        if spawned % 65_536 == 0 && memory::resident() > limit {
            let each = (memory::resident() - before) as f64 / spawned as f64;
            return Reading::of(each).note(format!("memory was enough for {spawned} of {n}"));
        }
    }
    let took = at.elapsed();
    settle().await;
    let each = (memory::resident() - before) as f64 / n as f64;
    Reading::of(each).note(format!("{n} alive, spawned in {:.1} s", took.as_secs_f64()))
}

pub(crate) async fn resident<S: System>(room: Room, n: u64) -> Reading {
    let mut all = reserved(n + WARM);
    start::<S>(room, WARM, &mut all).await;
    settle().await;
    let before = memory::resident();
    start::<S>(room, n, &mut all).await;
    settle().await;
    let addresses = size_of::<S::Ref<1>>() as i64 * n as i64;
    let each = (memory::resident() - before - addresses) as f64 / n as f64;
    drop(all);
    Reading::of(each)
}

/// So many actors make the allocator and the runtime take what they take once.
const WARM: u64 = 256;

pub(crate) async fn heap<S: System>(room: Room, used: bool, n: u64) -> Reading {
    let mut all = reserved(n + WARM);
    start::<S>(room, WARM, &mut all).await;
    settle().await;
    let Some(count) = Count::start() else { return not_counting() };
    start::<S>(room, n, &mut all).await;
    if used {
        for one in all.iter().skip(WARM as usize) {
            assert_eq!(S::ask(one, 0).await, 1);
        }
    }
    settle().await;
    Reading::of(count.bytes() as f64 / n as f64)
}

pub(crate) async fn allocations<S: System>(room: Room, of: Of, n: u64) -> Reading {
    let to = S::spawn::<1>(room).await;
    let mut all = reserved(n + WARM);
    start::<S>(room, WARM, &mut all).await;
    once::<S>(of, &to, &mut all, room, WARM).await;
    let Some(count) = Count::start() else { return not_counting() };
    once::<S>(of, &to, &mut all, room, n).await;
    Reading::of(count.allocations() as f64 / n as f64)
}

async fn once<S: System>(of: Of, to: &S::Ref<1>, all: &mut Vec<S::Ref<1>>, room: Room, n: u64) {
    match of {
        Of::Tell => {
            for value in 0..n {
                S::tell(to, [value]);
                if value % STREAM == STREAM - 1 {
                    tokio::task::yield_now().await;
                }
            }
            S::ask(to, 0).await;
        }
        Of::Ask => {
            for value in 0..n {
                S::ask(to, value).await;
            }
        }
        Of::AskWithin => {
            for value in 0..n {
                S::ask_within(to, value, Duration::from_secs(5)).await;
            }
        }
        Of::Spawn => start::<S>(room, n, all).await,
    }
}

pub(crate) async fn refused<S: System>(room: Room, n: u64) -> Reading {
    let to = S::spawn::<1>(room).await;
    let (gate, held) = oneshot::channel();
    S::hold(&to, held);
    settle().await;
    let mut accepted = 0;
    while S::offer(&to, [accepted]) {
        accepted += 1;
        assert!(accepted < 1 << 20, "it does not refuse");
    }
    let at = Instant::now();
    for value in 0..n {
        assert!(!S::offer(&to, [value]), "there was room after all");
    }
    let reading = per(at, n);
    drop(gate);
    assert_eq!(S::ask(&to, 0).await, accepted + 1, "messages were lost");
    reading.note(format!("{accepted} accepted of a bound of 64; {}", S::WHEN_FULL))
}

pub(crate) async fn growth<S: System>(room: Room, n: u64) -> Reading {
    let to = S::spawn::<1>(room).await;
    let (gate, held) = oneshot::channel();
    S::hold(&to, held);
    settle().await;
    let Some(count) = Count::start() else { return not_counting() };
    let accepted = (0..n).filter(|value| S::offer(&to, [*value])).count() as u64;
    let each = count.bytes() as f64 / n as f64;
    drop(gate);
    assert_eq!(S::ask(&to, 0).await, accepted + 1, "messages were lost");
    Reading::of(each).note(format!("{accepted} accepted of {n} offered; {}", S::WHEN_FULL))
}

/// Lets every task that has something to do come to rest.
async fn settle() {
    sleep(Duration::from_millis(30)).await;
}

fn not_counting() -> Reading {
    Reading::of(f64::NAN).note("the allocator of this program does not count")
}
