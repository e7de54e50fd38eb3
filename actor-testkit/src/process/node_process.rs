//! A node that is a process of its own, and its end: whatever happens to us, it
//! does not outlive us.
//!
//! ```text
//!  NodeProcess ── stdin: the greeting, then nothing until we are gone ─► child
//!       └─ drop: SIGKILL                                   its end is the child's end
//! ```

use std::ffi::OsStr;
use std::future::poll_fn;
use std::io::{self, Read};
use std::path::Path;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::warden::Warden;

/// What a new process is told first, through its standard input, so that no key is ever in a file, on a
/// command line or in an environment.
pub trait Greeting {
    /// The bytes.
    ///
    /// # Errors
    ///
    /// If it cannot be written down.
    fn bytes(&self) -> io::Result<Vec<u8>>;
}

impl Greeting for [u8] {
    fn bytes(&self) -> io::Result<Vec<u8>> {
        Ok(self.to_vec())
    }
}

/// A child process that is a node. Dropping it kills it.
///
/// A [`ProcessCluster`](super::ProcessCluster) has many, and speaks with them; this is one whose program has its own ideas of
/// that.
#[derive(Debug)]
pub struct NodeProcess {
    child: Child,
    /// Held open: a child whose standard input ends knows that we are gone. Taken
    /// out of the child, because tokio closes it there when somebody waits.
    stdin: Option<ChildStdin>,
    /// While it is frozen: it cannot see that we are gone.
    frozen: Option<Warden>,
}

impl NodeProcess {
    /// Starts a program as a node and hands it its greeting. What it prints to
    /// its standard error is seen on ours; its standard output is nobody's.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub async fn start(
        program: &Path,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
        greeting: &(impl Greeting + ?Sized),
    ) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.args(arguments);
        Self::start_command(command, greeting).await
    }

    /// The same of a program with other things to be started with, such as an environment.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub async fn start_command(
        mut command: Command,
        greeting: &(impl Greeting + ?Sized),
    ) -> io::Result<Self> {
        command.stdout(Stdio::null());
        let mut process = Self::spawn(command)?;
        if let Some(stdin) = &mut process.stdin {
            stdin.write_all(&greeting.bytes()?).await?;
            stdin.flush().await?;
        }
        Ok(process)
    }

    pub(super) fn spawn(mut command: Command) -> io::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).kill_on_drop(true).spawn()?;
        let stdin = child.stdin.take();
        Ok(Self { child, stdin, frozen: None })
    }

    /// Both ends of the conversation, for who holds them from here on.
    pub(super) fn pipes(&mut self) -> Option<(ChildStdin, ChildStdout)> {
        Some((self.stdin.take()?, self.child.stdout.take()?))
    }

    /// The system's number for it; `None` once it has ended and that was seen.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// How it has ended, if it has.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn has_ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Whether it is [frozen](Self::freeze).
    pub fn is_frozen(&self) -> bool {
        self.frozen.is_some()
    }

    /// Asks the process to end, by SIGTERM; see [`finish`](Self::finish). Nothing if it has ended.
    ///
    /// # Errors
    ///
    /// What the system says; [`Unsupported`](io::ErrorKind::Unsupported) where there are no signals.
    pub fn terminate(&mut self) -> io::Result<()> {
        self.signal(Signal::Terminate)
    }

    /// Freezes the process, by SIGSTOP: it does nothing when this returns, and its connections stay open. Should we be killed meanwhile, so is
    /// it, by a shell that waits for that. Nothing if it has ended.
    ///
    /// # Errors
    ///
    /// As [`terminate`](Self::terminate).
    pub fn freeze(&mut self) -> io::Result<()> {
        let Some(id) = self.id() else { return Ok(()) };
        if self.frozen.is_none() {
            self.frozen = Some(Warden::new(&format!("kill -s KILL {id}"))?);
        }
        self.signal(Signal::Stop)?;
        self.stopped()
    }

    /// Has it go on where it was frozen, by SIGCONT. Nothing if it has ended.
    ///
    /// # Errors
    ///
    /// As [`terminate`](Self::terminate).
    pub fn thaw(&mut self) -> io::Result<()> {
        if let Some(warden) = self.frozen.take() {
            warden.dismiss();
        }
        self.signal(Signal::Continue)
    }

    /// Kills the process, as the system does it: it gets to say nothing. Returns
    /// once it is gone.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub async fn kill(&mut self) -> io::Result<()> {
        if let Some(warden) = self.frozen.take() {
            warden.dismiss();
        }
        self.child.kill().await
    }

    /// Waits for the process to end by itself, and kills it if that takes longer
    /// than `patience`.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub async fn finish(mut self, patience: Duration) -> io::Result<ExitStatus> {
        match timeout(patience, self.exited()).await {
            Ok(status) => status,
            Err(_) => {
                self.kill().await?;
                self.child.wait().await
            }
        }
    }

    /// Ready once the process has ended.
    pub fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<ExitStatus>> {
        // The wait keeps its state in the child; this future is but a view of it.
        pin!(self.child.wait()).poll(cx)
    }

    /// Waits until the process has ended; see [`poll_exit`](Self::poll_exit).
    ///
    /// # Errors
    ///
    /// What the system says.
    pub async fn exited(&mut self) -> io::Result<ExitStatus> {
        poll_fn(|cx| self.poll_exit(cx)).await
    }

    /// Signals of others', whose number might be another's by then, do not exist: it is the system's number of our child,
    /// which nobody gets as long as we have not seen its end.
    #[cfg(unix)]
    fn signal(&self, signal: Signal) -> io::Result<()> {
        use rustix::process::{Pid, Signal as Number, kill_process};

        let id = self.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let Some(id) = id else { return Ok(()) };
        let number = match signal {
            Signal::Terminate => Number::TERM,
            Signal::Stop => Number::STOP,
            Signal::Continue => Number::CONT,
        };
        Ok(kill_process(id, number)?)
    }

    /// Waits until all its threads have stopped, which those take some microseconds for that run; or until it has ended.
    #[cfg(unix)]
    fn stopped(&self) -> io::Result<()> {
        use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

        let id = self.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        // Only looked at: tokio hears of its end, too.
        let seen = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        id.map_or(Ok(()), |id| Ok(waitid(WaitId::Pid(id), seen).map(drop)?))
    }

    #[cfg(not(unix))]
    fn stopped(&self) -> io::Result<()> {
        Ok(())
    }

    #[cfg(not(unix))]
    fn signal(&self, _: Signal) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        // The child is killed right after, frozen or not.
        if let Some(warden) = self.frozen.take() {
            warden.dismiss();
        }
    }
}

#[derive(Clone, Copy)]
enum Signal {
    Terminate,
    Stop,
    Continue,
}

/// Completes when this process's standard input ends, that is when whoever started
/// it is gone. To be called after the greeting was read.
pub async fn parent_gone() {
    let (ended, end) = oneshot::channel::<()>();
    // A thread of its own, which the end of the process takes along: a read that
    // the runtime made would hold up the runtime's end.
    thread::spawn(move || {
        let mut ignored = [0; 256];
        while matches!(io::stdin().lock().read(&mut ignored), Ok(bytes) if bytes > 0) {}
        drop(ended);
    });
    // The sender never sends; it is dropped.
    drop(end.await);
}
