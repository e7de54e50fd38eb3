//! The demo, run as people run it: as a process, with processes of its own, over TLS,
//! Iroh and QUIC.
//!
//! Its workers inherit its standard error. So whoever reads that to its end, as
//! every test here does, has seen the end of all of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;

use crate::support::guarded;

#[tokio::test]
async fn the_demo_counts_on_both_transports_and_survives_a_kill() {
    let input = Sample::new(60_000);
    let ended = demo(&["--json"], input.path()).await;
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    let json = json(&ended);
    let keys: Vec<&str> = json.keys().map(String::as_str).collect();
    let promised = [
        "bytes",
        "expected",
        "files",
        "killed",
        "nodes",
        "retried",
        "seconds",
        "skipped",
        "transports",
        "words",
    ];
    assert_eq!(keys, promised);
    assert_eq!(json["transports"], "[\"tcp+tls\",\"iroh\"]");
    assert_eq!((&*json["nodes"], &*json["killed"], &*json["skipped"]), ("5", "1", "1"));
    assert_eq!(json["words"], input.words.to_string());
    assert_eq!(json["expected"], json["words"]);
    assert_eq!((&*json["files"], &*json["bytes"]), ("4", &*input.bytes.to_string()));
    assert!(json["retried"].parse::<u64>().unwrap() >= 1);
    assert!(json["seconds"].parse::<f64>().unwrap() > 0.0);

    let page = String::from_utf8_lossy(&ended.stdout).into_owned();
    for part in
        ["skipped sub/latin1.txt: not UTF-8", "worker-4", "iroh", "tcp+tls", "killed", "messages a second"]
    {
        assert!(page.contains(part), "{part:?} is not in {page}");
    }
    // "the" is every other word of the sample.
    assert!(page.contains(&format!("{} the\n", input.words / 2)), "{page}");
    assert!(stderr(&ended).contains("worker-3 is disconnected"), "{}", stderr(&ended));
}

/// With one worker on each transport, the killed one has to come back.
#[tokio::test]
async fn the_demo_on_three_nodes_starts_the_killed_one_again() {
    let input = Sample::new(10_000);
    let ended = demo(&["--json", "--nodes", "3"], input.path()).await;
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    let json = json(&ended);
    assert_eq!((&*json["nodes"], &*json["killed"]), ("3", "1"));
    assert_eq!(json["words"], input.words.to_string());
    assert!(stderr(&ended).contains("worker-1 has joined again"), "{}", stderr(&ended));
}

/// With a transport that proves nothing: a secret lets the workers in.
#[tokio::test]
async fn the_demo_runs_over_a_transport_of_somebodys_own() {
    let input = Sample::new(10_000);
    let ended = demo(&["--json", "--nodes", "4", "--transports", "ws,tcp"], input.path()).await;
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    let json = json(&ended);
    assert_eq!((&*json["transports"], &*json["killed"]), ("[\"tcp+tls\",\"ws\"]", "1"));
    assert_eq!(json["words"], input.words.to_string());
    assert!(json["retried"].parse::<u64>().unwrap() >= 1);
}

/// The killed one is on TCP if anybody is, and on whatever there is if not.
#[tokio::test]
async fn the_demo_counts_on_the_transports_that_it_is_told() {
    let input = Sample::new(10_000);
    let transports = [("tcp,iroh,quic", "[\"tcp+tls\",\"iroh\",\"quic\"]"), ("quic", "[\"quic\"]")];
    for (names, reported) in transports {
        let ended = demo(&["--json", "--nodes", "4", "--transports", names], input.path()).await;
        assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
        let json = json(&ended);
        assert_eq!((&*json["transports"], &*json["killed"]), (reported, "1"));
        assert_eq!(json["words"], input.words.to_string());
    }
}

#[tokio::test]
async fn the_demo_without_a_kill_retries_nothing() {
    let input = Sample::new(10_000);
    let ended = demo(&["--json", "--nodes", "3", "--no-kill"], input.path()).await;
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    let json = json(&ended);
    assert_eq!((&*json["killed"], &*json["retried"]), ("0", "0"));
    assert_eq!(json["words"], input.words.to_string());
}

/// Three words are enough for a worker on each transport and a chunk to die with.
#[tokio::test]
async fn the_demo_does_with_three_words() {
    let input = TempDir::new().unwrap();
    fs::write(input.path().join("words"), "veni vidi vici").unwrap();
    let ended = demo(&["--json", "--nodes", "3"], input.path()).await;
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    assert_eq!(json(&ended)["words"], "3");
}

#[tokio::test]
async fn what_cannot_be_counted_is_an_error_in_words() {
    let input = TempDir::new().unwrap();
    fs::write(input.path().join("file"), "a b c d e f").unwrap();
    fs::create_dir(input.path().join("empty")).unwrap();
    fs::create_dir(input.path().join("short")).unwrap();
    fs::write(input.path().join("short/text"), "word").unwrap();
    let cases: [(&str, &[&str], &str); 8] = [
        ("missing", &[], "No such file"),
        ("file", &[], "Not a directory"),
        ("empty", &[], "there is no text under"),
        ("short", &[], "has 1 parts at most, and 5 nodes need 5"),
        ("", &["--nodes", "2"], "there can be 3 to 32 nodes"),
        ("", &["--nodes", "-1"], "there can be 3 to 32 nodes"),
        ("", &["--transports", "udp"], "transports are named as in tcp,iroh,quic"),
        ("", &["--faster"], "invalid option '--faster'"),
    ];
    for (directory, arguments, words) in cases {
        let ended = demo(arguments, &input.path().join(directory)).await;
        assert_eq!(ended.status.code(), Some(2), "{directory} {arguments:?}");
        assert!(stderr(&ended).contains(words), "{words:?} is not in {}", stderr(&ended));
        assert!(stderr(&ended).starts_with("word-count: "), "{}", stderr(&ended));
        assert!(ended.stdout.is_empty());
    }
}

/// Whether it is asked to stop or killed itself, its workers end with it.
#[cfg(unix)]
#[tokio::test]
async fn a_demo_that_is_interrupted_leaves_no_process_behind() {
    // Long enough that it is still counting when the signal comes.
    let input = Sample::new(4_000_000);
    for (signal, code) in [("INT", Some(130)), ("TERM", Some(130)), ("KILL", None)] {
        let ended = async {
            let mut child = command(&[], input.path()).spawn().unwrap();
            let mut errors = BufReader::new(child.stderr.take().unwrap());
            let mut line = String::new();
            while !line.contains("have joined") {
                line.clear();
                assert_ne!(errors.read_line(&mut line).await.unwrap(), 0, "it ended too soon");
            }
            assert!(crate::support::signal(signal, child.id().unwrap()).await);
            // The end of this is the end of the last worker.
            errors.read_to_string(&mut line).await.unwrap();
            child.wait().await.unwrap()
        };
        assert_eq!(guarded(ended).await.code(), code, "{signal}");
    }
}

/// Runs the demo to its end, and to the end of whatever it has started.
async fn demo(arguments: &[&str], input: &Path) -> Output {
    guarded(command(arguments, input).output()).await.unwrap()
}

fn command(arguments: &[&str], input: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_word-count"));
    command.args(arguments).arg("--input").arg(input).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn stderr(ended: &Output) -> String {
    String::from_utf8_lossy(&ended.stderr).into_owned()
}

/// The last line of the output, which is a flat object: its values as they stand
/// there, by key.
fn json(ended: &Output) -> BTreeMap<String, String> {
    let out = String::from_utf8(ended.stdout.clone()).unwrap();
    assert!(out.ends_with("}\n"), "{out}");
    let line = out.lines().last().unwrap();
    assert_eq!(out.matches('{').count(), 1, "one line of it: {out}");
    let mut rest = line.strip_prefix('{').unwrap().strip_suffix('}').unwrap();
    let mut object = BTreeMap::new();
    while !rest.is_empty() {
        let (key, after) = rest.strip_prefix('"').unwrap().split_once("\":").unwrap();
        let end = if after.starts_with('[') { after.find(']').unwrap() + 1 } else { 0 };
        let end = after[end..].find(',').map_or(after.len(), |comma| end + comma);
        object.insert(key.to_owned(), after[..end].to_owned());
        rest = after[end..].strip_prefix(',').unwrap_or_default();
    }
    object
}

/// A small tree of texts, with what is none among them.
struct Sample {
    directory: TempDir,
    /// Counted while it was written.
    words: u64,
    bytes: u64,
}

impl Sample {
    /// About so many words in three languages.
    fn new(words: u64) -> Self {
        const OTHERS: [&str; 5] = ["ship", "Ünïcode", "東京", "x86", "fleet"];
        const BETWEEN: [&str; 4] = [" ", ", ", "\n", " — "];
        let directory = TempDir::new().unwrap();
        let mut sample = Self { directory, words: 0, bytes: 0 };
        for path in ["a.txt", "sub/b.md", "sub/deeper/.c"] {
            let mut text = String::new();
            for turn in (0..words / 6).map(|turn| usize::try_from(turn).unwrap()) {
                for word in [["the", "THE"][turn % 2], OTHERS[turn % OTHERS.len()]] {
                    text.push_str(word);
                    text.push_str(BETWEEN[turn % BETWEEN.len()]);
                    sample.words += 1;
                }
            }
            sample.add(path, text.as_bytes());
            sample.bytes += text.len() as u64;
        }
        sample.add("empty", b"");
        sample.add("sub/latin1.txt", b"caf\xe9 au lait");
        sample.add(".git/index", b"hidden words");
        sample
    }

    fn add(&self, path: &str, bytes: &[u8]) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }
}
