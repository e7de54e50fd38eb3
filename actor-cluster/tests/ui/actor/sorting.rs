//! Priorities and ends that cannot be.
#![allow(dead_code, unused_variables)]

use actor_core::{Context, Instant, Priority, ReplyPort, actor};

struct Methods;

#[actor]
impl Methods {
    #[priority]
    fn unsaid(&self) {}

    #[priority(urgent)]
    fn unknown(&self) {}

    #[priority(high, low)]
    fn both(&self) {}

    #[priority = "high"]
    fn equals(&self) {}

    #[priority(high)]
    #[priority(low)]
    fn twice(&self) {}

    #[priority(high)]
    fn two_ways(&self, #[priority] urgency: Priority) {}

    #[expires(after = "5s")]
    fn after(&self) {}

    #[expires]
    #[cast]
    fn without_a_caller(&self) {}

    #[expires]
    fn once_is_enough(&self, #[expires] until: Instant) {}
}

struct Arguments;

#[actor]
impl Arguments {
    fn said(&self, #[priority(high)] urgency: Priority) {}

    fn two(&self, #[priority] urgency: Priority, #[priority] haste: Priority) {}

    fn ends(&self, #[expires(now)] until: Instant) {}

    fn two_ends(&self, #[expires] until: Instant, #[expires] or: Instant) {}

    fn context(&self, #[priority] ctx: &Context<'_, ArgumentsRef>, #[expires] port: ReplyPort<u8>) {}
}

struct Types;

#[actor]
impl Types {
    #[cast]
    fn not_a_priority(&self, #[priority] urgency: u8) {}

    #[cast]
    fn not_a_moment(&self, name: String, #[expires] until: std::time::Duration) {}
}

struct Hooks;

#[actor]
impl Hooks {
    #[priority(high)]
    #[init]
    fn new(#[priority] urgency: Priority) -> Self {
        Self
    }

    #[expires]
    #[started]
    fn start(&mut self) {}

    #[cfg_attr(all(), priority(high))]
    fn conditional(&self) {}
}

struct Unsorted;

#[actor(ageing = 4)]
impl Unsorted {
    #[expires]
    fn quote(&self) {}
}

struct Zero;

#[actor(ageing = 0)]
impl Zero {
    #[priority(high)]
    fn first(&self) {}
}

struct Unsaid;

#[actor(ageing)]
impl Unsaid {
    #[priority(high)]
    fn first(&self) {}
}

struct Word;

#[actor(ageing = "4")]
impl Word {
    #[priority(high)]
    fn first(&self) {}
}

struct Twice;

#[actor(ageing = 4, ageing = 5)]
impl Twice {
    #[priority(high)]
    fn first(&self) {}
}

fn main() {}
