//! Calls without a port, casts with one, and ports that cannot be.

use actor_cluster::RemoteMessage;
use actor_core::ReplyPort;

#[derive(RemoteMessage)]
enum Ports {
    #[rpc]
    Missing { key: u8 },
    #[rpc]
    MissingToo,
    Unmarked(u8, ReplyPort<u8>),
    #[rpc]
    Two(ReplyPort<u8>, actor_core::ReplyPort<u8>),
    #[rpc]
    Encoded(#[wire(serde)] ReplyPort<u8>),
}

fn main() {}
