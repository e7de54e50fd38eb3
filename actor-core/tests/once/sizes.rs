//! Messages of any size, from none to more than most stacks hold, and many senders at
//! an actor that is killed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use actor_core::{
    Actor, ActorError, ActorRef, ActorSystem, Capacity, Colocation, Exit, ReplyPort, SendError, SpawnOptions,
};
use tokio::runtime::Builder;

/// Adds up the first and the last byte.
struct Ends<const N: usize>;

struct Parcel<const N: usize> {
    bytes: [u8; N],
    port: ReplyPort<[u8; N]>,
}

impl<const N: usize> Actor for Ends<N> {
    type Msg = Parcel<N>;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Parcel<N>>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle(
        &self,
        _: &ActorRef<Parcel<N>>,
        Parcel { mut bytes, port }: Parcel<N>,
        (): &mut (),
    ) -> Result<(), ActorError> {
        bytes.reverse();
        let _ = port.send(bytes);
        Ok(())
    }
}

const STACK_BYTES: usize = 256 << 20;

/// Sends parcels through both kinds of mailbox and gives the last one's answer.
fn parcels<const N: usize>() {
    let run = || {
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let system = ActorSystem::new();
            let place = Colocation::new(&system);
            let two = Capacity::try_from(2).unwrap();
            let ways = [
                SpawnOptions::new().mailbox(Capacity::Unbounded),
                SpawnOptions::new().mailbox(two),
                SpawnOptions::new().mailbox(two).colocate(&place),
            ];
            for options in ways {
                let actor = system.spawn(Ends::<N>, (), options).await.unwrap();
                let parcel = |first: u8| {
                    let mut bytes = [0; N];
                    if let Some(byte) = bytes.first_mut() {
                        *byte = first;
                    }
                    Parcel { bytes, port: ReplyPort::nobody() }
                };
                for number in 0..20 {
                    actor.send(parcel(number)).await.unwrap_or_else(|error| panic!("{error}"));
                }
                let asked = actor.call(|port| Parcel { port, ..parcel(7) }).await;
                let answer = asked.unwrap_or_else(|error| panic!("{error}"));
                assert_eq!(answer.last().copied(), parcel(7).bytes.first().copied());
                // What is queued at the end is dropped, and what comes later comes back whole.
                actor.cast(parcel(1)).unwrap_or_else(|error| panic!("{error}"));
                assert_eq!(actor.kill_and_wait(None).await, Ok(Exit::Killed));
                let Err(SendError::Stopped(back, _)) = actor.cast(parcel(9)) else { panic!("it is dead") };
                assert_eq!(back.bytes, parcel(9).bytes);
            }
        });
    };
    thread::Builder::new().stack_size(STACK_BYTES).spawn(run).unwrap().join().unwrap();
}

#[test]
fn messages_of_no_bytes() {
    parcels::<0>();
}

#[test]
fn messages_of_a_byte() {
    parcels::<1>();
}

#[test]
fn messages_larger_than_a_block() {
    parcels::<10_000>();
}

#[test]
fn messages_of_a_mebibyte() {
    parcels::<{ 1 << 20 }>();
}

/// Counts how many of its kind there are.
struct Counted(Arc<AtomicU64>);

impl Counted {
    fn new(count: &Arc<AtomicU64>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Sink;

impl Actor for Sink {
    type Msg = Counted;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Counted>, (): ()) -> Result<u64, ActorError> {
        Ok(0)
    }

    async fn handle(
        &self,
        myself: &ActorRef<Counted>,
        _: Counted,
        handled: &mut u64,
    ) -> Result<(), ActorError> {
        *handled += 1;
        if *handled == 100 {
            myself.kill();
        }
        Ok(())
    }
}

/// It dies in the middle of a burst, by its own hand, so that the burst is surely on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_during_a_burst_leaves_nothing() {
    let system = ActorSystem::new();
    let place = Colocation::new(&system);
    for options in [SpawnOptions::new(), SpawnOptions::new().colocate(&place)] {
        let count = Arc::new(AtomicU64::new(0));
        let sink = system.spawn(Sink, (), options.mailbox(Capacity::try_from(8).unwrap())).await.unwrap();
        let senders: Vec<_> = (0..3)
            .map(|_| {
                let (sink, count) = (sink.clone(), count.clone());
                tokio::spawn(async move {
                    loop {
                        match sink.send(Counted::new(&count)).await {
                            Ok(()) => {}
                            Err(SendError::Stopped(_, _)) => return,
                            Err(error) => panic!("{error}"),
                        }
                    }
                })
            })
            .collect();
        assert_eq!(sink.wait(None).await, Ok(Exit::Killed));
        for sender in senders {
            sender.await.unwrap();
        }
        assert_eq!(count.load(Ordering::SeqCst), 0);
    }
}
