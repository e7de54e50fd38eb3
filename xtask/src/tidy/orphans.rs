//! A file that no `mod` names is not compiled, and its tests are silent. Every Rust file
//! is named by its parent, or is the root of a target.

use super::Finding;
use super::tree::{File, Tree};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let orphans = tree.rust().filter(|(file, _)| !is_root(tree, &file.path) && !is_named(tree, &file.path));
    orphans.map(|(file, _)| Finding::error(&file.path, 0, ADVICE)).collect()
}

/// Cargo finds these by itself, unless it is told not to look for tests, or a manifest names them.
fn is_root(tree: &Tree, path: &str) -> bool {
    let Some((directory, name)) = path.rsplit_once('/') else { return true };
    let (package, room) = directory.rsplit_once('/').unwrap_or(("", directory));
    let looks_for_tests = || {
        let manifest = tree.file(&format!("{package}/Cargo.toml"));
        manifest.is_none_or(|manifest| !manifest.text.lines().any(|line| line == "autotests = false"))
    };
    ["lib.rs", "main.rs", "build.rs"].contains(&name)
        || ["examples", "benches", "bin", "fuzz_targets"].contains(&room)
        || (room == "tests" && looks_for_tests())
        || tree.files().iter().any(|file| is_path_in(file, path))
}

/// Whether this is a manifest that names the file.
fn is_path_in(manifest: &File, path: &str) -> bool {
    let Some(root) = manifest.path.strip_suffix("Cargo.toml") else { return false };
    let named = path.strip_prefix(root).map(|path| format!("path = \"{path}\""));
    named.is_some_and(|named| manifest.text.lines().any(|line| line.trim() == named))
}

/// Whether a file beside or above says `mod` of it.
fn is_named(tree: &Tree, path: &str) -> bool {
    let Some((directory, name)) = path.rsplit_once('/') else { return true };
    let (directory, name) = match name {
        "mod.rs" => match directory.rsplit_once('/') {
            Some(above) => above,
            None => return true,
        },
        _ => (directory, name.trim_end_matches(".rs")),
    };
    let of = |directory: &str| {
        let within = ["mod.rs", "lib.rs", "main.rs"].map(|parent| format!("{directory}/{parent}"));
        within.into_iter().chain([format!("{directory}.rs")]).filter_map(|parent| tree.file(&parent))
    };
    // A directory may be a module in braces of the file above it.
    let (above, room) = directory.rsplit_once('/').unwrap_or_default();
    of(directory).any(|parent| says(parent, &format!("{name};")))
        || of(above).any(|parent| says(parent, &format!("{room} {{")) && says(parent, &format!("{name};")))
}

/// Whether a line of the file's is `mod` and this.
fn says(file: &File, what: &str) -> bool {
    let mut lines = file.text.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    lines.any(|line| {
        let rest = line.strip_suffix(what);
        rest.is_some_and(|rest| rest == "mod " || rest.ends_with(" mod "))
    })
}

const ADVICE: &str = "no `mod` names this file, so it is not compiled";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    #[test]
    fn a_file_that_nobody_names_is_found() {
        let tree = Tree::of(&[
            ("a/src/lib.rs", "mod b;\npub(crate) mod c;\n// mod e;\nmod ff;\n"),
            ("a/src/b.rs", "#[cfg(test)]\nmod tests;\n"),
            ("a/src/b/tests.rs", ""),
            ("a/src/b/d.rs", ""),
            ("a/src/c/mod.rs", "mod tests {}\n"),
            ("a/src/c/tests.rs", ""),
            ("a/src/e.rs", ""),
            ("a/src/f.rs", ""),
            ("a/src/ff/mod.rs", ""),
            ("a/src/g/mod.rs", ""),
            ("a/src/bin/tool.rs", ""),
            ("a/tests/main.rs", "mod world;\nmod cases {\n    mod two;\n}\n"),
            ("a/tests/cases/two.rs", ""),
            ("a/Cargo.toml", "autotests = false\n[[bin]]\npath = \"src/h.rs\"\n"),
            ("a/src/h.rs", ""),
            ("a/tests/world.rs", ""),
            ("a/tests/lost.rs", ""),
            ("b/tests/one.rs", ""),
            ("a/tests/cases/one.rs", ""),
        ]);
        assert_eq!(
            places(&check(&tree)),
            [
                "a/src/b/d.rs:0",
                "a/src/c/tests.rs:0",
                "a/src/e.rs:0",
                "a/src/f.rs:0",
                "a/src/g/mod.rs:0",
                "a/tests/lost.rs:0",
                "a/tests/cases/one.rs:0"
            ]
        );
    }
}
