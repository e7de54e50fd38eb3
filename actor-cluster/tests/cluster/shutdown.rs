//! The end of a node: what was sent is written, what waits is answered, nothing is left.

use std::time::Duration;

use actor_cluster::limits::LINGER;
use actor_cluster::transport::CloseCode;
use actor_core::{CallFailure, Exit, SendError};
use tokio::time::Instant;

use super::Network;
use super::support::{
    Count, Exits, Gate, Start, disconnected_by, failure, id, next, node, on_every_shape, pass,
    remote_counter, settle, two, until,
};

on_every_shape! {
    b18_what_was_sent_before_is_delivered
    b18_calls_in_flight_get_a_definite_error_on_both_sides
    b18_no_task_is_left_however_the_node_ends
    b18_a_peer_that_does_not_read_does_not_hold_it_up
    b18_what_finds_no_room_in_time_is_given_up
    b18_a_shutdown_that_is_dropped_goes_on
    b18_nobody_gets_in_any_more
    b18_held_addresses_and_sessions_outlive_the_node_harmlessly
}

fn alive() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

async fn b18_what_was_sent_before_is_delivered(network: Network) {
    // By the one who shuts down, and by the one who is told; read in one go or not.
    for gate in [Gate::default(), Gate::shut()] {
        for bytes in [0, 1000] {
            let (a, b) = two(&network).await;
            let start = Start { gate: gate.clone(), mailbox: Some(10), ..Start::default() };
            let (counter, remote) = remote_counter(&a, &b, start.clone()).await;
            for number in 0..300 {
                remote.cast(Count::Add(number)).unwrap();
                remote.cast(Count::Load(vec![0; bytes])).unwrap();
            }
            let mut events = b.server.subscribe();
            let ((), ()) = tokio::join!(a.server.shutdown(), async {
                disconnected_by(&mut events, CloseCode::Shutdown).await;
                // The session is over, and what had arrived still goes in.
                if start.added().is_empty() {
                    start.gate.open();
                }
            });
            settle().await;
            assert_eq!(counter.call(Count::Get).await, Ok((0..300).sum::<u64>() + 300 * bytes as u64));
            assert_eq!(start.added(), (0..300).collect::<Vec<_>>());
            b.shutdown().await;
        }
    }
}

async fn b18_calls_in_flight_get_a_definite_error_on_both_sides(network: Network) {
    let (a, b) = two(&network).await;
    a.publish("here", Start::default()).await;
    b.publish("there", Start::default()).await;
    settle().await;
    let (out, back) = (a.find("there"), b.find("here"));
    let exits = Exits::default();
    exits.watch(&out);
    exits.watch(&back);
    let calls =
        [out.clone(), back.clone()].map(|actor| tokio::spawn(async move { actor.call(Count::Keep).await }));
    settle().await;
    let begun = Instant::now();
    let mut events = b.server.subscribe();
    a.shutdown().await;
    for call in calls {
        assert_eq!(failure(call.await.unwrap()), CallFailure::Unknown);
    }
    assert_eq!(begun.elapsed(), Duration::ZERO, "nobody had to wait");
    disconnected_by(&mut events, CloseCode::Shutdown).await;
    assert_eq!(exits.seen(), [Exit::Unreachable, Exit::Unreachable]);
    for actor in [out, back] {
        assert_eq!(actor.cast(Count::Add(1)), Err(SendError::NotConnected(Count::Add(1))));
        assert_eq!(actor.wait(None).await, Ok(Exit::Unreachable));
    }
}

async fn b18_no_task_is_left_however_the_node_ends(network: Network) {
    let before = alive();
    for is_dropped in [true, false] {
        let nodes = [1, 2, 3, 4].map(|number| node(&network, number));
        let [a, b, c, d] = nodes;
        let (a, b, c, d) = (a.await, b.await, c.await, d.await);
        for peer in [&b, &c, &d] {
            a.connect(peer).await;
        }
        // One more is in the midst of a handshake.
        let stranger = network.transport_at("stranger", actor_cluster::transport::PeerIdentity::Node(id(99)));
        let _silent = actor_cluster::transport::Transport::dial(&stranger, &a.address()).await.unwrap();
        settle().await;
        assert_eq!(a.server.tasks(), 5);
        let mut events = a.server.subscribe();
        if is_dropped {
            drop(a);
            for _ in 0..3 {
                disconnected_by(&mut events, CloseCode::Shutdown).await;
            }
        } else {
            a.shutdown().await;
        }
        settle().await;
        for node in [&b, &c, &d] {
            assert_eq!((node.peers(), node.server.tasks()), (vec![], 1));
        }
        tokio::join!(b.shutdown(), c.shutdown(), d.shutdown());
        settle().await;
        assert_eq!(alive(), before);
    }
}

async fn b18_a_peer_that_does_not_read_does_not_hold_it_up(network: Network) {
    let (a, b) = two(&network).await;
    let (_, remote) = remote_counter(&a, &b, Start::default()).await;
    network.hold();
    (0..100).for_each(|number| remote.cast(Count::Add(number)).unwrap());
    let begun = Instant::now();
    a.shutdown().await;
    assert_eq!(begun.elapsed(), LINGER);
}

async fn b18_what_finds_no_room_in_time_is_given_up(network: Network) {
    let before = alive();
    let (a, b) = two(&network).await;
    let start = Start::narrow(1);
    let (counter, remote) = remote_counter(&a, &b, start.clone()).await;
    (0..10).for_each(|number| remote.cast(Count::Add(number)).unwrap());
    settle().await;
    let begun = Instant::now();
    tokio::join!(a.shutdown(), b.shutdown());
    assert!(begun.elapsed() <= LINGER + Duration::from_millis(1), "{:?}", begun.elapsed());
    settle().await;
    assert_eq!(alive() - before, 1, "the counter");
    // One in hand, one in the mailbox; nobody waits for room any more.
    start.gate.open();
    settle().await;
    assert_eq!(start.added(), [0, 1]);
    assert_eq!(counter.call(Count::Get).await, Ok(1));
}

async fn b18_a_shutdown_that_is_dropped_goes_on(network: Network) {
    let before = alive();
    let (a, b) = two(&network).await;
    network.hold();
    let stopped = tokio::time::timeout(LINGER / 4, a.server.shutdown()).await;
    assert!(stopped.is_err(), "it waits for the peer, and is dropped");
    pass(LINGER).await;
    network.resume();
    b.shutdown().await;
    settle().await;
    assert_eq!(alive(), before);
    // At its very first step, too.
    let network = Network::one_stream();
    let (a, b) = two(&network).await;
    let mut events = b.server.subscribe();
    drop(a.server.shutdown());
    disconnected_by(&mut events, CloseCode::Shutdown).await;
    b.shutdown().await;
    settle().await;
    assert_eq!(alive(), before);
}

async fn b18_nobody_gets_in_any_more(network: Network) {
    let (a, b) = two(&network).await;
    let address = a.address();
    network.hold();
    let closing = tokio::spawn(a.server.shutdown());
    settle().await;
    assert!(!closing.is_finished());
    assert!(b.server.connect(&address).await.is_err());
    network.resume();
    closing.await.unwrap();
    // Its name on the network is free.
    let again = node(&network, 1).await;
    settle().await;
    again.connect(&b).await;
}

async fn b18_held_addresses_and_sessions_outlive_the_node_harmlessly(network: Network) {
    let (a, b) = two(&network).await;
    let counter = b.publish("counter", Start::default()).await;
    settle().await;
    let (remote, session) = (a.find("counter"), a.server.sessions().remove(0));
    let kept = tokio::spawn({
        let remote = remote.clone();
        async move { remote.call(Count::Keep).await }
    });
    settle().await;
    let mut events = b.server.subscribe();
    let system = a.shutdown().await;
    assert_eq!(failure(kept.await.unwrap()), CallFailure::Unknown);
    assert!(!session.is_ready());
    assert_eq!(session.closed().await.code, CloseCode::Shutdown);
    session.close("again");
    remote.stop(None);
    assert_eq!(remote.status(), actor_core::Status::Stopped);
    assert_eq!(remote.wait(None).await, Ok(Exit::Unreachable));
    // The port of a session that is over goes nowhere.
    counter.cast(Count::AnswerAll).unwrap();
    assert_eq!(counter.call(Count::Get).await, Ok(0));
    disconnected_by(&mut events, CloseCode::Shutdown).await;
    // A node of the same system is the same life, and the address works again.
    let again = super::support::node_on(&network, 1, &system).await;
    again.connect(&b).await;
    assert!(
        matches!(remote.cast(Count::Add(1)), Err(SendError::NotConnected(_))),
        "it was the former node's"
    );
    assert_eq!(again.find("counter").call(Count::Get).await, Ok(0));
    let _ = next(&mut events).await;
}

#[test]
fn b18_a_runtime_that_is_dropped_leaves_no_watch_untold() {
    for rounds in 0..20 {
        let exits = Exits::default();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (a, b, remote) = runtime.block_on(async {
            let (a, b) = two(&Network::one_stream()).await;
            b.publish("counter", Start::default()).await;
            until(&a, || a.server.find::<Count>("counter").is_ok()).await;
            let remote = a.find("counter");
            exits.watch(&remote);
            (0..rounds).for_each(|number| remote.cast(Count::Add(number)).unwrap());
            (a, b, remote)
        });
        drop(runtime);
        assert_eq!(exits.seen().len(), 1, "told once: {:?}", exits.seen());
        assert!(matches!(remote.cast(Count::Add(1)), Err(SendError::NotConnected(_))));
        assert_eq!((a.server.tasks(), b.server.tasks()), (0, 0));
        drop((a, b));
    }
}
