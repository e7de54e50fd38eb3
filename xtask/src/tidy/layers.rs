//! The order of the crates: an arrow only points down.
//!
//! ```text
//!  transport-tcp  transport-quic  transport-iroh    store-postgres    actor-testkit
//!         └──────┬───────┘             │            actor-durable-tool  (tests only)
//!          transport-tls               │                 │
//!                └───────┬─────────────┘                 │
//!           actor-cluster ── actor-cluster-derive   actor-durable     actor-toolkit
//!                └──────────────┬────────────────────────┴──────────────────┘
//!                           actor-core ── actor-core-derive
//! ```
//!
//! Crates that do not exist yet have their place already. Dependencies for tests obey
//! the order too, but for actor-testkit: the tests of every crate that has actors may use it,
//! actor-core's among them, and nothing else may. Only integration-tests may use everything.
//! And a transport carries bytes: of actor-cluster it sees the transport's words.

use super::Finding;
use super::manifest::{Dependency, Kind, Manifest};
use super::source::{Named, Source};
use super::tree::{File, Tree};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings: Vec<Finding> = tree.files().iter().filter(is_manifest).flat_map(arrows).collect();
    let transports = tree.rust().filter(|(file, _)| is_transport(file));
    findings.extend(transports.flat_map(|(file, source)| foreign_words(file, source)));
    findings
}

fn arrows(file: &File) -> Vec<Finding> {
    let Manifest { name, dependencies, .. } = Manifest::new(&file.text);
    let Some((_, below)) = ORDER.iter().find(|(ours, _)| *ours == name) else {
        let message = format!("{name} has no place in the order of the crates; give it one in {}", file!());
        return vec![Finding::error(&file.path, 0, message)];
    };
    // A crate's tests may depend on the crate itself, to have one more of its features.
    let is_below = |other: &str| other == name || below.contains(&other) || below.contains(&EVERYTHING);
    // What has nothing of ours below it has no actors to test.
    let is_in_tests =
        |other: &Dependency| other.name == TESTS_ONLY && other.kind == Kind::Dev && !below.is_empty();
    let wrong = dependencies
        .iter()
        .filter(|other| is_ours(&other.name) && !is_below(&other.name) && !is_in_tests(other));
    let finding = |other: &Dependency| {
        if other.name == TESTS_ONLY && !below.is_empty() {
            return Finding::error(&file.path, other.line, format!("{name} {TESTS_ONLY_ADVICE}"));
        }
        let what = format!("{name} depends on {}, which is not below it (that is: {below:?})", other.name);
        Finding::error(&file.path, other.line, format!("{what}; {ARROW_ADVICE}"))
    };
    wrong.map(finding).collect()
}

fn foreign_words(file: &File, source: &Source) -> Vec<Finding> {
    let named = source.paths_with("actor_cluster");
    let foreign = named.iter().filter(|path| !is_transport_word(path));
    let finding = |path: &Named<'_>| {
        Finding::error(&file.path, path.line, format!("{} {TRANSPORT_ADVICE}", path.segments.join("::")))
    };
    foreign.map(finding).collect()
}

/// Members lie directly under the root; what lies deeper is no part of the workspace.
fn is_manifest(file: &&File) -> bool {
    file.path.ends_with("/Cargo.toml") && file.path.matches('/').count() == 1
}

fn is_ours(name: &str) -> bool {
    ORDER.iter().any(|(ours, _)| *ours == name)
}

fn is_transport(file: &File) -> bool {
    let Some((name, rest)) = file.path.split_once('/') else { return false };
    name.starts_with("transport-") && rest.starts_with("src/")
}

fn is_transport_word(path: &Named<'_>) -> bool {
    // Elsewhere in a path it is some other crate's word.
    let is_the_crate = path.segments[0] == "actor_cluster";
    !is_the_crate || path.segments.get(1).is_some_and(|module| TRANSPORT_WORDS.contains(module))
}

const TRANSPORT_WORDS: &[&str] = &["transport", "id", "limits", "testing"];

const TRANSPORT_ADVICE: &str = "is no word of a transport, which carries bytes and knows of \
    `actor_cluster::{transport, id, limits, testing}` only; name it through one of those";

const ARROW_ADVICE: &str =
    "move what both need further down, or the test that needs both to integration-tests";

const EVERYTHING: &str = "everything";

/// What only tests are built with.
const TESTS_ONLY: &str = "actor-testkit";

const TESTS_ONLY_ADVICE: &str =
    "is built with actor-testkit, which is for tests; depend on it in [dev-dependencies]";

/// Each crate with those below it.
const ORDER: &[(&str, &[&str])] = &[
    ("actor-core-derive", &[]),
    ("actor-core", &["actor-core-derive"]),
    ("actor-cluster-derive", &[]),
    ("actor-cluster", &["actor-core", "actor-cluster-derive"]),
    ("actor-durable", &["actor-core"]),
    ("actor-durable-tool", &["actor-durable"]),
    ("actor-toolkit", &["actor-core"]),
    // The cluster by a feature.
    ("actor-testkit", &["actor-core", "actor-cluster"]),
    ("transport-tls", &["actor-cluster"]),
    ("transport-tcp", &["actor-cluster", "transport-tls"]),
    ("transport-iroh", &["actor-cluster"]),
    ("transport-quic", &["actor-cluster", "transport-tls"]),
    ("store-postgres", &["actor-durable"]),
    ("examples", &[EVERYTHING]),
    ("integration-tests", &[EVERYTHING]),
    // A workspace of its own.
    ("fuzz", &["actor-cluster", "transport-tcp"]),
    ("xtask", &[]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    fn manifest(name: &str, dependencies: &str) -> String {
        format!("[package]\nname = \"{name}\"\n{dependencies}")
    }

    #[test]
    fn an_arrow_that_points_up_is_found() {
        let core =
            manifest("actor-core", "[dependencies]\nactor-core-derive = \"1\"\nactor-cluster = \"1\"\n");
        let tcp =
            manifest("transport-tcp", "[dev-dependencies]\nactor-core = \"1\"\ntransport-tcp = \"1\"\n");
        let tests = manifest("integration-tests", "[dependencies]\ntransport-tcp = \"1\"\n");
        let tree = Tree::of(&[
            ("actor-core/Cargo.toml", &core),
            ("transport-tcp/Cargo.toml", &tcp),
            ("integration-tests/Cargo.toml", &tests),
            ("integration-tests/peers/Cargo.toml", "[package]\nname = \"peers\""),
        ]);
        assert_eq!(places(&check(&tree)), ["actor-core/Cargo.toml:5", "transport-tcp/Cargo.toml:4"]);
    }

    #[test]
    fn the_test_kit_is_for_tests() {
        let depends = "[dependencies]\nactor-testkit = \"1\"\n[build-dependencies]\nactor-testkit = \"1\"\n";
        let tests_do = "[dev-dependencies]\nactor-testkit = \"1\"\n";
        let manifests =
            ["actor-core", "actor-toolkit", "transport-tcp", "actor-core-derive", "integration-tests"]
                .map(|name| (format!("{name}/Cargo.toml"), manifest(name, &format!("{depends}{tests_do}"))));
        let files: Vec<(&str, &str)> =
            manifests.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let findings = check(&Tree::of(&files));
        let expected = [
            "actor-core/Cargo.toml:4",
            "actor-core/Cargo.toml:6",
            "actor-toolkit/Cargo.toml:4",
            "actor-toolkit/Cargo.toml:6",
            "transport-tcp/Cargo.toml:4",
            "transport-tcp/Cargo.toml:6",
            // A macro has no actors.
            "actor-core-derive/Cargo.toml:4",
            "actor-core-derive/Cargo.toml:6",
            "actor-core-derive/Cargo.toml:8",
        ];
        assert_eq!(places(&findings), expected);
        assert!(findings[0].message.ends_with("depend on it in [dev-dependencies]"));
        assert!(findings[8].message.contains("is not below it"));
    }

    #[test]
    fn a_crate_without_a_place_is_found() {
        let tree = Tree::of(&[("actor-new/Cargo.toml", &manifest("actor-new", ""))]);
        assert_eq!(places(&check(&tree)), ["actor-new/Cargo.toml:0"]);
    }

    #[test]
    fn a_transport_names_the_words_of_a_transport_only() {
        let text = "use actor_cluster::{transport::{Address, Connection}, id::NodeId, NodeServer};\n\
                    use actor_cluster::limits::X;\n\
                    fn f() -> actor_cluster::session::Session {}\n// actor_cluster::node\n\
                    use actor_cluster as sneaky;\n";
        let tree = Tree::of(&[("transport-tcp/src/x.rs", text), ("integration-tests/src/x.rs", text)]);
        let findings = check(&tree);
        let expected = [1, 3, 5].map(|line| format!("transport-tcp/src/x.rs:{line}"));
        assert_eq!(places(&findings), expected);
    }
}
