//! Short forms of cast and call, in the shape that ractor's users know.

/// Casts a message: `cast!(actor, Message::Add(1))`.
///
/// Evaluates to what [`ActorRef::cast`](crate::ActorRef::cast) returns.
#[macro_export]
macro_rules! cast {
    ($actor:expr, $message:expr $(,)?) => {
        $actor.cast($message)
    };
}

/// Calls and waits: `call!(actor, Message::Get)`, `call!(actor, Message::AddAndGet, 1)`.
/// The variant's reply port comes after its other arguments.
///
/// Evaluates to what [`ActorRef::call`](crate::ActorRef::call) returns; must stand
/// in an async function.
#[macro_export]
macro_rules! call {
    ($actor:expr, $variant:path $(, $argument:expr)* $(,)?) => {
        $actor.call(|port| $variant($($argument,)* port)).await
    };
}

/// Calls and waits for so many milliseconds: `call_t!(actor, Message::Get, 100)`. Without a
/// number, as long as the system's [default](crate::ActorSystem::call_timeout):
/// `call_t!(actor, Message::Get)`.
///
/// Evaluates to what [`ActorRef::call_timeout`](crate::ActorRef::call_timeout)
/// returns; must stand in an async function.
#[macro_export]
macro_rules! call_t {
    ($actor:expr, $variant:path $(,)?) => {
        $actor.call_default_timeout($variant).await
    };
    ($actor:expr, $variant:path, $milliseconds:expr $(, $argument:expr)* $(,)?) => {
        $actor
            .call_timeout(::std::time::Duration::from_millis($milliseconds), |port| {
                $variant($($argument,)* port)
            })
            .await
    };
}
