//! Fields and attributes that a plain value cannot have.

use actor_cluster::Wire;
use actor_core::ReplyPort;

#[derive(Wire)]
struct Port {
    reply: ReplyPort<u8>,
}

#[derive(Wire)]
enum Call {
    #[rpc]
    Get(u8),
}

#[derive(Wire)]
struct Borrows(&'static str, [(u8, &'static [u8]); 2]);

#[derive(Wire)]
struct Lifetime<'a>(std::marker::PhantomData<&'a ()>);

#[derive(Wire)]
union Bits {
    value: u8,
}

#[derive(Wire)]
struct Codecs {
    #[wire(serde, prost)]
    both: u8,
    #[wire(json)]
    unknown: u8,
    #[wire(with = "not a path")]
    unreadable: u8,
    #[wire]
    empty: u8,
}

fn main() {}
