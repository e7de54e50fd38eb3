//! `docs/book/guarantees.md` says beside each promise which tests hold it. They exist.
//!
//! ```text
//! | Messages stay in order | `a13_messages_of_one_sender_stay_in_order` |
//!                                └── a test of this name, somewhere
//! ```

use std::collections::BTreeSet;

use super::Finding;
use super::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(page) = tree.file(PAGE) else { return vec![Finding::error(PAGE, 0, "the page is missing")] };
    let tests: BTreeSet<&str> = tree.tests().map(|(_, function)| function.name).collect();
    let mut findings = Vec::new();
    for (index, line) in page.text.lines().enumerate() {
        let Some(held_by) = held_by(line) else { continue };
        let names: Vec<&str> = held_by.split('`').skip(1).step_by(2).collect();
        if names.is_empty() {
            findings.push(Finding::error(PAGE, index + 1, "no test holds this; name one, or promise less"));
        }
        let missing = names.into_iter().filter(|name| !tests.contains(name));
        findings.extend(missing.map(|name| {
            Finding::error(PAGE, index + 1, format!("there is no test {name}; name one that holds this"))
        }));
    }
    findings
}

/// The last cell of a row of promises.
fn held_by(line: &str) -> Option<&str> {
    let cells: Vec<&str> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
    match cells[..] {
        [_, "held by"] => None,
        [_, held_by] => Some(held_by),
        _ => None,
    }
}

const PAGE: &str = "docs/book/guarantees.md";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    #[test]
    fn a_promise_that_no_test_holds_is_found() {
        let page = "# Page\n| promise | held by |\n|---|---|\n| a `code` | `one`, and `two` |\n\
            | b | `three` |\n| c | all of them |\n| d | `none` |\n";
        let tests = "#[test]\nfn one() {}\nmount! { two }\nfn two() {}\nfn three() {}\n";
        let findings = check(&Tree::of(&[(PAGE, page), ("a/tests/a.rs", tests)]));
        let page = |line: u32| format!("{PAGE}:{line}");
        assert_eq!(places(&findings), [page(5), page(6), page(7)]);
        assert_eq!(check(&Tree::of(&[])).len(), 1);
    }
}
