//! cargo run --example philosophers
//!
//! Five philosophers, five forks, and each needs two to eat. A fork is an actor: it lends
//! itself to one and lets the others wait in line, by keeping the port of their call.
//! Nobody starves, since lines are first come, first served; nobody waits in a ring,
//! since everybody takes the fork with the lower number first.

use std::collections::VecDeque;
use std::error::Error;
use std::io::{self, Write};

use actor_core::{ActorError, Context, ReplyPort, actor};

const SEATS: usize = 5;
const MEALS: u32 = 100;

/// The right to use a fork. Whoever drops it gives the fork back, even in a panic.
struct Held(ForkRef);

impl Drop for Held {
    fn drop(&mut self) {
        // A fork that is gone needs nobody to lay it down.
        _ = self.0.lay_down().cast();
    }
}

#[derive(Default)]
struct Fork {
    is_taken: bool,
    line: VecDeque<ReplyPort<Held>>,
    lent: u32,
}

#[actor]
impl Fork {
    /// Answered when the fork is free and it is the caller's turn.
    fn take(&mut self, ctx: &Context<'_, ForkRef>, port: ReplyPort<Held>) {
        self.line.push_back(port);
        self.lend(&ctx.myself());
    }

    #[cast]
    fn lay_down(&mut self, ctx: &Context<'_, ForkRef>) {
        self.is_taken = false;
        self.lend(&ctx.myself());
    }

    fn lent(&self) -> u32 {
        self.lent
    }
}

impl Fork {
    fn lend(&mut self, myself: &ForkRef) {
        if self.is_taken {
            return;
        }
        if let Some(port) = self.line.pop_front() {
            self.is_taken = true;
            self.lent += 1;
            // If the caller has gone, this drops what it was to hold, which lays it down.
            _ = port.send(Held(myself.clone()));
        }
    }
}

struct Philosopher {
    first: ForkRef,
    second: ForkRef,
}

#[actor]
impl Philosopher {
    async fn dine(&self, meals: u32) -> Result<u32, ActorError> {
        for _ in 0..meals {
            let _first = self.first.take().await?;
            let _second = self.second.take().await?;
            // Eats: others have their turn meanwhile.
            tokio::task::yield_now().await;
        }
        Ok(meals)
    }
}

async fn run(out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let mut forks = Vec::new();
    for _ in 0..SEATS {
        forks.push(Fork::default().spawn().await?);
    }
    let mut dinners = Vec::new();
    for seat in 0..SEATS {
        let (left, right) = (seat, (seat + 1) % SEATS);
        let (first, second) = (forks[left.min(right)].clone(), forks[left.max(right)].clone());
        let philosopher = Philosopher { first, second }.spawn().await?;
        dinners.push(tokio::spawn(async move { philosopher.dine(MEALS).await }));
    }
    for (seat, dinner) in dinners.into_iter().enumerate() {
        let meals = dinner.await??.map_err(|error| error.to_string())?;
        writeln!(out, "philosopher {seat} ate {meals} times")?;
    }
    for (number, fork) in forks.iter().enumerate() {
        writeln!(out, "fork {number} was lent {} times", fork.lent().await?)?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    run(&mut io::stdout()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_eats() {
    let mut out = Vec::new();
    run(&mut out).await.unwrap();
    let ate = (0..SEATS).map(|seat| format!("philosopher {seat} ate {MEALS} times\n"));
    let lent = (0..SEATS).map(|fork| format!("fork {fork} was lent {} times\n", 2 * MEALS));
    assert_eq!(String::from_utf8(out).unwrap(), ate.chain(lent).collect::<String>());
}
