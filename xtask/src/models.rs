//! `cargo xtask models`: the lock-free parts of actor-core under every schedule of
//! small models (loom), then under many schedules of larger ones (shuttle).
//!
//! Each of the two is another build of everything below, so each has a target
//! directory of its own beside the ordinary one's contents.

use std::process::Command;

use crate::flags::Length;
use crate::shell::{self, Outcome};

pub(crate) fn run(length: Length) -> Outcome {
    // Both run whatever the first says, so that one run shows all that is wrong.
    let every = shell::run(&mut command(Modeller::Loom, length));
    let many = shell::run(&mut command(Modeller::Shuttle, length));
    every.and(many)
}

/// Who runs the schedules.
#[derive(Clone, Copy)]
enum Modeller {
    Loom,
    Shuttle,
}

impl Modeller {
    /// What actor-core is told; see its `src/sync.rs`.
    fn flags(self) -> &'static str {
        match self {
            Modeller::Loom => "--cfg actor_loom",
            Modeller::Shuttle => "--cfg actor_shuttle",
        }
    }

    /// What its models' modules are called.
    fn filter(self) -> &'static str {
        match self {
            Modeller::Loom => "every_schedule",
            Modeller::Shuttle => "many_schedules",
        }
    }

    fn directory(self) -> &'static str {
        match self {
            Modeller::Loom => "loom",
            Modeller::Shuttle => "shuttle",
        }
    }
}

fn command(modeller: Modeller, length: Length) -> Command {
    let mut command = shell::cargo(["test", "--package", "actor-core", "--lib", "--release", "--target-dir"]);
    command.arg(shell::target_directory().join("models").join(modeller.directory()));
    command.args(["--", modeller.filter()]);
    shell::set_rustflags(&mut command, modeller.flags());
    // A model runs for seconds; optimising across crates would take longer.
    command.env("CARGO_PROFILE_RELEASE_LTO", "off");
    if length == Length::Full {
        command.env("ACTOR_TEST_FULL", "1");
        for (name, value) in LOOM_FULL {
            if std::env::var_os(name).is_none() {
                command.env(name, value);
            }
        }
    }
    command
}

/// Three preemptions find all that was ever reported; some models would then run for
/// hours, and each stops after so many seconds.
const LOOM_FULL: [(&str, &str); 2] = [("LOOM_MAX_PREEMPTIONS", "3"), ("LOOM_MAX_DURATION", "300")];

#[cfg(test)]
mod tests {
    use super::*;

    fn value(command: &Command, name: &str) -> Option<String> {
        let (_, value) = command.get_envs().find(|(has, _)| *has == name)?;
        Some(value?.to_str().unwrap().to_owned())
    }

    #[test]
    fn each_has_its_flags_its_directory_and_its_models() {
        for (modeller, cfg, filter, directory) in [
            (Modeller::Loom, "--cfg actor_loom", "every_schedule", "models/loom"),
            (Modeller::Shuttle, "--cfg actor_shuttle", "many_schedules", "models/shuttle"),
        ] {
            let command = command(modeller, Length::Quick);
            let args: Vec<_> = command.get_args().map(|arg| arg.to_str().unwrap()).collect();
            assert_eq!(args[..6], ["test", "--package", "actor-core", "--lib", "--release", "--target-dir"]);
            assert!(args[6].ends_with(directory), "{args:?}");
            assert_eq!(args[7..], ["--", filter]);
            assert_eq!(value(&command, "RUSTFLAGS").as_deref(), Some(cfg));
        }
    }

    #[test]
    fn only_the_full_form_says_so() {
        let full = command(Modeller::Loom, Length::Full);
        assert_eq!(value(&full, "ACTOR_TEST_FULL").as_deref(), Some("1"));
        let quick = command(Modeller::Loom, Length::Quick);
        assert_eq!((value(&quick, "ACTOR_TEST_FULL"), value(&quick, "LOOM_MAX_PREEMPTIONS")), (None, None));
    }
}
