//! A node that is a process of its own, and its end: whatever happens to us, it
//! does not outlive us.
//!
//! ```text
//!  NodeProcess ── stdin: the invitation, then nothing until we are gone ─► child
//!       └─ drop: SIGKILL                                    its end is the child's end
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

use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::invitation::Invitation;

/// A child process that is a node. Dropping it kills it.
#[derive(Debug)]
pub struct NodeProcess {
    child: Child,
    /// Held open: a child whose standard input ends knows that we are gone. Taken
    /// out of the child, because tokio closes it there when somebody waits.
    _stdin: Option<ChildStdin>,
}

impl NodeProcess {
    /// Starts a program as a node and hands it its invitation. What it prints to
    /// its standard error is seen on ours; its standard output is nobody's.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub async fn start(
        program: &Path,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
        invitation: &Invitation,
    ) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.args(arguments);
        Self::start_command(command, invitation).await
    }

    /// The same of a program with other things to be started with, such as an environment.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub async fn start_command(mut command: Command, invitation: &Invitation) -> io::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let mut stdin = child.stdin.take();
        if let Some(stdin) = &mut stdin {
            invitation.write(stdin).await?;
        }
        Ok(Self { child, _stdin: stdin })
    }

    /// The system's number for it; `None` once it has ended and that was seen.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Kills the process, as the system does it: it gets to say nothing. Returns
    /// once it is gone.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub async fn kill(&mut self) -> io::Result<()> {
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
                self.child.kill().await?;
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
}

/// Completes when this process's standard input ends, that is when whoever started
/// it is gone. To be called after the invitation was read.
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
