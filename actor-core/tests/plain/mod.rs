//! Actors that are plain structs: what `#[actor]` makes of each shape of method, and
//! addresses that are known by one message.

mod calls;
mod children;
mod collisions;
mod conditions;
mod context;
mod derived;
mod hooks;
mod local;
mod names;
mod on_error;
mod recipients;
mod shapes;
mod sizes;
mod sorting;

use std::fmt::Debug;

use actor_core::{Call, Capacity, SendError};

/// The smallest mailbox.
fn one() -> Capacity {
    1.try_into().unwrap()
}

/// What came back of a message that was refused.
fn refused<T: Debug, M>(outcome: Result<T, SendError<M>>) -> SendError<M> {
    outcome.expect_err("it should have been refused")
}

/// Only its type is of interest.
fn is_send<T: Send>(value: T) -> T {
    value
}

/// Futures of calls move between threads as the message does.
#[allow(dead_code, reason = "compiling is the test")]
fn a_call_is_send<'a, M: Send>(call: Call<'a, u8, M, u8>) -> Call<'a, u8, M, u8> {
    is_send(call)
}
