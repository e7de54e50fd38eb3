//! cargo run --example bank [SEEDS]
//!
//! Money goes from one account to another, each on a node of its own, while the network fails. In the first form of the program a
//! transfer of which nobody knows whether it was carried out is carried out again. The simulator finds that; the second form passes.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{self, Write};
use std::time::Duration;

use actor_cluster::RemoteMessage;
use actor_core::{Actor, ActorError, ActorRef, CallError, CallFailure, ReplyPort, SendError, SpawnOptions};
use actor_testkit::cluster::history::{Event, What};
use actor_testkit::cluster::invariants::{About, Checked, Invariant, Violation};
use actor_testkit::cluster::scenario::{FaultKind, Faults, Scenario, User};
use actor_testkit::cluster::{SimCluster, SimNode};

/// How many accounts there are, and what each has at first.
const ACCOUNTS: usize = 3;
const AT_FIRST: i64 = 100;

#[derive(RemoteMessage)]
enum Ask {
    /// Adds so much for a transfer, or takes it away if it is less than nothing, and says what there is then.
    #[rpc]
    Book(u64, i64, ReplyPort<i64>),
}

struct Account {
    node: SimNode,
}

impl Actor for Account {
    type Msg = Ask;
    type State = i64;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Ask>, (): ()) -> Result<i64, ActorError> {
        Ok(AT_FIRST)
    }

    async fn handle(&self, _: &ActorRef<Ask>, ask: Ask, balance: &mut i64) -> Result<(), ActorError> {
        let Ask::Book(transfer, amount, port) = ask;
        *balance += amount;
        self.node.record(What::Note(format!("transfer {transfer}: booked {amount}")));
        _ = port.send(*balance);
        Ok(())
    }
}

/// What is done about a call of which nobody knows whether it ran.
#[derive(Clone, Copy)]
enum Again {
    /// It is made once more.
    Anew,
    /// It is asked again with the same key, by which the account knows it.
    WithItsKey,
}

/// One transfer between two accounts.
async fn transfer(user: User, again: Again) {
    let from = user.pick(ACCOUNTS);
    let to = (from + 1 + user.pick(ACCOUNTS - 1)) % ACCOUNTS;
    let amount = 1 + user.pick(20) as i64;
    let number = user.next_number();
    book(&user, number, from, -amount, again).await;
    book(&user, number, to, amount, again).await;
}

async fn book(user: &User, number: u64, account: usize, amount: i64, again: Again) {
    let account = loop {
        match user.node().server().find::<Ask>(&format!("account-{account}")) {
            Ok(account) => break account,
            Err(_) => user.sleep(Duration::from_millis(500)).await,
        }
    };
    let key = account.call_key();
    loop {
        let answer = match again {
            Again::Anew => account.call(|port| Ask::Book(number, amount, port)).await,
            Again::WithItsKey => {
                account.call_once(&key, Duration::from_secs(5), |port| Ask::Book(number, amount, port)).await
            }
        };
        match answer {
            Ok(_) => return,
            Err(CallError::Failed(CallFailure::Unknown | CallFailure::TimedOut(_))) => {}
            Err(CallError::Failed(failure)) if failure.never_ran() => {}
            Err(CallError::NotSent(SendError::NotConnected(_))) => {}
            Err(error) => return user.record(What::Note(format!("given up: {}", error.map(drop)))),
        }
        user.sleep(Duration::from_millis(500)).await;
    }
}

/// A transfer takes money once and gives it once, and so makes none and loses none.
#[derive(Default)]
struct BookedOnce {
    bookings: BTreeSet<String>,
}

impl Invariant for BookedOnce {
    fn name(&self) -> &'static str {
        "each transfer is booked once"
    }

    fn observe(&mut self, event: &Event) -> Checked {
        let What::Note(note) = &event.what else { return Ok(0) };
        let Some((transfer, _)) = note.split_once(": booked ") else { return Ok(0) };
        if self.bookings.insert(note.clone()) {
            return Ok(1);
        }
        let shown = About::Note(format!("{transfer}:"));
        Err(Violation::new(format!("{note} twice")).about(shown))
    }
}

/// A bank, under faults that an account outlives.
fn bank(again: Again) -> Scenario {
    Scenario::new("bank", |seed| {
        SimCluster::seeded(seed).nodes(ACCOUNTS).on_start(async |node| {
            let account = Account { node: node.clone() };
            let account = node.system().spawn(account, (), SpawnOptions::new()).await.expect("it starts");
            let name = format!("account-{}", node.index());
            node.server().publish(&name, &account).expect("nobody else has the name");
        })
    })
    .users(1, move |user| transfer(user, again))
    .pause(Duration::from_secs(2))
    .faults(Faults::only([FaultKind::Partition, FaultKind::OneWay, FaultKind::Cut, FaultKind::Freeze]))
    .invariant(BookedOnce::default)
}

fn main() -> Result<(), Box<dyn Error>> {
    let seeds = std::env::args().nth(1).map_or(Ok(100), |seeds| seeds.parse())?;
    let out = &mut io::stdout();
    let anew = bank(Again::Anew);
    match (0..seeds).map(|seed| anew.run_and_shrink(seed)).find(|run| run.failure.is_some()) {
        Some(run) => writeln!(out, "{run}")?,
        None => writeln!(out, "{seeds} seeds have found nothing")?,
    }
    writeln!(out, "mended: {}", bank(Again::WithItsKey).check(0..seeds))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAPTER: &str = include_str!("../docs/book/simulation.md");

    #[test]
    fn the_simulator_finds_what_is_booked_twice() {
        let bank = bank(Again::Anew);
        let found = (0..40).map(|seed| bank.run_and_shrink(seed)).find(|run| run.failure.is_some());
        let run = found.expect("one of forty seeds finds it");
        let printed = run.to_string();
        let (told, _) = printed.split_once(" cargo test").expect("how it is run again");
        assert!(CHAPTER.contains(told), "the chapter shows what it prints, and that is:\n{told}");
        let failure = run.failure.as_ref().unwrap();
        assert_eq!(failure.invariant, "each transfer is booked once", "{run}");
        for left_out in 0..run.schedule.episodes.len() {
            let mut fewer = run.schedule.clone();
            fewer.episodes.remove(left_out);
            let other = bank.run_with(run.seed, &fewer).failure.map(|other| other.invariant);
            assert_ne!(other.as_ref(), Some(&failure.invariant), "each fault that is left is needed: {run}");
        }
        // The seed does it again.
        assert_eq!(bank.run_with(run.seed, &run.schedule).failure.as_ref(), Some(failure));
    }

    #[test]
    fn the_mended_bank_passes() {
        bank(Again::WithItsKey).check(0..10);
    }
}
