//! actor-core runs actors in one process: no network, no TLS and no
//! serialization reaches it, not even through others, and few crates at all.

use std::collections::BTreeSet;

use crate::shell;

use super::Finding;
use super::tree::Tree;

pub(super) fn check(_: &Tree) -> Vec<Finding> {
    let trees = [CARGO_TREE, LINKED_TREE].map(|tree| shell::read(&mut shell::cargo(tree)));
    match trees {
        [Ok(packages), Ok(linked)] => judge(&packages).into_iter().chain(count(&linked)).collect(),
        _ => vec![Finding::error(MANIFEST, 0, "`cargo tree` cannot say what actor-core depends on")],
    }
}

fn count(tree: &str) -> Option<Finding> {
    let linked = linked(tree);
    (linked.len() > LINKED_MAX).then(|| {
        let names: Vec<&str> = linked.iter().copied().collect();
        let (number, names) = (linked.len(), names.join(", "));
        let message =
            format!("{number} crates are linked with actor-core, and {LINKED_MAX} are enough: {names}");
        Finding::error(MANIFEST, 0, message)
    })
}

/// The crates that are linked with actor-core on some target. A macro is run by the
/// compiler, and so is what it needs; the models' crates are in no ordinary build.
fn linked(tree: &str) -> BTreeSet<&str> {
    let mut linked = BTreeSet::new();
    let mut skipped_below = None;
    for line in tree.lines() {
        let digits = line.len() - line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (depth, package) = line.split_at(digits);
        let Ok(depth) = depth.parse::<usize>() else { continue };
        if skipped_below.is_some_and(|skipped| depth > skipped) {
            continue;
        }
        let name = package.split_whitespace().next().unwrap_or_default();
        let is_skipped = package.contains("(proc-macro)") || (depth == 1 && MODELS.contains(&name));
        skipped_below = is_skipped.then_some(depth);
        if depth > 0 && !is_skipped {
            linked.insert(name);
        }
    }
    linked
}

fn judge(packages: &str) -> Vec<Finding> {
    let names = packages.lines().filter_map(|line| line.split_whitespace().next());
    let mut unwanted: Vec<&str> = names.filter(|name| UNWANTED.contains(name)).collect();
    unwanted.sort_unstable();
    unwanted.dedup();
    let found = unwanted.into_iter().map(|name| {
        let advice = format!("cargo tree -p actor-core -e normal -i {name}");
        let message =
            format!("{name} reached actor-core, which has no network, TLS or serialization; see `{advice}`");
        Finding::error(MANIFEST, 0, message)
    });
    found.collect()
}

const MANIFEST: &str = "actor-core/Cargo.toml";

const CARGO_TREE: [&str; 8] =
    ["tree", "--package", "actor-core", "--edges", "normal", "--prefix", "none", "--no-dedupe"];

const LINKED_TREE: [&str; 8] =
    ["tree", "--package", "actor-core", "--edges=normal", "--target=all", "--prefix", "depth", "--no-dedupe"];

/// `[target.'cfg(actor_loom)'.dependencies]` and its like.
const MODELS: [&str; 2] = ["loom", "shuttle"];

/// How many crates may be linked with actor-core, over all targets. Whoever has a good reason
/// for one more writes it here.
const LINKED_MAX: usize = 11;

/// Each stands for a capability; what it needs itself need not be listed.
const UNWANTED: &[&str] = &[
    "async-std",
    "aws-lc-rs",
    "bincode",
    "borsh",
    "h2",
    "hyper",
    "iroh",
    "mio",
    "native-tls",
    "openssl",
    "postcard",
    "prost",
    "quinn",
    "quinn-proto",
    "quinn-udp",
    "reqwest",
    "ring",
    "rkyv",
    "rmp",
    "rmp-serde",
    "rustls",
    "rustls-webpki",
    "serde",
    "serde_core",
    "serde_json",
    "socket2",
    "tokio-native-tls",
    "tokio-rustls",
    "tonic",
    "tungstenite",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_that_speaks_to_the_network_is_found() {
        let packages = "actor-core v0.1.0 (x)\ntokio v1.52.2\nmio v1.0.0\nsocket2 v0.6.0\nmio v1.0.0 (*)\n";
        let messages: Vec<String> = judge(packages).into_iter().map(|finding| finding.message).collect();
        assert_eq!(messages.len(), 2);
        assert!(messages[0].starts_with("mio ") && messages[1].starts_with("socket2 "), "{messages:?}");
    }

    #[test]
    fn what_is_linked_is_counted() {
        let tree = "\
            0actor-core v0.1.0 (x)\n\
            1actor-core-derive v0.1.0 (proc-macro) (x)\n2syn v2.0.0\n3quote v1.0.0\n\
            1loom v0.7.2\n2generator v0.8.0\n3libc v0.2.0\n\
            1tokio v1.52.2\n2pin-project-lite v0.2.0\n\
            1thiserror v2.0.0\n2thiserror-impl v2.0.0 (proc-macro)\n3syn v2.0.0\n\
            1pin-project-lite v0.2.0\n";
        assert_eq!(linked(tree), ["pin-project-lite", "thiserror", "tokio"].into());
        assert_eq!(count(tree), None);
        let many = (0..=LINKED_MAX).map(|number| format!("1a{number} v1.0.0\n")).collect::<String>();
        let finding = count(&many).unwrap();
        assert!(finding.message.starts_with("12 crates are linked with actor-core"), "{}", finding.message);
    }

    /// What row A29 says of the core, on this workspace as it is.
    #[test]
    fn a29_core_depends_on_little() {
        let tree = shell::read(&mut shell::cargo(LINKED_TREE)).unwrap();
        assert!(linked(&tree).contains("tokio"), "{:?}", linked(&tree));
        assert_eq!(count(&tree), None);
    }

    /// The promise of row B24, on this workspace as it is.
    #[test]
    fn b24_core_builds_without_a_network() {
        assert_eq!(check(&Tree::of(&[])), []);
    }
}
