//! `cargo xtask fuzz`: what eats a peer's bytes, fed by a fuzzer. The targets are in `fuzz/`, a
//! workspace of its own, and what they call in `actor-cluster/src/fuzzing/`.
//!
//! Each begins with the golden frames of `docs/PROTOCOL.md`, and with what earlier runs found
//! worth keeping: `fuzz/corpus/`. An input that breaks a promise is left in `fuzz/artifacts/`.

use std::ffi::OsString;
use std::fs;
use std::process::Command;

use crate::sanitize;
use crate::shell::{self, Failure, Outcome};

/// Runs these targets, or all, for so many minutes each.
pub(crate) fn run(minutes: u64, targets: &[OsString]) -> Outcome {
    let toolchain = sanitize::nightly(&shell::read(&mut shell::program("rustup", ["toolchain", "list"]))?)?;
    if !shell::works(&mut shell::program("rustup", ["run", toolchain.as_str(), "cargo", "fuzz", "--version"]))
    {
        let advice = "`cargo install cargo-fuzz`; nothing was fuzzed";
        return Err(Failure::failed(format!("fuzzing needs cargo-fuzz, and it is not installed: {advice}")));
    }
    let targets = chosen(targets)?;
    let frames = golden(&fs::read_to_string(shell::root().join(PROTOCOL)).map_err(unreadable)?);
    // All run whatever the first says, so that one run shows all that is wrong.
    let outcomes: Vec<Outcome> = targets
        .iter()
        .map(|target| {
            sow(target, &frames)?;
            shell::run(&mut command(&toolchain, target, minutes))
        })
        .collect();
    match outcomes.iter().filter(|outcome| outcome.is_err()).count() {
        0 => Ok(()),
        failed => Err(Failure::failed(format!("{failed} of {} targets failed", targets.len()))),
    }
}

/// A program in `fuzz/`.
struct Target {
    name: &'static str,
    /// What it wants in front of a peer's bytes; `None` if those are nothing to it.
    before_frames: Option<&'static [u8]>,
}

const TARGETS: &[Target] = &[
    // Bodies of up to 64 KiB, in pieces of 255 bytes.
    Target { name: "frames", before_frames: Some(&[16, 255]) },
    Target { name: "handshake", before_frames: None },
    // An even number: bytes, in pieces of so many.
    Target { name: "session", before_frames: Some(&[254]) },
    Target { name: "control", before_frames: Some(&[]) },
    Target { name: "payload", before_frames: None },
    Target { name: "serde", before_frames: None },
    Target { name: "names", before_frames: None },
    Target { name: "parts", before_frames: None },
    Target { name: "schema", before_frames: None },
];

fn chosen(names: &[OsString]) -> Result<Vec<&'static Target>, Failure> {
    let named = |name: &OsString| {
        let found = TARGETS.iter().find(|target| name == target.name);
        found.ok_or_else(|| Failure::usage(format!("there is no target {name:?}: {}", names_of(TARGETS))))
    };
    if names.is_empty() { Ok(TARGETS.iter().collect()) } else { names.iter().map(named).collect() }
}

fn names_of(targets: &[Target]) -> String {
    targets.iter().map(|target| target.name).collect::<Vec<_>>().join(", ")
}

fn command(toolchain: &str, target: &Target, minutes: u64) -> Command {
    let words = ["run", toolchain, "cargo", "fuzz", "run", "--fuzz-dir", "fuzz", target.name, "--"];
    let mut command = shell::program("rustup", words);
    command.arg(format!("-max_total_time={}", minutes * 60));
    // No input may take long, nor much: these are far above what any does.
    command.args(["-timeout=20", "-rss_limit_mb=1024", "-malloc_limit_mb=128", "-max_len=8192"]);
    command.args(["-print_final_stats=1", "-verbosity=1"]);
    command
}

/// Puts the golden frames where the target begins.
fn sow(target: &Target, frames: &[Vec<u8>]) -> Outcome {
    let Some(before) = target.before_frames else { return Ok(()) };
    let directory = shell::root().join("fuzz/corpus").join(target.name);
    fs::create_dir_all(&directory).map_err(unreadable)?;
    for (number, frame) in frames.iter().enumerate() {
        // The control target eats bodies.
        let frame =
            if target.name == "control" { frame.get(HEADER_BYTES..).unwrap_or_default() } else { frame };
        let seed = [before, frame].concat();
        fs::write(directory.join(format!("golden-{number}")), seed).map_err(unreadable)?;
    }
    Ok(())
}

/// The frames of the last chapter: who wrote one, what it is, its header, its body.
fn golden(page: &str) -> Vec<Vec<u8>> {
    let lines = page.lines().filter(|line| line.starts_with("A ") || line.starts_with("B "));
    let digits =
        lines.filter_map(|line| line.split_whitespace().skip(2).map(bytes_of).collect::<Option<Vec<_>>>());
    digits.map(|parts| parts.concat()).filter(|frame| frame.len() >= HEADER_BYTES).collect()
}

fn bytes_of(digits: &str) -> Option<Vec<u8>> {
    let pair = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    (0..digits.len()).step_by(2).map(pair).collect()
}

fn unreadable(error: std::io::Error) -> Failure {
    Failure::failed(error.to_string())
}

const PROTOCOL: &str = "docs/PROTOCOL.md";
const HEADER_BYTES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_frames_are_found_and_nothing_else() {
        let page = "A and B are nodes\nA Ping      0800  0100\nB Pong 0800000d000000ff 01\nA Begin 080000090100000g 00\n";
        assert_eq!(golden(page), [[8, 0, 0, 13, 0, 0, 0, 255, 1]]);
        let page = fs::read_to_string(shell::root().join(PROTOCOL)).unwrap();
        let frames = golden(&page);
        assert!(frames.len() > 30, "{} frames", frames.len());
        for frame in frames {
            let length = u32::from_le_bytes([frame[0], frame[1], frame[2], 0]) as usize;
            assert_eq!(frame.len(), HEADER_BYTES + length);
        }
    }

    #[test]
    fn every_target_has_its_program_and_every_program_is_a_target() {
        let directory = shell::root().join("fuzz/fuzz_targets");
        let mut files: Vec<String> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let mut names: Vec<String> = TARGETS.iter().map(|target| format!("{}.rs", target.name)).collect();
        names.sort();
        assert_eq!(files, names);
    }

    #[test]
    fn a_target_that_is_not_there_is_named() {
        let failure = chosen(&["frames".into(), "nothing".into()]).err().unwrap();
        assert_eq!(failure.code, 2);
        assert!(failure.words.unwrap().contains("handshake, session"));
        assert_eq!(chosen(&[]).ok().unwrap().len(), TARGETS.len());
    }
}
