//! The ends of remote actors, and how to bring them about.

use std::sync::{Arc, Mutex};

use actor_cluster::transport::CloseCode;
use actor_core::{
    Actor, ActorError, ActorId, ActorRef, Control, Exit, ExitListener, SpawnOptions, Status, SupervisionEvent,
};

use super::Network;
use super::support::{
    Count, Exits, Start, disconnected_by, id, on_every_shape, remote_counter, settle, two, until,
};

on_every_shape! {
    b03_every_end_of_a_remote_actor_is_told_once_as_it_was
    b03_a_watching_actor_gets_a_supervision_event
    w01_stop_kill_and_drain_reach_the_actor_and_leave_the_session_alone
    w02_the_end_of_a_peers_actor_leaves_ours_of_the_same_name
    a_drain_finishes_what_was_sent_before
    who_watches_too_late_is_told_at_once
    an_ended_watch_tells_nothing
    many_watches_on_one_actor_are_all_told
    a_listener_that_panics_hurts_nobody_else
}

type Ending = (fn(&Control), fn(&ActorRef<Count>), Exit);

/// Ways for an actor to end: by its controls, or by a message.
fn endings() -> Vec<Ending> {
    fn none(_: &ActorRef<Count>) {}
    vec![
        (|actor| actor.stop(Some("enough")), none, Exit::Stopped(Some("enough".into()))),
        (|actor| actor.stop(None), none, Exit::Stopped(None)),
        (|actor| actor.kill(), none, Exit::Killed),
        (|actor| actor.drain(), none, Exit::Drained),
        (|_| {}, |actor| actor.cast(Count::Panic).unwrap(), Exit::Panicked("as asked".into())),
        (|_| {}, |actor| actor.cast(Count::Fail).unwrap(), Exit::Failed("as asked".into())),
    ]
}

async fn b03_every_end_of_a_remote_actor_is_told_once_as_it_was(network: Network) {
    let (a, b) = two(&network).await;
    for (control, message, expected) in endings() {
        let counter = b.publish("counter", Start::default()).await;
        until(&a, || a.server.find::<Count>("counter").is_ok()).await;
        let remote = a.find("counter");
        let exits = Exits::default();
        exits.watch(&remote);
        assert_eq!(remote.status(), Status::Running);
        // From far away, whatever it is.
        control(&remote);
        message(&remote);
        let waited = tokio::join!(remote.wait(None), counter.wait(None));
        assert_eq!(waited, (Ok(expected.clone()), Ok(expected.clone())));
        assert_eq!(remote.status(), Status::Stopped);
        settle().await;
        assert_eq!(exits.seen(), [expected]);
        assert!(a.server.find::<Count>("counter").is_err(), "it is withdrawn everywhere");
        assert!(b.server.find::<Count>("counter").is_err());
    }
}

/// Notes what it hears of those it watches.
struct Watcher(Arc<Mutex<Vec<Exit>>>);

impl Actor for Watcher {
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
        if let SupervisionEvent::Down { exit, .. } = event {
            self.0.lock().unwrap().push(exit);
        }
        Ok(())
    }
}

async fn b03_a_watching_actor_gets_a_supervision_event(network: Network) {
    let (a, b) = two(&network).await;
    let seen: Arc<Mutex<Vec<Exit>>> = Arc::default();
    let watcher = a.system.spawn(Watcher(seen.clone()), (), SpawnOptions::new()).await.unwrap();
    for name in ["stopped", "lost"] {
        b.publish(name, Start::default()).await;
    }
    settle().await;
    let [stopped, lost] = ["stopped", "lost"].map(|name| a.find(name));
    watcher.cell().watch(&stopped.cell());
    watcher.cell().watch(&lost.cell());
    stopped.stop(Some("enough"));
    settle().await;
    assert_eq!(*seen.lock().unwrap(), [Exit::Stopped(Some("enough".into()))]);
    network.cut();
    settle().await;
    assert_eq!(*seen.lock().unwrap(), [Exit::Stopped(Some("enough".into())), Exit::Unreachable]);
}

async fn w01_stop_kill_and_drain_reach_the_actor_and_leave_the_session_alone(network: Network) {
    let (a, b) = two(&network).await;
    let other = b.publish("other", Start::default()).await;
    for (control, _, expected) in endings().into_iter().take(4) {
        let (counter, remote) = remote_counter(&a, &b, Start::default()).await;
        control(&remote);
        assert_eq!(counter.wait(None).await, Ok(expected));
        // Once more, for one that is gone already.
        control(&remote);
        settle().await;
    }
    assert_eq!(a.find("other").call(Count::Get).await, Ok(0));
    assert_eq!(other.status(), Status::Running);
    assert_eq!((a.peers(), b.peers()), (vec![id(2)], vec![id(1)]));
}

async fn w02_the_end_of_a_peers_actor_leaves_ours_of_the_same_name(network: Network) {
    let (a, b) = two(&network).await;
    // The same name everywhere: in the systems, and in the cluster.
    let spawn = async |node: &super::support::TestNode, count| {
        let start = Start { count, ..Start::default() };
        let options = SpawnOptions::new().name("counter");
        let counter = node.system.spawn(super::support::Counter, start, options).await.unwrap();
        node.server.publish("counter", &counter).unwrap();
        node.server.join_group("counters", &counter).unwrap();
        counter
    };
    let (ours, theirs) = (spawn(&a, 1).await, spawn(&b, 2).await);
    settle().await;
    assert_eq!(a.group("counters"), [ours.id(), theirs.id()]);
    let [far] = &a.server.group::<Count>("counters")[1..] else { panic!("there are two") };
    assert_eq!(far.stop_and_wait(None, None).await, Ok(Exit::Stopped(None)));
    settle().await;
    assert_eq!(a.system.where_is("counter"), Some(ours.cell()));
    assert_eq!(a.find("counter").call(Count::Get).await, Ok(1));
    assert_eq!(a.group("counters"), [ours.id()]);
    assert_eq!(b.find("counter"), ours);
    assert_eq!(b.system.where_is("counter"), None);
}

async fn a_drain_finishes_what_was_sent_before(network: Network) {
    let (a, b) = two(&network).await;
    let start = Start::shut();
    let (counter, remote) = remote_counter(&a, &b, start.clone()).await;
    (0..10).for_each(|number| remote.cast(Count::Add(number)).unwrap());
    settle().await;
    remote.drain();
    settle().await;
    assert_eq!(counter.status(), Status::Draining);
    let (drained, ()) = tokio::join!(remote.wait(None), async {
        settle().await;
        start.gate.open();
    });
    assert_eq!(drained, Ok(Exit::Drained));
    assert_eq!(start.added(), (0..10).collect::<Vec<_>>());
}

async fn who_watches_too_late_is_told_at_once(network: Network) {
    let (a, b) = two(&network).await;
    let (counter, remote) = remote_counter(&a, &b, Start::default()).await;
    counter.stop_and_wait(None, None).await.unwrap();
    // It is published no more, so nobody there knows how it ended.
    assert_eq!(remote.wait(None).await, Ok(Exit::Unreachable));
    a.server.sessions()[0].close("enough");
    settle().await;
    let exits = Exits::default();
    exits.watch(&remote);
    assert_eq!(exits.seen(), [Exit::Unreachable], "on the spot");
}

async fn an_ended_watch_tells_nothing(network: Network) {
    let (a, b) = two(&network).await;
    let (counter, remote) = remote_counter(&a, &b, Start::default()).await;
    let (kept, ended) = (Exits::default(), Exits::default());
    kept.watch(&remote);
    let watch = remote.watch_with(Arc::new(ended.clone()));
    remote.unwatch(watch);
    remote.unwatch(watch);
    settle().await;
    counter.stop_and_wait(None, None).await.unwrap();
    settle().await;
    assert_eq!((kept.seen(), ended.seen()), (vec![Exit::Stopped(None)], Vec::new()));
}

async fn many_watches_on_one_actor_are_all_told(network: Network) {
    let (a, b) = two(&network).await;
    let counter = b.publish("counter", Start::default()).await;
    settle().await;
    let exits = Exits::default();
    for _ in 0..100 {
        exits.watch(&a.find("counter"));
        exits.watch(&counter);
    }
    a.find("counter").kill();
    settle().await;
    assert_eq!(exits.seen(), vec![Exit::Killed; 200]);
}

/// Panics when it is told.
struct Panicker;

impl ExitListener for Panicker {
    fn on_exit(&self, _: ActorId, _: &Exit) {
        panic!("as asked");
    }
}

async fn a_listener_that_panics_hurts_nobody_else(network: Network) {
    let (a, b) = two(&network).await;
    b.publish("counter", Start::default()).await;
    b.publish("other", Start::default()).await;
    settle().await;
    let (remote, exits) = (a.find("counter"), Exits::default());
    for _ in 0..3 {
        remote.watch_with(Arc::new(Panicker));
        exits.watch(&remote);
    }
    remote.kill();
    settle().await;
    assert_eq!(exits.seen(), [Exit::Killed, Exit::Killed, Exit::Killed]);
    let other = a.find("other");
    assert_eq!(other.call(Count::Get).await, Ok(0));
    // At the end of the session, too.
    other.watch_with(Arc::new(Panicker));
    exits.watch(&other);
    let mut events = a.server.subscribe();
    network.cut();
    disconnected_by(&mut events, CloseCode::Lost).await;
    assert_eq!(exits.seen()[3..], [Exit::Unreachable]);
    a.connect(&b).await;
}
