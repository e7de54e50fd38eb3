//! Fields that cannot be left out.

use actor_cluster::{RemoteMessage, Wire};
use actor_core::ReplyPort;

#[derive(Wire)]
struct InTheMiddle {
    #[wire(default)]
    first: u8,
    second: u8,
    #[wire(default)]
    third: u8,
}

#[derive(RemoteMessage)]
enum Message {
    Put(#[wire(default)] u8, u16),
    #[rpc]
    Port {
        #[wire(default)]
        reply: ReplyPort<u8>,
    },
    #[rpc]
    Fine(#[wire(default)] u8, ReplyPort<u8>),
}

#[derive(Wire)]
struct Twice(#[wire(default, default = 1)] u8);

#[derive(Wire)]
struct Broken(#[wire(default = )] u8);

#[derive(Wire)]
#[wire(default)]
struct OnTheType(u8);

fn main() {}
