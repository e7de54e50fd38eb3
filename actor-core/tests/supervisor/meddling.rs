//! Others speak to the children of a supervisor, or children do at once what was thought
//! of one by one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use actor_core::{
    Actor, ActorError, ActorRef, Backoff, Exit, HealthCheck, Intensity, Restart, Shutdown, SpawnOptions,
    Status, Strategy, SupervisionEvent, Supervisor, SupervisorError, SupervisorRef,
};

use super::family::{Ask, Cradle, Diary, Kid, MS, child, count, states};
use crate::support::{Gate, held};

/// Whoever had fallen by itself when it was told to stop must not be stopped once more.
pub(super) async fn children_that_fall_together_start_again_once(cradle: impl Cradle) {
    let ends: [fn(&ActorRef<Ask>); 2] = [|kid| kid.stop(None), |kid| kid.kill()];
    let shutdowns = [Shutdown::default(), Shutdown::Kill, Shutdown::Drain(MS)];
    for end in ends {
        for shutdown in shutdowns {
            let diary = Diary::default();
            let builder = ["a", "b", "c"].into_iter().fold(Supervisor::builder(), |builder, id| {
                let spec = cradle.kid(id, &diary).restart(Restart::Permanent).shutdown(shutdown);
                builder.child(spec)
            });
            let supervisor = cradle.spawn(builder.strategy(Strategy::OneForAll)).await.unwrap();
            cradle.idle().await;
            let mut kids = Vec::new();
            for id in ["a", "b", "c"] {
                kids.push(supervisor.find::<Ask>(id).await.unwrap());
            }
            kids.iter().for_each(end);
            cradle.pass(10 * MS).await;
            let expected = ["a", "b", "c"].map(|id| format!("{id}:Running:1"));
            assert_eq!(states(&supervisor).await, expected, "{shutdown:?}: {}", diary.take());
        }
    }
}

/// What makes one fall may wait in its mailbox while it is stopped for a sibling's sake:
/// then it falls in its next life, while the others are being started.
pub(super) async fn a_child_that_is_about_to_start_is_halted_too(cradle: impl Cradle) {
    let diary = Diary::default();
    let builder = ["a", "b", "c"]
        .into_iter()
        .fold(Supervisor::builder(), |builder, id| builder.child(cradle.kid(id, &diary)));
    let supervisor = cradle.spawn(builder.strategy(Strategy::OneForAll)).await.unwrap();
    cradle.idle().await;
    for id in ["a", "b", "c"] {
        supervisor.find::<Ask>(id).await.unwrap().cast(Ask::Fall).unwrap();
    }
    cradle.pass(10 * MS).await;
    let states = states(&supervisor).await;
    assert!(states.iter().all(|state| state.contains(":Running:")), "{states:?}: {}", diary.take());
}

/// One that somebody else starts before its time is as good as one that the supervisor
/// started.
pub(super) async fn a_child_that_a_stranger_starts_again_is_up(cradle: impl Cradle) {
    let diary = Diary::default();
    let late = Backoff::exponential(100 * MS, 100 * MS).jitter(0.0);
    let builder = Supervisor::builder()
        .strategy(Strategy::RestForOne)
        .child(cradle.kid("a", &diary))
        .child(cradle.kid("b", &diary).backoff(late));
    let supervisor = cradle.spawn(builder).await.unwrap();
    let (a, b) = (supervisor.find::<Ask>("a").await.unwrap(), supervisor.find::<Ask>("b").await.unwrap());
    b.cast(Ask::Fall).unwrap();
    cradle.idle().await;
    assert_eq!(states(&supervisor).await, ["a:Running:0", "b:Waiting:0"]);
    b.cell().restart();
    assert_eq!(count(&b).await, 1);
    cradle.pass(200 * MS).await;
    assert_eq!(states(&supervisor).await, ["a:Running:0", "b:Running:0"]);
    // It keeps nobody from being started.
    a.cast(Ask::Fall).unwrap();
    cradle.pass(200 * MS).await;
    assert_eq!(states(&supervisor).await, ["a:Running:1", "b:Running:1"]);
}

pub(super) async fn a_child_that_a_stranger_starts_again_is_ended_all_the_same(cradle: impl Cradle) {
    let diary = Diary::default();
    let builder = Supervisor::builder()
        .child(cradle.kid("a", &diary).backoff(Backoff::exponential(100 * MS, 100 * MS)))
        .child(cradle.kid("b", &diary).restart(Restart::Transient));
    let supervisor = cradle.spawn(builder).await.unwrap();
    for id in ["a", "b"] {
        let kid = supervisor.find::<Ask>(id).await.unwrap();
        kid.stop(Some("enough"));
        // Before its supervisor has heard that it ended.
        let ended = kid.wait(None);
        kid.cell().restart();
        assert!(ended.await.is_ok());
        kid.cell().restart();
        let ended = supervisor.end_child(id);
        assert!(matches!(ended.await, Ok(Exit::Stopped(_) | Exit::Killed)), "{id}");
        assert_eq!(child(&supervisor, id).await.actor, None);
    }
}

/// Whoever only looks on.
struct Onlooker;

impl Actor for Onlooker {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<()>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle(&self, _: &ActorRef<()>, (): (), (): &mut ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: &ActorRef<()>,
        _: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorError> {
        Ok(())
    }
}

/// It is told of twice, and of one fall.
pub(super) async fn a_child_that_was_away_and_is_back_has_fallen_once(cradle: impl Cradle) {
    let onlooker = cradle.system().spawn(Onlooker, (), SpawnOptions::new()).await.unwrap();
    let another = cradle.spawn(Supervisor::builder()).await.unwrap();
    for away in [onlooker.cell(), another.cell()] {
        for delay in [Duration::ZERO, 100 * MS] {
            let diary = Diary::default();
            let once = Intensity { restarts: 1, window: 1000 * MS };
            let backoff = Backoff::exponential(delay, delay).jitter(0.0);
            let builder =
                Supervisor::builder().intensity(once).child(cradle.kid("a", &diary).backoff(backoff));
            let supervisor = cradle.spawn(builder).await.unwrap();
            let a = supervisor.find::<Ask>("a").await.unwrap();
            let fell = a.wait(None);
            a.cast(Ask::Fall).unwrap();
            assert!(fell.await.unwrap().is_failure());
            a.cell().link(&away).unwrap();
            a.cell().link(&supervisor.cell()).unwrap();
            cradle.pass(200 * MS).await;
            assert_eq!(states(&supervisor).await, ["a:Running:1"], "{away:?}: {}", diary.take());
            assert_eq!(count(&a).await, 1);
            // The next time it falls it does so once more.
            a.cast(Ask::Fall).unwrap();
            assert!(matches!(supervisor.wait(None).await, Ok(Exit::Failed(_))));
        }
    }
}

pub(super) async fn a_child_that_was_taken_away_is_not_waited_for(cradle: impl Cradle) {
    for is_relinked in [false, true] {
        let diary = Diary::default();
        let builder = ["a", "b", "c"]
            .into_iter()
            .fold(Supervisor::builder(), |builder, id| builder.child(cradle.kid(id, &diary)));
        let supervisor = cradle.spawn(builder.strategy(Strategy::OneForAll)).await.unwrap();
        let other = cradle.spawn(Supervisor::builder()).await.unwrap();
        let mut kids = Vec::new();
        for id in ["a", "b", "c"] {
            kids.push(supervisor.find::<Ask>(id).await.unwrap());
        }
        cradle.idle().await;
        for kid in &kids[1..] {
            match is_relinked {
                true => kid.cell().link(&other.cell()).unwrap(),
                false => kid.cell().unlink(&supervisor.cell()),
            }
        }
        let ended = supervisor.end_child("c").await;
        assert!(matches!(ended, Err(SupervisorError::NoSuchChild(_))), "{ended:?}");
        kids[0].cast(Ask::Fall).unwrap();
        cradle.pass(20_000 * MS).await;
        assert_eq!(states(&supervisor).await, ["a:Running:1"]);
        supervisor.stop_and_wait(None, None).await.unwrap();
        // They are not its business any more.
        assert_eq!((count(&kids[1]).await, count(&kids[2]).await), (1, 1));
    }
}

/// Between two of its lives a child may be taken away too. Whoever gets it does not know how
/// to look after it, and lets it go.
pub(super) async fn a_child_that_was_taken_away_while_it_waits_is_let_go(cradle: impl Cradle) {
    let diary = Diary::default();
    let late = Backoff::exponential(50 * MS, 50 * MS).jitter(0.0);
    let supervisor =
        cradle.spawn(Supervisor::builder().child(cradle.kid("a", &diary).backoff(late))).await.unwrap();
    let other = cradle.spawn(Supervisor::builder()).await.unwrap();
    let a = supervisor.find::<Ask>("a").await.unwrap();
    a.cast(Ask::Fall).unwrap();
    cradle.idle().await;
    assert_eq!((a.status(), states(&supervisor).await), (Status::Suspended, vec!["a:Waiting:0".into()]));
    a.cell().link(&other.cell()).unwrap();
    cradle.idle().await;
    assert_eq!((a.status(), a.exit()), (Status::Stopped, Some(Exit::Panicked("fell".into()))));
    assert_eq!((other.children().await.unwrap().len(), other.cell().children()), (0, vec![]));
    // Its supervisor finds it gone when it wants it, and starts another.
    cradle.pass(100 * MS).await;
    assert_eq!((states(&supervisor).await, diary.take()), (vec!["a:Running:1".into()], "+a !a +a".into()));
}

/// A child that was taken away and ended is known to have ended.
pub(super) async fn the_end_of_a_child_that_was_taken_away_is_heard_of(cradle: impl Cradle) {
    let diary = Diary::default();
    let supervisor = cradle.spawn(Supervisor::builder().child(cradle.kid("a", &diary))).await.unwrap();
    let a = supervisor.find::<Ask>("a").await.unwrap();
    a.cell().unlink(&supervisor.cell());
    a.stop_and_wait(None, None).await.unwrap();
    cradle.idle().await;
    // It is permanent.
    assert_eq!((states(&supervisor).await, diary.take()), (vec!["a:Running:1".into()], "+a -a +a".into()));
}

/// It starts when its gate is opened, and then it hangs in `post_start`.
struct Sluggish(Gate);

impl Actor for Sluggish {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<()>, (): ()) -> Result<(), ActorError> {
        self.0.pass().await;
        Ok(())
    }

    async fn post_start(&self, _: &ActorRef<()>, (): &mut ()) -> Result<(), ActorError> {
        std::future::pending().await
    }
}

pub(super) async fn a_child_that_is_ended_while_it_starts_has_its_time_and_no_more(cradle: impl Cradle) {
    for (shutdown, takes) in
        [(Shutdown::Kill, 0), (Shutdown::Stop(30 * MS), 30), (Shutdown::Drain(20 * MS), 20)]
    {
        let supervisor = cradle.spawn(Supervisor::builder()).await.unwrap();
        let gate = Gate::new();
        let slow = {
            let gate = gate.clone();
            cradle.spec("slow", move || (Sluggish(gate.clone()), ())).shutdown(shutdown)
        };
        let starting = supervisor.start_child(slow);
        let mut starting = std::pin::pin!(starting);
        held(starting.as_mut(), gate.reached()).await;
        let ending = supervisor.end_child("slow");
        let mut ending = std::pin::pin!(ending);
        // Longer than it is given.
        held(ending.as_mut(), cradle.pass(100 * MS)).await;
        let clock = cradle.system().executor().clone();
        let heard_at = clock.now();
        gate.open();
        assert!(starting.await.is_ok());
        let ended = clock.timeout(10_000 * MS, ending).await.expect("it is killed in the end");
        assert!(matches!(ended, Ok(Exit::Killed)), "{ended:?}");
        assert_eq!(clock.now() - heard_at, takes * MS, "{shutdown:?}");
    }
}

/// It starts once, and later only if its gate is opened, and not even then.
pub(super) struct Once(pub(super) Gate, pub(super) Arc<AtomicBool>);

impl Actor for Once {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<()>, (): ()) -> Result<(), ActorError> {
        if self.1.swap(true, Ordering::SeqCst) {
            self.0.pass().await;
            return Err("only once".into());
        }
        Ok(())
    }
}

pub(super) async fn a_child_that_is_ended_while_it_fails_to_start_has_ended(cradle: impl Cradle) {
    let (gate, has_started) = (Gate::new(), Arc::new(AtomicBool::new(false)));
    let once = {
        let gate = gate.clone();
        cradle.spec("once", move || (Once(gate.clone(), has_started.clone()), ()))
    };
    let supervisor = cradle.spawn(Supervisor::builder().child(once)).await.unwrap();
    // A new address is needed for its next life.
    let once = supervisor.find::<()>("once").await.unwrap();
    once.cell().release();
    once.kill();
    gate.reached().await;
    let ending = supervisor.end_child("once");
    let mut ending = std::pin::pin!(ending);
    held(ending.as_mut(), cradle.idle()).await;
    gate.open();
    let clock = cradle.system().executor().clone();
    let ended = clock.timeout(10_000 * MS, ending).await.expect("it is over");
    assert!(matches!(&ended, Ok(Exit::Failed(why)) if **why == *"only once"), "{ended:?}");
    assert_eq!(states(&supervisor).await, ["once:Ended:1"]);
}

/// What was sent to a life of a supervisor by its own launches must not be taken for news
/// of the next life's children.
pub(super) async fn a_launch_of_a_former_life_is_not_news_of_the_next(cradle: impl Cradle) {
    let diary = Diary::default();
    let lives = Arc::new(AtomicU32::new(0));
    let inner = {
        let (cradle, diary) = (cradle.clone(), diary.clone());
        move || match lives.fetch_add(1, Ordering::SeqCst) {
            0 => (Supervisor, Supervisor::builder()),
            _ => (Supervisor, Supervisor::builder().child(cradle.kid("a", &diary))),
        }
    };
    let outer = cradle.spawn(Supervisor::builder().child(cradle.spec("inner", inner))).await.unwrap();
    let inner = SupervisorRef::from_cell(child(&outer, "inner").await.actor.unwrap()).unwrap();
    let gate = Gate::new();
    let slow = {
        let gate = gate.clone();
        cradle.spec("slow", move || (Slow(gate.clone(), Diary::default()), ()))
    };
    let starting = inner.start_child(slow);
    let mut starting = std::pin::pin!(starting);
    held(starting.as_mut(), gate.reached()).await;
    // The launch is over when the life ends, and nobody has looked.
    gate.open();
    inner.kill();
    cradle.idle().await;
    assert_eq!(states(&inner).await, ["a:Running:0"]);
    assert_eq!(count(&inner.find::<Ask>("a").await.unwrap()).await, 1);
    assert!(starting.await.is_err());
}

/// It starts when its gate is opened.
struct Slow(Gate, Diary);

impl Actor for Slow {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<()>, (): ()) -> Result<(), ActorError> {
        self.0.pass().await;
        Ok(())
    }

    async fn post_start(&self, _: &ActorRef<()>, (): &mut ()) -> Result<(), ActorError> {
        self.1.note('+', "slow");
        Ok(())
    }

    async fn post_stop(&self, _: &ActorRef<()>, (): &mut ()) -> Result<(), ActorError> {
        self.1.note('-', "slow");
        Ok(())
    }
}

pub(super) async fn a_child_that_was_launched_is_ended_with_the_others<C: Cradle>(cradle: C) {
    for escalates in [false, true] {
        let diary = Diary::default();
        let builder = Supervisor::builder().intensity(Intensity { restarts: 0, window: MS });
        let supervisor = cradle.spawn(builder.child(cradle.kid("a", &Diary::default()))).await.unwrap();
        let a = supervisor.find::<Ask>("a").await.unwrap();
        let gate = Gate::new();
        let slow = {
            let (gate, diary) = (gate.clone(), diary.clone());
            cradle.spec("slow", move || (Slow(gate.clone(), diary.clone()), ()))
        };
        let starting = supervisor.start_child(slow);
        let mut starting = std::pin::pin!(starting);
        held(starting.as_mut(), gate.reached()).await;
        if escalates {
            a.cast(Ask::Fall).unwrap();
        }
        gate.open();
        if !escalates {
            supervisor.stop(None);
        }
        assert!(supervisor.wait(None).await.is_ok());
        cradle.idle().await;
        // Or it did not start at all.
        let noted = diary.take();
        let is_killed = noted == "+slow" && !C::IS_CLAIMED_AT_ONCE;
        assert!(["+slow -slow", ""].contains(&&*noted) || is_killed, "{noted}");
    }
}

pub(super) async fn a_stranger_under_the_supervisor_is_not_remembered(cradle: impl Cradle) {
    let diary = Diary::default();
    let supervisor = cradle.spawn(Supervisor::builder()).await.unwrap();
    let gate = Gate::new();
    let slow = {
        let gate = gate.clone();
        cradle.spec("slow", move || (Slow(gate.clone(), Diary::default()), ()))
    };
    let starting = supervisor.start_child(slow);
    let mut starting = std::pin::pin!(starting);
    held(starting.as_mut(), gate.reached()).await;
    let (system, under) = (cradle.system(), SpawnOptions::new().supervisor(&supervisor.cell()));
    let kid = || (Kid { id: "stranger", diary: diary.clone() }, ());
    let plain = system.spawn(kid().0, (), under.clone()).await.unwrap();
    plain.stop_and_wait(None, None).await.unwrap();
    // Nobody would start it again.
    let stranger = diary.clone();
    let make = move || (Kid { id: "stranger", diary: stranger.clone() }, ());
    let restartable = system.spawn_restartable(make, under).await.unwrap();
    restartable.stop(None);
    cradle.idle().await;
    assert_eq!(restartable.status(), Status::Stopped);
    for actor in [plain, restartable] {
        let weak = actor.downgrade();
        drop(actor);
        assert!(weak.upgrade().is_none());
    }
    gate.open();
    assert!(starting.await.is_ok());
}

pub(super) async fn a_child_that_does_not_begin_again_is_kept(cradle: impl Cradle) {
    let (gate, has_started) = (Gate::new(), Arc::new(AtomicBool::new(false)));
    let once = {
        let gate = gate.clone();
        cradle.spec("once", move || (Once(gate.clone(), has_started.clone()), ()))
    };
    let supervisor = cradle.spawn(Supervisor::builder().child(once)).await.unwrap();
    assert!(supervisor.end_child("once").await.is_ok());
    gate.open();
    let again = supervisor.restart_child("once").await;
    assert!(matches!(&again, Err(SupervisorError::Start(_))), "{again:?}");
    assert_eq!(states(&supervisor).await, ["once:Ended:0"]);
    supervisor.remove_child("once").await.unwrap();
}

/// It panics when it is dropped.
struct Shard;

impl Drop for Shard {
    fn drop(&mut self) {
        panic!("shard");
    }
}

struct Brittle(#[expect(dead_code, reason = "dropped")] Option<Shard>);

impl Actor for Brittle {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<()>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }
}

pub(super) async fn a_specification_that_panics_when_dropped_harms_nobody(cradle: impl Cradle) {
    let diary = Diary::default();
    let named = SpawnOptions::new().name("taken");
    let a = cradle.kid("a", &diary).options(named.clone());
    let supervisor = cradle.spawn(Supervisor::builder().child(a)).await.unwrap();
    // What is made in vain.
    let vain = cradle.spec("vain", || (Brittle(Some(Shard)), ())).options(named);
    assert!(matches!(supervisor.start_child(vain).await, Err(SupervisorError::Start(_))));
    // What makes, and what checks.
    let (maker, checker) = (Shard, Shard);
    let health = HealthCheck { interval: MS, timeout: MS, threshold: 1 };
    let make = move || {
        let _held = &maker;
        (Brittle(None), ())
    };
    let check = move |_| {
        let _held = &checker;
        async { true }
    };
    supervisor.start_child(cradle.spec("b", make).health(health, check)).await.unwrap();
    assert!(supervisor.end_child("b").await.is_ok());
    supervisor.remove_child("b").await.unwrap();
    cradle.idle().await;
    assert_eq!(states(&supervisor).await, ["a:Running:0"]);
}
