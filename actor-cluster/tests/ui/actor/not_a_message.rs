//! A recipient takes what its actor takes.
#![allow(dead_code, unused_variables)]

use actor_core::{Recipient, actor};

struct Counter;

#[actor]
impl Counter {
    fn get(&self) -> u8 {
        7
    }
}

struct Other;

#[actor]
impl Other {
    #[cast]
    fn put(&mut self, value: u8) {}
}

fn wrong(counter: &CounterRef) -> Recipient<OtherPut> {
    counter.recipient()
}

fn main() {}
