//! Hooks and messages whose types are wrong in ways that only the compiler sees.
#![allow(dead_code, unused_variables)]

use actor_core::actor;

struct Counter;

struct Odd;

#[actor]
impl Counter {
    #[init]
    fn new() -> Odd {
        Odd
    }

    #[started]
    fn start(&mut self) -> u8 {
        1
    }

    #[stopping]
    fn stop(&mut self) -> Result<(), Odd> {
        Ok(())
    }
}

fn main() {}
