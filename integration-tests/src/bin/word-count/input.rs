//! The texts: found, read and cut. Must not live here: who counts them.
//!
//! Every text is held in memory once, for the chunks that nobody has counted yet
//! and for the count that all is checked against.

use std::fs::{self, File};
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::words::{is_between_words, words};

/// How many bytes of files are read. A directory with more is refused.
const INPUT_BYTES_MAX: u64 = 1 << 30;

/// How many bytes a chunk has, unless it is one longer word. Small enough that a
/// worker is never long at one, and far below the longest frame.
const CHUNK_BYTES: usize = 64 * 1024;

/// The longest word, in bytes: it has to fit into a frame. A file with a longer one
/// is no text and is skipped.
const WORD_BYTES_MAX: usize = 256 * 1024;

/// What there is to count.
#[derive(Debug, Default)]
pub(crate) struct Input {
    pub(crate) texts: Vec<Arc<str>>,
    pub(crate) skipped: Vec<Skipped>,
}

/// A file or a directory that is not counted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Skipped {
    /// Relative to the input.
    pub(crate) path: PathBuf,
    pub(crate) why: String,
}

/// Part of a text, with no word cut.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    text: Arc<str>,
    range: Range<usize>,
}

impl Chunk {
    pub(crate) fn as_str(&self) -> &str {
        &self.text[self.range.clone()]
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.range.len() as u64
    }
}

impl Input {
    /// Reads every text under a directory. What cannot be read and what is not text
    /// is skipped; the directory itself must be readable.
    pub(crate) fn read(directory: &Path) -> io::Result<Self> {
        let mut input = Self::default();
        let files = input.find(directory)?;
        input.read_files(directory, &files)?;
        input.skipped.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        Ok(input)
    }

    /// How many bytes of text there are.
    pub(crate) fn bytes(&self) -> u64 {
        self.texts.iter().map(|text| text.len() as u64).sum()
    }

    /// Cuts the texts into chunks, small ones if that is what it takes to have
    /// `at_least` so many. There may be fewer all the same: a word is not cut.
    pub(crate) fn cut(&self, at_least: usize) -> Vec<Chunk> {
        // A few for each, so that whoever is fast gets more.
        let shares = 4 * at_least as u64;
        let fair = usize::try_from(self.bytes() / shares).unwrap_or(CHUNK_BYTES);
        let chunks = self.cut_to(fair.clamp(1, CHUNK_BYTES));
        if chunks.len() >= at_least { chunks } else { self.cut_to(1) }
    }

    fn cut_to(&self, bytes: usize) -> Vec<Chunk> {
        let of_text = |text: &Arc<str>| {
            let text = text.clone();
            let ranges = cut(&text, bytes);
            ranges.into_iter().map(move |range| Chunk { text: text.clone(), range })
        };
        self.texts.iter().flat_map(of_text).collect()
    }

    /// Every file under the directory, sorted. Links are not followed, hidden
    /// directories and cargo's output not entered.
    fn find(&mut self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        let mut open = self.list(directory, directory, &mut files)?;
        while let Some(inner) = open.pop() {
            match self.list(directory, &inner, &mut files) {
                Ok(more) => open.extend(more),
                Err(error) => self.skip(directory, &inner, &error),
            }
        }
        files.sort_unstable();
        Ok(files)
    }

    /// Adds the files of one directory, and gives its directories.
    fn list(&mut self, root: &Path, directory: &Path, files: &mut Vec<PathBuf>) -> io::Result<Vec<PathBuf>> {
        let mut directories = Vec::new();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let path = entry.path();
            match entry.file_type() {
                Err(error) => self.skip(root, &path, &error),
                Ok(kind) if kind.is_file() => files.push(path),
                Ok(kind) if kind.is_dir() && is_of_interest(directory, &path) => directories.push(path),
                Ok(_) => {}
            }
        }
        Ok(directories)
    }

    fn read_files(&mut self, root: &Path, files: &[PathBuf]) -> io::Result<()> {
        let mut room = INPUT_BYTES_MAX;
        for file in files {
            match read_text(file, room) {
                Ok(text) => {
                    room -= text.len() as u64;
                    self.texts.push(text.into());
                }
                Err(error) if error.kind() == io::ErrorKind::FileTooLarge => return Err(error),
                Err(error) => self.skip(root, file, &error),
            }
        }
        Ok(())
    }

    fn skip(&mut self, root: &Path, path: &Path, error: &io::Error) {
        let path = path.strip_prefix(root).unwrap_or(path).to_owned();
        self.skipped.push(Skipped { path, why: error.to_string() });
    }
}

fn is_of_interest(parent: &Path, directory: &Path) -> bool {
    let name = directory.file_name().unwrap_or_default();
    let is_hidden = name.as_encoded_bytes().starts_with(b".");
    let is_cargos = name == "target" && parent.join("Cargo.toml").is_file();
    !is_hidden && !is_cargos
}

fn read_text(file: &Path, room: u64) -> io::Result<String> {
    let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let mut bytes = Vec::new();
    if File::open(file)?.take(room + 1).read_to_end(&mut bytes)? as u64 > room {
        let most = INPUT_BYTES_MAX >> 20;
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("there are more than {most} MiB in it"),
        ));
    }
    let text = String::from_utf8(bytes)
        .map_err(|error| invalid(format!("not UTF-8, from byte {} on", error.utf8_error().valid_up_to())))?;
    let longest = words(&text).map(str::len).max().unwrap_or(0);
    if longest > WORD_BYTES_MAX {
        return Err(invalid(format!("a word of {longest} bytes")));
    }
    Ok(text)
}

/// Cuts a text into parts of about so many bytes, between words. A part is longer
/// only where it is one word.
fn cut(text: &str, bytes: usize) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let target = start.saturating_add(bytes).min(text.len());
        let before = (start + 1..=target).rev().find(|at| is_between_words(text, *at));
        let end = before.or_else(|| (target + 1..=text.len()).find(|at| is_between_words(text, *at)));
        let end = end.unwrap_or(text.len());
        parts.push(start..end);
        start = end;
    }
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;
    use crate::words::Tally;

    fn tree(files: &[(&str, &[u8])]) -> TempDir {
        let directory = TempDir::new().unwrap();
        for (path, bytes) in files {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        directory
    }

    fn of(texts: &[&str]) -> Input {
        Input { texts: texts.iter().map(|text| Arc::from(*text)).collect(), skipped: Vec::new() }
    }

    #[test]
    fn every_text_is_read_and_what_is_none_is_named() {
        let long = "x".repeat(WORD_BYTES_MAX + 1);
        let directory = tree(&[
            ("b.txt", b"two"),
            ("a/one.md", b"one"),
            ("a/.hidden", b"counted too"),
            ("empty", b""),
            ("a/latin1.txt", b"caf\xe9"),
            ("long.hex", long.as_bytes()),
            (".git/config", b"no"),
            ("Cargo.toml", b"[package]"),
            ("target/debug/out", b"no"),
            ("docs/target/aim.md", b"yes"),
        ]);
        let input = Input::read(directory.path()).unwrap();
        let texts: Vec<&str> = input.texts.iter().map(|text| &**text).collect();
        assert_eq!(texts, ["[package]", "counted too", "one", "two", "yes", ""]);
        let skipped = |path: &str, why: String| Skipped { path: path.into(), why };
        let expected = [
            skipped("a/latin1.txt", "not UTF-8, from byte 3 on".to_owned()),
            skipped("long.hex", format!("a word of {} bytes", long.len())),
        ];
        assert_eq!(input.skipped, expected);
    }

    /// Whoever runs the tests may be allowed to read everything, so the file is one
    /// that is gone when its turn comes.
    #[test]
    fn a_file_that_cannot_be_read_is_skipped() {
        let directory = tree(&[("here", b"yes"), ("gone", b"no")]);
        let mut input = Input::default();
        let files = input.find(directory.path()).unwrap();
        fs::remove_file(directory.path().join("gone")).unwrap();
        input.read_files(directory.path(), &files).unwrap();
        assert_eq!(input.texts, ["yes".into()]);
        assert_eq!(input.skipped.len(), 1);
        assert_eq!(input.skipped[0].path, Path::new("gone"));
    }

    #[test]
    fn a_directory_that_is_none_is_an_error() {
        let directory = tree(&[("file", b"")]);
        for missing in ["file", "missing"] {
            assert!(Input::read(&directory.path().join(missing)).is_err());
        }
        assert_eq!(
            Input::read(&directory.path().join("file")).unwrap_err().kind(),
            io::ErrorKind::NotADirectory
        );
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed() {
        let directory = tree(&[("a/text", b"once")]);
        std::os::unix::fs::symlink(directory.path(), directory.path().join("a/again")).unwrap();
        assert_eq!(Input::read(directory.path()).unwrap().texts.len(), 1);
    }

    #[test]
    fn small_inputs_have_small_chunks() {
        let text = "one two three four five six seven eight";
        assert!(of(&[text]).cut(5).len() >= 5);
        assert_eq!(of(&["word"]).cut(5).len(), 1);
        assert_eq!(of(&[]).cut(5).len(), 0);
        assert_eq!(of(&["", ""]).cut(5).len(), 0);
        assert_eq!(of(&["a", "b c", ""]).cut(4).len(), 4);
    }

    #[test]
    fn large_inputs_have_chunks_of_the_usual_size() {
        let text = "word ".repeat(1 << 20);
        let chunks = of(&[&text]).cut(5);
        assert!(chunks.iter().all(|chunk| chunk.bytes() <= CHUNK_BYTES as u64));
        assert_eq!(chunks.len(), text.len().div_ceil(CHUNK_BYTES - CHUNK_BYTES % 5));
    }

    proptest! {
        #[test]
        fn chunks_are_the_text_and_have_its_words(text in "[a-zé東 .\n]{0,200}", at_least in 1_usize..20) {
            let chunks = of(&[&text]).cut(at_least);
            prop_assert_eq!(chunks.iter().map(Chunk::as_str).collect::<String>(), &*text);
            let mut tally = Tally::default();
            for chunk in &chunks {
                prop_assert!(chunk.bytes() > 0);
                tally.merge(Tally::of(chunk.as_str()));
            }
            prop_assert_eq!(tally, Tally::of(&text));
        }
    }
}
