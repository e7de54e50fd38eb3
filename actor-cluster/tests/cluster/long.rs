//! Messages that take long to write and to read keep nobody else waiting.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use actor_cluster::limits::{STALLED_LONG_MAX, STALLED_WINDOWS_MAX, WINDOW_BYTES};
use actor_cluster::wire::{DecodeError, DecodeErrorKind, Decoder, EncodeError, Encoder, TypeTag};
use actor_cluster::{NodeBuilder, RemoteMessage, Wire};
use actor_core::{Actor, ActorError, ActorRef, CallFailure, Rejection, ReplyPort, SpawnOptions};

use tokio::time::Instant;

use super::Network;
use super::support::{
    BEAT, Count, Start, TestNode, failure, node_with, on_every_shape, remote_counter, settle, two,
};

on_every_shape! {
    b13_a_long_message_is_written_while_others_are_sent
    b13_a_long_answer_is_written_while_others_are_sent
    b13_a_long_message_is_read_while_others_are_handled
    b13_a_long_answer_is_read_while_others_are_handled
    b13_what_a_spawn_brings_is_read_while_others_are_handled
    b13_what_spawns_bring_is_counted_among_what_is_read
    b13_long_messages_that_cannot_be_read_say_so
    b13_what_waits_to_be_read_goes_on_when_a_reading_ends_that_nobody_waits_for
    w17_a_long_message_for_an_actor_that_stalls_keeps_nobody_elses_waiting
    w17_long_messages_for_actors_that_stall_are_bounded_together
    w17_messages_for_many_actors_that_stall_are_bounded_together
}

const LONG: usize = 3 << 19;

/// Whoever reads a scroll waits here until it is open. By its number, as a reader knows nothing else.
#[derive(Default)]
struct Lock {
    is_open: Mutex<bool>,
    opened: Condvar,
    /// How many have come to it.
    readers: AtomicU64,
}

/// Opens the lock, at the end of the test at last: the runtime waits for whoever reads.
struct Key(Arc<Lock>);

impl Key {
    fn open(&self) {
        *self.0.is_open.lock().unwrap() = true;
        self.0.opened.notify_all();
    }

    /// Waits until so many read. No time passes meanwhile.
    async fn has_readers(&self, many: u64) {
        while self.0.readers.load(Ordering::Acquire) < many {
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.open();
    }
}

static LOCKS: Mutex<BTreeMap<u64, Arc<Lock>>> = Mutex::new(BTreeMap::new());
static NEXT: AtomicU64 = AtomicU64::new(FIRST);
const FIRST: u64 = 3;
/// The numbers of scrolls that nobody can read.
const UNREADABLE: u64 = 1;
const PANICS: u64 = 2;

impl Lock {
    fn shut() -> (u64, Key) {
        let (number, lock) = (NEXT.fetch_add(1, Ordering::Relaxed), Arc::new(Self::default()));
        LOCKS.lock().unwrap().insert(number, lock.clone());
        (number, Key(lock))
    }

    fn pass(&self) {
        self.readers.fetch_add(1, Ordering::Release);
        drop(self.opened.wait_while(self.is_open.lock().unwrap(), |is_open| !*is_open).unwrap());
    }
}

type Meanwhile = Arc<dyn Fn() + Send + Sync>;

/// Something long. What is to be done when the end of it is written goes along, on this side.
#[derive(Clone, Default)]
struct Scroll {
    lock: u64,
    meanwhile: Option<Meanwhile>,
}

impl Wire for Scroll {
    const TYPE: TypeTag = TypeTag::named("tests::Scroll");
    const ENCODED_BYTES_MIN: usize = 8 + LONG;

    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        self.lock.encode(enc)?;
        enc.put(&vec![9; LONG])?;
        self.meanwhile.iter().for_each(|meanwhile| meanwhile());
        Ok(())
    }

    fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let lock = u64::decode(dec)?;
        assert_eq!(dec.take(LONG)?, vec![9; LONG]);
        match lock {
            UNREADABLE => return Err(dec.error(DecodeErrorKind::custom("in no known hand"))),
            PANICS => panic!("a decoder that panics"),
            _ => {}
        }
        let found = LOCKS.lock().unwrap().get(&lock).cloned();
        found.iter().for_each(|lock| lock.pass());
        Ok(Self { lock, meanwhile: None })
    }
}

#[derive(RemoteMessage)]
enum Archive {
    Keep(Scroll),
    Note(u64),
    #[rpc]
    Store(Scroll, ReplyPort<u64>),
    #[rpc]
    Fetch(ReplyPort<Scroll>),
    /// What was kept and noted, in order.
    #[rpc]
    List(ReplyPort<Vec<u64>>),
}

struct Archivist;

impl Actor for Archivist {
    type Msg = Archive;
    type State = (Scroll, Vec<u64>);
    type Arguments = Scroll;

    async fn pre_start(&self, _: &ActorRef<Archive>, scroll: Scroll) -> Result<Self::State, ActorError> {
        Ok((scroll, Vec::new()))
    }

    async fn handle(
        &self,
        _: &ActorRef<Archive>,
        message: Archive,
        (scroll, list): &mut Self::State,
    ) -> Result<(), ActorError> {
        match message {
            Archive::Keep(Scroll { lock: number, .. }) | Archive::Note(number) => list.push(number),
            Archive::Store(scroll, port) => _ = port.send(scroll.lock),
            Archive::Fetch(port) => _ = port.send(scroll.clone()),
            Archive::List(port) => _ = port.send(list.clone()),
        }
        Ok(())
    }
}

/// An archivist on one node, and its address on the other.
async fn archive(here: &TestNode, there: &TestNode, scroll: Scroll) -> ActorRef<Archive> {
    archive_called("archive", here, there, scroll).await
}

async fn archive_called(name: &str, here: &TestNode, there: &TestNode, scroll: Scroll) -> ActorRef<Archive> {
    let archivist = there.system.spawn(Archivist, scroll, SpawnOptions::new()).await.unwrap();
    there.server.publish(name, &archivist).unwrap();
    settle().await;
    here.server.find(name).unwrap()
}

/// Sends to a counter, and counts how often; waits for nothing.
fn casting(counter: ActorRef<Count>) -> (Meanwhile, Arc<AtomicU64>) {
    let times = Arc::new(AtomicU64::new(0));
    let count = times.clone();
    let meanwhile = move || {
        counter.cast(Count::Add(1)).unwrap();
        count.fetch_add(1, Ordering::Relaxed);
    };
    (Arc::new(meanwhile), times)
}

/// From within the encoder: it would wait for ever for a lock that is held meanwhile.
async fn b13_a_long_message_is_written_while_others_are_sent(network: Network) {
    let (a, b) = two(&network).await;
    let archive = archive(&a, &b, Scroll::default()).await;
    let (_local, counter) = remote_counter(&a, &b, Start::default()).await;
    let (meanwhile, times) = casting(counter.clone());
    archive.cast(Archive::Keep(Scroll { lock: 0, meanwhile: Some(meanwhile.clone()) })).unwrap();
    assert_eq!(archive.call(Archive::List).await.unwrap(), [0]);
    let stored =
        archive.call(|port| Archive::Store(Scroll { lock: 0, meanwhile: Some(meanwhile) }, port)).await;
    assert_eq!(stored.map_err(drop), Ok(0));
    assert_eq!((counter.call(Count::Get).await, times.load(Ordering::Relaxed)), (Ok(2), 2));
}

async fn b13_a_long_answer_is_written_while_others_are_sent(network: Network) {
    let (a, b) = two(&network).await;
    let (_local, counter) = remote_counter(&b, &a, Start::default()).await;
    let (meanwhile, times) = casting(counter.clone());
    let archive = archive(&a, &b, Scroll { lock: 0, meanwhile: Some(meanwhile) }).await;
    assert_eq!(archive.call(Archive::Fetch).await.unwrap().lock, 0);
    assert_eq!((counter.call(Count::Get).await, times.load(Ordering::Relaxed)), (Ok(1), 1));
}

async fn b13_a_long_message_is_read_while_others_are_handled(network: Network) {
    let (a, b) = two(&network).await;
    let archive = archive(&a, &b, Scroll::default()).await;
    let (_local, counter) = remote_counter(&a, &b, Start::default()).await;
    let (number, lock) = Lock::shut();
    archive.cast(Archive::Keep(Scroll { lock: number, meanwhile: None })).unwrap();
    archive.cast(Archive::Note(1)).unwrap();
    let stored = tokio::spawn({
        let archive = archive.clone();
        async move { archive.call(|port| Archive::Store(Scroll { lock: number, meanwhile: None }, port)).await }
    });
    for sum in 1..20 {
        assert_eq!(counter.call(|port| Count::AddAndGet(1, port)).await, Ok(sum), "others are handled");
    }
    assert!(!stored.is_finished());
    lock.open();
    assert_eq!(stored.await.unwrap().map_err(drop), Ok(number));
    assert_eq!(archive.call(Archive::List).await.unwrap(), [number, 1], "those behind it stay there");
}

async fn b13_a_long_answer_is_read_while_others_are_handled(network: Network) {
    let (a, b) = two(&network).await;
    let (number, lock) = Lock::shut();
    let archive = archive(&a, &b, Scroll { lock: number, meanwhile: None }).await;
    let (_local, counter) = remote_counter(&a, &b, Start::default()).await;
    let fetched = tokio::spawn(async move { archive.call(Archive::Fetch).await.unwrap().lock });
    lock.has_readers(1).await;
    for sum in 1..20 {
        assert_eq!(counter.call(|port| Count::AddAndGet(1, port)).await, Ok(sum), "others are handled");
    }
    assert!(!fetched.is_finished());
    lock.open();
    assert_eq!(fetched.await.unwrap(), number);
}

async fn b13_what_a_spawn_brings_is_read_while_others_are_handled(network: Network) {
    let makes = |builder: NodeBuilder| builder.spawnable("archivist", || Archivist);
    let (a, b) = (node_with(&network, 1, |builder| builder).await, node_with(&network, 2, makes).await);
    a.connect(&b).await;
    let (_local, counter) = remote_counter(&a, &b, Start::default()).await;
    let (number, lock) = Lock::shut();
    let there = b.id();
    let TestNode { server, system: _system } = a;
    let spawned = tokio::spawn(async move {
        let scroll = Scroll { lock: number, meanwhile: None };
        server.spawn_on::<Archive, _>(there, "archivist", scroll).await.map(|archive| (archive, server))
    });
    lock.has_readers(1).await;
    for sum in 1..20 {
        assert_eq!(counter.call(|port| Count::AddAndGet(1, port)).await, Ok(sum), "others are handled");
    }
    assert!(!spawned.is_finished());
    lock.open();
    let (archive, _server) = spawned.await.unwrap().unwrap();
    assert_eq!(archive.call(Archive::List).await.unwrap(), [0; 0]);
}

async fn b13_what_spawns_bring_is_counted_among_what_is_read(network: Network) {
    let makes = |builder: NodeBuilder| builder.spawnable("archivist", || Archivist);
    let (a, b) = (node_with(&network, 1, |builder| builder).await, node_with(&network, 2, makes).await);
    a.connect(&b).await;
    let (number, lock) = Lock::shut();
    let (there, at_once) = (b.id(), 8 * WINDOW_BYTES / LONG as u64);
    let spawns = (0..2 * at_once).map(|_| {
        a.server.spawn_on::<Archive, _>(there, "archivist", Scroll { lock: number, meanwhile: None })
    });
    let all = futures_util::future::join_all(spawns);
    let opening = async {
        lock.has_readers(at_once).await;
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(lock.0.readers.load(Ordering::Acquire), at_once, "no more at a time");
        lock.open();
    };
    let (spawned, ()) = tokio::join!(all, opening);
    assert!(spawned.into_iter().all(|spawned| spawned.is_ok()));
}

async fn b13_long_messages_that_cannot_be_read_say_so(network: Network) {
    let (a, b) = two(&network).await;
    let archive = archive(&a, &b, Scroll::default()).await;
    let expected = [(UNREADABLE, "in no known hand"), (PANICS, "its decoder panicked")];
    for (lock, why) in expected {
        archive.send(Archive::Keep(Scroll { lock, meanwhile: None })).await.unwrap();
        let stored = archive.call(|port| Archive::Store(Scroll { lock, meanwhile: None }, port)).await;
        let CallFailure::Rejected(Rejection::Undecodable(text)) = failure(stored) else { panic!("{lock}") };
        assert!(text.contains(why), "{text}");
    }
    archive.send(Archive::Note(5)).await.unwrap();
    assert_eq!(archive.call(Archive::List).await.unwrap(), [5], "nobody is harmed");
}

async fn w17_a_long_message_for_an_actor_that_stalls_keeps_nobody_elses_waiting(network: Network) {
    let (a, b) = two(&network).await;
    let stalled = Start::narrow(1);
    b.publish("stalled", stalled.clone()).await;
    let (_local, counter) = remote_counter(&a, &b, Start::default()).await;
    let remote = a.find("stalled");
    for number in 0..2 {
        remote.send(Count::Add(number)).await.unwrap();
    }
    let long = |bytes: usize| Count::Load(vec![0; bytes]);
    remote.send(long(7 << 19)).await.unwrap();
    settle().await;
    let weighed = counter.call(|port| Count::Weigh(vec![0; LONG], port)).await;
    assert_eq!(weighed.map_err(drop), Ok(LONG as u64), "it is read while the other waits for room");
    assert_eq!(counter.call(Count::Get).await, Ok(0));
    stalled.gate.open();
    assert_eq!(remote.call(Count::Get).await, Ok((7 << 19) + 1));
}

/// As much is being read as may be, for callers who have given up.
async fn b13_what_waits_to_be_read_goes_on_when_a_reading_ends_that_nobody_waits_for(network: Network) {
    let (a, b) = two(&network).await;
    let at_once = 8 * WINDOW_BYTES / LONG as u64;
    let mut archives = Vec::new();
    for number in 0..=at_once {
        archives.push(archive_called(&number.to_string(), &a, &b, Scroll::default()).await);
    }
    let last = archives.pop().unwrap();
    let (number, lock) = Lock::shut();
    let given_up = archives.into_iter().map(|archive| {
        tokio::spawn(async move {
            let store = |port| Archive::Store(Scroll { lock: number, meanwhile: None }, port);
            archive.call_timeout(BEAT / 4, store).await.is_err()
        })
    });
    let given_up: Vec<_> = given_up.collect();
    lock.has_readers(at_once).await;
    last.send(Archive::Keep(Scroll::default())).await.unwrap();
    let listed = tokio::spawn(async move { last.call(Archive::List).await.unwrap() });
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    tokio::time::advance(BEAT / 2).await;
    for call in given_up {
        assert!(call.await.unwrap(), "it waited for too long");
    }
    assert!(!listed.is_finished());
    let opened = Instant::now();
    lock.open();
    assert_eq!(listed.await.unwrap(), [0]);
    assert!(opened.elapsed() < BEAT / 4, "it was looked at at once");
}

async fn w17_long_messages_for_actors_that_stall_are_bounded_together(network: Network) {
    let limited = |builder: NodeBuilder| builder.message_bytes_max(LONG + 1024);
    let (a, b) = (node_with(&network, 1, limited).await, node_with(&network, 2, limited).await);
    a.connect(&b).await;
    let stalled = Start::narrow(1);
    let mut remotes = Vec::new();
    for number in 0..=STALLED_LONG_MAX {
        b.publish(&number.to_string(), stalled.clone()).await;
        settle().await;
        remotes.push(a.find(&number.to_string()));
    }
    let (_local, counter) = remote_counter(&a, &b, Start::default()).await;
    for (remote, is_last) in remotes.iter().zip([false, false, false, false, true]) {
        for number in 0..2 {
            remote.send(Count::Add(number)).await.unwrap();
        }
        assert_eq!(counter.call(Count::Get).await, Ok(0), "nobody else waits");
        remote.send(Count::Load(vec![0; LONG])).await.unwrap();
        settle().await;
        let waiting = tokio::spawn({
            let counter = counter.clone();
            async move { counter.call(Count::Get).await }
        });
        settle().await;
        assert_eq!(waiting.is_finished(), !is_last, "one more is not taken");
        if is_last {
            stalled.gate.open();
        }
        assert_eq!(waiting.await.unwrap(), Ok(0));
    }
    for remote in remotes {
        assert_eq!(remote.call(Count::Get).await, Ok(LONG as u64 + 1));
    }
}

/// They are short enough to be read at once, and each begins a line, so it is not known before that it has to wait.
async fn w17_messages_for_many_actors_that_stall_are_bounded_together(network: Network) {
    const BYTES: usize = 300 << 10;
    let (a, b) = two(&network).await;
    let stalled = Start::narrow(1);
    // Each costs half a window.
    let may_wait = 2 * STALLED_WINDOWS_MAX;
    let (_local, counter) = remote_counter(&a, &b, Start::default()).await;
    let mut remotes = Vec::new();
    for number in 0..=may_wait {
        b.publish(&number.to_string(), stalled.clone()).await;
        settle().await;
        let remote = a.find(&number.to_string());
        for number in 0..2 {
            remote.send(Count::Add(number)).await.unwrap();
        }
        remote.send(Count::Load(vec![0; BYTES])).await.unwrap();
        settle().await;
        remotes.push(remote);
        let waiting = tokio::spawn({
            let counter = counter.clone();
            async move { counter.call(Count::Get).await }
        });
        settle().await;
        assert_eq!(waiting.is_finished(), number < may_wait, "after {number}");
        if number == may_wait {
            stalled.gate.open();
        }
        assert_eq!(waiting.await.unwrap(), Ok(0));
    }
    for remote in remotes {
        assert_eq!(remote.call(Count::Get).await, Ok(BYTES as u64 + 1));
    }
}
