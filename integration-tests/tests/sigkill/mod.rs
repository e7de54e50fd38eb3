//! Processes with durable actors that are killed at random instants, under load; and several of them on one store.

mod crowd;
mod kept;
mod shop;
mod tally;

use std::hash::{BuildHasher, RandomState};

use crate::lives::Random;

/// Of a run that no other is like; it is printed.
fn random(name: &str) -> Random {
    let told = std::env::var("ACTOR_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = told.unwrap_or_else(|| RandomState::new().hash_one(name));
    say(&format!("{name}: ACTOR_TEST_SEED={seed}"));
    Random(seed)
}

#[expect(clippy::print_stdout, reason = "the seed of a run that failed, and what the long form was run for")]
fn say(text: &str) {
    println!("{text}");
}
