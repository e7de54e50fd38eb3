//! A type with a mistake is still used as if it had none: only the mistake shows.

use actor_cluster::wire::{PendingReplies, PendingReply, WireContext, to_bytes};
use actor_cluster::{RemoteMessage, Wire};

#[derive(Wire)]
struct Value(#[wire(jason)] u8);

#[derive(RemoteMessage)]
enum Message<T> {
    Put(#[wire(jason)] T),
}

fn use_value(value: &Value) {
    to_bytes(value, &WireContext::default()).unwrap();
}

fn use_message(mut message: Message<Value>) -> Option<PendingReply> {
    message.take_reply(&mut PendingReplies::default())
}

fn main() {}
