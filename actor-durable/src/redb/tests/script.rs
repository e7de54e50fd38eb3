//! What is done to a store, as values: drawn from a seed on the store in memory, then done to another one.

use std::time::Duration;

use super::suite::BEGAN;
use crate::MemoryStore;
use crate::id::{DurableId, Epoch, MessageId, Name, OwnerId, Position, Sequence, WallTime};
use crate::redb::faulty::{FaultyDisk, Random};
use crate::redb::tests::{body, message, target};
use crate::redb::{RedbOptions, RedbStore};
use crate::store::{
    CatchUp, Cause, Child, ChildChange, Claim, ClaimMode, DeadLetter, Destination, Entry, Firing, Handled,
    Head, Letter, Message, OutboxPosition, Outgoing, Reminder, ReminderChange, Snapshot, Source, Store,
    StoreError, TurnCommit,
};
use crate::testing::WallClock;

const OWNERS: [OwnerId; 2] = [OwnerId::new(1), OwnerId::new(2)];
const ACTORS: [&str; 3] = ["a", "b", "c"];

/// One operation, whole.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Acquire(Claim),
    Release(DurableId, Epoch),
    Commit(TurnCommit),
    Save(DurableId, Epoch, Snapshot, Option<Sequence>),
    Begin(DurableId, Epoch, MessageId),
    Deliver(DurableId, Epoch, Vec<OutboxPosition>),
    Transfer(DurableId, Epoch, OutboxPosition),
    Enqueue(Message),
    Fire(Firing),
    Delete(DurableId, Epoch),
    Revive(DurableId, MessageId),
    Purge(DurableId, MessageId),
}

impl Act {
    /// Does it, and tells what came out of it.
    pub(super) async fn run(&self, store: &dyn Store) -> Result<String, StoreError> {
        match self.clone() {
            Self::Acquire(claim) => said(store.acquire(claim).await),
            Self::Release(actor, epoch) => said(store.release(&actor, epoch).await),
            Self::Commit(commit) => said(store.commit_turn(commit).await),
            Self::Save(actor, epoch, snapshot, trim) => {
                said(store.save_snapshot(&actor, epoch, snapshot, trim).await)
            }
            Self::Begin(actor, epoch, message) => said(store.begin_attempt(&actor, epoch, message).await),
            Self::Deliver(actor, epoch, delivered) => {
                said(store.mark_delivered(&actor, epoch, &delivered).await)
            }
            Self::Transfer(actor, epoch, position) => said(store.transfer(&actor, epoch, position).await),
            Self::Enqueue(message) => said(store.enqueue(message).await),
            Self::Fire(firing) => said(store.fire(firing).await),
            Self::Delete(actor, epoch) => said(store.delete(&actor, epoch).await),
            Self::Revive(actor, message) => said(store.revive(&actor, message).await),
            Self::Purge(actor, message) => said(store.purge(&actor, message).await),
        }
    }
}

fn said<T: std::fmt::Debug>(outcome: Result<T, StoreError>) -> Result<String, StoreError> {
    outcome.map(|value| format!("{value:?}"))
}

/// Acts, what came out of each on the store in memory, and what was there before each and after all.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) acts: Vec<(Act, Result<String, String>)>,
    pub(super) states: Vec<String>,
}

impl Script {
    pub(super) async fn of(seed: u64, length: usize) -> Self {
        let memory = MemoryStore::on(WallClock::at(BEGAN).executor());
        lease(&memory).await;
        let mut author = Author { random: Random(seed), store: &memory, messages: 0 };
        let mut script = Self { acts: Vec::new(), states: vec![state(&memory).await] };
        while script.acts.len() < length {
            let Some(act) = author.next().await else { continue };
            let outcome = act.run(&memory).await.map_err(|error| error.to_string());
            script.acts.push((act, outcome));
            script.states.push(state(&memory).await);
        }
        script
    }
}

/// All owners live, in whatever process this is.
pub(super) async fn lease(store: &dyn Store) {
    for owner in OWNERS {
        store.renew(owner, Duration::from_secs(3600)).await.expect("a lease");
    }
}

/// How stores are opened in which scripts are played.
pub(super) fn options() -> RedbOptions {
    RedbStore::options().executor(WallClock::at(BEGAN).store_executor()).cache_bytes(1 << 20)
}

pub(super) async fn open(disk: &FaultyDisk) -> RedbStore {
    let store = options().open_on(disk.clone()).await.expect("it opens");
    lease(&store).await;
    store
}

/// All that a store shows, as text.
pub(super) async fn state(store: &dyn Store) -> String {
    let mut text = format!("{:?}\n", store.due(WallTime::MAX, None, 100).await.expect("it reads"));
    for head in store.actors(None, 100).await.expect("it reads") {
        let id = &head.target.id;
        text += &format!("{head:?}\n{:?}\n", store.entries(id, head.trimmed, 100).await.expect("it reads"));
        text += &format!("{:?}\n", store.dead_letters(id, None, 100).await.expect("it reads"));
        if head.owner.is_none() {
            continue;
        }
        let recovery = store.load(id, head.epoch).await.expect("it is owned");
        for message in &recovery.handled {
            text += &format!("{:?}\n", store.reply(id, *message).await.expect("it reads"));
        }
        let inbox = store.inbox(id, head.epoch, Position::ZERO, 100).await.expect("it is owned");
        text += &format!("{recovery:?}\n{inbox:?}\n");
    }
    text
}

/// Draws acts that mostly succeed.
struct Author<'s> {
    random: Random,
    store: &'s MemoryStore,
    messages: u64,
}

impl Author<'_> {
    fn below(&mut self, bound: u64) -> u64 {
        self.random.next() % bound
    }

    fn one<'v, T>(&mut self, values: &'v [T]) -> Option<&'v T> {
        let index = self.below(values.len().max(1) as u64);
        values.get(usize::try_from(index).expect("it is small"))
    }

    fn message_id(&mut self) -> MessageId {
        self.messages += 1;
        MessageId::new(BEGAN, self.messages.into())
    }

    async fn next(&mut self) -> Option<Act> {
        let actor = *self.one(&ACTORS).expect("there are some");
        let id = target(actor).id;
        let head = self.store.head(&id).await.expect("it reads");
        let Some(head) = head.filter(|head| head.owner.is_some()) else { return Some(self.come(actor)) };
        let recovery = self.store.load(&id, head.epoch).await.expect("it is owned");
        let inbox = self.store.inbox(&id, head.epoch, Position::ZERO, 100).await.expect("it is owned");
        let dead = self.store.dead_letters(&id, None, 100).await.expect("it reads");
        Some(match self.below(16) {
            0..6 => Act::Commit(self.turn(&head, &inbox, &recovery.handled)),
            6..9 => Act::Enqueue(self.letter(actor)),
            9 => Act::Begin(id, head.epoch, self.one(&inbox)?.message.id),
            10 => Act::Deliver(id, head.epoch, vec![self.one(&recovery.outbox)?.position]),
            11 => Act::Transfer(id, head.epoch, self.one(&recovery.outbox)?.position),
            12 => {
                let reminder = self.one(&recovery.reminders)?.clone();
                Act::Fire(self.firing(actor, &reminder))
            }
            13 => Act::Revive(id, self.one(&dead)?.letter.message.id),
            14 => {
                let sequence = Some(head.sequence).filter(|sequence| *sequence > Sequence::ZERO)?;
                let snapshot = Snapshot { sequence, body: body("saved") };
                Act::Save(id, head.epoch, snapshot, Some(sequence))
            }
            _ => self.rarely(&head, &dead),
        })
    }

    fn rarely(&mut self, head: &Head, dead: &[DeadLetter]) -> Act {
        let id = head.target.id.clone();
        match (self.below(4), self.one(dead)) {
            (0, _) => Act::Delete(id, head.epoch),
            (1 | 2, Some(dead)) => Act::Purge(id, dead.letter.message.id),
            _ => Act::Release(id, head.epoch),
        }
    }

    fn come(&mut self, actor: &str) -> Act {
        if self.below(3) == 0 {
            return Act::Enqueue(self.letter(actor));
        }
        let owner = *self.one(&OWNERS).expect("there are some");
        Act::Acquire(Claim { target: target(actor), owner, epoch_min: Epoch::ZERO, mode: ClaimMode::IfFree })
    }

    fn letter(&mut self, to: &str) -> Message {
        let id = self.message_id();
        // Some are larger than a page of the file.
        let length = usize::try_from(self.below(2) * self.below(10_000)).expect("it is small");
        Message { sent_at: BEGAN, ..message(to, id, &"x".repeat(length)) }
    }

    fn firing(&mut self, actor: &str, reminder: &Reminder) -> Firing {
        let messages = vec![self.letter(actor)];
        let next = Some(reminder.due.after(Duration::from_secs(1))).filter(|_| self.below(2) == 0);
        let Reminder { name, set_by, due, .. } = reminder.clone();
        Firing { actor: target(actor).id, name, set_by, due, messages, next }
    }

    fn turn(&mut self, head: &Head, inbox: &[Letter], handled: &[MessageId]) -> TurnCommit {
        let mut commit = TurnCommit::new(head.target.id.clone(), head.epoch, head.sequence);
        let sequence = head.sequence.next();
        let text = "e".repeat(usize::try_from(self.below(300)).expect("it is small"));
        commit.entries.push(Entry {
            sequence,
            at: WallTime::from_millis(sequence.0),
            cause: Cause::Own,
            has_changed: true,
            events: vec![body(&text)],
            sent: vec![],
        });
        self.take(&mut commit, inbox);
        if self.below(3) == 0 {
            commit.state = Some(Snapshot { sequence, body: body(&text.repeat(20)) });
            commit.trim = Some(sequence).filter(|_| self.below(2) == 0);
        }
        if self.below(2) == 0 {
            commit.outbox.push(self.outgoing(sequence));
        }
        if self.below(2) == 0 {
            let change = self.reminder_change();
            commit.reminders.push(change);
        }
        if self.below(3) == 0 {
            let change = self.child_change();
            commit.children.push(change);
        }
        commit.forget.extend(handled.first().filter(|_| handled.len() > 3));
        commit
    }

    /// A message is handled, given up or comes from a caller.
    fn take(&mut self, commit: &mut TurnCommit, inbox: &[Letter]) {
        let reply = Some(b"reply".to_vec().into());
        match (self.below(3), self.one(inbox).cloned()) {
            (0, Some(letter)) => {
                let at = WallTime::from_millis(9);
                commit.dead.push(DeadLetter { letter, at, reason: "poison".into() });
            }
            (1, Some(letter)) => {
                commit.handled.push(Handled { message: letter.message.id, was: Source::Inbox, reply });
            }
            _ => {
                let message = self.message_id();
                commit.handled.push(Handled { message, was: Source::Caller, reply });
            }
        }
    }

    fn outgoing(&mut self, sequence: Sequence) -> Outgoing {
        let to = *self.one(&ACTORS).expect("there are some");
        Outgoing {
            position: OutboxPosition { sequence, index: 0 },
            to: Destination::Actor(target(to)),
            id: self.message_id(),
            reply_to: None,
            sent_at: BEGAN,
            body: body("sent"),
            headers: [("tenant".to_owned(), "t".to_owned())].into(),
        }
    }

    fn name(&mut self) -> Name {
        Name::new(["x", "y", "z"][usize::try_from(self.below(3)).expect("it is small")]).expect("a good name")
    }

    fn reminder_change(&mut self) -> ReminderChange {
        let name = self.name();
        if self.below(4) == 0 {
            return ReminderChange::Cancel(name);
        }
        let (set_by, due) = (Sequence(self.below(2)), WallTime::from_millis(1_000 + self.below(5)));
        let catch_up = CatchUp::FireOnce;
        ReminderChange::Set(Reminder { name, set_by, due, period: None, catch_up, body: body("due") })
    }

    fn child_change(&mut self) -> ChildChange {
        let name = self.name();
        if self.below(4) == 0 {
            return ChildChange::Remove(name);
        }
        ChildChange::Add(Child { name, target: target("child"), body: body("child") })
    }
}
