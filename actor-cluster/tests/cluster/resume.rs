//! Links that break and come again, while the session goes on: nothing is lost with them.

use std::time::Duration;

use actor_cluster::NodeEvent;
use actor_cluster::limits::RESUME_TIMEOUT;
use actor_cluster::transport::CloseCode;
use actor_core::{CallFailure, Exit, SendError};
use tokio::time::Instant;

use super::Network;
use super::support::network::Dice;
use super::support::{
    Count, Exits, SILENCE, Start, TestNode, failure, kind, next, node, node_with, on_every_shape, pass,
    remote_counter, seeds, settle,
};

on_every_shape! {
    b12_a_cut_loses_nothing_and_nobody_notices
    b12_either_side_sees_that_it_is_interrupted_and_resumed
    b12_a_silent_link_is_replaced
    b12_a_session_that_finds_no_streams_is_lost_once
    b12_a_peer_that_has_ended_the_session_does_not_resume_it
    b12_whoever_was_dialled_dials_when_the_other_cannot
    b12_an_interruption_that_is_over_is_nobodys_business
    b12_many_cuts_under_load_lose_repeat_and_reorder_nothing
    a_goodbye_is_no_interruption
    shutdown_does_not_wait_for_streams_to_come_again
}

/// Two nodes whose sessions outlive their streams, with a session.
async fn two(network: &Network) -> (TestNode, TestNode) {
    let lasting = |number| node_with(network, number, |builder| builder.resume_timeout(RESUME_TIMEOUT));
    let (a, b) = (lasting(1).await, lasting(2).await);
    a.connect(&b).await;
    (a, b)
}

async fn b12_a_cut_loses_nothing_and_nobody_notices(network: Network) {
    let (a, b) = two(&network).await;
    let start = Start::default();
    let counter = b.publish("counter", start.clone()).await;
    settle().await;
    let (held, exits) = (a.find("counter"), Exits::default());
    exits.watch(&held);
    let pending = tokio::spawn({
        let held = held.clone();
        async move { held.call(Count::Keep).await }
    });
    settle().await;
    for round in 0..5 {
        network.cut();
        // Before anybody can have noticed, and after.
        held.cast(Count::Add(2 * round)).unwrap();
        tokio::task::yield_now().await;
        held.send(Count::Add(2 * round + 1)).await.unwrap();
        assert_eq!(held.call(Count::Get).await.unwrap(), (0..2 * round + 2).sum::<u64>());
    }
    assert_eq!(start.added(), (0..10).collect::<Vec<_>>());
    assert_eq!(exits.seen(), [], "it never went away");
    held.cast(Count::AnswerAll).unwrap();
    assert_eq!(pending.await.unwrap(), Ok(45), "a call outlives the stream it went by");
    counter.stop_and_wait(None, None).await.unwrap();
    settle().await;
    assert_eq!(exits.seen(), [Exit::Stopped(None)]);
}

async fn b12_either_side_sees_that_it_is_interrupted_and_resumed(network: Network) {
    let (a, b) = two(&network).await;
    let mut events = [a.server.subscribe(), b.server.subscribe()];
    let are_interrupted = || [&a, &b].map(|node| node.server.sessions()[0].is_interrupted());
    assert_eq!(are_interrupted(), [false, false]);
    network.cut();
    settle().await;
    assert_eq!(are_interrupted(), [true, true]);
    pass(Duration::from_secs(1)).await;
    assert_eq!(are_interrupted(), [false, false]);
    for events in &mut events {
        let mut told = Vec::new();
        while told.last() != Some(&"resumed") {
            told.push(kind(&next(events).await));
        }
        told.retain(|kind| *kind != "opened");
        assert_eq!(told, ["interrupted", "resumed"]);
    }
    assert_eq!((a.peers(), b.peers()), (vec![b.id()], vec![a.id()]));
}

async fn b12_a_silent_link_is_replaced(network: Network) {
    let (a, b) = two(&network).await;
    let (_, held) = remote_counter(&a, &b, Start::default()).await;
    let since = Instant::now();
    network.silence();
    assert_eq!(held.call(|port| Count::AddAndGet(1, port)).await, Ok(1));
    let took = since.elapsed();
    assert!((SILENCE..SILENCE + Duration::from_secs(2)).contains(&took), "{took:?}");
}

async fn b12_a_session_that_finds_no_streams_is_lost_once(network: Network) {
    let (a, b) = two(&network).await;
    b.publish("counter", Start::default()).await;
    settle().await;
    let (held, exits) = (a.find("counter"), Exits::default());
    exits.watch(&held);
    let mut events = a.server.subscribe();
    let since = Instant::now();
    // Nobody listens any more, and nobody says goodbye.
    network.close_doors();
    network.cut();
    settle().await;
    (0..3).for_each(|number| held.cast(Count::Add(number)).unwrap());
    let call = tokio::spawn({
        let held = held.clone();
        async move { held.call(Count::Get).await }
    });
    let mut ends = Vec::new();
    while ends.is_empty() {
        if let NodeEvent::SessionLost { peer, reason, unacked } = next(&mut events).await {
            ends.push((peer.node, reason.code, unacked));
        }
    }
    assert_eq!(ends, [(b.id(), CloseCode::Lost, 4)]);
    assert_eq!(since.elapsed().as_secs(), RESUME_TIMEOUT.as_secs());
    let failure = failure(call.await.unwrap());
    assert_eq!((&failure, failure.never_ran()), (&CallFailure::NeverLeft, true));
    assert_eq!(exits.seen(), [Exit::Unreachable]);
    assert!(matches!(held.cast(Count::Add(1)), Err(SendError::NotConnected(Count::Add(1)))));
    pass(2 * RESUME_TIMEOUT).await;
    assert_eq!(a.server.tasks(), 1, "nobody looks for it any more");
}

async fn b12_a_peer_that_has_ended_the_session_does_not_resume_it(network: Network) {
    let a = node_with(&network, 1, |builder| builder.resume_timeout(RESUME_TIMEOUT)).await;
    // It gives a session up with its streams.
    let b = node(&network, 2).await;
    a.connect(&b).await;
    let (_, held) = remote_counter(&a, &b, Start::default()).await;
    let mut events = a.server.subscribe();
    network.cut();
    let mut told = Vec::new();
    while told.last() != Some(&"ready") {
        told.push(kind(&next(&mut events).await));
    }
    told.retain(|kind| *kind != "opened");
    assert_eq!(told, ["interrupted", "disconnected", "authenticated", "ready"]);
    assert_eq!(held.call(Count::Get).await, Ok(0), "the same life of the node");
}

async fn b12_whoever_was_dialled_dials_when_the_other_cannot(network: Network) {
    let (a, b) = two(&network).await;
    let (_, held) = remote_counter(&b, &a, Start::default()).await;
    network.close_door_of(2);
    network.cut();
    assert_eq!(held.call(|port| Count::AddAndGet(1, port)).await, Ok(1));
    settle().await;
    assert_eq!((a.peers(), b.peers()), (vec![b.id()], vec![a.id()]));
}

/// Whoever was dialled gives the other time, anew each time.
async fn b12_an_interruption_that_is_over_is_nobodys_business(network: Network) {
    let (a, b) = two(&network).await;
    let mut events = b.server.subscribe();
    let cuts = 100;
    for cut in 0..cuts as u64 {
        network.cut();
        // A quarter of its time after one of them, this is in the midst of another.
        pass(Duration::from_millis(20 + cut % 11)).await;
    }
    let mut told = Vec::new();
    while told.iter().filter(|kind| **kind == "resumed").count() < cuts {
        told.push(kind(&next(&mut events).await));
    }
    let opened = told.iter().filter(|kind| **kind == "opened").count();
    assert_eq!(opened % cuts, 0, "somebody else dialled: {opened} streams");
    assert_eq!((a.peers(), b.peers()), (vec![b.id()], vec![a.id()]));
}

/// Casts and calls of several senders both ways, and the link cut at any moment.
async fn b12_many_cuts_under_load_lose_repeat_and_reorder_nothing(network: Network) {
    for seed in seeds(10) {
        let network = network.clone().shuffled(seed);
        let (a, b) = two(&network).await;
        let starts = [Start::default(), Start::default()];
        b.publish("there", starts[0].clone()).await;
        a.publish("here", starts[1].clone()).await;
        settle().await;
        let targets = [a.find("there"), b.find("here")];
        let dice = Dice::new(seed);
        let mut senders = Vec::new();
        for target in targets {
            senders.push(tokio::spawn(async move {
                for number in 0..300_u64 {
                    if number % 5 == 0 {
                        target.call(|port| Count::AddAndGet(number, port)).await.unwrap();
                    } else {
                        target.send(Count::Add(number)).await.unwrap();
                    }
                    if number % 3 == 0 {
                        tokio::task::yield_now().await;
                    }
                }
                target.call(Count::Get).await.unwrap()
            }));
        }
        while !senders.iter().all(tokio::task::JoinHandle::is_finished) {
            match dice.below(8) {
                0 => network.cut(),
                1 => pass(Duration::from_millis(dice.below(30))).await,
                _ => tokio::task::yield_now().await,
            }
        }
        for sender in senders {
            assert_eq!(sender.await.unwrap(), (0..300).sum::<u64>(), "seed {seed}");
        }
        for start in starts {
            assert_eq!(start.added(), (0..300).collect::<Vec<_>>(), "seed {seed}");
        }
        tokio::join!(a.shutdown(), b.shutdown());
    }
}

async fn a_goodbye_is_no_interruption(network: Network) {
    let (a, b) = two(&network).await;
    let mut events = [a.server.subscribe(), b.server.subscribe()];
    a.server.sessions()[0].close("enough");
    settle().await;
    for events in &mut events {
        assert!(matches!(next(events).await, NodeEvent::Disconnected { .. }));
    }
    pass(2 * RESUME_TIMEOUT).await;
    assert_eq!((a.server.tasks(), b.server.tasks()), (1, 1));
}

async fn shutdown_does_not_wait_for_streams_to_come_again(network: Network) {
    let (a, b) = two(&network).await;
    network.close_doors();
    network.cut();
    settle().await;
    let since = Instant::now();
    tokio::join!(a.shutdown(), b.shutdown());
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
}
