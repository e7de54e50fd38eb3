//! What binds actors here and there to each other over one session: watches, links under supervisors,
//! and actors that were started for the peer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use actor_core::{ActorCell, ActorId, Exit, ExitListener, WatchId};

use super::link::Link;
use super::linking::Leash;
use crate::limits::NEWBORNS_MAX;
use crate::session::{Correlation, Session};
use crate::wire::EncodeReply;
use crate::wire::reference::Token;

/// See the module.
#[derive(Default)]
pub(super) struct Ties {
    /// Who watches actors of the peer's.
    listeners: Listeners,
    /// Which actors of ours the peer watches, by its number; none while the watch is
    /// being made.
    watched: BTreeMap<u64, Option<(ActorCell, WatchId)>>,
    /// Which of those are under a supervisor of the peer's.
    leashes: BTreeMap<u64, Leash>,
    newborns: Newborns,
}

/// Those who hear of an actor's end, by the session's number.
#[derive(Default)]
struct Listeners {
    list: BTreeMap<u64, Listener>,
    /// The same by what they listen for: there may be many, and each may end at any time.
    numbers: BTreeSet<(Purpose, u64)>,
    /// How many there were when those that are gone were looked for last.
    left: usize,
}

/// Actors that were started here for the peer, until it says what is to become of them.
#[derive(Default)]
struct Newborns {
    /// How many are being started.
    coming: usize,
    /// By their serials.
    unclaimed: BTreeMap<u64, ActorCell>,
}

impl Listeners {
    fn insert(&mut self, number: u64, listener: Listener) {
        self.numbers.insert((listener.purpose, number));
        self.list.insert(number, listener);
    }

    fn remove(&mut self, number: u64) -> Option<Listener> {
        let listener = self.list.remove(&number)?;
        self.numbers.remove(&(listener.purpose, number));
        Some(listener)
    }

    /// The number of the first one that listens for this.
    fn number(&self, purpose: Purpose) -> Option<u64> {
        self.numbers.range((purpose, 0)..=(purpose, u64::MAX)).map(|(_, number)| *number).next()
    }

    /// Takes out those who are gone, so that they do not pile up while the watched actors live:
    /// whenever there are twice as many as were left last time.
    fn take_gone(&mut self) -> BTreeMap<u64, Listener> {
        if self.list.len() < LISTENERS_KEPT_LEAST.max(2 * self.left) {
            return BTreeMap::new();
        }
        let list = std::mem::take(&mut self.list);
        let (gone, here): (BTreeMap<_, _>, _) =
            list.into_iter().partition(|(_, listener)| listener.listener.is_gone());
        gone.iter().for_each(|(number, listener)| _ = self.numbers.remove(&(listener.purpose, *number)));
        self.list = here;
        self.left = self.list.len();
        gone
    }
}

/// How many watches there may at least be before those of the gone are looked for.
const LISTENERS_KEPT_LEAST: usize = 64;

/// Why somebody hears of an actor's end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Purpose {
    Watch(WatchId),
    Link { supervisor: ActorId, actor: ActorId },
}

/// Someone here who watches an actor there, or supervises it.
pub(super) struct Listener {
    purpose: Purpose,
    actor: ActorId,
    listener: Arc<dyn ExitListener>,
}

impl Listener {
    pub(super) fn tell(&self, exit: &Exit) {
        self.listener.on_exit(self.actor, exit);
    }

    pub(super) fn tell_unlinked(&self) {
        self.listener.on_unlinked(self.actor);
    }
}

impl Link {
    /// Watches an actor of the peer's. Gives the listener back if it cannot be.
    pub(super) fn watch(
        &self,
        watch: WatchId,
        actor: ActorId,
        token: Option<&Token>,
        listener: Arc<dyn ExitListener>,
    ) -> Result<(), Arc<dyn ExitListener>> {
        let listener = Listener { purpose: Purpose::Watch(watch), actor, listener };
        self.listen(listener, |session| session.watch(actor.serial(), token))
    }

    pub(super) fn unwatch(&self, watch: WatchId) {
        self.end_listening(Purpose::Watch(watch), Session::unwatch);
    }

    /// Puts an actor of the peer's under one of ours. Gives the listener back if it cannot be.
    pub(super) fn link(
        &self,
        supervisor: ActorId,
        actor: ActorId,
        token: Option<&Token>,
        listener: Arc<dyn ExitListener>,
    ) -> Result<(), Arc<dyn ExitListener>> {
        let listener = Listener { purpose: Purpose::Link { supervisor, actor }, actor, listener };
        self.listen(listener, |session| session.link(actor.serial(), supervisor.serial(), token))
    }

    pub(super) fn unlink(&self, supervisor: ActorId, actor: ActorId, has_ended: bool) {
        let purpose = Purpose::Link { supervisor, actor };
        self.end_listening(purpose, |session, number| session.unlink(number, has_ended));
    }

    fn listen(
        &self,
        listener: Listener,
        ask: impl FnOnce(&mut Session) -> Option<u64>,
    ) -> Result<(), Arc<dyn ExitListener>> {
        let (gone, made) = self.act_inner(|inner| {
            let gone = inner.ties.listeners.take_gone();
            gone.keys().for_each(|number| inner.session.unwatch(*number));
            let made = match ask(&mut inner.session) {
                None => Err(listener.listener),
                Some(number) => {
                    inner.ties.listeners.insert(number, listener);
                    Ok(())
                }
            };
            (gone, made)
        });
        drop(gone);
        made
    }

    fn end_listening(&self, purpose: Purpose, end: impl FnOnce(&mut Session, u64)) {
        let listener = self.act_inner(|inner| {
            let number = inner.ties.listeners.number(purpose)?;
            end(&mut inner.session, number);
            inner.ties.listeners.remove(number)
        });
        drop(listener);
    }

    pub(super) fn take_listener(&self, number: u64) -> Option<Listener> {
        self.inner().ties.listeners.remove(number)
    }

    /// Announces a watch of the peer's that is being made.
    pub(super) fn begin_watched(&self, number: u64) {
        self.inner().ties.watched.insert(number, None);
    }

    /// Remembers a watch of the peer's, unless the actor has ended meanwhile.
    pub(super) fn note_watched(&self, number: u64, actor: ActorCell, watch: WatchId) {
        let mut inner = self.inner();
        if let Some(place) = inner.ties.watched.get_mut(&number) {
            *place = Some((actor, watch));
        }
    }

    pub(super) fn take_watched(&self, number: u64) -> Option<(ActorCell, WatchId)> {
        self.inner().ties.watched.remove(&number).flatten()
    }

    pub(super) fn note_leash(&self, number: u64, leash: Leash) {
        self.inner().ties.leashes.insert(number, leash);
    }

    pub(super) fn has_leash(&self, number: u64, actor: &ActorCell) -> bool {
        self.inner().ties.leashes.get(&number).is_some_and(|leash| leash.is_of(actor))
    }

    pub(super) fn take_leash(&self, number: u64) -> Option<Leash> {
        self.inner().ties.leashes.remove(&number)
    }

    pub(super) fn take_all_leashes(&self) -> Vec<Leash> {
        std::mem::take(&mut self.inner().ties.leashes).into_values().collect()
    }

    /// Takes a place for an actor that is to be started for the peer; `false` if there is none.
    pub(super) fn begin_newborn(&self) -> bool {
        let newborns = &mut self.inner().ties.newborns;
        let has_place = newborns.coming + newborns.unclaimed.len() < NEWBORNS_MAX;
        newborns.coming += usize::from(has_place);
        has_place
    }

    /// Answers the call that an actor was started by. Whether the answer went, and the peer has
    /// to claim the actor.
    pub(super) fn end_newborn(
        &self,
        call: Correlation,
        started: Result<(&ActorCell, &dyn EncodeReply), &dyn EncodeReply>,
    ) -> bool {
        self.act_inner(|inner| {
            inner.ties.newborns.coming -= 1;
            let answer = started.map_or_else(|refusal| refusal, |(_, answer)| answer);
            let has_gone = inner.session.answer_at_once(call, Ok(answer));
            if let (true, Ok((actor, _))) = (has_gone, started) {
                inner.ties.newborns.unclaimed.insert(actor.id().serial(), actor.clone());
            }
            has_gone
        })
    }

    /// Takes an actor out that the peer has decided about.
    pub(super) fn claim_newborn(&self, actor: u64) -> Option<ActorCell> {
        self.inner().ties.newborns.unclaimed.remove(&actor)
    }

    pub(super) fn take_newborns(&self) -> Vec<ActorCell> {
        std::mem::take(&mut self.inner().ties.newborns.unclaimed).into_values().collect()
    }

    pub(super) fn take_all_watched(&self) -> Vec<(ActorCell, WatchId)> {
        std::mem::take(&mut self.inner().ties.watched).into_values().flatten().collect()
    }

    #[cfg(test)]
    pub(super) fn watched(&self) -> usize {
        self.inner().ties.watched.len()
    }

    #[cfg(test)]
    pub(super) fn listeners(&self) -> usize {
        self.inner().ties.listeners.list.len()
    }
}
