//! `cargo xtask tidy`: the rules of style and structure that the compiler does
//! not know. It reads and never writes.
//!
//! ```text
//! Tree (files, as git knows them) ─► each of CHECKS ─► findings ─► printed, all of them
//! ```
//!
//! A check is a pure function from a [`Tree`] to [`Finding`]s, in a file of its
//! own with its tests, which show it a bad sample. ([`core_deps`] asks cargo as
//! well.) A finding says where, what, and what to do instead.

use crate::shell::{self, Failure, Outcome};

use tree::Tree;

mod chance;
mod core_deps;
mod examples;
mod executor_seam;
mod features;
mod file_size;
mod first_actor;
mod guarantees;
mod layers;
mod machines_pure;
mod manifest;
mod mask;
mod missions;
mod module_docs;
mod no_machine;
mod no_sleep;
mod orphans;
mod quotes;
mod source;
mod store_operations;
mod tree;
mod unsafe_fence;

pub(crate) fn run() -> Outcome {
    let tree = Tree::read(&shell::root())?;
    let findings: Vec<Finding> = CHECKS.iter().flat_map(|check| check.findings(&tree)).collect();
    let errors = findings.iter().filter(|finding| finding.weight == Weight::Error).count();
    println!("tidy: {} checks, {} files, {errors} to mend", CHECKS.len(), tree.files().len());
    if errors == 0 { Ok(()) } else { Err(Failure { code: 1, words: None }) }
}

/// One thing a check has to say.
#[derive(Debug, PartialEq)]
struct Finding {
    weight: Weight,
    path: String,
    /// Counted from one; zero speaks of the file as a whole.
    line: usize,
    message: String,
}

/// Whether a finding makes tidy fail.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Weight {
    /// It does.
    Error,
    /// It does not, and is worth knowing.
    Hint,
}

impl Finding {
    fn error(path: &str, line: usize, message: impl Into<String>) -> Finding {
        Finding { weight: Weight::Error, path: path.to_owned(), line, message: message.into() }
    }

    fn hint(path: &str, line: usize, message: impl Into<String>) -> Finding {
        Finding { weight: Weight::Hint, path: path.to_owned(), line, message: message.into() }
    }

    fn print(&self, check: &str) {
        let weight = match self.weight {
            Weight::Error => "error",
            Weight::Hint => "hint",
        };
        match self.line {
            0 => println!("{weight}[{check}] {}: {}", self.path, self.message),
            line => println!("{weight}[{check}] {}:{line}: {}", self.path, self.message),
        }
    }
}

/// A line that breaks a rule in several ways needs mending once.
fn one_per_line(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    findings.dedup_by(|later, first| (&later.path, later.line) == (&first.path, first.line));
    findings
}

struct Check {
    name: &'static str,
    run: fn(&Tree) -> Vec<Finding>,
}

impl Check {
    fn findings(&self, tree: &Tree) -> Vec<Finding> {
        let findings = (self.run)(tree);
        for finding in &findings {
            finding.print(self.name);
        }
        findings
    }
}

const CHECKS: &[Check] = &[
    Check { name: "layers", run: layers::check },
    Check { name: "core_deps", run: core_deps::check },
    Check { name: "features", run: features::check },
    Check { name: "first_actor", run: first_actor::check },
    Check { name: "examples", run: examples::check },
    Check { name: "unsafe_fence", run: unsafe_fence::check },
    Check { name: "module_docs", run: module_docs::check },
    Check { name: "file_size", run: file_size::check },
    Check { name: "machines_pure", run: machines_pure::check },
    Check { name: "chance", run: chance::check },
    Check { name: "executor_seam", run: executor_seam::check },
    Check { name: "no_sleep", run: no_sleep::check },
    Check { name: "orphans", run: orphans::check },
    Check { name: "no_machine", run: no_machine::check },
    Check { name: "missions", run: missions::check },
    Check { name: "guarantees", run: guarantees::check },
    Check { name: "quotes", run: quotes::check },
    Check { name: "store_operations", run: store_operations::check },
];

/// What a check said, as `path:line`, for the tests of the checks.
#[cfg(test)]
fn places(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|finding| format!("{}:{}", finding.path, finding.line)).collect()
}
