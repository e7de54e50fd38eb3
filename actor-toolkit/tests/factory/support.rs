//! A worker that records its jobs and does in them what a test says.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actor_core::{ActorError, ActorSystem, Backoff, ReplyPort};
use actor_testkit::{Order, Simulation};
use actor_toolkit::factory::{
    DiscardReason, Discarded, FactoryBuilder, FactoryRef, Place, Worker, WorkerActor,
};

pub(crate) const MS: Duration = Duration::from_millis(1);

/// Runs a test in virtual time, in several orders.
pub(crate) fn simulate(test: impl AsyncFn(ActorSystem)) {
    for order in [Order::Fifo, Order::Seeded(3), Order::Seeded(11)] {
        let mut simulation = Simulation::new(order);
        let system = simulation.system();
        simulation.block_on(test(system));
    }
}

/// Lets so much time pass, once nobody has anything to do.
pub(crate) async fn pass(system: &ActorSystem, time: Duration) {
    // sleep: virtual time.
    system.executor().sleep(time).await;
}

/// Lets others run, once.
pub(crate) async fn yield_once() {
    let mut has_yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut has_yielded, true) {
            return std::task::Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

/// What a job does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    Note(u32),
    /// Takes so long.
    Take(u32, Duration),
    Panic,
    Fail,
    /// Never ends by itself.
    Hang,
}

/// A message: a task, and for some an answer.
pub(crate) enum Message {
    Do(Task),
    Ask(u32, ReplyPort<u32>),
}

impl From<Task> for Message {
    fn from(task: Task) -> Self {
        Self::Do(task)
    }
}

/// Only tasks can be told from each other.
impl Clone for Message {
    fn clone(&self) -> Self {
        match self {
            Self::Do(task) => Self::Do(task.clone()),
            Self::Ask(n, _) => Self::Ask(*n, ReplyPort::nobody()),
        }
    }
}

/// The record; clones share it.
#[derive(Clone, Default)]
pub(crate) struct Log {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
pub(crate) struct Inner {
    /// Worker, key and number of each note, when it was done.
    pub(crate) done: Vec<(usize, u32, u32)>,
    pub(crate) begun: Vec<u32>,
    pub(crate) starts: Vec<usize>,
    pub(crate) stops: usize,
    pub(crate) discarded: Vec<(u32, Option<Task>, DiscardReason)>,
}

impl Log {
    pub(crate) fn get(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The numbers of what was done, in order.
    pub(crate) fn numbers(&self) -> Vec<u32> {
        self.get().done.iter().map(|(_, _, number)| *number).collect()
    }

    /// How many jobs were discarded for a reason.
    pub(crate) fn discarded(&self, reason: DiscardReason) -> usize {
        self.get().discarded.iter().filter(|(_, _, why)| *why == reason).count()
    }

    /// Records what is discarded.
    pub(crate) fn handler(&self) -> impl Fn(Discarded<u32, Message>) + Send + Sync + 'static {
        let log = self.clone();
        move |job| {
            let task = job.message.and_then(|message| match message {
                Message::Do(task) => Some(task),
                Message::Ask(..) => None,
            });
            log.get().discarded.push((job.key, task, job.reason));
        }
    }
}

pub(crate) struct Hand {
    log: Log,
}

pub(crate) struct HandState {
    number: usize,
    system: ActorSystem,
}

impl Worker for Hand {
    type Key = u32;
    type Message = Message;
    type State = HandState;

    async fn pre_start(&self, place: &Place<u32, Message>) -> Result<HandState, ActorError> {
        self.log.get().starts.push(place.number());
        Ok(HandState { number: place.number(), system: ActorSystem::current() })
    }

    async fn handle(&self, key: &u32, message: Message, state: &mut HandState) -> Result<(), ActorError> {
        let task = match message {
            Message::Do(task) => task,
            Message::Ask(number, port) => {
                let _ = port.send(number + 1);
                return Ok(());
            }
        };
        if let Task::Note(number) | Task::Take(number, _) = task {
            self.log.get().begun.push(number);
        }
        match task {
            Task::Note(number) => self.log.get().done.push((state.number, *key, number)),
            Task::Take(number, time) => {
                pass(&state.system, time).await;
                self.log.get().done.push((state.number, *key, number));
            }
            Task::Panic => panic!("a job that panics"),
            Task::Fail => return Err("a job that fails".into()),
            Task::Hang => std::future::pending().await,
        }
        Ok(())
    }

    async fn post_stop(&self, _: &mut HandState) -> Result<(), ActorError> {
        self.log.get().stops += 1;
        Ok(())
    }
}

pub(crate) type Hands = FactoryBuilder<u32, Message, WorkerActor<Hand>>;
pub(crate) type HandsRef = FactoryRef<u32, Message>;

/// So many hands, that come again at once, and report what is discarded.
pub(crate) fn hands(workers: usize, log: &Log) -> Hands {
    let of = log.clone();
    FactoryBuilder::new(move || Hand { log: of.clone() })
        .workers(workers)
        .backoff(Backoff::NONE)
        .on_discard(log.handler())
}

pub(crate) fn dispatch(factory: &HandsRef, key: u32, task: Task) {
    factory.dispatch(key, task.into()).expect("there is room");
}

/// Sends so many notes, with keys that differ.
pub(crate) fn dispatch_notes(factory: &HandsRef, numbers: std::ops::Range<u32>) {
    for number in numbers {
        dispatch(factory, number, Task::Note(number));
    }
}
