//! Futures, streams and timers that share an actor's life.

use std::future::pending;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use actor_core::{
    Actor, ActorError, ActorRef, Attachment, Capacity, Exit, MissedTicks, Overflow, SpawnError, SpawnOptions,
    Status,
};
use futures_core::Stream;

use crate::support::{Door, Ending, Entry, Gate, Hook, Log, Message, Probe, dead, pass, settled, stopped};

const MS: Duration = Duration::from_millis(1);

/// Notes and nothing else.
fn notes(log: &Log) -> Vec<u32> {
    let number = |entry: &Entry| if let Entry::Note(number) = entry { Some(*number) } else { None };
    log.entries().iter().filter_map(number).collect()
}

/// Says when it is dropped.
struct Dropped(Arc<AtomicBool>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

pub(super) async fn a_future_is_piped_to_its_actor(door: impl Door) {
    let log = Log::default();
    let clock = door.system().executor().clone();
    let actor = door.spawn(Probe::new(&log)).await;
    // sleep: virtual time.
    let sleep = clock.sleep(10 * MS);
    let piped = actor.pipe(
        async move {
            sleep.await;
            7
        },
        Message::Note,
    );
    pass(door.system(), 9 * MS).await;
    assert_eq!((settled(&actor).await, piped.is_over()), (0, false));
    pass(door.system(), 2 * MS).await;
    assert_eq!((settled(&actor).await, piped.is_over()), (1, true));
    assert_eq!(notes(&log), [7]);
}

pub(super) async fn what_is_attached_ends_with_the_life(door: impl Door) {
    let ends: [(Ending, Exit); 4] = [
        (|actor| actor.stop(Some("why")), stopped("why")),
        (|actor| actor.drain(), Exit::Drained),
        (|actor| actor.kill(), Exit::Killed),
        (|actor| actor.cast(Message::Do(crate::support::fail("ill"))).unwrap(), Exit::Failed("ill".into())),
    ];
    for (end, exit) in ends {
        let actor = door.spawn(Probe::new(&Log::default())).await;
        let is_dropped = Arc::new(AtomicBool::new(false));
        let held = Dropped(is_dropped.clone());
        let attached = actor.cell().attach(async move {
            let _held = held;
            pending::<()>().await;
        });
        let timer = actor.send_interval(MS, MissedTicks::Skip, || Message::Note(1));
        pass(door.system(), 5 * MS).await;
        assert!(!attached.is_over() && !timer.is_over());
        end(&actor);
        assert_eq!(actor.wait(None).await, Ok(exit));
        pass(door.system(), MS).await;
        assert!(is_dropped.load(Ordering::SeqCst) && attached.is_over() && timer.is_over());
    }
    // Also with a life that another one follows.
    let parent = door.spawn(Probe::new(&Log::default())).await;
    let log = Log::default();
    let make = {
        let log = log.clone();
        move || Probe::new(&log)
    };
    let child = door.restartable(&parent, SpawnOptions::new(), make).await;
    let timer = child.send_interval(10 * MS, MissedTicks::Skip, || Message::Note(1));
    pass(door.system(), 35 * MS).await;
    child.kill();
    pass(door.system(), MS).await;
    child.cell().restart();
    pass(door.system(), 100 * MS).await;
    assert_eq!((settled(&child).await, timer.is_over(), notes(&log).len()), (0, true, 3));
}

pub(super) async fn what_is_attached_ends_before_post_stop(door: impl Door) {
    let gate = Gate::new();
    let parent = door.spawn(Probe::new(&Log::default())).await;
    let make = {
        let gate = gate.clone();
        move || Probe::new(&Log::default()).at(Hook::PostStop, gate.act())
    };
    let restartable = door.restartable(&parent, SpawnOptions::new(), make.clone()).await;
    let plain = door.spawn(make()).await;
    for actor in [restartable, plain] {
        let timer = actor.send_interval(MS, MissedTicks::Skip, || Message::Note(1));
        actor.stop(None);
        gate.reached().await;
        assert!(timer.is_over());
        gate.open();
        assert_eq!(actor.wait(None).await, Ok(Exit::Stopped(None)));
    }
}

pub(super) async fn what_is_attached_can_be_cancelled(door: impl Door) {
    let log = Log::default();
    let actor = door.spawn(Probe::new(&log)).await;
    let timers: [Attachment; 4] = [
        actor.send_after(5 * MS, Message::Note(1)),
        actor.send_interval(5 * MS, MissedTicks::Burst, || Message::Note(2)),
        actor.cell().stop_after(5 * MS, Some("late")),
        actor.cell().kill_after(5 * MS),
    ];
    pass(door.system(), 4 * MS).await;
    for timer in &timers {
        assert!(!timer.is_over());
        timer.cancel();
        timer.cancel();
        assert!(timer.is_over());
    }
    pass(door.system(), 50 * MS).await;
    assert_eq!((settled(&actor).await, actor.status()), (0, Status::Running));
}

pub(super) async fn timers_do_what_they_say_when_they_say(door: impl Door) {
    let log = Log::default();
    let clock = door.system().executor().clone();
    let begun = clock.now();
    let actor = door.spawn(Probe::new(&log)).await;
    actor.send_after(30 * MS, Message::Note(30));
    actor.send_after(10 * MS, Message::Note(10));
    let mut tick = 100;
    actor.send_interval(20 * MS, MissedTicks::Skip, move || {
        tick += 1;
        Message::Note(tick)
    });
    actor.cell().stop_after(50 * MS, Some("enough"));
    assert_eq!(actor.wait(None).await, Ok(stopped("enough")));
    assert_eq!(clock.now() - begun, 50 * MS);
    assert_eq!(notes(&log), [10, 101, 30, 102]);
    let killed = door.spawn(Probe::new(&log)).await;
    killed.cell().kill_after(7 * MS);
    assert_eq!(killed.wait(None).await, Ok(Exit::Killed));
}

pub(super) async fn timers_may_be_set_before_the_start(door: impl Door) {
    let (log, gate) = (Log::default(), Gate::new());
    let begin = || {
        let probe = Probe::new(&log).at(Hook::PreStart, gate.act());
        door.instant(probe, SpawnOptions::new()).unwrap()
    };
    // What comes meanwhile waits, and an interval goes on.
    let (actor, starting) = begin();
    actor.send_after(MS, Message::Note(1));
    let mut tick = 100;
    actor.send_interval(20 * MS, MissedTicks::Skip, move || {
        tick += 1;
        Message::Note(tick)
    });
    pass(door.system(), 50 * MS).await;
    assert_eq!((actor.status(), notes(&log)), (Status::Starting, vec![]));
    gate.reached().await;
    gate.open();
    starting.await.unwrap();
    pass(door.system(), 15 * MS).await;
    assert_eq!(notes(&log), [1, 101, 102, 103]);
    actor.kill_and_wait(None).await.unwrap();
    // A stop waits for the start, a kill does not.
    for is_killed in [false, true] {
        log.take();
        let (actor, starting) = begin();
        match is_killed {
            true => actor.cell().kill_after(5 * MS),
            false => actor.cell().stop_after(5 * MS, Some("late")),
        };
        gate.reached().await;
        pass(door.system(), 10 * MS).await;
        if is_killed {
            assert!(matches!(starting.await, Err(SpawnError::Startup(Exit::Killed))));
            assert_eq!(log.take(), [Entry::PreStart]);
        } else {
            gate.open();
            starting.await.unwrap();
            assert_eq!(actor.wait(None).await, Ok(stopped("late")));
            let hooks = [Entry::PreStart, Entry::PostStart, Entry::PostStop, Entry::Dropped];
            assert_eq!(log.take(), hooks);
        }
    }
}

pub(super) async fn an_interval_is_over_when_its_actor_takes_no_more(door: impl Door) {
    let (log, gate) = (Log::default(), Gate::new());
    let actor = door.spawn(Probe::new(&log)).await;
    let timers = [
        actor.send_interval(10 * MS, MissedTicks::Skip, || Message::Note(1)),
        actor.send_after(25 * MS, Message::Note(2)),
    ];
    actor.cast(Message::Do(gate.act())).unwrap();
    gate.reached().await;
    pass(door.system(), 15 * MS).await;
    actor.drain();
    pass(door.system(), 15 * MS).await;
    assert_eq!((actor.status(), timers.map(|timer| timer.is_over())), (Status::Draining, [true; 2]));
    gate.open();
    assert_eq!(actor.wait(None).await, Ok(Exit::Drained));
    assert_eq!(notes(&log), [1]);
}

pub(super) async fn an_interval_that_is_late_does_as_it_was_told(door: impl Door) {
    let table = [
        // Held until 55 ms, with room for one: what came, by when.
        (MissedTicks::Burst, 10),
        (MissedTicks::Skip, 7),
        (MissedTicks::Delay, 6),
    ];
    for (missed, expected) in table {
        let (log, gate) = (Log::default(), Gate::new());
        let options = SpawnOptions::new().mailbox(Capacity::try_from(1).unwrap());
        let actor = door.start(Probe::new(&log), options).await.unwrap();
        actor.cast(Message::Do(gate.act())).unwrap();
        gate.reached().await;
        let timer = actor.send_interval(10 * MS, missed, || Message::Note(1));
        // One lies in the mailbox, the next waits for room.
        pass(door.system(), 55 * MS).await;
        gate.open();
        pass(door.system(), 50 * MS).await;
        timer.cancel();
        assert_eq!(notes(&log).len(), expected, "{missed:?}");
        actor.stop_and_wait(None, None).await.unwrap();
    }
}

/// Gives numbers as long as it is asked.
struct Numbers(std::ops::RangeInclusive<u32>);

impl Stream for Numbers {
    type Item = u32;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u32>> {
        Poll::Ready(self.0.next())
    }
}

pub(super) async fn a_stream_waits_for_room(door: impl Door) {
    // Also where those are refused who could do something else.
    for overflow in [Overflow::Block, Overflow::Reject] {
        let (log, gate) = (Log::default(), Gate::new());
        let options = SpawnOptions::new().mailbox(Capacity::try_from(2).unwrap()).overflow(overflow);
        let actor = door.start(Probe::new(&log), options).await.unwrap();
        actor.cast(Message::Do(gate.act())).unwrap();
        gate.reached().await;
        let taken = Arc::new(AtomicU32::new(0));
        let stream = {
            let taken = taken.clone();
            actor.attach_stream(Numbers(1..=9), move |number| {
                taken.fetch_add(1, Ordering::SeqCst);
                Message::Note(number)
            })
        };
        pass(door.system(), MS).await;
        assert_eq!((taken.load(Ordering::SeqCst), stream.is_over()), (3, false));
        gate.open();
        pass(door.system(), MS).await;
        assert_eq!((notes(&log), stream.is_over()), ((1..=9).collect(), true));
    }
}

pub(super) async fn a_timer_waits_for_room_where_nobody_else_may(door: impl Door) {
    let (log, gate) = (Log::default(), Gate::new());
    let options = SpawnOptions::new().mailbox(Capacity::try_from(1).unwrap()).overflow(Overflow::Reject);
    let actor = door.start(Probe::new(&log), options).await.unwrap();
    actor.cast(Message::Do(gate.act())).unwrap();
    gate.reached().await;
    actor.cast(Message::Note(0)).unwrap();
    let once = actor.send_after(10 * MS, Message::Note(1));
    // sleep: on the system's clock.
    let piped = actor.pipe(door.system().executor().sleep(15 * MS), |()| Message::Note(2));
    let interval = actor.send_interval(20 * MS, MissedTicks::Skip, || Message::Note(3));
    pass(door.system(), 25 * MS).await;
    assert_eq!([&once, &piped, &interval].map(|timer| timer.is_over()), [false; 3]);
    gate.open();
    pass(door.system(), 20 * MS).await;
    assert_eq!(notes(&log), [0, 1, 2, 3, 3]);
    interval.cancel();
}

pub(super) async fn what_never_waits_lets_others_run(door: impl Door) {
    const MANY: u32 = 100_000;
    let made = Arc::new(AtomicU32::new(0));
    type Attach = fn(&ActorRef<Message>, Arc<AtomicU32>) -> Attachment;
    let attaches: [Attach; 2] = [
        |actor, made| {
            actor.attach_stream(Numbers(1..=MANY), move |number| {
                made.fetch_add(1, Ordering::SeqCst);
                Message::Note(number)
            })
        },
        // It never catches up.
        |actor, made| {
            actor.send_interval(Duration::ZERO, MissedTicks::Burst, move || {
                assert!(made.fetch_add(1, Ordering::SeqCst) < MANY, "others never ran");
                Message::Note(1)
            })
        },
    ];
    for attach in attaches {
        made.store(0, Ordering::SeqCst);
        let (log, gate) = (Log::default(), Gate::new());
        let probe = Probe::new(&log).at(Hook::Handle, gate.act());
        let actor = door.start(probe, SpawnOptions::new().mailbox(Capacity::Unbounded)).await.unwrap();
        assert_eq!(settled(&actor).await, 0);
        let attached = attach(&actor, made.clone());
        // sleep: virtual time. By then a burst has much to catch up with.
        gate.reached().await;
        attached.cancel();
        assert!(made.load(Ordering::SeqCst) < MANY);
        assert_eq!(actor.kill_and_wait(None).await, Ok(Exit::Killed));
    }
}

pub(super) async fn an_attached_future_that_panics_fails_its_actor(door: impl Door) {
    let parts: [fn(&ActorRef<Message>) -> Attachment; 3] = [
        |actor| actor.cell().attach(async { panic!("part") }),
        |actor| actor.pipe(async {}, |()| panic!("part")),
        |actor| actor.attach_stream(Numbers(1..=1), |_| panic!("part")),
    ];
    let above = Log::default();
    let parent = door.spawn(Probe::new(&above)).await;
    settled(&parent).await;
    for attach in parts {
        let actor = door.spawn_under(&parent, Probe::new(&Log::default())).await;
        above.take();
        attach(&actor);
        let exit = Exit::Panicked("part".into());
        assert_eq!(actor.wait(None).await, Ok(exit.clone()));
        settled(&parent).await;
        assert_eq!(above.take().last(), Some(&Entry::Failed(actor.id(), exit)));
    }
}

pub(super) async fn a_future_that_was_cancelled_fails_nobody(door: impl Door) {
    let actor = door.spawn(Probe::new(&Log::default())).await;
    let itself: Arc<OnceLock<Attachment>> = Arc::default();
    let known = itself.clone();
    let attached = actor.cell().attach(async move {
        known.get().expect("it is known before it runs").cancel();
        panic!("too late");
    });
    itself.set(attached).expect("it is set once");
    pass(door.system(), MS).await;
    assert_eq!((settled(&actor).await, actor.status()), (0, Status::Running));
}

pub(super) async fn nothing_is_attached_to_the_dead(door: impl Door) {
    let actor = dead(&door).await;
    let is_dropped = Arc::new(AtomicBool::new(false));
    let held = Dropped(is_dropped.clone());
    let attached = actor.attach(async move {
        let _held = held;
        pending::<()>().await;
    });
    assert!(attached.is_over() && is_dropped.load(Ordering::SeqCst));
    attached.cancel();
    assert!(actor.stop_after(MS, None).is_over());
}

/// A state that does something when it is dropped.
struct LastWill(Option<Box<dyn FnOnce() + Send>>);

impl Drop for LastWill {
    fn drop(&mut self) {
        if let Some(will) = self.0.take() {
            will();
        }
    }
}

struct Heir;

impl Actor for Heir {
    type Msg = ();
    type State = LastWill;
    type Arguments = LastWill;

    async fn pre_start(&self, _: &ActorRef<()>, will: LastWill) -> Result<LastWill, ActorError> {
        Ok(will)
    }
}

/// What is attached to a life that has ended, while its children are still being waited
/// for, is of that life and not of the next.
pub(super) async fn what_is_attached_too_late_is_not_of_the_next_life(door: impl Door) {
    let above = Log::default();
    let parent = door.spawn(Probe::new(&above)).await;
    let child = door.restartable(&parent, SpawnOptions::new(), || Probe::new(&Log::default())).await;
    let attached: Arc<Mutex<Vec<Attachment>>> = Arc::default();
    let will = {
        let (attached, child) = (attached.clone(), child.cell());
        LastWill(Some(Box::new(move || {
            let parts = [child.attach(pending()), child.attach(async { panic!("part") })];
            attached.lock().unwrap().extend(parts);
        })))
    };
    let options = SpawnOptions::new().supervisor(&child.cell());
    door.spawn_with(Heir, will, options).await.unwrap();
    child.stop(None);
    let until = |is_so: fn(Status) -> bool| {
        let (child, system) = (child.clone(), door.system().clone());
        async move {
            while !is_so(child.status()) {
                pass(&system, MS).await;
            }
        }
    };
    until(|status| status == Status::Suspended).await;
    pass(door.system(), MS).await;
    let is_over = |part: &Attachment| part.is_over();
    assert_eq!(attached.lock().unwrap().iter().map(is_over).collect::<Vec<_>>(), [true, true]);
    child.cell().restart();
    assert_eq!(settled(&child).await, 0);
    pass(door.system(), MS).await;
    above.take();
    assert_eq!(child.kill_and_wait(None).await, Ok(Exit::Killed));
    pass(door.system(), MS).await;
    assert_eq!(above.take(), [Entry::Suspended(child.id(), Exit::Killed, None)]);
}

/// It panics when it is dropped.
struct Shard;

impl Drop for Shard {
    fn drop(&mut self) {
        panic!("shard");
    }
}

pub(super) async fn an_attached_future_may_panic_when_it_is_dropped(door: impl Door) {
    let actor = door.spawn(Probe::new(&Log::default())).await;
    let attach = |actor: &ActorRef<Message>| {
        let shard = Shard;
        actor.cell().attach(async move {
            let _held = shard;
            pending::<()>().await;
        })
    };
    let cancelled = attach(&actor);
    pass(door.system(), MS).await;
    cancelled.cancel();
    pass(door.system(), MS).await;
    // It was no part of the actor any more.
    assert_eq!((settled(&actor).await, actor.status()), (0, Status::Running));
    // Nor does it matter if it was never polled.
    attach(&actor).cancel();
    let _ = attach(&actor);
    assert_eq!(actor.stop_and_wait(Some("enough"), None).await, Ok(stopped("enough")));
    pass(door.system(), MS).await;
}
