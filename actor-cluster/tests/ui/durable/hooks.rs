//! Hooks of a durable actor that are not as they have to be.
#![allow(dead_code, unused_variables)]

use actor_core::actor;

struct DurableId;

struct A;

#[actor(durable)]
impl A {
    #[init]
    fn a(&self) -> Self {
        A
    }

    #[started]
    fn b() {}

    #[checkpoint]
    fn c(&mut self) {}
}

struct B;

#[actor(durable)]
impl B {
    #[init]
    async fn a() -> Self {
        B
    }

    #[checkpoint]
    async fn b(&self) {}
}

struct C;

#[actor(durable)]
impl C {
    #[init]
    fn a() {}

    #[checkpoint]
    fn b(&self) -> u32 {
        0
    }

    #[recovered]
    #[was("b()")]
    fn c(&mut self) {}

    #[started]
    #[cfg(unix)]
    fn d(&mut self) {}
}

struct D;

#[actor(durable)]
impl D {
    #[recovered]
    fn a(&mut self) {}

    #[recovered]
    fn b(&mut self) {}
}

struct E;

#[actor(durable)]
impl E {
    #[started]
    fn a(&mut self, id: &DurableId) {}

    #[recovered]
    fn b(&mut self, id: DurableId) {}

    #[init]
    fn c(id: &DurableId, other: &DurableId) -> Self {
        E
    }

    #[checkpoint]
    fn d(&self, count: u32) {}
}

struct F;

#[actor(durable)]
impl F {
    #[answer]
    async fn a(&mut self, answer: Answer<'_>) {}
}

struct G;

#[actor(durable)]
impl G {
    #[answer]
    fn a() -> Result<GCommand, CodecError> {
        Ok(GCommand::B())
    }
}

fn main() {}
