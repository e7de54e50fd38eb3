//! `cargo xtask fuzz`: what eats a peer's bytes, fed by a fuzzer. The targets are in `fuzz/`, a
//! workspace of its own, and what they call in `actor-cluster/src/fuzzing/`.
//!
//! ```text
//!  docs/PROTOCOL.md, its golden frames ─┐
//!  fuzz/corpus/TARGET.hex, what is kept ┴─► fuzz/corpus/TARGET/, a file for each input ◄─► the fuzzer
//! ```
//!
//! The directory is the fuzzer's, and no part of the repository. With `--keep` those of its inputs that
//! reach something which no shorter one does become the text again, the shortest first, as far as there
//! is room. Tests on a stable toolchain replay the texts. An input that breaks a promise is left in
//! `fuzz/artifacts/`, and its target keeps nothing.

use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::sanitize;
use crate::shell::{self, Failure, Outcome};

mod corpus;

/// What to do, as the command line says.
#[derive(Debug, PartialEq)]
pub(crate) struct Plan {
    /// How long each target runs; with 0 only what is there is run, once.
    pub(crate) minutes: u64,
    /// What becomes of what was found.
    pub(crate) found: Found,
    /// Which run; all if there are none.
    pub(crate) targets: Vec<OsString>,
}

/// What becomes of inputs that a run found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Found {
    /// They stay in the fuzzer's directory.
    Left,
    /// They go into the repository.
    Kept,
}

/// Runs the targets, one after another.
pub(crate) fn run(plan: &Plan) -> Outcome {
    let toolchain = sanitize::nightly(&shell::read(&mut shell::program("rustup", ["toolchain", "list"]))?)?;
    if !shell::works(&mut shell::program("rustup", ["run", toolchain.as_str(), "cargo", "fuzz", "--version"]))
    {
        let advice = "`cargo install cargo-fuzz`; nothing was fuzzed";
        return Err(Failure::failed(format!("fuzzing needs cargo-fuzz, and it is not installed: {advice}")));
    }
    let targets = chosen(&plan.targets)?;
    let page = shell::root().join(PROTOCOL);
    let frames = golden(&fs::read_to_string(&page).map_err(|error| unusable(&page, &error))?);
    // All run whatever the first says, so that one run shows all that is wrong.
    let failed = targets.iter().filter(|target| {
        let outcome = target.run(&toolchain, &frames, plan);
        if let Err(Failure { words: Some(words), .. }) = &outcome {
            eprintln!("{}: {words}", target.name);
        }
        outcome.is_err()
    });
    match failed.count() {
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
    Target { name: "membership", before_frames: None },
    Target { name: "names", before_frames: None },
    Target { name: "parts", before_frames: None },
    Target { name: "schema", before_frames: None },
];

impl Target {
    fn run(&self, toolchain: &str, frames: &[Vec<u8>], plan: &Plan) -> Outcome {
        self.sow(frames)?;
        shell::run(&mut self.fuzz(toolchain, plan.minutes))?;
        match plan.found {
            Found::Left => Ok(()),
            Found::Kept => self.keep(toolchain),
        }
    }

    /// Puts what is kept, and the golden frames, where the fuzzer begins.
    fn sow(&self, frames: &[Vec<u8>]) -> Outcome {
        let (directory, text) = (self.directory(), self.text());
        fs::create_dir_all(&directory).map_err(|error| unusable(&directory, &error))?;
        let kept = match fs::read_to_string(&text) {
            Ok(kept) => corpus::unpack(&text, &kept)?,
            // Of a target that is new.
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(unusable(&text, &error)),
        };
        let golden = frames.iter().filter_map(|frame| self.seed(frame));
        let golden = golden.enumerate().map(|(number, seed)| (format!("golden-{number}"), seed));
        let kept = kept.into_iter().enumerate().map(|(number, input)| (format!("kept-{number}"), input));
        for (name, input) in golden.chain(kept) {
            let path = directory.join(name);
            fs::write(&path, input).map_err(|error| unusable(&path, &error))?;
        }
        Ok(())
    }

    /// The input that a golden frame is to this target.
    fn seed(&self, frame: &[u8]) -> Option<Vec<u8>> {
        let before = self.before_frames?;
        // The control target eats bodies.
        let frame = if self.name == "control" { frame.get(HEADER_BYTES..)? } else { frame };
        Some([before, frame].concat())
    }

    fn fuzz(&self, toolchain: &str, minutes: u64) -> Command {
        let length = match minutes {
            // A time of zero would be no limit.
            0 => "-runs=0".to_owned(),
            minutes => format!("-max_total_time={}", minutes * 60),
        };
        self.command(toolchain, &[&self.directory()], &[&length, "-print_final_stats=1"])
    }

    /// Of all inputs those that reach something which no shorter one does. Of two that are equally long it is
    /// the one that the directory lists first, so another file system may have another.
    fn merge(&self, toolchain: &str, into: &Path) -> Command {
        self.command(toolchain, &[into, &self.directory()], &["-merge=1"])
    }

    fn command(&self, toolchain: &str, directories: &[&Path], options: &[&str]) -> Command {
        let words = ["run", toolchain, "cargo", "fuzz", "run", "--fuzz-dir", "fuzz", self.name];
        let mut command = shell::program("rustup", words);
        command.args(directories).arg("--").args(options);
        // No input may take long, nor much: these are far above what any does.
        command.args(["-timeout=20", "-rss_limit_mb=1024", "-malloc_limit_mb=128", "-max_len=8192"]);
        command.arg("-verbosity=1");
        command
    }

    /// Leaves no more in the fuzzer's directory than reaches all that is reached, and writes the text.
    fn keep(&self, toolchain: &str) -> Outcome {
        let (directory, merged) = (self.directory(), self.directory().with_extension("merged"));
        let failed = |error| unusable(&merged, &error);
        if merged.exists() {
            fs::remove_dir_all(&merged).map_err(failed)?;
        }
        fs::create_dir(&merged).map_err(failed)?;
        shell::run(&mut self.merge(toolchain, &merged))?;
        let inputs = corpus::inputs(&merged).map_err(failed)?;
        let found = inputs.len();
        let text = corpus::pack(inputs, TEXT_BYTES_MAX);
        fs::write(self.text(), &text).map_err(|error| unusable(&self.text(), &error))?;
        println!("{}: kept {} of {found} inputs, in {} bytes", self.name, text.lines().count(), text.len());
        fs::remove_dir_all(&directory).and_then(|()| fs::rename(&merged, &directory)).map_err(failed)
    }

    /// Where the fuzzer works.
    fn directory(&self) -> PathBuf {
        shell::root().join(CORPUS).join(self.name)
    }

    /// What the repository has.
    fn text(&self) -> PathBuf {
        self.directory().with_extension("hex")
    }
}

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

/// The frames of the last chapter: who wrote one, what it is, its header, its body.
fn golden(page: &str) -> Vec<Vec<u8>> {
    let lines = page.lines().filter(|line| line.starts_with("A ") || line.starts_with("B "));
    let digits = lines
        .filter_map(|line| line.split_whitespace().skip(2).map(corpus::bytes_of).collect::<Option<Vec<_>>>());
    digits.map(|parts| parts.concat()).filter(|frame| frame.len() >= HEADER_BYTES).collect()
}

fn unusable(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("{}: {error}", path.display()))
}

const PROTOCOL: &str = "docs/PROTOCOL.md";
const CORPUS: &str = "fuzz/corpus";

/// Of what is kept for one target. All of it is replayed at every run of the tests.
const TEXT_BYTES_MAX: usize = 256 * 1024;

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
    fn what_is_kept_of_a_target_is_as_it_would_be_written() {
        for target in TARGETS {
            let text =
                fs::read_to_string(target.text()).unwrap_or_else(|error| panic!("{}: {error}", target.name));
            let inputs =
                corpus::unpack(&target.text(), &text).unwrap_or_else(|failure| panic!("{failure:?}"));
            assert!(!inputs.is_empty(), "{}", target.name);
            assert!(text == corpus::pack(inputs, TEXT_BYTES_MAX), "{}: it is not as written", target.name);
        }
    }

    #[test]
    fn golden_frames_become_what_a_target_eats() {
        let seed = |name: &str| {
            let target = TARGETS.iter().find(|target| target.name == name).unwrap();
            target.seed(&[1, 0, 0, 2, 3, 0, 0, 0, 7])
        };
        assert_eq!(seed("frames"), Some(vec![16, 255, 1, 0, 0, 2, 3, 0, 0, 0, 7]));
        assert_eq!(seed("control"), Some(vec![7]));
        assert_eq!(seed("schema"), None);
    }

    #[test]
    fn minutes_are_for_the_fuzzer_and_none_is_no_time_at_all() {
        let words = |command: Command| -> Vec<String> {
            command.get_args().map(|word| word.to_str().unwrap().to_owned()).collect()
        };
        let target = &TARGETS[0];
        let directory = target.directory().into_os_string().into_string().unwrap();
        let begin = ["run", "nightly", "cargo", "fuzz", "run", "--fuzz-dir", "fuzz", "frames"];
        let ten = words(target.fuzz("nightly", 10));
        assert_eq!(ten[..8], begin);
        assert_eq!(ten[8..11], [directory.as_str(), "--", "-max_total_time=600"]);
        assert_eq!(words(target.fuzz("nightly", 0))[10], "-runs=0");
        let merge = words(target.merge("nightly", Path::new("there")));
        assert_eq!(merge[8..12], ["there", directory.as_str(), "--", "-merge=1"]);
    }

    #[test]
    fn a_target_that_is_not_there_is_named() {
        let failure = chosen(&["frames".into(), "nothing".into()]).err().unwrap();
        assert_eq!(failure.code, 2);
        assert!(failure.words.unwrap().contains("handshake, session"));
        assert_eq!(chosen(&[]).ok().unwrap().len(), TARGETS.len());
    }
}
