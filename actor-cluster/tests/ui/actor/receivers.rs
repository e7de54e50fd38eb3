//! Methods that take the actor in a way that a message cannot.
#![allow(dead_code, unused_variables)]

use actor_core::actor;

struct Counter(u8);

#[actor]
impl Counter {
    fn new() -> Self {
        Counter(0)
    }

    fn finish(self) -> u8 {
        self.0
    }

    fn boxed(self: Box<Self>) {}

    fn lent<'a>(&'a self) {}

    fn get(&self) -> u8 {
        self.0
    }
}

fn main() {
    let _ = Counter::new();
}
