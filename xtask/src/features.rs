//! `cargo xtask features`: every Cargo feature is built and tried, with and without.
//!
//! A feature adds and never alters, and what it brings nobody else compiles. So for each
//! crate that has some:
//!
//! ```text
//!  none, each alone, all ─┬─► cargo tree: what the crate depends on is what they bring
//!                         └─► the crate's command: it is built, or run
//! ```
//!
//! [`MATRIX`] is the list. `tidy` compares it with the manifests, so that no feature is
//! forgotten. What is switched by `--cfg` instead, for the models, is no feature.

use std::process::Command;

use crate::shell::{self, Failure, Outcome};

/// Every crate that has features. Whoever adds a feature adds it here.
pub(crate) const MATRIX: &[Crate] = &[
    Crate {
        manifest: "actor-cluster/Cargo.toml",
        command: &["check", "--quiet"],
        arguments: &[],
        features: &[Feature {
            name: "fuzzing",
            brings: &["arbitrary"],
            tests: &[
                "promises_hold_for_what_fuzzers_kept",
                "promises_hold_whatever_comes",
                "promises_hold_whatever_is_done",
                "texts_are_what_they_say",
            ],
        }],
    },
    Crate {
        manifest: "actor-durable/Cargo.toml",
        command: &["check", "--quiet"],
        arguments: &[],
        features: &[Feature {
            name: "testing",
            brings: &[],
            tests: &[
                "a_clock_is_moved_by_hand_and_its_executor_shows_it",
                "an_answer_that_is_lost_is_of_something_done",
            ],
        }],
    },
    Crate {
        manifest: "store-postgres/Cargo.toml",
        command: &["check", "--quiet"],
        arguments: &[],
        features: &[Feature {
            name: "testing",
            brings: &["tempfile"],
            tests: &["an_actor_begins_to_be_when_it_is_acquired"],
        }],
    },
    Crate {
        manifest: "actor-testkit/Cargo.toml",
        command: &["check", "--quiet"],
        arguments: &[],
        features: &[
            Feature {
                name: "cluster",
                brings: &["actor-cluster"],
                tests: &["a_seed_is_one_run", "a_partition_keeps_messages_until_it_heals"],
            },
            Feature {
                name: "process",
                brings: &["rustix"],
                tests: &[
                    "nodes_are_asked_killed_frozen_and_started_again",
                    "a_node_that_does_not_come_says_why",
                ],
            },
        ],
    },
    Crate {
        manifest: "transport-tls/Cargo.toml",
        command: &["check", "--quiet"],
        arguments: &[],
        features: &[
            Feature {
                name: "dev-ca",
                brings: &["lexopt", "rcgen"],
                tests: &["nodes_load_what_the_program_wrote", "files_are_replaced_only_on_demand"],
            },
            Feature {
                name: "aws-lc-rs",
                brings: &["aws-lc-rs"],
                tests: &["another_provider_may_do_the_cryptography"],
            },
        ],
    },
    Crate {
        manifest: "transport-tcp/Cargo.toml",
        command: &["check", "--quiet"],
        arguments: &[],
        features: &[
            Feature { name: "dev-ca", brings: &["rcgen"], tests: &["a_context_may_be_shared"] },
            Feature { name: "turmoil", brings: &["turmoil"], tests: &["hosts_of_a_simulation_meet"] },
            Feature {
                name: "aws-lc-rs",
                brings: &["aws-lc-rs"],
                tests: &["nodes_meet_whoever_does_the_cryptography"],
            },
        ],
    },
    Crate {
        manifest: "transport-quic/Cargo.toml",
        command: &["check", "--quiet"],
        arguments: &[],
        features: &[
            Feature { name: "dev-ca", brings: &["rcgen"], tests: &["keys_stay_out_of_logs"] },
            Feature {
                name: "aws-lc-rs",
                brings: &["aws-lc-rs"],
                tests: &["nodes_meet_whoever_does_the_cryptography"],
            },
        ],
    },
    Crate {
        manifest: "actor-toolkit/Cargo.toml",
        command: &["check", "--quiet"],
        arguments: &[],
        features: &[
            Feature {
                name: "cron",
                brings: &["chrono", "croner"],
                tests: &[
                    "c31_a_cron_schedule_ticks_and_is_cancelled",
                    "c31_a_wrong_expression_is_an_error_at_the_call",
                ],
            },
            Feature { name: "tower", brings: &["tower-service"], tests: &["c33_a_call_is_a_service"] },
        ],
    },
    Crate {
        manifest: "integration-tests/peers/Cargo.toml",
        command: &["run", "--quiet"],
        arguments: &["--", "core", "--smoke", "--systems", "ours", "--rows", "ask_seq"],
        features: &[Feature { name: "mimalloc", brings: &["mimalloc"], tests: &[] }],
    },
];

/// A crate that has features.
pub(crate) struct Crate {
    /// Its manifest, from the workspace's root.
    pub(crate) manifest: &'static str,
    /// What cargo does with each set of its features.
    command: &'static [&'static str],
    /// What comes behind the features.
    arguments: &'static [&'static str],
    /// All of them; `default` too, if there is one.
    pub(crate) features: &'static [Feature],
}

/// One of them.
pub(crate) struct Feature {
    pub(crate) name: &'static str,
    /// The crates that are depended on with it, if only by what is depended on, and not without.
    brings: &'static [&'static str],
    /// Tests that are run with it by `cargo xtask test`. A crate that is run needs none.
    pub(crate) tests: &'static [&'static str],
}

impl Crate {
    /// Whether trying a set of features runs something.
    pub(crate) fn is_run(&self) -> bool {
        self.command.first() == Some(&"run")
    }
}

pub(crate) fn run() -> Outcome {
    let mut outcome = Ok(());
    for krate in MATRIX {
        for set in sets(krate.features) {
            let names: Vec<&str> = set.iter().map(|feature| feature.name).collect();
            println!(
                "{}: {}",
                krate.manifest,
                if names.is_empty() { "none".into() } else { names.join(", ") }
            );
            outcome =
                outcome.and(depends_on_what_they_bring(krate, &set)).and(shell::run(&mut tried(krate, &set)));
        }
    }
    outcome
}

/// None, each alone, and all together.
fn sets(features: &'static [Feature]) -> Vec<Vec<&'static Feature>> {
    let mut sets = vec![Vec::new()];
    sets.extend(features.iter().map(|feature| vec![feature]));
    if features.len() > 1 {
        sets.push(features.iter().collect());
    }
    sets
}

fn tried(krate: &Crate, set: &[&Feature]) -> Command {
    let mut command = shell::cargo(krate.command);
    with(&mut command, krate, set);
    command.args(krate.arguments);
    command
}

/// These features of the crate, and no others.
fn with(command: &mut Command, krate: &Crate, set: &[&Feature]) {
    command.args(["--manifest-path", krate.manifest, "--no-default-features"]);
    for feature in set {
        command.args(["--features", feature.name]);
    }
}

fn depends_on_what_they_bring(krate: &Crate, set: &[&Feature]) -> Outcome {
    let mut tree = shell::cargo(["tree", "--edges=normal", "--target=all", "--prefix=none"]);
    with(&mut tree, krate, set);
    judge(krate, set, &shell::read(&mut tree)?)
}

/// Whether what the features in the set bring is there, and what the others bring is not.
fn judge(krate: &Crate, set: &[&Feature], tree: &str) -> Outcome {
    let depended_on = |name: &&str| tree.lines().any(|line| line.split_whitespace().next() == Some(*name));
    for feature in krate.features {
        let is_in = set.iter().any(|chosen| chosen.brings.iter().any(|name| feature.brings.contains(name)));
        let is_wrong = |name: &&&str| depended_on(name) != is_in;
        if let Some(name) = feature.brings.iter().find(is_wrong) {
            let (manifest, feature) = (krate.manifest, feature.name);
            return Err(Failure::failed(match is_in {
                true => format!("{manifest}: `{feature}` is said to bring {name}, and does not"),
                false => {
                    format!("{manifest}: {name} is compiled without `{feature}`, which alone should bring it")
                }
            }));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEXOPT: Feature = Feature { name: "lexopt", brings: &["lexopt"], tests: &[] };
    const BOTH: Feature = Feature { name: "both", brings: &["lexopt", "rcgen"], tests: &[] };
    const TWO: Crate =
        Crate { manifest: "a/Cargo.toml", command: &["check"], arguments: &[], features: &[LEXOPT, BOTH] };

    #[test]
    fn none_each_and_all_are_tried() {
        let words = |set: &Vec<&Feature>| {
            let command = tried(&TWO, set);
            command.get_args().map(|arg| arg.to_str().unwrap()).collect::<Vec<_>>().join(" ")
        };
        let none = "check --manifest-path a/Cargo.toml --no-default-features";
        assert_eq!(
            sets(TWO.features).iter().map(words).collect::<Vec<_>>(),
            [
                none.to_owned(),
                format!("{none} --features lexopt"),
                format!("{none} --features both"),
                format!("{none} --features lexopt --features both"),
            ]
        );
        assert_eq!(sets(&[LEXOPT]).len(), 2);
    }

    /// The promise of row A23, on this workspace as it is: without a feature, nothing of what
    /// it brings is compiled, and with it, all is.
    #[test]
    fn a23_a_feature_brings_what_it_says_and_only_it_does() {
        for krate in MATRIX {
            for set in sets(krate.features) {
                depends_on_what_they_bring(krate, &set).unwrap();
            }
        }
    }

    #[test]
    fn a_feature_that_brings_more_or_less_is_found() {
        let tree = "a v0.1.0 (x)\nlexopt v0.3.0\ntokio v1.0.0\n";
        let words = |set: &[&Feature]| judge(&TWO, set, tree).err().and_then(|failure| failure.words);
        assert!(words(&[]).unwrap().contains("lexopt is compiled without `lexopt`"));
        assert!(words(&[&BOTH]).unwrap().contains("`both` is said to bring rcgen"));
    }
}
