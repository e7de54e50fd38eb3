//! What this node publishes: the only actors that a peer can reach, each with the
//! decoder of its messages.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};

use actor_core::{ActorCell, ActorRef, CallFailure, Rejection, SendError, Status};
use bytes::Bytes;

use crate::error::PublishError;
use crate::limits::{LABEL_BYTES_MAX, PUBLICATIONS_MAX};
use crate::names::LabelKind;
use crate::wire::control::Publication;
use crate::wire::{Decoder, RemoteMessage, ReplyTo, TypeTag, VariantTag, WireContext};

/// What became of a message at its actor's door.
pub(super) enum Delivery {
    /// It is in the mailbox, or it is settled that it never will be.
    Done,
    /// The mailbox is full; this completes when it is not, or the actor has ended.
    Waiting(Pin<Box<dyn Future<Output = ()> + Send>>),
}

/// An actor that takes messages from the wire.
pub(super) trait Target: Send + Sync {
    fn cell(&self) -> &ActorCell;

    fn message(&self) -> TypeTag;

    /// Reads a message and hands it over, or tells its caller why not.
    fn deliver(
        &self,
        variant: VariantTag,
        fields: &Bytes,
        context: &WireContext,
        reply: Option<ReplyTo>,
    ) -> Delivery;
}

/// The published actors of this node.
#[derive(Default)]
pub(super) struct Catalog {
    inner: RwLock<Inner>,
}

#[derive(Default)]
struct Inner {
    exports: HashMap<u64, Export>,
    /// Who holds a name on this node.
    names: BTreeMap<String, u64>,
    publications: usize,
}

struct Export {
    target: Arc<dyn Target>,
    publications: Vec<Publication>,
}

impl Catalog {
    /// Adds an actor under a label. `None` if it was there already.
    pub(super) fn publish<M: RemoteMessage>(
        &self,
        kind: LabelKind,
        label: &str,
        actor: &ActorRef<M>,
    ) -> Result<Option<Publication>, PublishError> {
        if !actor.is_local() {
            return Err(PublishError::NotLocal);
        }
        if label.is_empty() || label.len() > LABEL_BYTES_MAX || label.contains(char::is_control) {
            return Err(PublishError::Label);
        }
        if actor.status() >= Status::Stopping {
            return Err(PublishError::Stopping);
        }
        let serial = actor.id().serial();
        let publication = Publication {
            actor: serial,
            message: M::TYPE.as_u64(),
            kind: kind.code(),
            label: label.to_owned(),
        };
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        if inner.exports.get(&serial).is_some_and(|export| export.target.message() != M::TYPE) {
            return Err(PublishError::WrongType);
        }
        if kind == LabelKind::Name && inner.names.get(label).is_some_and(|holder| *holder != serial) {
            return Err(PublishError::NameTaken);
        }
        let known =
            inner.exports.get(&serial).is_some_and(|export| export.publications.contains(&publication));
        if known {
            return Ok(None);
        }
        if inner.publications >= PUBLICATIONS_MAX {
            return Err(PublishError::TooMany);
        }
        inner.publications += 1;
        if kind == LabelKind::Name {
            inner.names.insert(label.to_owned(), serial);
        }
        let export = inner.exports.entry(serial).or_insert_with(|| Export {
            target: Arc::new(Typed { cell: actor.cell(), actor: actor.clone() }),
            publications: Vec::new(),
        });
        export.publications.push(publication.clone());
        Ok(Some(publication))
    }

    /// Removes an actor from under a label.
    pub(super) fn unpublish(&self, kind: LabelKind, label: &str, actor: u64) -> Option<Publication> {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        let export = inner.exports.get_mut(&actor)?;
        let is_it = |publication: &Publication| publication.kind == kind.code() && publication.label == label;
        let index = export.publications.iter().position(is_it)?;
        let publication = export.publications.swap_remove(index);
        if export.publications.is_empty() {
            inner.exports.remove(&actor);
        }
        inner.forget(&publication);
        Some(publication)
    }

    /// Removes an actor that has ended, and says from under what.
    pub(super) fn remove(&self, actor: u64) -> Vec<Publication> {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        let publications = inner.exports.remove(&actor).map_or_else(Vec::new, |export| export.publications);
        publications.iter().for_each(|publication| inner.forget(publication));
        publications
    }

    pub(super) fn target(&self, actor: u64) -> Option<Arc<dyn Target>> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        inner.exports.get(&actor).map(|export| export.target.clone())
    }

    /// Everything that is published, in the order of the actors.
    pub(super) fn publications(&self) -> Vec<Publication> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = inner.exports.values().flat_map(|export| export.publications.clone()).collect();
        all.sort_by(|a, b| (a.actor, a.kind, &a.label).cmp(&(b.actor, b.kind, &b.label)));
        all
    }

    /// The actors of this node under a label.
    pub(super) fn lookup(&self, kind: LabelKind, label: &str) -> Vec<Arc<dyn Target>> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let is_it = |publication: &Publication| publication.kind == kind.code() && publication.label == label;
        let exports = inner.exports.values().filter(|export| export.publications.iter().any(is_it));
        let mut targets: Vec<_> = exports.map(|export| export.target.clone()).collect();
        targets.sort_by_key(|target| target.cell().id());
        targets
    }
}

impl Inner {
    fn forget(&mut self, publication: &Publication) {
        self.publications -= 1;
        if publication.kind == LabelKind::Name.code() {
            self.names.remove(&publication.label);
        }
    }
}

struct Typed<M> {
    cell: ActorCell,
    actor: ActorRef<M>,
}

impl<M: RemoteMessage> Target for Typed<M> {
    fn cell(&self) -> &ActorCell {
        &self.cell
    }

    fn message(&self) -> TypeTag {
        M::TYPE
    }

    fn deliver(
        &self,
        variant: VariantTag,
        fields: &Bytes,
        context: &WireContext,
        mut reply: Option<ReplyTo>,
    ) -> Delivery {
        // A hand-written `Wire` may panic on bytes it does not expect; the session
        // must outlive it. What the closure leaves behind is only ever dropped.
        let decode = || M::decode(variant, Decoder::new(fields, context), &mut reply);
        let decoded = match catch_unwind(AssertUnwindSafe(decode)) {
            Ok(Ok(message)) => Ok(message),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("its decoder panicked".to_owned()),
        };
        match decoded {
            Err(text) => {
                refuse(reply, self.cell(), Rejection::Undecodable(text.into()));
                Delivery::Done
            }
            Ok(message) => self.hand_over(message),
        }
    }
}

impl<M: RemoteMessage> Typed<M> {
    fn hand_over(&self, message: M) -> Delivery {
        match self.actor.cast(message) {
            Ok(()) => Delivery::Done,
            Err(SendError::Full(message)) => {
                let actor = self.actor.clone();
                Delivery::Waiting(Box::pin(async move {
                    if let Err(error) = actor.send(message).await {
                        bounce(error, &actor.cell());
                    }
                }))
            }
            Err(error) => {
                bounce(error, self.cell());
                Delivery::Done
            }
        }
    }
}

/// Tells the caller of a message that the actor does not take any more.
fn bounce<M: RemoteMessage>(error: SendError<M>, actor: &ActorCell) {
    match error.into_message().into_reply() {
        Some(reply) => reply.fail(CallFailure::Rejected(Rejection::Stopped)),
        None => tracing::debug!(?actor, "a remote cast came too late"),
    }
}

/// Tells the caller of a message that never becomes one.
pub(super) fn refuse(reply: Option<ReplyTo>, about: &dyn fmt::Debug, rejection: Rejection) {
    match reply {
        Some(reply) => reply.fail(CallFailure::Rejected(rejection)),
        None => tracing::warn!(?about, %rejection, "a remote cast was refused"),
    }
}
