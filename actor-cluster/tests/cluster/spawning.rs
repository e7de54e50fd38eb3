//! Actors that are started on other nodes: each once, for somebody, or not at all.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actor_cluster::limits::NEWBORNS_MAX;
use actor_cluster::{NodeBuilder, Operation, RemoteMessage, SpawnOnError, Subject, Wire};
use actor_core::{
    Actor, ActorError, ActorRef, ActorSystem, Backoff, ChildSpec, ChildState, Exit, Intensity, ReplyPort,
    Restart, Shutdown, SpawnError, SpawnOptions, Status, Strategy, Supervisor, SupervisorRef,
};

use super::Network;
use super::support::actors::{Trap, Trapped};
use super::support::{Count, Gate, TestNode, id, node, node_with, on_every_shape, pass, settle};

on_every_shape! {
    w26_an_actor_is_started_on_another_node
    b03_an_actor_that_was_claimed_outlives_the_session
    b03_whatever_goes_wrong_has_a_name_and_leaves_nobody
    b03_a_kind_can_be_forbidden
    b03_a_caller_that_goes_away_leaves_nobody
    b03_a_session_that_is_lost_leaves_nobody
    b03_a_cut_connection_starts_nothing_twice
    b03_requests_that_wait_are_bounded
    b03_a_supervisor_has_a_child_on_another_node
    b03_a_child_whose_node_is_lost_comes_back_with_it
    b03_a_supervisor_gives_up_a_node_that_does_not_come_back
    b03_one_strategy_for_children_here_and_there
    b03_a_child_elsewhere_is_started_and_ended_on_request
    b03_a_child_elsewhere_is_checked
}

#[derive(Clone, Debug, Default, Wire)]
struct Begin {
    first: u64,
    /// Tells this one of its start.
    herald: Option<ActorRef<Count>>,
    is_bad: bool,
    is_panicking: bool,
}

#[derive(Debug, RemoteMessage)]
enum Work {
    #[rpc]
    Next(ReplyPort<u64>),
    Panic,
}

/// For outcomes that may hold a message that came back.
impl PartialEq for Work {
    fn eq(&self, other: &Self) -> bool {
        format!("{self:?}") == format!("{other:?}")
    }
}

/// What is known of the workers of one node.
#[derive(Clone, Default)]
struct Ledger {
    gate: Gate,
    started: Arc<AtomicUsize>,
    stopped: Arc<AtomicUsize>,
    /// Those that have begun to start, dead or alive.
    workers: Arc<Mutex<Vec<ActorRef<Work>>>>,
}

impl Ledger {
    fn started(&self) -> usize {
        self.started.load(Ordering::SeqCst)
    }

    fn stopped(&self) -> usize {
        self.stopped.load(Ordering::SeqCst)
    }

    fn living(&self) -> usize {
        let workers = self.workers.lock().unwrap();
        workers.iter().filter(|worker| worker.status() != Status::Stopped).count()
    }
}

struct Worker(Ledger);

impl Actor for Worker {
    type Msg = Work;
    type State = u64;
    type Arguments = Begin;

    async fn pre_start(&self, myself: &ActorRef<Work>, begin: Begin) -> Result<u64, ActorError> {
        self.0.workers.lock().unwrap().push(myself.clone());
        self.0.gate.pass().await;
        if begin.is_bad {
            return Err("a bad beginning".into());
        }
        assert!(!begin.is_panicking, "as asked");
        if let Some(herald) = begin.herald {
            herald.cast(Count::Add(begin.first)).map_err(|error| error.to_string())?;
        }
        self.0.started.fetch_add(1, Ordering::SeqCst);
        Ok(begin.first)
    }

    async fn handle(&self, _: &ActorRef<Work>, message: Work, next: &mut u64) -> Result<(), ActorError> {
        match message {
            Work::Next(port) => {
                _ = port.send(*next);
                *next += 1;
            }
            Work::Panic => panic!("as asked"),
        }
        Ok(())
    }

    async fn post_stop(&self, _: &ActorRef<Work>, _: &mut u64) -> Result<(), ActorError> {
        self.0.stopped.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

/// An actor that starts with what cannot be read, or written.
struct Trapper;

impl Actor for Trapper {
    type Msg = Trapped;
    type State = ();
    type Arguments = Trap;

    async fn pre_start(&self, _: &ActorRef<Trapped>, _: Trap) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle(&self, _: &ActorRef<Trapped>, _: Trapped, (): &mut ()) -> Result<(), ActorError> {
        Ok(())
    }
}

fn kinds(ledger: &Ledger) -> impl FnOnce(NodeBuilder) -> NodeBuilder + use<> {
    let ledger = ledger.clone();
    move |builder| {
        builder
            .spawnable("worker", move || Worker(ledger.clone()))
            .spawnable("trapper", || Trapper)
            .spawnable("unmade", || -> Trapper { panic!("as asked") })
    }
}

/// A node that asks, one that has kinds, and what is known of its workers.
async fn pair(network: &Network) -> (TestNode, TestNode, Ledger) {
    pair_on(network, Ledger::default()).await
}

async fn pair_on(network: &Network, ledger: Ledger) -> (TestNode, TestNode, Ledger) {
    let (a, b) = (node(network, 1).await, node_with(network, 2, kinds(&ledger)).await);
    a.connect(&b).await;
    (a, b, ledger)
}

fn begin(first: u64) -> Begin {
    Begin { first, ..Begin::default() }
}

async fn spawn(node: &TestNode, begin: Begin) -> Result<ActorRef<Work>, SpawnOnError> {
    node.server.spawn_on(id(2), "worker", begin).await
}

async fn w26_an_actor_is_started_on_another_node(network: Network) {
    let (a, b, ledger) = pair(&network).await;
    let herald = a.counter(0).await;
    let worker =
        spawn(&a, Begin { first: 7, herald: Some(herald.clone()), ..Begin::default() }).await.unwrap();
    assert!(!worker.is_local());
    assert_eq!(worker.id().incarnation(), b.server.incarnation());
    for expected in 7..20 {
        assert_eq!(worker.call(Work::Next).await, Ok(expected));
    }
    assert_eq!(herald.call(Count::Get).await, Ok(7), "the arguments hold an address");
    assert_eq!((ledger.started(), ledger.living()), (1, 1));
    let waiting = worker.stop_and_wait(Some("enough"), None).await;
    assert_eq!(waiting, Ok(Exit::Stopped(Some("enough".into()))));
    assert_eq!(ledger.stopped(), 1);
    // Both at once, and in turn.
    let both = tokio::join!(spawn(&a, begin(1)), spawn(&a, begin(2)));
    assert_ne!(both.0.unwrap(), both.1.unwrap());
    assert_eq!((ledger.started(), ledger.living()), (3, 2));
}

async fn b03_an_actor_that_was_claimed_outlives_the_session(network: Network) {
    let (a, b, ledger) = pair(&network).await;
    let worker = spawn(&a, begin(0)).await.unwrap();
    settle().await;
    network.cut();
    settle().await;
    assert_eq!(ledger.living(), 1);
    a.connect(&b).await;
    assert_eq!(worker.call(Work::Next).await, Ok(0), "the address works still");
    drop(worker);
    settle().await;
    assert_eq!(ledger.living(), 1);
}

async fn b03_whatever_goes_wrong_has_a_name_and_leaves_nobody(network: Network) {
    let (a, b, ledger) = pair(&network).await;
    let bad = Begin { is_bad: true, ..Begin::default() };
    let startup = SpawnOnError::Startup(Exit::Failed("a bad beginning".into()));
    assert_eq!(spawn(&a, bad).await, Err(startup));
    let panicking = Begin { is_panicking: true, ..Begin::default() };
    assert_eq!(spawn(&a, panicking).await, Err(SpawnOnError::Startup(Exit::Panicked("as asked".into()))));
    let unknown = a.server.spawn_on::<Work, _>(id(2), "nobody", begin(0)).await;
    assert_eq!(unknown, Err(SpawnOnError::NoSuchKind));
    let long = "x".repeat(100_000);
    assert_eq!(a.server.spawn_on::<Work, _>(id(2), &long, 7).await, Err(SpawnOnError::NoSuchKind));
    let message = a.server.spawn_on::<Count, _>(id(2), "worker", begin(0)).await;
    assert_eq!(message, Err(SpawnOnError::WrongType));
    let arguments = a.server.spawn_on::<Work, _>(id(2), "worker", 7_u64).await;
    assert_eq!(arguments, Err(SpawnOnError::WrongType));
    let trapper = async |kind, trap| a.server.spawn_on::<Trapped, _>(id(2), kind, trap).await.map(drop);
    assert!(
        matches!(trapper("trapper", Trap::UNREADABLE).await, Err(SpawnOnError::Undecodable(text)) if text.contains("a trap"))
    );
    assert!(matches!(trapper("trapper", Trap::PANICS_WHEN_READ).await, Err(SpawnOnError::Undecodable(_))));
    assert!(matches!(trapper("trapper", Trap::PANICS_WHEN_WRITTEN).await, Err(SpawnOnError::Unsendable(_))));
    assert!(matches!(trapper("unmade", Trap::FINE).await, Err(SpawnOnError::Startup(Exit::Panicked(_)))));
    assert_eq!(trapper("trapper", Trap::FINE).await, Ok(()));
    let nowhere = a.server.spawn_on::<Work, _>(id(9), "worker", begin(0)).await;
    assert_eq!(nowhere, Err(SpawnOnError::NotConnected));
    // Who has no kinds starts nobody.
    assert_eq!(b.server.spawn_on::<Work, _>(id(1), "worker", begin(0)).await, Err(SpawnOnError::NoSuchKind));
    assert_eq!((ledger.started(), ledger.living()), (0, 0));
    assert_eq!(a.peers(), [id(2)], "the session lives");
    // Each took its place for as long as it took.
    for _ in 0..NEWBORNS_MAX + 10 {
        assert!(matches!(
            spawn(&a, Begin { is_bad: true, ..Begin::default() }).await,
            Err(SpawnOnError::Startup(_))
        ));
    }
    assert!(spawn(&a, begin(0)).await.is_ok());
}

async fn b03_a_kind_can_be_forbidden(network: Network) {
    let (a, ledger) = (node(&network, 1).await, Ledger::default());
    let asked: Arc<Mutex<Vec<Subject>>> = Arc::default();
    let noted = asked.clone();
    let hook = move |_: &_, operation, on: Subject| {
        assert_eq!(operation, Operation::Spawn);
        noted.lock().unwrap().push(on.clone());
        on == Subject::Kind("trapper".into())
    };
    let b = node_with(&network, 2, |builder| kinds(&ledger)(builder).authorize(hook)).await;
    a.connect(&b).await;
    assert_eq!(spawn(&a, begin(0)).await, Err(SpawnOnError::Forbidden));
    assert!(a.server.spawn_on::<Trapped, _>(id(2), "trapper", Trap::FINE).await.is_ok());
    assert!(a.server.spawn_on::<Trapped, _>(id(2), "nobody", Trap::FINE).await.is_err());
    let kinds = ["worker", "trapper"].map(|kind| Subject::Kind(kind.into()));
    assert_eq!(*asked.lock().unwrap(), kinds, "of others there are none");
    assert_eq!(ledger.workers.lock().unwrap().len(), 0);
}

async fn b03_a_caller_that_goes_away_leaves_nobody(network: Network) {
    let shut = Ledger { gate: Gate::shut(), ..Ledger::default() };
    let (a, _b, ledger) = pair_on(&network, shut).await;
    // While it starts.
    let server = &a.server;
    let spawning = tokio::time::timeout(Duration::from_millis(10), spawn(&a, begin(0)));
    assert!(spawning.await.is_err());
    assert_eq!(ledger.living(), 1);
    ledger.gate.let_through(1);
    pass(Duration::from_secs(2)).await;
    assert_eq!((ledger.started(), ledger.living()), (1, 0));
    // Before the caller has seen the answer that is there.
    ledger.gate.open();
    let mut spawning = Box::pin(server.spawn_on::<Work, _>(id(2), "worker", begin(0)));
    assert!(futures_poll(&mut spawning).is_none());
    settle().await;
    assert_eq!((ledger.started(), ledger.living()), (2, 1));
    drop(spawning);
    settle().await;
    assert_eq!(ledger.living(), 0);
    // Before it was even asked.
    drop(server.spawn_on::<Work, _>(id(2), "worker", begin(0)));
    settle().await;
    assert_eq!(ledger.started(), 2);
}

/// Polls once.
fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    use std::task::{Context, Poll, Waker};
    match std::pin::Pin::new(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

async fn b03_a_session_that_is_lost_leaves_nobody(network: Network) {
    let shut = Ledger { gate: Gate::shut(), ..Ledger::default() };
    let (a, b, ledger) = pair_on(&network, shut).await;
    // Before there is an answer.
    let (lost, ()) = tokio::join!(spawn(&a, begin(0)), async {
        settle().await;
        network.cut();
    });
    assert_eq!(lost, Err(SpawnOnError::Unknown));
    ledger.gate.open();
    settle().await;
    assert_eq!((ledger.started(), ledger.living()), (1, 0));
    // After it, and before it is claimed.
    a.connect(&b).await;
    let mut spawning = Box::pin(a.server.spawn_on::<Work, _>(id(2), "worker", begin(0)));
    assert!(futures_poll(&mut spawning).is_none());
    settle().await;
    assert_eq!((ledger.started(), ledger.living()), (2, 1));
    network.cut();
    settle().await;
    assert_eq!(ledger.living(), 0);
    let dead = spawning.await.unwrap();
    assert_eq!(dead.wait(None).await, Ok(Exit::Unreachable));
    // The node with the kinds goes.
    a.connect(&b).await;
    let (lost, _) = tokio::join!(spawn(&a, begin(0)), async {
        let system = b.shutdown().await;
        drop(system);
    });
    assert!(matches!(
        lost,
        Ok(_) | Err(SpawnOnError::Unknown | SpawnOnError::Refused(_) | SpawnOnError::NotConnected)
    ));
}

async fn b03_a_cut_connection_starts_nothing_twice(network: Network) {
    let ledger = Ledger::default();
    let lasting = |builder: NodeBuilder| builder.resume_timeout(Duration::from_secs(5));
    let a = node_with(&network, 1, lasting).await;
    let b = node_with(&network, 2, |builder| kinds(&ledger)(lasting(builder))).await;
    a.connect(&b).await;
    for round in 1..=20 {
        let (spawned, ()) = tokio::join!(spawn(&a, begin(0)), async {
            network.cut();
            pass(Duration::from_millis(round)).await;
            network.cut();
        });
        assert_eq!(spawned.unwrap().call(Work::Next).await, Ok(0));
        assert_eq!(ledger.started(), usize::try_from(round).unwrap());
    }
    assert_eq!(ledger.living(), 20);
}

async fn b03_requests_that_wait_are_bounded(network: Network) {
    let shut = Ledger { gate: Gate::shut(), ..Ledger::default() };
    let (a, _b, ledger) = pair_on(&network, shut).await;
    let a = Arc::new(a);
    let spawning = (0..NEWBORNS_MAX + 1).map(|_| {
        let a = a.clone();
        tokio::spawn(async move { spawn(&a, begin(0)).await })
    });
    let spawning: Vec<_> = spawning.collect();
    settle().await;
    assert_eq!(ledger.workers.lock().unwrap().len(), NEWBORNS_MAX);
    ledger.gate.open();
    let mut outcomes = Vec::new();
    for spawning in spawning {
        outcomes.push(spawning.await.unwrap());
    }
    let busy = outcomes.iter().filter(|outcome| **outcome == Err(SpawnOnError::Busy)).count();
    assert_eq!((busy, ledger.living()), (1, NEWBORNS_MAX));
    assert!(spawn(&a, begin(0)).await.is_ok(), "those that were claimed take no place");
}

fn child(node: &TestNode) -> ChildSpec<Work> {
    let lives = AtomicUsize::new(0);
    node.server
        .child_on("worker", id(2), "worker", move || begin(100 * lives.fetch_add(1, Ordering::SeqCst) as u64))
}

async fn supervise(system: &ActorSystem, spec: ChildSpec<Work>) -> SupervisorRef {
    let supervisor =
        Supervisor::builder().intensity(Intensity { restarts: 5, window: Duration::from_secs(60) });
    supervisor.child(spec).spawn_with(system, SpawnOptions::new()).await.unwrap()
}

/// The child, once its supervisor knows the latest life.
async fn worker(supervisor: &SupervisorRef) -> ActorRef<Work> {
    settle().await;
    supervisor.find("worker").await.unwrap()
}

async fn b03_a_supervisor_has_a_child_on_another_node(network: Network) {
    let (a, _b, ledger) = pair(&network).await;
    let supervisor = supervise(&a.system, child(&a)).await;
    let first = worker(&supervisor).await;
    assert_eq!(first.call(Work::Next).await, Ok(0));
    first.cast(Work::Panic).unwrap();
    let second = worker(&supervisor).await;
    assert_ne!(first, second);
    assert_eq!(second.call(Work::Next).await, Ok(100), "with new arguments");
    second.kill();
    assert_eq!(worker(&supervisor).await.call(Work::Next).await, Ok(200));
    let [info] = &supervisor.children().await.unwrap()[..] else { panic!("there is one") };
    assert_eq!((info.restarts, info.state, &info.last_exit), (2, ChildState::Running, &Some(Exit::Killed)));
    assert_eq!((ledger.started(), ledger.living(), ledger.stopped()), (3, 1, 0));
    // The supervisor stops it in good order; a supervisor that is killed takes it with it.
    supervisor.stop_and_wait(None, None).await.unwrap();
    assert_eq!((ledger.living(), ledger.stopped()), (0, 1));
    let supervisor = supervise(&a.system, child(&a)).await;
    supervisor.kill_and_wait(None).await.unwrap();
    settle().await;
    assert_eq!((ledger.started(), ledger.living()), (4, 0));
    // One that does not start fails its supervisor's start.
    let bad =
        a.server.child_on::<Work, _>("bad", id(2), "worker", || Begin { is_bad: true, ..Begin::default() });
    let failed = Supervisor::builder().child(bad).spawn_with(&a.system, SpawnOptions::new()).await;
    let Err(SpawnError::Startup(Exit::Failed(text))) = failed else { panic!("it cannot start") };
    assert!(text.contains("a bad beginning"), "{text}");
}

async fn b03_a_child_whose_node_is_lost_comes_back_with_it(network: Network) {
    let (a, b, ledger) = pair(&network).await;
    let backoff = Backoff::exponential(Duration::from_secs(1), Duration::from_secs(8));
    let supervisor = supervise(&a.system, child(&a).restart(Restart::Transient).backoff(backoff)).await;
    let first = worker(&supervisor).await;
    network.cut();
    settle().await;
    let [info] = &supervisor.children().await.unwrap()[..] else { panic!("there is one") };
    assert_eq!((info.state, &info.last_exit), (ChildState::Waiting, &Some(Exit::Unreachable)));
    assert_eq!((ledger.living(), first.status()), (0, Status::Stopped));
    pass(Duration::from_secs(2)).await;
    a.connect(&b).await;
    pass(Duration::from_secs(8)).await;
    let second = worker(&supervisor).await;
    assert_ne!(first, second);
    assert!(second.call(Work::Next).await.is_ok());
    assert_eq!(ledger.living(), 1);
}

async fn b03_a_supervisor_gives_up_a_node_that_does_not_come_back(network: Network) {
    let (a, _b, ledger) = pair(&network).await;
    let supervisor = supervise(&a.system, child(&a)).await;
    network.cut();
    let Ok(Exit::Failed(text)) = supervisor.wait(Some(Duration::from_secs(60))).await else { panic!() };
    assert!(text.contains("too many restarts") && text.contains("unreachable"), "{text}");
    assert_eq!(ledger.living(), 0);
}

async fn b03_one_strategy_for_children_here_and_there(network: Network) {
    let (a, _b, there) = pair(&network).await;
    let here = Ledger::default();
    let local = {
        let here = here.clone();
        ChildSpec::new("local", move || (Worker(here.clone()), begin(0)))
    };
    let supervisor = Supervisor::builder().strategy(Strategy::OneForAll).child(local).child(child(&a));
    let supervisor = supervisor.spawn_with(&a.system, SpawnOptions::new()).await.unwrap();
    let far = worker(&supervisor).await;
    let near: ActorRef<Work> = supervisor.find("local").await.unwrap();
    near.cast(Work::Panic).unwrap();
    settle().await;
    assert_ne!(worker(&supervisor).await, far);
    assert_eq!((here.started(), there.started(), there.living(), there.stopped()), (2, 2, 1, 1));
    worker(&supervisor).await.cast(Work::Panic).unwrap();
    settle().await;
    assert_eq!((here.started(), there.started(), there.living()), (3, 3, 1));
    assert_eq!(near.call(Work::Next).await, Ok(0), "its address stays");
    supervisor.stop_and_wait(None, None).await.unwrap();
    settle().await;
    assert_eq!((here.living(), there.living()), (0, 0));
}

async fn b03_a_child_elsewhere_is_started_and_ended_on_request(network: Network) {
    let (a, _b, ledger) = pair(&network).await;
    let supervisor = Supervisor::builder().spawn_with(&a.system, SpawnOptions::new()).await.unwrap();
    let spec = child(&a).shutdown(Shutdown::Drain(Duration::from_secs(5)));
    let first = supervisor.start_child(spec).await.unwrap();
    assert_eq!(first.call(Work::Next).await, Ok(0));
    assert_eq!(supervisor.end_child("worker").await.unwrap(), Exit::Drained);
    assert_eq!((ledger.living(), ledger.stopped()), (0, 1));
    let cell = supervisor.restart_child("worker").await.unwrap();
    let second: ActorRef<Work> = ActorRef::from_cell(cell).unwrap();
    assert_eq!(second.call(Work::Next).await, Ok(100));
    settle().await;
    // One that was taken away is not ended with the supervisor.
    second.cell().unlink(&supervisor.cell());
    let bad = a.server.child_on::<Work, _>("bad", id(2), "nobody", || begin(0));
    assert!(supervisor.start_child(bad).await.unwrap_err().to_string().contains("no such kind"));
    supervisor.stop_and_wait(None, None).await.unwrap();
    settle().await;
    assert_eq!((ledger.started(), ledger.living(), second.call(Work::Next).await), (2, 1, Ok(101)));
}

async fn b03_a_child_elsewhere_is_checked(network: Network) {
    let (a, _b, ledger) = pair(&network).await;
    let second = Duration::from_secs(1);
    let health = actor_core::HealthCheck { interval: second, timeout: second, threshold: 2 };
    // Well until it has been asked three times.
    let spec = child(&a).health(health, |worker| async move {
        worker.call(Work::Next).await.is_ok_and(|next| next % 100 < 3)
    });
    let supervisor = supervise(&a.system, spec).await;
    pass(Duration::from_millis(3500)).await;
    assert_eq!(ledger.started(), 1);
    pass(Duration::from_secs(3)).await;
    assert_eq!((ledger.started(), ledger.living(), ledger.stopped()), (2, 1, 1));
    assert!(worker(&supervisor).await.call(Work::Next).await.unwrap() >= 100);
}
