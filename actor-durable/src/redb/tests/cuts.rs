//! Disks that fail: after the file is opened again everything acknowledged is there, and nothing half.

use tokio::sync::oneshot;

use super::script::{Script, lease, open, options, state};
use super::suite::BEGAN;
use super::verifying::faults;
use super::{acquire, turn};
use crate::id::{MessageId, Sequence};
use crate::limits::REOPEN_PAUSE;
use crate::redb::RedbStore;
use crate::redb::faulty::{DiskFault, FaultyDisk, Random};
use crate::store::{Head, Refusal, Store, StoreError};
use crate::testing::WallClock;

const SEEDS: std::ops::Range<u64> = 0..3;
const ACTS: usize = 60;

/// A script that is played until the store fails.
struct Played {
    /// Acts that were answered.
    answered: usize,
    error: Option<StoreError>,
}

/// Plays from an act on. Each is answered as the store in memory answered it, until one fails.
async fn play(store: &RedbStore, script: &Script, from: usize) -> Played {
    for (index, (act, expected)) in script.acts.iter().enumerate().skip(from) {
        match (act.run(store).await, expected) {
            (Ok(said), Ok(expected)) => assert_eq!(said, *expected, "act {index}: {act:?}"),
            (Err(error), Err(expected)) if error.to_string() == *expected => {}
            (Err(error), _) => return Played { answered: index, error: Some(error) },
            (Ok(said), Err(expected)) => panic!("act {index} said {said}, not {expected}: {act:?}"),
        }
    }
    Played { answered: script.acts.len(), error: None }
}

/// How many steps a disk makes while a script is played, from when the store was first open.
async fn steps(script: &Script) -> std::ops::Range<u64> {
    let disk = FaultyDisk::new();
    let store = open(&disk).await;
    let first = disk.steps();
    let played = play(&store, script, 0).await;
    assert!(played.error.is_none(), "{:?}", played.error);
    assert_eq!(state(&store).await, script.states[ACTS]);
    first..disk.steps()
}

/// Opens a disk again, and plays the rest. What is there must be what was there before an act that was not answered, or after it.
async fn is_whole(disk: &FaultyDisk, script: &Script, played: &Played, what: &str) {
    let store = open(disk).await;
    let found = state(&store).await;
    let before = played.answered;
    let is_certain = !matches!(played.error, Some(StoreError::Unknown(_)));
    let is_after = before < ACTS && !is_certain && found == script.states[before + 1];
    assert!(is_after || found == script.states[before], "{what}: after {before} acts, found {found}");
    let rest = play(&store, script, if is_after { before + 1 } else { before }).await;
    assert!(rest.error.is_none(), "{what}: {:?}", rest.error);
    assert_eq!(state(&store).await, script.states[ACTS], "{what}");
}

#[tokio::test]
async fn power_that_is_cut_at_any_step_loses_nothing_acknowledged_and_leaves_nothing_half() {
    for seed in SEEDS {
        let script = Script::of(seed, ACTS).await;
        let steps = steps(&script).await;
        let stride = 17;
        for step in steps.skip(usize::try_from(seed).expect("it is small")).step_by(stride) {
            let disk = FaultyDisk::new();
            let store = open(&disk).await;
            disk.fail_at(step, DiskFault::Gone);
            let played = play(&store, &script, 0).await;
            drop(store);
            let what = format!("seed {seed}, cut at step {step}");
            is_whole(&disk.power_cut(seed ^ step), &script, &played, &what).await;
        }
    }
}

#[tokio::test]
async fn power_that_is_cut_while_a_file_is_made_leaves_a_file_that_is_made_anew_or_nothing() {
    let disk = FaultyDisk::new();
    drop(open(&disk).await);
    for step in 0..disk.steps() {
        let disk = FaultyDisk::new();
        disk.fail_at(step, DiskFault::Gone);
        drop(options().open_on(disk.clone()).await);
        for seed in 0..4 {
            // Under its own name there is a file only when it is whole: what is left here has another name.
            if let Ok(store) = options().open_on(disk.power_cut(seed)).await {
                assert_eq!(store.actors(None, 9).await.expect("it reads"), [], "step {step}, seed {seed}");
            }
        }
    }
}

#[tokio::test]
async fn a_sync_that_fails_closes_the_store_and_only_its_batch_is_unknown() {
    let script = Script::of(7, ACTS).await;
    let steps = steps(&script).await;
    for step in steps.step_by(11) {
        let disk = FaultyDisk::new();
        let store = open(&disk).await;
        disk.fail_at(step, DiskFault::SyncFails);
        let played = play(&store, &script, 0).await;
        assert!(played.error.is_some(), "a sync comes after step {step}");
        let syncs = disk.syncs();
        let later = script.acts[ACTS - 1].0.run(&store).await.expect_err("it is closed");
        assert!(matches!(later, StoreError::NotApplied(Refusal::Closed(_))), "{later:?}");
        let read = store.actors(None, 1).await.expect_err("it is closed");
        assert!(matches!(read, StoreError::NotApplied(Refusal::Closed(_))), "{read:?}");
        drop(store);
        assert_eq!(disk.syncs(), syncs, "a sync that failed is not tried again");
        is_whole(&disk.power_cut(step), &script, &played, &format!("step {step}")).await;
    }
}

#[tokio::test]
async fn a_full_or_read_only_disk_is_named_and_nothing_was_changed() {
    let script = Script::of(8, ACTS).await;
    let steps = steps(&script).await;
    let (mut certain, mut unknown) = (0, 0);
    for (step, fault) in steps.step_by(13).zip([DiskFault::NoSpace, DiskFault::ReadOnly].iter().cycle()) {
        let disk = FaultyDisk::new();
        let store = open(&disk).await;
        disk.fail_at(step, *fault);
        let played = play(&store, &script, 0).await;
        match (&played.error, fault) {
            (Some(StoreError::NotApplied(Refusal::NoSpace(_))), DiskFault::NoSpace)
            | (Some(StoreError::NotApplied(Refusal::ReadOnly(_))), DiskFault::ReadOnly) => certain += 1,
            // The header lies where it always did: only a disk that takes nothing at all refuses that.
            (Some(StoreError::Unknown(_)), _) => {}
            (error, _) => panic!("step {step}: {error:?}"),
        }
        drop(store);
        let is_certain = matches!(played.error, Some(StoreError::NotApplied(_)));
        let header = 0..512;
        let is_as_it_was = disk.bytes()[header.clone()] == disk.synced()[header];
        assert!(is_as_it_was || !is_certain, "step {step}: what is certain does not rest on redb's repair");
        is_whole(&disk.healed(), &script, &played, &format!("step {step}, {fault:?}")).await;
        unknown += usize::from(matches!(played.error, Some(StoreError::Unknown(_))));
    }
    assert!(certain > 3 * unknown, "{certain} are certain, {unknown} are not");
}

#[tokio::test]
async fn a_store_whose_disk_was_full_goes_on_when_there_is_space() {
    let script = Script::of(12, ACTS).await;
    let steps = steps(&script).await;
    let mut went_on = 0;
    for step in steps.step_by(19) {
        let (disk, clock) = (FaultyDisk::new(), WallClock::at(BEGAN));
        let store = options().executor(clock.store_executor()).open_on(disk.clone()).await.expect("it opens");
        lease(&store).await;
        disk.fail_at(step, DiskFault::NoSpace);
        let played = play(&store, &script, 0).await;
        if !matches!(played.error, Some(StoreError::NotApplied(Refusal::NoSpace(_)))) {
            continue;
        }
        let is_full =
            |error| assert!(matches!(error, StoreError::NotApplied(Refusal::NoSpace(_))), "{error:?}");
        // Whoever asks again soon costs nothing.
        let tried = disk.steps();
        is_full(script.acts[played.answered].0.run(&store).await.expect_err("it is full"));
        is_full(store.actors(None, 1).await.expect_err("it is full"));
        assert_eq!(disk.steps(), tried, "step {step}");
        clock.pass(REOPEN_PAUSE);
        is_full(store.actors(None, 1).await.expect_err("it is full"));
        assert!(disk.steps() > tried, "step {step}: it has tried");
        disk.mend();
        is_full(script.acts[played.answered].0.run(&store).await.expect_err("it was full a moment ago"));
        clock.pass(REOPEN_PAUSE);
        assert_eq!(state(&store).await, script.states[played.answered], "step {step}");
        // What is stored says when it was.
        clock.set(BEGAN);
        let rest = play(&store, &script, played.answered).await;
        assert!(rest.error.is_none(), "step {step}: {:?}", rest.error);
        assert_eq!(state(&store).await, script.states[ACTS], "step {step}");
        assert_eq!(faults(&store).await, [], "step {step}");
        drop(store);
        assert_eq!(state(&open(&disk).await).await, script.states[ACTS], "step {step}");
        went_on += 1;
    }
    assert!(went_on > 5, "{went_on}");
}

/// A store with a journal that is larger than what it keeps in memory, and the journal's actor.
async fn with_long_journal(disk: &FaultyDisk, clock: &WallClock) -> (RedbStore, Head) {
    let store = options().executor(clock.store_executor()).open_on(disk.clone()).await.expect("it opens");
    let mut head = acquire(&store, "a").await.expect("it is free");
    for number in 0..EVENTS as u128 {
        let commit = turn(&head, MessageId::new(BEGAN, number), &"x".repeat(100_000));
        head.sequence = commit.last();
        store.commit_turn(commit).await.expect("it commits");
    }
    (store, head)
}

const EVENTS: usize = 30;

#[tokio::test]
async fn whoever_reads_while_the_disk_gets_full_is_told_and_does_not_close_the_store() {
    let (disk, clock) = (FaultyDisk::new(), WallClock::at(BEGAN));
    let (store, head) = with_long_journal(&disk, &clock).await;
    let (began, has_begun) = oneshot::channel();
    let (go, goes) = std::sync::mpsc::channel();
    let (shared, id) = (store.shared.clone(), head.target.id.clone());
    let reading = tokio::task::spawn_blocking(move || {
        shared.read(|tables| {
            began.send(()).expect("somebody waits");
            goes.recv().expect("somebody says so");
            tables.actor(&id).entries(Sequence::ZERO, EVENTS)
        })
    });
    has_begun.await.expect("it begins");
    disk.fail_at(disk.steps(), DiskFault::NoSpace);
    let release = store.release(&head.target.id, head.epoch);
    let meanwhile = async {
        disk.failed().await;
        go.send(()).expect("it waits");
        reading.await.expect("it does not panic")
    };
    let (released, read) = tokio::join!(release, meanwhile);
    let (full, read) = (released.expect_err("it is full"), read.expect_err("the file has failed"));
    assert!(matches!(full, StoreError::NotApplied(Refusal::NoSpace(_))), "{full:?}");
    assert!(matches!(read, StoreError::NotApplied(Refusal::Unavailable(_))), "{read:?}");
    disk.mend();
    clock.pass(REOPEN_PAUSE);
    let entries = store.entries(&head.target.id, Sequence::ZERO, EVENTS).await.expect("it reads");
    assert_eq!(entries.len(), EVENTS);
    store.release(&head.target.id, head.epoch).await.expect("it goes on");
}

#[tokio::test]
async fn a_read_that_fails_is_named_and_closes_the_store() {
    for is_write in [false, true] {
        let disk = FaultyDisk::new();
        let (store, head) = with_long_journal(&disk, &WallClock::at(BEGAN)).await;
        disk.fail_at(disk.steps(), DiskFault::ReadFails);
        let id = &head.target.id;
        let error = if is_write {
            // All that the actor has is looked for.
            store.delete(id, head.epoch).await.expect_err("the disk fails")
        } else {
            store.entries(id, Sequence::ZERO, EVENTS).await.expect_err("the disk fails")
        };
        let StoreError::NotApplied(refusal @ Refusal::Closed(_)) = &error else { panic!("{error:?}") };
        let why = "the store is closed: the store is not available: the read has failed";
        assert_eq!((refusal.to_string().as_str(), error.is_transient()), (why, false));
        for later in [store.actors(None, 1).await.map(drop), store.release(id, head.epoch).await] {
            let later = later.expect_err("it is closed");
            assert_eq!(later.to_string(), format!("not applied: {why}"));
        }
        let opened = options().open_on(disk.clone()).await.expect_err("the disk fails");
        let StoreError::NotApplied(Refusal::Unavailable(cause)) = &opened else { panic!("{opened:?}") };
        assert_eq!(cause.to_string(), "the read has failed");
        drop(store);
        disk.mend();
        let store = open(&disk).await;
        let entries = store.entries(id, Sequence::ZERO, EVENTS).await.expect("it reads");
        assert_eq!(entries.len(), EVENTS, "nothing was changed");
    }
}

#[tokio::test]
async fn a_writer_that_panics_closes_the_store_by_name() {
    let script = Script::of(9, ACTS).await;
    let steps = steps(&script).await;
    for step in steps.step_by(17) {
        let disk = FaultyDisk::new();
        let store = open(&disk).await;
        disk.fail_at(step, DiskFault::Panics);
        let played = play(&store, &script, 0).await;
        let error = played.error.as_ref().expect("it panics").to_string();
        assert!(error.contains("panicked") || error.contains("poisoned"), "{error}");
        let later = store.actors(None, 1).await.expect_err("it is closed");
        assert!(matches!(later, StoreError::NotApplied(Refusal::Closed(_))), "{later:?}");
        drop(store);
        is_whole(&disk.healed(), &script, &played, &format!("step {step}")).await;
    }
}

#[tokio::test]
async fn a_bit_that_flips_is_found_when_the_file_is_opened_or_changes_nothing() {
    let script = Script::of(10, ACTS).await;
    let disk = FaultyDisk::new();
    let store = open(&disk).await;
    play(&store, &script, 0).await;
    // So that few bytes are of pages that nothing refers to.
    store.compact().await.expect("it compacts");
    drop(store);
    let sound = disk.bytes();
    let mut random = Random(10);
    let mut found = 0;
    for _ in 0..150 {
        let mut bytes = sound.clone();
        let place = usize::try_from(random.next() % bytes.len() as u64).expect("it is small");
        bytes[place] ^= 1 << (random.next() % 8);
        let what = format!("a bit at byte {place}");
        match options().open_on(FaultyDisk::of_bytes(bytes)).await {
            Ok(store) => {
                lease(&store).await;
                assert_eq!(state(&store).await, script.states[ACTS], "{what}");
            }
            Err(StoreError::NotApplied(Refusal::Damaged { .. } | Refusal::FutureVersion { .. })) => {
                found += 1;
            }
            Err(error) => panic!("{what}: {error:?}"),
        }
    }
    // The others are where nothing lies, or nothing any more.
    assert!(found > 25, "{found} of 150 were found");
}

#[tokio::test]
async fn a_clean_file_that_is_trusted_opens_though_what_it_does_not_read_is_damaged() {
    let disk = FaultyDisk::new();
    drop(open(&disk).await);
    let sound = disk.bytes();
    let (mut checked, mut trusted) = (0, 0);
    for place in (0..sound.len()).step_by(101) {
        let mut bytes = sound.clone();
        bytes[place] ^= 1;
        let disk = FaultyDisk::of_bytes(bytes);
        if options().open_on(disk.healed()).await.is_err() {
            checked += 1;
            trusted += u32::from(options().trust_clean_files().open_on(disk).await.is_ok());
        }
    }
    assert!(trusted > 0, "{checked} were found");
}

#[tokio::test]
async fn a_file_that_was_cut_off_is_damaged() {
    let script = Script::of(11, ACTS).await;
    let disk = FaultyDisk::new();
    let store = open(&disk).await;
    play(&store, &script, 0).await;
    drop(store);
    let sound = disk.bytes();
    for length in (1..sound.len()).step_by(sound.len() / 40) {
        match options().open_on(FaultyDisk::of_bytes(sound[..length].to_vec())).await {
            Err(StoreError::NotApplied(Refusal::Damaged { .. })) => {}
            other => panic!("{length} of {} bytes: {other:?}", sound.len()),
        }
    }
}
