//! What may be done, and to whom.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Labels;
use crate::authorize::{Operation, Subject};
use crate::wire::{RemoteMessage, TypeTag};

/// Some of this node's actors. Whichever they are, a peer reaches those that are published and those whose addresses it was
/// given, and no others.
#[derive(Clone, Debug, Default)]
pub struct Actors {
    is_all: bool,
    messages: BTreeSet<TypeTag>,
    published: Labels,
}

impl Actors {
    /// Every actor.
    pub fn all() -> Self {
        Self { is_all: true, ..Self::default() }
    }

    /// Every actor that takes such messages, published or given.
    pub fn taking<M: RemoteMessage>() -> Self {
        Self::taking_type(M::TYPE)
    }

    /// The same of messages that this program may not know: `TypeTag::named("package::Message")`, or what
    /// `#[wire(name = "...")]` says.
    pub fn taking_type(messages: TypeTag) -> Self {
        Self { messages: BTreeSet::from([messages]), ..Self::default() }
    }

    /// Those that are published under one of these, however the peer has found them: one that it was only given is as
    /// good, as long as it is published so too.
    pub fn published(under: Labels) -> Self {
        Self { published: under, ..Self::default() }
    }

    /// These, and others.
    #[must_use]
    pub fn and(mut self, others: Actors) -> Self {
        self.add(&others);
        self
    }

    fn add(&mut self, others: &Actors) {
        self.is_all |= others.is_all;
        self.messages.extend(&others.messages);
        self.published.add(&others.published);
    }

    fn has(&self, on: &Subject) -> bool {
        let Subject::Actor { messages, published, .. } = on else { return false };
        self.is_all
            || self.messages.contains(messages)
            || published.iter().any(|label| self.published.has(label))
    }
}

/// What may be done: a list of grants, to be given to nodes by [`Rights`](super::Rights).
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Allow {
    join: bool,
    /// By operation; spawning and publishing have their own.
    actors: [Actors; Operation::ALL.len()],
    all_kinds: bool,
    kinds: BTreeSet<Arc<str>>,
    publish: Labels,
}

impl Allow {
    /// Nothing, not even to [`join`](Self::join).
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Everything: to join, all operations on all actors that are published or given, all registered kinds, all names and groups. What
    /// a node without any hook grants to all.
    pub fn everything() -> Self {
        let all = Self::nothing().join().send(Actors::all()).watch(Actors::all());
        all.link(Actors::all()).stop(Actors::all()).spawn_all().publish(Labels::all())
    }

    /// To have a session, without which nothing else is possible. Whoever has one is told what this node publishes, and where
    /// it can be dialled; in [`Mode::Transitive`](crate::Mode::Transitive) of its other peers too.
    pub fn join(mut self) -> Self {
        self.join = true;
        self
    }

    /// To send these actors messages that need no answer.
    pub fn cast(self, to: Actors) -> Self {
        self.to(&[Operation::Cast], &to)
    }

    /// To call these actors.
    pub fn call(self, to: Actors) -> Self {
        self.to(&[Operation::Call], &to)
    }

    /// To cast to these actors and to call them.
    pub fn send(self, to: Actors) -> Self {
        self.to(&[Operation::Cast, Operation::Call], &to)
    }

    /// To be told of the ends of these actors.
    pub fn watch(self, actors: Actors) -> Self {
        self.to(&[Operation::Watch], &actors)
    }

    /// To be the supervisor of these actors, which ends them with itself and with the session. To stop them in good order it needs
    /// [`stop`](Self::stop) too.
    pub fn link(self, actors: Actors) -> Self {
        self.to(&[Operation::Link], &actors)
    }

    /// To stop, drain and kill these actors.
    pub fn stop(self, actors: Actors) -> Self {
        self.to(&[Operation::Stop, Operation::Drain, Operation::Kill], &actors)
    }

    /// To start actors of this [kind](crate::NodeBuilder::spawnable). What is done to them then is asked as of any other.
    pub fn spawn(mut self, kind: impl Into<Arc<str>>) -> Self {
        self.kinds.insert(kind.into());
        self
    }

    /// To start actors of all kinds that are registered.
    pub fn spawn_all(mut self) -> Self {
        self.all_kinds = true;
        self
    }

    /// To have actors of its own found here under these.
    pub fn publish(mut self, under: Labels) -> Self {
        self.publish.add(&under);
        self
    }

    fn to(mut self, operations: &[Operation], actors: &Actors) -> Self {
        operations.iter().for_each(|operation| self.actors[operation.place()].add(actors));
        self
    }

    pub(super) fn add(&mut self, other: &Allow) {
        self.join |= other.join;
        self.actors.iter_mut().zip(&other.actors).for_each(|(ours, theirs)| ours.add(theirs));
        self.all_kinds |= other.all_kinds;
        self.kinds.extend(other.kinds.iter().cloned());
        self.publish.add(&other.publish);
    }

    pub(super) fn has_join(&self) -> bool {
        self.join
    }

    pub(super) fn has(&self, operation: Operation, on: &Subject) -> bool {
        match (operation, on) {
            (Operation::Spawn, Subject::Kind(kind)) => self.all_kinds || self.kinds.contains(&**kind),
            (Operation::Publish, Subject::Name(name)) => self.publish.has_name(name),
            (Operation::Publish, Subject::Group { scope, name }) => self.publish.has_group(scope, name),
            (Operation::Spawn | Operation::Publish, _) => false,
            (operation, on) => self.actors[operation.place()].has(on),
        }
    }
}
