//! Two threads, many senders: what must hold in every interleaving.
//!
//! `ACTOR_TEST_FULL=1` runs the long form.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use actor_core::{
    Actor, ActorError, ActorRef, ActorSystem, Capacity, Exit, ReplyPort, SendError, SpawnOptions, Status,
};
use tokio::sync::Barrier;

const SENDERS: u32 = 8;

fn is_full() -> bool {
    std::env::var_os("ACTOR_TEST_FULL").is_some()
}

/// Keeps what it was sent, by sender, and sees whether it is ever entered twice.
struct Ledger {
    inside: AtomicU32,
    /// Filled once the actor is done.
    kept: Arc<std::sync::Mutex<Vec<Vec<u32>>>>,
}

struct Page {
    sender: u32,
    number: u32,
}

impl Actor for Ledger {
    type Msg = Page;
    type State = Vec<Vec<u32>>;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Page>, (): ()) -> Result<Vec<Vec<u32>>, ActorError> {
        Ok(vec![Vec::new(); SENDERS as usize])
    }

    async fn handle(
        &self,
        _: &ActorRef<Page>,
        page: Page,
        ledger: &mut Vec<Vec<u32>>,
    ) -> Result<(), ActorError> {
        assert_eq!(self.inside.fetch_add(1, Ordering::SeqCst), 0, "entered twice");
        tokio::task::yield_now().await;
        ledger[page.sender as usize].push(page.number);
        assert_eq!(self.inside.fetch_sub(1, Ordering::SeqCst), 1, "left twice");
        Ok(())
    }

    async fn post_stop(&self, _: &ActorRef<Page>, ledger: &mut Vec<Vec<u32>>) -> Result<(), ActorError> {
        *self.kept.lock().unwrap() = std::mem::take(ledger);
        Ok(())
    }
}

impl Ledger {
    async fn open(capacity: Capacity) -> (ActorRef<Page>, Arc<std::sync::Mutex<Vec<Vec<u32>>>>) {
        let kept = Arc::default();
        let ledger = Ledger { inside: AtomicU32::new(0), kept: Arc::clone(&kept) };
        let options = SpawnOptions::new().mailbox(capacity);
        (ActorSystem::new().spawn(ledger, (), options).await.unwrap(), kept)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a03_one_message_at_a_time_in_each_senders_order() {
    let each = if is_full() { 10_000 } else { 500 };
    for capacity in [Capacity::try_from(16).unwrap(), Capacity::Unbounded] {
        let (ledger, kept) = Ledger::open(capacity).await;
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let ledger = ledger.clone();
                tokio::spawn(async move {
                    for number in 0..each {
                        ledger.send(Page { sender, number }).await.unwrap();
                    }
                })
            })
            .collect();
        for sender in senders {
            sender.await.unwrap();
        }
        assert_eq!(ledger.drain_and_wait(None).await, Ok(Exit::Drained));
        let all: Vec<u32> = (0..each).collect();
        assert_eq!(*kept.lock().unwrap(), vec![all; SENDERS as usize]);
    }
}

/// What was accepted before the drain is handled, what came after is given back,
/// and there is no third kind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a26_a_drain_among_senders_handles_exactly_what_was_accepted() {
    let rounds = if is_full() { 5_000 } else { 200 };
    for round in 0..rounds {
        let capacity = if round % 2 == 0 { Capacity::try_from(4).unwrap() } else { Capacity::Unbounded };
        let (ledger, kept) = Ledger::open(capacity).await;
        let start = Arc::new(Barrier::new(SENDERS as usize + 1));
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let (ledger, start) = (ledger.clone(), start.clone());
                tokio::spawn(async move {
                    start.wait().await;
                    for number in 0.. {
                        let page = Page { sender, number };
                        // Half of them wait for room, the others insist.
                        let refused = if sender % 2 == 0 {
                            ledger.send(page).await.err()
                        } else {
                            insist(&ledger, page).await
                        };
                        match refused {
                            None => tokio::task::yield_now().await,
                            Some(SendError::Stopped(page, _)) => {
                                assert_eq!((page.sender, page.number), (sender, number));
                                return number;
                            }
                            Some(other) => panic!("{other}"),
                        }
                    }
                    unreachable!("the numbers do not run out")
                })
            })
            .collect();
        start.wait().await;
        for _ in 0..round % 7 {
            tokio::task::yield_now().await;
        }
        ledger.drain();
        let mut accepted = Vec::new();
        for sender in senders {
            accepted.push((0..sender.await.unwrap()).collect::<Vec<u32>>());
        }
        assert_eq!(ledger.wait(None).await, Ok(Exit::Drained));
        assert_eq!(*kept.lock().unwrap(), accepted, "round {round}");
    }
}

/// Casts until the message is accepted or cannot be.
async fn insist(ledger: &ActorRef<Page>, mut page: Page) -> Option<SendError<Page>> {
    loop {
        match ledger.cast(page) {
            Ok(()) => return None,
            Err(SendError::Full(back)) => page = back,
            Err(other) => return Some(other),
        }
        tokio::task::yield_now().await;
    }
}

/// Whoever ends an actor, and however many do at once: all agree how it ended,
/// and every call is answered or told why not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_ends_and_all_agree_how_the_actor_did() {
    struct Echo;
    impl Actor for Echo {
        type Msg = ReplyPort<()>;
        type State = ();
        type Arguments = ();

        async fn pre_start(&self, _: &ActorRef<ReplyPort<()>>, (): ()) -> Result<(), ActorError> {
            Ok(())
        }

        async fn handle(
            &self,
            _: &ActorRef<ReplyPort<()>>,
            port: ReplyPort<()>,
            (): &mut (),
        ) -> Result<(), ActorError> {
            tokio::task::yield_now().await;
            let _ = port.send(());
            Ok(())
        }
    }
    let rounds = if is_full() { 5_000 } else { 200 };
    for _ in 0..rounds {
        let options = SpawnOptions::new().mailbox(Capacity::try_from(2).unwrap());
        let echo = ActorSystem::new().spawn(Echo, (), options).await.unwrap();
        let start = Arc::new(Barrier::new(6));
        let callers: Vec<_> = (0..3)
            .map(|_| {
                let (echo, start) = (echo.clone(), start.clone());
                tokio::spawn(async move {
                    start.wait().await;
                    while echo.call(|port| port).await.is_ok() {}
                })
            })
            .collect();
        let enders: Vec<_> = [Exit::Stopped(None), Exit::Drained, Exit::Killed]
            .into_iter()
            .map(|by| {
                let (echo, start) = (echo.clone(), start.clone());
                tokio::spawn(async move {
                    start.wait().await;
                    match by {
                        Exit::Drained => echo.drain_and_wait(None).await,
                        Exit::Killed => echo.kill_and_wait(None).await,
                        _ => echo.stop_and_wait(None, None).await,
                    }
                })
            })
            .collect();
        let mut exits = Vec::new();
        for ender in enders {
            exits.push(ender.await.unwrap().unwrap());
        }
        assert_eq!(exits, vec![exits[0].clone(); 3]);
        assert!(matches!(exits[0], Exit::Stopped(None) | Exit::Drained | Exit::Killed), "{}", exits[0]);
        assert_eq!(echo.status(), Status::Stopped);
        for caller in callers {
            caller.await.unwrap();
        }
    }
}

/// A message that gets in at the very end is dropped all the same, though its
/// sender still holds the address: or else a call in it would never be answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_message_outlives_its_actor() {
    struct Sink;
    impl Actor for Sink {
        type Msg = Arc<()>;
        type State = ();
        type Arguments = ();

        async fn pre_start(&self, _: &ActorRef<Arc<()>>, (): ()) -> Result<(), ActorError> {
            Ok(())
        }
    }
    let rounds = if is_full() { 20_000 } else { 300 };
    let system = ActorSystem::new();
    for round in 0..rounds {
        let capacity = if round % 2 == 0 { Capacity::default() } else { Capacity::Unbounded };
        let sink = system.spawn(Sink, (), SpawnOptions::new().mailbox(capacity)).await.unwrap();
        let token = Arc::new(());
        let (began, begun) = tokio::sync::oneshot::channel();
        let caster = {
            let (sink, token) = (sink.clone(), token.clone());
            // On a thread of its own: a task that casts without end would keep its
            // worker, and the actor that it wakes there, from running.
            tokio::task::spawn_blocking(move || {
                sink.cast(token.clone()).unwrap();
                began.send(()).unwrap();
                while !matches!(sink.cast(token.clone()), Err(SendError::Stopped(_, _))) {}
            })
        };
        begun.await.unwrap();
        sink.kill();
        assert_eq!(sink.wait(None).await, Ok(Exit::Killed));
        caster.await.unwrap();
        assert_eq!(Arc::strong_count(&token), 1, "round {round}");
    }
}
