//! Clocks that are shared by threads: when paced messages left and arrived, and
//! what a cache line takes from core to core.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

/// Ten thousand a second.
pub(crate) const PERIOD: Duration = Duration::from_micros(100);

static DELAYS: Mutex<Vec<u64>> = Mutex::new(Vec::new());

/// Nanoseconds since this was first asked.
pub(crate) fn now() -> u64 {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    u64::try_from(FIRST.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Makes room for so many.
pub(crate) fn expect(messages: usize) {
    now();
    *DELAYS.lock().expect("no panic") = Vec::with_capacity(messages);
}

/// A handler was reached by a message of that time. The lock is never contended.
pub(crate) fn arrived(at: u64) {
    DELAYS.lock().expect("no panic").push(now().saturating_sub(at));
}

/// What was gathered, in nanoseconds.
pub(crate) fn delays() -> Vec<u64> {
    std::mem::take(&mut *DELAYS.lock().expect("no panic"))
}

/// One way of a cache line between two threads; `None` where there is one core.
pub(crate) fn bounce_ns() -> Option<f64> {
    if thread::available_parallelism().is_ok_and(|cores| cores.get() < 2) {
        return None;
    }
    let ball = AtomicU64::new(0);
    let play = |parity: u64| {
        for turn in (0..2 * BOUNCES).filter(|turn| turn % 2 == parity) {
            let mut spins = 0u32;
            while ball.load(Ordering::Acquire) != turn {
                spins += 1;
                if spins.is_multiple_of(10_000) {
                    thread::yield_now();
                }
                std::hint::spin_loop();
            }
            ball.store(turn + 1, Ordering::Release);
        }
    };
    let start = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| play(0));
        play(1);
    });
    Some(start.elapsed().as_nanos() as f64 / (2 * BOUNCES) as f64)
}

const BOUNCES: u64 = 10_000;
