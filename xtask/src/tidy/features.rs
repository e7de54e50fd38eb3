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

    const TCP: &str = "[package]\nname = \"tcp\"\n[features]\ndev-ca = [\"dep:a\"]\n";
    const PEERS: &str = "[package]\nname = \"peers\"\n[features]\nmimalloc = [\"dep:mimalloc\"]\n";
    const CLUSTER: &str = "[package]\nname = \"cluster\"\n[features]\nfuzzing = [\"dep:a\"]\n";
    const TOOLKIT: &str =
        "[package]\nname = \"toolkit\"\n[features]\ncron = [\"dep:c\"]\ntower = [\"dep:t\"]\n";
    const TESTS: &str = "#[test]\nfn nodes_load_what_the_program_wrote() {}\n\
        #[test]\nfn files_are_replaced_only_on_demand() {}\n";
    const CLUSTER_TESTS: &str = "#[test]\nfn promises_hold_for_what_fuzzers_kept() {}\n\
        #[test]\nfn promises_hold_whatever_comes() {}\n\
        #[test]\nfn promises_hold_whatever_is_done() {}\n\
        #[test]\nfn texts_are_what_they_say() {}\n";
    const TOOLKIT_TESTS: &str = "#[test]\nfn c31_a_cron_schedule_ticks_and_is_cancelled() {}\n\
        #[test]\nfn c31_a_wrong_expression_is_an_error_at_the_call() {}\n\
        #[test]\nfn c33_a_call_is_a_service() {}\n";

    fn found(tcp: &str, tests: &str) -> Vec<String> {
        let matrix = |files: &[(&str, &str)]| judge(&Tree::of(files), MATRIX);
        places(&matrix(&[
            ("transport-tcp/Cargo.toml", tcp),
            ("actor-cluster/Cargo.toml", CLUSTER),
            ("actor-cluster/src/tests.rs", CLUSTER_TESTS),
            ("integration-tests/peers/Cargo.toml", PEERS),
            ("actor-toolkit/Cargo.toml", TOOLKIT),
            ("actor-toolkit/tests/a.rs", TOOLKIT_TESTS),
            ("transport-tcp/tests/a.rs", tests),
            ("a/Cargo.toml", "[package]\nname = \"a\"\n[dependencies]\nb = \"1\"\n"),
        ]))
    }

    #[test]
    fn a23_a_feature_that_nobody_tries_is_found() {
        assert!(found(TCP, TESTS).is_empty());
        // A new one, a default, and one that an optional dependency makes.
        let more =
            format!("{TCP}quick = []\ndefault = [\"quick\"]\n[dependencies]\nc = {{ optional = true }}\n");
        assert_eq!(found(&more, TESTS), [5, 6, 8].map(|line| format!("transport-tcp/Cargo.toml:{line}")));
        // One that is no more, and a test that is not there.
        assert_eq!(found("[package]\nname = \"tcp\"\n", TESTS), ["transport-tcp/Cargo.toml:0"]);
        assert_eq!(found(TCP, ""), ["transport-tcp/Cargo.toml:0", "transport-tcp/Cargo.toml:0"]);
    }

    #[test]
    fn a23_what_we_have_and_what_we_leave_out_is_named() {
        let rows =
            |names: &[&str]| names.iter().map(|name| format!("| `{name}` | x |\n")).collect::<String>();
        let found = |page: &str| -> Vec<String> {
            let findings = unnamed(&Tree::of(&[(PAGE, page)]), MATRIX);
            findings.into_iter().map(|finding| finding.message).collect()
        };
        let all = [&["dev-ca", "cron", "tower", "fuzzing", "mimalloc"], RACTORS].concat();
        assert!(found(&rows(&all)).is_empty());
        assert_eq!(found(&rows(&all[1..])), ["the feature `dev-ca` has no row"]);
        assert_eq!(found(&rows(&all[..all.len() - 1])), ["the feature `tokio_runtime` has no row"]);
        assert_eq!(unnamed(&Tree::of(&[]), MATRIX).len(), 1);
    }
}
