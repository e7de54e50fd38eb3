//! cargo run --example durable_counter
//!
//! A counter that survives its process: what it has answered is in a file, and the next run goes on from there.

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use actor_core::{ActorSystem, actor};
use actor_durable::{DurableSystem, RedbStore};
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Counter {
    n: i64,
}

#[actor(durable)]
impl Counter {
    fn add(&mut self, by: i64) -> i64 {
        self.n += by;
        self.n
    }
}

async fn run(file: &Path) -> Result<i64, Box<dyn Error>> {
    let builder = DurableSystem::builder(&ActorSystem::current(), Arc::new(RedbStore::open(file).await?));
    let system = builder.register(Counter::durable()).start().await?;
    let n = CounterRef::new(&system, "c1")?.add(1).await?;
    system.shutdown(std::time::Duration::from_secs(5)).await?;
    Ok(n)
}

// Of the program, this is what says where the file is.
#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let n = run(&std::env::temp_dir().join("durable_counter.redb")).await?;
    Ok(writeln!(io::stdout(), "it was run {n} times")?)
}

#[test]
fn it_counts_on_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("counter.redb");
    for n in 1..=3 {
        // With a runtime all of a run is gone, as with a process.
        let runtime = tokio::runtime::Runtime::new().unwrap();
        assert_eq!(runtime.block_on(run(&file)).unwrap(), n);
    }
}

/// From the first import to the end of `run`, counted as a reader would who copies it: without empty lines.
#[test]
fn a_durable_counter_takes_25_lines() {
    let (_, program) = include_str!("durable_counter.rs").split_once("\nuse ").unwrap();
    let (program, _) = program.split_once("\n// Of the program").unwrap();
    let lines = program.lines().filter(|line| !line.trim().is_empty()).count();
    assert!((1..=25).contains(&lines), "{lines} lines");
}
