//! Process groups of one system: named sets of actors, in scopes. A member leaves when it
//! begins to stop.
//!
//! Whoever watches hears of changes in the order they were made: an event is put before
//! its reader while the groups are locked, and the reader is woken afterwards.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::address::{ActorCell, ActorRef, Local, WeakActorCell};
use crate::event::{GroupChange, SupervisionEvent};
use crate::id::{ActorId, Incarnation};
use crate::lifecycle::{Flag, Status};
use crate::registry::is_usable;
use crate::sync::{LockExt, Mutex};

/// The process groups of one system; see [`ActorSystem::groups`](crate::ActorSystem::groups).
///
/// Groups stand in scopes, which know nothing of each other. What is not said to be in a
/// [`scope`](Self::scope) is in one that has no name.
pub struct Groups {
    /// Whose actors may join: only they come to leave when they stop.
    incarnation: Incarnation,
    book: Mutex<Book>,
}

/// Who is where, and who wants to know.
#[derive(Default)]
struct Book {
    /// Only those with members.
    groups: BTreeMap<Key, Members>,
    watchers: BTreeMap<Watched, BTreeMap<ActorId, Watcher>>,
    /// How many watched things there were when it was last seen to that somebody who lives
    /// watches each.
    watched_then: usize,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    scope: Arc<str>,
    group: Arc<str>,
}

type Members = BTreeMap<ActorId, ActorCell>;

/// What can be watched.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Watched {
    Group(Key),
    Scope(Arc<str>),
    All,
}

/// Someone who watches, in one of its lives.
struct Watcher {
    actor: WeakActorCell,
    life: u64,
}

impl Watcher {
    fn current(&self) -> Option<ActorCell> {
        let actor = self.actor.upgrade()?;
        let local = actor.as_local()?;
        let is_current = local.life() == self.life && local.word().status() < Status::Stopping;
        is_current.then_some(actor)
    }
}

/// An actor did not join a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// It stops or has stopped.
    #[error("the actor is stopping")]
    Stopping,
    /// It belongs to another system; groups of a cluster are the cluster's.
    #[error("only actors of this system can join")]
    NotLocal,
    /// The group's name, or its scope's, is empty, too long, or holds control characters.
    #[error("the group's name cannot be used")]
    Name,
}

/// The groups of one scope; see [`Groups::scope`].
#[derive(Clone, Debug)]
pub struct Scope<'a> {
    groups: &'a Groups,
    name: Arc<str>,
}

impl Groups {
    pub(crate) fn new(incarnation: Incarnation) -> Self {
        Self { incarnation, book: Mutex::default() }
    }

    /// The groups of a scope. It need not exist: it does while one of its groups has a
    /// member. A name that cannot be used is told by [`Scope::join`].
    pub fn scope(&self, name: &str) -> Scope<'_> {
        Scope { groups: self, name: name.into() }
    }

    /// Adds an actor to a group. Joining twice is joining once, and is told twice to
    /// those who watch.
    ///
    /// # Errors
    ///
    /// See [`JoinError`].
    pub fn join(&self, group: &str, actor: &ActorCell) -> Result<(), JoinError> {
        self.scope("").join(group, actor)
    }

    /// Takes an actor out of a group. Does nothing if it is not a member.
    pub fn leave(&self, group: &str, actor: &ActorCell) {
        self.scope("").leave(group, actor);
    }

    /// The members of a group, oldest actor first.
    pub fn members(&self, group: &str) -> Vec<ActorCell> {
        self.scope("").members(group)
    }

    /// The members of a group that take messages of type `M`, oldest first.
    pub fn members_of<M: Send + 'static>(&self, group: &str) -> Vec<ActorRef<M>> {
        self.scope("").members_of(group)
    }

    /// Every group that has a member, sorted.
    pub fn names(&self) -> Vec<Arc<str>> {
        self.scope("").names()
    }

    /// Every scope in which a group has a member, sorted; the one without a name is empty.
    pub fn scopes(&self) -> Vec<Arc<str>> {
        let mut scopes: Vec<_> = self.book.locked().groups.keys().map(|key| key.scope.clone()).collect();
        scopes.dedup();
        scopes
    }

    /// Tells an actor of every change in every scope, by
    /// [`SupervisionEvent::Group`], until its life ends.
    pub fn watch_all(&self, watcher: &ActorCell) {
        self.book.locked().watch(Watched::All, watcher);
    }

    /// Ends [`watch_all`](Self::watch_all).
    pub fn unwatch_all(&self, watcher: &ActorCell) {
        self.book.locked().unwatch(&Watched::All, watcher);
    }

    /// Takes a stopping actor out of every group. Each group's watchers are told once.
    pub(crate) fn leave_all(&self, actor: &ActorCell) {
        let mut told = Vec::new();
        let mut book = self.book.locked();
        let mut left = Vec::new();
        book.groups.retain(|key, members| {
            if members.remove(&actor.id()).is_some() {
                left.push(key.clone());
            }
            !members.is_empty()
        });
        for key in left {
            book.tell(&key, |scope, group| GroupChange::left(scope, group, vec![actor.clone()]), &mut told);
        }
        drop(book);
        wake(told);
    }
}

impl Scope<'_> {
    /// The scope's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// See [`Groups::join`].
    ///
    /// # Errors
    ///
    /// See [`JoinError`].
    pub fn join(&self, group: &str, actor: &ActorCell) -> Result<(), JoinError> {
        self.join_all(group, std::slice::from_ref(actor))
    }

    /// Adds several actors to a group: all of them, or none if one cannot join. Those who
    /// watch are told once, of exactly these.
    ///
    /// # Errors
    ///
    /// See [`JoinError`].
    pub fn join_all<'a>(&self, group: &str, actors: &'a [ActorCell]) -> Result<(), JoinError> {
        let is_ours = |actor: &ActorCell| actor.id().incarnation() == self.groups.incarnation;
        if !(self.name.is_empty() || is_usable(&self.name)) || !is_usable(group) {
            return Err(JoinError::Name);
        }
        let local = |actor: &'a ActorCell| actor.as_local().filter(|_| is_ours(actor));
        let locals = actors.iter().map(|actor| local(actor).ok_or(JoinError::NotLocal));
        let locals = locals.collect::<Result<Vec<Local<'a>>, _>>()?;
        if actors.is_empty() {
            return Ok(());
        }
        let mut told = Vec::new();
        let mut book = self.groups.book.locked();
        // Either this sees that an actor is stopping, or the stopping actor sees the flag
        // and comes to remove itself, which waits for this lock.
        let is_stopping = |local: &Local<'_>| local.raise(Flag::Grouped).status() >= Status::Stopping;
        if locals.iter().any(is_stopping) {
            return Err(JoinError::Stopping);
        }
        let key = self.key(group);
        let members = book.groups.entry(key.clone()).or_default();
        members.extend(actors.iter().map(|actor| (actor.id(), actor.clone())));
        book.tell(&key, |scope, group| GroupChange::joined(scope, group, actors.to_vec()), &mut told);
        drop(book);
        wake(told);
        Ok(())
    }

    /// See [`Groups::leave`].
    pub fn leave(&self, group: &str, actor: &ActorCell) {
        self.leave_all(group, std::slice::from_ref(actor));
    }

    /// Takes several actors out of a group. Those who watch are told once, of exactly
    /// these, unless there is no such group.
    pub fn leave_all(&self, group: &str, actors: &[ActorCell]) {
        let mut told = Vec::new();
        let mut removed = Vec::new();
        let key = self.key(group);
        let mut book = self.groups.book.locked();
        let Some(members) = book.groups.get_mut(&key).filter(|_| !actors.is_empty()) else { return };
        removed.extend(actors.iter().filter_map(|actor| members.remove(&actor.id())));
        if members.is_empty() {
            book.groups.remove(&key);
        }
        book.tell(&key, |scope, group| GroupChange::left(scope, group, actors.to_vec()), &mut told);
        drop(book);
        wake(told);
    }

    /// See [`Groups::members`].
    pub fn members(&self, group: &str) -> Vec<ActorCell> {
        let book = self.groups.book.locked();
        book.groups.get(&self.key(group)).map_or_else(Vec::new, |members| members.values().cloned().collect())
    }

    /// See [`Groups::members_of`].
    pub fn members_of<M: Send + 'static>(&self, group: &str) -> Vec<ActorRef<M>> {
        self.members(group).into_iter().filter_map(|cell| ActorRef::from_cell(cell).ok()).collect()
    }

    /// Every group of the scope that has a member, sorted.
    pub fn names(&self) -> Vec<Arc<str>> {
        let book = self.groups.book.locked();
        book.groups.keys().filter(|key| key.scope == self.name).map(|key| key.group.clone()).collect()
    }

    /// Tells an actor of every change in a group, by [`SupervisionEvent::Group`], until
    /// its life ends, and says who is a member now: what is told comes after that. A
    /// change is told once, however much of it is watched.
    pub fn watch(&self, group: &str, watcher: &ActorCell) -> Vec<ActorCell> {
        let key = self.key(group);
        let mut book = self.groups.book.locked();
        book.watch(Watched::Group(key.clone()), watcher);
        book.groups.get(&key).map_or_else(Vec::new, |members| members.values().cloned().collect())
    }

    /// Ends [`watch`](Self::watch).
    pub fn unwatch(&self, group: &str, watcher: &ActorCell) {
        self.groups.book.locked().unwatch(&Watched::Group(self.key(group)), watcher);
    }

    /// Tells an actor of every change in every group of the scope, as
    /// [`watch`](Self::watch) does of one.
    pub fn watch_all(&self, watcher: &ActorCell) {
        self.groups.book.locked().watch(Watched::Scope(self.name.clone()), watcher);
    }

    /// Ends [`watch_all`](Self::watch_all).
    pub fn unwatch_all(&self, watcher: &ActorCell) {
        self.groups.book.locked().unwatch(&Watched::Scope(self.name.clone()), watcher);
    }

    fn key(&self, group: &str) -> Key {
        Key { scope: self.name.clone(), group: group.into() }
    }
}

impl Book {
    fn watch(&mut self, watched: Watched, watcher: &ActorCell) {
        // Nobody is told in another process.
        let Some(local) = watcher.as_local() else { return };
        // Those that are gone must not pile up, here or in what nobody else watches.
        if self.watchers.len() > 2 * self.watched_then {
            self.watchers.retain(|_, watchers| {
                watchers.retain(|_, watcher| watcher.current().is_some());
                !watchers.is_empty()
            });
            self.watched_then = self.watchers.len();
        }
        let watchers = self.watchers.entry(watched).or_default();
        watchers.retain(|_, watcher| watcher.current().is_some());
        watchers.insert(watcher.id(), Watcher { actor: watcher.downgrade(), life: local.life() });
    }

    fn unwatch(&mut self, watched: &Watched, watcher: &ActorCell) {
        if let Some(watchers) = self.watchers.get_mut(watched) {
            watchers.remove(&watcher.id());
            if watchers.is_empty() {
                self.watchers.remove(watched);
            }
        }
    }

    /// Puts a change before everybody who watches the group, its scope, or all; each once.
    fn tell(&self, key: &Key, change: impl Fn(Arc<str>, Arc<str>) -> GroupChange, told: &mut Vec<ActorCell>) {
        let watched = [Watched::Group(key.clone()), Watched::Scope(key.scope.clone()), Watched::All];
        let watchers = watched.iter().filter_map(|watched| self.watchers.get(watched)).flatten();
        let current: BTreeMap<_, _> =
            watchers.filter_map(|(id, watcher)| Some((*id, (watcher.current()?, watcher.life)))).collect();
        for (watcher, life) in current.into_values() {
            if let Some(local) = watcher.as_local() {
                local.put(life, SupervisionEvent::Group(change(key.scope.clone(), key.group.clone())));
            }
            told.push(watcher);
        }
    }
}

/// Wakes those before whom something was put.
fn wake(told: Vec<ActorCell>) {
    for local in told.iter().filter_map(|actor| actor.as_local()) {
        local.wake();
    }
}

impl fmt::Debug for Groups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use crate::{Actor, ActorError, ActorRef, ActorSystem, SpawnOptions};

    struct Idle;

    impl Actor for Idle {
        type Msg = ();
        type State = ();
        type Arguments = ();

        async fn pre_start(&self, _: &ActorRef<()>, (): ()) -> Result<(), ActorError> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn what_the_dead_watched_does_not_pile_up() {
        let system = ActorSystem::new();
        let stays = system.spawn(Idle, (), SpawnOptions::new()).await.unwrap();
        system.groups().scope("").watch("kept", &stays.cell());
        for number in 0..100 {
            let watcher = system.spawn(Idle, (), SpawnOptions::new()).await.unwrap();
            system.groups().scope("").watch(&format!("once {number}"), &watcher.cell());
            system.groups().scope(&format!("once {number}")).watch_all(&watcher.cell());
            watcher.stop_and_wait(None, None).await.unwrap();
        }
        let book = super::LockExt::locked(&system.groups().book);
        assert!(book.watchers.len() < 10, "{}", book.watchers.len());
        assert!(book.watchers.values().flatten().any(|(id, _)| *id == stays.id()));
    }
}
