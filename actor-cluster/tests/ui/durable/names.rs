//! Names that two would have, or that what is generated has.
#![allow(dead_code, unused_variables, non_snake_case)]

use actor_core::actor;

struct A;

#[actor(durable)]
impl A {
    fn new(&mut self) {}

    fn durable(&mut self) {}

    fn __(&mut self) {}
}

struct B;

#[actor(durable)]
impl B {
    fn one_two(&mut self) {}

    fn oneTwo(&mut self) {}
}

struct C;

#[actor(durable)]
impl C {
    fn add(&mut self, by: u32) {}

    #[was("add(by: u32)")]
    fn inc(&mut self, by: u32) {}

    #[was("sub(by: u32)")]
    fn dec(&mut self, by: u32, twice: bool) {}
}

fn main() {}
