//! A service that is killed again and again, and those who ask it for something meanwhile: each asks with the same words until
//! it is answered, whichever life of the service does that.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// So many requests wait to be written.
const WAITING_MAX: usize = 256;

/// Before whoever does not know is asked again.
const PAUSE: Duration = Duration::from_millis(1);

/// Numbers from a seed, by SplitMix64.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of so many, from 0 on.
    pub(crate) fn below(&mut self, of: u64) -> u64 {
        self.draw() % of
    }

    /// Another one, for somebody else.
    pub(crate) fn fork(&mut self) -> Self {
        Self(self.draw())
    }
}

/// A program that is started again whenever it was killed.
pub(crate) struct Service {
    command: Box<dyn Fn() -> Command + Send>,
    current: watch::Sender<Option<Talk>>,
    life: Option<(Child, JoinHandle<()>)>,
    /// Whether this life has answered anything.
    has_answered: watch::Receiver<bool>,
    pub(crate) kills: u32,
}

/// How one life is spoken with.
#[derive(Clone)]
struct Talk {
    life: u32,
    requests: mpsc::Sender<Request>,
}

struct Request {
    key: String,
    line: String,
    /// Dropped if the life ends first.
    answer: oneshot::Sender<String>,
}

impl Service {
    /// Begins its first life.
    pub(crate) fn start(program: &str, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        let program = Path::new(program).to_owned();
        let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
        let command = Box::new(move || {
            let mut command = Command::new(&program);
            // It ends with its standard input, and so with us.
            command.args(&arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
            command
        });
        let has_answered = watch::channel(false).1;
        let mut service =
            Self { command, current: watch::Sender::new(None), life: None, has_answered, kills: 0 };
        service.live();
        service
    }

    fn live(&mut self) {
        let mut child = (self.command)().spawn().expect("the program is there");
        let (requests, waiting) = mpsc::channel(WAITING_MAX);
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (answered, has_answered) = watch::channel(false);
        let talking = tokio::spawn(talk(stdin, BufReader::new(stdout).lines(), waiting, answered));
        self.has_answered = has_answered;
        self.life = Some((child, talking));
        self.current.send_replace(Some(Talk { life: self.kills, requests }));
    }

    /// Kills it, as the system does it, and begins the next life. What it had answered is heard before that.
    pub(crate) async fn kill(&mut self) {
        self.end().await;
        self.live();
    }

    /// Kills it for the last time.
    pub(crate) async fn end(&mut self) {
        let (mut child, talking) = self.life.take().expect("it lives");
        let early = child.try_wait().unwrap();
        assert!(early.is_none(), "it ended by itself: {early:?}");
        child.kill().await.unwrap();
        talking.await.unwrap();
        self.kills += 1;
    }

    /// The number of its process.
    pub(crate) fn process(&self) -> u32 {
        let (child, _) = self.life.as_ref().expect("it lives");
        child.id().expect("nobody has waited for it")
    }

    /// Somebody who asks it.
    pub(crate) fn client(&self) -> Client {
        Client { current: self.current.subscribe() }
    }

    /// Waits until this life has answered something.
    pub(crate) async fn answers(&mut self) {
        // If it has ended, `kill` says so.
        drop(self.has_answered.wait_for(|has| *has).await);
    }

    /// Waits for any instant of its life: mostly so long after its first answer, whatever it does then, as a slow machine would
    /// else have it do nothing ever; but sometimes so long after its beginning.
    pub(crate) async fn instant(&mut self, pause: Duration, random: &mut Random) {
        if random.below(4) > 0 {
            self.answers().await;
        }
        // sleep: nothing is waited for
        tokio::time::sleep(pause).await;
    }

    /// Kills it at any [instant](Self::instant) of its life.
    pub(crate) async fn kill_after(&mut self, pause: Duration, random: &mut Random) {
        self.instant(pause, random).await;
        self.kill().await;
    }
}

/// Hands requests on and answers back, until the life ends.
async fn talk(
    mut stdin: ChildStdin,
    mut stdout: Lines<BufReader<ChildStdout>>,
    mut waiting: mpsc::Receiver<Request>,
    answered: watch::Sender<bool>,
) {
    let mut asked: BTreeMap<String, oneshot::Sender<String>> = BTreeMap::new();
    loop {
        tokio::select! {
            line = stdout.next_line() => {
                // A line that was cut off is no answer.
                let Ok(Some(line)) = line else { return };
                let Some((key, answer)) = line.split_once(' ') else { continue };
                // Who knows nothing has not begun: another one has all of its actors still.
                answered.send_if_modified(|has| !answer.starts_with("failed ") && !std::mem::replace(has, true));
                if let Some(port) = asked.remove(key) {
                    drop(port.send(answer.to_owned()));
                }
            }
            request = waiting.recv() => {
                let Some(Request { key, line, answer }) = request else { return };
                asked.insert(key, answer);
                // If it is dead there is something to read, too: its end.
                drop(stdin.write_all(line.as_bytes()).await);
            }
        }
    }
}

/// See [`Service::client`].
#[derive(Clone)]
pub(crate) struct Client {
    current: watch::Receiver<Option<Talk>>,
}

/// An answer, and how often it was asked for.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) text: String,
    pub(crate) tries: u32,
}

impl Client {
    /// Asks with the same words until it is answered.
    pub(crate) async fn ask(&mut self, key: &str, request: &str) -> Answered {
        let mut dead = None;
        for tries in 1.. {
            match self.ask_life(key, request, dead).await {
                Ok(text) if !text.starts_with("failed ") => return Answered { text, tries },
                // It lives, and does not know.
                // sleep: it is not asked again without a pause
                Ok(_) => tokio::time::sleep(PAUSE).await,
                Err(life) => dead = Some(life),
            }
        }
        unreachable!("it is asked until it is answered")
    }

    /// Asks once, whatever the answer; none if that life ends first.
    pub(crate) async fn ask_once(&mut self, key: &str, request: &str) -> Option<String> {
        self.ask_life(key, request, None).await.ok()
    }

    /// Asks a life that is not this one. Its number, if it ends first.
    async fn ask_life(&mut self, key: &str, request: &str, dead: Option<u32>) -> Result<String, u32> {
        let is_new = |talk: &Option<Talk>| talk.as_ref().is_some_and(|talk| Some(talk.life) != dead);
        let talk = self.current.wait_for(is_new).await.expect("the service is there").clone();
        let Talk { life, requests } = talk.expect("it was waited for");
        let (answer, answered) = oneshot::channel();
        let line = format!("{key} {request}\n");
        drop(requests.send(Request { key: key.to_owned(), line, answer }).await);
        // What was sent while the life ended may lie in the channel, and is dropped with the last who could send.
        drop(requests);
        answered.await.map_err(|_| life)
    }
}
