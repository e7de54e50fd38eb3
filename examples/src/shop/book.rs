//! Somebody outside, such as a carrier: a file with a line for each thing done. It may be asked to do the same thing again, and
//! recognises it by its key. One process at a time has it.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use actor_core::ActorError;
use actor_durable::store::Outgoing;
use actor_durable::{DurableId, Outlet};
use async_trait::async_trait;

/// See the module.
#[derive(Clone, Debug)]
pub struct Book(Arc<Mutex<Pages>>);

#[derive(Debug)]
struct Pages {
    file: File,
    /// Where the lines end that are known to be on disk.
    end: u64,
    keys: BTreeSet<String>,
}

/// A thing that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookLine {
    /// The key it was asked for with.
    pub key: String,
    /// What it was.
    pub text: String,
}

impl Book {
    /// Opens a book in a file, or creates it.
    ///
    /// # Errors
    ///
    /// The file cannot be opened or read.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        // If the process ended while it wrote a line, nobody was told that it is done.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64)?;
        // A line that is whole is known by its key from now on.
        file.sync_data()?;
        let keys = lines(&text[..whole]).map(|line| line.key).collect();
        Ok(Self(Arc::new(Mutex::new(Pages { file, end: whole as u64, keys }))))
    }

    /// All lines of a book, in order.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn read(path: &Path) -> io::Result<Vec<BookLine>> {
        Ok(lines(&std::fs::read_to_string(path)?).collect())
    }

    fn write(&self, key: String, text: &str) -> io::Result<()> {
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pages.keys.contains(&key) {
            return Ok(());
        }
        let line = format!("{key} {}\n", text.replace('\n', " "));
        // An attempt that failed may have left something.
        let end = pages.end;
        pages.file.set_len(end)?;
        pages.file.write_all(line.as_bytes())?;
        pages.file.sync_data()?;
        pages.end = end + line.len() as u64;
        pages.keys.insert(key);
        Ok(())
    }
}

fn lines(text: &str) -> impl Iterator<Item = BookLine> {
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    pairs.map(|(key, text)| BookLine { key: key.to_owned(), text: text.to_owned() })
}

#[async_trait]
impl Outlet for Book {
    async fn deliver(&self, _: &DurableId, message: &Outgoing) -> Result<(), ActorError> {
        let (book, key) = (self.clone(), message.id.to_string());
        let text = String::from_utf8_lossy(&message.body.bytes).into_owned();
        // A sync blocks.
        tokio::task::spawn_blocking(move || book.write(key, &text)).await??;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk that fails cannot be had here, so a test leaves what a failed write would.
    #[test]
    fn what_a_failed_attempt_has_left_is_not_in_the_book() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("book");
        let fails = |left: &str| OpenOptions::new().append(true).open(&path)?.write_all(left.as_bytes());
        let keys =
            || -> Vec<String> { Book::read(&path).unwrap().into_iter().map(|line| line.key).collect() };
        let book = Book::open(&path).unwrap();
        book.write("a".into(), "first").unwrap();
        fails("b half of its li").unwrap();
        book.write("b".into(), "second").unwrap();
        fails("c whole, and not known to be on disk\n").unwrap();
        book.write("c".into(), "third").unwrap();
        book.write("a".into(), "first").unwrap();
        assert_eq!(keys(), ["a", "b", "c"]);
        fails("d torn").unwrap();
        let book = Book::open(&path).unwrap();
        book.write("c".into(), "third").unwrap();
        book.write("d".into(), "fourth").unwrap();
        assert_eq!(keys(), ["a", "b", "c", "d"]);
    }
}
