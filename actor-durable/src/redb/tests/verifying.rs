//! Stores that are looked through: sound ones have no fault, and each thing that cannot be is said.

use std::sync::{Arc, Mutex};

use redb::{Builder, Database, ReadableTable};

use super::script::{Script, open, state};
use super::suite::BEGAN;
use super::{acquire, body, message, target, turn};
use crate::RedbStore;
use crate::id::{MessageId, Name, Sequence, WallTime};
use crate::redb::faulty::{DiskFault, FaultyDisk};
use crate::redb::inspect::RedbInspection;
use crate::redb::keys::{self, Keys, META, ROWS};
use crate::redb::verify::StoreFault;
use crate::store::{CatchUp, Head, Refusal, Reminder, ReminderChange, Snapshot, Store, StoreError};

pub(super) async fn faults(store: &RedbStore) -> Vec<StoreFault> {
    let faults = Arc::new(Mutex::new(Vec::new()));
    let said = faults.clone();
    let verified = store.verify(move |fault| said.lock().expect("no panic").push(fault)).await;
    let faults = std::mem::take(&mut *faults.lock().expect("no panic"));
    assert_eq!(verified.expect("it reads").faults, faults.len() as u64);
    faults
}

#[tokio::test]
async fn a_store_in_use_and_one_after_a_cut_have_no_fault() {
    for seed in 20..24 {
        let script = Script::of(seed, 60).await;
        let disk = FaultyDisk::new();
        let store = open(&disk).await;
        disk.fail_at(150 + seed * 10, DiskFault::Gone);
        for (act, _) in &script.acts {
            drop(act.run(&store).await);
        }
        drop(store);
        let cut = disk.power_cut(seed);
        let bytes = cut.bytes();
        let inspection = RedbInspection::on(cut.clone()).expect("it opens");
        let verified = inspection.verify(|fault| panic!("seed {seed}: {fault}")).expect("it reads");
        assert!(verified.rows > 0 && verified.actors > 0, "{verified:?}");
        drop(inspection);
        assert_eq!(cut.bytes(), bytes, "looking changes nothing");
        let store = open(&cut).await;
        assert_eq!(faults(&store).await, []);
        drop(state(&store).await);
    }
}

/// The owner sees to it that times do not go back from commit to commit; that one did not is no fault of the store.
#[tokio::test]
async fn a_commit_of_an_earlier_time_is_no_fault() {
    let store = open(&FaultyDisk::new()).await;
    let head = acquire(&store, "a").await.expect("it is free");
    store.commit_turn(turn(&head, id(1), "one")).await.expect("it commits");
    let mut earlier = turn(&Head { sequence: Sequence(1), ..head }, id(2), "two");
    earlier.entries[0].at = WallTime::ZERO;
    store.commit_turn(earlier).await.expect("it commits");
    assert_eq!(faults(&store).await, []);
}

pub(super) fn id(number: u128) -> MessageId {
    MessageId::new(BEGAN, number)
}

/// A store with one of everything, closed.
async fn sound() -> FaultyDisk {
    let disk = FaultyDisk::new();
    let store = open(&disk).await;
    let head = acquire(&store, "a").await.expect("it is free");
    let mut first = turn(&head, id(1), "one");
    first.state = Some(Snapshot { sequence: Sequence(1), body: body("state") });
    let name = Name::new("later").expect("a good name");
    let (set_by, due, catch_up) = (Sequence(1), WallTime::from_millis(5), CatchUp::FireOnce);
    let later = Reminder { name, set_by, due, period: None, catch_up, body: body("") };
    first.reminders.push(ReminderChange::Set(later));
    store.commit_turn(first).await.expect("it commits");
    let head = Head { sequence: Sequence(1), ..head };
    store.commit_turn(turn(&head, id(2), "two")).await.expect("it commits");
    let head = Head { sequence: Sequence(2), ..head };
    store.commit_turn(turn(&head, id(3), "three")).await.expect("it commits");
    store.enqueue(message("a", id(4), "waits")).await.expect("it is new");
    assert_eq!(faults(&store).await, []);
    drop(store);
    disk
}

/// Changes a closed store behind its back, by redb alone.
pub(super) fn change(disk: &FaultyDisk, change: impl FnOnce(&redb::WriteTransaction)) {
    let database: Database = Builder::new().create_with_backend(disk.clone()).expect("it opens");
    let transaction = database.begin_write().expect("nobody writes");
    change(&transaction);
    transaction.commit().expect("it commits");
}

pub(super) fn keys_of(id: &str) -> Keys {
    Keys::of(&target(id).id)
}

fn remove(transaction: &redb::WriteTransaction, key: &[u8]) {
    let mut rows = transaction.open_table(ROWS).expect("a table");
    assert!(rows.remove(key).expect("it writes").is_some(), "it was there");
}

#[tokio::test]
async fn a_damaged_row_is_named_when_it_is_read_and_the_rest_can_be_read() {
    let disk = sound().await;
    let key = keys_of("a").entry(Sequence(2));
    change(&disk, |transaction| {
        let mut rows = transaction.open_table(ROWS).expect("a table");
        let mut row = rows.get(key.as_slice()).expect("it reads").expect("it is there").value().to_vec();
        let last = row.len() - 1;
        row[last] ^= 1;
        rows.insert(key.as_slice(), row.as_slice()).expect("it writes");
    });
    let store = open(&disk).await;
    let error = store.entries(&target("a").id, Sequence(0), 9).await.expect_err("it is damaged");
    assert!(matches!(error, StoreError::NotApplied(Refusal::Damaged { .. })), "{error:?}");
    let rest = store.entries(&target("a").id, Sequence(2), 9).await.expect("it is sound");
    assert_eq!(rest[0].events, [body("three")]);
}

#[tokio::test]
async fn an_entry_that_is_missing_is_damage_and_not_the_end() {
    // The last one is missed by whoever asks for what comes after the one before it.
    for (missing, read) in [(Sequence(2), &[0, 1][..]), (Sequence(3), &[2])] {
        let disk = sound().await;
        change(&disk, |transaction| remove(transaction, &keys_of("a").entry(missing)));
        let store = open(&disk).await;
        for after in read {
            let error = store.entries(&target("a").id, Sequence(*after), 9).await;
            assert!(
                matches!(error, Err(StoreError::NotApplied(Refusal::Damaged { .. }))),
                "{after}: {error:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_store_of_a_later_release_says_so_and_another_file_of_redb_is_no_store() {
    let disk = sound().await;
    change(&disk, |transaction| {
        let mut meta = transaction.open_table(META).expect("a table");
        let row = keys::seal(keys::FORMAT_KEY, &2_u32.to_le_bytes());
        meta.insert(keys::FORMAT_KEY, row.as_slice()).expect("it writes");
    });
    let error = RedbInspection::on(disk).expect_err("it is of the future");
    assert!(
        matches!(error, StoreError::NotApplied(Refusal::FutureVersion { found: 2, known: 1, .. })),
        "{error:?}"
    );
    let disk = FaultyDisk::new();
    change(&disk, |transaction| {
        transaction.open_table(ROWS).expect("a table");
    });
    let error = RedbInspection::on(disk).expect_err("it is no store");
    assert!(matches!(error, StoreError::NotApplied(Refusal::Damaged { .. })), "{error:?}");
    let error = RedbInspection::on(FaultyDisk::new()).expect_err("it is empty");
    assert!(matches!(error, StoreError::NotApplied(Refusal::Damaged { .. })), "{error:?}");
}

#[tokio::test]
async fn pages_of_a_later_redb_say_so() {
    let disk = sound().await;
    let mut bytes = disk.bytes();
    // The version of redb's pages begins each of the two commit slots.
    for slot in [64, 192] {
        assert_eq!(bytes[slot], 3);
        bytes[slot] = 4;
    }
    let error = RedbInspection::on(FaultyDisk::of_bytes(bytes)).expect_err("it is of the future");
    assert!(
        matches!(error, StoreError::NotApplied(Refusal::FutureVersion { found: 4, known: 3, .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_row_of_a_later_release_is_said() {
    let disk = sound().await;
    let key = keys_of("a").entry(Sequence(2));
    change(&disk, |transaction| {
        let mut rows = transaction.open_table(ROWS).expect("a table");
        let mut row = rows.get(key.as_slice()).expect("it reads").expect("it is there").value().to_vec();
        // Its kind, its format, and the sum of these, of the key and of the rest.
        row[1] = 2;
        let length = (key.len() as u64).to_le_bytes();
        let mut sum = crc32fast::Hasher::new();
        [&length, key.as_slice(), &row[..2], &row[6..]].iter().for_each(|part| sum.update(part));
        row[2..6].copy_from_slice(&sum.finalize().to_le_bytes());
        rows.insert(key.as_slice(), row.as_slice()).expect("it writes");
    });
    let said: Vec<String> = faults(&open(&disk).await).await.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "a row: row: Entry is of version 2; this release knows versions up to 1",
            "a: journal: entry 3 comes after 1"
        ]
    );
}

#[tokio::test]
async fn a_file_with_other_tables_or_of_no_version_is_no_store() {
    let refused = async |change_it: fn(&redb::WriteTransaction)| {
        let disk = sound().await;
        change(&disk, change_it);
        RedbInspection::on(disk).expect_err("it is no store").to_string()
    };
    let fewer = refused(|transaction| {
        assert!(transaction.delete_table(keys::BUSY).expect("it writes"));
    });
    assert_eq!(
        fewer.await,
        "not applied: damaged: the file: it is of version 1, with tables due, meta, rows"
    );
    let older = refused(|transaction| {
        let mut meta = transaction.open_table(META).expect("a table");
        let row = keys::seal(keys::FORMAT_KEY, &0_u32.to_le_bytes());
        meta.insert(keys::FORMAT_KEY, row.as_slice()).expect("it writes");
    });
    assert_eq!(
        older.await,
        "not applied: damaged: the file: it is of version 0, with tables busy, due, meta, rows"
    );
}
