//! Errors of redb and of the disk, as errors of the contract.

use std::any::Any;
use std::io;

use redb::{CommitError, CompactionError, DatabaseError, StorageError, TableError, TransactionError};

use crate::store::{ErrorCause, Refusal, StoreError};

/// Why a piece of work on the file ended early.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The operation is refused. The file is sound, and nothing was changed.
    Refused(StoreError),
    /// The file, or the disk, has failed.
    Failed(Refusal),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal.into())
    }
}

impl From<StorageError> for Trouble {
    fn from(error: StorageError) -> Self {
        match error {
            // The operation that met the failure itself closes the store.
            StorageError::PreviousIo => {
                let cause = ErrorCause::new("another operation on the file has failed meanwhile");
                Self::Refused(Refusal::Unavailable(cause).into())
            }
            error => Self::Failed(storage(error)),
        }
    }
}

impl From<TransactionError> for Trouble {
    fn from(error: TransactionError) -> Self {
        match error {
            TransactionError::Storage(error) => error.into(),
            error => Self::Failed(Refusal::Unavailable(ErrorCause::new(error.to_string()))),
        }
    }
}

impl From<TableError> for Trouble {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Storage(error) => error.into(),
            error => Self::Failed(damaged(error.to_string())),
        }
    }
}

impl From<CommitError> for Trouble {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Storage(error) => error.into(),
            error => Self::Failed(Refusal::Unavailable(ErrorCause::new(error.to_string()))),
        }
    }
}

/// What a failure of redb's storage means.
pub(super) fn storage(error: StorageError) -> Refusal {
    match error {
        StorageError::Io(error) => io(error),
        StorageError::Corrupted(detail) => corrupted(detail),
        StorageError::ValueTooLarge(size) => Refusal::TooLarge { what: "a row", size, max: 3 << 30 },
        error @ (StorageError::PreviousIo | StorageError::DatabaseClosed | StorageError::LockPoisoned(_)) => {
            Refusal::Closed(ErrorCause::new(error.to_string()))
        }
        error => Refusal::Unavailable(ErrorCause::new(error.to_string())),
    }
}

/// What an error of the operating system means.
pub(super) fn io(error: io::Error) -> Refusal {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => {
            Refusal::NoSpace(ErrorCause::new(error))
        }
        Kind::ReadOnlyFilesystem | Kind::PermissionDenied => Refusal::ReadOnly(ErrorCause::new(error)),
        Kind::UnexpectedEof => damaged("it ends too early"),
        Kind::InvalidData => damaged(error.to_string()),
        _ => Refusal::Unavailable(ErrorCause::new(error)),
    }
}

/// What an error at opening means.
pub(super) fn opening(error: DatabaseError) -> Refusal {
    match error {
        DatabaseError::DatabaseAlreadyOpen
        | DatabaseError::LockProtocolMismatch
        | DatabaseError::TransactionInProgress => Refusal::InUse(ErrorCause::new(error.to_string())),
        DatabaseError::UpgradeRequired(version) => {
            damaged(format!("its pages are of version {version}, which no release of this store has written"))
        }
        DatabaseError::Storage(error) => storage(error),
        error => damaged(error.to_string()),
    }
}

/// What an error of a compaction means.
pub(super) fn compaction(error: CompactionError) -> Refusal {
    match error {
        CompactionError::Storage(error) => storage(error),
        error => Refusal::Unavailable(ErrorCause::new(error.to_string())),
    }
}

fn corrupted(detail: String) -> Refusal {
    match page_version(&detail) {
        Some((found, known)) => {
            Refusal::FutureVersion { what: "the form of the file's pages".into(), found, known }
        }
        None => damaged(detail),
    }
}

/// redb has no error of its own for pages of a later version, so its text is read.
fn page_version(detail: &str) -> Option<(u32, u32)> {
    let (known, found) = detail.strip_prefix("Expected file format version <= ")?.split_once(", found ")?;
    let (known, found) = (known.parse().ok()?, found.parse().ok()?);
    (found > known).then_some((found, known))
}

/// The file is not as it was written.
pub(super) fn damaged(detail: impl Into<String>) -> Refusal {
    Refusal::Damaged { what: "the file".into(), detail: detail.into() }
}

/// The message of a panic.
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text").to_owned()
}
