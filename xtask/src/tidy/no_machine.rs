//! What is in the tree works on anyone's machine: it names nobody's
//! directories, and gets packages from crates.io alone.

use super::Finding;
use super::tree::{File, Tree};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.files().iter().flat_map(in_file).collect()
}

fn in_file(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        if let Some(directory) = DIRECTORIES.iter().find(|directory| names_directory(line, directory)) {
            let message = format!("a path under /{directory} is there on one machine only; make it relative");
            findings.push(Finding::error(&file.path, index + 1, message));
        }
        if is_foreign_source(&file.path, line.trim()) {
            let message = "packages come from crates.io; this line names another place";
            findings.push(Finding::error(&file.path, index + 1, message));
        }
    }
    findings
}

/// Whether the line has the directory right under the root of a file system:
/// nothing that could be a part of a path, or of an address, stands before it.
fn names_directory(line: &str, directory: &str) -> bool {
    let needle = format!("/{directory}/");
    line.match_indices(&needle).any(|(at, _)| !line[..at].ends_with(is_part_of_a_path))
}

fn is_part_of_a_path(letter: char) -> bool {
    letter.is_alphanumeric() || "._-~$})>*]".contains(letter)
}

fn is_foreign_source(path: &str, line: &str) -> bool {
    match path.rsplit('/').next() {
        Some("Cargo.lock") => line.starts_with("source = ") && line != CRATES_IO,
        Some("Cargo.toml") => ["git = ", "registry = "].iter().any(|key| has_key(line, key)),
        Some("config.toml" | "config") if path.contains(".cargo/") => {
            ["[source", "[registr", "registry = ", "index = ", "replace-with"]
                .iter()
                .any(|key| line.starts_with(key))
        }
        _ => false,
    }
}

fn has_key(line: &str, key: &str) -> bool {
    let starts_word = |at: usize| line[..at].ends_with([' ', '{', ',']) || at == 0;
    line.match_indices(key).any(|(at, _)| starts_word(at))
}

/// Where people and machines keep their own things.
const DIRECTORIES: &[&str] = &["root", "home", "Users", "work"];

const CRATES_IO: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    #[test]
    fn a_directory_of_one_machine_is_found() {
        let own: String = DIRECTORIES.iter().map(|name| format!("see \"/{name}/x\"\n")).collect();
        let others = "a/home/b $HOME/Users/ https://x.org/Users/ /usr/ the/root/of ../Users/ {dir}/home/x";
        let tree = Tree::of(&[("docs/a.md", &own), ("docs/b.md", others)]);
        assert_eq!(places(&check(&tree)), [1, 2, 3, 4].map(|line| format!("docs/a.md:{line}")));
    }

    #[test]
    fn packages_from_elsewhere_are_found() {
        let lock = format!(
            "{CRATES_IO}\nsource = \"registry+https://mirror.example/index\"\nsource = \"git+https://x\"\n"
        );
        let tree = Tree::of(&[
            ("Cargo.lock", &lock),
            ("a/Cargo.toml", "repository = \"x\"\na = { git = \"https://x\" }\nb = { version = \"1\" }\n"),
            (".cargo/config.toml", "[alias]\nxtask = \"run\"\n[source.crates-io]\n"),
        ]);
        let expected = ["Cargo.lock:2", "Cargo.lock:3", "a/Cargo.toml:2", ".cargo/config.toml:3"];
        assert_eq!(places(&check(&tree)), expected);
    }
}
