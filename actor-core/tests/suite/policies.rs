//! What a mailbox does that is told to do more than to wait its turn: overflow, priorities,
//! expiry, and what it counts.

use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actor_core::{
    Actor, ActorError, ActorRef, CallError, Capacity, Exit, Instant, MailboxStats, Overflow, Priority,
    ReplyPort, SendError, Sorting, SpawnError, SpawnOptions, Status,
};

use super::mailbox::hold;
use crate::support::{Door, Entry, Gate, Log, Message, Probe, pass, poll_once, settled};

const MS: Duration = Duration::from_millis(1);

fn capacity(messages: usize) -> SpawnOptions {
    SpawnOptions::new().mailbox(Capacity::try_from(messages).unwrap())
}

/// Notes and nothing else.
fn notes(log: &Log) -> Vec<u32> {
    let number = |entry: Entry| if let Entry::Note(number) = entry { Some(number) } else { None };
    log.take().into_iter().filter_map(number).collect()
}

fn stats<M: Send + 'static>(actor: &ActorRef<M>) -> MailboxStats {
    actor.mailbox_stats().expect("it is local")
}

/// All of `MailboxStats` so far, which cannot be built out here.
#[derive(Debug, PartialEq)]
struct Counts {
    depth: u64,
    sent: u64,
    received: u64,
    dropped: u64,
    expired: u64,
}

fn counts<M: Send + 'static>(actor: &ActorRef<M>) -> Counts {
    let MailboxStats { depth, sent, received, dropped, expired, .. } = stats(actor);
    Counts { depth, sent, received, dropped, expired }
}

pub(super) async fn c15_what_is_dropped_for_the_newest_is_counted(door: impl Door) {
    let (log, gate) = (Log::default(), Gate::new());
    let options = capacity(8).overflow(Overflow::DropNewest);
    let actor = door.start(Probe::new(&log), options).await.unwrap();
    hold(&actor, &gate).await;
    for number in 0..8 {
        assert_eq!(actor.cast(Message::Note(number)), Ok(()));
    }
    assert_eq!(actor.cast(Message::Note(8)), Ok(()));
    assert_eq!(actor.send(Message::Note(9)).await, Ok(()));
    assert!(matches!(actor.call(Message::Ask).await, Err(CallError::Failed(_))));
    assert_eq!(counts(&actor), Counts { depth: 8, sent: 12, received: 1, dropped: 3, expired: 0 });
    gate.open();
    while stats(&actor).depth > 0 {
        others_run(&door).await;
    }
    assert_eq!(settled(&actor).await, 8);
    assert_eq!(notes(&log), (0..8).collect::<Vec<_>>());
    assert_eq!(counts(&actor), Counts { depth: 0, sent: 13, received: 10, dropped: 3, expired: 0 });
    actor.stop_and_wait(None, None).await.unwrap();
    assert_eq!(
        actor.cast(Message::Note(1)),
        Err(SendError::Stopped(Message::Note(1), Some(Exit::Stopped(None))))
    );
}

pub(super) async fn c15_what_is_dropped_for_the_oldest_is_counted(door: impl Door) {
    let (log, gate) = (Log::default(), Gate::new());
    let options = capacity(3).overflow(Overflow::DropOldest);
    let actor = door.start(Probe::new(&log), options).await.unwrap();
    hold(&actor, &gate).await;
    for number in 0..9 {
        assert_eq!(actor.cast(Message::Note(number)), Ok(()));
    }
    assert_eq!(actor.send(Message::Note(9)).await, Ok(()));
    assert_eq!(counts(&actor), Counts { depth: 3, sent: 11, received: 1, dropped: 7, expired: 0 });
    gate.open();
    while stats(&actor).depth > 0 {
        others_run(&door).await;
    }
    assert_eq!(notes(&log), [7, 8, 9]);
    assert_eq!(stats(&actor).dropped, 7);
    actor.drain();
    assert!(matches!(actor.cast(Message::Note(1)), Err(SendError::Stopped(Message::Note(1), _))));
}

pub(super) async fn c16_nobody_waits_where_the_full_mailbox_rejects(door: impl Door) {
    let (log, gate) = (Log::default(), Gate::new());
    let options = capacity(1).overflow(Overflow::Reject);
    let actor = door.start(Probe::new(&log), options).await.unwrap();
    hold(&actor, &gate).await;
    assert_eq!(actor.send(Message::Note(0)).await, Ok(()));
    assert_eq!(actor.send(Message::Note(1)).await, Err(SendError::Full(Message::Note(1))));
    assert_eq!(actor.cast(Message::Note(2)), Err(SendError::Full(Message::Note(2))));
    let called = actor.call(Message::Ask).await;
    assert!(matches!(called, Err(CallError::NotSent(SendError::Full(Message::Ask(_))))), "{called:?}");
    gate.open();
    while stats(&actor).depth > 0 {
        others_run(&door).await;
    }
    assert_eq!(settled(&actor).await, 1);
    assert_eq!(counts(&actor), Counts { depth: 0, sent: 3, received: 3, dropped: 0, expired: 0 });
}

/// Lets others run.
async fn others_run(door: &impl Door) {
    let other = door.spawn(Probe::new(&Log::default())).await;
    settled(&other).await;
    other.stop_and_wait(None, None).await.unwrap();
}

/// What a sorter takes.
enum Job {
    Hold(Gate),
    Do { number: u32, priority: Priority, expires_at: Option<Instant> },
    Panic,
    Ask(ReplyPort<u32>),
}

fn job(number: u32, priority: Priority) -> Job {
    Job::Do { number, priority, expires_at: None }
}

/// An actor that sorts, and records the numbers of its jobs.
struct Sorter(Arc<Mutex<Vec<u32>>>);

impl Actor for Sorter {
    type Msg = Job;
    type State = ();
    type Arguments = ();

    const SORTING: Sorting<Job> = Sorting::new()
        .priority(|job| match job {
            Job::Do { priority, .. } => *priority,
            Job::Panic => panic!("no priority"),
            Job::Hold(_) => Priority::High,
            Job::Ask(_) => Priority::Low,
        })
        .expires_at(|job| match job {
            Job::Do { expires_at, .. } => *expires_at,
            Job::Ask(port) => port.deadline(),
            Job::Hold(_) | Job::Panic => None,
        })
        .ageing(NonZeroU32::new(4).unwrap());

    async fn pre_start(&self, _: &ActorRef<Job>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle(&self, _: &ActorRef<Job>, job: Job, (): &mut ()) -> Result<(), ActorError> {
        match job {
            Job::Hold(gate) => gate.pass().await,
            Job::Do { number, .. } => self.0.lock().unwrap().push(number),
            Job::Panic => {}
            Job::Ask(port) => drop(port.send(0)),
        }
        Ok(())
    }
}

/// A sorter that is held, so that what comes now waits.
async fn sorter(door: &impl Door, options: SpawnOptions) -> (ActorRef<Job>, Gate, Arc<Mutex<Vec<u32>>>) {
    let done: Arc<Mutex<Vec<u32>>> = Arc::default();
    let actor = door.spawn_with(Sorter(done.clone()), (), options).await.unwrap();
    let gate = Gate::new();
    actor.cast(Job::Hold(gate.clone())).unwrap();
    gate.reached().await;
    (actor, gate, done)
}

pub(super) async fn c20_the_urgent_go_first_and_nobody_waits_for_ever(door: impl Door) {
    let (actor, gate, done) = sorter(&door, SpawnOptions::new()).await;
    for number in 0..100 {
        actor.cast(job(number, Priority::Low)).unwrap();
    }
    actor.cast(job(1000, Priority::High)).unwrap();
    actor.cast(job(500, Priority::Normal)).unwrap();
    actor.cast(job(1001, Priority::High)).unwrap();
    gate.open();
    actor.drain_and_wait(None).await.unwrap();
    let expected: Vec<u32> = [1000, 1001, 500].into_iter().chain(0..100).collect();
    assert_eq!(*done.lock().unwrap(), expected);

    // Among ever more urgent ones, one in five is not.
    let (actor, gate, done) = sorter(&door, SpawnOptions::new()).await;
    for number in 0..12 {
        actor.cast(job(number, Priority::High)).unwrap();
    }
    actor.cast(job(100, Priority::Low)).unwrap();
    actor.cast(job(101, Priority::Low)).unwrap();
    gate.open();
    actor.drain_and_wait(None).await.unwrap();
    assert_eq!(*done.lock().unwrap(), [0, 1, 2, 3, 100, 4, 5, 6, 7, 101, 8, 9, 10, 11]);
}

pub(super) async fn c20_priorities_share_the_bound_and_the_close(door: impl Door) {
    let (actor, gate, done) = sorter(&door, capacity(3)).await;
    actor.cast(job(1, Priority::Low)).unwrap();
    actor.cast(job(2, Priority::Normal)).unwrap();
    actor.cast(job(3, Priority::High)).unwrap();
    assert!(matches!(actor.cast(job(4, Priority::High)), Err(SendError::Full(_))));
    let waiting = actor.send(job(5, Priority::High));
    let mut waiting = pin!(waiting);
    assert!(poll_once(waiting.as_mut()).await.is_pending());
    // Two are in lanes now, and still count; the place of the third went to who waited.
    gate.open();
    let second = Gate::new();
    assert!(waiting.await.is_ok());
    actor.send(Job::Hold(second.clone())).await.unwrap();
    second.reached().await;
    let room = 3 - usize::try_from(stats(&actor).depth).unwrap();
    for _ in 0..room {
        actor.cast(job(6, Priority::Low)).unwrap();
    }
    assert!(matches!(actor.cast(job(7, Priority::High)), Err(SendError::Full(_))));
    // A drain handles what is in the lanes, a stop drops it.
    actor.drain();
    assert!(matches!(actor.cast(job(8, Priority::High)), Err(SendError::Stopped(_, _))));
    second.open();
    assert_eq!(actor.wait(None).await, Ok(Exit::Drained));
    let mut handled = done.lock().unwrap().clone();
    handled.retain(|number| *number != 6);
    handled.sort_unstable();
    assert_eq!(handled, [1, 2, 3, 5]);

    let (actor, gate, done) = sorter(&door, capacity(9)).await;
    let call = actor.call(Job::Ask);
    let mut call = pin!(call);
    assert!(poll_once(call.as_mut()).await.is_pending());
    let again = Gate::new();
    actor.cast(job(1, Priority::Low)).unwrap();
    actor.cast(Job::Hold(again.clone())).unwrap();
    gate.open();
    again.reached().await;
    actor.stop(None);
    again.open();
    assert_eq!(actor.wait(None).await, Ok(Exit::Stopped(None)));
    assert!(matches!(call.await, Err(CallError::Failed(_))));
    assert_eq!(done.lock().unwrap().len(), 0);
}

pub(super) async fn c21_what_has_expired_is_skipped_and_counted(door: impl Door) {
    let (actor, gate, done) = sorter(&door, SpawnOptions::new()).await;
    let now = door.system().executor().now();
    let until = |ms: u64| Some(now + Duration::from_millis(ms));
    let jobs = [
        (1, until(9)),
        (2, until(10)),
        (3, until(11)),
        (4, None),
        (5, Some(Instant::FAR)),
        (6, Some(Instant::ZERO)),
    ];
    for (number, expires_at) in jobs {
        actor.cast(Job::Do { number, priority: Priority::Normal, expires_at }).unwrap();
    }
    pass(door.system(), 10 * MS).await;
    gate.open();
    let counted = Counts { depth: 0, sent: 7, received: 4, dropped: 0, expired: 3 };
    actor.drain_and_wait(None).await.unwrap();
    // What is wanted until a moment is not wanted at that moment.
    assert_eq!(*done.lock().unwrap(), [3, 4, 5]);
    assert_eq!(counts(&actor), counted);

    // A call whose caller has given up is one, where the actor says so.
    let (actor, gate, _) = sorter(&door, SpawnOptions::new()).await;
    assert!(actor.call_timeout(5 * MS, Job::Ask).await.is_err());
    gate.open();
    assert_eq!(actor.call(Job::Ask).await.ok(), Some(0));
    assert_eq!(stats(&actor).expired, 1);
}

pub(super) async fn c23_the_depth_is_what_came_less_what_left(door: impl Door) {
    for overflow in [Overflow::Block, Overflow::Reject, Overflow::DropNewest, Overflow::DropOldest] {
        let (log, gate) = (Log::default(), Gate::new());
        let options = capacity(2).overflow(overflow);
        let actor = door.start(Probe::new(&log), options).await.unwrap();
        let check = || {
            let stats = stats(&actor);
            let left = stats.received + stats.dropped + stats.expired;
            assert_eq!(stats.depth, stats.sent - left, "{overflow:?}: {stats:?}");
            stats.depth
        };
        assert_eq!(check(), 0);
        hold(&actor, &gate).await;
        assert_eq!(check(), 0);
        for number in 0..4 {
            let sent = actor.cast(Message::Note(number));
            let is_taken = number < 2 || matches!(overflow, Overflow::DropNewest | Overflow::DropOldest);
            assert_eq!(sent.is_ok(), is_taken);
            assert_eq!(check(), u64::from(number + 1).min(2));
        }
        actor.stop(None);
        gate.open();
        actor.wait(None).await.unwrap();
        // What was dropped with the actor has left as well.
        assert_eq!(check(), 0);
    }
}

pub(super) async fn a_sorting_that_panics_fails_the_actor_and_takes_no_room(door: impl Door) {
    let parent = door.spawn(Probe::new(&Log::default())).await;
    let done: Arc<Mutex<Vec<u32>>> = Arc::default();
    let make = {
        let done = done.clone();
        move || (Sorter(done.clone()), ())
    };
    let options = capacity(3).supervisor(&parent.cell());
    let actor = door.spawn_restartable(make, options).await.unwrap();
    let gate = Gate::new();
    actor.cast(Job::Hold(gate.clone())).unwrap();
    gate.reached().await;
    actor.cast(job(1, Priority::Low)).unwrap();
    actor.cast(Job::Panic).unwrap();
    actor.cast(job(2, Priority::High)).unwrap();
    let ended = actor.wait(None);
    let mut ended = pin!(ended);
    assert!(poll_once(ended.as_mut()).await.is_pending());
    gate.open();
    assert_eq!(ended.await, Ok(Exit::Panicked("no priority".into())));
    while actor.status() != Status::Suspended {
        settled(&parent).await;
    }
    // Two wait, the one before and the one behind it, and there is room for one.
    assert_eq!(stats(&actor).depth, 2);
    actor.cast(job(3, Priority::Normal)).unwrap();
    assert!(matches!(actor.cast(job(4, Priority::Normal)), Err(SendError::Full(_))));
    actor.cell().restart();
    while done.lock().unwrap().len() < 3 {
        settled(&parent).await;
    }
    assert_eq!(*done.lock().unwrap(), [2, 3, 1]);
}

pub(super) async fn a_mailbox_that_sorts_cannot_drop_its_oldest(door: impl Door) {
    let options = capacity(3).overflow(Overflow::DropOldest).name("sorter");
    let spawned = door.spawn_with(Sorter(Arc::default()), (), options).await;
    assert!(matches!(spawned, Err(SpawnError::Options(_))), "{spawned:?}");
    assert_eq!(door.system().where_is("sorter"), None);
}
