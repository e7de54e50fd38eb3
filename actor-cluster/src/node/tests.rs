//! What no program can see or do from outside: guessed targets, what is kept, and a
//! runtime that is gone.

use std::cell::RefCell;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actor_cluster_derive::{RemoteMessage, Wire};
use actor_core::{
    Actor, ActorError, ActorId, ActorRef, ActorSystem, CallFailure, Executor, Exit, ExitListener, Rejection,
    ReplyPort, SpawnOptions, Status, WaitError,
};
use bytes::{Bytes, BytesMut};

use super::link::{Attached, Link, Origin};
use super::outbound::remote_ref;
use super::tasks::Tasks;
use super::{Mode, NodeServer, dial, inbound};
use crate::id::NodeId;
use crate::limits::{CALL_MEMORY_RETENTION, STREAMS_PER_SESSION_MAX};
use crate::locked::locked;
use crate::names::Label;
use crate::session::Event;
use crate::testing::pipe::{PipeNetwork, pipe};
use crate::transport::{LaneSet, PeerIdentity};
use crate::wire::ReplySink;
use crate::wire::control::Publication;
use crate::wire::lanes::LaneIds;

#[derive(Debug, RemoteMessage)]
pub(super) enum Ask {
    #[rpc]
    Anything(ReplyPort<u8>),
}

pub(super) struct Answerer;

impl Actor for Answerer {
    type Msg = Ask;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Ask>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle(
        &self,
        _: &ActorRef<Ask>,
        Ask::Anything(port): Ask,
        (): &mut (),
    ) -> Result<(), ActorError> {
        let _ = port.send(7);
        Ok(())
    }
}

pub(super) async fn node(network: &PipeNetwork, number: u8) -> (ActorSystem, NodeServer) {
    let id = NodeId::from_bytes([number; 32]);
    let system = ActorSystem::on(Executor::tokio());
    let transport = network.transport(format!("node-{number}")).with_identity(PeerIdentity::Node(id));
    let builder = NodeServer::builder(id).system(system.clone()).mode(Mode::Isolated).transport(transport);
    (system, builder.start().await.unwrap())
}

#[tokio::test(start_paused = true)]
async fn w15_a_guessed_target_is_nobody() {
    let network = PipeNetwork::new();
    let ((here, a), (there, b)) = (node(&network, 1).await, node(&network, 2).await);
    let actors = [(); 3].map(|()| there.spawn(Answerer, (), SpawnOptions::new()));
    let [published, hidden, grouped] = actors;
    let (published, hidden, grouped) =
        (published.await.unwrap(), hidden.await.unwrap(), grouped.await.unwrap());
    b.publish("answerer", &published).unwrap();
    b.join_group("answerers", &grouped).unwrap();
    a.connect(&b.addresses()[0]).await.unwrap();
    let peer = locked(&a.node.peers).present[&b.id()].clone();
    let guess = |serial| {
        let target = ActorId::new(there.incarnation(), serial);
        remote_ref::<Ask>(peer.clone(), target, None, None, here.executor().clone())
    };
    let outcome = async |actor: &ActorRef<Ask>| {
        actor.call(Ask::Anything).await.map_err(|error| error.failure().cloned())
    };
    let nobody = Err(Some(CallFailure::Rejected(Rejection::NoSuchActor)));
    for serial in (0..10).chain([u64::MAX]) {
        let guessed = guess(serial);
        let is_reachable = [&published, &grouped].iter().any(|actor| actor.id().serial() == serial);
        assert_eq!(outcome(&guessed).await, if is_reachable { Ok(7) } else { nobody.clone() }, "{serial}");
        if !is_reachable {
            guessed.kill();
            assert_eq!(guessed.wait(None).await, Ok(Exit::Unreachable));
        }
    }
    assert_eq!(hidden.status(), Status::Running);
}

#[tokio::test(start_paused = true)]
async fn an_actor_is_watched_once_however_often_it_is_published() {
    let network = PipeNetwork::new();
    let (system, server) = node(&network, 1).await;
    let actor = system.spawn(Answerer, (), SpawnOptions::new()).await.unwrap();
    let before = Arc::weak_count(&server.node);
    for round in 0..100 {
        for label in ["one", "two"] {
            server.publish(label, &actor).unwrap();
            server.join_group(label, &actor).unwrap();
        }
        assert_eq!(Arc::weak_count(&server.node), before + 1, "one watcher, round {round}");
        for label in ["one", "two"] {
            server.unpublish(label, &actor);
            server.leave_group(label, &actor);
        }
        assert_eq!(Arc::weak_count(&server.node), before);
    }
    server.publish("one", &actor).unwrap();
    actor.kill_and_wait(None).await.unwrap();
    assert_eq!(Arc::weak_count(&server.node), before);
    assert!(server.node.catalog().publications().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_a_session_keeps_is_bounded() {
    let network = PipeNetwork::new();
    let ((_here, a), (there, b)) = (node(&network, 1).await, node(&network, 2).await);
    a.connect(&b.addresses()[0]).await.unwrap();
    for _ in 0..2 * STREAMS_PER_SESSION_MAX {
        a.connect(&b.addresses()[0]).await.unwrap();
    }
    for server in [&a, &b] {
        let links = server.node.links();
        assert_eq!((links.len(), links[0].made().len()), (1, STREAMS_PER_SESSION_MAX));
    }
    // Watches on actors that end, and that have ended before they are known to be watched.
    for _ in 0..20 {
        let actor = there.spawn(Answerer, (), SpawnOptions::new()).await.unwrap();
        b.publish("answerer", &actor).unwrap();
        tokio::time::advance(Duration::from_millis(1)).await;
        while a.find::<Ask>("answerer").is_err() {
            tokio::task::yield_now().await;
        }
        let remote = a.find::<Ask>("answerer").unwrap();
        let (first, second) = tokio::join!(remote.wait(None), async {
            actor.kill();
            remote.wait(None).await
        });
        assert!([first, second].iter().all(Result::is_ok));
        assert_eq!(b.node.links()[0].watched(), 0);
        assert_eq!(a.node.links()[0].listeners(), 0);
        while a.find::<Ask>("answerer").is_ok() {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn answers_that_nobody_asks_for_again_are_let_go() {
    let network = PipeNetwork::new();
    let ((_here, a), (there, b)) = (node(&network, 1).await, node(&network, 2).await);
    let actor = there.spawn(Answerer, (), SpawnOptions::new()).await.unwrap();
    b.publish("answerer", &actor).unwrap();
    a.connect(&b.addresses()[0]).await.unwrap();
    while a.find::<Ask>("answerer").is_err() {
        tokio::task::yield_now().await;
    }
    let remote = a.find::<Ask>("answerer").unwrap();
    let key = remote.call_key();
    assert_eq!(remote.call_once(&key, Duration::from_secs(1), Ask::Anything).await.unwrap(), 7);
    assert_eq!(b.node.once.finished(), 1);
    // sleep: the session's heartbeats go on in virtual time.
    tokio::time::sleep(CALL_MEMORY_RETENTION * 5 / 4).await;
    assert_eq!(b.node.once.finished(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_over_takes_no_stream_and_leaves_nothing() {
    let network = PipeNetwork::new();
    let ((_here, a), (there, b)) = (node(&network, 1).await, node(&network, 2).await);
    let actor = there.spawn(Answerer, (), SpawnOptions::new()).await.unwrap();
    b.publish("answerer", &actor).unwrap();
    let session = a.connect(&b.addresses()[0]).await.unwrap();
    let link = a.node.links().remove(0);
    assert_eq!(locked(&a.node.peers).names.holders("answerer").len(), 1);
    session.close("enough");
    // Its task has not seen it yet.
    let attach = || {
        link.attach(
            LaneIds::of_kinds(LaneSet::ALL, 1),
            Origin::External,
            pipe().0,
            Bytes::new(),
            BytesMut::new(),
        )
    };
    assert!(matches!(attach(), Attached::Ended(_)));
    link.over().await;
    assert!(matches!(attach(), Attached::Ended(_)));
    // Nor does what it still has to say count.
    let late = Publication { actor: 7, label: "answerer".into(), ..Publication::default() };
    a.node.on_published(&link, vec![late.clone()]);
    let peers = locked(&a.node.peers);
    assert!(peers.present.is_empty() && peers.reachable.is_empty() && !peers.is_current(&link));
    assert!(peers.names.holders("answerer").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_over_is_kept_nowhere() {
    let network = PipeNetwork::new();
    let ((_here, a), (there, b)) = (node(&network, 1).await, node(&network, 2).await);
    let actor = there.spawn(Answerer, (), SpawnOptions::new()).await.unwrap();
    b.publish("answerer", &actor).unwrap();
    a.connect(&b.addresses()[0]).await.unwrap();
    let (remote, link) = (a.find::<Ask>("answerer").unwrap(), b.node.links().remove(0));
    let before = Arc::weak_count(&link);
    for _ in 0..10 {
        let watch = remote.watch_with(Arc::new(Deaf));
        tokio::time::sleep(Duration::from_millis(1)).await; // sleep: virtual time, which passes when all are idle
        assert_eq!((link.watched(), Arc::weak_count(&link)), (1, before + 1));
        remote.unwatch(watch);
        tokio::time::sleep(Duration::from_millis(1)).await; // sleep: as above
        assert_eq!((link.watched(), Arc::weak_count(&link)), (0, before));
    }
    // An actor that ends just when its watch begins: it is in the catalog still.
    actor.kill_and_wait(None).await.unwrap();
    let dead = there.spawn(Answerer, (), SpawnOptions::new()).await.unwrap();
    let publication =
        Publication { actor: dead.id().serial(), label: "dead".into(), ..Publication::default() };
    assert!(b.node.catalog().check(&Label::name("dead"), &dead).is_ok());
    let schema = b.node.catalog().schema::<Ask>();
    b.node.catalog().publish(publication, false, &dead, &schema);
    dead.kill_and_wait(None).await.unwrap();
    let late = Event::Watch { watch: 77, actor: dead.id().serial(), token: None };
    inbound::on_event(&b.node, &link, late);
    assert_eq!((link.watched(), Arc::weak_count(&link)), (0, before));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_shuts_down_begins_no_session() {
    let network = PipeNetwork::new();
    let ((_here, a), (_there, b)) = (node(&network, 1).await, node(&network, 2).await);
    // As a task on another thread may, that has not seen yet that it is over.
    a.node.begin_shutdown();
    let error = dial::connect(&a.node, &b.addresses()[0], None).await.err().unwrap();
    assert_eq!(error.to_string(), "handshake failed: the node takes no more sessions");
    assert_eq!((a.node.links().len(), a.tasks()), (0, 0));
}

/// Hears and does nothing.
struct Deaf;

impl ExitListener for Deaf {
    fn on_exit(&self, _: ActorId, _: &Exit) {}
}

/// Each takes both of the node's great locks, over and over, and at no await.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishing_and_new_sessions_do_not_lock_each_other_out() {
    let network = PipeNetwork::new();
    let ((here, a), (_there, b)) = (node(&network, 1).await, node(&network, 2).await);
    let actor = here.spawn(Answerer, (), SpawnOptions::new()).await.unwrap();
    let (a, is_over) = (Arc::new(a), Arc::new(AtomicBool::new(false)));
    let publisher = std::thread::spawn({
        let (a, is_over) = (a.clone(), is_over.clone());
        move || {
            while !is_over.load(Ordering::Relaxed) {
                a.join_group("answerers", &actor).unwrap();
                a.leave_group("answerers", &actor);
            }
        }
    });
    let connecting = async {
        for _ in 0..300 {
            b.connect(&a.addresses()[0]).await.unwrap().close("again");
        }
    };
    tokio::time::timeout(Duration::from_secs(60), connecting).await.expect("it is locked up");
    is_over.store(true, Ordering::Relaxed);
    publisher.join().unwrap();
}

#[test]
fn a_runtime_that_is_gone_drops_tasks_where_they_are_started() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let tasks = Tasks::new(Executor::tokio_on(runtime.handle().clone()));
    drop(runtime);
    let kept = Arc::new(());
    let held = kept.clone();
    tasks.spawn(async move { drop(held) });
    assert_eq!((tasks.count(), Arc::strong_count(&kept)), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn tasks_that_are_started_after_the_end_do_not_run() {
    let tasks = Tasks::new(Executor::tokio());
    let kept = Arc::new(());
    let held = kept.clone();
    tasks.spawn(async move {
        let _held = held;
        std::future::pending::<()>().await;
    });
    let place = tasks.place();
    tasks.close();
    let held = kept.clone();
    tasks.spawn_in(place, async move {
        let _held = held;
        std::future::pending::<()>().await;
    });
    tasks.ended().await;
    assert_eq!((tasks.count(), Arc::strong_count(&kept)), (0, 1));
}

/// A wait that is given up, and a watcher that is gone, leave nothing behind.
#[tokio::test(start_paused = true)]
async fn watches_of_those_who_gave_up_do_not_pile_up() {
    let network = PipeNetwork::new();
    let ((here, a), (there, b)) = (node(&network, 1).await, node(&network, 2).await);
    let actor = there.spawn(Answerer, (), SpawnOptions::new()).await.unwrap();
    b.publish("answerer", &actor).unwrap();
    a.connect(&b.addresses()[0]).await.unwrap();
    let remote = a.find::<Ask>("answerer").unwrap();
    let link = a.node.links().remove(0);
    for _ in 0..200 {
        let wait = Duration::from_millis(1);
        assert_eq!(remote.wait(Some(wait)).await, Err(WaitError::TimedOut(wait)));
        assert_eq!(link.listeners(), 0);
    }
    for _ in 0..200 {
        let mayfly = here.spawn(Answerer, (), SpawnOptions::new()).await.unwrap();
        mayfly.cell().watch(&remote.cell());
        mayfly.kill_and_wait(None).await.unwrap();
    }
    assert!(link.listeners() <= 64, "{} are kept", link.listeners());
    // Whoever lives still hears of it. The call's answer says that the watch has arrived.
    let mut wait = pin!(remote.wait(None));
    tokio::select! {
        biased;
        exit = &mut wait => panic!("it lives, and yet: {exit:?}"),
        answer = remote.call(Ask::Anything) => assert!(answer.is_ok()),
    }
    actor.kill();
    assert_eq!(wait.await, Ok(Exit::Killed));
}

/// Dials to one address take turns, and end in one session that stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connecting_twice_at_once_leads_to_one_session() {
    let network = PipeNetwork::new();
    let ((_here, a), (_there, b)) = (node(&network, 1).await, node(&network, 2).await);
    let address = b.addresses()[0].clone();
    let a = Arc::new(a);
    for _ in 0..200 {
        let connect = || {
            let (a, address) = (a.clone(), address.clone());
            tokio::spawn(async move { a.connect(&address).await })
        };
        let (first, second) = tokio::join!(connect(), connect());
        let (first, second) = (first.unwrap().unwrap(), second.unwrap().unwrap());
        assert!(first.is_ready() && second.is_ready());
        assert_eq!(a.node.links().len(), 1);
        first.close("next");
        first.closed().await;
        second.closed().await;
    }
}

thread_local! {
    static LINK: RefCell<Option<Arc<Link>>> = const { RefCell::new(None) };
    static LOCKED: RefCell<Vec<bool>> = const { RefCell::new(Vec::new()) };
}

#[derive(Debug, Wire)]
struct Trap(u8);

impl Drop for Trap {
    fn drop(&mut self) {
        LINK.with_borrow(|link| {
            if let Some(link) = link {
                // `false` is said of a call that nobody has made only where the session is locked.
                LOCKED.with_borrow_mut(|locked| locked.push(!link.is_closed(12345)));
            }
        });
    }
}

#[derive(Debug, RemoteMessage)]
enum Trapped {
    It(Trap),
}

struct Sink;

impl Actor for Sink {
    type Msg = Trapped;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Trapped>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle(&self, _: &ActorRef<Trapped>, _: Trapped, (): &mut ()) -> Result<(), ActorError> {
        Ok(())
    }
}

#[tokio::test]
async fn a_cast_is_dropped_outside_of_the_lock_of_its_session() {
    let network = PipeNetwork::new();
    let ((_h, a), (there, b)) = (node(&network, 1).await, node(&network, 2).await);
    let actor = there.spawn(Sink, (), SpawnOptions::new()).await.unwrap();
    b.publish("sink", &actor).unwrap();
    a.connect(&b.addresses()[0]).await.unwrap();
    let remote = a.find::<Trapped>("sink").unwrap();
    LINK.set(Some(a.node.links().remove(0)));
    remote.cast(Trapped::It(Trap(1))).unwrap();
    LINK.set(None);
    assert_eq!(LOCKED.take(), [false], "whoever sends from a destructor waits for himself");
}
