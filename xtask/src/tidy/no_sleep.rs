//! A test that sleeps to let something happen is slow where it is right and
//! wrong where the machine is slow. A line that must sleep says why.

use super::Finding;
use super::source::Named;
use super::tree::{File, Tree};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, source) in tree.rust() {
        let names = source.paths_with("sleep");
        let calls = names.iter().filter(|name| is_call(name) && is_test_code(file, name.line));
        let unexplained = calls.filter(|call| !is_explained(&file.text, call.line));
        findings.extend(unexplained.map(|call| Finding::error(&file.path, call.line, ADVICE)));
    }
    findings
}

fn is_call(name: &Named<'_>) -> bool {
    name.segments.last() == Some(&"sleep") && name.after == "(" && name.before != "fn"
}

/// Suites that others run are test code as well.
fn is_test_code(file: &File, line: usize) -> bool {
    file.is_test_line(line) || file.has_directory("testing")
}

/// On the line itself, or above it.
fn is_explained(text: &str, line: usize) -> bool {
    let lines: Vec<&str> = text.lines().take(line).collect();
    let has_reason = |line: &str| line.split_once(MARK).is_some_and(|(_, why)| !why.trim().is_empty());
    let mut above = lines[..line - 1].iter().rev().take_while(|line| line.trim_start().starts_with("//"));
    has_reason(lines[line - 1]) || above.any(|line| has_reason(line))
}

const MARK: &str = "// sleep:";

const ADVICE: &str = "a test does not sleep: wait for what should happen, or let virtual time pass; if it must, say \
    why in a comment `// sleep: <why>`";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    #[test]
    fn a_test_that_sleeps_is_found() {
        let text = "fn f() { sleep(1); }\n#[cfg(test)]\nmod tests {\n  tokio::time::sleep(1).await;\n  \
                    clock.sleep(1);\n  sleep_until(1);\n  fn sleep(x) {}\n}\n";
        let tree = Tree::of(&[
            ("a/src/a.rs", text),
            ("a/tests/b.rs", "sleep(1)"),
            ("a/src/testing/c.rs", "sleep(1)"),
        ]);
        assert_eq!(
            places(&check(&tree)),
            ["a/src/a.rs:4", "a/src/a.rs:5", "a/tests/b.rs:1", "a/src/testing/c.rs:1"]
        );
    }

    #[test]
    fn a_reason_beside_or_above_it_is_enough_and_an_empty_one_is_not() {
        let text = "sleep(1); // sleep: virtual time\n// sleep: the kernel decides,\n// not we\nsleep(1);\n\
                    sleep(1); // sleep:\n// sleep: other line\nf();\nsleep(1);\n";
        let tree = Tree::of(&[("a/tests/a.rs", text)]);
        assert_eq!(places(&check(&tree)), ["a/tests/a.rs:5", "a/tests/a.rs:8"]);
    }
}
