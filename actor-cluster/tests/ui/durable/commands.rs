//! Methods that no command can be of.
#![allow(dead_code, unused_variables)]

use actor_core::{ReplyPort, actor};

struct Turn<'a, A>(&'a A);
struct Context;
type Result<T> = std::result::Result<T, String>;

struct A<T>(T);

#[actor(durable)]
impl<T> A<T> {}

struct B;

#[actor(durable)]
impl B {
    const fn a(&self) {}

    unsafe fn b(&mut self) {}

    extern "C" fn c(&mut self) {}

    fn d<T>(&mut self, x: T) {}

    fn e(&mut self)
    where
        u32: Copy,
    {
    }

    fn f() {}

    fn g(self) {}

    fn h<'a>(&'a mut self) {}
}

struct C;

#[actor(durable)]
impl C {
    fn a(&mut self, (x, y): (u32, u32)) {}

    fn b(&mut self, x @ _: u32) {}

    fn c(&mut self, #[serde(default)] x: u32) {}

    fn d(&mut self, x: &str) {}

    fn e(&mut self, x: impl Into<u32>) {}

    fn f(&mut self) -> &str {
        ""
    }

    fn g(&mut self) -> Result<u32> {
        Ok(1)
    }

    #[rustfmt::skip]
    fn h(
        &mut self,
        a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8, i: u8, j: u8, k: u8, l: u8, m: u8, n: u8, o: u8, p: u8, q: u8,
    ) {
    }
}

struct D;

#[actor(durable)]
impl D {
    fn a(&mut self, x: u32, turn: &mut Turn<'_, DDurable>) {}

    fn b(&mut self, turn: &Turn<'_, DDurable>) {}

    fn c(&mut self, context: &Context) {}

    fn d(&mut self, port: ReplyPort<u32>) {}
}

struct DDurable;

fn main() {}
