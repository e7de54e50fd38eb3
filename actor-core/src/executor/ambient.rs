//! Tokio and the operating system: the only file that calls them.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, SystemTime};

use tokio::runtime::{Builder, Handle};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, LocalSet};

use super::{LocalJob, LocalRuntime};
use crate::time::Instant;

/// Tokio, either one runtime or whichever is current.
#[derive(Clone)]
pub(super) struct TokioRuntime {
    handle: Option<Handle>,
    beginning: tokio::time::Instant,
}

/// When time began for every system on tokio in this process, so that a deadline means
/// the same in all of them: a call may be forwarded from one to another. On tokio's
/// clock, so that `tokio::time::pause` holds for actors too; and an hour ago, so that it
/// comes before whatever a runtime's clock was paused at by then: time before the
/// beginning would stand still.
fn beginning() -> tokio::time::Instant {
    static BEGINNING: OnceLock<tokio::time::Instant> = OnceLock::new();
    *BEGINNING.get_or_init(|| {
        let now = tokio::time::Instant::now();
        now.checked_sub(Duration::from_secs(3600)).unwrap_or(now)
    })
}

impl TokioRuntime {
    pub(super) fn ambient() -> Self {
        Self { handle: None, beginning: beginning() }
    }

    pub(super) fn on(handle: Handle) -> Self {
        Self { handle: Some(handle), beginning: beginning() }
    }

    #[inline(always)]
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        match &self.handle {
            Some(handle) => handle.spawn(task),
            // The task goes into no closure, which would copy it once more.
            None => match HOME.with_borrow(Option::clone) {
                Some(home) => home.spawn(task),
                None => tokio::spawn(task),
            },
        }
    }

    /// Runs a job on a thread for what blocks.
    pub(super) fn spawn_blocking(&self, job: impl FnOnce() + Send + 'static) {
        drop(match self.handle.clone().or_else(|| HOME.with_borrow(Option::clone)) {
            Some(handle) => handle.spawn_blocking(job),
            None => tokio::task::spawn_blocking(job),
        });
    }

    /// Whether there is a runtime to spawn on; no, where the thread itself is ending.
    pub(super) fn can_spawn(&self) -> bool {
        let has_home = || HOME.try_with(|home| home.borrow().is_some()).unwrap_or(false);
        self.handle.is_some() || has_home() || Handle::try_current().is_ok()
    }

    pub(super) fn now(&self) -> Instant {
        Instant::from_elapsed(self.beginning.elapsed())
    }

    pub(super) fn sleep_until(&self, deadline: Instant) -> tokio::time::Sleep {
        let _entered = self.handle.as_ref().map(Handle::enter);
        tokio::time::sleep_until(self.beginning + deadline.elapsed())
    }
}

pub(super) fn unix_time() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

pub(super) fn fill_random(buffer: &mut [u8]) {
    getrandom::fill(buffer).expect("the operating system gives random bytes");
}

thread_local! {
    /// On a thread for local tasks: the runtime it was made on. What local tasks
    /// spawn for all threads goes there, and outlives the thread.
    static HOME: RefCell<Option<Handle>> = const { RefCell::new(None) };
}

/// A thread with a single-threaded tokio runtime and a set of local tasks.
pub(super) fn local_thread(name: &str) -> io::Result<Arc<dyn LocalRuntime>> {
    let home = HOME.with_borrow(Option::clone).or_else(|| Handle::try_current().ok());
    let runtime = Builder::new_current_thread().enable_all().build()?;
    // Unbounded: an entry is a spawn in progress, and whoever spawns waits for it.
    let (jobs, inbox) = mpsc::unbounded_channel();
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        HOME.set(home);
        serve(&runtime, inbox);
    })?;
    Ok(Arc::new(TokioLocal { jobs }))
}

fn serve(runtime: &tokio::runtime::Runtime, mut inbox: mpsc::UnboundedReceiver<LocalJob>) {
    let tasks = LocalSet::new();
    tasks.block_on(runtime, async {
        while let Some(job) = inbox.recv().await {
            tokio::task::spawn_local(job());
        }
    });
    // No handle is left; the tasks still running decide how long the thread lives.
    runtime.block_on(tasks);
}

struct TokioLocal {
    jobs: mpsc::UnboundedSender<LocalJob>,
}

impl LocalRuntime for TokioLocal {
    fn spawn(&self, job: LocalJob) {
        // The thread reads until the last handle is gone, and this is a handle; if
        // it died all the same, the job is dropped, which its waiter sees.
        drop(self.jobs.send(job));
    }
}
