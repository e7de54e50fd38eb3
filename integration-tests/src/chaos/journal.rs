//! What processes write down that may be killed at any time: records of one length, each handed to the system at once.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use actor_core::{CallError, CallFailure};

/// The bytes of a record of a caller's.
const CALL_BYTES: usize = 13;

/// The bytes of a record of a worker's.
const RUN_BYTES: usize = 8;

/// Which life of which node a call was begun in, and which of its calls it is.
pub fn call_id(node: u8, life: u8, number: u64) -> u64 {
    u64::from(node) << 56 | u64::from(life) << 48 | number & 0xffff_ffff_ffff
}

/// What became of a call, as its caller saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It was answered.
    Ok,
    /// It never left.
    NotSent,
    /// The other side refused it.
    Rejected,
    /// Its deadline had passed when its turn came.
    Expired,
    /// The session was lost before it had left.
    NeverLeft,
    /// The reply port was dropped.
    NoReply,
    /// No answer came in the caller's time.
    TimedOut,
    /// The session was lost after it had left.
    Unknown,
    /// Something that none of these calls is to come to.
    Strange,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Outcome; 9] = [
        Outcome::Ok,
        Outcome::NotSent,
        Outcome::Rejected,
        Outcome::Expired,
        Outcome::NeverLeft,
        Outcome::NoReply,
        Outcome::TimedOut,
        Outcome::Unknown,
        Outcome::Strange,
    ];

    /// The outcome of a call that is answered with its number.
    pub fn of<M>(call: u64, answer: &Result<u64, CallError<M>>) -> Self {
        let failure = match answer {
            Ok(answer) if *answer == call => return Self::Ok,
            Ok(_) => return Self::Strange,
            Err(CallError::NotSent(_)) => return Self::NotSent,
            Err(CallError::Failed(failure)) => failure,
        };
        match failure {
            CallFailure::Rejected(_) => Self::Rejected,
            CallFailure::Expired => Self::Expired,
            CallFailure::NeverLeft => Self::NeverLeft,
            CallFailure::NoReply => Self::NoReply,
            CallFailure::TimedOut(_) => Self::TimedOut,
            CallFailure::Unknown => Self::Unknown,
            _ => Self::Strange,
        }
    }

    /// How often such a call has run, at least and at most.
    pub fn runs(self) -> (u32, u32) {
        match self {
            Self::Ok => (1, 1),
            Self::NotSent | Self::Rejected | Self::Expired | Self::NeverLeft => (0, 0),
            Self::NoReply | Self::TimedOut | Self::Unknown | Self::Strange => (0, 1),
        }
    }

    fn code(self) -> u8 {
        Self::ALL
            .iter()
            .position(|other| *other == self)
            .map_or(0, |place| u8::try_from(place + 1).unwrap_or(0))
    }

    fn coded(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code).checked_sub(1)?).copied()
    }
}

/// What a caller has written down of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// It begins.
    Begun(u64),
    /// This became of it, and after so many microseconds.
    Ended(u64, Outcome, u32),
}

impl Note {
    fn write(self, record: &mut Vec<u8>) {
        let (code, call, micros) = match self {
            Note::Begun(call) => (0, call, 0),
            Note::Ended(call, outcome, micros) => (outcome.code(), call, micros),
        };
        record.push(code);
        record.extend(call.to_le_bytes());
        record.extend(micros.to_le_bytes());
    }

    fn read(record: &[u8]) -> Option<Self> {
        let call = u64::from_le_bytes(record.get(1..9)?.try_into().ok()?);
        let micros = u32::from_le_bytes(record.get(9..13)?.try_into().ok()?);
        match record[0] {
            0 => Some(Note::Begun(call)),
            code => Some(Note::Ended(call, Outcome::coded(code)?, micros)),
        }
    }
}

/// The two files of one life of a node.
#[derive(Debug)]
pub struct Journal {
    calls: File,
    ran: File,
    /// Which life it is, counted from 0.
    pub life: u8,
}

impl Journal {
    /// Those of the next life of this node.
    ///
    /// # Errors
    ///
    /// What the system says; and after 255 lives.
    pub fn begin(directory: &Path, node: u8) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        for life in 0..u8::MAX {
            let open = |what: &str| {
                let mut options = OpenOptions::new();
                options.append(true).create_new(true).open(path_of(directory, what, node, life))
            };
            match open("calls") {
                Ok(calls) => return Ok(Self { calls, ran: open("ran")?, life }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("there were too many lives"))
    }

    /// A worker has run this, and not answered yet.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn ran(&self, call: u64) -> io::Result<()> {
        (&self.ran).write_all(&call.to_le_bytes())
    }

    /// A caller has seen this.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn note(&self, notes: &[Note]) -> io::Result<()> {
        let mut records = Vec::with_capacity(notes.len() * CALL_BYTES);
        notes.iter().for_each(|note| note.write(&mut records));
        (&self.calls).write_all(&records)
    }
}

/// What all callers and workers have written down.
#[derive(Debug, Default)]
pub struct Records {
    /// What each life of each node has noted of its calls, with its name.
    pub calls: Vec<(String, Vec<Note>)>,
    /// All that ran.
    pub ran: Vec<u64>,
    /// Bytes at the ends of files that are no record.
    pub torn: u64,
}

impl Records {
    /// Reads all that is in a directory.
    ///
    /// # Errors
    ///
    /// What the system says; [`InvalidData`](io::ErrorKind::InvalidData) if something is no record.
    pub fn read(directory: &Path) -> io::Result<Self> {
        let mut records = Self::default();
        let mut paths: Vec<PathBuf> =
            fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
        paths.sort();
        for path in paths {
            let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
            if let Some(life) = name.strip_prefix("calls-") {
                let bytes = fs::read(&path)?;
                records.torn += (bytes.len() % CALL_BYTES) as u64;
                let notes = bytes.chunks_exact(CALL_BYTES).map(Note::read);
                let wrong = || io::Error::new(io::ErrorKind::InvalidData, format!("{name} has no records"));
                let notes: Option<Vec<Note>> = notes.collect();
                records.calls.push((life.to_owned(), notes.ok_or_else(wrong)?));
            } else if name.starts_with("ran-") {
                let bytes = fs::read(&path)?;
                records.torn += (bytes.len() % RUN_BYTES) as u64;
                let ids = bytes
                    .chunks_exact(RUN_BYTES)
                    .filter_map(|id| Some(u64::from_le_bytes(id.try_into().ok()?)));
                records.ran.extend(ids);
            }
        }
        Ok(records)
    }
}

fn path_of(directory: &Path, what: &str, node: u8, life: u8) -> PathBuf {
    directory.join(format!("{what}-{node}-{life}.log"))
}
