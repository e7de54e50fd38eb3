//! Stands between redb and a file: writes the header last, and nothing more after a failure.
//!
//! redb writes the pages and the header of a commit in any order, and the header makes the commit visible. Here the header is held
//! back until everything else is written and the file is about to be synced. So if a write fails for lack of space the header is
//! as it was, and it is certain that the commit did not happen.

use std::io;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::{BackendError, StorageBackend};

/// What the writer knows of the disk.
#[derive(Debug, Default)]
pub(super) struct Health {
    is_sealed: AtomicBool,
    was_published: AtomicBool,
}

impl Health {
    /// Notes that a commit begins: nothing of it is visible in the file yet.
    pub(super) fn begin(&self) {
        self.was_published.store(false, Ordering::Release);
    }

    /// Whether a header was written since, so that the commit may be visible to whoever opens the file.
    pub(super) fn was_published(&self) -> bool {
        self.was_published.load(Ordering::Acquire)
    }

    /// Stops all further writes.
    pub(super) fn seal(&self) {
        self.is_sealed.store(true, Ordering::Release);
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Disk<B> {
    inner: B,
    health: Arc<Health>,
    /// The header that waits for the sync; it belongs at the beginning of the file.
    header: Mutex<Option<Vec<u8>>>,
}

impl<B: StorageBackend> Disk<B> {
    pub(super) fn new(inner: B, health: Arc<Health>) -> Self {
        Self { inner, health, header: Mutex::new(None) }
    }

    fn header(&self) -> MutexGuard<'_, Option<Vec<u8>>> {
        self.header.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_open(&self) -> io::Result<()> {
        if self.health.is_sealed.load(Ordering::Acquire) {
            return Err(io::Error::other("nothing is written to a file that has failed"));
        }
        Ok(())
    }
}

impl<B: StorageBackend> StorageBackend for Disk<B> {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.inner.read(offset, out)?;
        let header = self.header();
        let Some(held) = header.as_ref() else { return Ok(()) };
        if let Some(from) = usize::try_from(offset).ok().and_then(|offset| held.get(offset..)) {
            let shared = from.len().min(out.len());
            out[..shared].copy_from_slice(&from[..shared]);
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check_open()?;
        self.inner.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.check_open()?;
        if let Some(header) = self.header().take() {
            self.health.was_published.store(true, Ordering::Release);
            self.inner.write(0, &header)?;
        }
        self.inner.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check_open()?;
        if offset > 0 {
            return self.inner.write(offset, data);
        }
        *self.header() = Some(data.to_vec());
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.inner.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redb::faulty::FaultyDisk;

    #[test]
    fn a_header_is_read_as_it_was_written_and_is_in_the_file_only_with_the_next_sync() {
        let (file, health) = (FaultyDisk::new(), Arc::new(Health::default()));
        let disk = Disk::new(file.clone(), health.clone());
        let read = |offset, count| {
            let mut bytes = vec![0; count];
            disk.read(offset, &mut bytes).expect("it is in the file");
            bytes
        };
        disk.set_len(8).expect("there is space");
        disk.write(0, b"head").expect("there is space");
        disk.write(4, b"page").expect("there is space");
        assert_eq!((read(0, 8), read(1, 5), read(1, 2)), (b"headpage".into(), b"eadpa".into(), b"ea".into()));
        assert_eq!((file.bytes(), health.was_published()), (b"\0\0\0\0page".into(), false));
        disk.sync_data().expect("it syncs");
        assert_eq!((file.bytes(), health.was_published()), (b"headpage".into(), true));
        health.begin();
        disk.write(4, b"next").expect("there is space");
        disk.sync_data().expect("it syncs");
        assert!(!health.was_published(), "no header was written since");
    }

    #[test]
    fn nothing_is_written_to_a_file_that_is_sealed() {
        let (file, health) = (FaultyDisk::new(), Arc::new(Health::default()));
        let disk = Disk::new(file.clone(), health.clone());
        disk.set_len(4).expect("there is space");
        disk.write(0, b"head").expect("there is space");
        health.seal();
        let refused = [disk.set_len(9), disk.write(0, b"tail"), disk.write(2, b"il"), disk.sync_data()];
        for refused in refused {
            let why = refused.expect_err("it is sealed").to_string();
            assert_eq!(why, "nothing is written to a file that has failed");
        }
        assert_eq!((file.bytes(), health.was_published()), (vec![0; 4], false));
    }
}
