//! [`EventRecorder`]: what happened in a system, for a test to look at and to wait for.

use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use actor_core::{ActorId, DeadLetter, Event, Executor, Observer};

use crate::limits::EXPECT_TIMEOUT_DEFAULT;

/// An [`Observer`] that keeps what it hears, and wakes those who wait for it. Clones share the
/// record, which grows without bound.
///
/// [`Recorder`](actor_core::Recorder) of actor-core only keeps; this one can be
/// [waited for](Self::wait_for) as well. [`Simulation::recorded`](crate::Simulation::recorded)
/// makes a system with one; on tokio:
///
/// ```
/// use actor_core::{ActorChange, ActorSystem, Event, Executor, actor};
/// use actor_testkit::EventRecorder;
///
/// struct Counter(u64);
///
/// #[actor]
/// impl Counter {}
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let recorder = EventRecorder::new(Executor::tokio());
/// let system = ActorSystem::builder().observer(recorder.clone()).build();
/// let counter = Counter(0).spawn().on(&system).await.unwrap();
/// counter.stop(None);
/// let has_ended = |event: &Event| matches!(event, Event::Actor(event) if matches!(event.change, ActorChange::Ended(_)));
/// recorder.wait_for(has_ended).await;
/// assert_eq!(recorder.events_of(counter.id()).len(), 3);
/// recorder.assert_no_dead_letters();
/// # }
/// ```
#[derive(Clone)]
pub struct EventRecorder {
    record: Arc<Mutex<Record>>,
    executor: Executor,
    timeout: Duration,
}

#[derive(Default)]
struct Record {
    events: Vec<Event>,
    /// How many were taken away before these.
    taken: usize,
    waiting: Vec<Waker>,
}

impl EventRecorder {
    /// An empty record. Whoever waits for an event waits on this executor's clock, which is to be
    /// the system's.
    pub fn new(executor: Executor) -> Self {
        Self { record: Arc::default(), executor, timeout: EXPECT_TIMEOUT_DEFAULT }
    }

    /// The same record, for which [`wait_for`](Self::wait_for) waits so long. Without this:
    /// [`EXPECT_TIMEOUT_DEFAULT`].
    pub fn timeout(&self, timeout: Duration) -> Self {
        Self { timeout, ..self.clone() }
    }

    /// What happened so far.
    pub fn events(&self) -> Vec<Event> {
        self.record().events.clone()
    }

    /// What happened since this was last called. It is no longer in the record.
    pub fn take(&self) -> Vec<Event> {
        let mut record = self.record();
        record.taken += record.events.len();
        std::mem::take(&mut record.events)
    }

    /// What happened so far to one actor: its life, the messages it handled, its mailbox, the
    /// letters to it that died, and what it decided as a supervisor.
    pub fn events_of(&self, actor: ActorId) -> Vec<Event> {
        let mut events = self.events();
        events.retain(|event| whose(event) == Some(actor));
        events
    }

    /// The messages that died so far; see [`DeadLetter`].
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        let events = self.events();
        let dead = events.into_iter().filter_map(|event| match event {
            Event::DeadLetter(letter) => Some(letter),
            _ => None,
        });
        dead.collect()
    }

    /// That no message has died so far.
    ///
    /// # Panics
    ///
    /// If one has, with all of them.
    #[track_caller]
    pub fn assert_no_dead_letters(&self) {
        let dead = self.dead_letters();
        assert!(dead.is_empty(), "{} messages died that nobody was to lose: {dead:#?}", dead.len());
    }

    /// The first event in the record that fits, once there is one: also one from before this was
    /// called. One that is [taken](Self::take) before the future is polled again is not seen.
    ///
    /// Dropping the future changes nothing.
    ///
    /// # Panics
    ///
    /// If none fits within the [`timeout`](Self::timeout), with the last ones that came instead.
    #[track_caller]
    pub fn wait_for(&self, fits: impl Fn(&Event) -> bool) -> impl Future<Output = Event> {
        let caller = Location::caller();
        async move {
            let mut seen = 0;
            let found = poll_fn(|cx| {
                let events = self.unseen(&mut seen, cx.waker());
                let found = events.into_iter().find(|event| fits(event));
                found.map_or(Poll::Pending, Poll::Ready)
            });
            match self.executor.timeout(self.timeout, found).await {
                Ok(event) => event,
                Err(_) => self.panic_for_missing(caller),
            }
        }
    }

    /// The events after those that were seen, and has the task woken by the next one.
    fn unseen(&self, seen: &mut usize, waker: &Waker) -> Vec<Event> {
        let mut record = self.record();
        let skipped = seen.saturating_sub(record.taken).min(record.events.len());
        let events = record.events[skipped..].to_vec();
        *seen = record.taken + record.events.len();
        // Each event wakes all and forgets them; a task that is polled meanwhile is in here once.
        if !record.waiting.iter().any(|other| other.will_wake(waker)) {
            record.waiting.push(waker.clone());
        }
        events
    }

    #[cold]
    fn panic_for_missing(&self, caller: &Location<'_>) -> ! {
        let events = self.events();
        let last = &events[events.len().saturating_sub(SHOWN_MAX)..];
        panic!(
            "no event that fits was seen within {:?} ({caller}); {} came, the last of them: {last:#?}",
            self.timeout,
            events.len()
        );
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for EventRecorder {
    fn observe(&self, event: &Event) {
        let event = event.clone();
        let waiting = {
            let mut record = self.record();
            record.events.push(event);
            std::mem::take(&mut record.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl fmt::Debug for EventRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.events()).finish()
    }
}

/// How many events a panic shows.
const SHOWN_MAX: usize = 8;

/// Whom an event is about.
fn whose(event: &Event) -> Option<ActorId> {
    match event {
        Event::Actor(event) => Some(event.actor),
        Event::Message(event) => Some(event.actor),
        Event::Supervisor(event) => Some(event.supervisor),
        Event::Mailbox(event) => Some(event.actor),
        Event::DeadLetter(letter) => Some(letter.to),
        _ => None,
    }
}
