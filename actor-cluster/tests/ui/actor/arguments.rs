//! Arguments that cannot be fields of a message.
#![allow(dead_code, unused_variables)]

use actor_core::{Context, ReplyPort, actor};

struct Counter;

#[actor]
impl Counter {
    fn text(&mut self, name: &str) {}

    fn nested(&mut self, names: Vec<Option<&str>>) {}

    fn cow(&mut self, name: std::borrow::Cow<'_, str>) {}

    fn opaque(&mut self, run: impl FnOnce() + Send) {}

    fn slice(&mut self, bytes: [u8]) {}

    fn object(&mut self, error: dyn std::error::Error) {}

    fn pointer(&mut self, at: *const u8) {}

    fn pattern(&mut self, (a, b): (u8, u8)) {}

    fn wild(&mut self, _: u8) {}

    fn by_ref(&mut self, ref name: String) {}

    fn conditional(&mut self, #[cfg(test)] name: String) {}

    fn late(&mut self, name: String, ctx: &Context<'_, CounterRef>) {}

    fn changed(&mut self, ctx: &mut Context<'_, CounterRef>) {}

    fn kept(&mut self, ctx: Context<'_, CounterRef>) {}

    fn kept_unsaid(&mut self, ctx: Context<CounterRef>) {}

    fn kept_late(&mut self, name: String, ctx: Context<'_, CounterRef>) {}

    fn two_ports(&mut self, one: ReplyPort<u8>, two: ReplyPort<u8>) {}

    /// These may be.
    fn fine(&mut self, text: &'static str, run: Box<dyn Fn(&str) + Send>, f: fn(&str) -> &str) {}
}

fn main() {}
