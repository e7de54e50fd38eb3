//! The store in one file: the contract that every store keeps, what durable actors promise over it, and what is its own.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actor_durable::store::{
    Body, Cause, Claim, ClaimMode, Entry, Head, Headers, Message, Refusal, Snapshot, Store, StoreError,
    TurnCommit,
};
use actor_durable::testing::WallClock;
use actor_durable::testing::store_suite::Place;
use actor_durable::{ActorType, DurableId, Epoch, MessageId, OwnerId, Position, Sequence, Target, WallTime};
use async_trait::async_trait;
use examples::log_store::LogStore;
use tempfile::TempDir;

mod suite {
    actor_durable::store_suite!(super::Directory::new());
}

mod turns {
    actor_durable::turn_suite!(super::Directory::new());
}

mod turns_of_events {
    actor_durable::turn_suite!(super::Directory::new(), Events, drawn);
}

mod turns_of_a_wrapped_actor {
    actor_durable::turn_suite!(super::Directory::new(), Wrapped, drawn);
}

mod turns_of_a_wrapped_service {
    actor_durable::turn_suite!(super::Directory::new(), Service, drawn);
}

/// What clocks show.
const BEGAN: WallTime = WallTime::from_millis(1_800_000_000_000);

/// A directory with one log, and a clock that is moved by hand.
struct Directory {
    directory: TempDir,
    clock: WallClock,
}

impl Directory {
    fn new() -> Self {
        let clock = WallClock::at(BEGAN);
        Self { directory: tempfile::tempdir().expect("a directory"), clock }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("actors.log")
    }

    fn try_open(&self) -> Result<LogStore, StoreError> {
        LogStore::open_on(self.file(), self.clock.store_executor())
    }

    fn opened(&self) -> LogStore {
        self.try_open().expect("it opens")
    }

    /// Why it does not open.
    fn refusal(&self) -> Refusal {
        match self.try_open() {
            Err(StoreError::NotApplied(refusal)) => refusal,
            other => panic!("it is refused: {other:?}"),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.file()).expect("it is there")
    }

    fn put(&self, bytes: &[u8]) {
        std::fs::write(self.file(), bytes).expect("there is room");
    }
}

#[async_trait]
impl Place for Directory {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.opened())
    }

    async fn pass(&self, time: Duration) {
        self.clock.pass(time);
    }

    fn now(&self) -> WallTime {
        self.clock.now()
    }
}

fn actor() -> DurableId {
    DurableId::new("a").expect("a good id")
}

async fn own(store: &LogStore) -> Head {
    let owner = OwnerId::new(1);
    store.renew(owner, Duration::from_secs(3600)).await.expect("a lease");
    let target = Target { id: actor(), actor_type: ActorType::new("counter").expect("a good name") };
    let claim = Claim { target, owner, epoch_min: Epoch::ZERO, mode: ClaimMode::IfFree };
    store.acquire(claim).await.expect("it is free")
}

fn letter(number: u128, body: Body) -> Message {
    let to = Target { id: actor(), actor_type: ActorType::new("counter").expect("a good name") };
    let (id, sent_at) = (MessageId::new(BEGAN, number), BEGAN);
    Message { to, id, from: None, reply_to: None, sent_at, body, headers: Headers::new() }
}

/// A turn whose state has so many bytes.
fn turn(epoch: Epoch, expected: u64, bytes: usize) -> TurnCommit {
    let sequence = Sequence(expected + 1);
    let mut turn = TurnCommit::new(actor(), epoch, Sequence(expected));
    let (events, sent) = (Vec::new(), Vec::new());
    turn.entries = vec![Entry {
        sequence,
        at: WallTime::from_millis(1),
        cause: Cause::Own,
        has_changed: true,
        events,
        sent,
    }];
    turn.state = Some(Snapshot { sequence, body: Body { version: 1, bytes: vec![7; bytes].into() } });
    turn.trim = Some(sequence);
    turn
}

/// A log of an actor with so many turns, and where each of its records ends.
async fn log(place: &Directory, turns: u64) -> Vec<usize> {
    let store = place.opened();
    let mut ends = vec![place.bytes().len()];
    let epoch = own(&store).await.epoch;
    ends.push(place.bytes().len());
    for expected in 0..turns {
        store.commit_turn(turn(epoch, expected, 9)).await.expect("it is owned");
        ends.push(place.bytes().len());
    }
    ends
}

/// How many turns there are.
async fn turns(store: &LogStore) -> Option<u64> {
    store.head(&actor()).await.expect("it is open").map(|head| head.sequence.0)
}

#[tokio::test]
async fn a_record_that_was_not_finished_is_cut_off_and_no_other() {
    let place = Directory::new();
    let ends = log(&place, 2).await;
    let whole = place.bytes();
    let last = ends[2];
    for end in last..whole.len() {
        place.put(&whole[..end]);
        let store = place.opened();
        assert_eq!(store.torn_bytes(), (end - last) as u64);
        assert_eq!(turns(&store).await, Some(1), "{end} bytes");
        let epoch = own(&store).await.epoch;
        store.commit_turn(turn(epoch, 1, 1)).await.expect("it goes on where it was");
        drop(store);
        assert_eq!(turns(&place.opened()).await, Some(2));
    }
    // What was written in another order than it lies, and what the file was made longer by.
    for torn in [[&whole[..last], &vec![0; 500]].concat(), {
        let mut torn = whole.clone();
        torn[last..last + 20].fill(0);
        torn
    }] {
        place.put(&torn);
        let store = place.opened();
        assert_eq!((turns(&store).await, store.torn_bytes()), (Some(1), (torn.len() - last) as u64));
    }
}

#[tokio::test]
async fn a_header_that_was_not_finished_is_that_of_an_empty_store() {
    let place = Directory::new();
    let header = log(&place, 0).await[0];
    let whole = place.bytes();
    for end in 0..=header {
        place.put(&whole[..end]);
        assert_eq!(turns(&place.opened()).await, None, "{end} bytes");
    }
}

#[tokio::test]
async fn damage_before_the_last_record_is_said_and_nothing_is_written() {
    let place = Directory::new();
    let ends = log(&place, 2).await;
    let whole = place.bytes();
    for bit in 0..ends[2] * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        place.put(&bytes);
        let refusal = place.refusal();
        let is_version = (8..12).contains(&(bit / 8));
        let is_named = match refusal {
            Refusal::Damaged { .. } => true,
            Refusal::FutureVersion { .. } => is_version,
            _ => false,
        };
        assert!(is_named, "bit {bit}: {refusal}");
        assert_eq!(place.bytes(), bytes);
    }
    // A record that lies where another belongs, and one that is missing.
    let record = |number: usize| &whole[ends[number]..ends[number + 1]];
    for bytes in [
        [&whole[..ends[0]], record(1), record(0), record(2)].concat(),
        [&whole[..ends[1]], record(2), record(2)].concat(),
    ] {
        place.put(&bytes);
        let refusal = place.refusal();
        assert!(matches!(refusal, Refusal::Damaged { .. }), "{refusal}");
    }
}

#[tokio::test]
async fn a_log_of_a_later_release_says_so() {
    let place = Directory::new();
    log(&place, 1).await;
    let mut bytes = place.bytes();
    bytes[8] = 2;
    place.put(&bytes);
    let what = place.file().display().to_string();
    assert_eq!(place.refusal(), Refusal::FutureVersion { what, found: 2, known: 1 });
    assert_eq!(place.bytes(), bytes);
}

#[tokio::test]
async fn one_process_has_it_at_a_time() {
    let place = Directory::new();
    let store = place.opened();
    assert!(matches!(place.refusal(), Refusal::InUse(_)));
    drop(store);
    place.opened();
}

#[cfg(unix)]
#[tokio::test]
async fn a_log_is_the_same_by_all_its_names() {
    let place = Directory::new();
    let other = tempfile::tempdir().expect("a directory");
    let link = other.path().join("link.log");
    let open = || LogStore::open_on(&link, place.clock.store_executor());
    std::os::unix::fs::symlink(place.file(), &link).expect("there are links");
    let store = open().expect("what it leads to is created");
    assert!(matches!(place.refusal(), Refusal::InUse(_)), "by its other name");
    let epoch = own(&store).await.epoch;
    for expected in 0..12 {
        store.commit_turn(turn(epoch, expected, 1 << 20)).await.expect("it is owned");
    }
    drop(store);
    let before = place.bytes().len();
    drop(open().expect("it is free"));
    assert!(link.is_symlink() && place.bytes().len() < before, "it is written anew where it lies");
    let store = place.opened();
    assert!(matches!(open(), Err(StoreError::NotApplied(Refusal::InUse(_)))));
    assert_eq!(turns(&store).await, Some(12));
}

#[tokio::test]
async fn what_is_not_a_log_is_left_alone() {
    let place = Directory::new();
    place.put(b"Dear diary, today I have");
    assert!(matches!(place.refusal(), Refusal::Damaged { .. }));
    assert_eq!(place.bytes(), b"Dear diary, today I have");
}

#[tokio::test]
async fn a_log_that_has_grown_is_written_anew_when_it_is_opened() {
    let place = Directory::new();
    let store = place.opened();
    let epoch = own(&store).await.epoch;
    for expected in 0..12 {
        store.commit_turn(turn(epoch, expected, 1 << 20)).await.expect("it is owned");
    }
    let before = store.load(&actor(), epoch).await.expect("it is owned");
    drop(store);
    assert!(place.bytes().len() > 12 << 20);
    let store = place.opened();
    assert!(place.bytes().len() < 2 << 20, "{}", place.bytes().len());
    assert_eq!(store.load(&actor(), epoch).await.expect("it is owned"), before);
    store.commit_turn(turn(epoch, 12, 1)).await.expect("it is owned");
    drop(store);
    // What a crash has left of one that was not finished is not looked at.
    let mut unfinished =
        OpenOptions::new().create(true).append(true).open(place.file().with_extension("log.new"));
    unfinished.as_mut().expect("a directory").write_all(b"half").expect("there is room");
    assert_eq!(turns(&place.opened()).await, Some(13));
}

/// A record has a length of four bytes, and contents may have more.
#[tokio::test]
async fn a_log_of_much_is_written_anew_as_several_records() {
    let place = Directory::new();
    let store = place.opened();
    let epoch = own(&store).await.epoch;
    for number in 0..6 {
        let body = Body { version: 1, bytes: vec![7; 1 << 20].into() };
        store.enqueue(letter(number, body)).await.expect("it is new");
    }
    for expected in 0..18 {
        store.commit_turn(turn(epoch, expected, 1 << 20)).await.expect("it is owned");
    }
    drop(store);
    let before = place.bytes().len();
    let store = place.opened();
    let bytes = place.bytes();
    assert!(bytes.len() < before && bytes.len() > 7 << 20, "{} bytes, and {before} before", bytes.len());
    let first = u32::from_le_bytes(bytes[12..16].try_into().expect("four bytes"));
    assert!(first < 6 << 20, "a record of {first} bytes");
    drop(store);
    let store = place.opened();
    let head = store.head(&actor()).await.expect("it is open").expect("it is there");
    assert_eq!((head.sequence.0, head.waiting, store.torn_bytes()), (18, 6, 0));
    assert_eq!(store.inbox(&actor(), epoch, Position::ZERO, 9).await.expect("it is owned").len(), 3);
}
