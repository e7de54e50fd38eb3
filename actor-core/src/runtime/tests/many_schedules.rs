//! Whole actors under many schedules: what is asked of one while it lives, ends and lives
//! again. Shuttle chooses who runs at each lock and each atomic step.

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

/// Casts some parcels and says how many were accepted.
fn sends(actor: &ActorRef<Parcel>, counts: &Arc<Counts>, parcels: usize) -> thread::JoinHandle<usize> {
    let (actor, counts) = (actor.clone(), counts.clone());
    thread::spawn(move || (0..parcels).filter(|_| actor.cast(Parcel::of(&counts)).is_ok()).count())
}

#[test]
fn a_drain_among_senders_handles_what_was_accepted() {
    check(10_000, || {
        block_on(async {
            let system = system();
            let bounded = SpawnOptions::new().mailbox(Capacity::try_from(2).expect("it is not zero"));
            let options = if thread_rng().r#gen() { bounded } else { SpawnOptions::new() };
            let (actor, counts) = clerk(&system, options).await;
            let senders = [sends(&actor, &counts, 3), sends(&actor, &counts, 3)];
            actor.drain();
            assert!(actor.cast(Parcel::of(&counts)).is_err());
            let accepted: usize = senders.into_iter().map(|sender| sender.join().expect("it ends")).sum();
            assert_eq!(actor.wait(None).await, Ok(Exit::Drained));
            assert_eq!(counts.handled.load(O::SeqCst), accepted);
            assert_eq!((counts.dropped.load(O::SeqCst), counts.post_stops.load(O::SeqCst)), (7, 1));
        });
    });
}

#[test]
fn stop_kill_and_drain_end_an_actor_once() {
    check(10_000, || {
        block_on(async {
            let system = system();
            let (actor, counts) = clerk(&system, SpawnOptions::new().name("clerk")).await;
            system.groups().join("clerks", &actor.cell()).expect("it lives");
            let sender = sends(&actor, &counts, 2);
            let asked = [0, 1, 2].map(|which| {
                let actor = actor.clone();
                thread::spawn(move || match which {
                    0 => actor.stop(Some("asked")),
                    1 => actor.drain(),
                    _ => actor.kill(),
                })
            });
            let exit = actor.wait(None).await.expect("it ends");
            let is_clean = match &exit {
                Exit::Stopped(reason) => {
                    assert_eq!(reason.as_deref(), Some("asked"));
                    true
                }
                Exit::Drained => true,
                Exit::Killed => false,
                other => panic!("{other}"),
            };
            asked.into_iter().for_each(|thread| thread.join().expect("it ends"));
            sender.join().expect("it ends");
            assert_eq!((actor.status(), actor.exit()), (Status::Stopped, Some(exit)));
            assert!(counts.post_stops.load(O::SeqCst) <= 1);
            assert!(!is_clean || counts.post_stops.load(O::SeqCst) == 1);
            assert_eq!(counts.dropped.load(O::SeqCst), 2);
            assert_eq!((system.registered(), system.groups().names()), (vec![], vec![]));
        });
    });
}

#[test]
fn a_restart_among_senders_loses_the_message_in_hand_and_no_other() {
    check_fair(10_000, || {
        block_on(async {
            let system = system();
            let chief = system.spawn(Chief(2), (), SpawnOptions::new()).await.expect("it starts");
            let counts = Arc::new(Counts::default());
            let make = {
                let counts = counts.clone();
                move || (Clerk(counts.clone()), ())
            };
            let options = SpawnOptions::new().supervisor(&chief.cell());
            let actor = system.spawn_restartable(make, options).await.expect("it starts");
            let senders = [sends(&actor, &counts, 3), sends(&actor, &counts, 2)];
            for _ in 0..2 {
                let fatal = Parcel { counts: counts.clone(), is_fatal: true };
                assert!(actor.cast(fatal).is_ok(), "it is there all the while");
            }
            let accepted: usize = senders.into_iter().map(|sender| sender.join().expect("it ends")).sum();
            assert_eq!(accepted, 5);
            // Whatever of its lives is drained now, no other follows it.
            actor.cell().release();
            let exit = actor.drain_and_wait(None).await.expect("it ends");
            if exit == Exit::Drained {
                assert_eq!(counts.lives.load(O::SeqCst), 3);
                assert_eq!(counts.handled.load(O::SeqCst), accepted);
            }
            while actor.status() != Status::Stopped {
                thread::yield_now();
            }
            assert_eq!(counts.dropped.load(O::SeqCst), accepted + 2);
            chief.stop_and_wait(None, None).await.expect("it ends");
        });
    });
}

#[test]
fn whoever_waits_for_a_life_hears_of_its_end() {
    check_fair(10_000, || {
        block_on(async {
            let system = system();
            let chief = system.spawn(Chief(3), (), SpawnOptions::new()).await.expect("it starts");
            let counts = Arc::new(Counts::default());
            let make = {
                let counts = counts.clone();
                move || (Clerk(counts.clone()), ())
            };
            let options = SpawnOptions::new().supervisor(&chief.cell()).name("kept");
            let actor = system.spawn_restartable(make, options).await.expect("it starts");
            let waits = [0, 1].map(|which| {
                let actor = actor.clone();
                future::spawn(async move {
                    match which {
                        0 => actor.stop_and_wait(None, None).await.expect("it ends"),
                        _ => actor.kill_and_wait(None).await.expect("it ends"),
                    }
                })
            });
            for wait in waits {
                let exit = wait.await.expect("it is not cancelled");
                assert!(matches!(exit, Exit::Stopped(None) | Exit::Killed), "{exit}");
            }
            assert_eq!(system.where_is("kept"), Some(actor.cell()));
            // The chief's end is its own.
            chief.kill();
            chief.wait(None).await.expect("it ends");
            while actor.status() != Status::Stopped {
                actor.wait(None).await.expect("it ends");
            }
            assert_eq!((system.where_is("kept"), actor.cell().supervisor()), (None, None));
        });
    });
}

/// Says if one of its lives ended in peace that nobody had asked to.
struct Peaceful(Arc<AtomicUsize>);

impl Actor for Peaceful {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<()>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn post_stop(&self, myself: &ActorRef<()>, (): &mut ()) -> Result<(), ActorError> {
        let word = myself.as_local().expect("it is local").word();
        if !(word.has(Flag::Stop) || word.has(Flag::Drain)) {
            self.0.fetch_add(1, O::SeqCst);
        }
        Ok(())
    }
}

/// A life that ends by itself while it is drained takes the drain with it.
#[test]
fn a_drain_of_a_life_that_ends_is_not_the_next_ones() {
    let drains: [fn(&ActorRef<()>); 2] =
        [|actor| actor.drain(), |actor| _ = actor.cell().ask_to_end(Shutdown::Drain(Duration::MAX))];
    for drain in drains {
        check_fair(20_000, move || block_on(drain_a_life_that_ends(drain)));
    }
}

async fn drain_a_life_that_ends(drain: fn(&ActorRef<()>)) {
    let system = system();
    let chief = system.spawn(Chief(9), (), SpawnOptions::new()).await.expect("it starts");
    let unasked = Arc::new(AtomicUsize::new(0));
    let make = {
        let unasked = unasked.clone();
        move || (Peaceful(unasked.clone()), ())
    };
    let options = SpawnOptions::new().supervisor(&chief.cell());
    let actor = system.spawn_restartable(make, options).await.expect("it starts");
    let drains = {
        let actor = actor.clone();
        thread::spawn(move || drain(&actor))
    };
    actor.kill();
    drains.join().expect("it ends");
    // All that was asked is done: it lives, and takes messages.
    while !matches!(actor.status(), Status::Starting | Status::Running) {
        future::yield_now().await;
    }
    for _ in 0..3 {
        future::yield_now().await;
    }
    chief.kill();
    while actor.status() != Status::Stopped {
        actor.wait(None).await.expect("it ends");
    }
    assert_eq!(unasked.load(O::SeqCst), 0, "a life ended that nobody had asked to");
}

/// Counts the suspensions that it hears of. Restarts, or leaves it to another.
struct Keeper(Arc<AtomicUsize>, bool);

impl Actor for Keeper {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<()>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: &ActorRef<()>,
        event: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorError> {
        if let SupervisionEvent::Suspended { actor, .. } = event {
            self.0.fetch_add(1, O::SeqCst);
            if self.1 {
                actor.restart();
            }
        }
        Ok(())
    }
}

/// Whether the link or the end of the life comes first, the next supervisor is told once.
#[test]
fn a_child_that_is_linked_anew_while_its_life_ends_is_told_of_once() {
    check_fair(10_000, || {
        block_on(async {
            let system = system();
            let heard = Arc::new(AtomicUsize::new(0));
            let former = system.spawn(Keeper(Arc::default(), false), (), SpawnOptions::new()).await;
            let next = system.spawn(Keeper(heard.clone(), true), (), SpawnOptions::new()).await;
            let (former, next) = (former.expect("it starts"), next.expect("it starts"));
            let counts = Arc::new(Counts::default());
            let make = {
                let counts = counts.clone();
                move || (Clerk(counts.clone()), ())
            };
            let options = SpawnOptions::new().supervisor(&former.cell());
            let actor = system.spawn_restartable(make, options).await.expect("it starts");
            // Twice, since a suspension must leave nothing to the next.
            for lives in [2, 3] {
                let links = {
                    let (actor, next) = (actor.cell(), next.cell());
                    let is_late = thread_rng().r#gen();
                    thread::spawn(move || {
                        // Nobody else would restart it.
                        while is_late && actor.status() != Status::Suspended {
                            thread::yield_now();
                        }
                        actor.link(&next).is_ok()
                    })
                };
                actor.kill();
                assert!(links.join().expect("it ends"));
                while counts.lives.load(O::SeqCst) < lives || actor.status() != Status::Running {
                    future::yield_now().await;
                }
                assert_eq!(heard.load(O::SeqCst), lives - 1);
                if lives == 2 {
                    actor.cell().link(&former.cell()).expect("it lives");
                }
            }
            for chief in [former, next] {
                chief.kill();
                chief.wait(None).await.expect("it ends");
            }
            while actor.status() != Status::Stopped {
                actor.wait(None).await.expect("it ends");
            }
        });
    });
}

#[test]
fn a_name_has_one_holder_among_ends_and_spawns() {
    check(5_000, || {
        block_on(async {
            let system = system();
            let (first, _) = clerk(&system, SpawnOptions::new().name("one")).await;
            let spawns = [0, 1].map(|_| {
                let system = system.clone();
                future::spawn(async move {
                    let spawned =
                        system.spawn(Clerk(Arc::default()), (), SpawnOptions::new().name("one")).await;
                    match spawned {
                        Ok(actor) => Some(actor),
                        Err(SpawnError::NameTaken(_)) => None,
                        Err(other) => panic!("{other}"),
                    }
                })
            });
            first.kill();
            let mut holders = Vec::new();
            for spawn in spawns {
                holders.extend(spawn.await.expect("it is not cancelled"));
            }
            first.wait(None).await.expect("it ends");
            assert!(holders.len() <= 1, "two hold one name");
            assert_eq!(system.where_is("one"), holders.first().map(ActorRef::cell));
            for holder in holders {
                holder.stop_and_wait(None, None).await.expect("it ends");
            }
            assert_eq!(system.registered(), []);
        });
    });
}

#[test]
fn a_group_holds_nobody_who_has_ended() {
    check(5_000, || {
        block_on(async {
            let system = system();
            let (actor, _) = clerk(&system, SpawnOptions::new()).await;
            let joins = ["a", "b"].map(|group| {
                let (system, actor) = (system.clone(), actor.clone());
                thread::spawn(move || system.groups().join(group, &actor.cell()).is_ok())
            });
            actor.stop(None);
            actor.wait(None).await.expect("it ends");
            joins.into_iter().for_each(|join| drop(join.join().expect("it ends")));
            assert_eq!(system.groups().names(), []);
        });
    });
}

#[test]
fn a_child_does_not_outlive_a_supervisor_that_ends_while_it_is_linked() {
    check(5_000, || {
        block_on(async {
            let system = system();
            let chief = system.spawn(Chief(9), (), SpawnOptions::new()).await.expect("it starts");
            let (child, _) = clerk(&system, SpawnOptions::new()).await;
            let links = {
                let (child, chief) = (child.cell(), chief.cell());
                thread::spawn(move || child.link(&chief).is_ok())
            };
            chief.kill();
            chief.wait(None).await.expect("it ends");
            if links.join().expect("it ends") {
                assert_eq!(child.wait(None).await, Ok(Exit::Killed));
            } else {
                assert!(child.status() <= Status::Running);
                child.stop_and_wait(None, None).await.expect("it ends");
            }
            assert_eq!((child.cell().supervisor(), chief.cell().children()), (None, vec![]));
        });
    });
}

#[test]
fn the_last_address_may_go_while_another_sends() {
    check(5_000, || {
        let counts = Arc::new(Counts::default());
        let accepted = block_on(async {
            let system = system();
            let actor =
                system.spawn(Clerk(counts.clone()), (), SpawnOptions::new()).await.expect("it starts");
            let weak = actor.downgrade();
            let sender = {
                let counts = counts.clone();
                thread::spawn(move || {
                    let upgraded = weak.upgrade();
                    upgraded.is_some_and(|actor| actor.cast(Parcel::of(&counts)).is_ok())
                })
            };
            let stops = {
                let actor = actor.clone();
                thread::spawn(move || actor.stop(None))
            };
            drop(actor);
            stops.join().expect("it ends");
            usize::from(sender.join().expect("it ends"))
        });
        // Dropped, be it handled or not, and also if it was refused.
        let dropped = counts.dropped.load(O::SeqCst);
        assert!(counts.handled.load(O::SeqCst) <= accepted && dropped <= 1);
    });
}
