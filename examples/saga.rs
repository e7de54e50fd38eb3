//! cargo run --example saga
//!
//! A journey is booked step by step. If a step fails, those before it are undone, the
//! last first. A step of which nobody knows whether it was done is undone too. One that
//! cannot be undone is told of, and the others are undone all the same.
//!
//! ```text
//!  book:   flight ─► hotel ─► car ✗
//!  undo:   flight ◄─ hotel ◄──┘
//! ```

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{self, Write};

use actor_core::actor;

/// Somebody who sells one thing.
struct Desk {
    what: &'static str,
    free: u32,
    booked: BTreeSet<String>,
    /// Whether it dies after a booking, before it says so.
    is_weak: bool,
}

#[actor]
impl Desk {
    fn book(&mut self, traveller: String) -> Result<String, String> {
        self.free = self.free.checked_sub(1).ok_or(format!("no {} is free", self.what))?;
        self.booked.insert(traveller);
        assert!(!self.is_weak, "as it was made");
        Ok(format!("{} booked", self.what))
    }

    /// To be asked by whoever does not know if there is a booking.
    fn cancel(&mut self, traveller: String) -> String {
        if !self.booked.remove(&traveller) {
            return format!("no {} was booked", self.what);
        }
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
    async fn journey(&self, traveller: String) -> Result<Vec<String>, Vec<String>> {
        let mut done = Vec::new();
        for (step, desk) in self.desks.iter().enumerate() {
            let (why, steps) = match desk.book(traveller.clone()).await {
                Ok(Ok(booked)) => {
                    done.push(booked);
                    continue;
                }
                Ok(Err(why)) => (why, step),
                Err(error) if error.never_ran() => (error.to_string(), step),
                // It may have been booked all the same.
                Err(error) => (error.to_string(), step + 1),
            };
            done.push(why);
            self.undo(&traveller, steps, &mut done).await;
            return Err(done);
        }
        Ok(done)
    }
}

impl Agency {
    async fn undo(&self, traveller: &str, steps: usize, done: &mut Vec<String>) {
        for desk in self.desks[..steps].iter().rev() {
            let undone = desk.cancel(traveller.to_owned()).await;
            done.push(undone.unwrap_or_else(|error| format!("not undone: {error}")));
        }
    }
}

async fn run(out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let mut desks = Vec::new();
    for (what, free) in [("flight", 3), ("hotel", 2), ("car", 1)] {
        desks.push(Desk { what, free, booked: BTreeSet::new(), is_weak: false }.spawn().await?);
    }
    let agency = Agency { desks: desks.clone() }.spawn().await?;
    for traveller in ["Ada", "Bob"] {
        let (outcome, steps) = match agency.journey(traveller.to_owned()).await? {
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

#[tokio::test]
async fn c27_what_may_have_been_done_is_undone_and_what_cannot_be_is_told() {
    let mut desks = Vec::new();
    for (what, is_weak) in [("flight", false), ("hotel", true), ("car", false)] {
        desks.push(Desk { what, free: 1, booked: BTreeSet::new(), is_weak }.spawn().await.unwrap());
    }
    let agency = Agency { desks: desks.clone() }.spawn().await.unwrap();
    let steps = agency.journey("Eve".to_owned()).await.unwrap().unwrap_err();
    let [booked, why, not_undone, cancelled] = &steps[..] else { panic!("{steps:?}") };
    assert_eq!([&**booked, &**cancelled], ["flight booked", "flight cancelled"]);
    assert!(!why.is_empty() && not_undone.starts_with("not undone: "), "{steps:?}");
    assert_eq!(desks[0].free().await.unwrap(), 1);
    assert_eq!(desks[0].cancel("Eve".to_owned()).await.unwrap(), "no flight was booked");
}
