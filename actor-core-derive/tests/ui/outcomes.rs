//! Hooks and messages whose types are wrong in ways that only the compiler sees.

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

struct Pinned(std::rc::Rc<u8>);

#[actor]
impl Pinned {
    fn get(&self) -> u8 {
        *self.0
    }
}

fn main() {}
