//! Functions of kinds that no message can be.
#![allow(dead_code, unused_variables)]

use actor_core::actor;

struct Counter;

#[actor]
impl Counter {
    const fn constant(&self) {}

    unsafe fn unchecked(&self) {}

    extern "C" fn foreign(&self) {}

    fn generic<T: Send>(&self, value: T) {}

    fn bounded(&self)
    where
        Self: Sized,
    {
    }
}

struct Borrowing<'a>(&'a str);

#[actor]
impl<'a> Borrowing<'a> {}

fn main() {}
