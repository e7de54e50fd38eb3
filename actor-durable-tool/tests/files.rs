//! Files that are in use, left open, damaged, of the future or not to be written; outputs that nobody reads.

use std::env;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::scene::{BUSY, ROWS, Said, Scene, fill, open, tool};

/// In the environment of a process that is to open this file, and to keep it.
const KEEPS: &str = "ACTOR_DURABLE_TOOL_TEST_KEEPS";

/// In a process that is to: opens the file, fills it, says so, and keeps it for as long as somebody holds its input.
async fn keep() {
    let Some(path) = env::var_os(KEEPS) else { return };
    let store = open(&PathBuf::from(path)).await;
    fill(&store).await;
    std::io::stdout().write_all(b"it is open\n").expect("somebody reads");
    std::io::stdin().read_to_end(&mut Vec::new()).expect("it reads");
    std::process::exit(0);
}

/// Another process that has the file, by this test once more.
fn keeper(test: &str, scene: &Scene) -> Child {
    let mut command = Command::new(env::current_exe().expect("this program"));
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(KEEPS, scene.path());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let output = BufReader::new(child.stdout.take().expect("it is piped"));
    let is_open = output.lines().map_while(Result::ok).any(|line| line.ends_with("it is open"));
    assert!(is_open, "it has ended: {:?}", child.wait());
    child
}

#[tokio::test]
async fn a_file_that_another_process_has_is_refused() {
    keep().await;
    let scene = Scene::empty();
    let mut child = keeper("files::a_file_that_another_process_has_is_refused", &scene);
    let said = ["inspect", "verify", "compact"].map(|command| scene.look(&[command, "store.redb"]));
    child.kill().expect("it is there");
    child.wait().expect("it has ended");
    for said in said {
        assert_eq!(said.text(), include_str!("said/in-use.txt"));
    }
}

#[tokio::test]
async fn a_file_that_was_left_open_is_read_and_only_compacting_repairs_it() {
    keep().await;
    let scene = Scene::empty();
    let test = "files::a_file_that_was_left_open_is_read_and_only_compacting_repairs_it";
    let mut child = keeper(test, &scene);
    child.kill().expect("it is there");
    child.wait().expect("it has ended");

    let note = "actor-durable-tool: store.redb: the last process that had it open did not close it. \
        It is read as its next opening will repair it, and is not changed.\n";
    let closed = Scene::with_actors().await;
    for arguments in
        [&["verify", "store.redb"][..], &["inspect", "store.redb"], &["inspect", "store.redb", "a"]]
    {
        let (said, as_closed) = (scene.look(arguments), closed.look(arguments));
        assert_eq!(said.parts(), (Some(0), &*as_closed.output, note), "{arguments:?}");
    }
    let said = scene.look(&["verify", "store.redb", "--json"]);
    let first = said.output.lines().next().map(str::to_owned);
    assert_eq!(first.as_deref(), Some(r#"{"kind":"file","path":"store.redb","left_open":true}"#));
    assert_eq!(scene.run(&["compact", "store.redb"]).code, Some(0));
    assert_eq!(scene.look(&["verify", "store.redb"]), closed.look(&["verify", "store.redb"]));
}

#[tokio::test]
async fn damaged_files_are_named_and_left_as_they_are() {
    let scene = Scene::with_actors().await;
    let sound = scene.bytes();
    let torn = || {
        let mut torn = sound.clone();
        torn[4096..8192].fill(0);
        torn
    };
    let files: [(&str, Vec<u8>); 5] = [
        ("it is empty", Vec::new()),
        ("Not a redb database: magic number mismatch", b"Dear diary,".to_vec()),
        ("it ends too early", sound[..100].to_vec()),
        (
            "File truncated below stored layout: file_len=28672, layout_len=57344",
            sound[..sound.len() / 2].to_vec(),
        ),
        ("Primary is corrupted despite 2-phase commit", torn()),
    ];
    for (why, bytes) in files {
        fs::write(scene.path(), bytes).expect("it is written");
        for command in ["inspect", "verify", "compact"] {
            let said = scene.look(&[command, "store.redb"]);
            let why = format!(
                "actor-durable-tool: store.redb: damaged: the file: {why}\n  \
                 It was not changed. Restore a copy that was made while no process had it open.\n"
            );
            assert_eq!(said.parts(), (Some(2), "", &*why), "{command}");
        }
    }
}

#[tokio::test]
async fn a_bit_that_flips_is_damage_or_nothing() {
    let scene = Scene::with_actors().await;
    assert_eq!(scene.run(&["compact", "store.redb"]).code, Some(0));
    let (sound, verified) = (scene.bytes(), scene.look(&["verify", "store.redb"]));
    let mut found = 0;
    // A stride that has no factor in common with the length of a page.
    for place in (12..sound.len()).step_by(sound.len() / 30 + 1) {
        let mut bytes = sound.clone();
        bytes[place] ^= 1 << (place % 8);
        fs::write(scene.path(), bytes).expect("it is written");
        let said = scene.look(&["verify", "store.redb"]);
        match said.code {
            Some(0) => assert_eq!(said.output, verified.output, "byte {place}"),
            Some(2) => {
                assert!(said.errors.contains("store.redb: damaged: the file: "), "byte {place}: {said:?}");
                assert!(!said.errors.contains("thread"), "byte {place}: {said:?}");
                found += 1;
            }
            _ => panic!("byte {place}: {said:?}"),
        }
    }
    assert!(found > 0, "some bytes are of pages that are read");
}

#[tokio::test]
async fn files_of_the_future_are_left_to_later_tools() {
    let scene = Scene::with_actors().await;
    let mut bytes = scene.bytes();
    // The version of redb's pages begins each of the two commit slots.
    for slot in [64, 192] {
        assert_eq!(std::mem::replace(&mut bytes[slot], 4), 3);
    }
    fs::write(scene.path(), bytes).expect("it is written");
    for command in ["inspect", "verify", "compact"] {
        assert_eq!(scene.look(&[command, "store.redb"]).text(), include_str!("said/future.txt"));
    }
}

#[tokio::test]
async fn what_may_not_be_written_is_read() {
    let scene = Scene::with_actors().await;
    let (directory, file) = (scene.directory.path(), scene.path());
    // Where nobody but its owner may look, not even the program could be run.
    let program = directory.join("tool");
    fs::copy(env!("CARGO_BIN_EXE_actor-durable-tool"), &program).expect("it is copied");
    fs::set_permissions(&program, Permissions::from_mode(0o555)).expect("it is ours");
    fs::set_permissions(&file, Permissions::from_mode(0o444)).expect("it is ours");
    fs::set_permissions(directory, Permissions::from_mode(0o555)).expect("it is ours");
    let look = |command: &str| {
        let mut tool = Command::new(&program);
        tool.current_dir(directory).args([command, "store.redb"]);
        if fs::metadata(&file).expect("it is there").uid() == 0 {
            // Permissions do not bind root: this is nobody.
            tool.uid(65_534).gid(65_534);
        }
        let before = scene.bytes();
        let said = Said::of(&tool.output().expect("it runs"));
        assert!(scene.bytes() == before, "{command} has changed it");
        said
    };
    assert_eq!(look("verify").text(), include_str!("said/nobody-verifies.txt"));
    assert_eq!(look("inspect").code, Some(0));
    assert_eq!(look("compact").text(), include_str!("said/nobody-compacts.txt"));
    fs::set_permissions(directory, Permissions::from_mode(0o755)).expect("it is ours");
}

#[tokio::test]
async fn an_output_that_nobody_reads_is_no_error_and_hides_none() {
    let scene = Scene::with_actors().await;
    scene.tamper(|transaction| {
        let mut busy = transaction.open_table(BUSY).expect("a table");
        // More faults than fit into a pipe.
        for number in 0..3_000 {
            busy.insert(format!("nobody-{number}").as_bytes(), ()).expect("it writes");
        }
    });
    let unread = |arguments: &[&str]| {
        let mut command = tool(scene.directory.path());
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        drop(child.stdout.take());
        Said::of(&child.wait_with_output().expect("it ends"))
    };
    assert_eq!(unread(&["verify", "store.redb"]).parts(), (Some(1), "", ""));
    assert_eq!(unread(&["inspect", "store.redb"]).parts(), (Some(0), "", ""));
    assert_eq!(unread(&["inspect", "store.redb", "a", "--json"]).parts(), (Some(0), "", ""));
    assert_eq!(unread(&["--help"]).parts(), (Some(0), "", ""));
}

#[tokio::test]
async fn an_output_that_takes_no_more_is_an_error() {
    let scene = Scene::with_actors().await;
    let says_why = |arguments: &[&str]| {
        let full = OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
        let said =
            Said::of(&tool(scene.directory.path()).args(arguments).stdout(full).output().expect("it runs"));
        let why = "actor-durable-tool: the output cannot be written: No space left on device (os error 28)\n";
        assert_eq!(said.parts(), (Some(2), "", why), "{arguments:?}");
    };
    for arguments in [&["verify", "store.redb"][..], &["inspect", "store.redb", "a"], &["--help"]] {
        says_why(arguments);
    }
    scene.tamper(|transaction| {
        let (mut rows, mut busy) =
            (transaction.open_table(ROWS).expect("a table"), transaction.open_table(BUSY).expect("a table"));
        // More lines than wait to be written together.
        for number in 0..1_000 {
            rows.insert(format!("row-{number}").as_bytes(), b"".as_slice()).expect("it writes");
            busy.insert(format!("nobody-{number}").as_bytes(), ()).expect("it writes");
        }
    });
    for arguments in [&["verify", "store.redb"][..], &["inspect", "store.redb"]] {
        says_why(arguments);
    }
}
