//! Supervisors under supervisors, and how they end.

use std::time::Duration;

use actor_core::{
    Actor, ActorError, ActorRef, ChildSpec, ErrorAction, Exit, Intensity, Shutdown, SpawnError, SpawnOptions,
    Status, Strategy, Supervisor, SupervisorMessage,
};

use super::family::{Ask, Cradle, Diary, MS, child, count, states};

/// A supervisor of one kid, which allows it no restart.
fn branch(
    cradle: &impl Cradle,
    id: &'static str,
    kid: &'static str,
    diary: &Diary,
) -> ChildSpec<SupervisorMessage> {
    let (maker, diary) = (cradle.clone(), diary.clone());
    cradle.spec(id, move || {
        let none = Intensity { restarts: 0, window: Duration::from_secs(1) };
        (Supervisor, Supervisor::builder().intensity(none).child(maker.kid(kid, &diary)))
    })
}

pub(super) async fn a30_a_child_is_found_by_its_path(cradle: impl Cradle) {
    let diary = Diary::default();
    let builder = Supervisor::builder()
        .child(cradle.kid("worker-1", &diary))
        .child(branch(&cradle, "inner", "worker-1", &diary));
    let system = cradle.system();
    let supervisor = builder.spawn_with(system, SpawnOptions::new().name("sup")).await.unwrap();
    let worker = supervisor.find::<Ask>("worker-1").await.unwrap();
    assert_eq!(system.resolve("/sup"), Some(supervisor.cell()));
    assert_eq!(system.resolve("/sup/worker-1"), Some(worker.cell()));
    let inner = system.resolve("/sup/inner/worker-1").unwrap();
    assert_ne!(inner, worker.cell());
    assert_eq!(inner.name(), None);
    worker.cast(Ask::Fall).unwrap();
    assert_eq!(count(&worker).await, 1);
    assert_eq!(system.resolve("/sup/worker-1"), Some(worker.cell()));
    let nothing = ["", "/", "sup", "sup/worker-1", "/sup/", "/sup/worker-2", "/sup//worker-1", "/worker-1"];
    for nothing in nothing {
        assert_eq!(system.resolve(nothing), None, "{nothing:?}");
    }
    // What its supervisor calls a child goes before what another calls itself.
    let named = cradle.kid("other", &diary).options(SpawnOptions::new().name("third"));
    supervisor.start_child(named).await.unwrap();
    let third = supervisor.start_child(cradle.kid("third", &diary)).await.unwrap();
    assert_eq!(system.resolve("/sup/third"), Some(third.cell()));
    supervisor.stop_and_wait(None, None).await.unwrap();
    assert_eq!(system.resolve("/sup/worker-1"), None);
}

pub(super) async fn c11_a_supervisor_over_its_limit_fails_and_its_own_decides(cradle: impl Cradle) {
    let table = [
        (Strategy::OneForOne, "!x +x", ["left:Running:1", "right:Running:0"]),
        (Strategy::OneForAll, "!x -y +x +y", ["left:Running:1", "right:Running:1"]),
    ];
    for (strategy, expected, after) in table {
        let diary = Diary::default();
        let builder = Supervisor::builder()
            .strategy(strategy)
            .child(branch(&cradle, "left", "x", &diary))
            .child(branch(&cradle, "right", "y", &diary));
        let top = cradle.spawn(builder).await.unwrap();
        cradle.idle().await;
        diary.take();
        let left = child(&top, "left").await.actor.unwrap();
        let x = ActorRef::<Ask>::from_cell(left.child("x").unwrap()).unwrap();
        x.cast(Ask::Fall).unwrap();
        cradle.idle().await;
        assert_eq!(diary.take(), expected, "{strategy:?}");
        assert_eq!(states(&top).await, after, "{strategy:?}");
        let text = "too many restarts; the last to fail was \"x\": panicked: fell";
        assert_eq!(child(&top, "left").await.last_exit, Some(Exit::Failed(text.into())));
        // The leaf is another one: the former belonged to the life that ended.
        assert_eq!(x.status(), Status::Stopped);
        assert_ne!(left.child("x"), Some(x.cell()));
        top.stop_and_wait(None, None).await.unwrap();
    }
}

pub(super) async fn a_supervisor_ends_its_children_from_the_last_to_the_first(cradle: impl Cradle) {
    for end in ["stop", "drain"] {
        let diary = Diary::default();
        let builder = Supervisor::builder()
            .child(cradle.kid("a", &diary))
            .child(branch(&cradle, "b", "x", &diary))
            .child(cradle.kid("c", &diary).shutdown(Shutdown::Drain(50 * MS)));
        let supervisor = cradle.spawn(builder).await.unwrap();
        let c = supervisor.find::<Ask>("c").await.unwrap();
        let counted = c.call(Ask::Count);
        let mut counted = std::pin::pin!(counted);
        assert!(crate::support::poll_once(counted.as_mut()).await.is_pending());
        match end {
            "stop" => drop(supervisor.stop_and_wait(None, None).await.unwrap()),
            _ => drop(supervisor.drain_and_wait(None).await.unwrap()),
        }
        assert_eq!(diary.take(), "+a +x +c -c -x -a", "{end}");
        assert_eq!(counted.await.ok(), Some(1));
        assert_eq!(c.status(), Status::Stopped);
    }
}

pub(super) async fn a_child_that_does_not_stop_in_time_is_killed(cradle: impl Cradle) {
    let diary = Diary::default();
    let builder = Supervisor::builder()
        .child(cradle.kid("a", &diary).shutdown(Shutdown::Stop(30 * MS)))
        .child(cradle.kid("b", &diary).shutdown(Shutdown::Kill));
    let supervisor = cradle.spawn(builder).await.unwrap();
    for id in ["a", "b"] {
        supervisor.find::<Ask>(id).await.unwrap().cast(Ask::Hang).unwrap();
    }
    let a = supervisor.find::<Ask>("a").await.unwrap();
    cradle.idle().await;
    let clock = cradle.system().executor().clone();
    let told_at = clock.now();
    assert_eq!(supervisor.stop_and_wait(None, None).await, Ok(Exit::Stopped(None)));
    assert_eq!(clock.now() - told_at, 30 * MS);
    assert_eq!(a.wait(None).await, Ok(Exit::Killed));
    assert_eq!(diary.take(), "+a +b");
}

pub(super) async fn a_supervisor_that_is_killed_takes_its_children_along(cradle: impl Cradle) {
    let diary = Diary::default();
    let builder =
        Supervisor::builder().child(cradle.kid("a", &diary)).child(branch(&cradle, "b", "x", &diary));
    let supervisor = cradle.spawn(builder).await.unwrap();
    let a = supervisor.find::<Ask>("a").await.unwrap();
    let b = child(&supervisor, "b").await.actor.unwrap();
    let x = b.child("x").unwrap();
    supervisor.kill();
    assert_eq!(supervisor.wait(None).await, Ok(Exit::Killed));
    for gone in [a.cell(), b, x] {
        assert_eq!(gone.wait(None).await, Ok(Exit::Killed));
        assert_eq!(gone.status(), Status::Stopped);
    }
    assert_eq!(diary.take(), "+a +x");
}

/// It does not start.
struct Stillborn;

impl Actor for Stillborn {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<()>, (): ()) -> Result<(), ActorError> {
        Err("not today".into())
    }
}

pub(super) async fn a_child_that_does_not_start_undoes_the_start(cradle: impl Cradle) {
    let diary = Diary::default();
    let named = SpawnOptions::new().name("a");
    let builder = Supervisor::builder()
        .child(cradle.kid("a", &diary).options(named))
        .child(cradle.kid("b", &diary))
        .child(cradle.spec("c", || (Stillborn, ())))
        .child(cradle.kid("d", &diary));
    let started = cradle.spawn(builder).await;
    let text = "the child \"c\": the actor did not start: failed: not today";
    assert!(matches!(&started, Err(SpawnError::Startup(Exit::Failed(why))) if **why == *text), "{started:?}");
    assert_eq!(diary.take(), "+a +b -b -a");
    assert_eq!(cradle.system().where_is("a"), None);

    // So do specifications that cannot be used, before anything starts.
    let twice = Supervisor::builder().child(cradle.kid("a", &diary)).child(cradle.kid("a", &diary));
    let slash = Supervisor::builder().child(cradle.kid("a", &diary)).child(cradle.kid("b/c", &diary));
    let storm = Supervisor::builder().intensity(Intensity { restarts: u32::MAX, window: MS });
    let reasons = [
        "the id \"a\" is taken",
        "the id \"b/c\" cannot be used: it is empty, too long, or holds a slash or a control character",
        "the intensity allows more than 65536 restarts",
    ];
    for (builder, reason) in [twice, slash, storm].into_iter().zip(reasons) {
        let started = cradle.spawn(builder).await;
        assert!(
            matches!(&started, Err(SpawnError::Startup(Exit::Failed(why))) if **why == *reason),
            "{started:?}"
        );
    }
    assert_eq!(diary.take(), "");
}

/// It escalates whatever it is sent.
struct Alarmed;

impl Actor for Alarmed {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<()>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle(&self, _: &ActorRef<()>, (): (), (): &mut ()) -> Result<(), ActorError> {
        Err("fire".into())
    }

    fn on_error(&self, _: &ActorError, (): &mut ()) -> ErrorAction {
        ErrorAction::Escalate
    }
}

pub(super) async fn c28_an_error_that_is_escalated_ends_the_family_in_peace(cradle: impl Cradle) {
    let diary = Diary::default();
    let builder = Supervisor::builder()
        .child(cradle.kid("a", &diary))
        .child(cradle.spec("b", || (Alarmed, ())))
        .child(cradle.kid("c", &diary));
    let supervisor = cradle.spawn(builder).await.unwrap();
    let b = supervisor.find::<()>("b").await.unwrap();
    diary.take();
    b.cast(()).unwrap();
    let exit = supervisor.wait(None).await;
    assert_eq!(exit, Ok(Exit::Failed("escalated by \"b\": failed: fire".into())));
    assert_eq!(diary.take(), "-c -a");
}
