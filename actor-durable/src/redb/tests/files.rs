//! Real files: opened, closed, opened twice, damaged.

use tempfile::TempDir;

use super::*;
use crate::redb::RedbInspection;
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

#[tokio::test]
async fn a_file_is_looked_at_by_several_and_by_none_while_a_store_has_it() {
    let directory = directory();
    let path = directory.path().join("store.redb");
    let store = RedbStore::open(&path).await.expect("it opens");
    let head = acquire(&store, "a").await.expect("it is free");
    store.commit_turn(turn(&head, message_id(1), "one")).await.expect("it commits");
    let refused = RedbInspection::open(&path).expect_err("it is in use");
    assert!(matches!(refused, StoreError::NotApplied(Refusal::InUse(_))), "{refused:?}");
    store.close().await;

    let before = std::fs::read(&path).expect("it is there");
    let one = RedbInspection::open(&path).expect("it is free");
    let other = RedbInspection::open(&path).expect("it is shared");
    let refused = RedbStore::open(&path).await.expect_err("it is looked at");
    assert!(matches!(refused, StoreError::NotApplied(Refusal::InUse(_))), "{refused:?}");
    let id = &head.target.id;
    let summary = one.summary(id).expect("it reads").expect("it is there");
    assert_eq!((summary.entries, summary.handled), (1, 1));
    assert_eq!(other.summary(id).expect("it reads"), Some(summary));
    assert_eq!(one.entries(id, Sequence(0), 9).expect("it reads").len(), 1);
    assert_eq!(one.verify(|fault| panic!("{fault}")).expect("it reads").actors, 1);
    drop((one, other));
    assert_eq!(std::fs::read(&path).expect("it is there"), before, "looking changes nothing");
    RedbStore::open(&path).await.expect("it is free");
}

#[tokio::test]
async fn what_is_no_store_is_refused_by_name_and_left_as_it_is() {
    let directory = directory();
    for (name, bytes) in [("empty", ""), ("text", "Dear diary,"), ("long", &*"x".repeat(100_000))] {
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).expect("it is written");
        let error = RedbStore::open(&path).await.expect_err("it is no store");
        assert!(matches!(error, StoreError::NotApplied(Refusal::Damaged { .. })), "{name}: {error:?}");
        assert_eq!(std::fs::read(&path).expect("it is there"), bytes.as_bytes(), "{name}");
    }
    let error = RedbStore::open(directory.path().join("nowhere/store.redb"))
        .await
        .expect_err("there is no directory");
    assert!(matches!(error, StoreError::NotApplied(Refusal::Unavailable(_))), "{error:?}");
    let error = RedbStore::open(directory.path()).await.expect_err("it is a directory");
    assert!(matches!(error, StoreError::NotApplied(Refusal::Unavailable(_))), "{error:?}");
    let nothing = directory.path().join("nothing");
    let error = RedbInspection::open(&nothing).expect_err("it is not there");
    assert!(matches!(error, StoreError::NotApplied(Refusal::Unavailable(_))), "{error:?}");
    let error = RedbStore::options().existing().open(&nothing).await.expect_err("it is not there");
    assert!(matches!(error, StoreError::NotApplied(Refusal::Unavailable(_))), "{error:?}");
    assert!(!nothing.exists(), "it was not made");
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_a_link_leads_to_is_created_there_and_the_link_stays() {
    let directory = directory();
    let place = |name: &str| directory.path().join(name);
    std::fs::create_dir(place("volume")).expect("there is space");
    let links = [("first", "second"), ("second", "volume/store.redb")];
    for (link, to) in links {
        std::os::unix::fs::symlink(to, place(link)).expect("there is space");
    }
    let store = RedbStore::open(place("first")).await.expect("it is created");
    acquire(&store, "a").await.expect("it is free");
    let refused = RedbStore::open(place("volume/store.redb")).await.expect_err("it is in use");
    assert!(matches!(refused, StoreError::NotApplied(Refusal::InUse(_))), "{refused:?}");
    store.close().await;
    let store = RedbStore::open(place("volume/store.redb")).await.expect("it is there");
    assert!(store.head(&target("a").id).await.expect("it reads").is_some());
    for (link, to) in links {
        assert_eq!(std::fs::read_link(place(link)).expect("it is a link"), std::path::Path::new(to));
    }
    assert_eq!(std::fs::read_dir(place("volume")).expect("it is there").count(), 1, "nothing is beside it");
}

#[tokio::test]
async fn leases_of_an_earlier_process_are_over() {
    let directory = directory();
    let path = directory.path().join("store.redb");
    let store = RedbStore::open(&path).await.expect("it opens");
    let head = acquire(&store, "a").await.expect("it is free");
    drop(store);
    let store = RedbStore::open(&path).await.expect("it opens again");
    let other = OwnerId::new(8);
    store.renew(other, Duration::from_secs(60)).await.expect("a lease");
    let claim = Claim { owner: other, target: target("a"), epoch_min: Epoch::ZERO, mode: ClaimMode::IfFree };
    let taken = store.acquire(claim).await.expect("its owner is gone");
    assert_eq!((taken.epoch, taken.crashes), (head.epoch.next(), 1));
}

#[tokio::test]
async fn a_long_history_is_read_by_pages() {
    let directory = directory();
    let store = RedbStore::open(directory.path().join("store.redb")).await.expect("it opens");
    let mut head = acquire(&store, "a").await.expect("it is free");
    for round in 0..20 {
        let mut commit = turn(&head, message_id(round), "event");
        let entry = commit.entries[0].clone();
        commit.entries = (1..=250)
            .map(|number| Entry { sequence: Sequence(head.sequence.0 + number), ..entry.clone() })
            .collect();
        store.commit_turn(commit.clone()).await.expect("it commits");
        head.sequence = commit.last();
    }
    let (mut read, mut pages) = (Sequence(0), 0);
    loop {
        let page = store.entries(&head.target.id, read, usize::MAX).await.expect("it reads");
        let Some(last) = page.last() else { break };
        assert_eq!(page[0].sequence, read.next());
        (read, pages) = (last.sequence, pages + 1);
    }
    assert_eq!((read, pages), (Sequence(5_000), 5));
    // Large ones fill a page sooner.
    let large = "x".repeat(1 << 20);
    for _ in 0..6 {
        let commit = turn(&head, message_id(100 + head.sequence.0), &large);
        store.commit_turn(commit.clone()).await.expect("it commits");
        head.sequence = commit.last();
    }
    let page = store.entries(&head.target.id, Sequence(5_000), usize::MAX).await.expect("it reads");
    assert_eq!(page.len(), 3, "four mebibytes have no room for four of them and what is around them");
}

/// Nobody ever writes into it, and whoever opened it would wait for that.
#[cfg(unix)]
#[test]
fn a_pipe_is_no_file_to_look_into() {
    let directory = directory();
    let path = directory.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status().expect("there is such a program");
    assert!(made.success());
    let (told, answer) = std::sync::mpsc::channel();
    std::thread::spawn(move || told.send(RedbInspection::open(&path).map(drop)));
    let refused = answer.recv_timeout(Duration::from_secs(10)).expect("it does not wait");
    let Err(StoreError::NotApplied(Refusal::Damaged { detail, .. })) = refused else { panic!("{refused:?}") };
    assert_eq!(detail, "it is no file");
}
