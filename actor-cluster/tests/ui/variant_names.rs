//! Variants that the wire cannot tell apart.

use actor_cluster::{RemoteMessage, Wire};

#[derive(RemoteMessage)]
enum Message {
    First,
    #[wire(name = "First")]
    Second,
}

#[derive(Wire)]
enum Value {
    #[wire(name = "Second")]
    First,
    Second,
}

fn main() {}
