//! `#[actor]` on everything that it cannot stand on.
#![allow(dead_code, unused_variables)]

use actor_core::actor;

#[actor]
struct Counter;

#[actor]
fn count() {}

#[actor]
trait Count {}

#[actor]
impl Clone for Counter {
    fn clone(&self) -> Self {
        Counter
    }
}

#[actor]
impl [u8; 4] {}

fn main() {
    // Neither of these is a second mistake.
    count();
    let _ = Counter.clone();
}
