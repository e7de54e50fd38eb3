//! What an actor in this process is asked and how it stands: one word that
//! everybody may change, and beside it what does not fit, made when first needed.
//! The life of an actor that nobody names, links, watches or waits for touches the
//! word and nothing else.

mod life;
mod news;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, OnceLock};

use tokio::sync::oneshot;

use super::cell::ActorCell;
use super::control::{ExitListener, WatchId, Way};
use crate::attached::Attached;
use crate::contain::contained;
use crate::event::SupervisionEvent;
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
    /// What a drain of this life calls instead of closing the mailbox.
    on_drain: Option<DrainHook>,
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

/// What an actor wants called when it is to drain.
pub(crate) type DrainHook = Arc<dyn Fn() + Send + Sync>;

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

    /// Makes the actor look at what was asked of it.
    pub(crate) fn wake(self) {
        self.way.wake();
    }

    pub(crate) fn stop_reason(self) -> Option<Arc<str>> {
        self.known_side()?.stop_reason.clone()
    }

    /// Sets what its supervisor calls it, once.
    pub(crate) fn set_child_id(self, id: Arc<str>) {
        let _ = self.state.attendance().child_id.set(id);
    }

    /// What its supervisor calls it.
    pub(crate) fn child_id(self) -> Option<&'a str> {
        self.state.attendance.get()?.child_id.get().map(|id| &**id)
    }

    fn ask_to_end(self, mut side: MutexGuard<'_, Side>, flag: Flag, reason: Option<&str>) {
        if flag == Flag::Drain
            && let Some(hook) = side.on_drain.clone()
        {
            drop(side);
            return call_drain_hook(&*hook);
        }
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
        let hook = self.known_side().and_then(|side| side.on_drain.clone());
        match hook {
            Some(hook) => call_drain_hook(&*hook),
            None => self.drain_mailbox(),
        }
    }

    /// Has this life's drains call something instead; of a life that is over nothing is called.
    pub(super) fn on_drain(self, hook: DrainHook) {
        let mut side = self.side();
        // The end of a life takes it away under this lock, after it has changed the word.
        let is_alive = self.word().status() < Status::Stopping;
        let former = if is_alive { side.on_drain.replace(hook) } else { Some(hook) };
        drop(side);
        // A user's, and dropped outside the lock.
        drop(former);
    }

    pub(super) fn drain_mailbox(self) {
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
}

/// Outside any lock: it is a user's.
fn call_drain_hook(hook: &dyn Fn()) {
    contained("what an actor does to drain", hook);
}
