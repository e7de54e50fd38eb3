//! The near end of a measurement: each form once, for every system.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use peers_common::stats::percentile;
use tokio::task::JoinSet;

use crate::far::{Far, Word};
use crate::flags::Task;
use crate::load::{Block, Payloads, Tally};
use crate::memory;
use crate::rows::{BULK_BYTES, CONTROL_BYTES, Kind, Load, Row, STALLED_BYTES};
use crate::system::Client;

/// What came out, by the names of rows.
pub(crate) type Values = BTreeMap<&'static str, f64>;

/// A reading, and what is to be known about it.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) values: Values,
    pub(crate) note: Option<String>,
}

impl<const N: usize> From<[(&'static str, f64); N]> for Reading {
    fn from(values: [(&'static str, f64); N]) -> Self {
        Self { values: Values::from(values), note: None }
    }
}

/// Runs a form against a system whose far end is connected.
pub(crate) async fn run<C: Client>(task: &Task, client: C, far: &mut Far) -> Reading {
    let time = Duration::from_millis(task.millis);
    match task.form.kind {
        Kind::Tell(load, senders) => tell(task.form.name, &client, load, senders, time).await,
        Kind::AskOne => ask_one(&client, time).await,
        Kind::AskMany(tasks) => ask_many(task.form.name, &client, tasks, time).await,
        Kind::CountTells => count_tells(task, &client, far).await,
        Kind::CountAsks(tasks) => count_asks(task, &client, far, tasks).await,
        Kind::Control => control(&client, time).await,
        Kind::Stalled => stalled(&client, far, time).await,
    }
}

/// Each sender goes on for a while; the figure ends with the answer to a question that comes
/// behind all of them.
async fn tell<C: Client>(
    row: &'static str,
    client: &C,
    load: Load,
    senders: usize,
    time: Duration,
) -> Reading {
    let warm = send_for(client, load, &vec![0; senders], time / 4).await;
    check(client, &warm).await;
    let start = Instant::now();
    let sent = send_for(client, load, &warm, time).await;
    check(client, &sent).await;
    let seconds = start.elapsed().as_secs_f64();
    let count = (sent.iter().sum::<u64>() - warm.iter().sum::<u64>()) as f64;
    let value = match load.bytes() {
        BULK_BYTES => count * BULK_BYTES as f64 / 1e6,
        _ => count / 1e3,
    };
    Reading::from([(row, value / seconds)])
}

/// Sends from this number on; the next numbers.
async fn send_for<C: Client>(client: &C, load: Load, from: &[u64], time: Duration) -> Vec<u64> {
    let until = Instant::now() + time;
    let mut tasks = JoinSet::new();
    for (sender, from) in from.iter().copied().enumerate() {
        let mut client = client.clone();
        tasks.spawn(async move {
            let payloads = Payloads::new(sender, load.bytes());
            // Reading the clock must cost nothing beside a message.
            let look_every = if load.bytes() < 4096 { 64 } else { 1 };
            let mut number = from;
            while !number.is_multiple_of(look_every) || Instant::now() < until {
                match load {
                    Load::Fixed => client.tell_fixed(Block::numbered(sender, number)).await,
                    Load::Owned(_) => client.tell(payloads.numbered(number)).await,
                }
                number += 1;
            }
            (sender, number)
        });
    }
    let mut numbers = vec![0; from.len()];
    while let Some(done) = tasks.join_next().await {
        let (sender, number) = done.expect("a sender does not panic");
        numbers[sender] = number;
    }
    numbers
}

/// # Panics
///
/// Unless the receiver has had all of it, each once, in its turn and as it was.
async fn check<C: Client>(client: &C, sent: &[u64]) {
    let expected = Tally { count: sent.iter().sum(), wrong: 0 };
    assert_eq!(client.tally().await, expected, "what arrived is not what was sent");
}

async fn ask_one<C: Client>(client: &C, time: Duration) -> Reading {
    ask_for(client, time / 4, |_| {}).await;
    let mut times = Vec::with_capacity(1 << 20);
    ask_for(client, time, |time| times.push(time)).await;
    percentiles("ask_seq", "ask_seq_p99", times)
}

/// The median and the 99th percentile of times.
pub(crate) fn percentiles(median: &'static str, p99: &'static str, times: Vec<Duration>) -> Reading {
    let mut times: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e6).collect();
    Reading::from([(median, percentile(&mut times, 500)), (p99, percentile(&mut times, 990))])
}

async fn ask_for<C: Client>(client: &C, time: Duration, mut each: impl FnMut(Duration)) {
    let until = Instant::now() + time;
    let mut before = Instant::now();
    let mut number = 0;
    while before < until {
        ask(client, number).await;
        number += 1;
        let now = Instant::now();
        each(now - before);
        before = now;
    }
}

/// # Panics
///
/// If the answer is not the question's.
async fn ask<C: Client>(client: &C, number: u64) {
    let question = Block::numbered(0, number);
    assert_eq!(client.ask(question).await, question.answer(), "an answer to another question");
}

async fn ask_many<C: Client>(row: &'static str, client: &C, tasks: usize, time: Duration) -> Reading {
    ask_at_once(client, tasks, Until::Time(Instant::now() + time / 4)).await;
    let start = Instant::now();
    let asked = ask_at_once(client, tasks, Until::Time(start + time)).await;
    Reading::from([(row, asked as f64 / 1e3 / start.elapsed().as_secs_f64())])
}

/// When those who ask have asked enough.
#[derive(Clone, Copy)]
enum Until {
    Time(Instant),
    /// Each has asked so often.
    Count(u64),
}

/// How often was asked.
async fn ask_at_once<C: Client>(client: &C, tasks: usize, until: Until) -> u64 {
    let mut set = JoinSet::new();
    for _ in 0..tasks {
        let client = client.clone();
        set.spawn(async move {
            let mut number = 0_u64;
            while match until {
                Until::Time(until) => !number.is_multiple_of(8) || Instant::now() < until,
                Until::Count(count) => number < count,
            } {
                ask(&client, number).await;
                number += 1;
            }
            number
        });
    }
    let mut asked = 0;
    while let Some(done) = set.join_next().await {
        asked += done.expect("whoever asks does not panic");
    }
    asked
}

/// Requests for memory between two moments, at both ends.
struct Counts {
    near: u64,
    far: u64,
}

impl Counts {
    /// # Panics
    ///
    /// In a program whose allocator does not count.
    fn now(far: &mut Far) -> Self {
        assert!(memory::is_counted(), "requests are counted by peers-remote-counting");
        let far = far.ask(Word::Allocations);
        Self { near: memory::allocations(), far }
    }

    /// For each operation; rows are both ends' together, and each end's where they are told apart.
    fn since(&self, before: &Self, operations: u64, rows: &[Row]) -> Reading {
        let each = |count: u64| count as f64 / operations as f64;
        let (near, far) = (each(self.near - before.near), each(self.far - before.far));
        let values = rows.iter().map(|row| row.name).zip([near + far, near, far]).collect();
        Reading { values, note: None }
    }
}

async fn count_tells<C: Client>(task: &Task, client: &C, far: &mut Far) -> Reading {
    let count = COUNTED_EACH_MS * task.millis;
    let mut client = client.clone();
    let mut before = Counts::now(far);
    for round in 0..2 {
        before = Counts::now(far);
        for number in round * count..(round + 1) * count {
            client.tell_fixed(Block::numbered(0, number)).await;
        }
        check(&client, &[(round + 1) * count]).await;
    }
    Counts::now(far).since(&before, count, task.form.rows)
}

async fn count_asks<C: Client>(task: &Task, client: &C, far: &mut Far, tasks: usize) -> Reading {
    let each = (COUNTED_EACH_MS * task.millis / 20 / tasks as u64).max(10);
    ask_at_once(client, tasks, Until::Count(each)).await;
    let before = Counts::now(far);
    let asked = ask_at_once(client, tasks, Until::Count(each)).await;
    Counts::now(far).since(&before, asked, task.form.rows)
}

/// Enough that what is done once does not show.
const COUNTED_EACH_MS: u64 = 200;

/// One task sends all it can, another asks an actor beside the receiver.
async fn control<C: Client>(client: &C, time: Duration) -> Reading {
    let bulk = async |from: u64, time: Duration| {
        send_for(client, Load::Owned(CONTROL_BYTES), &[from], time).await[0]
    };
    let warm = bulk(0, time / 4).await;
    check(client, &[warm]).await;

    let start = Instant::now();
    let calling = tokio::spawn(ask_beside(client.clone(), start + time));
    let sent = bulk(warm, time).await;
    check(client, &[sent]).await;
    let seconds = start.elapsed().as_secs_f64();
    let (calls, mut pings) = calling.await.expect("whoever asks does not panic");

    let mut reading = percentiles("control_p50_under_bulk", "control_p99_under_bulk", calls);
    reading.values.insert("bulk_under_control", (sent - warm) as f64 * CONTROL_BYTES as f64 / 1e6 / seconds);
    if !pings.is_empty() {
        reading.note = Some(format!("{} pings", pings.len()));
        reading.values.insert("ping_p99_under_bulk", percentile(&mut pings, 990));
    }
    reading
}

/// How long answers took, and what the session says of its pings in microseconds.
async fn ask_beside<C: Client>(client: C, until: Instant) -> (Vec<Duration>, Vec<f64>) {
    let (mut calls, mut pings) = (Vec::with_capacity(1 << 16), Vec::new());
    let mut last = client.ping();
    while Instant::now() < until {
        let (before, question) = (Instant::now(), Block::numbered(0, calls.len() as u64));
        assert_eq!(client.ask_beside(question).await, question.answer(), "an answer to another question");
        calls.push(before.elapsed());
        // Two pings that take the same nanoseconds are rare, and then one of them is missed.
        let ping = client.ping();
        if let Some(time) = ping.filter(|_| ping != last) {
            pings.push(time.as_secs_f64() * 1e6);
            last = ping;
        }
    }
    (calls, pings)
}

/// The receiver stands still; whoever sends is let in, or not.
async fn stalled<C: Client>(client: &C, far: &mut Far, time: Duration) -> Reading {
    let warm = send_for(client, Load::Owned(STALLED_BYTES), &[0], time / 4).await[0];
    check(client, &[warm]).await;
    let before = [memory::resident(), far.ask(Word::Resident)];
    far.ask(Word::Hold);
    let (sender, mut taken) = tokio::sync::watch::channel(warm);
    let mut sending = client.clone();
    let task = tokio::spawn(async move {
        let payloads = Payloads::new(0, STALLED_BYTES);
        for number in warm..warm + STALLED_MOST {
            sending.tell(payloads.numbered(number)).await;
            sender.send_replace(number + 1);
        }
    });
    // Until nothing more is taken, or enough was.
    while tokio::time::timeout(STALLED_QUIET, taken.changed()).await.is_ok_and(|change| change.is_ok()) {}
    let after = [memory::resident(), far.ask(Word::Resident)];
    let held = *taken.borrow() - warm;
    far.ask(Word::Release);
    task.await.expect("the sender does not panic");
    check(client, &[warm + STALLED_MOST]).await;

    let grown = |end: usize| (after[end] as f64 - before[end] as f64) / f64::from(1 << 20);
    let mut reading = Reading::from([("stalled_sender", grown(0)), ("stalled_receiver", grown(1))]);
    let bound = if held == STALLED_MOST { "all" } else { "no more" };
    reading.note = Some(format!("{held} messages of 1 KiB were taken, {bound} of {STALLED_MOST}"));
    reading
}

/// 64 MiB: whoever takes so much has no bound that helps.
const STALLED_MOST: u64 = 64 << 10;

/// After so long without one more, there will be none.
const STALLED_QUIET: Duration = Duration::from_millis(300);
