//! Attributes that would go nowhere.
#![allow(dead_code, unused_variables)]

use actor_core::{Context, ReplyPort, SupervisionEvent, actor};

struct Counter;

#[actor]
impl Counter {
    #[init]
    #[message(allow(unused))]
    #[wire(name = "new")]
    fn new(
        #[wire(serde)] start: u8,
        #[nonsense] step: u8,
        /// How far it counts.
        end: u8,
    ) -> Self {
        Counter
    }

    #[started]
    #[wire(name = "start")]
    fn start(&mut self, #[wire(serde)] ctx: &Context<'_, CounterRef>) {}

    #[message(deny(unused))]
    #[stopping]
    fn stop(&mut self) {}

    #[supervision]
    fn event(&mut self, #[nonsense] event: SupervisionEvent) {}

    fn later(&mut self, #[nonsense] ctx: &Context<'_, CounterRef>, #[wire(serde)] port: ReplyPort<u8>) {}

    #[message(= 1)]
    fn odd(&mut self) {}

    #[cfg_attr(all(), cast)]
    fn reset(&mut self) {}

    #[cfg_attr(any(unix, windows), inline, cfg(unix))]
    fn there(&mut self) {}

    /// This may be.
    #[cfg_attr(all(), inline, doc = "As may this.")]
    fn fine(&mut self) {}
}

fn main() {}
