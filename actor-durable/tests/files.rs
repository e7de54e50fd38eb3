//! Stores in real files: of processes that follow each other, that come too many, that are killed; on disks that are full or
//! are not to be written.

use std::collections::BTreeSet;
use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use actor_core::ActorSystem;
use actor_durable::limits::REOPEN_PAUSE;
use actor_durable::store::{Body, Enqueued, Headers, Message, Refusal, Store, StoreError};
use actor_durable::testing::WallClock;
use actor_durable::{ActorType, DurableId, DurableSystem, MessageId, RedbStore, Target, WallTime};

use crate::stage::{Account, Command as Order, account};

const BEGAN: WallTime = WallTime::from_millis(1_800_000_000_000);

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_free_as_soon_as_its_system_is_shut_down_and_dropped() {
    opens_again_at_once().await;
}

#[tokio::test]
async fn a_file_is_free_as_soon_as_its_system_is_shut_down_and_dropped_on_one_thread() {
    opens_again_at_once().await;
}

async fn opens_again_at_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store.redb");
    for round in 1..=20 {
        let store = RedbStore::open(&path).await.unwrap_or_else(|error| panic!("round {round}: {error}"));
        let builder = DurableSystem::builder(&ActorSystem::new(), Arc::new(store));
        let system = builder.register(Account::default()).start().await.expect("the store gives a lease");
        let (one, other) = (account(&system, "one"), account(&system, "other"));
        assert_eq!(one.call(Order::Add(2)).await.ok(), Some(round + 1));
        one.call(Order::Pay("other".into(), 1)).await.expect("it is stored");
        other.send(Order::Get).await.expect("it is stored");
        system.shutdown(Duration::from_secs(60)).await.expect("the store takes the lease back");
        drop((system, one, other));
    }
}

/// In the environment of a process that is to do something with the store in this directory.
const DIRECTORY: &str = "ACTOR_DURABLE_TEST_DIRECTORY";

fn directory_of_child() -> Option<PathBuf> {
    env::var_os(DIRECTORY).map(PathBuf::from)
}

/// This test once more, as another process, by a line of shell in which `"$@"` is the program.
fn this_test(name: &str, directory: &Path, shell: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", shell, "sh"]).arg(env::current_exe().expect("this program"));
    command.args(["--exact", name, "--nocapture", "--test-threads=1"]).env(DIRECTORY, directory);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// Says a line to the process that has started this one.
fn say(line: &str) {
    std::io::stdout().write_all(format!("{line}\n").as_bytes()).expect("somebody reads");
}

fn wait_for(child: &mut Child, line: &str) {
    let output = BufReader::new(child.stdout.take().expect("it is piped"));
    let is_said = output.lines().map_while(Result::ok).any(|said| said.ends_with(line));
    assert!(is_said, "it has ended: {:?}", child.wait());
}

fn letter(number: u128, bytes: usize) -> Message {
    let actor_type = ActorType::new("counter").expect("a good name");
    Message {
        to: Target { id: DurableId::new(format!("actor-{number}")).expect("a good id"), actor_type },
        id: MessageId::new(BEGAN, number),
        from: None,
        reply_to: None,
        sent_at: BEGAN,
        body: Body { version: 1, bytes: vec![b'x'; bytes].into() },
        headers: Headers::new(),
    }
}

async fn open(path: &Path, clock: &WallClock) -> Result<RedbStore, StoreError> {
    RedbStore::options().executor(clock.store_executor()).open(path).await
}

async fn actors(store: &RedbStore) -> BTreeSet<String> {
    let heads = store.actors(None, 1_000).await.expect("it reads");
    heads.iter().map(|head| head.target.id.to_string()).collect()
}

#[tokio::test]
async fn two_processes_cannot_have_one_file_and_what_the_first_was_told_outlives_its_kill() {
    let clock = WallClock::at(BEGAN);
    if let Some(directory) = directory_of_child() {
        let store = open(&directory.join("store.redb"), &clock).await.expect("it opens");
        for number in 0..5 {
            assert_eq!(store.enqueue(letter(number, 10)).await.expect("it is new"), Enqueued::Stored);
        }
        say("it is stored");
        std::io::stdin().read_to_end(&mut Vec::new()).expect("it reads");
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store.redb");
    let name = "files::two_processes_cannot_have_one_file_and_what_the_first_was_told_outlives_its_kill";
    let mut child = this_test(name, directory.path(), "exec \"$@\"").spawn().expect("it starts");
    wait_for(&mut child, "it is stored");
    let refused = open(&path, &clock).await.expect_err("another process has it");
    assert!(matches!(refused, StoreError::NotApplied(Refusal::InUse(_))), "{refused:?}");
    child.kill().expect("it is there");
    child.wait().expect("it has ended");
    let store = open(&path, &clock).await.expect("it is free");
    assert_eq!(actors(&store).await, (0..5).map(|number| format!("actor-{number}")).collect());
    assert_eq!(store.enqueue(letter(0, 10)).await.expect("it is known"), Enqueued::Waiting);
    store.verify(|fault| panic!("{fault}")).await.expect("it reads");
}

/// Runs this test once more, with a file system of its own in the directory, by a line of shell.
fn on_own_disk(name: &str, shell: &str) -> Option<Output> {
    // As root; or as the root of a namespace of one's own.
    let ways = ["--mount", "--map-root-user --mount"];
    let can = |way: &&str| {
        let tried = Command::new("unshare").args(way.split(' ')).arg("true").output();
        tried.is_ok_and(|output| output.status.success())
    };
    let Some(way) = ways.into_iter().find(can) else {
        // Where it must not be skipped it fails.
        assert!(env::var_os("CI").is_none(), "no file system can be mounted here");
        std::io::stderr().write_all(b"SKIPPED: no file system can be mounted here\n").expect("it is open");
        return None;
    };
    let directory = tempfile::tempdir().expect("a directory");
    let shell = format!("exec unshare {way} sh -c '{shell}' sh \"$@\"");
    Some(this_test(name, directory.path(), &shell).output().expect("it starts"))
}

fn has_said(output: &Output, line: &str) -> bool {
    String::from_utf8_lossy(&output.stdout).lines().any(|said| said.ends_with(line))
}

#[tokio::test]
async fn a_disk_that_is_full_is_named_and_the_store_goes_on_when_there_is_room() {
    let Some(directory) = directory_of_child() else {
        let name = "files::a_disk_that_is_full_is_named_and_the_store_goes_on_when_there_is_room";
        let mount = "mount -t tmpfs -o size=4m tmpfs \"$ACTOR_DURABLE_TEST_DIRECTORY\" && exec \"$@\"";
        let Some(output) = on_own_disk(name, mount) else { return };
        assert!(has_said(&output, "it goes on"), "{output:?}");
        return;
    };
    let (path, ballast) = (directory.join("store.redb"), directory.join("ballast"));
    let clock = WallClock::at(BEGAN);
    std::fs::write(&ballast, vec![1; 2 << 20]).expect("there is space");
    let store = open(&path, &clock).await.expect("it opens");
    let mut stored = 0;
    let error = loop {
        match store.enqueue(letter(stored, 50_000)).await {
            Ok(outcome) => assert_eq!(outcome, Enqueued::Stored),
            Err(error) => break error,
        }
        stored += 1;
    };
    assert!(matches!(error, StoreError::NotApplied(Refusal::NoSpace(_))), "{error:?}");
    assert!(stored > 5, "{stored}");
    let refused = store.actors(None, 1).await.expect_err("it is full");
    assert!(matches!(refused, StoreError::NotApplied(Refusal::NoSpace(_))), "{refused:?}");
    std::fs::remove_file(&ballast).expect("it is there");
    clock.pass(REOPEN_PAUSE);
    assert_eq!(store.enqueue(letter(stored, 50_000)).await.expect("there is space"), Enqueued::Stored);
    assert_eq!(actors(&store).await, (0..=stored).map(|number| format!("actor-{number}")).collect());
    store.verify(|fault| panic!("{fault}")).await.expect("it reads");
    store.close().await;
    let store = open(&path, &clock).await.expect("it opens again");
    assert_eq!(actors(&store).await.len() as u128, stored + 1);
    say("it goes on");
}

#[tokio::test]
async fn a_directory_that_is_read_only_is_named_and_nothing_is_made_in_it() {
    let clock = WallClock::at(BEGAN);
    let Some(directory) = directory_of_child() else {
        let name = "files::a_directory_that_is_read_only_is_named_and_nothing_is_made_in_it";
        let mount = "mount -t tmpfs tmpfs \"$ACTOR_DURABLE_TEST_DIRECTORY\" && \"$@\" && \
            mount -o remount,ro \"$ACTOR_DURABLE_TEST_DIRECTORY\" && exec \"$@\"";
        let Some(output) = on_own_disk(name, mount) else { return };
        assert!(has_said(&output, "it is made") && has_said(&output, "it is refused"), "{output:?}");
        return;
    };
    let path = directory.join("store.redb");
    if !path.exists() {
        let store = open(&path, &clock).await.expect("it opens");
        store.enqueue(letter(1, 10)).await.expect("it is new");
        store.close().await;
        say("it is made");
        return;
    }
    let before = std::fs::read(&path).expect("it is there");
    for name in ["store.redb", "other.redb"] {
        let refused = open(&directory.join(name), &clock).await.expect_err("nothing can be written");
        assert!(matches!(refused, StoreError::NotApplied(Refusal::ReadOnly(_))), "{name}: {refused:?}");
    }
    let inspection = actor_durable::RedbInspection::open(&path).expect("it can be looked at");
    assert_eq!(inspection.verify(|fault| panic!("{fault}")).expect("it reads").actors, 1);
    let names: Vec<_> = std::fs::read_dir(&directory).expect("it is there").collect();
    assert_eq!((names.len(), std::fs::read(&path).expect("it is there")), (1, before));
    say("it is refused");
}
