//! The far end of a measurement: how the near end starts it and speaks to it, and what it does.
//!
//! ```text
//!  near: Far ── stdin: its papers, then a word to a line ─► far: serve
//!            ◄─ stdout: `ready ADDRESS`, then a number for each word
//! ```
//!
//! Keys go through the pipe and are in no file, on no command line and in no environment.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;
use std::{env, process, thread};

use actor_cluster::wire::{WireContext, from_bytes, to_bytes};

use crate::flags::Task;
use crate::load;
use crate::memory;
use crate::system::{self, Papers};

/// A measurement that takes longer hangs; so does what waits for one.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The far end, as the near one sees it. Dropping it kills it.
pub(crate) struct Far {
    child: Child,
    words: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Where it listens.
    pub(crate) address: String,
}

/// What the far end is asked besides what is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Word {
    /// How many requests for memory were there?
    Allocations,
    /// How many bytes are resident?
    Resident,
    /// Receivers, stand still.
    Hold,
    /// Receivers, go on.
    Release,
}

impl Word {
    const ALL: [Word; 4] = [Word::Allocations, Word::Resident, Word::Hold, Word::Release];

    fn text(self) -> &'static str {
        match self {
            Word::Allocations => "allocations",
            Word::Resident => "resident",
            Word::Hold => "hold",
            Word::Release => "release",
        }
    }

    fn obey(self) -> u64 {
        match self {
            Word::Allocations => memory::allocations(),
            Word::Resident => memory::resident(),
            Word::Hold | Word::Release => {
                load::hold(self == Word::Hold);
                0
            }
        }
    }
}

impl Far {
    /// Starts this very program as the far end, and waits until it listens.
    pub(crate) fn start(task: &Task, papers: &Papers) -> Result<Self, String> {
        let program = env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.arg("serve").args(task.words()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("the far end does not start: {error}"))?;
        let (Some(words), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the far end has no pipes".to_owned());
        };
        let mut far = Self { child, words, answers: BufReader::new(answers), address: String::new() };
        write_papers(&mut far.words, papers)
            .map_err(|error| format!("the far end does not listen: {error}"))?;
        let line = far.line()?;
        let address = line.strip_prefix("ready ").ok_or_else(|| format!("the far end said {line:?}"))?;
        far.address = address.to_owned();
        Ok(far)
    }

    /// # Panics
    ///
    /// If the far end is gone.
    pub(crate) fn ask(&mut self, word: Word) -> u64 {
        writeln!(self.words, "{}", word.text()).expect("the far end lives");
        let line = self.line().expect("the far end answers");
        line.parse().expect("the far end answers with a number")
    }

    fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        match self.answers.read_line(&mut line) {
            Ok(0) => Err("the far end is gone".to_owned()),
            Ok(_) => Ok(line.trim_end().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        // It is gone already, or will be.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// The far end itself: lives until the near end is gone.
pub(crate) fn serve(task: &Task) -> Result<(), String> {
    give_up_after(PATIENCE);
    let papers = read_papers(&mut io::stdin().lock()).map_err(|error| error.to_string())?;
    let runtime = system::runtime(task.workers);
    let serving = runtime.block_on(system::serve(task, papers))?;
    println!("ready {}", serving.address);
    for line in io::stdin().lock().lines() {
        let line = line.map_err(|error| error.to_string())?;
        let word = Word::ALL.into_iter().find(|word| word.text() == line);
        println!("{}", word.ok_or_else(|| format!("{line:?} is no word"))?.obey());
    }
    Ok(())
}

/// Ends this process if it still runs then.
pub(crate) fn give_up_after(patience: Duration) {
    thread::spawn(move || {
        thread::sleep(patience);
        eprintln!("it did not end within {patience:?}");
        process::exit(3);
    });
}

fn write_papers(pipe: &mut impl Write, papers: &Papers) -> io::Result<()> {
    let bytes = to_bytes(papers, &WireContext::default()).map_err(io::Error::other)?;
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    pipe.write_all(&length.to_le_bytes())?;
    pipe.write_all(&bytes)?;
    pipe.flush()
}

fn read_papers(pipe: &mut impl Read) -> io::Result<Papers> {
    let mut length = [0; 4];
    pipe.read_exact(&mut length)?;
    let mut bytes = Vec::new();
    pipe.take(u64::from(u32::from_le_bytes(length))).read_to_end(&mut bytes)?;
    from_bytes(&bytes.into(), &WireContext::default()).map_err(io::Error::other)
}
