//! Whatever comes, in any order: a store answers as the one in memory does, and shows the same.

use std::fmt::Debug;
use std::sync::Arc;

use super::Place;
use super::dice::Dice;
use super::dump::{Dump, all_letters};
use super::scene::{
    LONG, Scene, actor, child, claim, entry, given_up, handled, message, name, other_type, outgoing,
    reminder, seizure, snapshot, target,
};
use crate::MemoryStore;
use crate::id::{DurableId, Epoch, MessageId, OwnerId, Sequence, WallTime};
use crate::store::{
    ChildChange, Claim, Destination, Firing, GivingUp, Head, Outgoing, Reminder, ReminderChange, Source,
    Store, StoreError, TurnCommit,
};
use crate::testing::WallClock;

/// So many operations, and after so many the stores are compared.
const OPERATIONS: u64 = 600;
const COMPARED_EVERY: u64 = 30;

const ACTORS: [&str; 3] = ["a", "b", "c"];
const OWNERS: u64 = 3;
const MESSAGES: u64 = 12;

/// Two stores that are told the same.
struct Two<'p> {
    dice: Dice,
    scene: Scene<'p>,
    oracle: Arc<dyn Store>,
    /// What was said to both, for whoever must find out.
    history: Vec<String>,
}

/// Whatever a store is told, it answers what the store in memory does and shows the same afterwards. The seed is in the
/// failure; `ACTOR_STORE_SEED` gives the same case again.
pub async fn whatever_comes_a_store_does_as_the_one_in_memory(place: &dyn Place) {
    let dice = Dice::new();
    let clock = WallClock::at(place.now());
    let oracle: Arc<dyn Store> = Arc::new(MemoryStore::on(clock.executor()));
    let mut two = Two { dice, scene: Scene::open(place).await, oracle, history: Vec::new() };
    for operation in 1..=OPERATIONS {
        two.step().await;
        if operation % COMPARED_EVERY == 0 {
            two.scene = two.scene.reopen().await;
            two.compare().await;
        }
    }
}

impl Two<'_> {
    /// Leases are made long before each, so that time is no matter.
    async fn step(&mut self) {
        let id = *self.dice.pick(&ACTORS).expect("there are some");
        match self.dice.below(17) {
            0..=1 => self.acquire(id).await,
            2..=6 => self.commit(id).await,
            7..=9 => self.enqueue(id).await,
            10 => self.fire(id).await,
            11 => self.transfer(id).await,
            12 => self.attempt(id).await,
            13 => self.dead(id).await,
            14 => self.save(id).await,
            15 => self.undelivered(id).await,
            _ => self.leave(id).await,
        }
    }

    async fn head(&self, id: &str) -> Option<Head> {
        self.oracle.head(&actor(id)).await.expect("a store")
    }

    fn id(&mut self) -> MessageId {
        let number = self.dice.below(MESSAGES);
        self.scene.id(number.into())
    }

    /// The epoch of whoever has the actor; now and then another one.
    async fn epoch(&mut self, id: &str) -> Epoch {
        let epoch = self.head(id).await.map_or(Epoch(1), |head| head.epoch);
        if self.dice.once_in(10) { Epoch(epoch.0.saturating_sub(1)) } else { epoch }
    }

    async fn acquire(&mut self, id: &str) {
        let owner = u128::from(self.dice.below(OWNERS)) + 1;
        let mut taken = if self.dice.once_in(2) { claim(id, owner) } else { seizure(id, owner) };
        if self.dice.once_in(20) {
            taken = Claim { target: other_type(id), ..taken };
        }
        for store in [&self.oracle, &*self.scene] {
            store.renew(taken.owner, LONG).await.expect("a lease");
        }
        let what = format!("acquire {taken:?}");
        let said = [self.oracle.acquire(taken.clone()).await, self.scene.acquire(taken).await];
        self.same(what, said.map(|said| said.map(comparable)));
    }

    async fn enqueue(&mut self, id: &str) {
        let mut message = message(id, self.id());
        if self.dice.once_in(20) {
            message.to = other_type(id);
        }
        let what = format!("enqueue {} to {}", message.id, message.to);
        let said = [self.oracle.enqueue(message.clone()).await, self.scene.enqueue(message).await];
        self.same(what, said);
    }

    async fn commit(&mut self, id: &str) {
        let commit = self.any_commit(id).await;
        let what = format!("commit {commit:?}");
        let said = [self.oracle.commit_turn(commit.clone()).await, self.scene.commit_turn(commit).await];
        self.same(what, said);
    }

    /// A commit that is often accepted.
    async fn any_commit(&mut self, id: &str) -> TurnCommit {
        let epoch = self.epoch(id).await;
        let head = self.head(id).await.unwrap_or_else(|| Head::new(target(id), epoch, WallTime::ZERO));
        let skew = u64::from(self.dice.once_in(15));
        let expected = Sequence(head.sequence.0 + skew);
        let mut commit = TurnCommit::new(actor(id), epoch, expected);
        let entries = 1 + self.dice.below(3);
        commit.entries = (1..=entries).map(|number| entry(expected.0 + number)).collect();
        let last = commit.last();
        if self.dice.once_in(3) {
            commit.state = Some(snapshot(last.0, &format!("state {last}")));
        }
        if self.dice.once_in(4) {
            commit.trim = Some(Sequence(self.dice.below(last.0 + 1)));
        }
        if self.dice.once_in(3) {
            let index = u32::try_from(self.dice.below(3)).expect("it is small");
            let to = *self.dice.pick(&ACTORS).expect("there are some");
            let to = Destination::Actor(target(to));
            commit.outbox = vec![Outgoing { to, id: self.id(), ..outgoing(last.0, index) }];
        }
        if self.dice.once_in(3) {
            let names = ["r", "s"].map(name);
            let name = self.dice.pick(&names).expect("there are some").clone();
            let due = WallTime::from_millis(1 + self.dice.below(5));
            let set = Reminder { set_by: last, ..reminder(name.as_str(), due) };
            let set = ReminderChange::Set(set);
            commit.reminders = vec![if self.dice.once_in(3) { ReminderChange::Cancel(name) } else { set }];
        }
        if self.dice.once_in(4) {
            let add = ChildChange::Add(child("c", &last.to_string()));
            commit.children = vec![if self.dice.once_in(3) { ChildChange::Remove(name("c")) } else { add }];
        }
        self.with_messages(&head, &mut commit).await;
        commit.ends = self.dice.once_in(60);
        commit
    }

    /// What is handled, given up, dropped and forgotten.
    async fn with_messages(&mut self, head: &Head, commit: &mut TurnCommit) {
        let letters = match head.owner {
            Some(_) => all_letters(&self.oracle, head).await,
            None => Vec::new(),
        };
        let letter = self.dice.pick(&letters).cloned();
        match (self.dice.below(6), letter) {
            (0..=2, Some(letter)) => {
                commit.handled = vec![handled(letter.message.id, Source::Inbox, Some("reply"))];
            }
            (3, Some(letter)) => commit.dropped = vec![letter.message.id],
            (4, Some(letter)) => commit.dead = vec![given_up(letter)],
            (5, _) => commit.handled = vec![handled(self.id(), Source::Inbox, None)],
            _ => {}
        }
        if self.dice.once_in(4) {
            let id = self.id();
            let is_named = commit.handled.iter().any(|handled| handled.message == id)
                || commit.dead.iter().any(|dead| dead.letter.message.id == id);
            if !is_named {
                commit.handled.push(handled(id, Source::Caller, None));
            }
        }
        if self.dice.once_in(5) {
            commit.forget = vec![self.id(), self.id()];
        }
    }

    async fn fire(&mut self, id: &str) {
        let due = self.oracle.due(WallTime::MAX, None, 100).await.expect("a store").reminders;
        let set = due.into_iter().find(|(target, _)| target.id.as_str() == id);
        let set = set.map(|(_, reminder)| (reminder.set_by, reminder.due));
        let (set_by, due) = set.unwrap_or((Sequence(1), WallTime::from_millis(1)));
        // Now and then it was set again meanwhile.
        let set_by = if self.dice.once_in(4) { set_by.next() } else { set_by };
        let (name, count) = (name("r"), self.dice.below(3));
        let messages = (0..count).map(|_| message(id, self.id())).collect();
        let next = (!self.dice.once_in(3)).then(|| due.after(std::time::Duration::from_millis(1)));
        let firing = Firing { actor: actor(id), name, set_by, due, messages, next };
        let what = format!("fire {firing:?}");
        let said = [self.oracle.fire(firing.clone()).await, self.scene.fire(firing).await];
        self.same(what, said);
    }

    async fn transfer(&mut self, id: &str) {
        let (epoch, id) = (self.epoch(id).await, actor(id));
        let Ok(recovery) = self.oracle.load(&id, epoch).await else { return };
        let Some(position) = self.dice.pick(&recovery.outbox).map(|outgoing| outgoing.position) else {
            return;
        };
        if self.dice.once_in(3) {
            let mut notice = self.dice.once_in(2).then(|| message(id.as_str(), self.id()));
            if let Some(notice) = notice.as_mut().filter(|_| self.dice.once_in(3)) {
                notice.to = other_type(id.as_str());
            }
            let (actor, at, reason) = (id.clone(), WallTime::from_millis(5), "it is refused".to_owned());
            let giving_up = GivingUp { actor, epoch, position, at, reason, notice };
            let what = format!("give up {giving_up:?}");
            let said = [
                self.oracle.give_up_delivery(giving_up.clone()).await,
                self.scene.give_up_delivery(giving_up).await,
            ];
            return self.same(what, said);
        }
        if self.dice.once_in(3) {
            let delivered = [position];
            let what = format!("mark {position:?} of {id}");
            let said = [
                self.oracle.mark_delivered(&id, epoch, &delivered).await,
                self.scene.mark_delivered(&id, epoch, &delivered).await,
            ];
            return self.same(what, said);
        }
        let what = format!("transfer {position:?} of {id}");
        let said = [
            self.oracle.transfer(&id, epoch, position).await,
            self.scene.transfer(&id, epoch, position).await,
        ];
        self.same(what, said);
    }

    async fn attempt(&mut self, id: &str) {
        let (epoch, id, message) = (self.epoch(id).await, actor(id), self.id());
        let what = format!("attempt {message} of {id}");
        let said = [
            self.oracle.begin_attempt(&id, epoch, message).await,
            self.scene.begin_attempt(&id, epoch, message).await,
        ];
        self.same(what, said);
    }

    async fn dead(&mut self, id: &str) {
        let (id, message): (DurableId, _) = (actor(id), self.id());
        if self.dice.once_in(3) {
            let said = [self.oracle.purge(&id, message).await, self.scene.purge(&id, message).await];
            return self.same(format!("purge {message} of {id}"), said);
        }
        let said = [self.oracle.revive(&id, message).await, self.scene.revive(&id, message).await];
        self.same(format!("revive {message} of {id}"), said);
    }

    async fn undelivered(&mut self, id: &str) {
        let id = actor(id);
        let given_up = self.oracle.undelivered(&id, None, 10).await.unwrap_or_default();
        let given_up = self.dice.pick(&given_up).map(|undelivered| undelivered.outgoing.position);
        let position = given_up.unwrap_or(outgoing(1, 0).position);
        if self.dice.once_in(4) {
            let said = [self.oracle.discard(&id, position).await, self.scene.discard(&id, position).await];
            return self.same(format!("discard {position:?} of {id}"), said);
        }
        let said = [self.oracle.redeliver(&id, position).await, self.scene.redeliver(&id, position).await];
        self.same(format!("redeliver {position:?} of {id}"), said);
    }

    async fn save(&mut self, id: &str) {
        let last = self.head(id).await.map_or(0, |head| head.sequence.0);
        let sequence = 1 + self.dice.below(last + 1);
        let trim = self.dice.once_in(2).then(|| Sequence(self.dice.below(last + 1)));
        let (epoch, id, state) = (self.epoch(id).await, actor(id), snapshot(sequence, "saved"));
        let what = format!("save {sequence} of {id}, trim {trim:?}");
        let said = [
            self.oracle.save_snapshot(&id, epoch, state.clone(), trim).await,
            self.scene.save_snapshot(&id, epoch, state, trim).await,
        ];
        self.same(what, said);
    }

    async fn leave(&mut self, id: &str) {
        let (epoch, id) = (self.epoch(id).await, actor(id));
        match self.dice.below(4) {
            0 => {
                let owner = OwnerId::new(u128::from(self.dice.below(OWNERS)) + 1);
                let said = [self.oracle.retire(owner).await, self.scene.retire(owner).await];
                self.same(format!("retire {owner}"), said);
            }
            1 => {
                let said = [self.oracle.delete(&id, epoch).await, self.scene.delete(&id, epoch).await];
                self.same(format!("delete {id}"), said);
            }
            _ => {
                let said = [self.oracle.release(&id, epoch).await, self.scene.release(&id, epoch).await];
                self.same(format!("release {id}"), said);
            }
        }
    }

    /// Whether both have said the same. Where several things are wrong a store may say any of them.
    fn same<T: PartialEq + Debug>(&mut self, what: String, said: [Result<T, StoreError>; 2]) {
        let is_same = match &said {
            [Ok(one), Ok(other)] => one == other,
            [Err(one), Err(other)] => is_fence(one) == is_fence(other),
            _ => false,
        };
        let [one, other] = &said;
        let (seed, history) = (self.dice.seed, self.history.join("\n"));
        assert!(
            is_same,
            "ACTOR_STORE_SEED={seed}\n{history}\n{what}\nit should be {one:?}\nand is {other:?}"
        );
        self.history.push(format!("{what}: {one:?}"));
    }

    /// Whether both show the same. Owners may have lost their leases by the closing of the store.
    async fn compare(&mut self) {
        for owner in 1..=u128::from(OWNERS) {
            for store in [&self.oracle, &*self.scene] {
                store.renew(OwnerId::new(owner), LONG).await.expect("a lease");
            }
        }
        let (should, is) = (Dump::of(&self.oracle).await, Dump::of(&self.scene).await);
        let (seed, history) = (self.dice.seed, self.history.join("\n"));
        assert!(should == is, "ACTOR_STORE_SEED={seed}\n{history}\nit should be {should:#?}\nand is {is:#?}");
    }
}

fn is_fence(error: &StoreError) -> bool {
    matches!(error, StoreError::Fenced { .. })
}

/// Without what stores may choose.
fn comparable(head: Head) -> Head {
    Head { next: crate::id::Position::ZERO, created_at: WallTime::ZERO, ..head }
}
