//! cargo run --example pipeline
//!
//! Lines go through three stages: split, count, report. Each stage's mailbox has four
//! places, so a slow stage slows the ones before it down to its own pace, and memory
//! stays what it is however long the input.
//!
//! ```text
//!  source ── line ──► Splitter ── word ──► Counter ── table ──► whoever asks
//!            4 places            4 places
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Write};
use std::num::NonZeroUsize;

use actor_core::{ActorError, Capacity, actor};

const ROOM: NonZeroUsize = NonZeroUsize::new(4).unwrap();

struct Splitter {
    counter: CounterRef,
}

#[actor]
impl Splitter {
    /// Waits for room in the next stage, and has its own mailbox fill up meanwhile.
    #[cast]
    async fn line(&self, line: String) -> Result<(), ActorError> {
        for word in line.split_whitespace() {
            self.counter.word(word.to_lowercase()).await?;
        }
        Ok(())
    }
}

#[derive(Default)]
struct Counter {
    words: BTreeMap<String, u32>,
}

#[actor]
impl Counter {
    #[cast]
    async fn word(&mut self, word: String) {
        // A slow stage: it lets everybody else run for each of its messages.
        tokio::task::yield_now().await;
        *self.words.entry(word).or_default() += 1;
    }

    fn table(&self) -> BTreeMap<String, u32> {
        self.words.clone()
    }
}

async fn run(out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let counter = Counter::default().spawn().mailbox(Capacity::Bounded(ROOM)).await?;
    let splitter = Splitter { counter: counter.clone() }.spawn().mailbox(Capacity::Bounded(ROOM)).await?;

    let mut deepest = 0;
    for n in 0..1_000 {
        let line = if n % 10 == 0 { "The tenth line" } else { "the line" };
        // Waits for room, too: the source is slowed down with the rest.
        splitter.line(line.to_owned()).await?;
        for stage in [splitter.mailbox_stats(), counter.mailbox_stats()] {
            deepest = deepest.max(stage.map_or(0, |stats| stats.depth));
        }
    }
    // Each stage finishes what it has accepted, the first first.
    splitter.drain_and_wait(None).await?;
    for (word, times) in counter.table().await? {
        writeln!(out, "{word}: {times}")?;
    }
    let within = if deepest <= ROOM.get() as u64 { "never" } else { "at some time" };
    writeln!(out, "more than {ROOM} messages waited at a stage: {within}")?;
    counter.stop_and_wait(None, None).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    run(&mut io::stdout()).await
}

#[tokio::test]
async fn c27_every_word_is_counted_and_no_stage_overflows() {
    let mut out = Vec::new();
    run(&mut out).await.unwrap();
    let expected = "\
line: 1000
tenth: 100
the: 1000
more than 4 messages waited at a stage: never
";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}
