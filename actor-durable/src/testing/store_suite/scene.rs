//! What cases are written with: a store, owners with leases, and the values that they hand to it.

use std::fmt::Debug;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Place;
use super::dump::{Dump, all_letters};
use crate::id::{ActorType, DurableId, Epoch, MessageId, Name, OwnerId, Sequence, Target, WallTime};
use crate::store::{
    Body, CatchUp, Cause, Child, ChildChange, Claim, ClaimMode, DeadLetter, Destination, Enqueued, Entry,
    GivingUp, Handled, Head, Headers, Letter, Message, OutboxPosition, Outgoing, Refusal, Reminder,
    ReminderChange, Snapshot, Source, Store, StoreError, TurnCommit,
};

/// No case takes so long.
pub(super) const LONG: Duration = Duration::from_secs(3600);

/// No clock shows so late a time while a case runs.
pub(super) const FAR: WallTime = WallTime::from_millis(9_000_000_000_000);

/// The type of all actors but where types are the matter.
const COUNTER: &str = "counter";

/// A store that is open. It is used as the store itself.
pub(super) struct Scene<'p> {
    pub(super) place: &'p dyn Place,
    store: Arc<dyn Store>,
    /// When the case began, by the store's clock: its messages are made then.
    pub(super) began: WallTime,
}

impl Deref for Scene<'_> {
    type Target = Arc<dyn Store>;

    fn deref(&self) -> &Arc<dyn Store> {
        &self.store
    }
}

impl<'p> Scene<'p> {
    pub(super) async fn open(place: &'p dyn Place) -> Self {
        Self { place, store: place.open().await, began: place.now() }
    }

    /// Closes the store and opens it again, unless that would lose all.
    pub(super) async fn reopen(self) -> Self {
        let Self { place, began, .. } = self;
        if !place.survives_drop() {
            return self;
        }
        drop(self);
        Self { place, store: place.open().await, began }
    }

    /// Acquires an actor for the first owner, whose lease is long.
    pub(super) async fn own(&self, id: &str) -> Head {
        self.own_as(id, 1).await
    }

    /// Acquires an actor for an owner, whose lease is long.
    pub(super) async fn own_as(&self, id: &str, owner: u128) -> Head {
        self.renew(OwnerId::new(owner), LONG).await.expect("a lease");
        self.acquire(claim(id, owner)).await.expect("it is free")
    }

    /// The head of an actor that is there.
    pub(super) async fn head_of(&self, id: &str) -> Head {
        self.head(&actor(id)).await.expect("a store").expect("it is there")
    }

    /// The message of this number.
    pub(super) fn id(&self, number: u128) -> MessageId {
        MessageId::new(self.began, number)
    }

    /// A message to an actor.
    pub(super) fn message(&self, to: &str, number: u128) -> Message {
        message(to, self.id(number))
    }

    /// Puts messages of these numbers into an inbox, in order.
    pub(super) async fn fill(&self, to: &str, numbers: impl IntoIterator<Item = u128>) {
        for number in numbers {
            let enqueued = self.enqueue(self.message(to, number)).await.expect("it is accepted");
            assert_eq!(enqueued, Enqueued::Stored);
        }
    }

    /// The messages that an actor remembers as handled.
    pub(super) async fn remembered(&self, head: &Head) -> Vec<MessageId> {
        self.load(&head.target.id, head.epoch).await.expect("it is owned").handled
    }

    /// Stores a commit, and gives the head afterwards.
    pub(super) async fn commit(&self, commit: TurnCommit) -> Head {
        let id = commit.actor.clone();
        self.commit_turn(commit).await.expect("it is accepted");
        self.head(&id).await.expect("a store").expect("it is there")
    }

    /// Why an operation is refused; all is as it was before.
    pub(super) async fn refused<T: Debug>(
        &self,
        operation: impl Future<Output = Result<T, StoreError>>,
    ) -> Refusal {
        match self.failed(operation).await {
            StoreError::NotApplied(refusal) => refusal,
            error => panic!("it is refused otherwise: {error}"),
        }
    }

    /// By which epochs an operation is fenced, the asker's and the actor's; all is as it was before.
    pub(super) async fn fenced<T: Debug>(
        &self,
        operation: impl Future<Output = Result<T, StoreError>>,
    ) -> (u64, u64) {
        match self.failed(operation).await {
            StoreError::Fenced { ours, theirs } => (ours.0, theirs.0),
            error => panic!("it is refused otherwise: {error}"),
        }
    }

    async fn failed<T: Debug>(&self, operation: impl Future<Output = Result<T, StoreError>>) -> StoreError {
        let before = Dump::of(&self.store).await;
        let error = operation.await.expect_err("it is refused");
        assert_eq!(Dump::of(&self.store).await, before, "nothing is changed: {error}");
        error
    }
}

pub(super) fn actor(id: &str) -> DurableId {
    DurableId::new(id).expect("a good id")
}

pub(super) fn name(name: &str) -> Name {
    Name::new(name).expect("a good name")
}

pub(super) fn target(id: &str) -> Target {
    Target { id: actor(id), actor_type: ActorType::new(COUNTER).expect("a good name") }
}

pub(super) fn other_type(id: &str) -> Target {
    Target { id: actor(id), actor_type: ActorType::new("other").expect("a good name") }
}

pub(super) fn claim(id: &str, owner: u128) -> Claim {
    let (target, owner) = (target(id), OwnerId::new(owner));
    Claim { target, owner, epoch_min: Epoch::ZERO, mode: ClaimMode::IfFree }
}

pub(super) fn seizure(id: &str, owner: u128) -> Claim {
    Claim { mode: ClaimMode::Seize, ..claim(id, owner) }
}

pub(super) fn body(text: &str) -> Body {
    Body { version: 3, bytes: Bytes::copy_from_slice(text.as_bytes()) }
}

pub(super) fn large(bytes: usize) -> Body {
    Body { version: 1, bytes: Bytes::from(vec![b'x'; bytes]) }
}

pub(super) fn headers() -> Headers {
    [("traceparent", "00-1"), ("tenant", "ä")].map(|(name, value)| (name.into(), value.into())).into()
}

pub(super) fn message(to: &str, id: MessageId) -> Message {
    Message {
        to: target(to),
        id,
        from: Some(actor("sender")),
        reply_to: Some(target("sender")),
        sent_at: WallTime::from_millis(77),
        body: body("hello"),
        headers: headers(),
    }
}

pub(super) fn handled(message: MessageId, was: Source, reply: Option<&str>) -> Handled {
    Handled { message, was, reply: reply.map(|reply| Bytes::copy_from_slice(reply.as_bytes())) }
}

/// An entry that says all an entry can say.
pub(super) fn entry(sequence: u64) -> Entry {
    Entry {
        sequence: Sequence(sequence),
        at: WallTime::from_millis(1_000 + sequence),
        cause: Cause::Own,
        has_changed: true,
        events: vec![body("event")],
        sent: vec![MessageId::new(WallTime::from_millis(sequence), 1)],
    }
}

pub(super) fn snapshot(sequence: u64, text: &str) -> Snapshot {
    Snapshot { sequence: Sequence(sequence), body: body(text) }
}

pub(super) fn outgoing(sequence: u64, index: u32) -> Outgoing {
    Outgoing {
        position: OutboxPosition { sequence: Sequence(sequence), index },
        to: Destination::Actor(target("receiver")),
        id: MessageId::new(WallTime::from_millis(sequence), index.into()),
        reply_to: Some(target("sender")),
        sent_at: WallTime::from_millis(1_000 + sequence),
        body: body("outgoing"),
        headers: headers(),
    }
}

pub(super) fn reminder(name_: &str, due: WallTime) -> Reminder {
    let (set_by, period) = (Sequence(1), Some(Duration::from_millis(1_500)));
    Reminder { name: name(name_), set_by, due, period, catch_up: CatchUp::FireAll, body: body("remember") }
}

pub(super) fn child(name_: &str, text: &str) -> Child {
    Child { name: name(name_), target: target("child"), body: body(text) }
}

/// All pages of an inbox, as ids.
pub(super) async fn waiting(scene: &Scene<'_>, head: &Head) -> Vec<MessageId> {
    all_letters(scene, head).await.iter().map(|letter| letter.message.id).collect()
}

/// A commit of so many entries, and of nothing else, to an actor as its owner sees it.
pub(super) fn turns(head: &Head, entries: u64) -> TurnCommit {
    let mut commit = TurnCommit::new(head.target.id.clone(), head.epoch, head.sequence);
    commit.entries = (1..=entries).map(|number| entry(head.sequence.0 + number)).collect();
    commit
}

/// A commit that says all there is to say: `from_inbox` is handled, another message is given up and a caller's is handled.
pub(super) fn full(head: &Head, from_inbox: MessageId, dead: Letter, from_caller: MessageId) -> TurnCommit {
    let mut commit = turns(head, 2);
    let last = commit.last();
    commit.state = Some(snapshot(last.0, "state"));
    commit.handled =
        vec![handled(from_inbox, Source::Inbox, Some("reply")), handled(from_caller, Source::Caller, None)];
    commit.dead = vec![given_up(dead)];
    commit.outbox = vec![outgoing(last.0 - 1, 0), outgoing(last.0, 0), outgoing(last.0, 1)];
    commit.reminders = vec![ReminderChange::Set(reminder("r", FAR))];
    commit.children = vec![ChildChange::Add(child("c", "one"))];
    commit.horizon = WallTime::from_millis(5);
    commit
}

pub(super) fn given_up(letter: Letter) -> DeadLetter {
    DeadLetter { letter, at: WallTime::from_millis(1_234), reason: "it panicked".into() }
}

/// Gives up what lies in the outbox of an actor as its owner sees it, and tells nobody.
pub(super) fn giving_up(head: &Head, position: OutboxPosition) -> GivingUp {
    let (actor, epoch, at) = (head.target.id.clone(), head.epoch, WallTime::from_millis(4_321));
    GivingUp { actor, epoch, position, at, reason: "nobody takes it".into(), notice: None }
}

/// A commit of one entry, and of nothing else.
pub(super) fn turn(head: &Head) -> TurnCommit {
    turns(head, 1)
}
