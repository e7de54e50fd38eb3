//! Hooks that are there twice, or take and give the wrong things.
#![allow(dead_code, unused_variables)]

use actor_core::{SupervisionEvent, actor};

struct Twice;

#[actor]
impl Twice {
    #[init]
    fn new() -> Self {
        Twice
    }

    #[init]
    fn other() -> Self {
        Twice
    }

    #[started]
    fn start(&mut self) {}

    #[started]
    fn start_again(&mut self) {}

    #[stopping]
    fn stop(&mut self) {}

    #[stopping]
    fn stop_again(&mut self) {}

    #[supervision]
    fn event(&mut self, event: SupervisionEvent) {}

    #[supervision]
    fn event_again(&mut self, event: SupervisionEvent) {}
}

struct Wrong;

#[actor]
impl Wrong {
    #[init]
    fn new(&self) -> Self {
        Wrong
    }

    #[started]
    fn start() {}

    #[stopping]
    fn stop(&mut self, reason: String) {}

    #[supervision]
    fn event(&mut self) {}

    #[cast]
    #[started]
    fn both(&mut self) {}

    #[cast(now)]
    fn argued(&mut self) {}
}

struct Silent;

#[actor]
impl Silent {
    #[init]
    fn new() {}
}

struct Many;

#[actor]
impl Many {
    #[supervision]
    fn event(&mut self, event: SupervisionEvent, more: u8) {}
}

fn main() {}
