//! Actors as plain structs: the place of `#[actor]`, which turns the methods of an
//! inherent `impl` into messages.
//!
//! It exports no macro in this version. The crate exists so that the order of the
//! crates is settled: `actor-core` may depend on it, and it depends on nothing of
//! ours. Write actors with the `Actor` trait of `actor-core` meanwhile.
