//! Tasks, time and chance come through the executor and from nowhere else, so
//! that a seeded scheduler can take the place of tokio under a whole system.

use super::tree::Tree;
use super::{Finding, one_per_line};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let behind = tree.rust().filter(|(file, _)| file.is_in(BEHIND_THE_SEAM) && !file.is_in(SEAM));
    for (file, source) in behind {
        for path in BYPASSES {
            let found = source.paths_with(path);
            let lines = found.iter().map(|path| path.line).filter(|line| !file.is_test_line(*line));
            findings.extend(lines.map(|line| Finding::error(&file.path, line, format!("`{path}` {ADVICE}"))));
        }
    }
    one_per_line(findings)
}

const BEHIND_THE_SEAM: &[&str] = &["actor-core/src", "actor-cluster/src/node"];
const SEAM: &[&str] = &["actor-core/src/executor"];

const ADVICE: &str = "goes around the executor, and a simulated system would not see it; ask the system's executor \
    to spawn, to tell the time, to sleep or for randomness";

const BYPASSES: &[&str] = &[
    "tokio::spawn",
    "tokio::task",
    "tokio::time",
    "Instant::now",
    "SystemTime::now",
    "thread_rng",
    "rand::",
    "getrandom",
    "thread::spawn",
    "thread::sleep",
    "thread::Builder",
    "Handle::current",
    "Handle::try_current",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    const SAMPLE: &str = "tokio::spawn(f());\nuse tokio::task;\nuse tokio::{sync, time::sleep};\nInstant::now();\nthread_rng();\n\
        getrandom::fill(x);\nstd::thread::spawn(f);\nHandle::current();\nuse tokio::sync::mpsc;\n";

    #[test]
    fn every_way_around_the_executor_is_found() {
        let tree = Tree::of(&[("actor-core/src/system.rs", SAMPLE)]);
        let lines: Vec<usize> = check(&tree).iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn the_seam_itself_tests_and_transports_are_left_alone() {
        let in_test = format!("#[cfg(test)]\nmod tests {{\n{SAMPLE}}}\n");
        let tree = Tree::of(&[
            ("actor-core/src/executor.rs", SAMPLE),
            ("actor-core/src/executor/seeded.rs", SAMPLE),
            ("actor-core/src/a.rs", &in_test),
            ("actor-core/tests/a.rs", SAMPLE),
            ("transport-tcp/src/lib.rs", SAMPLE),
            ("actor-cluster/src/node/mod.rs", "tokio::spawn(f())"),
        ]);
        assert_eq!(places(&check(&tree)), ["actor-cluster/src/node/mod.rs:1"]);
    }
}
