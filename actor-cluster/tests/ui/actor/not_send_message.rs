//! Arguments and replies that cannot leave their thread.
#![allow(dead_code, unused_variables)]

use std::rc::Rc;

use actor_core::{ReplyPort, actor};

struct C;

#[actor]
impl C {
    fn keep(&mut self, what: Rc<u8>) {}
}

struct D;

#[actor]
impl D {
    fn get(&self) -> Rc<u8> {
        Rc::new(1)
    }
}

struct E;

#[actor]
impl E {
    fn answer(&self, port: ReplyPort<Rc<u8>>) {}
}

async fn use_it() -> Result<(), Box<dyn std::error::Error>> {
    let c: CRef = C.spawn().await?;
    c.keep(Rc::new(1)).cast()?;
    c.keep(Rc::new(2)).await?;
    Ok(())
}

fn main() {}
