//! A disk in memory that fails when it is told to: for tests of what the store makes of it.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;
use tokio::sync::watch;

/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// A disk that forgets what was not synced when its power is cut, and fails at a step that is said beforehand. Each write,
/// each change of its length and each sync is a step. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct FaultyDisk {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    released: Condvar,
    /// Whether a sync is held.
    syncing: watch::Sender<bool>,
    /// Whether a step has failed.
    failed: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    /// What is there whatever happens.
    durable: Vec<u8>,
    /// What is read.
    live: Vec<u8>,
    /// What was changed since the last sync, in order.
    unsynced: Vec<Change>,
    steps: u64,
    syncs: u64,
    fault: Option<(u64, DiskFault)>,
    is_held: bool,
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

/// How a disk fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DiskFault {
    /// Neither this step nor any later one happens. See [`FaultyDisk::power_cut`].
    Gone,
    /// From this step on writes say that there is no space. Syncs succeed.
    NoSpace,
    /// From this step on writes say that they are not allowed. Syncs succeed.
    ReadOnly,
    /// From this step on syncs fail, and what they should have synced may be lost.
    SyncFails,
    /// Once so many steps were begun reads fail. Steps succeed.
    ReadFails,
    /// This step panics.
    Panics,
}

impl FaultyDisk {
    /// An empty disk, in order.
    pub fn new() -> Self {
        Self::default()
    }

    fn with(live: Vec<u8>) -> Self {
        let disk = Self::new();
        *disk.state() = State { durable: live.clone(), live, ..State::default() };
        disk
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Steps that were begun.
    pub fn steps(&self) -> u64 {
        self.state().steps
    }

    /// Syncs that succeeded.
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// Fails at a step, counted from 0.
    pub fn fail_at(&self, step: u64, fault: DiskFault) {
        self.state().fault = Some((step, fault));
    }

    /// Is in order again, with all that was written and not forgotten.
    pub fn mend(&self) {
        self.state().fault = None;
    }

    /// From now on syncs wait until they are [released](Self::release_syncs).
    pub fn hold_syncs(&self) {
        self.state().is_held = true;
    }

    /// Waits until a sync is held.
    pub async fn syncing(&self) {
        // This disk is here, and so is whoever tells.
        let _ = self.shared.syncing.subscribe().wait_for(|is_syncing| *is_syncing).await;
    }

    /// Waits until a step has failed.
    pub async fn failed(&self) {
        let _ = self.shared.failed.subscribe().wait_for(|has_failed| *has_failed).await;
    }

    /// Whether a step has failed.
    pub fn has_failed(&self) -> bool {
        *self.shared.failed.borrow()
    }

    /// Lets syncs go on.
    pub fn release_syncs(&self) {
        self.state().is_held = false;
        self.shared.released.notify_all();
    }

    /// What is there if the power is cut now: all that was synced, and of what was not each sector or not, by a seed. The disk
    /// is in order again.
    #[must_use]
    pub fn power_cut(&self, seed: u64) -> Self {
        let state = self.state();
        let mut left = state.durable.clone();
        let mut random = Random(seed);
        for change in &state.unsynced {
            match change {
                Change::Length(length) if random.flips() => left.resize(*length, 0),
                Change::Length(_) => {}
                Change::Write { offset, bytes } => {
                    for (index, sector) in bytes.chunks(SECTOR_BYTES).enumerate() {
                        if random.flips() {
                            put(&mut left, offset + index * SECTOR_BYTES, sector);
                        }
                    }
                }
            }
        }
        Self::with(left)
    }

    /// The same bytes as are read now, on a disk that is in order.
    #[must_use]
    pub fn healed(&self) -> Self {
        Self::with(self.state().live.clone())
    }

    /// The bytes that are read now.
    pub fn bytes(&self) -> Vec<u8> {
        self.state().live.clone()
    }

    /// The bytes that were synced.
    pub fn synced(&self) -> Vec<u8> {
        self.state().durable.clone()
    }

    /// A disk with these bytes, in order.
    #[must_use]
    pub fn of_bytes(bytes: Vec<u8>) -> Self {
        Self::with(bytes)
    }

    /// Takes a step, unless it fails.
    fn step(&self, is_sync: bool) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        let step = state.steps;
        state.steps += 1;
        let fault = state.fault.filter(|(at, _)| step >= *at).map(|(at, fault)| (step == at, fault));
        let error: io::Error = match fault {
            Some((_, DiskFault::Gone)) => io::Error::other("the power is cut"),
            Some((_, DiskFault::NoSpace)) if !is_sync => io::ErrorKind::StorageFull.into(),
            Some((_, DiskFault::ReadOnly)) if !is_sync => io::ErrorKind::ReadOnlyFilesystem.into(),
            Some((_, DiskFault::SyncFails)) if is_sync => io::Error::other("the sync has failed"),
            Some((true, DiskFault::Panics)) => {
                drop(state);
                panic!("the disk panics");
            }
            _ => return Ok(state),
        };
        self.shared.failed.send_replace(true);
        Err(error)
    }
}

fn put(bytes: &mut Vec<u8>, offset: usize, written: &[u8]) {
    let end = offset + written.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(written);
}

fn place(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(io::Error::other)
}

impl StorageBackend for FaultyDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().live.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        if matches!(state.fault, Some((step, DiskFault::ReadFails)) if state.steps >= step) {
            return Err(io::Error::other("the read has failed"));
        }
        let start = place(offset)?;
        let bytes = state.live.get(start..start.saturating_add(out.len()));
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let length = place(len)?;
        let mut state = self.step(false)?;
        state.live.resize(length, 0);
        state.unsynced.push(Change::Length(length));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.step(true)?;
        while state.is_held {
            self.shared.syncing.send_replace(true);
            state = self.shared.released.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        self.shared.syncing.send_replace(false);
        state.syncs += 1;
        let State { durable, unsynced, .. } = &mut *state;
        for change in unsynced.drain(..) {
            match change {
                Change::Length(length) => durable.resize(length, 0),
                Change::Write { offset, bytes } => put(durable, offset, &bytes),
            }
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = place(offset)?;
        let mut state = self.step(false)?;
        put(&mut state.live, offset, data);
        state.unsynced.push(Change::Write { offset, bytes: data.to_vec() });
        Ok(())
    }
}

/// SplitMix64: few lines, and a seed is enough to have it again.
#[derive(Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    fn flips(&mut self) -> bool {
        self.next() & 1 == 1
    }
}
