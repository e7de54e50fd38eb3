//! An argument that borrows, though no lifetime is seen.
#![allow(dead_code, unused_variables)]

use std::borrow::Cow;

use actor_core::actor;

struct C;

#[actor]
impl C {
    fn name(&mut self, name: Cow<str>) {}
}

fn main() {}
