//! cargo run --example counter
//!
//! The smallest actor: a struct whose methods are its messages.

use std::error::Error;
use std::io::{self, Write};

use actor_core::actor;

#[derive(Default)]
struct Counter {
    n: i64,
}

#[actor]
impl Counter {
    /// A call: whoever awaits it gets the sum.
    fn add(&mut self, by: i64) -> i64 {
        self.n += by;
        self.n
    }

    /// Fire and forget.
    #[cast]
    fn reset(&mut self) {
        self.n = 0;
    }
}

async fn run(out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let counter = Counter::default().spawn().await?;
    writeln!(out, "add 40: {}", counter.add(40).await?)?;
    writeln!(out, "add 2: {}", counter.add(2).await?)?;
    // Needs room now; the next call is handled after it.
    counter.reset().cast()?;
    writeln!(out, "reset, then add 1: {}", counter.add(1).await?)?;
    let exit = counter.stop_and_wait(None, None).await?;
    writeln!(out, "{exit}")?;
    // A message that was not taken comes back.
    let error = counter.add(1).await.expect_err("it has stopped");
    writeln!(out, "add 1: {error}")?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    run(&mut io::stdout()).await
}

#[tokio::test]
async fn it_counts() {
    let mut out = Vec::new();
    run(&mut out).await.unwrap();
    let expected = "\
add 40: 40
add 2: 42
reset, then add 1: 1
stopped
add 1: not sent: the actor is no more: stopped
";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}
