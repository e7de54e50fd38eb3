//! actor-core runs actors in one process: no network, no TLS and no
//! serialization reaches it, not even through others.

use crate::shell;

use super::Finding;
use super::tree::Tree;

pub(super) fn check(_: &Tree) -> Vec<Finding> {
    match shell::read(&mut shell::cargo(CARGO_TREE)) {
        Ok(packages) => judge(&packages),
        Err(_) => vec![Finding::error(MANIFEST, 0, "`cargo tree` cannot say what actor-core depends on")],
    }
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

    /// The promise of row B24, on this workspace as it is.
    #[test]
    fn b24_core_builds_without_a_network() {
        assert_eq!(check(&Tree::of(&[])), []);
    }
}
