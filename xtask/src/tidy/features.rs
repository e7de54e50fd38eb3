//! Every Cargo feature of every manifest is in the matrix of `cargo xtask features`,
//! something tries it, and the book names it; and what became of ractor's.

use crate::features::{Crate, MATRIX};

use super::Finding;
use super::manifest::Manifest;
use super::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    judge(tree, MATRIX).into_iter().chain(unnamed(tree, MATRIX)).collect()
}

/// What the book does not name, and should.
fn unnamed(tree: &Tree, matrix: &[Crate]) -> Vec<Finding> {
    let Some(page) = tree.file(PAGE) else { return vec![Finding::error(PAGE, 0, "the page is missing")] };
    let ours = matrix.iter().flat_map(|krate| krate.features).map(|feature| feature.name);
    let rows = |name: &&str| page.text.lines().any(|line| line.starts_with(&format!("| `{name}` ")));
    let missing = ours.chain(RACTORS.iter().copied()).filter(|name| !rows(name));
    missing.map(|name| Finding::error(PAGE, 0, format!("the feature `{name}` has no row"))).collect()
}

fn judge(tree: &Tree, matrix: &[Crate]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files().iter().filter(|file| file.path.ends_with("Cargo.toml")) {
        let known = matrix.iter().find(|krate| krate.manifest == file.path);
        let is_known =
            |name: &str| known.is_some_and(|krate| krate.features.iter().any(|feature| feature.name == name));
        for feature in Manifest::new(&file.text).features {
            if !is_known(&feature.name) {
                let message = format!(
                    "{MATRIX_PATH} does not name the feature `{}`; say there what it brings and what tries it",
                    feature.name
                );
                findings.push(Finding::error(&file.path, feature.line, message));
            }
        }
    }
    for krate in matrix {
        let manifest = tree.file(krate.manifest).map(|file| Manifest::new(&file.text)).unwrap_or_default();
        for feature in krate.features {
            let error = |what: String| Finding::error(krate.manifest, 0, what);
            if manifest.features.iter().all(|there| there.name != feature.name) {
                findings
                    .push(error(format!("there is no feature `{}`; {MATRIX_PATH} names it", feature.name)));
            }
            if feature.tests.is_empty() && !krate.is_run() {
                findings.push(error(format!(
                    "nothing tries `{}`; name its tests in {MATRIX_PATH}",
                    feature.name
                )));
            }
            let is_there = |test: &&str| tree.tests().any(|(_, function)| function.name == *test);
            let absent = feature.tests.iter().filter(|test| !is_there(test));
            findings.extend(absent.map(|test| error(format!("there is no test {test}; see {MATRIX_PATH}"))));
        }
    }
    findings
}

const MATRIX_PATH: &str = "xtask/src/features.rs";
const PAGE: &str = "docs/book/from-ractor.md";

/// The features of ractor 0.16.5, also those that its optional dependencies are, where they
/// mean something to its users.
const RACTORS: &[&str] = &[
    "actor-macros",
    "async-std",
    "async-trait",
    "blanket_serde",
    "cluster",
    "message_span_propogation",
    "monitors",
    "output-port-v2",
    "tokio_runtime",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    const CRON: &str = "actor-toolkit/Cargo.toml";

    /// A tree in which all is as the matrix says, but for one manifest, or one test that is missing.
    fn found(cron: Option<&str>, missing: Option<&str>) -> Vec<String> {
        let mut files = vec![("a/Cargo.toml".to_owned(), "[package]\nname = \"a\"\n".to_owned())];
        for krate in MATRIX {
            let manifest = match cron {
                Some(text) if krate.manifest == CRON => text.to_owned(),
                _ => manifest(krate),
            };
            let tests = krate.features.iter().flat_map(|feature| feature.tests);
            let tests = tests.filter(|name| Some(**name) != missing);
            let tests = tests.map(|name| format!("#[test]\nfn {name}() {{}}\n")).collect();
            files.push((krate.manifest.replace("Cargo.toml", "tests/a.rs"), tests));
            files.push((krate.manifest.to_owned(), manifest));
        }
        let files: Vec<(&str, &str)> =
            files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        places(&judge(&Tree::of(&files), MATRIX))
    }

    /// Four lines, and one for each feature.
    fn manifest(krate: &Crate) -> String {
        let features = krate.features.iter().map(|feature| format!("{} = [\"dep:a\"]\n", feature.name));
        format!("[package]\nname = \"b\"\n[features]\n{}", features.collect::<String>())
    }

    #[test]
    fn a23_a_feature_that_nobody_tries_is_found() {
        assert!(found(None, None).is_empty());
        // A new one, a default, and one that an optional dependency makes.
        let toolkit = manifest(MATRIX.iter().find(|krate| krate.manifest == CRON).unwrap());
        let more = format!(
            "{toolkit}quick = []\ndefault = [\"quick\"]\n[dependencies]\nc = {{ optional = true }}\n"
        );
        assert_eq!(found(Some(&more), None), [6, 7, 9].map(|line| format!("{CRON}:{line}")));
        // One that is no more, and a test that is not there.
        let fewer = toolkit.replace("tower = [\"dep:a\"]\n", "");
        assert_eq!(found(Some(&fewer), None), [format!("{CRON}:0")]);
        assert_eq!(found(None, Some("c33_a_call_is_a_service")), [format!("{CRON}:0")]);
    }

    #[test]
    fn a23_what_we_have_and_what_we_leave_out_is_named() {
        let rows =
            |names: &[&str]| names.iter().map(|name| format!("| `{name}` | x |\n")).collect::<String>();
        let found = |page: &str| -> Vec<String> {
            let findings = unnamed(&Tree::of(&[(PAGE, page)]), MATRIX);
            findings.into_iter().map(|finding| finding.message).collect()
        };
        let all = [
            &[
                "aws-lc-rs",
                "cron",
                "tower",
                "fuzzing",
                "mimalloc",
                "dev-ca",
                "turmoil",
                "cluster",
                "process",
                "testing",
            ],
            RACTORS,
        ]
        .concat();
        assert!(found(&rows(&all)).is_empty());
        assert_eq!(found(&rows(&all[1..])), ["the feature `aws-lc-rs` has no row"; 3]);
        assert_eq!(found(&rows(&all[..all.len() - 1])), ["the feature `tokio_runtime` has no row"]);
        assert_eq!(unnamed(&Tree::of(&[]), MATRIX).len(), 1);
    }
}
