//! What an actor in this process is asked and how it stands: one word that
//! everybody may change, and beside it what does not fit, made when first needed.
//! The life of an actor that nobody names, links, watches or waits for touches the
//! word and nothing else.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, OnceLock};

use tokio::sync::oneshot;

use super::cell::ActorCell;
use super::control::{ExitListener, WatchId, Way};
use crate::attached::{Attached, AttachmentId};
use crate::contain::contained;
use crate::event::SupervisionEvent;
use crate::executor::TaskHandle;
use crate::exit::Exit;
use crate::id::ActorId;
use crate::lifecycle::{Flag, Status, Word};
use crate::sync::{AtomicU32, AtomicU64, LockExt, Mutex, MutexGuard, Ordering};

/// The word, and what does not fit into it.
pub(super) struct LocalState {
    word: AtomicU32,
    /// Whoever makes it raises [`Flag::Attended`] afterwards, and reads the word
    /// again: either it sees what the actor has become, or the actor sees the flag.
    attendance: OnceLock<Box<Attendance>>,
}

/// What is known of an actor that is not on its own.
struct Attendance {
    name: Option<Arc<str>>,
    /// What its supervisor calls it; set before anybody else knows of it.
    child_id: OnceLock<Arc<str>>,
    /// Whom this actor's events go to. Locked before any actor's `side`, never
    /// while one is held; see `links.rs`.
    supervisor: Mutex<Option<ActorCell>>,
    side: Mutex<Side>,
    /// Which life this is, counted from zero. Changes under the lock of `side`, which
    /// whoever only asks need not take.
    life: AtomicU64,
}

/// Who is to be told of what.
#[derive(Default)]
pub(crate) struct Side {
    stop_reason: Option<Arc<str>>,
    events: VecDeque<SupervisionEvent>,
    watchers: Vec<(WatchId, Arc<dyn ExitListener>)>,
    watches_made: u64,
    waiters: Vec<oneshot::Sender<Exit>>,
    /// What lives as long as this life.
    attached: Attached,
    /// Why the life must end, if it does not know by itself.
    failure: Option<Exit>,
    /// How the last life ended, once the supervisor was told that it may decide.
    suspension: Option<Exit>,
    /// How it ended: set when the watchers are told, unless the word says it all.
    exit: Option<Exit>,
    /// Whom this actor supervises.
    pub(crate) children: BTreeMap<ActorId, ActorCell>,
    /// Set when the children were taken at the end of a life; none is added before the
    /// next one.
    pub(crate) is_childless: bool,
}

impl Side {
    /// Watchers that are gone must not pile up while the actor lives: looked for
    /// whenever the list would have to grow.
    fn take_gone_watchers(&mut self) -> Vec<(WatchId, Arc<dyn ExitListener>)> {
        if self.watchers.len() < self.watchers.capacity() {
            return Vec::new();
        }
        let watchers = std::mem::take(&mut self.watchers);
        // One that panics is still told of the end.
        let (gone, here) = watchers.into_iter().partition(|(_, listener)| {
            let mut is_gone = false;
            contained("an exit listener", || is_gone = listener.is_gone());
            is_gone
        });
        self.watchers = here;
        gone
    }

    /// As [`take_gone_watchers`](Self::take_gone_watchers), of those who wait.
    fn take_gone_waiters(&mut self) -> Vec<oneshot::Sender<Exit>> {
        if self.waiters.len() < self.waiters.capacity() {
            return Vec::new();
        }
        let waiters = std::mem::take(&mut self.waiters);
        let (gone, here) = waiters.into_iter().partition(oneshot::Sender::is_closed);
        self.waiters = here;
        gone
    }
}

impl LocalState {
    pub(super) fn new(name: Option<Arc<str>>) -> Self {
        let state = Self { word: AtomicU32::new(Word::NEW.bits()), attendance: OnceLock::new() };
        if name.is_some() {
            state.attendance.get_or_init(|| Attendance::new(name));
            state.raise(Flag::Attended);
        }
        state
    }

    /// Acquire: whoever reads a flag also sees what was stored before it was set.
    #[inline]
    pub(super) fn word(&self) -> Word {
        Word::from_bits(self.word.load(Ordering::Acquire))
    }

    pub(super) fn name(&self) -> Option<&str> {
        self.attendance.get()?.name.as_deref()
    }

    /// Sets a flag and returns the word as it was.
    fn raise(&self, flag: Flag) -> Word {
        Word::from_bits(self.word.fetch_or(flag as u32, Ordering::AcqRel))
    }

    /// What does not fit into the word. The caller looks at the word after this.
    fn attendance(&self) -> &Attendance {
        let attendance = self.attendance.get_or_init(|| Attendance::new(None));
        if !self.word().has(Flag::Attended) {
            self.raise(Flag::Attended);
        }
        attendance
    }
}

impl Attendance {
    fn new(name: Option<Arc<str>>) -> Box<Self> {
        Box::new(Self {
            name,
            child_id: OnceLock::new(),
            supervisor: Mutex::default(),
            side: Mutex::default(),
            life: AtomicU64::new(0),
        })
    }
}

/// The controls of an actor in this process.
#[derive(Clone, Copy)]
pub(crate) struct Local<'a> {
    state: &'a LocalState,
    way: &'a dyn Way,
}

impl<'a> Local<'a> {
    pub(super) fn new(state: &'a LocalState, way: &'a dyn Way) -> Self {
        Self { state, way }
    }

    pub(crate) fn word(self) -> Word {
        self.state.word()
    }

    /// Sets a flag and returns the word as it was.
    pub(crate) fn raise(self, flag: Flag) -> Word {
        self.state.raise(flag)
    }

    /// Moves to a later phase. Returns the word as it was; `None` if the actor
    /// was there already or beyond.
    pub(crate) fn advance(self, status: Status) -> Option<Word> {
        let step = |bits| Word::from_bits(bits).advanced_to(status).map(Word::bits);
        let moved = self.state.word.fetch_update(Ordering::AcqRel, Ordering::Acquire, step);
        moved.ok().map(Word::from_bits)
    }

    /// The supervisor's place, made if there is none yet.
    pub(crate) fn supervisor(self) -> MutexGuard<'a, Option<ActorCell>> {
        self.state.attendance().supervisor.locked()
    }

    /// The supervisor's place; `None` if there never was a supervisor.
    pub(crate) fn known_supervisor(self) -> Option<MutexGuard<'a, Option<ActorCell>>> {
        self.state.attendance.get().map(|attendance| attendance.supervisor.locked())
    }

    /// Who is to be told of what; made if there is nothing yet.
    pub(crate) fn side(self) -> MutexGuard<'a, Side> {
        self.state.attendance().side.locked()
    }

    /// Who is to be told of what; `None` if there never was anything.
    pub(crate) fn known_side(self) -> Option<MutexGuard<'a, Side>> {
        self.state.attendance.get().map(|attendance| attendance.side.locked())
    }

    /// How it ended, under the lock of its side: `None` while nobody has been told.
    fn exit(self, side: &Side) -> Option<Exit> {
        side.exit.clone().or_else(|| self.word().ending().map(Exit::from))
    }

    /// How it ended; `None` while nobody has been told.
    pub(crate) fn known_exit(self) -> Option<Exit> {
        match self.known_side() {
            Some(side) => self.exit(&side),
            None => self.word().ending().map(Exit::from),
        }
    }

    /// Posts an event. It reaches a handler unless the life ends first.
    pub(crate) fn post(self, event: SupervisionEvent) {
        let side = self.side();
        self.put_before(side, event);
        self.wake();
    }

    /// Puts an event where it will be found once the actor is [woken](Self::wake), if it is
    /// still in this life.
    pub(crate) fn put(self, life: u64, event: SupervisionEvent) {
        let side = self.side();
        // Under the lock, which the end of a life takes too.
        if self.life() == life {
            self.put_before(side, event);
        } else {
            // The event, which may hold the last address of an actor, is dropped after it.
            drop(side);
        }
    }

    fn put_before(self, mut side: MutexGuard<'_, Side>, event: SupervisionEvent) {
        if self.exit(&side).is_some() {
            drop(side);
            return;
        }
        side.events.push_back(event);
        self.raise(Flag::Supervision);
    }

    /// Makes the actor look at what was asked of it.
    pub(crate) fn wake(self) {
        self.way.wake();
    }

    /// The oldest event; clears the flag with the last one.
    pub(crate) fn take_event(self) -> Option<SupervisionEvent> {
        let mut side = self.side();
        let event = side.events.pop_front();
        if side.events.is_empty() {
            // Under the lock, so that no event posted meanwhile loses its flag.
            self.state.word.fetch_and(!(Flag::Supervision as u32), Ordering::AcqRel);
        }
        event
    }

    pub(crate) fn stop_reason(self) -> Option<Arc<str>> {
        self.known_side()?.stop_reason.clone()
    }

    /// Tells the watchers how it ended. Those who come later are told at once.
    pub(crate) fn publish_exit(self, id: ActorId, exit: &Exit) {
        let word = match exit.plain() {
            Some(ending) => Word::from_bits(self.state.word.fetch_or(ending as u32, Ordering::AcqRel)),
            None => self.word(),
        };
        if !word.has(Flag::Attended) && exit.plain().is_some() {
            return;
        }
        let mut side = self.side();
        side.exit = Some(exit.clone());
        let watchers = std::mem::take(&mut side.watchers);
        let events = std::mem::take(&mut side.events);
        drop(side);
        // Dropped outside the lock: an event may hold the last address of an actor.
        drop(events);
        for (_, listener) in watchers {
            contained("an exit listener", move || listener.on_exit(id, exit));
        }
    }

    /// The last step of a life: the phase, then everybody who waits.
    pub(crate) fn publish_stopped(self) {
        let former = self.advance(Status::Stopped);
        if !former.is_some_and(|word| word.has(Flag::Attended)) {
            return;
        }
        let mut side = self.side();
        let waiters = std::mem::take(&mut side.waiters);
        let exit = self.exit(&side);
        drop(side);
        for waiter in waiters {
            drop(waiter.send(exit.clone().unwrap_or(Exit::Cancelled)));
        }
    }

    /// Sets what its supervisor calls it, once.
    pub(crate) fn set_child_id(self, id: Arc<str>) {
        let _ = self.state.attendance().child_id.set(id);
    }

    /// What its supervisor calls it.
    pub(crate) fn child_id(self) -> Option<&'a str> {
        self.state.attendance.get()?.child_id.get().map(|id| &**id)
    }

    /// Makes a place for a task that shares this life; `None` if the life is over.
    pub(crate) fn reserve_attachment(self) -> Option<AttachmentId> {
        let mut side = self.side();
        // The end takes all tasks under this lock after it has changed the word.
        (self.word().status() < Status::Stopping).then(|| side.attached.reserve())
    }

    /// Gives the task back if its place is gone.
    pub(crate) fn hold_attachment(self, id: AttachmentId, task: TaskHandle) -> Option<TaskHandle> {
        self.side().attached.hold(id, task)
    }

    pub(crate) fn is_attached(self, id: AttachmentId) -> bool {
        self.known_side().is_some_and(|side| side.attached.holds(id))
    }

    /// A task is over.
    pub(crate) fn forget_attachment(self, id: AttachmentId) {
        let forgotten = self.known_side().and_then(|mut side| side.attached.remove(id));
        drop(forgotten);
    }

    /// Ends a task.
    pub(crate) fn detach(self, id: AttachmentId) {
        let ended = self.known_side().and_then(|mut side| side.attached.remove(id));
        if let Some(task) = ended {
            task.abort();
        }
    }

    /// Ends all tasks that shared the life.
    pub(crate) fn detach_all(self) {
        let ended = self.known_side().map(|mut side| side.attached.take());
        for task in ended.into_iter().flatten() {
            task.abort();
        }
    }

    /// Ends the actor at its next await point, as failed like this task; the first failure
    /// counts. One that was cancelled, or whose life has ended, fails nobody.
    pub(crate) fn fail(self, id: AttachmentId, exit: Exit) {
        let mut side = self.side();
        if !side.attached.holds(id) {
            return;
        }
        if side.failure.is_none() {
            side.failure = Some(exit);
        }
        // Under the lock, which the end of the life takes too.
        self.raise(Flag::Kill);
        drop(side);
        self.wake();
    }

    /// Why the life was ended, if it was by [`fail`](Self::fail).
    pub(crate) fn take_failure(self) -> Option<Exit> {
        self.known_side()?.failure.take()
    }

    /// Which life this is, counted from zero.
    pub(crate) fn life(self) -> u64 {
        // Acquire: with the store in `suspend`.
        self.state.attendance.get().map_or(0, |attendance| attendance.life.load(Ordering::Acquire))
    }

    /// A life has ended and another may follow, unless this says `false`. Tells those who
    /// wait for the end of a life; events and requests that were meant for it are dropped.
    ///
    /// `reopen` lets messages in again, if the life was drained.
    pub(crate) fn suspend(self, exit: &Exit, reopen: impl FnOnce()) -> bool {
        let attendance = self.state.attendance();
        let mut side = attendance.side.locked();
        // Under the lock, which whoever gives a reason or posts an event takes too.
        let step = |bits| Word::from_bits(bits).suspended().map(Word::bits);
        if self.state.word.fetch_update(Ordering::AcqRel, Ordering::Acquire, step).is_err() {
            return false;
        }
        self.state.word.fetch_and(!(Flag::Supervision as u32), Ordering::AcqRel);
        // Under the lock, which whoever drains takes too: the flag and the closed mailbox are
        // of one life.
        reopen();
        attendance.life.fetch_add(1, Ordering::AcqRel);
        let reason = side.stop_reason.take();
        let events = std::mem::take(&mut side.events);
        let waiters = std::mem::take(&mut side.waiters);
        // What was attached, or failed, when the rest of the life was gone already.
        let attached = side.attached.take();
        side.failure = None;
        side.suspension = None;
        drop(side);
        // Dropped outside the lock: an event may hold the last address of an actor.
        drop((reason, events));
        for task in attached {
            task.abort();
        }
        for waiter in waiters {
            drop(waiter.send(exit.clone()));
        }
        true
    }

    /// The supervisor is being told how a life ended. Said while its place is locked.
    pub(crate) fn begin_deciding(self, exit: Exit) {
        self.side().suspension = Some(exit);
    }

    /// How the last life ended, if a supervisor was told and has not decided yet.
    pub(crate) fn undecided(self) -> Option<Exit> {
        let side = self.known_side()?;
        let word = self.word();
        let is_open = word.status() == Status::Suspended && word.verdict().is_none();
        side.suspension.clone().filter(|_| is_open)
    }

    /// Asks a suspended actor to live again.
    pub(crate) fn restart(self) {
        if self.word().status() == Status::Suspended {
            self.request(Flag::Restart);
        }
    }

    /// Lets no other life follow.
    pub(crate) fn release(self) {
        if self.word().may_live_again() {
            self.request(Flag::Released);
        }
    }

    /// Asks the life that the actor is in, or that was granted to it, to end, as a stop, a
    /// drain or a kill does. Asks nothing while it is suspended: whoever means the life that
    /// has ended must not end the next.
    pub(crate) fn end_life(self, flag: Flag, reason: Option<&str>) {
        let side = self.side();
        // Under the lock, which the end of a life takes too.
        let word = self.word();
        if word.status() != Status::Suspended || word.verdict().is_some() {
            self.ask_to_end(side, flag, reason);
        }
    }

    /// Asks this life to end, as a stop, a drain or a kill does, and no later one.
    pub(crate) fn end_this_life(self, life: u64, flag: Flag, reason: Option<&str>) {
        let side = self.side();
        // Under the lock, which the end of a life takes too.
        if self.life() == life {
            self.ask_to_end(side, flag, reason);
        }
    }

    fn ask_to_end(self, mut side: MutexGuard<'_, Side>, flag: Flag, reason: Option<&str>) {
        let is_first = !self.raise(flag).has(flag);
        if flag == Flag::Stop && is_first {
            side.stop_reason = reason.map(Arc::from);
        }
        if flag == Flag::Drain {
            self.way.shut();
        }
        drop(side);
        if flag == Flag::Drain {
            self.way.send_away();
        }
        self.way.wake();
    }

    /// A new life may have children.
    pub(crate) fn admit_children(self) {
        if let Some(mut side) = self.known_side() {
            side.is_childless = false;
        }
    }

    /// Lets no more messages in.
    pub(crate) fn close(self) {
        self.way.shut();
        self.way.send_away();
    }

    pub(super) fn request(self, flag: Flag) {
        self.raise(flag);
        self.way.wake();
    }

    pub(super) fn drain(self) {
        // The end of a life takes this lock too: both steps are of one life. An actor that has
        // only one needs none.
        let side = self.word().may_live_again().then(|| self.side());
        // The flag first: an actor that finds its mailbox closed knows why.
        self.raise(Flag::Drain);
        self.way.shut();
        drop(side);
        self.way.send_away();
        self.way.wake();
    }

    pub(super) fn stop(self, reason: Option<Arc<str>>) {
        match reason {
            None => _ = self.raise(Flag::Stop),
            Some(reason) => {
                let mut side = self.side();
                // Under the lock, which whoever asks for the reason takes too.
                if !self.raise(Flag::Stop).has(Flag::Stop) {
                    side.stop_reason = Some(reason);
                }
            }
        }
        self.way.wake();
    }

    pub(super) fn watch(self, id: ActorId, listener: Arc<dyn ExitListener>) -> WatchId {
        let mut side = self.side();
        side.watches_made += 1;
        let watch = WatchId::new(side.watches_made);
        match self.exit(&side) {
            None => {
                let gone = side.take_gone_watchers();
                side.watchers.push((watch, listener));
                drop(side);
                // Dropped outside the lock: a destructor may speak to this very actor.
                drop(gone);
            }
            Some(exit) => {
                drop(side);
                contained("an exit listener", move || listener.on_exit(id, &exit));
            }
        }
        watch
    }

    pub(super) fn unwatch(self, watch: WatchId) {
        let Some(mut side) = self.known_side() else { return };
        let index = side.watchers.iter().position(|(id, _)| *id == watch);
        let ended = index.map(|index| side.watchers.remove(index));
        drop(side);
        // Dropped outside the lock: its destructor may speak to this very actor.
        drop(ended);
    }

    pub(super) fn wait(self, waiter: oneshot::Sender<Exit>) {
        let mut side = self.side();
        if self.word().status() == Status::Stopped {
            drop(waiter.send(self.exit(&side).unwrap_or(Exit::Cancelled)));
            return;
        }
        // Waiters that gave up must not pile up while the actor lives.
        let gone = side.take_gone_waiters();
        side.waiters.push(waiter);
        drop(side);
        // Dropped outside the lock: each holds a waker, whose destructor may come back here.
        drop(gone);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use super::Flag;
    use crate::mailbox::Capacity;
    use crate::{
        Actor, ActorError, ActorRef, ActorSystem, Colocation, Exit, LinkError, ReplyPort, SpawnOptions,
        Status,
    };

    struct Plain;

    impl Actor for Plain {
        type Msg = ReplyPort<u64>;
        type State = u64;
        type Arguments = u64;

        async fn pre_start(&self, _: &ActorRef<ReplyPort<u64>>, from: u64) -> Result<u64, ActorError> {
            Ok(from)
        }

        async fn handle(
            &self,
            _: &ActorRef<ReplyPort<u64>>,
            port: ReplyPort<u64>,
            count: &mut u64,
        ) -> Result<(), ActorError> {
            *count += 1;
            let _ = port.send(*count);
            Ok(())
        }
    }

    fn is_attended<M: Send + 'static>(actor: &ActorRef<M>) -> bool {
        let state = actor.as_local().expect("it is local").state;
        assert_eq!(state.attendance.get().is_some(), state.word().has(Flag::Attended));
        state.attendance.get().is_some()
    }

    async fn stopped(actor: &ActorRef<ReplyPort<u64>>) {
        poll_fn(|cx| {
            if actor.status() == Status::Stopped {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    /// What is made only for those who are attended holds every lock of an actor's, and
    /// none of the maps of its system has room for one without a name or a group.
    #[tokio::test]
    async fn a_plain_life_touches_its_word_and_nothing_else() {
        let system = ActorSystem::new();
        let place = Colocation::new(&system);
        let bounded = Capacity::try_from(1).unwrap();
        let ways = [
            SpawnOptions::new(),
            SpawnOptions::new().mailbox(Capacity::Unbounded),
            SpawnOptions::new().mailbox(bounded),
            SpawnOptions::new().colocate(&place),
        ];
        let ends: [fn(&ActorRef<ReplyPort<u64>>); 3] =
            [|actor| actor.stop(None), |actor| actor.drain(), |actor| actor.kill()];
        for options in ways {
            for end in ends {
                let actor = system.spawn(Plain, 0, options.clone()).await.unwrap();
                assert_eq!(actor.call(|port| port).await.unwrap(), 1);
                actor.send(ReplyPort::nobody()).await.unwrap();
                let clone = actor.clone();
                end(&actor);
                stopped(&clone).await;
                assert!(!is_attended(&actor));
                // Its end is known all the same.
                assert!(matches!(
                    actor.wait(None).await,
                    Ok(Exit::Stopped(None) | Exit::Drained | Exit::Killed)
                ));
            }
        }
    }

    /// As a timer may, that fires on another thread while the life it was made in ends.
    #[tokio::test]
    async fn what_was_meant_for_another_life_is_not_asked() {
        let actor = ActorSystem::new().spawn(Plain, 0, SpawnOptions::new()).await.unwrap();
        let local = actor.as_local().expect("it is local");
        for request in [Flag::Stop, Flag::Kill] {
            local.end_this_life(local.life() + 1, request, Some("late"));
        }
        assert_eq!(actor.call(|port| port).await.unwrap(), 1);
        local.end_this_life(local.life(), Flag::Stop, Some("due"));
        assert_eq!(actor.wait(None).await, Ok(Exit::Stopped(Some("due".into()))));
    }

    #[tokio::test]
    async fn whoever_is_known_to_others_is_attended() {
        let system = ActorSystem::new();
        let spawn = |options| system.spawn(Plain, 0, options);
        assert!(is_attended(&spawn(SpawnOptions::new().name("known")).await.unwrap()));
        let parent = spawn(SpawnOptions::new()).await.unwrap();
        assert!(!is_attended(&parent));
        let child = spawn(SpawnOptions::new().supervisor(&parent.cell())).await.unwrap();
        assert!(is_attended(&parent) && is_attended(&child));
        let watched = spawn(SpawnOptions::new()).await.unwrap();
        parent.cell().watch(&watched.cell());
        assert!(is_attended(&watched));
        // Asking changes nothing.
        let alone = spawn(SpawnOptions::new()).await.unwrap();
        assert_eq!((alone.cell().supervisor(), alone.cell().children()), (None, vec![]));
        assert_eq!((alone.name(), alone.status()), (None, Status::Starting));
        assert!(!is_attended(&alone));
        assert_eq!(alone.cell().link(&parent.cell()), Ok::<(), LinkError>(()));
        assert!(is_attended(&alone));
    }
}
