//! What the store's handle, its readers and its writer share: the file, and whether it is still good.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use redb::{Database, ReadableDatabase};

use super::arrivals::Bell;
use super::disk::Health;
use super::error::{self, Trouble, damaged, panic_text};
use super::view::Tables;
use super::world::World;
use crate::store::{ErrorCause, Refusal, StoreError};

#[derive(Debug)]
pub(super) struct Shared {
    /// Empty once the file is closed. Whoever reads or writes holds the lock shared; a compaction holds it alone.
    database: RwLock<Option<Database>>,
    health: Arc<Health>,
    world: World,
    bell: Bell,
    /// Why the store is closed, once it is.
    closed: OnceLock<ErrorCause>,
}

impl Shared {
    pub(super) fn new(database: Database, health: Arc<Health>, world: World) -> Self {
        let database = RwLock::new(Some(database));
        Self { database, health, world, bell: Bell::new(), closed: OnceLock::new() }
    }

    pub(super) fn health(&self) -> &Health {
        &self.health
    }

    pub(super) fn world(&self) -> &World {
        &self.world
    }

    pub(super) fn bell(&self) -> &Bell {
        &self.bell
    }

    /// Why nothing is done any more.
    pub(super) fn closed(&self) -> StoreError {
        let cause = self.closed.get().cloned();
        Refusal::Closed(cause.unwrap_or_else(|| ErrorCause::new("its writer has ended"))).into()
    }

    pub(super) fn is_open(&self) -> Result<(), StoreError> {
        if self.closed.get().is_some() { Err(self.closed()) } else { Ok(()) }
    }

    /// Closes the store for good: the first reason stays.
    fn close(&self, cause: ErrorCause) {
        let _ = self.closed.set(cause);
        self.health.seal();
        self.bell.close();
    }

    /// Works on the file while it is good.
    pub(super) fn with_database<T>(&self, work: impl FnOnce(&Database) -> T) -> Result<T, StoreError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        self.is_open()?;
        database.as_ref().map(work).ok_or_else(|| self.closed())
    }

    /// Reads, as of one moment. What it finds damaged is said; if redb itself comes to grief over it the store is closed.
    pub(super) fn read<T>(&self, work: impl FnOnce(&Tables) -> Result<T, Trouble>) -> Result<T, StoreError> {
        let outcome = self.with_database(|database| {
            catch_unwind(AssertUnwindSafe(|| {
                let transaction = database.begin_read()?;
                work(&Tables::open(&transaction)?)
            }))
        })?;
        match outcome {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(Trouble::Refused(error))) => Err(error),
            Ok(Err(Trouble::Failed(refusal))) => {
                self.close(ErrorCause::new(refusal.clone()));
                Err(refusal.into())
            }
            Err(panic) => {
                let refusal = damaged(format!("redb has panicked: {}", panic_text(&*panic)));
                self.close(ErrorCause::new(refusal.clone()));
                Err(refusal.into())
            }
        }
    }

    /// The writer has failed: the store is closed, and its batch is told what is certain.
    pub(super) fn fail(&self, refusal: Refusal) -> StoreError {
        self.close(ErrorCause::new(refusal.clone()));
        if self.health.was_published() {
            return StoreError::Unknown(ErrorCause::new(refusal));
        }
        StoreError::NotApplied(refusal)
    }

    /// Compacts the file, alone with it.
    pub(super) fn compact(&self) -> Result<bool, StoreError> {
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        self.is_open()?;
        let Some(database) = database.as_mut() else { return Err(self.closed()) };
        let outcome = catch_unwind(AssertUnwindSafe(|| database.compact()));
        let refusal = match outcome {
            Ok(Ok(has_shrunk)) => return Ok(has_shrunk),
            Ok(Err(error)) => error::compaction(error),
            Err(panic) => damaged(format!("redb has panicked: {}", panic_text(&*panic))),
        };
        // What a compaction moves changes nothing that is stored, however far it came.
        self.close(ErrorCause::new(refusal.clone()));
        Err(refusal.into())
    }

    /// Waits for whoever reads, and gives the file back.
    pub(super) fn end(&self, why: &'static str) {
        let _ = self.closed.set(ErrorCause::new(why));
        self.bell.close();
        let database = self.database.write().unwrap_or_else(PoisonError::into_inner).take();
        // All that was promised is synced: an error here says that the next opening looks through the whole file.
        let _ = catch_unwind(AssertUnwindSafe(|| database.map(Database::close)));
    }
}
