//! What is refused over damage leaves all as it was.

use redb::{Builder, Database, ReadableDatabase, ReadableTable, TableHandle};

use super::rules::{damage, sound};
use super::script::open;
use super::verifying::{change, id, keys_of};
use super::{acquire, target, turn};
use crate::redb::RedbStore;
use crate::redb::faulty::FaultyDisk;
use crate::redb::keys::{self, FLOOR_KEY, META};
use crate::store::{Handled, Head, Refusal, Source, Store, StoreError};

/// All that is in a closed store, by table.
fn contents(disk: &FaultyDisk) -> Vec<(String, Vec<u8>, Vec<u8>)> {
    let database: Database = Builder::new().create_with_backend(disk.healed()).expect("it opens");
    let transaction = database.begin_read().expect("it reads");
    let mut contents = Vec::new();
    for table in [META, keys::ROWS] {
        for row in transaction.open_table(table).expect("a table").iter().expect("it reads") {
            let (key, row) = row.expect("it reads");
            contents.push((table.name().to_owned(), key.value().to_vec(), row.value().to_vec()));
        }
    }
    for table in [keys::DUE, keys::BUSY] {
        for row in transaction.open_table(table).expect("a table").iter().expect("it reads") {
            let (key, ()) = row.map(|(key, _)| (key.value().to_vec(), ())).expect("it reads");
            contents.push((table.name().to_owned(), key, Vec::new()));
        }
    }
    contents
}

/// An actor of a damaged store is acquired, and then an operation is refused and changes nothing.
async fn is_refused(
    disk: FaultyDisk,
    operation: impl AsyncFnOnce(&RedbStore, Head) -> Result<(), StoreError>,
) {
    let store = open(&disk).await;
    let head = acquire(&store, "a").await.expect("it is free");
    drop(store);
    let before = contents(&disk);
    let store = open(&disk).await;
    let error = operation(&store, head).await.expect_err("it needs what is damaged");
    assert!(matches!(error, StoreError::NotApplied(Refusal::Damaged { .. })), "{error:?}");
    drop(store);
    assert_eq!(contents(&disk), before, "nothing is changed");
}

#[tokio::test]
async fn a_commit_that_forgets_what_is_damaged_leaves_nothing_of_itself() {
    let commits = async |store: &RedbStore, head: Head| {
        let mut commit = turn(&head, id(20), "more");
        commit.handled.push(Handled { message: id(4), was: Source::Caller, reply: None });
        commit.forget = vec![id(2), id(4), id(1)];
        store.commit_turn(commit).await
    };
    for key in [keys_of("a").handled(id(1)), keys_of("a").place(id(4))] {
        let disk = sound().await;
        change(&disk, |transaction| damage(transaction, &key));
        is_refused(disk, commits).await;
    }
}

#[tokio::test]
async fn an_actor_that_cannot_be_deleted_keeps_its_reminders() {
    let disk = sound().await;
    change(&disk, |transaction| {
        let mut meta = transaction.open_table(META).expect("a table");
        meta.insert(FLOOR_KEY, b"no epoch".as_slice()).expect("it writes");
    });
    is_refused(disk, async |store, head| store.delete(&target("a").id, head.epoch).await).await;
}
