//! Names that are taken.
#![allow(dead_code, unused_variables)]

use actor_core::actor;

struct Counter;

#[actor]
impl Counter {
    fn message(&self) {}

    fn r#ref(&self) {}

    fn spawn(&self) {}

    fn actor(&self) {}

    fn get_it(&self) {}

    fn get__it(&self) {}

    fn _0(&self) {}
}

fn main() {}
