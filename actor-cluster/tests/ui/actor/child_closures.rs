//! Closures that cannot begin one life after another.
#![allow(dead_code, unused_variables)]

use std::cell::Cell;

use actor_core::actor;

struct Desk(u32, String);

#[actor]
impl Desk {
    fn get(&self) -> u32 {
        self.0
    }
}

fn once() {
    let name = "name".to_owned();
    let spec = Desk::child("once", move || Desk(1, name));
}

fn unshared() {
    let next = Cell::new(0);
    let spec = Desk::child("unshared", move || Desk(next.replace(1), String::new()));
}

fn main() {}
