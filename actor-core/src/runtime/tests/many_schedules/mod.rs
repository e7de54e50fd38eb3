//! Whole actors under many schedules: what is asked of one while it lives, ends and lives
//! again. Shuttle chooses who runs at each lock and each atomic step.

mod ends;
mod lives;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering as O};
use std::task::{Context, Poll};
use std::time::Duration;

use shuttle::future::{self, block_on};
use shuttle::rand::{Rng, RngCore, thread_rng};
use shuttle::thread;

use crate::executor::{BoxTask, LocalRuntime, Runtime, RuntimeTask};
use crate::lifecycle::Flag;
use crate::{
    Actor, ActorError, ActorRef, ActorSystem, Capacity, Executor, Exit, Instant, Shutdown, SpawnError,
    SpawnOptions, Status, SupervisionEvent,
};

fn check(schedules: usize, run: impl Fn() + Sync + Send + Clone + 'static) {
    check_fair(schedules, run.clone());
    shuttle::check_pct(run, scaled(schedules) / 2, 3);
}

/// For scripts in which a task that waits for another thread's few steps asks for its own
/// next turn: under priorities it would have all turns.
fn check_fair(schedules: usize, run: impl Fn() + Sync + Send + 'static) {
    shuttle::check_random(run, scaled(schedules));
}

fn scaled(schedules: usize) -> usize {
    if std::env::var_os("ACTOR_TEST_FULL").is_some() { 30 * schedules } else { schedules }
}

/// Tasks are shuttle's; time stands still.
struct Shuttle;

struct Task(future::JoinHandle<()>);

impl Runtime for Shuttle {
    fn spawn(&self, task: BoxTask) -> Box<dyn RuntimeTask> {
        Box::new(Task(future::spawn(task)))
    }

    fn local(&self, _: &str) -> io::Result<Arc<dyn LocalRuntime>> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }

    fn now(&self) -> Instant {
        Instant::ZERO
    }

    fn sleep_until(&self, _: Instant) -> BoxTask {
        Box::pin(std::future::pending())
    }

    fn unix_time(&self) -> Duration {
        Duration::ZERO
    }

    fn fill_random(&self, buffer: &mut [u8]) {
        thread_rng().fill_bytes(buffer);
    }
}

impl RuntimeTask for Task {
    fn abort(&self) {
        self.0.abort();
    }

    fn poll_finished(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(drop)
    }
}

fn system() -> ActorSystem {
    ActorSystem::on(Executor::custom(Arc::new(Shuttle)))
}

/// What happened, over all lives.
#[derive(Default)]
struct Counts {
    handled: AtomicUsize,
    dropped: AtomicUsize,
    post_stops: AtomicUsize,
    lives: AtomicUsize,
}

/// Counted when it is handled and when it is dropped.
struct Parcel {
    counts: Arc<Counts>,
    is_fatal: bool,
}

impl Parcel {
    fn of(counts: &Arc<Counts>) -> Self {
        Self { counts: counts.clone(), is_fatal: false }
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        self.counts.dropped.fetch_add(1, O::SeqCst);
    }
}

struct Clerk(Arc<Counts>);

impl Actor for Clerk {
    type Msg = Parcel;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Parcel>, (): ()) -> Result<(), ActorError> {
        self.0.lives.fetch_add(1, O::SeqCst);
        Ok(())
    }

    async fn handle(&self, _: &ActorRef<Parcel>, parcel: Parcel, (): &mut ()) -> Result<(), ActorError> {
        if parcel.is_fatal {
            return Err("fatal".into());
        }
        self.0.handled.fetch_add(1, O::SeqCst);
        Ok(())
    }

    async fn post_stop(&self, _: &ActorRef<Parcel>, (): &mut ()) -> Result<(), ActorError> {
        self.0.post_stops.fetch_add(1, O::SeqCst);
        Ok(())
    }
}

/// Restarts each child that is suspended, so many times; then it lets it go.
struct Chief(usize);

impl Actor for Chief {
    type Msg = ();
    type State = usize;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<()>, (): ()) -> Result<usize, ActorError> {
        Ok(self.0)
    }

    async fn handle_supervisor_evt(
        &self,
        _: &ActorRef<()>,
        event: SupervisionEvent,
        left: &mut usize,
    ) -> Result<(), ActorError> {
        if let SupervisionEvent::Suspended { actor, .. } = event {
            match left.checked_sub(1) {
                Some(fewer) => {
                    *left = fewer;
                    actor.restart();
                }
                None => actor.release(),
            }
        }
        Ok(())
    }
}

async fn clerk(system: &ActorSystem, options: SpawnOptions) -> (ActorRef<Parcel>, Arc<Counts>) {
    let counts = Arc::new(Counts::default());
    let actor = system.spawn(Clerk(counts.clone()), (), options).await.expect("it starts");
    (actor, counts)
}

/// A clerk for each life; they count together.
fn clerks(counts: &Arc<Counts>) -> impl FnMut() -> (Clerk, ()) + use<> {
    let counts = counts.clone();
    move || (Clerk(counts.clone()), ())
}

/// Casts some parcels and says how many were accepted.
fn sends(actor: &ActorRef<Parcel>, counts: &Arc<Counts>, parcels: usize) -> thread::JoinHandle<usize> {
    let (actor, counts) = (actor.clone(), counts.clone());
    thread::spawn(move || (0..parcels).filter(|_| actor.cast(Parcel::of(&counts)).is_ok()).count())
}
