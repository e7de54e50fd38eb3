//! Defaults that are none of their types'.

use actor_cluster::Wire;

#[derive(Wire)]
struct Leaf(u8);

#[derive(Wire)]
struct NoDefault(#[wire(default)] Leaf);

#[derive(Wire)]
struct OfAnotherType(#[wire(default = "seven")] u8);

fn main() {}
