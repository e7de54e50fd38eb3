//! A file that is not written: what redb writes to it stays in memory.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;
use std::io;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::{BackendError, StorageBackend};

/// Writes are kept by blocks of this size.
const BLOCK_BYTES: usize = 4 << 10;

/// Reads the backend below, and keeps in memory what is written.
#[derive(Debug)]
pub(super) struct Overlay<B> {
    below: B,
    written: Mutex<Written>,
}

#[derive(Debug, Default)]
struct Written {
    /// `None` as long as the length is that of the backend below.
    length: Option<u64>,
    blocks: BTreeMap<u64, Vec<u8>>,
}

impl<B: StorageBackend> Overlay<B> {
    pub(super) fn new(below: B) -> Self {
        Self { below, written: Mutex::default() }
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A block as it is below, with zeros after the end.
    fn block(&self, number: u64) -> io::Result<Vec<u8>> {
        let mut block = vec![0; BLOCK_BYTES];
        let start = number * BLOCK_BYTES as u64;
        let there = self.below.len()?.saturating_sub(start).min(BLOCK_BYTES as u64);
        let there = usize::try_from(there).map_err(io::Error::other)?;
        self.below.read(start, &mut block[..there])?;
        Ok(block)
    }

    /// Goes through the blocks of a range: their number, where in the block, where in the range, how many bytes.
    fn blocks(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, usize, usize)> {
        let mut done = 0;
        std::iter::from_fn(move || {
            let at = offset + done as u64;
            let within = usize::try_from(at % BLOCK_BYTES as u64).expect("it is less than a block");
            let part = (BLOCK_BYTES - within).min(length - done);
            let from = done;
            done += part;
            (part > 0).then_some((at / BLOCK_BYTES as u64, within, from, part))
        })
    }
}

impl<B: StorageBackend> StorageBackend for Overlay<B> {
    fn len(&self) -> io::Result<u64> {
        let length = self.written().length;
        length.map_or_else(|| self.below.len(), Ok)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if offset.saturating_add(out.len() as u64) > self.len()? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let written = self.written();
        for (number, within, from, part) in Self::blocks(offset, out.len()) {
            let below;
            let block = match written.blocks.get(&number) {
                Some(block) => block,
                None => {
                    below = self.block(number)?;
                    &below
                }
            };
            out[from..from + part].copy_from_slice(&block[within..within + part]);
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        // If the file is cut and grows again, old blocks would show through: redb writes before it reads there.
        self.written().length = Some(len);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut written = self.written();
        for (number, within, from, part) in Self::blocks(offset, data.len()) {
            let block = match written.blocks.entry(number) {
                Slot::Occupied(block) => block.into_mut(),
                Slot::Vacant(vacant) => vacant.insert(self.block(number)?),
            };
            block[within..within + part].copy_from_slice(&data[from..from + part]);
        }
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.below.close()
    }

    /// Readers share the file with each other, and not with a writer.
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.below.try_lock_shared_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.below.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.below.lock_shared_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.below.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.below.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.below.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redb::faulty::FaultyDisk;

    #[test]
    fn what_is_written_is_read_above_a_file_that_stays_as_it_is() {
        let below = FaultyDisk::of_bytes(b"0123456789".to_vec());
        let overlay = Overlay::new(below.clone());
        overlay.write(3, b"abc").expect("it is kept in memory");
        overlay.set_len(12).expect("it is kept in memory");
        let mut bytes = [0; 12];
        overlay.read(0, &mut bytes).expect("it is so long");
        assert_eq!((&bytes, overlay.len().ok()), (b"012abc6789\0\0", Some(12)));
        let beyond = overlay.read(1, &mut bytes).expect_err("it is not so long");
        assert_eq!(beyond.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(below.bytes(), b"0123456789");
    }
}
