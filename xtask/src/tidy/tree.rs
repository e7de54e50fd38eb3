//! The files that checks look at: those git tracks or would track, so that
//! build output is never read and a new file is judged before it is added.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, str};

use crate::shell::{self, Failure};

use super::source::{Function, Source};

/// A set of text files, each with its path from the workspace's root.
pub(super) struct Tree {
    files: Vec<File>,
}

/// One text file.
pub(super) struct File {
    /// From the workspace's root, with `/` on every system.
    pub(super) path: String,
    pub(super) text: String,
    /// What the code says, if it is Rust that we build. The samples that
    /// compile-fail tests show to the compiler are text.
    pub(super) rust: Option<Source>,
}

impl Tree {
    /// Reads the workspace at `root`.
    pub(super) fn read(root: &Path) -> Result<Tree, Failure> {
        let mut files = Vec::new();
        for path in paths(root)? {
            // Not there: deleted and not yet committed. Not UTF-8: no text of ours.
            if let Some(text) =
                fs::read(root.join(&path)).ok().and_then(|bytes| String::from_utf8(bytes).ok())
            {
                files.push(File::new(path, text));
            }
        }
        Ok(Tree { files })
    }

    /// A tree in memory, for the tests of the checks.
    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Tree {
        Tree { files: files.iter().map(|(path, text)| File::new((*path).into(), (*text).into())).collect() }
    }

    pub(super) fn files(&self) -> &[File] {
        &self.files
    }

    /// The Rust files, with their code.
    pub(super) fn rust(&self) -> impl Iterator<Item = (&File, &Source)> {
        self.files.iter().filter_map(|file| file.rust.as_ref().map(|source| (file, source)))
    }

    /// Every test, with its file: a function that has a test attribute, or that a macro
    /// names, as of a suite that is written once and mounted by each implementation.
    pub(super) fn tests(&self) -> impl Iterator<Item = (&File, Function<'_>)> {
        let mounted: BTreeSet<&str> = self.rust().flat_map(|(_, source)| source.names_in_macros()).collect();
        let functions =
            self.rust().flat_map(|(file, source)| source.functions().into_iter().map(move |f| (file, f)));
        functions.filter(move |(_, function)| function.has_test_attribute || mounted.contains(function.name))
    }

    /// The file at exactly this path.
    pub(super) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }
}

impl File {
    fn new(path: String, text: String) -> File {
        let is_ours = path.ends_with(".rs") && !is_fixture(&path);
        let rust = is_ours.then(|| Source::new(&text));
        File { path, text, rust }
    }

    /// Whether it lies in one of these rooms. A room named `a/b` is the file
    /// `a/b.rs` and everything under `a/b/`.
    pub(super) fn is_in(&self, rooms: &[&str]) -> bool {
        let mut rests = rooms.iter().filter_map(|room| self.path.strip_prefix(room));
        rests.any(|rest| rest == ".rs" || rest.starts_with('/'))
    }

    /// Whether all of it is test code: a test target, or a module that moved
    /// its tests next door.
    pub(super) fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.has_directory("tests")
    }

    /// Whether some directory on its path has this name.
    pub(super) fn has_directory(&self, name: &str) -> bool {
        let mut names = self.path.split('/').rev();
        names.next();
        names.any(|directory| directory == name)
    }

    /// Whether this line is test code.
    pub(super) fn is_test_line(&self, line: usize) -> bool {
        self.is_test() || self.rust.as_ref().is_some_and(|source| source.is_test_line(line))
    }
}

/// `tests/ui/…`: programs that are wrong on purpose.
fn is_fixture(path: &str) -> bool {
    path.contains("tests/ui/")
}

fn paths(root: &Path) -> Result<Vec<String>, Failure> {
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root);
    let mut paths = if shell::works(Command::new("git").args(["rev-parse", "--git-dir"]).current_dir(root)) {
        shell::read(&mut git)?.split_terminator('\0').map(str::to_owned).collect()
    } else {
        walk(root)
    };
    paths.sort();
    paths.dedup();
    Ok(paths)
}

/// Where there is no git, as in an unpacked archive: everything but build output.
fn walk(root: &Path) -> Vec<String> {
    let mut paths = Vec::new();
    let mut directories = vec![PathBuf::new()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(root.join(&directory)).into_iter().flatten().flatten() {
            let path = directory.join(entry.file_name());
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && entry.file_name() != "target" => directories.push(path),
                Ok(kind) if kind.is_file() => paths.extend(path.to_str().map(|path| path.replace('\\', "/"))),
                _ => {}
            }
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_a_file_or_a_directory() {
        let tree = Tree::of(&[("a/b.rs", ""), ("a/b/c.rs", ""), ("a/bc.rs", ""), ("a/d.rs", "")]);
        let inside: Vec<_> = tree.files().iter().filter(|file| file.is_in(&["a/b", "a/d"])).collect();
        assert_eq!(
            inside.iter().map(|file| &*file.path).collect::<Vec<_>>(),
            ["a/b.rs", "a/b/c.rs", "a/d.rs"]
        );
    }

    #[test]
    fn samples_for_the_compiler_are_not_our_code() {
        let tree = Tree::of(&[("a/tests/ui/wrong.rs", "unsafe"), ("a/tests/right.rs", "")]);
        let rust: Vec<_> = tree.rust().map(|(file, _)| &*file.path).collect();
        assert_eq!(rust, ["a/tests/right.rs"]);
    }

    #[test]
    fn test_files_are_known_by_their_place() {
        let tree = Tree::of(&[("a/tests/x.rs", ""), ("a/src/m/tests.rs", ""), ("a/src/tests_of.rs", "")]);
        assert_eq!(tree.files().iter().map(File::is_test).collect::<Vec<_>>(), [true, true, false]);
    }

    #[test]
    fn without_git_the_same_files_are_found_by_walking() {
        let walked = walk(&shell::root().join("xtask"));
        assert!(walked.iter().any(|path| path == "src/tidy/tree.rs"), "{walked:?}");
    }
}
