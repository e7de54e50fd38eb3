//! Replies that cannot be sent to a caller.
#![allow(dead_code, unused_variables)]

use actor_core::{ReplyPort, actor};

struct Counter {
    names: Vec<String>,
}

#[actor]
impl Counter {
    fn text(&self) -> &str {
        &self.names[0]
    }

    fn all(&self) -> Vec<&str> {
        Vec::new()
    }

    fn bare(&self) -> str {
        *self.names[0]
    }

    fn object(&self) -> dyn std::fmt::Debug {
        1
    }

    fn opaque(&self) -> impl std::fmt::Debug {
        1
    }

    fn both(&self, port: ReplyPort<u8>) -> u8 {
        1
    }

    fn lent(&self, port: ReplyPort<&str>) {}

    #[cast]
    fn answered(&self) -> u8 {
        1
    }

    #[cast]
    fn computed(&self) -> Result<u8, String> {
        Ok(1)
    }

    #[cast]
    fn port(&self, port: ReplyPort<u8>) {}
}

fn main() {}
