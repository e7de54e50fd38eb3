//! Outlets: where actors send what is to happen outside.

use actor_core::ActorError;
use async_trait::async_trait;

use crate::id::DurableId;
use crate::store::Outgoing;

/// Where actors send what is to happen outside: mail, say, or a payment. See [`Turn::effect`](crate::Turn::effect).
#[async_trait]
pub trait Outlet: Send + Sync + 'static {
    /// Does what a message asks for. It is called until it succeeds, and so may be called more than once for a message: the message's
    /// id tells that it is the same.
    ///
    /// # Errors
    ///
    /// After [`EffectRefused`] it is not tried again: it moves to the actor's [undelivered](crate::store::Store::undelivered) messages,
    /// and the next one is delivered. After any other error it is tried again later, and the next one from the same actor waits.
    ///
    /// # Cancellation
    ///
    /// The future is dropped if the sender's activation ends. The sender's next activation calls this again.
    ///
    /// It has no time limit: while it is not ready, what the same actor sends to this outlet waits.
    ///
    /// # Panics
    ///
    /// A panic counts as an error.
    async fn deliver(&self, from: &DurableId, message: &Outgoing) -> Result<(), ActorError>;
}

/// The error of an [`Outlet`] for an effect that can never be done, such as a payment to an account that does not exist.
///
/// ```
/// use actor_core::ActorError;
/// use actor_durable::EffectRefused;
///
/// fn pay(account: &str) -> Result<(), ActorError> {
///     if account.is_empty() { Err(EffectRefused::new("there is no such account").into()) } else { Ok(()) }
/// }
/// # assert!(pay("").is_err() && pay("a").is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EffectRefused(String);

impl EffectRefused {
    /// A refusal for this reason, which is stored with the effect.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}
