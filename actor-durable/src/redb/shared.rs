//! What the store's handle, its readers and its writer share: the file, and whether it is still good.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use actor_core::Instant;
use redb::{Database, ReadableDatabase};

use super::arrivals::Announcer;
use super::disk::Health;
use super::error::{self, Trouble, damaged};
use super::view::Tables;
use super::world::World;
use crate::error::panic_text;
use crate::limits::REOPEN_PAUSE;
use crate::store::{ErrorCause, Refusal, StoreError};

/// A file that is open.
#[derive(Debug)]
pub(super) struct OpenFile {
    pub(super) database: Database,
    pub(super) health: Arc<Health>,
}

/// Opens the same file again.
pub(super) type Opener = Box<dyn Fn() -> Result<OpenFile, Refusal> + Send + Sync>;

/// What became of the file.
#[derive(Debug)]
enum State {
    Open(OpenFile),
    /// The disk had no space for a commit, which is certain not to have happened. From `again` on, whoever asks has the file opened
    /// again.
    Full {
        why: Refusal,
        again: Instant,
    },
    Closed,
}

pub(super) struct Shared {
    /// Reading and writing share the lock; compacting, reopening and closing hold it alone.
    state: RwLock<State>,
    /// `None` for a file that is never written.
    opener: Option<Opener>,
    world: World,
    announcer: Announcer,
    /// Why the store is closed for good, once it is.
    closed: OnceLock<ErrorCause>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("state", &self.state)
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn new(file: OpenFile, opener: Option<Opener>, world: World) -> Self {
        let state = RwLock::new(State::Open(file));
        Self { state, opener, world, announcer: Announcer::new(), closed: OnceLock::new() }
    }

    pub(super) fn world(&self) -> &World {
        &self.world
    }

    pub(super) fn announcer(&self) -> &Announcer {
        &self.announcer
    }

    /// The error of a closed store.
    pub(super) fn closed(&self) -> StoreError {
        let cause = self.closed.get().cloned();
        Refusal::Closed(cause.unwrap_or_else(|| ErrorCause::new("its writer has ended"))).into()
    }

    pub(super) fn check_open(&self) -> Result<(), StoreError> {
        if self.closed.get().is_some() { Err(self.closed()) } else { Ok(()) }
    }

    /// Closes the store for good. The first reason stays. Returns what the caller that met the failure is told.
    fn close(&self, refusal: Refusal) -> Refusal {
        let _ = self.closed.set(ErrorCause::new(refusal.clone()));
        if let State::Open(file) = &*self.state.read().unwrap_or_else(PoisonError::into_inner) {
            file.health.seal();
        }
        self.announcer.close();
        match refusal {
            // `Unavailable` would say that trying again may help; a closed store stays closed.
            Refusal::Unavailable(_) => Refusal::Closed(ErrorCause::new(refusal)),
            refusal => refusal,
        }
    }

    /// Works on the file, unless the store is closed or its disk is full.
    pub(super) fn with_file<T>(&self, work: impl FnOnce(&OpenFile) -> T) -> Result<T, StoreError> {
        self.reopen()?;
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        self.check_open()?;
        match &*state {
            State::Open(file) => Ok(work(file)),
            State::Full { why, .. } => Err(why.clone().into()),
            State::Closed => Err(self.closed()),
        }
    }

    /// If the disk was full and the pause since is over, opens the file again.
    fn reopen(&self) -> Result<(), StoreError> {
        if !matches!(&*self.state.read().unwrap_or_else(PoisonError::into_inner), State::Full { .. }) {
            return Ok(());
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        self.check_open()?;
        let State::Full { why, again } = &*state else { return Ok(()) };
        let began = self.world.executor().now();
        let Some(opener) = self.opener.as_ref().filter(|_| began >= *again) else {
            return Err(why.clone().into());
        };
        match opener() {
            Ok(file) => {
                self.world.take_file();
                *state = State::Open(file);
                self.announcer.announce_missed();
                Ok(())
            }
            Err(why) => {
                let now = self.world.executor().now();
                // Checking a large file takes long, and should not take most of the time.
                let pause = REOPEN_PAUSE.max(now.saturating_since(began) * REOPEN_SHARE);
                *state = State::Full { why: why.clone(), again: now + pause };
                Err(why.into())
            }
        }
    }

    /// Reads a snapshot. A damaged row is an error; if redb itself fails or panics over damage, the store is closed.
    pub(super) fn read<T>(&self, work: impl FnOnce(&Tables) -> Result<T, Trouble>) -> Result<T, StoreError> {
        let outcome = self.with_file(|file| {
            catch_unwind(AssertUnwindSafe(|| {
                let transaction = file.database.begin_read()?;
                work(&Tables::open(&transaction)?)
            }))
        })?;
        let refusal = match outcome {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(Trouble::Refused(error))) => return Err(error),
            Ok(Err(Trouble::Failed(refusal))) => refusal,
            Err(panic) => damaged(format!("redb has panicked: {}", panic_text(&*panic))),
        };
        Err(self.close(refusal).into())
    }

    /// Closes the store after a failure of the writer, and returns what is certain for its batch. If there was no space and nothing
    /// was changed, the store waits for space instead.
    pub(super) fn fail(&self, refusal: Refusal, was_published: bool) -> StoreError {
        if was_published {
            return StoreError::Unknown(ErrorCause::new(self.close(refusal)));
        }
        if !matches!(refusal, Refusal::NoSpace(_)) || self.opener.is_none() {
            return self.close(refusal).into();
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let again = self.world.executor().now() + REOPEN_PAUSE;
        let failed = std::mem::replace(&mut *state, State::Full { why: refusal.clone(), again });
        if let State::Open(file) = failed {
            self.world.give_up_file();
            // Closing would write the rest of the commit that has failed.
            file.health.seal();
            let _ = catch_unwind(AssertUnwindSafe(|| file.database.close()));
        }
        refusal.into()
    }

    /// Compacts the file. Nothing else has it meanwhile.
    pub(super) fn compact(&self) -> Result<bool, StoreError> {
        self.reopen()?;
        let refusal = {
            let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
            self.check_open()?;
            let file = match &mut *state {
                State::Open(file) => file,
                State::Full { why, .. } => return Err(why.clone().into()),
                State::Closed => return Err(self.closed()),
            };
            match catch_unwind(AssertUnwindSafe(|| file.database.compact())) {
                Ok(Ok(has_shrunk)) => return Ok(has_shrunk),
                Ok(Err(error)) => error::compaction(error),
                Err(panic) => damaged(format!("redb has panicked: {}", panic_text(&*panic))),
            }
        };
        // However far a compaction came, it has changed nothing that is stored.
        Err(self.fail(refusal, false))
    }

    /// Waits for readers, and closes the file.
    pub(super) fn end(&self, why: &'static str) {
        let _ = self.closed.set(ErrorCause::new(why));
        self.announcer.close();
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if let State::Open(file) = std::mem::replace(&mut *state, State::Closed) {
            // Everything that was answered is synced. After an error here the next opening checks the whole file.
            let _ = catch_unwind(AssertUnwindSafe(|| file.database.close()));
        }
    }
}

/// Between two openings passes this many times as long as the first took, so that opening takes at most a tenth of the time.
const REOPEN_SHARE: u32 = 9;
