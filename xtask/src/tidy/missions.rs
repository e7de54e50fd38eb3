//! `docs/missions.md` lists what the project promises, a row each, and every
//! row has a test whose name starts with it: row A12 is held by `a12_…`. This
//! check joins the two.
//!
//! ```text
//! | A12 | A panic is caught … | done |        #[tokio::test]
//!    └─────────── the table ─────────┘         async fn a12_panic_reaches_supervisor()
//! ```

use std::collections::BTreeMap;

use super::Finding;
use super::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(page) = tree.file(PAGE) else {
        return vec![Finding::error(PAGE, 0, "the table of promises is missing")];
    };
    let tests = tests(tree);
    let (rows, mut findings) = read_table(&page.text);
    findings.extend(done_without_a_test(&rows, &tests));
    findings.extend(tests_without_a_row(&rows, &tests));
    findings.extend(not_tested_yet(&rows, &tests));
    findings
}

type Rows = BTreeMap<RowId, Row>;
type Tests = BTreeMap<RowId, Vec<Place>>;

fn done_without_a_test(rows: &Rows, tests: &Tests) -> Vec<Finding> {
    let empty = rows.iter().filter(|(id, row)| row.state == State::Done && !tests.contains_key(*id));
    let finding = |id: &RowId, row: &Row| {
        let message = format!("{id} is said to be done, and no test is named {}", id.test_prefix());
        Finding::error(PAGE, row.line, message)
    };
    empty.map(|(id, row)| finding(id, row)).collect()
}

fn tests_without_a_row(rows: &Rows, tests: &Tests) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (id, places) in tests.iter().filter(|(id, _)| !rows.contains_key(*id)) {
        let message = format!("there is no row {id} in {PAGE}; add the promise, or name the test otherwise");
        findings.extend(places.iter().map(|place| Finding::error(&place.path, place.line, message.clone())));
    }
    findings
}

/// One line for each state that may have rows without a test.
fn not_tested_yet(rows: &Rows, tests: &Tests) -> Vec<Finding> {
    let mut lines = Vec::new();
    for (state, words) in [(State::Building, "building"), (State::Planned, "planned")] {
        let without = rows.iter().filter(|(id, row)| row.state == state && !tests.contains_key(*id));
        let ids: Vec<String> = without.map(|(id, _)| id.to_string()).collect();
        if !ids.is_empty() {
            lines.push(Finding::hint(
                PAGE,
                0,
                format!("{words}, without a test ({}): {}", ids.len(), ids.join(" ")),
            ));
        }
    }
    lines
}

/// How far a promise is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    /// Kept, and a test says so.
    Done,
    /// In the making.
    Building,
    /// Later; `planned (issue 4)` says when.
    Planned,
    /// Deliberately not.
    OutOfScope,
}

impl State {
    fn parse(cell: &str) -> Option<State> {
        let issue = cell.strip_prefix("planned (issue ").and_then(|rest| rest.strip_suffix(')'));
        match cell {
            "done" => Some(State::Done),
            "building" => Some(State::Building),
            "planned" => Some(State::Planned),
            "out of scope" => Some(State::OutOfScope),
            _ if issue.is_some_and(|issue| issue.parse::<u32>().is_ok()) => Some(State::Planned),
            _ => None,
        }
    }
}

struct Row {
    state: State,
    line: usize,
}

struct Place {
    path: String,
    line: usize,
}

/// The rows by their id, and what is wrong with the table.
fn read_table(text: &str) -> (Rows, Vec<Finding>) {
    let mut rows = BTreeMap::new();
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line_number = index + 1;
        let Some(row) = read_row(line) else { continue };
        let added = row.and_then(|(id, state)| match rows.insert(id, Row { state, line: line_number }) {
            None => Ok(()),
            Some(_) => Err(format!("{id} has a row already")),
        });
        findings.extend(added.err().map(|message| Finding::error(PAGE, line_number, message)));
    }
    (rows, findings)
}

/// A line whose first cell is the id of a row, or says why it cannot be read.
fn read_row(line: &str) -> Option<Result<(RowId, State), String>> {
    let cells = line.trim().strip_prefix('|')?.trim_end_matches('|');
    let cells: Vec<&str> = cells.split('|').map(str::trim).collect();
    let id = RowId::parse_cell(cells[0])?;
    Some(match cells[1..] {
        [promise, state] if !promise.is_empty() => match State::parse(state) {
            Some(state) => Ok((id, state)),
            None => Err(format!("{state:?} is no state; {STATES}")),
        },
        _ => Err("a row is `| id | promise | state |`".to_owned()),
    })
}

/// Where the tests of each row are.
fn tests(tree: &Tree) -> Tests {
    let mut tests = Tests::new();
    for (file, function) in tree.tests() {
        if let Some(id) = RowId::parse_test(function.name) {
            tests.entry(id).or_default().push(Place { path: file.path.clone(), line: function.line });
        }
    }
    tests
}

/// `A12`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct RowId {
    letter: char,
    number: u8,
}

impl RowId {
    /// `A12` in a cell.
    fn parse_cell(cell: &str) -> Option<RowId> {
        let mut letters = cell.chars();
        let letter = letters.next().filter(|letter| ('A'..='D').contains(letter))?;
        let number = letters.as_str().parse().ok()?;
        Some(RowId { letter, number })
    }

    /// `a12_…` as the name of a test.
    fn parse_test(name: &str) -> Option<RowId> {
        let (start, _) = name.split_once('_')?;
        let letter = start.chars().next().filter(|letter| ('a'..='d').contains(letter))?;
        let digits = start.get(1..).filter(|digits| digits.len() == 2)?;
        Some(RowId { letter: letter.to_ascii_uppercase(), number: digits.parse().ok()? })
    }

    fn test_prefix(self) -> String {
        format!("{}{:02}_…", self.letter.to_ascii_lowercase(), self.number)
    }
}

impl std::fmt::Display for RowId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.letter, self.number)
    }
}

const PAGE: &str = "docs/missions.md";
const STATES: &str = "it is `done`, `building`, `planned`, `planned (issue N)` or `out of scope`";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::{Weight, places};

    const TABLE: &str = "# Promises\n\n| row | promise | state |\n|---|---|---|\n\
        | A1 | starts | done |\n| A2 | ends | building |\n| B10 | far | planned (issue 6) |\n| C29 | no | out of scope |\n";

    fn errors(files: &[(&str, &str)]) -> Vec<String> {
        let mut findings = check(&Tree::of(files));
        findings.retain(|finding| finding.weight == Weight::Error);
        places(&findings)
    }

    #[test]
    fn a_promise_that_is_done_needs_a_test() {
        assert_eq!(errors(&[(PAGE, TABLE), ("a/tests/a.rs", "fn a01_starts() {}")]), ["docs/missions.md:5"]);
        assert!(errors(&[(PAGE, TABLE), ("a/tests/a.rs", "#[test]\nfn a01_starts() {}")]).is_empty());
    }

    #[test]
    fn a_suite_counts_where_a_macro_mounts_it() {
        let suite = ("a/src/testing/suite.rs", "pub async fn a01_starts() {}");
        assert_eq!(errors(&[(PAGE, TABLE), suite]), ["docs/missions.md:5"]);
        assert!(errors(&[(PAGE, TABLE), suite, ("a/tests/a.rs", "suite! { a01_starts }")]).is_empty());
        let inside = ("a/tests/a.rs", "macro_rules! suite { () => { fn a01_starts() {} } }");
        assert!(errors(&[(PAGE, TABLE), inside]).is_empty());
    }

    #[test]
    fn a_test_of_no_promise_is_found() {
        let tests =
            "#[test]\nfn a01_x() {}\n#[test]\nfn a33_x() {}\n#[test]\nfn e01_x() {}\n#[test]\nfn a1_x() {}";
        assert_eq!(errors(&[(PAGE, TABLE), ("a/tests/a.rs", tests)]), ["a/tests/a.rs:4"]);
    }

    #[test]
    fn a_table_that_cannot_be_read_is_found() {
        assert_eq!(errors(&[]), ["docs/missions.md:0"]);
        let table = "| A1 | x | perhaps |\n| A2 | x |\n| A3 | x | planned |\n| A3 | y | planned |\n";
        assert_eq!(errors(&[(PAGE, table)]), [1, 2, 4].map(|line| format!("{PAGE}:{line}")));
    }

    #[test]
    fn rows_without_a_test_are_listed() {
        let tree = Tree::of(&[(PAGE, TABLE), ("a/tests/a.rs", "#[test]\nfn a01_x() {}")]);
        let messages: Vec<String> = check(&tree).into_iter().map(|finding| finding.message).collect();
        assert_eq!(messages, ["building, without a test (1): A2", "planned, without a test (1): B10"]);
    }
}
