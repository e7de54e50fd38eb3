//! A machine is told what happens and answers with what should be done. Time,
//! randomness and the network are its callers' business, and so it does the
//! same thing every time: in a test, in a simulation, and in production.

use super::tree::{File, Tree};
use super::{Finding, one_per_line};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, source) in tree.rust().filter(|(file, _)| file.is_in(MACHINES)) {
        for taint in TAINTS.iter().filter(|taint| !file.is_in(taint.except)) {
            let paths = source.paths_with(taint.path);
            let lines = paths.iter().map(|path| path.line).filter(|line| !file.is_test_line(*line));
            findings.extend(lines.map(|line| taint.found(file, line)));
        }
    }
    one_per_line(findings)
}

/// What would make a machine impure.
struct Taint {
    path: &'static str,
    instead: &'static str,
    /// Rooms where it does no harm.
    except: &'static [&'static str],
}

impl Taint {
    fn found(&self, file: &File, line: usize) -> Finding {
        Finding::error(&file.path, line, format!("`{}` in a machine: {}", self.path, self.instead))
    }
}

const MACHINES: &[&str] = &[
    "actor-cluster/src/session",
    "actor-cluster/src/once",
    "actor-cluster/src/membership",
    "actor-cluster/src/placement",
    "actor-cluster/src/wire",
    "actor-core/src/lifecycle",
    "actor-core/src/supervise",
    "actor-toolkit/src/factory/pool",
];

const SHELL: &str = "return an effect and let the shell around the machine carry it out";
const CLOCK: &str = "take `now` as an argument";
const CHANCE: &str = "take randomness as an argument";
const ORDER: &str = "its order differs from run to run; use a BTreeMap, a BTreeSet or a slab";
/// The codecs of users' fields live there: an address, a time or a map is only a value to them.
const WIRE: &[&str] = &["actor-cluster/src/wire"];

const TAINTS: &[Taint] = &[
    Taint { path: "async", instead: SHELL, except: &[] },
    Taint { path: "tokio", instead: SHELL, except: &[] },
    Taint { path: "std::net", instead: SHELL, except: WIRE },
    Taint { path: "TcpStream", instead: SHELL, except: &[] },
    Taint { path: "TcpListener", instead: SHELL, except: &[] },
    Taint { path: "UdpSocket", instead: SHELL, except: &[] },
    Taint { path: "ToSocketAddrs", instead: SHELL, except: &[] },
    Taint { path: "std::thread", instead: SHELL, except: &[] },
    Taint { path: "Instant::now", instead: CLOCK, except: &[] },
    Taint { path: "SystemTime::now", instead: CLOCK, except: &[] },
    Taint { path: "SystemTime", instead: CLOCK, except: WIRE },
    Taint { path: "rand", instead: CHANCE, except: &[] },
    Taint { path: "getrandom", instead: CHANCE, except: &[] },
    Taint { path: "HashMap", instead: ORDER, except: WIRE },
    Taint { path: "HashSet", instead: ORDER, except: WIRE },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    #[test]
    fn every_taint_is_found() {
        let text = "async fn f() {}\nuse tokio::sync;\nuse std::{net::IpAddr, thread};\nInstant::now();\n\
                    SystemTime::UNIX_EPOCH;\nrand::random();\nuse std::collections::HashMap;\nHashSet::new();\n";
        let tree = Tree::of(&[("actor-core/src/supervise/mod.rs", text), ("actor-core/src/system.rs", text)]);
        let found = check(&tree);
        assert_eq!(found.iter().map(|finding| finding.line).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert!(found.iter().all(|finding| finding.path == "actor-core/src/supervise/mod.rs"));
    }

    #[test]
    fn tests_words_and_the_wire_are_left_alone() {
        let text = "// async tokio\nfn f(now: Instant) { \"rand\" }\n#[cfg(test)]\nmod tests {\n  use tokio::x;\n}\n";
        let tree = Tree::of(&[
            ("actor-cluster/src/session/mod.rs", text),
            ("actor-cluster/src/session/tests.rs", "async fn f() {}"),
            (
                "actor-cluster/src/wire/codec.rs",
                "use std::{collections::HashMap, net::IpAddr};\nSystemTime::now();",
            ),
        ]);
        assert_eq!(places(&check(&tree)), ["actor-cluster/src/wire/codec.rs:2"]);
    }
}
