//! `#[rpc]` and `#[wire(...)]` where they do not belong, or twice, or misspelt.

use actor_cluster::RemoteMessage;
use actor_core::ReplyPort;

#[derive(RemoteMessage)]
#[rpc]
#[wire(nam = "typo")]
enum OnTheType {
    #[rpc(timeout = 5)]
    Arguments(ReplyPort<u8>),
    #[rpc]
    #[rpc]
    Twice(ReplyPort<u8>),
    #[wire(serde)]
    OnAVariant(u8),
    #[rpc]
    OnAField(#[rpc] ReplyPort<u8>),
}

#[derive(RemoteMessage)]
#[wire(name = "one")]
#[wire(name = "two")]
enum Names {
    #[wire(name = "")]
    Empty,
    #[wire(name = 5)]
    Number,
    #[wire(name)]
    Nothing,
}

#[derive(RemoteMessage)]
#[wire(urgent, bulk)]
enum Both {
    Ways(u8),
}

fn main() {}
