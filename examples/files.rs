//! cargo run --example files [DIRECTORY]
//!
//! A pool of workers over the files of a directory, this workspace's documents unless
//! another is named. A file that cannot be read, and one that a worker dies of, are told
//! and not lost; so is a directory. Links are not followed.
//!
//! ```text
//!  walk ── a job per file ──► Factory ──► four workers ── lines ──► Sum
//!                                └── what came to nothing ──────────►┘
//! ```

use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::{env, fs};

use actor_core::{ActorError, actor};
use actor_toolkit::factory::{Discard, Discarded, FactoryBuilder, Job};

const WORKERS: usize = 4;

#[derive(Clone, Debug, Default)]
struct Totals {
    files: usize,
    lines: usize,
    failed: Vec<String>,
}

/// What has come of it until now.
#[derive(Default)]
struct Sum(Totals);

#[actor]
impl Sum {
    #[cast]
    fn counted(&mut self, lines: usize) {
        self.0.files += 1;
        self.0.lines += lines;
    }

    #[cast]
    fn failed(&mut self, why: String) {
        self.0.failed.push(why);
    }

    fn totals(&self) -> Totals {
        self.0.clone()
    }
}

/// Reads on a thread that may block, so that the worker's own thread does not.
async fn count(path: PathBuf) -> Result<usize, ActorError> {
    let text = tokio::task::spawn_blocking(move || fs::read_to_string(path)).await??;
    Ok(text.lines().count())
}

/// All files below a directory, and what cannot be looked into. What else there is, as links and
/// pipes, is left out: there need be no end to either.
fn walk(directory: &Path, files: &mut Vec<PathBuf>, failed: &mut Vec<String>) {
    let mut look = || {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            match entry.file_type()? {
                kind if kind.is_dir() => walk(&entry.path(), files, failed),
                kind if kind.is_file() => files.push(entry.path()),
                _ => {}
            }
        }
        Ok(())
    };
    let looked: io::Result<()> = look();
    if let Err(error) = looked {
        failed.push(format!("{}: {error}", directory.display()));
    }
}

async fn run(directory: &Path, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let sum = Sum::default().spawn().await?;
    let (to, died) = (sum.clone(), sum.clone());
    let factory = FactoryBuilder::closure(move |path: PathBuf, (): ()| {
        let to = to.clone();
        async move {
            let name = path.display().to_string();
            assert!(!name.ends_with(".poison"), "{name} is too much for a worker");
            match count(path).await {
                Ok(lines) => to.counted(lines).await?,
                Err(error) => to.failed(format!("{name}: {error}")).await?,
            }
            Ok(())
        }
    })
    .workers(WORKERS)
    // The list of files is in memory anyway.
    .discard(Discard::Never)
    .on_discard(move |lost: Discarded<PathBuf, ()>| {
        _ = died.failed(format!("{}: {}", lost.key.display(), lost.reason)).cast();
    })
    .spawn()
    .await?;

    let (mut files, mut failed) = (Vec::new(), Vec::new());
    walk(directory, &mut files, &mut failed);
    for why in failed {
        sum.failed(why).await?;
    }
    for file in files {
        // Waits for room in the factory's mailbox.
        factory.send(Job::new(file, ())).await?;
    }
    // All that was accepted is done; then the pool is gone.
    factory.drain_and_wait(None).await?;

    let mut totals = sum.totals().await?;
    totals.failed.sort();
    writeln!(out, "files: {}, lines: {}", totals.files, totals.lines)?;
    for why in totals.failed {
        writeln!(out, "not counted: {why}")?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");
    let directory = env::args_os().nth(1).map_or_else(|| docs.into(), PathBuf::from);
    run(&directory, &mut io::stdout()).await
}

#[tokio::test]
async fn c27_every_file_is_counted_or_told_of() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::create_dir(at("below")).unwrap();
    for file in 0..100 {
        let place = if file % 2 == 0 { at(&format!("{file}.txt")) } else { at(&format!("below/{file}.txt")) };
        fs::write(place, "a line\n".repeat(file)).unwrap();
    }
    fs::write(at("binary"), [0xff, 0xfe]).unwrap();
    fs::write(at("a.poison"), "").unwrap();
    let mut out = Vec::new();
    run(directory.path(), &mut out).await.unwrap();
    let out = String::from_utf8(out).unwrap().replace(directory.path().to_str().unwrap(), "");
    let expected = "\
files: 100, lines: 4950
not counted: /a.poison: its worker ended with it in hand
not counted: /binary: stream did not contain valid UTF-8
";
    assert_eq!(out, expected);
}

#[tokio::test]
async fn a_directory_that_cannot_be_read_is_told_of() {
    let directory = tempfile::tempdir().unwrap();
    let mut out = Vec::new();
    run(&directory.path().join("nowhere"), &mut out).await.unwrap();
    let out = String::from_utf8(out).unwrap();
    assert!(out.starts_with("files: 0, lines: 0\nnot counted: "), "{out}");
    assert!(out.contains("nowhere: "), "{out}");
}

/// A link may lead round and round, and whoever reads a pipe waits for a writer.
#[cfg(unix)]
#[tokio::test]
async fn what_is_no_file_is_left_out() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::create_dir(at("below")).unwrap();
    fs::write(at("below/a"), "a line\n").unwrap();
    for (name, target) in [("up", ".."), ("up too", ".."), ("nowhere", "nothing")] {
        std::os::unix::fs::symlink(target, at("below").join(name)).unwrap();
    }
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    let mut out = Vec::new();
    run(directory.path(), &mut out).await.unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), "files: 1, lines: 1\n");
}
