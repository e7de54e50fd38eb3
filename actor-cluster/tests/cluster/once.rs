//! Calls with a key: they run once, however often they are asked, and by whichever session.

use std::time::Duration;

use actor_cluster::{CallMemory, NodeEvent};
use actor_core::{ActorRef, CallError, CallFailure, CallKey, Rejection, SendError};

use super::Network;
use super::support::{
    Count, Start, TestNode, failure, next, node, node_with, on_every_shape, pass, remote_counter, settle, two,
};

on_every_shape! {
    a_call_whose_session_is_lost_while_it_runs_is_asked_again_and_runs_once
    a_call_that_ended_behind_a_lost_session_is_answered_again
    whoever_asks_again_in_the_same_session_waits_with_the_first
    what_never_arrived_or_never_ran_runs_when_it_is_asked_again
    a_call_that_expires_while_it_waits_for_room_can_be_asked_again
    what_is_forgotten_does_not_run_again
    a_key_is_of_one_call_of_one_actor_and_one_node
    a_node_that_remembers_for_nobody_runs_nothing
    keys_go_on_where_nobody_held_an_address_between_two_sessions
    whoever_waits_is_told_though_others_ask_for_its_place
}

const LONG: Duration = Duration::from_secs(1000);

async fn add(actor: &ActorRef<Count>, key: &CallKey, by: u64) -> Result<u64, CallError<Count>> {
    actor.call_once(key, LONG, |port| Count::AddAndGet(by, port)).await
}

/// Two nodes, and a counter on the second behind a gate.
async fn gated(network: &Network) -> (TestNode, TestNode, ActorRef<Count>, Start) {
    let (a, b) = two(network).await;
    let start = Start::shut();
    let (_, remote) = remote_counter(&a, &b, start.clone()).await;
    (a, b, remote, start)
}

/// Two nodes, of which the second remembers so much, and a counter there.
async fn remembering(network: &Network, memory: CallMemory) -> (TestNode, TestNode, ActorRef<Count>, Start) {
    let a = node(network, 1).await;
    let b = node_with(network, 2, |builder| builder.call_memory(memory)).await;
    a.connect(&b).await;
    let start = Start::default();
    let (_, remote) = remote_counter(&a, &b, start.clone()).await;
    (a, b, remote, start)
}

/// The session ends for good, and there is another one.
async fn renew(network: &Network, a: &TestNode, b: &TestNode) {
    let mut events = a.server.subscribe();
    network.cut();
    while !matches!(next(&mut events).await, NodeEvent::SessionLost { .. }) {}
    settle().await;
    a.connect(b).await;
    settle().await;
}

async fn a_call_whose_session_is_lost_while_it_runs_is_asked_again_and_runs_once(network: Network) {
    let (a, b, remote, start) = gated(&network).await;
    let key = remote.call_key();
    for _ in 0..3 {
        let (asked, ()) = tokio::join!(add(&remote, &key, 5), async {
            settle().await;
            renew(&network, &a, &b).await;
        });
        assert_eq!(failure(asked), CallFailure::Unknown);
        assert!(key.may_have_run());
    }
    let (asked, ()) = tokio::join!(add(&remote, &key, 5), async {
        settle().await;
        start.gate.open();
    });
    assert_eq!((asked.unwrap(), start.added()), (5, vec![5]));
    assert_eq!(add(&remote, &key, 5).await.unwrap(), 5, "the same answer once more");
    // Another key is another call.
    assert_eq!(add(&remote, &remote.call_key(), 5).await.unwrap(), 10);
    assert_eq!(start.added(), [5, 5]);
}

async fn a_call_that_ended_behind_a_lost_session_is_answered_again(network: Network) {
    let (a, b, remote, start) = gated(&network).await;
    let key = remote.call_key();
    let (asked, ()) = tokio::join!(add(&remote, &key, 5), async {
        settle().await;
        renew(&network, &a, &b).await;
    });
    assert_eq!(failure(asked), CallFailure::Unknown);
    start.gate.open();
    settle().await;
    remote.cast(Count::Add(1)).unwrap();
    assert_eq!(add(&remote, &key, 5).await.unwrap(), 5, "what it was, and not what it would be");
    assert_eq!(start.added(), [5, 1]);
}

async fn whoever_asks_again_in_the_same_session_waits_with_the_first(network: Network) {
    let (_a, _b, remote, start) = gated(&network).await;
    let key = remote.call_key();
    let second = Duration::from_secs(1);
    let asked = remote.call_once(&key, second, |port| Count::AddAndGet(5, port)).await;
    assert_eq!(failure(asked), CallFailure::TimedOut(second));
    let (again, at_once, ()) = tokio::join!(add(&remote, &key, 5), add(&remote, &key, 5), async {
        settle().await;
        start.gate.open();
    });
    assert_eq!((again.unwrap(), at_once.unwrap(), start.added()), (5, 5, vec![5]));
    // What the actor does not answer is remembered too.
    let key = remote.call_key();
    for _ in 0..2 {
        let refused = remote.call_once(&key, LONG, Count::Refuse).await;
        assert_eq!(failure(refused), CallFailure::NoReply);
    }
}

async fn what_never_arrived_or_never_ran_runs_when_it_is_asked_again(network: Network) {
    let (a, b) = two(&network).await;
    let start = Start::default();
    let (counter, remote) = remote_counter(&a, &b, start.clone()).await;
    let key = remote.call_key();
    network.cut();
    let asked = failure(add(&remote, &key, 5).await);
    assert_eq!(key.may_have_run(), !asked.never_ran(), "{asked}");
    settle().await;
    assert!(matches!(add(&remote, &key, 5).await, Err(CallError::NotSent(SendError::NotConnected(_)))));
    a.connect(&b).await;
    assert_eq!(add(&remote, &key, 5).await.unwrap(), 5);
    assert_eq!((add(&remote, &key, 5).await.unwrap(), start.added()), (5, vec![5]));
    // An actor that has ended took nothing more, and nobody says that it ran.
    let key = remote.call_key();
    counter.stop_and_wait(None, None).await.unwrap();
    let refused = failure(add(&remote, &key, 5).await);
    assert!(matches!(refused, CallFailure::Rejected(_)) && !key.may_have_run(), "{refused}");
}

async fn a_call_that_expires_while_it_waits_for_room_can_be_asked_again(network: Network) {
    let (a, b) = two(&network).await;
    let start = Start::narrow(1);
    let (_, remote) = remote_counter(&a, &b, start.clone()).await;
    let key = remote.call_key();
    // One in hand, one in the mailbox.
    remote.cast(Count::Add(1)).unwrap();
    remote.cast(Count::Add(1)).unwrap();
    let second = Duration::from_secs(1);
    let asked = remote.call_once(&key, second, |port| Count::AddAndGet(5, port)).await;
    assert!(matches!(failure(asked), CallFailure::Expired | CallFailure::TimedOut(_)));
    pass(second).await;
    start.gate.open();
    assert_eq!((add(&remote, &key, 5).await.unwrap(), start.added()), (7, vec![1, 1, 5]));
}

async fn what_is_forgotten_does_not_run_again(network: Network) {
    let memory = CallMemory { calls_max: 1, ..CallMemory::default() };
    let (_a, _b, remote, start) = remembering(&network, memory).await;
    let keys = [remote.call_key(), remote.call_key(), remote.call_key()];
    assert_eq!(add(&remote, &keys[0], 1).await.unwrap(), 1);
    assert_eq!(add(&remote, &keys[2], 2).await.unwrap(), 3);
    assert_eq!(failure(add(&remote, &keys[0], 1).await), CallFailure::Forgotten);
    assert_eq!(add(&remote, &keys[1], 4).await.unwrap(), 7, "it was never asked");
    assert_eq!(start.added(), [1, 2, 4]);
    pass(actor_cluster::limits::CALL_MEMORY_RETENTION * 2).await;
    assert_eq!(failure(add(&remote, &keys[1], 4).await), CallFailure::Forgotten);
    assert_eq!(start.added(), [1, 2, 4]);
}

async fn a_key_is_of_one_call_of_one_actor_and_one_node(network: Network) {
    let (a, b) = two(&network).await;
    let c = node(&network, 3).await;
    c.connect(&b).await;
    let start = Start::default();
    b.publish("counter", start.clone()).await;
    b.publish("other", Start::default()).await;
    settle().await;
    let (remote, other) = (a.find("counter"), a.find("other"));
    let key = remote.call_key();
    assert_eq!(add(&remote, &key, 5).await.unwrap(), 5);
    let foreign = add(&other, &key, 5).await;
    assert!(matches!(foreign, Err(CallError::NotSent(SendError::Unsendable(Count::AddAndGet(5, _), _)))));
    let misused = remote.call_once(&key, LONG, Count::Get).await;
    assert_eq!(failure(misused), CallFailure::Rejected(Rejection::OtherCall));
    // The third node's first key has the same number, and no right to the first node's answer.
    let from_c = c.find("counter");
    let of_c = from_c.call_key();
    assert_eq!(of_c.number(), key.number());
    assert_eq!(add(&from_c, &of_c, 6).await.unwrap(), 11);
    assert_eq!((add(&remote, &key, 5).await.unwrap(), start.added()), (5, vec![5, 6]));
}

async fn a_node_that_remembers_for_nobody_runs_nothing(network: Network) {
    let memory = CallMemory { calls_max: 0, ..CallMemory::default() };
    let (_a, _b, remote, start) = remembering(&network, memory).await;
    let refused = failure(add(&remote, &remote.call_key(), 5).await);
    assert_eq!(refused, CallFailure::Rejected(Rejection::Full));
    assert_eq!((remote.call(Count::Get).await.unwrap(), start.added()), (0, vec![]));
}

async fn keys_go_on_where_nobody_held_an_address_between_two_sessions(network: Network) {
    let (a, b) = two(&network).await;
    let start = Start::default();
    b.publish("counter", start.clone()).await;
    settle().await;
    for count in [5, 10] {
        let remote = a.find("counter");
        assert_eq!(add(&remote, &remote.call_key(), 5).await.unwrap(), count);
        drop(remote);
        renew(&network, &a, &b).await;
    }
    assert_eq!(start.added(), [5, 5]);
}

async fn whoever_waits_is_told_though_others_ask_for_its_place(network: Network) {
    let memory = CallMemory { callers_max: 1, ..CallMemory::default() };
    let (a, c) = (node(&network, 1).await, node(&network, 3).await);
    let b = node_with(&network, 2, |builder| builder.call_memory(memory)).await;
    let start = Start::shut();
    b.publish("counter", start.clone()).await;
    b.publish("other", Start::default()).await;
    a.connect(&b).await;
    c.connect(&b).await;
    settle().await;
    let (remote, other) = (a.find("counter"), c.find("other"));
    let key = remote.call_key();
    let (asked, ()) = tokio::join!(add(&remote, &key, 5), async {
        settle().await;
        let refused = failure(add(&other, &other.call_key(), 1).await);
        assert_eq!(refused, CallFailure::Rejected(Rejection::Full));
        start.gate.open();
    });
    assert_eq!(asked.unwrap(), 5);
    assert_eq!(add(&other, &other.call_key(), 1).await.unwrap(), 1);
}
