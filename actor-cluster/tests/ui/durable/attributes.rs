//! Attributes that a durable actor's methods do not have, or that are not as they have to be.
#![allow(dead_code, unused_variables)]

use actor_core::actor;

struct A;

#[actor(durable)]
impl A {
    #[started(soon)]
    fn a(&mut self) {}

    #[recovered]
    #[checkpoint]
    fn b(&self) {}

    #[was("add")]
    fn c(&mut self) {}

    #[was(add)]
    fn d(&mut self) {}

    #[was]
    fn e(&mut self) {}
}

struct B;

#[actor(durable)]
impl B {
    #[cast]
    fn a(&mut self) {}

    #[stopping]
    fn b(&mut self) {}

    #[supervision]
    fn c(&mut self) {}

    #[on_error]
    fn d(&mut self) {}

    #[priority(high)]
    fn e(&mut self) {}

    #[expires]
    fn f(&mut self) {}

    #[wire(tag = 1)]
    fn g(&mut self) {}

    #[message(doc = "x")]
    fn h(&mut self) {}
}

struct C;

#[actor(durable)]
impl C {
    #[cfg_attr(test, cfg(unix))]
    fn a(&mut self) {}

    #[cfg_attr(test, was("b()"))]
    fn b(&mut self) {}

    #[cfg_attr(test, started)]
    fn c(&mut self) {}
}

fn main() {}
