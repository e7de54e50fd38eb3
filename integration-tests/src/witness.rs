//! Who handles what, written down outside the store by those who do it: a file to which all processes append. An actor that two
//! of them have at a time is found by it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use actor_durable::store::Store;
use actor_durable::{DurableId, Epoch, MessageId};

/// Writes down what a process does.
#[derive(Debug)]
pub struct Witness {
    file: File,
    store: Arc<dyn Store>,
    /// In which epoch each actor was activated here last.
    epochs: Mutex<BTreeMap<DurableId, Epoch>>,
}

/// The beginning or the end of a handler's run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The process's number.
    pub process: u32,
    /// Which actor.
    pub actor: String,
    /// In which the process had it.
    pub epoch: u64,
    /// Of which message.
    pub message: MessageId,
    /// Whether it ends.
    pub is_end: bool,
}

impl Witness {
    /// Appends to a file. The store says in which epoch an actor is.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn open(path: &Path, store: Arc<dyn Store>) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { file, store, epochs: Mutex::default() })
    }

    /// An actor was activated here.
    pub(crate) async fn note_activation(&self, actor: &DurableId) -> Result<(), actor_core::ActorError> {
        let head = self.store.head(actor).await?.ok_or("it is there")?;
        let mut epochs = self.epochs.lock().unwrap_or_else(PoisonError::into_inner);
        epochs.insert(actor.clone(), head.epoch);
        Ok(())
    }

    /// A handler's run begins or ends.
    ///
    /// # Panics
    ///
    /// The file cannot be written.
    pub(crate) fn write(&self, actor: &DurableId, message: MessageId, is_end: bool) {
        let epoch = {
            let epochs = self.epochs.lock().unwrap_or_else(PoisonError::into_inner);
            epochs.get(actor).map_or(0, |epoch| epoch.0)
        };
        let line = Line { process: std::process::id(), actor: actor.to_string(), epoch, message, is_end };
        // In one piece, so that lines of several processes do not mix.
        (&self.file).write_all(format!("{line}\n").as_bytes()).expect("there is room on the disk");
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { process, actor, epoch, message, is_end } = self;
        write!(f, "{process} {actor} {epoch} {message} {}", if *is_end { "ends" } else { "begins" })
    }
}

impl FromStr for Line {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let read = || {
            let [process, actor, epoch, message, what] = line.split(' ').collect::<Vec<_>>()[..] else {
                return None;
            };
            Some(Self {
                process: process.parse().ok()?,
                actor: actor.to_owned(),
                epoch: epoch.parse().ok()?,
                message: MessageId::from_bytes(u128::from_str_radix(message, 16).ok()?.to_be_bytes()),
                is_end: what == "ends",
            })
        };
        read().ok_or_else(|| format!("not a line of a witness: {line}"))
    }
}

/// What was written down, in the order in which it happened.
///
/// # Errors
///
/// What the system says, or a line that is none.
pub fn read(path: &Path) -> io::Result<Vec<Line>> {
    match std::fs::read_to_string(path) {
        Ok(text) => text.lines().map(|line| line.parse().map_err(io::Error::other)).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
