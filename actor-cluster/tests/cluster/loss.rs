//! Peers that fall silent, links that break, and what comes after.

use std::time::Duration;

use actor_cluster::NodeEvent;
use actor_cluster::limits::HANDSHAKE_TIMEOUT;
use actor_cluster::transport::CloseCode;
use actor_core::{CallError, CallFailure, Exit, SendError};
use tokio::time::Instant;

use super::Network;
use super::support::network::Dice;
use super::support::{
    BEAT, Count, Exits, SILENCE, Start, disconnected, disconnected_by, failure, id, next, node, node_with,
    on_every_shape, pass, remote_counter, seeds, settle, two,
};

on_every_shape! {
    b11_a_peer_that_falls_silent_is_gone_exactly_when_its_time_is_over
    b11_whoever_comes_back_is_a_member_again
    b11_a_quiet_session_lives_on
    b11_a_short_silence_is_no_death
    b12_a_cut_in_the_midst_of_a_call_ends_it_and_what_is_held_works_again
    b12_a_cut_that_only_one_side_has_seen_heals
    b12_what_is_published_while_the_link_is_cut_is_known_afterwards
    no_call_hangs_however_often_the_link_is_cut
}

async fn b11_a_peer_that_falls_silent_is_gone_exactly_when_its_time_is_over(network: Network) {
    let heartbeats = [(BEAT, SILENCE), (Duration::from_millis(100), Duration::from_millis(350))];
    for (interval, timeout) in heartbeats {
        let a = node_with(&network, 1, |builder| builder.heartbeat(interval, timeout)).await;
        let b = node_with(&network, 2, |builder| builder.heartbeat(interval, timeout)).await;
        b.publish("counter", Start::default()).await;
        a.connect(&b).await;
        // Whoever was dialled pings second, and that is the last ping of all.
        pass(2 * interval + interval / 4).await;
        settle().await;
        let silent_since = Instant::now() - Duration::from_millis(1);
        let (remote, exits) = (a.find("counter"), Exits::default());
        exits.watch(&remote);
        let mut events = [a.server.subscribe(), b.server.subscribe()];
        network.silence();
        let call = tokio::spawn(async move { (remote.call(Count::Get).await, Instant::now()) });
        for events in &mut events {
            disconnected_by(events, CloseCode::Timeout).await;
            assert_eq!(silent_since.elapsed().as_millis(), timeout.as_millis());
        }
        let (outcome, at) = call.await.unwrap();
        assert_eq!(failure(outcome), CallFailure::Unknown);
        assert_eq!((at - silent_since).as_millis(), timeout.as_millis());
        assert_eq!(exits.seen(), [Exit::Unreachable]);
        assert_eq!((a.peers(), b.peers()), (vec![], vec![]));
        // The dead streams are not waited for for ever.
        pass(actor_cluster::limits::LINGER).await;
        settle().await;
        assert_eq!((a.server.tasks(), b.server.tasks()), (1, 1));
        tokio::join!(a.shutdown(), b.shutdown());
    }
}

async fn b11_whoever_comes_back_is_a_member_again(network: Network) {
    let (a, b) = two(&network).await;
    let (counter, held) = remote_counter(&a, &b, Start::default()).await;
    for round in 1..=3 {
        let mut events = a.server.subscribe();
        network.silence();
        // Both notice at the same moment; whoever is first closes, and the other may see that.
        let reason = disconnected(&mut events).await;
        assert!(matches!(reason.code, CloseCode::Timeout | CloseCode::Lost), "{reason}");
        assert!(a.server.find::<Count>("counter").is_err());
        assert!(matches!(held.cast(Count::Add(1)), Err(SendError::NotConnected(Count::Add(1)))));
        // From either side.
        if round % 2 == 0 {
            a.connect(&b).await
        } else {
            b.connect(&a).await
        };
        settle().await;
        assert_eq!(held.call(|port| Count::AddAndGet(1, port)).await, Ok(round));
        assert_eq!(a.find("counter"), held);
    }
    assert_eq!(counter.call(Count::Get).await, Ok(3));
}

async fn b11_a_quiet_session_lives_on(network: Network) {
    let (a, b) = two(&network).await;
    let mut events = a.server.subscribe();
    pass(100 * SILENCE).await;
    assert_eq!((a.peers(), b.peers()), (vec![id(2)], vec![id(1)]));
    a.server.sessions()[0].close("enough");
    assert_eq!(disconnected(&mut events).await.detail(), "enough");
}

async fn b11_a_short_silence_is_no_death(network: Network) {
    let (a, b) = two(&network).await;
    let (_, remote) = remote_counter(&a, &b, Start::default()).await;
    for _ in 0..5 {
        network.hold();
        pass(SILENCE - BEAT - Duration::from_millis(10)).await;
        network.resume();
        assert_eq!(remote.call(Count::Get).await, Ok(0));
        pass(BEAT).await;
    }
}

async fn b12_a_cut_in_the_midst_of_a_call_ends_it_and_what_is_held_works_again(network: Network) {
    let (a, b) = two(&network).await;
    let counter = b.publish("counter", Start::default()).await;
    settle().await;
    let (held, exits) = (a.find("counter"), Exits::default());
    exits.watch(&held);
    for round in 1..=5 {
        let call = tokio::spawn({
            let held = held.clone();
            async move { held.call(Count::Keep).await }
        });
        settle().await;
        let mut events = [a.server.subscribe(), b.server.subscribe()];
        let cut_at = Instant::now();
        network.cut();
        for events in &mut events {
            // One sees an error, the other a stream that ends without a goodbye.
            disconnected_by(events, CloseCode::Lost).await;
        }
        assert_eq!(failure(call.await.unwrap()), CallFailure::Unknown);
        assert_eq!(cut_at.elapsed(), Duration::ZERO, "a cut is seen at once");
        assert!(matches!(held.cast(Count::AnswerAll), Err(SendError::NotConnected(Count::AnswerAll))));
        // The same life of the node: the same actor, at the same address.
        a.connect(&b).await;
        assert_eq!(held.call(|port| Count::AddAndGet(1, port)).await, Ok(round));
        assert_eq!(a.find("counter").call(Count::Get).await, Ok(round));
    }
    assert_eq!(exits.seen(), [Exit::Unreachable], "once, though it is back");
    assert_eq!(counter.call(Count::Get).await, Ok(5));
}

async fn b12_a_cut_that_only_one_side_has_seen_heals(network: Network) {
    let (a, b) = two(&network).await;
    let (_, held) = remote_counter(&a, &b, Start::default()).await;
    for (dialler, other) in [(&a, &b), (&b, &a)].repeat(3) {
        // The dialler gives up; its goodbye is lost, so the other side knows nothing.
        network.silence();
        dialler.server.sessions()[0].close("lost on its way");
        settle().await;
        assert_eq!((dialler.peers().len(), other.peers().len()), (0, 1));
        let mut events = other.server.subscribe();
        dialler.connect(other).await;
        let reason = disconnected(&mut events).await;
        assert_eq!((reason.code, reason.detail()), (CloseCode::Lost, "another session took its place"));
        assert!(matches!(next(&mut events).await, NodeEvent::Authenticated(_)));
        assert!(matches!(next(&mut events).await, NodeEvent::Ready(_)));
        assert!(held.call(|port| Count::AddAndGet(1, port)).await.is_ok());
        assert_eq!((a.peers(), b.peers()), (vec![id(2)], vec![id(1)]));
        pass(HANDSHAKE_TIMEOUT).await;
        assert_eq!((a.server.tasks(), b.server.tasks()), (2, 2));
    }
    assert_eq!(held.call(Count::Get).await, Ok(6));
}

async fn b12_what_is_published_while_the_link_is_cut_is_known_afterwards(network: Network) {
    let (a, b) = two(&network).await;
    let gone = b.publish("gone", Start::default()).await;
    let kept = b.publish("kept", Start::default()).await;
    settle().await;
    assert!(a.server.find::<Count>("gone").is_ok());
    network.cut();
    settle().await;
    gone.stop_and_wait(None, None).await.unwrap();
    let new = b.publish("new", Start::default()).await;
    a.connect(&b).await;
    assert!(a.server.find::<Count>("gone").is_err());
    assert_eq!((a.find("kept").id(), a.find("new").id()), (kept.id(), new.id()));
}

/// What became of one call that adds its own number.
enum Outcome {
    Ran,
    NeverRan,
    Unknown,
}

async fn no_call_hangs_however_often_the_link_is_cut(network: Network) {
    for seed in seeds(40) {
        let network = network.clone().shuffled(seed);
        let (a, b) = (node(&network, 1).await, node(&network, 2).await);
        let start = Start::default();
        b.publish("counter", start.clone()).await;
        let dice = Dice::new(seed);
        a.connect(&b).await;
        let remote = a.find("counter");
        let mut calls = Vec::new();
        for number in 1..=60_u64 {
            let remote = remote.clone();
            calls.push(tokio::spawn(async move {
                if number % 7 == 0 {
                    // Nobody ever answers these.
                    return (number, remote.call(Count::Keep).await.map(|_| ()));
                }
                (number, remote.call(|port| Count::AddAndGet(number, port)).await.map(|_| ()))
            }));
            for _ in 0..dice.below(30) {
                tokio::task::yield_now().await;
            }
            match dice.below(12) {
                0 => network.cut(),
                1 => network.silence(),
                2 | 3 if a.peers().is_empty() => drop(a.server.connect(&b.address()).await),
                _ => {}
            }
        }
        network.cut();
        let mut ran = Vec::new();
        for call in calls {
            let (number, outcome) = call.await.unwrap();
            let outcome = match outcome {
                Ok(()) => Outcome::Ran,
                Err(CallError::NotSent(SendError::NotConnected(_))) => Outcome::NeverRan,
                Err(CallError::Failed(CallFailure::Unknown)) => Outcome::Unknown,
                Err(other) => panic!("seed {seed}, call {number}: {other:?}"),
            };
            ran.push((number, outcome));
        }
        settle().await;
        let added = start.added();
        for (number, outcome) in ran {
            let times = added.iter().filter(|added| **added == number).count();
            match outcome {
                Outcome::Ran => assert_eq!(times, 1, "seed {seed}, call {number} was answered"),
                Outcome::NeverRan => assert_eq!(times, 0, "seed {seed}, call {number} never left"),
                Outcome::Unknown => assert!(times <= 1, "seed {seed}, call {number} ran {times} times"),
            }
        }
        drop((a, b));
        pass(HANDSHAKE_TIMEOUT).await;
    }
}
