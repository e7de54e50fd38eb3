//! The conversation with one process: what it is told, in order, and what was heard of it so far.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::limits::{OWN_LINES_KEPT, QUESTIONS_MAX, TOLD_KEPT};

use super::error::{Ending, ProcessError};
use super::lines::{Word, escape, next_line};

/// One life of a node, heard from outside. Its standard input is open as long as this lives.
#[derive(Debug)]
pub(super) struct Talk {
    node: String,
    orders: mpsc::Sender<Vec<u8>>,
    ear: Arc<Ear>,
}

#[derive(Debug, Default)]
struct Ear {
    heard: Mutex<Heard>,
    changes: watch::Sender<()>,
}

/// What was heard and not yet taken.
#[derive(Debug, Default)]
struct Heard {
    addresses: Option<Vec<String>>,
    last_id: u64,
    asked: BTreeSet<u64>,
    answers: BTreeMap<u64, Result<String, String>>,
    told: VecDeque<String>,
    own: VecDeque<String>,
    is_over: bool,
}

impl Talk {
    /// Begins with the greeting.
    pub(super) fn begin(node: &str, greeting: Vec<u8>, (stdin, stdout): (ChildStdin, ChildStdout)) -> Self {
        let (orders, pending) = mpsc::channel(QUESTIONS_MAX);
        let ear = Arc::<Ear>::default();
        tokio::spawn(speak(stdin, greeting, pending));
        tokio::spawn(listen(stdout, ear.clone()));
        Self { node: node.to_owned(), orders, ear }
    }

    /// Where it said that it is, once it did.
    pub(super) async fn ready(&self, patience: Duration) -> Result<Vec<String>, ProcessError> {
        self.until("was ready", patience, |heard| heard.addresses.clone()).await
    }

    pub(super) fn addresses(&self) -> Option<Vec<String>> {
        self.ear.heard().addresses.clone()
    }

    pub(super) async fn ask(&self, question: &str, patience: Duration) -> Result<String, ProcessError> {
        let id = {
            let mut heard = self.ear.heard();
            heard.last_id += 1;
            let id = heard.last_id;
            heard.asked.insert(id);
            id
        };
        let asked = Asked { ear: &self.ear, id };
        let what = format!("answered {question:?}");
        let line = format!("ask {id} {}\n", escape(question)).into_bytes();
        match timeout(patience, self.orders.send(line)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(self.ended()),
            Err(_) => return Err(self.late(&what, patience)),
        }
        let answer = self.until(&what, patience, |heard| heard.answers.remove(&asked.id)).await?;
        let node = self.node.clone();
        answer.map_err(|words| ProcessError::Refused { node, question: question.to_owned(), words })
    }

    pub(super) async fn next_told(&self, patience: Duration) -> Result<String, ProcessError> {
        self.until("said more", patience, |heard| heard.told.pop_front()).await
    }

    /// The last lines of its standard output that were not for us.
    pub(super) fn own_lines(&self) -> Vec<String> {
        self.ear.heard().own.iter().cloned().collect()
    }

    async fn until<T>(
        &self,
        what: &str,
        patience: Duration,
        mut take: impl FnMut(&mut Heard) -> Option<T>,
    ) -> Result<T, ProcessError> {
        let mut changes = self.ear.changes.subscribe();
        let mut look = || {
            let mut heard = self.ear.heard();
            match take(&mut heard) {
                Some(taken) => Some(Ok(taken)),
                None => heard.is_over.then_some(Err(())),
            }
        };
        let waiting = async {
            loop {
                if let Some(seen) = look() {
                    return seen;
                }
                // It lives as long as we do.
                _ = changes.changed().await;
            }
        };
        match timeout(patience, waiting).await {
            Ok(Ok(taken)) => Ok(taken),
            Ok(Err(())) => Err(self.ended()),
            Err(_) => Err(self.late(what, patience)),
        }
    }

    fn ended(&self) -> ProcessError {
        ProcessError::Ended { node: self.node.clone(), status: Ending::Unseen, said: self.own_lines() }
    }

    fn late(&self, what: &str, patience: Duration) -> ProcessError {
        ProcessError::Late {
            node: self.node.clone(),
            what: what.to_owned(),
            patience,
            said: self.own_lines(),
        }
    }
}

/// Nobody waits for the answer any more, however that came.
struct Asked<'a> {
    ear: &'a Ear,
    id: u64,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let mut heard = self.ear.heard();
        heard.asked.remove(&self.id);
        heard.answers.remove(&self.id);
    }
}

impl Ear {
    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, word: Word) {
        let mut heard = self.heard();
        match word {
            Word::Ready(addresses) => heard.addresses = Some(addresses),
            Word::Answer(id, answer) if heard.asked.remove(&id) => _ = heard.answers.insert(id, answer),
            Word::Answer(..) => {}
            Word::Tell(words) => keep(&mut heard.told, words, TOLD_KEPT),
            Word::Own(line) if line.trim().is_empty() => {}
            Word::Own(line) => keep(&mut heard.own, line, OWN_LINES_KEPT),
        }
        drop(heard);
        self.changes.send_replace(());
    }
}

fn keep(lines: &mut VecDeque<String>, line: String, most: usize) {
    if lines.len() == most {
        lines.pop_front();
    }
    lines.push_back(line);
}

/// Until nobody has orders any more; then the standard input ends.
async fn speak(mut stdin: ChildStdin, greeting: Vec<u8>, mut orders: mpsc::Receiver<Vec<u8>>) {
    let mut next = Some(greeting);
    while let Some(line) = next {
        if stdin.write_all(&line).await.is_err() {
            return;
        }
        next = orders.recv().await;
    }
}

async fn listen(stdout: ChildStdout, ear: Arc<Ear>) {
    let mut stdout = BufReader::new(stdout);
    // What cannot be read is over.
    while let Ok(Some(line)) = next_line(&mut stdout).await {
        ear.hear(Word::parse(&line));
    }
    ear.heard().is_over = true;
    ear.changes.send_replace(());
}
