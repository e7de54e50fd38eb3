//! Real files: opened, closed, opened twice, damaged.

use tempfile::TempDir;

use super::*;
use crate::store::{Enqueued, Refusal};

fn directory() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_the_store_was_dropped() {
    let directory = directory();
    let path = directory.path().join("store.redb");
    let store = RedbStore::open(&path).await.expect("it opens");
    let head = acquire(&store, "a").await.expect("it is free");
    let commit = turn(&head, message_id(1), "one");
    store.commit_turn(commit.clone()).await.expect("it commits");
    let id = message_id(2);
    assert_eq!(store.enqueue(message("b", id, "hello")).await.expect("it is new"), Enqueued::Stored);
    drop(store);

    let store = RedbStore::open(&path).await.expect("it opens again");
    let found = store.head(&head.target.id).await.expect("it reads").expect("it is there");
    assert_eq!((found.sequence, found.epoch, found.owner), (Sequence(1), head.epoch, Some(OWNER)));
    assert_eq!(store.entries(&head.target.id, Sequence(0), 10).await.expect("it reads"), commit.entries);
    let again = store.enqueue(message("b", id, "hello")).await.expect("it is known");
    assert_eq!(again, Enqueued::Waiting);
    assert_eq!(store.waiting(None, 10).await.expect("it reads"), [target("b")]);
    let reply = store.reply(&head.target.id, commit.handled[0].message).await.expect("it reads");
    assert_eq!(reply, Some(commit.handled[0].reply.clone()));
}

#[tokio::test]
async fn a_file_that_is_open_cannot_be_opened_again() {
    let directory = directory();
    let path = directory.path().join("store.redb");
    let store = RedbStore::open(&path).await.expect("it opens");
    let refused = RedbStore::open(&path).await.expect_err("it is in use");
    assert!(matches!(refused, StoreError::NotApplied(Refusal::InUse(_))), "{refused:?}");
    store.close().await;
    RedbStore::open(&path).await.expect("it is free");
    let names: Vec<_> = std::fs::read_dir(directory.path()).expect("it is there").collect();
    assert_eq!(names.len(), 1, "nothing is left beside it: {names:?}");
}
