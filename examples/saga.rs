//! cargo run --example saga
//!
//! A journey is booked step by step. If a step fails, those before it are undone, the
//! last first. A step that cannot be undone is told of, and the others are undone all
//! the same.
//!
//! ```text
//!  book:   flight ─► hotel ─► car ✗
//!  undo:   flight ◄─ hotel ◄──┘
//! ```

use std::error::Error;
use std::io::{self, Write};

use actor_core::actor;

/// Somebody who sells one thing.
struct Desk {
    what: &'static str,
    free: u32,
}

#[actor]
impl Desk {
    fn book(&mut self) -> Result<String, String> {
        self.free = self.free.checked_sub(1).ok_or(format!("no {} is free", self.what))?;
        Ok(format!("{} booked", self.what))
    }

    fn cancel(&mut self) -> String {
        self.free += 1;
        format!("{} cancelled", self.what)
    }

    fn free(&self) -> u32 {
        self.free
    }
}

/// Books one journey at a time: what it does between two steps nobody else can disturb.
struct Agency {
    desks: Vec<DeskRef>,
}

#[actor]
impl Agency {
    /// What was done, step by step; or the same and why it came to nothing.
    async fn journey(&self) -> Result<Vec<String>, Vec<String>> {
        let mut done = Vec::new();
        for (step, desk) in self.desks.iter().enumerate() {
            // Refused, or nobody there: no difference to the traveller.
            match desk.book().await.unwrap_or_else(|error| Err(error.to_string())) {
                Ok(booked) => done.push(booked),
                Err(why) => {
                    done.push(why);
                    self.undo(step, &mut done).await;
                    return Err(done);
                }
            }
        }
        Ok(done)
    }
}

impl Agency {
    async fn undo(&self, steps: usize, done: &mut Vec<String>) {
        for desk in self.desks[..steps].iter().rev() {
            done.push(desk.cancel().await.unwrap_or_else(|error| format!("not undone: {error}")));
        }
    }
}

async fn run(out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let mut desks = Vec::new();
    for (what, free) in [("flight", 3), ("hotel", 2), ("car", 1)] {
        desks.push(Desk { what, free }.spawn().await?);
    }
    let agency = Agency { desks: desks.clone() }.spawn().await?;
    for traveller in ["Ada", "Bob"] {
        let (outcome, steps) = match agency.journey().await? {
            Ok(steps) => ("travels", steps),
            Err(steps) => ("stays at home", steps),
        };
        writeln!(out, "{traveller} {outcome}: {}", steps.join(", "))?;
    }
    for desk in &desks {
        writeln!(out, "{} left", desk.free().await?)?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    run(&mut io::stdout()).await
}

#[tokio::test]
async fn c27_what_was_done_is_undone_in_reverse() {
    let mut out = Vec::new();
    run(&mut out).await.unwrap();
    let expected = "\
Ada travels: flight booked, hotel booked, car booked
Bob stays at home: flight booked, hotel booked, no car is free, hotel cancelled, flight cancelled
2 left
1 left
0 left
";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}
