//! What a supervisor cannot start again.
#![allow(dead_code, unused_variables)]

use actor_core::{ChildSpec, actor};

struct Counter(u32);

#[actor]
impl Counter {
    fn child(&self) -> u32 {
        self.0
    }
}

struct Desk(u32);

#[actor]
impl Desk {
    #[init]
    fn new(number: u32, name: String) -> Self {
        Self(number)
    }

    fn get(&self) -> u32 {
        self.0
    }
}

struct Broken(u32);

#[actor]
impl Broken {
    #[init]
    fn new(number: &str) -> Self {
        Self(0)
    }
}

fn children() {
    // Its lives begin with arguments, of which `#[init]` makes it.
    let spec = Desk::child("value", || Desk(1));
    // Nothing more is said of one with a mistake in it.
    let spec: ChildSpec<BrokenMessage> = Broken::child("broken", || 1);
}

fn main() {}
