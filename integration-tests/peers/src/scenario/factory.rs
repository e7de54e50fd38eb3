//! The forms that are about factories: jobs that any free worker may do. A system without
//! a factory has no such row; bare tokio has what one would write by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use actor_core::{ActorError, Capacity};
use actor_toolkit::factory::{Discard, FactoryBuilder, FactoryRef};
use ractor::factory::queues::DefaultQueue;
use ractor::factory::routing::QueuerRouting;
use ractor::factory::{
    Factory, FactoryArguments, FactoryMessage, Job, JobOptions, Worker, WorkerBuilder, WorkerId,
};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::{Mutex, Notify, mpsc};
use tokio::task::yield_now;

use super::Reading;
use super::message::{STREAM, per};

/// Jobs are counted by whoever does them, and somebody waits for the last.
#[derive(Default)]
struct Tally {
    done: AtomicU64,
    awaited: AtomicU64,
    is_reached: Notify,
}

impl Tally {
    fn count(&self) {
        if self.done.fetch_add(1, Ordering::AcqRel) + 1 == self.awaited.load(Ordering::Acquire) {
            self.is_reached.notify_one();
        }
    }

    /// From now on so many more are awaited. Nothing is in hand yet.
    fn expect(&self, more: u64) {
        self.awaited.fetch_add(more, Ordering::AcqRel);
    }

    async fn reached(&self) {
        self.is_reached.notified().await;
        assert_eq!(self.done.load(Ordering::Acquire), self.awaited.load(Ordering::Acquire));
    }
}

/// Sends a few to warm up, then all of them, and waits until they are done.
async fn measure(tally: &Tally, n: u64, mut dispatch: impl FnMut(u64)) -> Reading {
    let mut start = Instant::now();
    for jobs in [n / 20 + 1, n] {
        tally.expect(jobs);
        start = Instant::now();
        for job in 0..jobs {
            dispatch(job);
            if job % STREAM == STREAM - 1 {
                yield_now().await;
            }
        }
        tally.reached().await;
    }
    per(start, n)
}

pub(super) async fn ours(workers: usize, n: u64) -> Reading {
    let tally = Arc::new(Tally::default());
    let work = {
        let tally = tally.clone();
        move |_: u64, (): ()| {
            tally.count();
            async { Ok::<(), ActorError>(()) }
        }
    };
    // Unbounded, as the others'.
    let factory: FactoryRef<u64, ()> = FactoryBuilder::closure(work)
        .workers(workers)
        .mailbox(Capacity::Unbounded)
        .discard(Discard::Never)
        .spawn()
        .await
        .expect("it starts");
    let reading = measure(&tally, n, |job| factory.dispatch(job, ()).expect("it takes all")).await;
    factory.drain_and_wait(None).await.expect("it ends");
    reading
}

/// Tasks that take their jobs from one channel, one after the other.
pub(super) async fn tokio(workers: usize, n: u64) -> Reading {
    let tally = Arc::new(Tally::default());
    let (jobs, queue) = mpsc::unbounded_channel::<(u64, ())>();
    let queue = Arc::new(Mutex::new(queue));
    for _ in 0..workers {
        let (tally, queue) = (tally.clone(), queue.clone());
        tokio::spawn(async move {
            loop {
                let job = queue.lock().await.recv().await;
                if job.is_none() {
                    return;
                }
                tally.count();
            }
        });
    }
    measure(&tally, n, |job| jobs.send((job, ())).expect("they take all")).await
}

struct Counting(Arc<Tally>);

impl Worker for Counting {
    type Key = u64;
    type Message = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(
        &self,
        _: WorkerId,
        _: &ActorRef<FactoryMessage<u64, ()>>,
        (): (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: WorkerId,
        _: &ActorRef<FactoryMessage<u64, ()>>,
        job: Job<u64, ()>,
        (): &mut (),
    ) -> Result<u64, ActorProcessingErr> {
        self.0.count();
        Ok(job.key)
    }
}

impl WorkerBuilder<Counting, ()> for Counting {
    fn build(&mut self, _: WorkerId) -> (Counting, ()) {
        (Counting(self.0.clone()), ())
    }
}

pub(super) async fn ractor(workers: usize, n: u64) -> Reading {
    type Queuer = QueuerRouting<u64, ()>;
    type Queue = DefaultQueue<u64, ()>;
    let tally = Arc::new(Tally::default());
    let builder: Box<dyn WorkerBuilder<Counting, ()>> = Box::new(Counting(tally.clone()));
    let arguments = FactoryArguments::builder()
        .num_initial_workers(workers)
        .queue(Queue::default())
        .router(Queuer::default())
        .worker_builder(builder)
        .build();
    let definition = Factory::<u64, (), (), Counting, Queuer, Queue>::default();
    let (factory, handle) = Actor::spawn(None, definition, arguments).await.expect("it starts");
    let reading = measure(&tally, n, |key| {
        let job = Job { key, msg: (), options: JobOptions::default(), accepted: None };
        factory.cast(FactoryMessage::Dispatch(job)).expect("it takes all");
    })
    .await;
    factory.cast(FactoryMessage::DrainRequests).expect("it lives");
    handle.await.expect("it ends");
    reading
}
