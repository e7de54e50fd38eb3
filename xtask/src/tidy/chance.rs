//! What differs from run to run by itself has no place where a simulated cluster runs: one seed would give two runs.

use super::source::Named;
use super::tree::{File, Tree};
use super::{Finding, one_per_line};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, source) in tree.rust().filter(|(file, _)| file.is_in(SIMULATED)) {
        for chance in CHANCES {
            let paths = source.paths_with(chance.path);
            let found = paths.iter().filter(|path| (chance.is_it)(path) && !file.is_test_line(path.line));
            let unexplained = found.filter(|path| !is_explained(&file.text, path.line, chance.mark));
            findings.extend(unexplained.map(|path| chance.found(file, path.line)));
        }
    }
    one_per_line(findings)
}

/// Something that happens by chance.
struct Chance {
    path: &'static str,
    is_it: fn(&Named<'_>) -> bool,
    /// What a line may say for itself.
    mark: &'static str,
    instead: &'static str,
}

impl Chance {
    fn found(&self, file: &File, line: usize) -> Finding {
        let Self { path, instead, mark, .. } = self;
        let message = format!(
            "`{path}` does not do the same each time: {instead}, or say why it does no harm: `{mark} <why>`"
        );
        Finding::error(&file.path, line, message)
    }
}

/// On the line itself, or above it.
fn is_explained(text: &str, line: usize, mark: &str) -> bool {
    let lines: Vec<&str> = text.lines().take(line).collect();
    let has_reason = |line: &str| line.split_once(mark).is_some_and(|(_, why)| !why.trim().is_empty());
    let mut above = lines[..line - 1].iter().rev().take_while(|line| line.trim_start().starts_with("//"));
    has_reason(lines[line - 1]) || above.any(|line| has_reason(line))
}

const SIMULATED: &[&str] = &[
    "actor-core/src",
    "actor-cluster/src/session",
    "actor-cluster/src/membership",
    "actor-cluster/src/node",
];

/// A type's name where something is of that type; that it is brought in, or made, does not count again.
fn is_type(path: &Named<'_>) -> bool {
    path.after == "<"
}

fn is_macro(path: &Named<'_>) -> bool {
    path.after == "!"
}

fn is_any(_: &Named<'_>) -> bool {
    true
}

const UNORDERED: &str = "// unordered:";
const RANDOM: &str = "// by chance:";
const ORDER: &str = "its order differs from run to run; use a BTreeMap, a BTreeSet or a slab";
const WATCH: &str = "it wakes those who wait in an order of its own; use a lock and `tokio::sync::Notify`, as node/link/standing.rs";
const SELECT: &str = "it looks at its branches in an order of its own; use `futures_util::future::select`";
const SEEDED: &str = "it is seeded by the operating system; ask the executor for random bytes";

const CHANCES: &[Chance] = &[
    Chance { path: "HashMap", is_it: is_type, mark: UNORDERED, instead: ORDER },
    Chance { path: "HashSet", is_it: is_type, mark: UNORDERED, instead: ORDER },
    Chance { path: "tokio::sync::watch", is_it: is_any, mark: RANDOM, instead: WATCH },
    Chance { path: "select", is_it: is_macro, mark: RANDOM, instead: SELECT },
    Chance { path: "RandomState", is_it: is_any, mark: RANDOM, instead: SEEDED },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    #[test]
    fn what_happens_by_chance_is_found() {
        let text = "use std::collections::{HashMap, HashSet};\nuse tokio::sync::{Notify, watch};\n\
                    struct A {\n  a: HashMap<u8, u8>,\n  b: HashSet<u8>,\n  c: BTreeMap<u8, u8>,\n}\n\
                    fn f() {\n  select! { a => b }\n  select(a, b);\n  RandomState::new();\n}\n";
        let tree = Tree::of(&[("actor-cluster/src/node/a.rs", text), ("transport-tcp/src/a.rs", text)]);
        let lines = [2, 4, 5, 9, 11].map(|line| format!("actor-cluster/src/node/a.rs:{line}"));
        assert_eq!(places(&check(&tree)), lines);
    }

    #[test]
    fn what_says_why_and_tests_are_left_alone() {
        let text = "struct A {\n  // unordered: looked up and never gone through\n  a: HashMap<u8, u8>,\n  \
                    b: HashSet<u8>, // unordered: counted\n  c: HashSet<u8>, // unordered:\n}\n\
                    #[cfg(test)]\nmod tests {\n  struct B(HashSet<u8>);\n}\n";
        let tree = Tree::of(&[
            ("actor-core/src/a.rs", text),
            ("actor-core/src/b/tests.rs", "struct B(HashSet<u8>);"),
        ]);
        assert_eq!(places(&check(&tree)), ["actor-core/src/a.rs:5"]);
    }
}
