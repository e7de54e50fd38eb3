//! `docs/book/guarantees.md` and `docs/SECURITY.md` say beside each promise which tests hold it. They exist.
//!
//! ```text
//! | Messages stay in order | `a13_messages_of_one_sender_stay_in_order` |
//!                                └── a test of this name, somewhere
//! ```

use std::collections::BTreeSet;

use super::Finding;
use super::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let tests: BTreeSet<&str> = tree.tests().map(|(_, function)| function.name).collect();
    PAGES.iter().flat_map(|page| check_page(tree, page, &tests)).collect()
}

fn check_page(tree: &Tree, name: &'static str, tests: &BTreeSet<&str>) -> Vec<Finding> {
    let Some(page) = tree.file(name) else { return vec![Finding::error(name, 0, "the page is missing")] };
    let mut findings = Vec::new();
    let mut is_of_promises = false;
    for (index, line) in page.text.lines().enumerate() {
        if line.starts_with("|-") {
            continue;
        }
        let Some([_, held_by]) = cells(line) else {
            is_of_promises = false;
            continue;
        };
        if held_by == "held by" || !is_of_promises {
            is_of_promises = held_by == "held by";
            continue;
        }
        let names: Vec<&str> = held_by.split('`').skip(1).step_by(2).collect();
        if names.is_empty() {
            findings.push(Finding::error(name, index + 1, "no test holds this; name one, or promise less"));
        }
        let missing = names.into_iter().filter(|test| !tests.contains(test));
        findings.extend(missing.map(|test| {
            Finding::error(name, index + 1, format!("there is no test {test}; name one that holds this"))
        }));
    }
    findings
}

/// The cells of a row of two.
fn cells(line: &str) -> Option<[&str; 2]> {
    let cells: Vec<&str> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
    cells.try_into().ok()
}

const PAGES: [&str; 2] = ["docs/book/guarantees.md", "docs/SECURITY.md"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    #[test]
    fn a_promise_that_no_test_holds_is_found() {
        let page = "# Page\n| promise | held by |\n|---|---|\n| a `code` | `one`, and `two` |\n\
            | b | `three` |\n| c | all of them |\n| d | `none` |\n\n| of | others |\n|---|---|\n| e | nothing |\n";
        let tests = "#[test]\nfn one() {}\nmount! { two }\nfn two() {}\nfn three() {}\n";
        for name in PAGES {
            let findings = check(&Tree::of(&[(PAGES[0], page), (PAGES[1], page), ("a/tests/a.rs", tests)]));
            let place = |line: u32| format!("{name}:{line}");
            let of_page = places(&findings).into_iter().filter(|place| place.starts_with(name));
            assert_eq!(of_page.collect::<Vec<_>>(), [place(5), place(6), place(7)]);
        }
        assert_eq!(check(&Tree::of(&[])).len(), 2, "both pages are missing");
    }
}
