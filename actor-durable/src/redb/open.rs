//! Opens a file: creates it if there is none, and checks that it is a store of a known version.

use std::fs::{File, OpenOptions};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use actor_core::Executor;
use redb::backends::FileBackend;
use redb::{Builder, Database, ReadTransaction, ReadableDatabase, StorageBackend, TableHandle};

use super::disk::{Disk, Health};
use super::error::{self, Trouble, damaged};
use super::keys::{self, BUSY, DUE, FORMAT, FORMAT_KEY, META, ROWS};
use super::shared::OpenFile;
use crate::error::panic_text;
use crate::store::Refusal;

/// How a file is opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opening {
    pub(super) cache_bytes: usize,
    pub(super) is_checked: bool,
    /// Whether a missing file is created.
    pub(super) is_made: bool,
}

/// Opens a file, or creates it.
pub(super) fn open_file(path: &Path, opening: Opening, executor: &Executor) -> Result<OpenFile, Refusal> {
    // Links in a circle are an error here.
    let is_there = path.try_exists().map_err(error::io)?;
    let path = &end_of_links(path);
    if opening.is_made && !is_there {
        create(path, opening, executor, |beside, path| std::fs::hard_link(beside, path))?;
    }
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(error::io)?;
    let opened = open_existing(backend(file)?, opening)?;
    // The process that created the file may have ended before it did this.
    sync_directory(path)?;
    Ok(opened)
}

/// Where links lead: the name that a file has, or is to have.
fn end_of_links(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    while let Ok(to) = path.read_link() {
        path = path.parent().unwrap_or(Path::new("")).join(to);
    }
    path
}

/// Opens what is on a backend. An empty file is damaged: a file gets its name once it is a store.
pub(super) fn open_existing(backend: impl StorageBackend, opening: Opening) -> Result<OpenFile, Refusal> {
    if backend.len().map_err(error::io)? == 0 {
        return Err(damaged("it is empty"));
    }
    open_backend(backend, opening)
}

/// Gives a file a second name, as [`std::fs::hard_link`] does.
type Link = fn(&Path, &Path) -> io::Result<()>;

/// Creates a file beside its place and names it when it is complete, so that there is never half a store under its name.
fn create(path: &Path, opening: Opening, executor: &Executor, link: Link) -> Result<(), Refusal> {
    let beside = beside(path, &format!(".{:016x}.new", executor.random_u64()));
    let made = make(&beside, opening).and_then(|()| name(&beside, path, link).map_err(error::io));
    let _ = std::fs::remove_file(&beside);
    made
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(ending);
    path.with_file_name(name)
}

/// Gives a complete file its name, unless another process was faster: its file is as good, and may be in use.
fn name(complete: &Path, path: &Path, link: Link) -> io::Result<()> {
    match link(complete, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // Where there are no links, each file system says so in its own way. If it is something else, renaming says it too.
        Err(_) => rename(complete, path, File::lock),
        linked => linked,
    }
}

/// Renames a file unless there is one of that name. A link would see to both in one step; here processes take turns by a file that
/// they lock. `wait` locks it once nobody else has it.
fn rename(complete: &Path, path: &Path, wait: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
    let turn = beside(path, ".lock.new");
    let lock = OpenOptions::new().write(true).create(true).truncate(false).open(&turn)?;
    wait(&lock)?;
    if !path.try_exists()? {
        std::fs::rename(complete, path)?;
    }
    // Whoever waits for this one, or locks another, finds the file. After a failure it would not, so then this one stays.
    let _ = std::fs::remove_file(&turn);
    Ok(())
}

fn make(path: &Path, opening: Opening) -> Result<(), Refusal> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(path).map_err(error::io)?;
    open_backend(backend(file)?, opening)?.database.close().map_err(error::opening)
}

/// A new name survives a power cut only once its directory is synced.
fn sync_directory(path: &Path) -> Result<(), Refusal> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if cfg!(unix) {
        let directory = File::open(parent.unwrap_or(Path::new("."))).map_err(error::io)?;
        return match directory.sync_all() {
            // Some file systems cannot sync a directory, and do so by themselves.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) =>
            {
                Ok(())
            }
            synced => synced.map_err(error::io),
        };
    }
    Ok(())
}

fn backend(file: File) -> Result<FileBackend, Refusal> {
    FileBackend::new(file).map_err(error::opening)
}

/// Opens what is on a backend, or creates a store if it is empty.
pub(super) fn open_backend(backend: impl StorageBackend, opening: Opening) -> Result<OpenFile, Refusal> {
    let health = Arc::new(Health::default());
    let disk = Disk::new(backend, health.clone());
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let database = Builder::new()
            .set_cache_size(opening.cache_bytes)
            .set_check_integrity_on_open(opening.is_checked)
            .create_with_backend(disk)
            .map_err(error::opening)?;
        prepare(&database)?;
        Ok(database)
    }));
    let opened =
        opened.unwrap_or_else(|panic| Err(damaged(format!("redb has panicked: {}", panic_text(&*panic)))));
    Ok(OpenFile { database: opened?, health })
}

/// Checks that the file is a store of a known version, and makes an empty one a store.
fn prepare(database: &Database) -> Result<(), Refusal> {
    prepared(database).map_err(error::failure)
}

fn prepared(database: &Database) -> Result<(), Trouble> {
    let transaction = database.begin_read()?;
    let mut tables = transaction.list_tables()?.map(|table| table.name().to_owned()).collect::<Vec<_>>();
    tables.sort_unstable();
    if tables.is_empty() {
        drop(transaction);
        return initialise(database);
    }
    if !tables.iter().any(|table| table == META.name()) {
        return Err(damaged(format!("it is no store: its tables are {}", tables.join(", "))).into());
    }
    let version = version(&transaction)?;
    if version > FORMAT {
        let what = "the store".into();
        return Err(Refusal::FutureVersion { what, found: version, known: FORMAT }.into());
    }
    if version < FORMAT || tables != [BUSY.name(), DUE.name(), META.name(), ROWS.name()] {
        return Err(damaged(format!("it is of version {version}, with tables {}", tables.join(", "))).into());
    }
    super::view::Tables::open(&transaction)?;
    Ok(())
}

fn version(transaction: &ReadTransaction) -> Result<u32, Trouble> {
    let meta = transaction.open_table(META)?;
    let row = redb::ReadableTable::get(&meta, FORMAT_KEY)?;
    let row = row.ok_or_else(|| damaged("it does not say of which version it is"))?;
    Ok(u32::from_le_bytes(keys::unseal(FORMAT_KEY, row.value())?))
}

fn initialise(database: &Database) -> Result<(), Trouble> {
    let transaction = database.begin_write()?;
    {
        transaction.open_table(ROWS)?;
        transaction.open_table(DUE)?;
        transaction.open_table(BUSY)?;
        let mut meta = transaction.open_table(META)?;
        meta.insert(FORMAT_KEY, keys::seal(FORMAT_KEY, &FORMAT.to_le_bytes()).as_slice())?;
    }
    Ok(transaction.commit()?)
}

#[cfg(test)]
mod tests {
    use std::fs::TryLockError;
    use std::sync::{Barrier, mpsc};
    use std::time::Duration;

    use super::*;
    use crate::limits::CACHE_BYTES_DEFAULT;

    const OPENING: Opening = Opening { cache_bytes: CACHE_BYTES_DEFAULT, is_checked: true, is_made: true };

    /// As vfat and exFAT say it.
    fn no_links(_: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn names(directory: &Path) -> Vec<std::ffi::OsString> {
        let names = std::fs::read_dir(directory).expect("it is there");
        names.map(|entry| entry.expect("it reads").file_name()).collect()
    }

    #[test]
    fn a_store_is_created_where_there_are_no_links() {
        let directory = tempfile::tempdir().expect("a directory");
        let (path, executor) = (directory.path().join("store.redb"), Executor::tokio());
        create(&path, OPENING, &executor, no_links).expect("it is created");
        let made = std::fs::read(&path).expect("it is there");
        create(&path, OPENING, &executor, no_links).expect("it is there");
        assert_eq!(std::fs::read(&path).expect("it is there"), made);
        assert_eq!(names(directory.path()), ["store.redb"], "nothing is left beside it");
        open_file(&path, Opening { is_made: false, ..OPENING }, &executor).expect("it is a store");
        let nowhere = directory.path().join("nowhere/store.redb");
        create(&nowhere, OPENING, &executor, no_links).expect_err("there is no directory");
    }

    #[test]
    fn whoever_renames_a_store_waits_for_another_that_does_and_finds_its_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("store.redb");
        let (complete, turn) = (beside(&path, ".second.new"), beside(&path, ".lock.new"));
        std::fs::write(&complete, "second").expect("there is space");
        let other = File::create(&turn).expect("there is space");
        other.lock().expect("nobody has it");
        let (waits, waiting) = mpsc::channel();
        let wait = |lock: &File| {
            let is_taken = matches!(lock.try_lock(), Err(TryLockError::WouldBlock));
            waits.send(is_taken).expect("somebody listens");
            lock.lock()
        };
        std::thread::scope(|scope| {
            let second = scope.spawn(|| rename(&complete, &path, wait));
            assert_eq!(waiting.recv_timeout(Duration::from_secs(30)), Ok(true), "it waits");
            assert!(!path.exists(), "nothing is there before it has waited");
            std::fs::write(&path, "first").expect("there is space");
            drop(other);
            second.join().expect("no panic").expect("there is one");
        });
        assert_eq!(std::fs::read_to_string(&path).expect("it is there"), "first");
    }

    /// Whoever has opened the first would write to a file without a name, if another took its place.
    #[test]
    fn the_first_of_many_that_create_a_store_stays() {
        for link in [no_links as Link, |complete, path| std::fs::hard_link(complete, path)] {
            for _ in 0..20 {
                let directory = tempfile::tempdir().expect("a directory");
                let path = directory.path().join("store.redb");
                let begin = Barrier::new(4);
                let create = |number: usize| {
                    let complete = beside(&path, &format!(".{number}.new"));
                    std::fs::write(&complete, number.to_string()).expect("there is space");
                    begin.wait();
                    name(&complete, &path, link).expect("one of them is there");
                    let _ = std::fs::remove_file(&complete);
                    std::fs::read_to_string(&path).expect("it is there")
                };
                let found = std::thread::scope(|scope| {
                    let threads = [0, 1, 2, 3].map(|number| scope.spawn(move || create(number)));
                    threads.map(|thread| thread.join().expect("no panic"))
                });
                assert!(found.iter().all(|other| *other == found[0]), "{found:?}");
                assert_eq!(names(directory.path()), ["store.redb"]);
            }
        }
    }
}
