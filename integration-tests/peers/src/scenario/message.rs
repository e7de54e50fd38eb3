//! The forms that are about messages: tells, asks, rings, and paced ones.

use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::yield_now;

use super::{Reading, Way};
use crate::paced as pace;
use crate::system::{FINISHED, Room, System};

/// After how many messages a stream lets others run.
pub(crate) const STREAM: u64 = 256;

/// Never.
pub(crate) const BURST: u64 = u64::MAX;

pub(crate) async fn tell<S: System, const W: usize>(
    room: Room,
    senders: u64,
    pause: u64,
    way: Way,
    n: u64,
) -> Reading {
    let to = S::spawn::<W>(room).await;
    let warm = n / 20;
    produce::<S, W>(&to, warm, pause, way).await;
    assert_eq!(S::ask(&to, 0).await, warm + 1);
    let each = n / senders;
    let start = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..senders {
        let to = to.clone();
        tasks.push(S::task(async move {
            produce::<S, W>(&to, each, pause, way).await;
            S::ask(&to, 0).await
        }));
    }
    for task in tasks {
        task.await;
    }
    let reading = per(start, each * senders);
    assert_eq!(S::ask(&to, 0).await, warm + 1 + each * senders + senders + 1, "messages were lost");
    reading
}

async fn produce<S: System, const W: usize>(to: &S::Ref<W>, n: u64, pause: u64, way: Way) {
    let mut sent = 0;
    while sent < n {
        let until = sent.saturating_add(pause).min(n);
        match way {
            Way::Tell => {
                for value in sent..until {
                    S::tell(to, [value; W]);
                }
            }
            Way::Send => {
                for value in sent..until {
                    S::send(to, [value; W]).await;
                }
            }
            Way::OfferThenSend => {
                for value in sent..until {
                    if !S::offer(to, [value; W]) {
                        S::send(to, [value; W]).await;
                    }
                }
            }
        }
        sent = until;
        if pause != BURST {
            yield_now().await;
        }
    }
}

pub(crate) async fn foreign<S: System>(room: Room, n: u64) -> Reading {
    let to = S::spawn::<1>(room).await;
    assert_eq!(S::ask(&to, 0).await, 1);
    let (done, is_done) = oneshot::channel();
    let handle = Handle::current();
    let sender = thread::spawn(move || {
        let start = Instant::now();
        for value in 0..n {
            S::tell(&to, [value]);
        }
        let handled = handle.block_on(S::ask(&to, 0));
        let reading = per(start, n);
        assert_eq!(handled, n + 2, "messages were lost");
        let _ = done.send(reading);
    });
    let reading = is_done.await.expect("the thread panicked");
    sender.join().expect("the thread panicked");
    reading
}

pub(crate) async fn fanout<S: System>(room: Room, way: Way, n: u64) -> Reading {
    let actors = if n < 10_000 { 10 } else { 1000 };
    let mut all = Vec::new();
    for _ in 0..actors {
        let to = S::spawn::<1>(room).await;
        assert_eq!(S::ask(&to, 0).await, 1);
        all.push(to);
    }
    let rounds = n / actors;
    let start = Instant::now();
    let task = S::task(async move {
        for value in 0..rounds {
            for to in &all {
                match way {
                    Way::Tell => S::tell(to, [value]),
                    Way::Send | Way::OfferThenSend => S::send(to, [value]).await,
                }
            }
        }
        for to in &all {
            assert_eq!(S::ask(to, 0).await, rounds + 2, "messages were lost");
        }
    });
    task.await;
    per(start, rounds * actors)
}

pub(crate) async fn ask<S: System>(room: Room, n: u64) -> Reading {
    let to = S::spawn::<1>(room).await;
    S::ask(&to, 0).await;
    let start = Instant::now();
    let mut last = 0;
    for value in 0..n {
        last = S::ask(&to, value).await;
    }
    assert_eq!(last, n + 1);
    per(start, n)
}

/// Far enough away that it is never reached.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) async fn ask_within<S: System>(room: Room, n: u64) -> Reading {
    let to = S::spawn::<1>(room).await;
    S::ask(&to, 0).await;
    let start = Instant::now();
    let mut last = 0;
    for value in 0..n {
        last = S::ask_within(&to, value, PATIENCE).await;
    }
    assert_eq!(last, n + 1);
    per(start, n)
}

pub(crate) async fn ask_actor<S: System>(room: Room, n: u64) -> Reading {
    let (asks, answers) = (S::spawn::<1>(room).await, S::spawn::<1>(room).await);
    S::introduce(&asks, answers);
    assert_eq!(S::relay(&asks, 1).await, 1);
    let start = Instant::now();
    assert_eq!(S::relay(&asks, n).await, n + 1);
    per(start, n)
}

pub(crate) async fn ask_many<S: System>(room: Room, callers: u64, n: u64) -> Reading {
    let to = S::spawn::<1>(room).await;
    S::ask(&to, 0).await;
    let each = (n / callers).max(1);
    let start = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..callers {
        let to = to.clone();
        tasks.push(S::task(async move {
            for value in 0..each {
                S::ask(&to, value).await;
            }
        }));
    }
    for task in tasks {
        task.await;
    }
    let reading = per(start, each * callers);
    assert_eq!(S::ask(&to, 0).await, each * callers + 2);
    reading
}

pub(crate) async fn ring<S: System>(room: Room, actors: usize, n: u64) -> Reading {
    let mut all = Vec::new();
    for _ in 0..actors {
        all.push(S::spawn::<1>(room).await);
    }
    for (at, actor) in all.iter().enumerate() {
        S::introduce(actor, all[(at + 1) % actors].clone());
        assert_eq!(S::ask(actor, 0).await, 1);
    }
    S::pass(&all[0], actors as u64);
    FINISHED.notified().await;
    let start = Instant::now();
    S::pass(&all[0], n);
    FINISHED.notified().await;
    per(start, n)
}

/// A ring of tasks that pass no token, only wake each other: what a hop on tokio takes
/// at least, whatever carries the message.
pub(crate) async fn bare_wakes(tasks: usize, n: u64) -> Reading {
    let ring: Arc<[OnceLock<Waker>]> = (0..tasks).map(|_| OnceLock::new()).collect();
    let left = Arc::new(AtomicU64::new(0));
    for at in 0..tasks {
        let (ring, left) = (Arc::clone(&ring), Arc::clone(&left));
        tokio::spawn(poll_fn(move |cx| {
            let _ = ring[at].get_or_init(|| cx.waker().clone());
            // Relaxed: whoever is woken sees what was done before the wake.
            match left.load(Ordering::Relaxed) {
                0 => {}
                1 => {
                    left.store(0, Ordering::Relaxed);
                    FINISHED.notify_one();
                }
                more => {
                    left.store(more - 1, Ordering::Relaxed);
                    ring[(at + 1) % tasks].get().expect("all have begun").wake_by_ref();
                }
            }
            Poll::<()>::Pending
        }));
    }
    while ring.iter().any(|waker| waker.get().is_none()) {
        yield_now().await;
    }
    let mut start = Instant::now();
    for hops in [tasks as u64, n] {
        start = Instant::now();
        left.store(hops, Ordering::Relaxed);
        ring[0].get().expect("all have begun").wake_by_ref();
        FINISHED.notified().await;
    }
    per(start, n)
}

pub(crate) async fn paced<S: System>(room: Room, quantile: usize, n: u64) -> Reading {
    let to = S::spawn::<1>(room).await;
    S::ask(&to, 0).await;
    pace::expect(n as usize);
    let (done, is_done) = oneshot::channel();
    thread::spawn(move || {
        let start = Instant::now();
        for sent in 0..n {
            let due = start + pace::PERIOD * u32::try_from(sent).unwrap_or(u32::MAX);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            S::stamp(&to, pace::now());
        }
        let _ = done.send(to);
    });
    let to = is_done.await.expect("the thread panicked");
    S::ask(&to, 0).await;
    let mut delays = pace::delays();
    assert_eq!(delays.len() as u64, n, "messages were lost");
    delays.sort_unstable();
    let at = (delays.len() * quantile / 1000).min(delays.len() - 1);
    Reading::of(delays[at] as f64 / 1000.0)
}

/// Nanoseconds since `start` for each of `n`.
pub(crate) fn per(start: Instant, n: u64) -> Reading {
    Reading::of(start.elapsed().as_nanos() as f64 / n.max(1) as f64)
}
