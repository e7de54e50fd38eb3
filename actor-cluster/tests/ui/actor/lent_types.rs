//! The context of another actor, or an event that is lent: known by their names, so that
//! only the compiler sees it.
#![allow(dead_code, unused_variables)]

use actor_core::{Context, SupervisionEvent, actor};

struct C;

#[actor]
impl C {
    fn other(&mut self, ctx: &Context<'_, DRef>) {}

    async fn wakes(&mut self, ctx: &std::task::Context<'_>) {}

    #[supervision]
    fn event(&mut self, event: String) {}
}

struct D;

#[actor]
impl D {
    #[init]
    fn open(ctx: &Context<'_, CRef>) -> Self {
        D
    }

    #[started]
    fn start(&mut self, ctx: &Context<'_, CRef>) {}

    #[supervision]
    fn event(&mut self, event: &SupervisionEvent) {}
}

fn main() {}
