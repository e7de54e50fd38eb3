//! All that a store shows of itself, to be compared: with what it was before, or with what another store shows.

use std::sync::Arc;

use bytes::Bytes;

use crate::id::{DurableId, MessageId, Position, Sequence, Target, WallTime};
use crate::store::{DeadLetter, Due, Entry, Head, Letter, Recovery, Reminder, Store, Undelivered};

/// Small, so that what is compared crosses pages.
const PAGE: usize = 3;

/// See the file. Where messages lie is left out, as stores may leave out numbers, and so is when actors began to be.
#[derive(PartialEq, Debug)]
pub(in crate::testing) struct Dump {
    actors: Vec<Actor>,
    waiting: Vec<Target>,
    reminders: Vec<(Target, Reminder)>,
}

#[derive(PartialEq, Debug)]
struct Actor {
    head: Head,
    entries: Vec<Entry>,
    dead: Vec<DeadLetter>,
    undelivered: Vec<Undelivered>,
    inside: Option<Inside>,
}

/// What only an owner may read.
#[derive(PartialEq, Debug)]
struct Inside {
    recovery: Recovery,
    inbox: Vec<Letter>,
    replies: Vec<(MessageId, Option<Bytes>)>,
}

impl Dump {
    /// Of a store that nobody else uses meanwhile.
    pub(in crate::testing) async fn of(store: &Arc<dyn Store>) -> Self {
        let mut actors = Vec::new();
        for head in all_actors(store).await {
            actors.push(Actor::of(store, head).await);
        }
        let Due { mut reminders, next } = store.due(WallTime::MAX, None, usize::MAX).await.expect("a store");
        assert_eq!(next, None, "no reminder is later");
        reminders.sort_by(|(one, first), (other, second)| (one, &first.name).cmp(&(other, &second.name)));
        Self { actors, waiting: all_waiting(store).await, reminders }
    }
}

impl Actor {
    async fn of(store: &Arc<dyn Store>, head: Head) -> Self {
        let id = head.target.id.clone();
        let entries = all_entries(store, &id, head.trimmed).await;
        let mut dead = all_dead(store, &id).await;
        dead.iter_mut().for_each(|dead| dead.letter.position = Position::ZERO);
        let undelivered = all_undelivered(store, &id).await;
        let inside = match head.owner {
            Some(_) => Some(Inside::of(store, &head).await),
            None => None,
        };
        let head = Head { next: Position::ZERO, created_at: WallTime::ZERO, ..head };
        Self { head, entries, dead, undelivered, inside }
    }
}

impl Inside {
    async fn of(store: &Arc<dyn Store>, head: &Head) -> Self {
        let (id, epoch) = (&head.target.id, head.epoch);
        let recovery = store.load(id, epoch).await.expect("it is owned");
        let mut replies = Vec::new();
        for message in &recovery.handled {
            let reply = store.reply(id, *message).await.expect("a store");
            replies.push((*message, reply.expect("it is remembered")));
        }
        let mut inbox = all_letters(store, head).await;
        inbox.iter_mut().for_each(|letter| letter.position = Position::ZERO);
        Self { recovery, inbox, replies }
    }
}

pub(super) async fn all_actors(store: &Arc<dyn Store>) -> Vec<Head> {
    let mut all: Vec<Head> = Vec::new();
    loop {
        let after = all.last().map(|head| head.target.id.clone());
        match store.actors(after.as_ref(), PAGE).await.expect("a store") {
            page if page.is_empty() => return all,
            page => all.extend(page),
        }
    }
}

pub(super) async fn all_waiting(store: &Arc<dyn Store>) -> Vec<Target> {
    let mut all: Vec<Target> = Vec::new();
    loop {
        let after = all.last().map(|target| target.id.clone());
        match store.waiting(after.as_ref(), PAGE).await.expect("a store") {
            page if page.is_empty() => return all,
            page => all.extend(page),
        }
    }
}

pub(super) async fn all_entries(store: &Arc<dyn Store>, actor: &DurableId, after: Sequence) -> Vec<Entry> {
    let mut all: Vec<Entry> = Vec::new();
    loop {
        let after = all.last().map_or(after, |entry| entry.sequence);
        match store.entries(actor, after, PAGE).await.expect("entries that are there") {
            page if page.is_empty() => return all,
            page => all.extend(page),
        }
    }
}

pub(super) async fn all_dead(store: &Arc<dyn Store>, actor: &DurableId) -> Vec<DeadLetter> {
    let mut all: Vec<DeadLetter> = Vec::new();
    loop {
        let after = all.last().map(|dead| dead.letter.message.id);
        match store.dead_letters(actor, after, PAGE).await.expect("an actor") {
            page if page.is_empty() => return all,
            page => all.extend(page),
        }
    }
}

pub(super) async fn all_undelivered(store: &Arc<dyn Store>, actor: &DurableId) -> Vec<Undelivered> {
    let mut all: Vec<Undelivered> = Vec::new();
    loop {
        let after = all.last().map(|undelivered| undelivered.outgoing.position);
        match store.undelivered(actor, after, PAGE).await.expect("an actor") {
            page if page.is_empty() => return all,
            page => all.extend(page),
        }
    }
}

/// All of an inbox, for its owner.
pub(super) async fn all_letters(store: &Arc<dyn Store>, head: &Head) -> Vec<Letter> {
    let mut all: Vec<Letter> = Vec::new();
    loop {
        let after = all.last().map_or(Position::ZERO, |letter| letter.position);
        match store.inbox(&head.target.id, head.epoch, after, PAGE).await.expect("it is owned") {
            page if page.is_empty() => return all,
            page => all.extend(page),
        }
    }
}
