//! One round of traffic: its senders, its receiver, and how it ends, all by chance.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::channels::{Channel, Intake, Outbox, Refused};
use super::oracle::{Oracle, Parcel, Random};

/// What happened, so that a round of nothing is not taken for a proof.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    accepted: u64,
    /// Found the mailbox full and did not wait.
    refused: u64,
    /// Waited.
    waited: u64,
    /// Gave up waiting.
    cancelled: u64,
    /// The receiver slept.
    slept: u64,
    /// It went on as another task.
    moved: u64,
    /// It died with senders under way.
    died: u64,
}

impl Seen {
    pub(super) fn add(&mut self, other: &Seen) {
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.waited += other.waited;
        self.cancelled += other.cancelled;
        self.slept += other.slept;
        self.moved += other.moved;
        self.died += other.died;
    }

    pub(super) fn assert_worth_the_time(&self, bound: Option<usize>) {
        let always = [self.accepted, self.slept, self.moved, self.died];
        assert!(!always.contains(&0), "{self:?}");
        if bound.is_some_and(|bound| bound <= 64) {
            assert!(![self.refused, self.waited, self.cancelled].contains(&0), "{self:?}");
        }
    }
}

/// How a receiver ends.
#[derive(Clone, Copy, PartialEq)]
enum End {
    /// When the senders are done.
    Drained,
    /// Closes after so many messages, and drains.
    Closes(u32),
    /// Dies after so many; orderly, or just so.
    Dies(u32, bool),
}

/// Nobody waits as long as this, on whatever machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn round<C: Channel>(bound: Option<usize>, seed: u64) -> Seen {
    let mut random = Random::from_seed(seed);
    let senders = 1 + random.below(6) as usize;
    let most = if random.one_in(8) { 2_000 } else { 120 };
    let messages: Vec<u32> = (0..senders).map(|_| 1 + random.below(most)).collect();
    let total: u32 = messages.iter().sum();
    let end = match random.below(4) {
        0 => End::Closes(random.below(total)),
        1 => End::Dies(random.below(total), random.one_in(2)),
        _ => End::Drained,
    };
    let has_bombs = C::IS_OURS && random.one_in(3);
    let oracle = Oracle::new(&messages, bound);
    let (outbox, intake) = C::open(bound);

    let mut done = Vec::new();
    for (which, count) in messages.iter().enumerate() {
        let sender = Sender {
            which,
            count: *count,
            has_bombs,
            outbox: outbox.clone(),
            oracle: oracle.clone(),
            random: Random::from_seed(random.next()),
            accepted: Vec::new(),
            seen: Seen::default(),
        };
        let (tell, told) = oneshot::channel();
        done.push(told);
        if random.one_in(3) {
            thread::spawn(move || _ = tell.send(block_on(sender.run())));
        } else {
            tokio::spawn(async move { _ = tell.send(sender.run().await) });
        }
    }
    let receiver = Receiver {
        intake,
        oracle: oracle.clone(),
        random: Random::from_seed(random.next()),
        end,
        handled: vec![Vec::new(); senders],
        count: 0,
        seen: Seen::default(),
    };
    let receiving = tokio::spawn(receiver.run_in_turns());
    // A third party that closes, or calls for nothing.
    if random.one_in(4) {
        for _ in 0..random.below(20) {
            outbox.call();
            tokio::task::yield_now().await;
        }
        if end != End::Drained {
            outbox.close();
        }
    }

    let mut seen = Seen::default();
    let mut accepted = Vec::new();
    let mut made = Vec::new();
    for told in done {
        let told = tokio::time::timeout(PATIENCE, told).await.expect("a sender is left waiting");
        let (sender, of_sender) = told.expect("the sender ends well");
        seen.add(&of_sender);
        made.push(sender.0);
        accepted.push(sender.1);
    }
    outbox.close();
    outbox.assert_nobody_waits();
    drop(outbox);
    let received = tokio::time::timeout(PATIENCE, receiving).await.expect("the receiver is left waiting");
    let (handled, of_receiver) = received.expect("the receiver ends well");
    seen.add(&of_receiver);
    oracle.judge(&accepted, &handled, &made, !matches!(end, End::Dies(..)));
    seen
}

struct Sender<O> {
    which: usize,
    count: u32,
    has_bombs: bool,
    outbox: O,
    oracle: Arc<Oracle>,
    random: Random,
    accepted: Vec<u32>,
    seen: Seen,
}

impl<O: Outbox> Sender<O> {
    /// How many messages it made, which of them were accepted, and what it saw.
    async fn run(mut self) -> ((u32, Vec<u32>), Seen) {
        let mut made = 0;
        for number in 0..self.count {
            if self.random.one_in(16) {
                yield_now().await;
            }
            if self.random.one_in(64) {
                self.outbox.call();
            }
            made += 1;
            if !self.send(number).await {
                break;
            }
        }
        self.seen.accepted = self.accepted.len() as u64;
        ((made, self.accepted), self.seen)
    }

    /// Whether it is still open.
    async fn send(&mut self, number: u32) -> bool {
        let is_bomb = self.has_bombs && self.random.one_in(4);
        let parcel = Parcel::new(&self.oracle, self.which, number, is_bomb);
        let sent = match self.random.below(8) {
            0..4 => self.outbox.try_send(parcel),
            4 => {
                // For so many polls.
                let polls = self.random.below(4);
                match self.give_up_after(parcel, polls).await {
                    Some(sent) => sent,
                    None => return true,
                }
            }
            _ => {
                let mut sending = pin!(self.outbox.send(parcel));
                let seen = &mut self.seen;
                let mut has_waited = false;
                let sent = poll_fn(|cx| {
                    let polled = sending.as_mut().poll(cx);
                    has_waited |= polled.is_pending();
                    polled
                });
                let sent = sent.await;
                seen.waited += u64::from(has_waited);
                sent
            }
        };
        match sent {
            Ok(()) => {
                self.oracle.accepted();
                self.accepted.push(number);
            }
            Err(Refused::Full(parcel)) => {
                self.seen.refused += 1;
                parcel.defuse();
            }
            Err(Refused::Closed(parcel)) => {
                parcel.defuse();
                return false;
            }
        }
        true
    }

    async fn give_up_after(&mut self, parcel: Parcel, polls: u32) -> Option<Result<(), Refused>> {
        let outbox = self.outbox.clone();
        let mut sending = Box::pin(async move { outbox.send(parcel).await });
        let mut left = polls;
        let sent = poll_fn(|cx| {
            if let Poll::Ready(sent) = sending.as_mut().poll(cx) {
                return Poll::Ready(Some(sent));
            }
            if left == 0 {
                return Poll::Ready(None);
            }
            left -= 1;
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        let sent = sent.await;
        if sent.is_none() {
            self.seen.cancelled += 1;
            // Its message may be one whose destructor panics.
            _ = catch_unwind(AssertUnwindSafe(|| drop(sending)));
        }
        sent
    }
}

struct Receiver<I> {
    intake: I,
    oracle: Arc<Oracle>,
    random: Random,
    end: End,
    handled: Vec<Vec<u32>>,
    count: u32,
    seen: Seen,
}

/// Whether a receiver goes on, as another task.
enum Turn<I> {
    GoesOn(Receiver<I>),
    IsOver(Vec<Vec<u32>>, Seen),
}

impl<I: Intake> Receiver<I> {
    async fn run_in_turns(self) -> (Vec<Vec<u32>>, Seen) {
        let mut receiver = self;
        loop {
            match tokio::spawn(receiver.run()).await.expect("the receiver's turn ends well") {
                Turn::GoesOn(next) => receiver = next,
                Turn::IsOver(handled, seen) => return (handled, seen),
            }
        }
    }

    async fn run(mut self) -> Turn<I> {
        loop {
            match self.end {
                End::Dies(after, is_orderly) if self.count >= after => {
                    self.seen.died += 1;
                    self.intake.die(is_orderly);
                    return Turn::IsOver(self.handled, self.seen);
                }
                End::Closes(after) if self.count >= after => {
                    self.end = End::Drained;
                    self.intake.close();
                }
                _ => {}
            }
            if self.random.one_in(100) {
                // Asleep or not, it goes on elsewhere.
                self.look_once().await;
                self.seen.moved += 1;
                return Turn::GoesOn(self);
            }
            match self.random.below(32) {
                0 => yield_now().await,
                1 => self.turn_away().await,
                _ => {}
            }
            if !self.next().await {
                self.intake.die(true);
                return Turn::IsOver(self.handled, self.seen);
            }
        }
    }

    /// Handles the next message; `false` if there will be none.
    async fn next(&mut self) -> bool {
        let mut has_slept = false;
        let parcel = poll_fn(|cx| {
            // Another waker for the same task, at times.
            let other = self.random.one_in(4).then(|| Waker::from(Arc::new(Forward(cx.waker().clone()))));
            let mut cx = other.as_ref().map_or_else(|| Context::from_waker(cx.waker()), Context::from_waker);
            self.oracle.is_about_to_look();
            let polled = self.intake.poll_next(&mut cx);
            if !matches!(polled, Poll::Ready(Some(_))) {
                self.oracle.found_nothing();
            }
            has_slept |= polled.is_pending();
            polled
        });
        let parcel = parcel.await;
        self.seen.slept += u64::from(has_slept);
        let is_one = parcel.is_some();
        if let Some(parcel) = parcel {
            self.handle(parcel);
        }
        is_one
    }

    /// One poll, whatever comes of it.
    async fn look_once(&mut self) {
        let polled = poll_fn(|cx| {
            self.oracle.is_about_to_look();
            let polled = self.intake.poll_next(cx);
            if !matches!(polled, Poll::Ready(Some(_))) {
                self.oracle.found_nothing();
            }
            Poll::Ready(polled)
        });
        if let Poll::Ready(Some(parcel)) = polled.await {
            self.handle(parcel);
        }
    }

    fn handle(&mut self, parcel: Parcel) {
        self.handled[parcel.sender].push(*parcel.number);
        self.count += 1;
        parcel.defuse();
    }

    /// Waits for something else for a while.
    async fn turn_away(&mut self) {
        poll_fn(|cx| {
            self.intake.turn_away(cx);
            Poll::Ready(())
        })
        .await;
        for _ in 0..self.random.below(8) {
            yield_now().await;
        }
    }
}

struct Forward(Waker);

impl Wake for Forward {
    fn wake(self: Arc<Self>) {
        self.0.wake_by_ref();
    }
}

/// Lets others run, in a task or on a thread.
async fn yield_now() {
    if tokio::runtime::Handle::try_current().is_ok() {
        tokio::task::yield_now().await;
    } else {
        thread::yield_now();
    }
}

struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        let future: Pin<&mut F> = future.as_mut();
        if let Poll::Ready(output) = future.poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}
