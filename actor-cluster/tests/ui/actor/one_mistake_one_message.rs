//! A mistake in one method is one message: what uses the actor does not complain too.
#![allow(dead_code, unused_variables)]

use std::time::Duration;

use actor_core::{ReplyPort, actor};

struct Counter(i64);

#[actor]
impl Counter {
    #[init]
    fn new(self, start: i64) -> Self {
        Counter(start)
    }

    fn inc(&mut self, by: &i64) -> i64 {
        self.0 += by;
        self.0
    }

    fn get(&self) -> i64 {
        self.0
    }
}

async fn use_it() -> Result<(), Box<dyn std::error::Error>> {
    let counter: CounterRef = Counter::spawn(3).name("counter").await?;
    let sum: i64 = counter.inc(3).await? + counter.get().await?;
    counter.inc(1).timeout(Duration::from_secs(1)).await?;
    counter.inc(1).cast()?;
    counter.inc(1).send().await?;
    counter.inc(sum).forward_to(ReplyPort::nobody()).ok();
    Ok(())
}

fn main() {
    drop(use_it());
}
