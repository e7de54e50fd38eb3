//! Starting other programs, and what became of them. The only room of xtask
//! that touches `std::process::Command`.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// How a command ended.
pub(crate) type Outcome = Result<(), Failure>;

/// Why xtask ends with a code other than zero.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The code to end with.
    pub(crate) code: u8,
    /// What to say first; nothing where the program that failed has spoken.
    pub(crate) words: Option<String>,
}

impl Failure {
    /// The caller asked for something that does not exist.
    pub(crate) fn usage(words: impl Into<String>) -> Failure {
        Failure { code: 2, words: Some(words.into()) }
    }

    /// Something that was asked for went wrong.
    pub(crate) fn failed(words: impl Into<String>) -> Failure {
        Failure { code: 1, words: Some(words.into()) }
    }
}

/// The directory of the workspace's manifest.
pub(crate) fn root() -> PathBuf {
    let xtask = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let xtask = PathBuf::from(xtask);
    xtask.parent().map(Path::to_path_buf).unwrap_or(xtask)
}

/// The cargo that runs us, at the workspace's root.
pub(crate) fn cargo<I, S>(args: I) -> Command
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let mut command = cargo_here(args);
    command.current_dir(root());
    command
}

/// The cargo that runs us, where the caller stands; for programs whose
/// arguments may name files.
pub(crate) fn cargo_here<I, S>(args: I) -> Command
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args);
    forget_our_package(&mut command);
    command
}

/// Another program, at the workspace's root. It chooses its own toolchain.
pub(crate) fn program<I, S>(name: &str, args: I) -> Command
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let mut command = Command::new(name);
    command.args(args).current_dir(root());
    for name in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(name);
    }
    forget_our_package(&mut command);
    command
}

/// Where cargo puts what it builds. Builds with other flags get a directory below it,
/// so that they and the ordinary ones do not undo each other.
pub(crate) fn target_directory() -> PathBuf {
    let named = env::var_os("CARGO_TARGET_DIR").filter(|directory| !directory.is_empty());
    root().join(named.unwrap_or_else(|| "target".into()))
}

/// These flags and no others, whatever the caller's environment says.
pub(crate) fn set_rustflags(command: &mut Command, flags: &str) {
    command.env("RUSTFLAGS", flags).env_remove("CARGO_ENCODED_RUSTFLAGS");
}

/// Runs it to its end; its output is the caller's to read.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let status = command.status().map_err(|error| not_started(command, &error))?;
    judge(command, status)
}

/// Runs it and hands back what it printed.
pub(crate) fn read(command: &mut Command) -> Result<String, Failure> {
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| not_started(command, &error))?;
    judge(command, output.status)?;
    String::from_utf8(output.stdout).map_err(|_| Failure::failed(format!("{command:?} did not print UTF-8")))
}

/// Whether it starts and ends well; it stays silent.
pub(crate) fn works(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// `cargo run` tells us about our own package through the environment. A cargo
/// that we start must not hear of it: build scripts that watch these variables
/// (ring's does) would run again whenever cargo is called with and without us.
fn forget_our_package(command: &mut Command) {
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
}

fn judge(command: &Command, status: ExitStatus) -> Outcome {
    match status.code() {
        Some(0) => Ok(()),
        Some(code) => Err(Failure { code: u8::try_from(code).unwrap_or(1), words: None }),
        None => Err(Failure::failed(format!("{command:?} was ended from outside: {status}"))),
    }
}

fn not_started(command: &Command, error: &std::io::Error) -> Failure {
    Failure::failed(format!("{command:?} does not start: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_the_directory_of_the_workspace() {
        let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[workspace]"));
    }

    #[test]
    fn flags_of_ours_take_the_place_of_the_callers() {
        let mut command = cargo(["test"]);
        set_rustflags(&mut command, "--cfg x");
        let envs: Vec<_> = command.get_envs().filter(|(name, _)| *name == "RUSTFLAGS").collect();
        assert_eq!(envs, [("RUSTFLAGS".as_ref(), Some("--cfg x".as_ref()))]);
        assert!(command.get_envs().any(|env| env == ("CARGO_ENCODED_RUSTFLAGS".as_ref(), None)));
    }

    #[test]
    fn the_code_of_a_child_is_passed_on() {
        let failure = run(cargo(["no-such-command"]).stderr(Stdio::null())).unwrap_err();
        assert_eq!(failure.code, 101);
        assert!(failure.words.is_none());
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let failure = run(&mut Command::new("no-such-program-anywhere")).unwrap_err();
        assert_eq!(failure.code, 1);
        assert!(failure.words.unwrap().contains("no-such-program-anywhere"));
    }
}
