//! Errors of redb and of the disk, as errors of the contract.

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

/// The refusal that an opening, or a whole batch, fails with.
pub(super) fn failure(trouble: Trouble) -> Refusal {
    match trouble {
        Trouble::Failed(refusal) | Trouble::Refused(StoreError::NotApplied(refusal)) => refusal,
        Trouble::Refused(error) => Refusal::Unavailable(ErrorCause::new(error)),
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
        Kind::ReadOnlyFilesystem => Refusal::ReadOnly(ErrorCause::new(error)),
        Kind::PermissionDenied => Refusal::Denied(ErrorCause::new(error)),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn text(refusal: Refusal) -> String {
        StoreError::from(refusal).to_string()
    }

    /// What is seldom met: the others are, in the tests of stores.
    #[test]
    fn each_failure_of_redb_is_named() {
        let closed = "not applied: the store is closed: ";
        let io = || StorageError::Io(io::ErrorKind::StorageFull.into());
        assert_eq!(
            text(storage(StorageError::ValueTooLarge(7))),
            "not applied: a row: 7, and at most 3221225472 are allowed"
        );
        for error in [StorageError::PreviousIo, StorageError::DatabaseClosed] {
            let why = error.to_string();
            assert_eq!(text(storage(error)), format!("{closed}{why}"));
        }
        let upgrade = "not applied: damaged: the file: its pages are of version 2, which no release of this store has written";
        assert_eq!(text(opening(DatabaseError::UpgradeRequired(2))), upgrade);
        let full = "not applied: there is no space left: no storage space";
        assert_eq!(text(compaction(CompactionError::Storage(io()))), full);
        assert_eq!(text(failure(TransactionError::Storage(io()).into())), full);
        assert_eq!(text(failure(CommitError::Storage(io()).into())), full);
        assert_eq!(text(failure(TableError::Storage(io()).into())), full);
    }

    #[test]
    fn pages_are_of_the_future_only_if_their_version_is_greater() {
        let of = |found| format!("Expected file format version <= 3, found {found}");
        assert_eq!(page_version(&of(4)), Some((4, 3)));
        assert_eq!(page_version(&of(3)), None);
        assert_eq!(page_version("Expected file format version <= x, found 4"), None);
    }
}
