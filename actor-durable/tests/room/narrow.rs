//! A store whose inboxes are full with few letters.

use actor_durable::Target;
use actor_durable::store::{Message, Refusal, Store, StoreError};
use async_trait::async_trait;

use crate::stage::Tap;

/// So many letters fill an inbox of a [`Narrow`] store, and so many more are taken from actors, and any that is an order.
pub(super) const NARROW_MAX: usize = 20;
pub(super) const NARROW_RESERVED: usize = 5;

/// A store's inboxes are full sooner, as what fills one of another would take long. What stores do with full inboxes is held by
/// their heads.
#[derive(Debug)]
pub(super) struct Narrow;

impl Narrow {
    async fn check(store: &dyn Store, to: &Target, max: usize) -> Result<(), StoreError> {
        let waiting = store.head(&to.id).await?.map_or(0, |head| head.waiting);
        if waiting >= max as u64 {
            return Err(Refusal::TooMany { what: "messages in an inbox", max }.into());
        }
        Ok(())
    }
}

#[async_trait]
impl Tap for Narrow {
    async fn admit(&self, store: &dyn Store, to: &Target) -> Result<(), StoreError> {
        Self::check(store, to, NARROW_MAX).await
    }

    async fn admit_moved(&self, store: &dyn Store, message: &Message) -> Result<(), StoreError> {
        if message.is_order() {
            return Ok(());
        }
        Self::check(store, &message.to, NARROW_MAX + NARROW_RESERVED).await
    }
}
