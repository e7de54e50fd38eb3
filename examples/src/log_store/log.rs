//! The file: a header, then records, each of which is whole or not there.
//!
//! ```text
//!  header   "actorlog"  version: u32
//!  record   length: u32  sum of place and length: u32  sum of place and payload: u32  payload
//! ```
//!
//! Numbers are little-endian and sums are CRC-32. A place is the offset at which the record begins, so that one that was moved counts
//! as damaged too. A record is written and synced before the next begins, so a crash can tear the last one only: bytes that are no
//! record are cut off if no record follows them, and are damage if one does.

use std::fmt::Debug;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use actor_durable::store::{ErrorCause, Refusal};

const MAGIC: &[u8; 8] = b"actorlog";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 12;
const RECORD_HEADER_BYTES: usize = 12;

/// Where the bytes go. A file, or what a test makes of one.
pub(super) trait Disk: Debug + Send {
    /// Writes at the end.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Returns once everything that was written survives a power cut.
    fn sync(&mut self) -> io::Result<()>;
}

impl Disk for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.seek(SeekFrom::End(0))?;
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// An open log. No other process has it.
#[derive(Debug)]
pub(super) struct Log {
    disk: Box<dyn Disk>,
    /// Where the next record begins.
    end: u64,
}

impl Log {
    /// A log on a disk, whose records end at `end`.
    pub(super) fn on(disk: Box<dyn Disk>, end: u64) -> Self {
        Self { disk, end }
    }

    /// Appends a record, and returns once it is stored.
    ///
    /// # Errors
    ///
    /// Whether it is stored is not known, and another one must not be appended.
    pub(super) fn append(&mut self, payload: &[u8]) -> io::Result<()> {
        let record = record(self.end, payload)?;
        self.disk.append(&record)?;
        self.disk.sync()?;
        self.end += record.len() as u64;
        Ok(())
    }

    pub(super) fn bytes(&self) -> u64 {
        self.end
    }
}

/// Held while the store is open. It is a file of its own, as the log is replaced when it is rewritten.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    pub(super) fn take(path: &Path) -> Result<Self, Refusal> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(beside(path, "lock"));
        let file = file.map_err(refusal)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Refusal::InUse(ErrorCause::new("its lock is taken"))),
            Err(TryLockError::Error(error)) => Err(refusal(error)),
        }
    }
}

/// The contents of a file.
pub(super) struct Contents {
    /// Each record's payload.
    pub(super) payloads: Vec<Vec<u8>>,
    /// How many bytes of an unfinished record were cut off.
    pub(super) torn_bytes: u64,
}

/// The name of a file that is the same whichever link leads to it: the lock lies beside it, and it is what is replaced. A missing
/// file is created, and is empty.
pub(super) fn resolve(path: &Path) -> Result<PathBuf, Refusal> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.and_then(|_| path.canonicalize()).map_err(refusal)
}

/// Reads a log, and cuts off an unfinished record at its end.
pub(super) fn open(path: &Path) -> Result<(Log, Contents), Refusal> {
    let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(refusal)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(refusal)?;
    if is_unfinished_header(&bytes) {
        return Ok((create(path)?, Contents { payloads: Vec::new(), torn_bytes: 0 }));
    }
    check_header(path, &bytes)?;
    let (payloads, end) = records(path, &bytes)?;
    let torn_bytes = (bytes.len() - end) as u64;
    if torn_bytes > 0 {
        file.set_len(end as u64).and_then(|()| file.sync_all()).map_err(refusal)?;
    }
    Ok((Log::on(Box::new(file), end as u64), Contents { payloads, torn_bytes }))
}

/// Creates an empty log beside its place and renames it when it is complete: a crash leaves all of it or nothing.
pub(super) fn create(path: &Path) -> Result<Log, Refusal> {
    replace(path, &[])
}

/// As [`create`], with records.
pub(super) fn replace(path: &Path, payloads: &[Vec<u8>]) -> Result<Log, Refusal> {
    let new = beside(path, "new");
    let write = || {
        let mut file = OpenOptions::new().create(true).truncate(true).read(true).write(true).open(&new)?;
        let mut bytes = [&MAGIC[..], &VERSION.to_le_bytes()].concat();
        for payload in payloads {
            bytes.extend(record(bytes.len() as u64, payload)?);
        }
        file.append(&bytes)?;
        file.sync_all()?;
        std::fs::rename(&new, path)?;
        // The name is what was written to the directory.
        File::open(directory(path))?.sync_all()?;
        Ok(Log::on(Box::new(file), bytes.len() as u64))
    };
    write().map_err(refusal)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A file was made and its header was not finished: nothing was ever stored in it.
fn is_unfinished_header(bytes: &[u8]) -> bool {
    let header = [&MAGIC[..], &VERSION.to_le_bytes()].concat();
    bytes.len() < HEADER_BYTES && header.starts_with(bytes)
}

fn check_header(path: &Path, bytes: &[u8]) -> Result<(), Refusal> {
    let found = match number(bytes, MAGIC.len()) {
        Some(found) if bytes.starts_with(MAGIC) => found,
        _ => return Err(damaged(path, 0, "it is no log of actors")),
    };
    match found {
        VERSION => Ok(()),
        0 => Err(damaged(path, 0, "it is of version 0")),
        _ => Err(Refusal::FutureVersion { what: path.display().to_string(), found, known: VERSION }),
    }
}

/// The payloads, and where the last whole record ends.
fn records(path: &Path, bytes: &[u8]) -> Result<(Vec<Vec<u8>>, usize), Refusal> {
    let (mut payloads, mut at) = (Vec::new(), HEADER_BYTES);
    while let Some(payload) = payload_at(bytes, at) {
        payloads.push(payload.to_vec());
        at += RECORD_HEADER_BYTES + payload.len();
    }
    if (at + 1..bytes.len()).any(|later| payload_at(bytes, later).is_some()) {
        return Err(damaged(path, at, "it is no record, and there are records after it"));
    }
    Ok((payloads, at))
}

/// The payload of the record that begins here, if a whole one does.
fn payload_at(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let length = number(bytes, at)?;
    if number(bytes, at + 4)? != sum(at as u64, &length.to_le_bytes()) {
        return None;
    }
    let start = at + RECORD_HEADER_BYTES;
    let payload = bytes.get(start..start.checked_add(usize::try_from(length).ok()?)?)?;
    (number(bytes, at + 8)? == sum(at as u64, payload)).then_some(payload)
}

fn record(place: u64, payload: &[u8]) -> io::Result<Vec<u8>> {
    let length = u32::try_from(payload.len()).map_err(|_| io::ErrorKind::FileTooLarge)?.to_le_bytes();
    let sums = [sum(place, &length).to_le_bytes(), sum(place, payload).to_le_bytes()];
    Ok([&length[..], &sums[0], &sums[1], payload].concat())
}

fn sum(place: u64, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&place.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

fn damaged(path: &Path, at: usize, detail: &str) -> Refusal {
    Refusal::Damaged { what: format!("{} at byte {at}", path.display()), detail: detail.to_owned() }
}

/// What the system says, in the words of the contract.
pub(super) fn refusal(error: io::Error) -> Refusal {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Refusal::NoSpace(ErrorCause::new(error)),
        io::ErrorKind::ReadOnlyFilesystem => Refusal::ReadOnly(ErrorCause::new(error)),
        io::ErrorKind::PermissionDenied => Refusal::Denied(ErrorCause::new(error)),
        _ => Refusal::Unavailable(ErrorCause::new(error)),
    }
}
