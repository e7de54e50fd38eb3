//! Children that come and go while their supervisor runs.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use actor_core::{
    Actor, ActorError, ActorRef, Backoff, Exit, HealthCheck, Restart, Shutdown, SpawnError, SpecError,
    Strategy, Supervisor, SupervisorError,
};

use super::family::{Ask, Cradle, Diary, MS, states};
use super::meddling::Once;
use crate::support::{Gate, held};

pub(super) async fn children_come_and_go(cradle: impl Cradle) {
    let diary = Diary::default();
    let builder = Supervisor::builder().strategy(Strategy::RestForOne).child(cradle.kid("a", &diary));
    let supervisor = cradle.spawn(builder).await.unwrap();
    let b = supervisor.start_child(cradle.kid("b", &diary)).await.unwrap();
    let c = supervisor.start_child(cradle.kid("c", &diary).restart(Restart::Temporary)).await.unwrap();
    cradle.idle().await;
    assert_eq!(states(&supervisor).await, ["a:Running:0", "b:Running:0", "c:Running:0"]);
    assert_eq!(diary.take(), "+a +b +c");
    // It comes after those that were there.
    b.cast(Ask::Fall).unwrap();
    cradle.idle().await;
    assert_eq!(diary.take(), "!b -c +b");
    assert_eq!(states(&supervisor).await, ["a:Running:0", "b:Running:1"]);
    assert!(c.cast(Ask::Fail).is_err());

    // Ended, and kept.
    assert!(matches!(supervisor.end_child("b").await, Ok(Exit::Stopped(Some(_)))));
    assert_eq!(
        (states(&supervisor).await, diary.take()),
        (vec!["a:Running:0".into(), "b:Ended:1".into()], "-b".into())
    );
    assert!(matches!(supervisor.end_child("b").await, Ok(Exit::Stopped(Some(_)))));
    let again = supervisor.restart_child("b").await.unwrap();
    assert_ne!(again, b.cell());
    cradle.idle().await;
    assert_eq!(
        (states(&supervisor).await, diary.take()),
        (vec!["a:Running:0".into(), "b:Running:1".into()], "+b".into())
    );
    supervisor.find::<Ask>("b").await.unwrap().cast(Ask::Fall).unwrap();
    cradle.idle().await;
    assert_eq!(diary.take(), "!b +b");

    // Ended, and forgotten: then the id is free.
    assert!(supervisor.end_child("b").await.is_ok());
    supervisor.remove_child("b").await.unwrap();
    assert_eq!(states(&supervisor).await, ["a:Running:0"]);
    supervisor.start_child(cradle.kid("b", &diary)).await.unwrap();
    supervisor.stop_and_wait(None, None).await.unwrap();
    assert_eq!(diary.take(), "-b +b -b -a");
}

/// It starts when its gate is opened, and then as it is told.
struct Slow(Gate, Result<(), &'static str>);

impl Actor for Slow {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<()>, (): ()) -> Result<(), ActorError> {
        self.0.pass().await;
        Ok(self.1?)
    }
}

pub(super) async fn a_child_that_does_not_start_is_not_there(cradle: impl Cradle) {
    let diary = Diary::default();
    let supervisor = cradle.spawn(Supervisor::builder().child(cradle.kid("a", &diary))).await.unwrap();
    let gate = Gate::new();
    let slow = {
        let gate = gate.clone();
        cradle.spec("slow", move || (Slow(gate.clone(), Err("no")), ()))
    };
    let starting = supervisor.start_child(slow);
    let mut starting = std::pin::pin!(starting);
    held(starting.as_mut(), gate.reached()).await;
    // The supervisor does other things meanwhile.
    assert_eq!(states(&supervisor).await, ["a:Running:0", "slow:Starting:0"]);
    supervisor.find::<Ask>("a").await.unwrap().cast(Ask::Fall).unwrap();
    cradle.idle().await;
    assert_eq!(states(&supervisor).await, ["a:Running:1", "slow:Starting:0"]);
    gate.open();
    let started = starting.await;
    assert!(
        matches!(&started, Err(SupervisorError::Start(SpawnError::Startup(Exit::Failed(why)))) if **why == *"no"),
        "{started:?}"
    );
    assert_eq!(states(&supervisor).await, ["a:Running:1"]);
}

pub(super) async fn a_child_is_ended_while_it_starts(cradle: impl Cradle) {
    let supervisor = cradle.spawn(Supervisor::builder()).await.unwrap();
    let gate = Gate::new();
    let slow = {
        let gate = gate.clone();
        cradle.spec("slow", move || (Slow(gate.clone(), Ok(())), ()))
    };
    let starting = supervisor.start_child(slow);
    let mut starting = std::pin::pin!(starting);
    held(starting.as_mut(), gate.reached()).await;
    let ending = supervisor.end_child("slow");
    let mut ending = std::pin::pin!(ending);
    held(ending.as_mut(), cradle.idle()).await;
    assert_eq!(states(&supervisor).await, ["slow:Stopping:0"]);
    gate.open();
    assert!(starting.await.is_ok());
    assert!(matches!(ending.await, Ok(Exit::Stopped(Some(_)))));
    assert_eq!(states(&supervisor).await, ["slow:Ended:0"]);
}

pub(super) async fn what_a_supervisor_does_not_know_it_says(cradle: impl Cradle) {
    let diary = Diary::default();
    let supervisor = cradle.spawn(Supervisor::builder().child(cradle.kid("a", &diary))).await.unwrap();
    let error = supervisor.end_child("b").await.unwrap_err();
    assert!(matches!(&error, SupervisorError::NoSuchChild(id) if **id == *"b"), "{error:?}");
    assert!(matches!(supervisor.restart_child("b").await, Err(SupervisorError::NoSuchChild(_))));
    assert!(matches!(supervisor.remove_child("b").await, Err(SupervisorError::NoSuchChild(_))));
    assert!(matches!(supervisor.find::<Ask>("b").await, Err(SupervisorError::NoSuchChild(_))));
    assert!(matches!(supervisor.find::<u8>("a").await, Err(SupervisorError::NotReachable(_))));
    assert!(matches!(supervisor.restart_child("a").await, Err(SupervisorError::NotEnded(_))));
    assert!(matches!(supervisor.remove_child("a").await, Err(SupervisorError::NotEnded(_))));

    let taken = supervisor.start_child(cradle.kid("a", &diary)).await;
    assert!(matches!(taken, Err(SupervisorError::Spec(SpecError::Taken(_)))), "{taken:?}");
    let long: &'static str = Box::leak("x".repeat(256).into_boxed_str());
    for id in ["", "x/y", "tab\t", long] {
        let refused = supervisor.start_child(cradle.kid(id, &diary)).await;
        assert!(matches!(refused, Err(SupervisorError::Spec(SpecError::Id(_)))), "{refused:?}");
    }
    let backoff = Backoff::exponential(2 * MS, MS);
    let refused = supervisor.start_child(cradle.kid("b", &diary).backoff(backoff)).await;
    assert!(matches!(refused, Err(SupervisorError::Spec(SpecError::Backoff(_)))), "{refused:?}");
    let health = HealthCheck { interval: MS, timeout: MS, threshold: 1 };
    let zeros = [
        HealthCheck { interval: Duration::ZERO, ..health },
        HealthCheck { timeout: Duration::ZERO, ..health },
        HealthCheck { threshold: 0, ..health },
    ];
    for zero in zeros {
        let refused = supervisor.start_child(cradle.kid("b", &diary).health(zero, |_| async { true })).await;
        assert!(matches!(refused, Err(SupervisorError::Spec(SpecError::HealthCheck(_)))), "{refused:?}");
    }
    assert_eq!(states(&supervisor).await, ["a:Running:0"]);
    supervisor.kill_and_wait(None).await.unwrap();
    assert!(matches!(supervisor.children().await, Err(SupervisorError::Stopping)));
    let late = supervisor.start_child(cradle.kid("b", &diary).shutdown(Shutdown::Kill)).await;
    assert!(matches!(late, Err(SupervisorError::Stopping)), "{late:?}");
}

/// Whoever falls meanwhile does not wait for it to be halted: it is not there.
pub(super) async fn a_child_that_does_not_begin_again_holds_up_nobody(cradle: impl Cradle) {
    let (diary, gate, has_started) = (Diary::default(), Gate::new(), Arc::new(AtomicBool::new(false)));
    let once = {
        let gate = gate.clone();
        cradle.spec("once", move || (Once(gate.clone(), has_started.clone()), ()))
    };
    let builder = Supervisor::builder()
        .strategy(Strategy::OneForAll)
        .child(cradle.kid("a", &diary))
        .child(once)
        .child(cradle.kid("c", &diary).shutdown(Shutdown::Stop(100 * MS)));
    let supervisor = cradle.spawn(builder).await.unwrap();
    assert!(supervisor.end_child("once").await.is_ok());
    let mut again = std::pin::pin!(supervisor.restart_child("once"));
    held(again.as_mut(), gate.reached()).await;
    supervisor.find::<Ask>("c").await.unwrap().cast(Ask::Hang).unwrap();
    supervisor.find::<Ask>("a").await.unwrap().cast(Ask::Fall).unwrap();
    cradle.idle().await;
    // The last one is halted first, and takes its time; the other is to come after it.
    assert_eq!(states(&supervisor).await, ["a:Waiting:0", "once:Starting:0", "c:Stopping:0"]);
    gate.open();
    assert!(matches!(again.await, Err(SupervisorError::Start(_))));
    cradle.pass(200 * MS).await;
    assert_eq!(states(&supervisor).await, ["a:Running:1", "once:Ended:0", "c:Running:1"]);
}
