//! What this node publishes: the only actors that a peer can reach, each with the
//! decoder of its messages.

use std::any::{TypeId, type_name};
use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use actor_core::{ActorCell, ActorRef, CallFailure, Executor, Rejection, SendError, Status, WatchId};
use bytes::Bytes;

use super::readings::Reading;
use crate::authorize::PublishedAs;
use crate::contain::contained;
use crate::error::PublishError;
use crate::limits::{LABEL_BYTES_MAX, PUBLICATION_BYTES_MAX, PUBLICATIONS_MAX};
use crate::names::Label;
use crate::session::Inbound;
use crate::wire::control::Publication;
use crate::wire::schema::Schema;
use crate::wire::{Decoder, PendingReplies, RemoteMessage, ReplyTo, TypeTag, VariantTag, WireContext};

/// Why a message cannot be read whose decoder panics.
pub(super) const PANICKED: &str = "its decoder panicked";

/// Why a message is not in its mailbox. In a box: what is rare should not be moved about with
/// what is not.
pub(super) enum Undone {
    Waiting(Waiting),
    /// Its caller is to be told, or it is a dead letter.
    Refused(Rejection),
    /// As [`Refused`](Self::Refused), but it had become a message.
    Bounced(Rejection),
}

impl From<Rejection> for Box<Undone> {
    fn from(rejection: Rejection) -> Self {
        Self::new(Undone::Refused(rejection))
    }
}

/// A message that is read, or waits for room; then, if it was a cast, why nobody handles it.
pub(super) type Waiting = Pin<Box<dyn Future<Output = Option<Rejection>> + Send>>;

/// An actor that takes messages from the wire.
pub(super) trait Target: Send + Sync {
    fn cell(&self) -> &ActorCell;

    fn message(&self) -> TypeTag;

    /// What its messages look like.
    fn schema(&self) -> &Arc<Schema>;

    /// Reads a message and hands it over, with `reply` in it if it is a call. Its decoder may
    /// panic.
    fn deliver(
        &self,
        variant: VariantTag,
        fields: Decoder<'_>,
        reply: &mut Option<ReplyTo>,
    ) -> Result<(), Box<Undone>>;

    /// [`deliver`](Self::deliver) for a message that takes long to read, which is done elsewhere.
    fn deliver_aside(
        &self,
        executor: &Executor,
        variant: VariantTag,
        fields: (Bytes, Reading),
        context: WireContext,
        reply: Option<ReplyTo>,
    ) -> Waiting;

    /// Reads casts of one kind, which are all in a piece, and hands them over one by one; `taken` counts
    /// them, so that it is known which one is undone, or panicked.
    fn deliver_casts(
        &self,
        casts: &[Inbound],
        piece: &Bytes,
        context: &WireContext,
        taken: &mut usize,
    ) -> Result<(), Box<Undone>>;
}

/// The published actors of this node.
#[derive(Default)]
pub(super) struct Catalog {
    inner: RwLock<Inner>,
}

#[derive(Default)]
struct Inner {
    // unordered: what goes through it puts it in order
    exports: HashMap<u64, Export>,
    publications: usize,
    /// What they take on the wire.
    bytes: usize,
    /// Of the types that are published or looked up. There are as many as the program has.
    schemas: BTreeMap<TypeId, Known>,
}

/// A message type of the program's.
#[derive(Clone)]
pub(super) struct Known {
    tag: TypeTag,
    /// What it is called in Rust.
    pub(super) name: &'static str,
    pub(super) schema: Arc<Schema>,
}

struct Export {
    target: Arc<dyn Target>,
    publications: Vec<Listed>,
    /// What those are called, once somebody has asked since they have changed.
    published_as: OnceLock<Arc<[PublishedAs]>>,
    /// What tells the node of the actor's end; none while it is being made.
    watch: Option<WatchId>,
}

/// One publication of an actor.
struct Listed {
    publication: Publication,
    /// Whether the actor is stopped if it loses its name.
    stops_loser: bool,
}

/// What is gone after an actor was taken from under a label.
pub(super) struct Unpublished {
    pub(super) publication: Publication,
    /// Who is to be stopped if it has lost the name.
    pub(super) stopped: Option<ActorCell>,
    /// The export that went with its last label. Dropped outside of every lock: with
    /// it may go the last address of the actor.
    export: Option<Export>,
}

impl Unpublished {
    /// Ends the watch that nobody needs any more.
    pub(super) fn unwatch(self) {
        if let Some(Export { target, watch: Some(watch), .. }) = self.export {
            target.cell().unwatch(watch);
        }
    }
}

impl Catalog {
    /// Whether an actor can be published under a label, as far as this node goes.
    pub(super) fn check<M: RemoteMessage>(
        &self,
        label: &Label,
        actor: &ActorRef<M>,
    ) -> Result<(), PublishError> {
        let is_unusable = |text: &str| text.len() > LABEL_BYTES_MAX || text.contains(char::is_control);
        if label.text().is_empty() || is_unusable(label.text()) || is_unusable(label.scope()) {
            return Err(PublishError::Label);
        }
        if actor.status() >= Status::Stopping {
            return Err(PublishError::Stopping);
        }
        let inner = self.read();
        match inner.exports.get(&actor.id().serial()) {
            Some(export) if export.target.message() != M::TYPE => Err(PublishError::WrongType),
            _ => Ok(()),
        }
    }

    /// Whether there is room for another publication.
    pub(super) fn has_room(&self, publication: &Publication) -> bool {
        let inner = self.read();
        inner.publications < PUBLICATIONS_MAX && inner.bytes + publication.bytes() <= PUBLICATION_BYTES_MAX
    }

    /// Adds a publication of an actor, which was [checked](Self::check). Whether it is the actor's first,
    /// and its end is to be watched from now on.
    pub(super) fn publish<M: RemoteMessage>(
        &self,
        publication: Publication,
        stops_loser: bool,
        actor: &ActorRef<M>,
        schema: &Arc<Schema>,
    ) -> bool {
        let mut inner = self.write();
        let inner = &mut *inner;
        inner.publications += 1;
        inner.bytes += publication.bytes();
        let serial = actor.id().serial();
        let is_first = !inner.exports.contains_key(&serial);
        let export = inner.exports.entry(serial).or_insert_with(|| Export {
            target: Arc::new(Typed::new(actor, schema.clone())),
            publications: Vec::new(),
            published_as: OnceLock::new(),
            watch: None,
        });
        export.published_as.take();
        export.publications.push(Listed { publication, stops_loser });
        is_first
    }

    /// Remembers the watch on a published actor. Whether it is needed: not if the
    /// actor is published no more, or is watched already because it was again.
    pub(super) fn note_watch(&self, actor: u64, watch: WatchId) -> bool {
        let mut inner = self.write();
        match inner.exports.get_mut(&actor) {
            Some(export) if export.watch.is_none() => {
                export.watch = Some(watch);
                true
            }
            _ => false,
        }
    }

    /// Removes an actor from under a label.
    pub(super) fn unpublish(&self, label: &Label, actor: u64) -> Option<Unpublished> {
        let mut inner = self.write();
        let export = inner.exports.get_mut(&actor)?;
        let index = export.publications.iter().position(|listed| label.is_of(&listed.publication))?;
        let Listed { publication, stops_loser } = export.publications.swap_remove(index);
        export.published_as.take();
        let stopped = stops_loser.then(|| export.target.cell().clone());
        let is_last = export.publications.is_empty();
        let export = if is_last { inner.exports.remove(&actor) } else { None };
        inner.forget(&publication);
        Some(Unpublished { publication, stopped, export })
    }

    /// Removes an actor that has ended, and says from under what.
    pub(super) fn remove(&self, actor: u64) -> Vec<Publication> {
        let mut inner = self.write();
        let Some(mut export) = inner.exports.remove(&actor) else { return Vec::new() };
        let publications = std::mem::take(&mut export.publications).into_iter();
        let publications: Vec<_> = publications.map(|listed| listed.publication).collect();
        publications.iter().for_each(|publication| inner.forget(publication));
        // The export is dropped outside the lock, see `Unpublished`.
        drop(inner);
        publications
    }

    pub(super) fn target(&self, actor: u64) -> Option<Arc<dyn Target>> {
        let inner = self.read();
        inner.exports.get(&actor).map(|export| export.target.clone())
    }

    /// Under what an actor is published; nothing, if it is not.
    pub(super) fn published_as(&self, actor: u64) -> Arc<[PublishedAs]> {
        let inner = self.read();
        let Some(export) = inner.exports.get(&actor) else { return Arc::default() };
        let labels =
            || export.publications.iter().map(|listed| Label::of(&listed.publication).published_as());
        export.published_as.get_or_init(|| labels().collect()).clone()
    }

    /// Everything that is published, in the order of the actors.
    pub(super) fn publications(&self) -> Vec<Publication> {
        let inner = self.read();
        let listed = inner.exports.values().flat_map(|export| &export.publications);
        let mut all: Vec<_> = listed.map(|listed| listed.publication.clone()).collect();
        all.sort();
        all
    }

    /// The schema of a message type.
    pub(super) fn schema<M: RemoteMessage>(&self) -> Arc<Schema> {
        let id = TypeId::of::<M>();
        let inner = self.read();
        if let Some(known) = inner.schemas.get(&id) {
            return known.schema.clone();
        }
        drop(inner);
        // Hand-written descriptions are a user's code, which does not run under this lock.
        let schema = Arc::new(Schema::of::<M>());
        let known = Known { tag: M::TYPE, name: type_name::<M>(), schema };
        let mut inner = self.write();
        inner.schemas.entry(id).or_insert(known).schema.clone()
    }

    /// A message type by its tag.
    pub(super) fn known(&self, tag: TypeTag) -> Option<Known> {
        let inner = self.read();
        inner.schemas.values().find(|known| known.tag == tag).cloned()
    }

    /// The message types of what is published, and their schemas.
    pub(super) fn schemas(&self) -> BTreeMap<TypeTag, Arc<Schema>> {
        let inner = self.read();
        let mut exports: Vec<_> = inner.exports.iter().collect();
        exports.sort_unstable_by_key(|(actor, _)| **actor);
        let targets = exports.into_iter().map(|(_, export)| &export.target);
        targets.map(|target| (target.message(), target.schema().clone())).collect()
    }

    // Whatever happened to the last holder, as with `locked`.

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn forget(&mut self, publication: &Publication) {
        self.publications -= 1;
        self.bytes -= publication.bytes();
    }
}

/// An actor and the decoder of its messages.
pub(super) struct Typed<M> {
    cell: ActorCell,
    actor: ActorRef<M>,
    schema: Arc<Schema>,
}

impl<M: RemoteMessage> Target for Typed<M> {
    fn cell(&self) -> &ActorCell {
        &self.cell
    }

    fn message(&self) -> TypeTag {
        M::TYPE
    }

    fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    fn deliver(
        &self,
        variant: VariantTag,
        fields: Decoder<'_>,
        reply: &mut Option<ReplyTo>,
    ) -> Result<(), Box<Undone>> {
        if reply.is_some() {
            *reply = reply.take().map(|reply| reply.meant_for(self.actor.destination()));
        }
        match M::decode(variant, fields, reply) {
            Ok(message) => self.hand_over(message),
            Err(error) => Err(Rejection::Undecodable(error.to_string().into()).into()),
        }
    }

    fn deliver_aside(
        &self,
        executor: &Executor,
        variant: VariantTag,
        (fields, reading): (Bytes, Reading),
        context: WireContext,
        reply: Option<ReplyTo>,
    ) -> Waiting {
        let actor = self.actor.clone();
        let mut reply = reply.map(|reply| reply.meant_for(actor.destination()));
        let read = executor.spawn_blocking(move || {
            // Given back when it has been read, whatever comes of it.
            let _reading = reading;
            let decoder = Decoder::within(&fields, 0..fields.len(), &context);
            let read = contained("a decoder", || M::decode(variant, decoder, &mut reply));
            let error = match read {
                Some(Ok(message)) => return Ok(message),
                Some(Err(error)) => Rejection::Undecodable(error.to_string().into()),
                None => Rejection::Undecodable(PANICKED.into()),
            };
            Err(refused(error, reply))
        });
        Box::pin(async move {
            match read.await {
                Some(Ok(message)) => send_waiting(actor, message).await,
                Some(Err(rejection)) => rejection,
                // The runtime shuts down.
                None => Some(Rejection::Stopped),
            }
        })
    }

    fn deliver_casts(
        &self,
        casts: &[Inbound],
        piece: &Bytes,
        context: &WireContext,
        taken: &mut usize,
    ) -> Result<(), Box<Undone>> {
        casts.iter().try_for_each(|cast| {
            *taken += 1;
            let fields = Decoder::within(piece, cast.fields.range(), context);
            self.deliver(cast.shape.variant, fields, &mut None)
        })
    }
}

impl<M: RemoteMessage> Typed<M> {
    pub(super) fn new(actor: &ActorRef<M>, schema: Arc<Schema>) -> Self {
        Self { cell: actor.cell(), actor: actor.clone(), schema }
    }

    #[inline]
    fn hand_over(&self, message: M) -> Result<(), Box<Undone>> {
        match self.actor.cast(message) {
            Ok(()) => Ok(()),
            Err(SendError::Full(message)) => {
                Err(Box::new(Undone::Waiting(Box::pin(send_waiting(self.actor.clone(), message)))))
            }
            Err(error) => match bounce(error, self.cell()) {
                None => Ok(()),
                Some(rejection) => Err(Box::new(Undone::Bounced(rejection))),
            },
        }
    }
}

/// Waits for room; then, if it was a cast, says why nobody handles it.
async fn send_waiting<M: RemoteMessage>(actor: ActorRef<M>, message: M) -> Option<Rejection> {
    actor.send(message).await.err().and_then(|error| bounce(error, &actor.cell()))
}

/// Tells the caller of what is no message. Says why, if it has none.
fn refused(rejection: Rejection, reply: Option<ReplyTo>) -> Option<Rejection> {
    match reply {
        Some(reply) => {
            reply.fail(CallFailure::Rejected(rejection));
            None
        }
        None => Some(rejection),
    }
}

/// Tells the caller of a message that the actor does not take it. Says why, if it has none.
fn bounce<M: RemoteMessage>(error: SendError<M>, actor: &ActorCell) -> Option<Rejection> {
    let rejection = match error {
        // Its mailbox lets nobody wait.
        SendError::Full(_) => Rejection::Full,
        _ => Rejection::Stopped,
    };
    match error.into_message().take_reply(&mut PendingReplies::default()) {
        Some(reply) => {
            reply.fail(CallFailure::Rejected(rejection));
            None
        }
        None => {
            tracing::debug!(?actor, %rejection, "a remote cast was not taken");
            Some(rejection)
        }
    }
}
