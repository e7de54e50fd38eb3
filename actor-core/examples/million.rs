//! A million actors in a ring: spawns them, sends one message through them all, stops
//! them, and says what each of that took.
//!
//! ```text
//!  main ── pass ──► Link ── pass ──► Link ── … ──► the last Link
//!    ▲                                                  │
//!    └──────── the answer, through the call's port ◄────┘
//! ```
//!
//! `cargo run --release --example million [how many]`

#![allow(clippy::print_stdout, reason = "a program that reports to people")]

use std::time::{Duration, Instant};
use std::{env, fs};

use actor_core::{ReplyPort, actor};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// One of many; it knows the next.
struct Link {
    next: Option<LinkRef>,
}

#[actor]
impl Link {
    /// Counts this actor and passes the call on; the last one answers it.
    fn pass(&self, before: usize, port: ReplyPort<usize>) {
        let count = before + 1;
        match &self.next {
            Some(next) => _ = next.pass(count).forward_to(port),
            None => _ = port.send(count),
        }
    }
}

/// Spawns them from the last to the first, which comes out first.
async fn spawn(count: usize) -> Result<Vec<LinkRef>> {
    let mut ring: Vec<LinkRef> = Vec::with_capacity(count);
    for _ in 0..count {
        let next = ring.last().cloned();
        ring.push(Link { next }.spawn().await?);
    }
    ring.reverse();
    Ok(ring)
}

/// Sends a message through all of them; gives how many it met.
async fn pass_round(ring: &[LinkRef]) -> Result<usize> {
    let Some(first) = ring.first() else { return Ok(0) };
    Ok(first.pass(0).await?)
}

/// Asks them all to stop, then waits for each: a wait for one after another would be a
/// million trips from thread to thread.
async fn stop(ring: Vec<LinkRef>) -> Result<()> {
    for link in &ring {
        link.stop(None);
    }
    for link in ring {
        link.wait(None).await?;
    }
    Ok(())
}

/// What of this process lies in memory, where the system says so: on Linux.
fn resident_bytes() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()? * 1024)
}

fn report(what: &str, took: Duration, count: usize) {
    let each = took.as_nanos() / count.max(1) as u128;
    println!("{what:<8}{:>9.3} s{each:>8} ns each", took.as_secs_f64());
}

#[tokio::main]
async fn main() -> Result<()> {
    let count = env::args().nth(1).map_or(Ok(1_000_000), |argument| argument.parse())?;
    println!("{count} actors");

    let (began, before) = (Instant::now(), resident_bytes());
    let ring = spawn(count).await?;
    report("spawn", began.elapsed(), count);
    match before.zip(resident_bytes()) {
        Some((before, after)) => {
            let bytes = after.saturating_sub(before);
            println!("memory  {:>7} MB{:>8} bytes each", bytes / 1_000_000, bytes / count.max(1));
        }
        None => println!("memory   unknown: this system does not say in /proc what is resident"),
    }

    let began = Instant::now();
    assert_eq!(pass_round(&ring).await?, count);
    report("ring", began.elapsed(), count);

    let began = Instant::now();
    stop(ring).await?;
    report("stop", began.elapsed(), count);
    Ok(())
}

#[cfg(test)]
mod tests {
    use actor_core::Status;

    use super::*;

    #[tokio::test]
    async fn a_ring_of_ten_thousand() -> Result<()> {
        let ring = spawn(10_000).await?;
        assert_eq!(pass_round(&ring).await?, 10_000);
        let last = ring[9_999].clone();
        assert_eq!(last.pass(0).await?, 1);
        stop(ring).await?;
        assert_eq!(last.status(), Status::Stopped);
        assert_eq!(pass_round(&[]).await?, 0);
        Ok(())
    }
}
