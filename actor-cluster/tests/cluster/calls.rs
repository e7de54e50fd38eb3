//! Messages to actors of other nodes: what arrives, and what becomes of what does not.

use std::time::Duration;

use actor_core::{Actor, ActorError, ActorRef, CallError, CallFailure, Rejection, SendError, SpawnOptions};
use tokio::time::Instant;

use super::Network;
use super::support::actors::{Trap, Trapped, Trapper};
use super::support::{
    Count, Gate, Start, failure, node, node_with, on_every_shape, pass, remote_counter, settle, two, until,
};

on_every_shape! {
    b03_a_remote_call_returns_what_a_local_one_does
    casts_and_calls_of_one_sender_run_in_order
    many_calls_at_once_get_their_own_answers
    b16_a_message_of_exactly_the_limit_passes_and_one_more_comes_back
    b16_an_answer_over_the_callers_limit_is_a_bad_reply
    b16_a_frame_larger_than_the_window_passes
    bytes_that_are_no_message_hurt_nobody
    a_panicking_encoder_gives_the_message_back_and_the_lane_stays_whole
    an_answer_that_cannot_be_read_is_a_bad_reply
    a_call_ends_when_its_callers_time_is_over
    a_call_that_waits_for_room_until_it_expires_never_runs
    a_port_may_be_answered_late_and_after_the_session
    an_actor_that_drains_or_has_ended_rejects_calls
    a_port_may_be_passed_back_over_its_own_session
}

async fn b03_a_remote_call_returns_what_a_local_one_does(network: Network) {
    let (a, b) = two(&network).await;
    let counter = b.publish("counter", Start { count: 40, ..Start::default() }).await;
    until(&a, || a.server.find::<Count>("counter").is_ok()).await;
    let remote = a.find("counter");
    assert_eq!((remote.id(), remote.name()), (counter.id(), Some("counter")));
    assert!(!remote.is_local() && counter.is_local());
    remote.cast(Count::Add(2)).unwrap();
    for actor in [&remote, &counter] {
        assert_eq!(actor.call(Count::Get).await, Ok(42));
        assert_eq!(failure(actor.call(Count::Refuse).await), CallFailure::NoReply);
        assert_eq!(actor.call(|port| Count::Weigh(vec![1; 100_000], port)).await, Ok(100_000));
    }
}

async fn casts_and_calls_of_one_sender_run_in_order(network: Network) {
    let (a, b) = two(&network).await;
    let start = Start::default();
    let (_, remote) = remote_counter(&a, &b, start.clone()).await;
    for number in 0..500 {
        remote.cast(Count::Add(2 * number)).unwrap();
        let call = remote.call(|port| Count::AddAndGet(2 * number + 1, port));
        assert!(call.await.is_ok());
    }
    assert_eq!(start.added(), (0..1000).collect::<Vec<_>>());
}

async fn many_calls_at_once_get_their_own_answers(network: Network) {
    let (a, b) = two(&network).await;
    let (_, remote) = remote_counter(&a, &b, Start::default()).await;
    let calls: Vec<_> = (0..200_u64)
        .map(|bytes| {
            let remote = remote.clone();
            tokio::spawn(async move { remote.call(|port| Count::Fetch(bytes, port)).await })
        })
        .collect();
    for (bytes, call) in calls.into_iter().enumerate() {
        assert_eq!(call.await.unwrap().unwrap().len(), bytes);
    }
}

/// The smallest limit a node can have.
const FRAME: usize = 64 * 1024;
/// What a message of bytes takes beside them: target, correlation and deadline are
/// always kept free, and the bytes' length takes three.
const AROUND: usize = 24 + 3;

async fn b16_a_message_of_exactly_the_limit_passes_and_one_more_comes_back(network: Network) {
    let a = node(&network, 1).await;
    let b = node_with(&network, 2, |builder| builder.message_bytes_max(FRAME)).await;
    b.publish("counter", Start::default()).await;
    a.connect(&b).await;
    let remote = a.find("counter");
    let fits = vec![1; FRAME - AROUND];
    assert_eq!(remote.call(|port| Count::Weigh(fits, port)).await, Ok((FRAME - AROUND) as u64));
    for bytes in [FRAME - AROUND + 1, 10 * FRAME] {
        match remote.call(|port| Count::Weigh(vec![2; bytes], port)).await {
            Err(CallError::NotSent(SendError::Unsendable(Count::Weigh(back, _), why))) => {
                assert_eq!(back, vec![2; bytes]);
                assert_eq!(&*why, "the encoded form is over the limit of 65512 bytes");
            }
            other => panic!("it should have come back, not {other:?}"),
        }
    }
    // Nothing of them is left in the lane, and the session lives.
    assert_eq!(remote.call(Count::Get).await, Ok(0));
}

async fn b16_an_answer_over_the_callers_limit_is_a_bad_reply(network: Network) {
    let a = node_with(&network, 1, |builder| builder.message_bytes_max(FRAME)).await;
    let b = node(&network, 2).await;
    b.publish("counter", Start::default()).await;
    a.connect(&b).await;
    let remote = a.find("counter");
    let fits = (FRAME - AROUND) as u64;
    assert_eq!(remote.call(|port| Count::Fetch(fits, port)).await.unwrap().len() as u64, fits);
    let refused = failure(remote.call(|port| Count::Fetch(fits + 1, port)).await);
    assert_eq!(refused, CallFailure::BadReply("the encoded form is over the limit of 65512 bytes".into()));
    assert_eq!(remote.call(Count::Get).await, Ok(0));
}

async fn b16_a_frame_larger_than_the_window_passes(network: Network) {
    let a = node(&network, 1).await;
    let b = node_with(&network, 2, |builder| builder.window_bytes(4096)).await;
    b.publish("counter", Start::default()).await;
    a.connect(&b).await;
    let remote = a.find("counter");
    for bytes in [10_000, 3_000_000, 5] {
        assert_eq!(remote.call(|port| Count::Weigh(vec![0; bytes], port)).await, Ok(bytes as u64));
    }
}

async fn bytes_that_are_no_message_hurt_nobody(network: Network) {
    let (a, b) = two(&network).await;
    let trapper = b.system.spawn(Trapper, (), SpawnOptions::new()).await.unwrap();
    b.server.publish("trapper", &trapper).unwrap();
    settle().await;
    let remote = a.server.find::<Trapped>("trapper").unwrap();
    let panicked = Rejection::Undecodable("its decoder panicked".into());
    for _ in 0..2 {
        remote.cast(Trapped::Set(Trap::UNREADABLE)).unwrap();
        remote.cast(Trapped::Set(Trap::PANICS_WHEN_READ)).unwrap();
        match failure(remote.call(|port| Trapped::Echo(Trap::UNREADABLE, port)).await) {
            CallFailure::Rejected(Rejection::Undecodable(why)) => assert!(why.contains("a trap"), "{why}"),
            other => panic!("a rejection was expected, not {other:?}"),
        }
        let call = remote.call(|port| Trapped::Echo(Trap::PANICS_WHEN_READ, port));
        assert_eq!(failure(call.await), CallFailure::Rejected(panicked.clone()));
        assert_eq!(remote.call(|port| Trapped::Echo(Trap::FINE, port)).await, Ok(Trap::FINE));
    }
}

async fn a_panicking_encoder_gives_the_message_back_and_the_lane_stays_whole(network: Network) {
    let (a, b) = two(&network).await;
    let trapper = b.system.spawn(Trapper, (), SpawnOptions::new()).await.unwrap();
    b.server.publish("trapper", &trapper).unwrap();
    settle().await;
    let remote = a.server.find::<Trapped>("trapper").unwrap();
    match remote.cast(Trapped::Set(Trap::PANICS_WHEN_WRITTEN)) {
        Err(SendError::Unsendable(Trapped::Set(trap), why)) => {
            assert_eq!(trap, Trap::PANICS_WHEN_WRITTEN);
            assert!(why.ends_with("its encoder panicked"), "{why}");
        }
        other => panic!("it should have come back, not {other:?}"),
    }
    match failure(remote.call(|port| Trapped::Make(Trap::PANICS_WHEN_WRITTEN.0, port)).await) {
        CallFailure::BadReply(why) => assert!(why.ends_with("its encoder panicked"), "{why}"),
        other => panic!("a bad reply was expected, not {other:?}"),
    }
    assert_eq!(remote.call(|port| Trapped::Echo(Trap::FINE, port)).await, Ok(Trap::FINE));
}

async fn an_answer_that_cannot_be_read_is_a_bad_reply(network: Network) {
    let (a, b) = two(&network).await;
    let trapper = b.system.spawn(Trapper, (), SpawnOptions::new()).await.unwrap();
    b.server.publish("trapper", &trapper).unwrap();
    settle().await;
    let remote = a.server.find::<Trapped>("trapper").unwrap();
    for (trap, text) in [(Trap::UNREADABLE, "a trap"), (Trap::PANICS_WHEN_READ, "its decoder panicked")] {
        match failure(remote.call(|port| Trapped::Make(trap.0, port)).await) {
            CallFailure::BadReply(why) => assert!(why.contains(text), "{why}"),
            other => panic!("a bad reply was expected, not {other:?}"),
        }
    }
    assert_eq!(remote.call(|port| Trapped::Echo(Trap::FINE, port)).await, Ok(Trap::FINE));
}

async fn a_call_ends_when_its_callers_time_is_over(network: Network) {
    let (a, b) = two(&network).await;
    let (_, remote) = remote_counter(&a, &b, Start::default()).await;
    let time = Duration::from_millis(2500);
    let begun = Instant::now();
    let outcome = remote.call_timeout(time, Count::Keep).await;
    assert_eq!(failure(outcome), CallFailure::TimedOut(time));
    assert_eq!(begun.elapsed(), time);
    // Pings pass, and the late answer finds nobody.
    pass(Duration::from_secs(3)).await;
    remote.cast(Count::AnswerAll).unwrap();
    assert_eq!(remote.call(Count::Get).await, Ok(0));
}

async fn a_call_that_waits_for_room_until_it_expires_never_runs(network: Network) {
    let (a, b) = two(&network).await;
    let start = Start::narrow(1);
    let (_, remote) = remote_counter(&a, &b, start.clone()).await;
    // One in hand, one in the mailbox, one that waits at the door.
    (1..=3).for_each(|number| remote.cast(Count::Add(number)).unwrap());
    let time = Duration::from_secs(2);
    let call = remote.call_timeout(time, |port| Count::AddAndGet(10, port));
    let second = remote.call_timeout(2 * time, |port| Count::AddAndGet(20, port));
    let (call, second) = tokio::join!(call, second);
    assert_eq!(failure(call), CallFailure::TimedOut(time));
    assert_eq!(failure(second), CallFailure::TimedOut(2 * time));
    start.gate.open();
    assert_eq!(remote.call(Count::Get).await, Ok(6));
    // The one that was at the door when its time came, and the one behind it.
    let start = Start::narrow(1);
    b.publish("other", start.clone()).await;
    settle().await;
    let remote = a.find("other");
    (1..=2).for_each(|number| remote.cast(Count::Add(number)).unwrap());
    let call = remote.call_timeout(time, |port| Count::AddAndGet(10, port));
    assert_eq!(failure(call.await), CallFailure::TimedOut(time));
    start.gate.open();
    assert_eq!(remote.call(Count::Get).await, Ok(3));
}

async fn a_port_may_be_answered_late_and_after_the_session(network: Network) {
    let (a, b) = two(&network).await;
    let (counter, remote) = remote_counter(&a, &b, Start { count: 7, ..Start::default() }).await;
    let call = tokio::spawn(async move { remote.call(Count::Keep).await });
    pass(Duration::from_secs(20)).await;
    counter.cast(Count::AnswerAll).unwrap();
    assert_eq!(call.await.unwrap(), Ok(7));

    let remote = a.find("counter");
    let call = tokio::spawn(async move { remote.call(Count::Keep).await });
    settle().await;
    a.server.sessions()[0].close("enough");
    assert_eq!(failure(call.await.unwrap()), CallFailure::Unknown);
    counter.cast(Count::AnswerAll).unwrap();
    assert_eq!(counter.call(Count::Get).await, Ok(7));
}

async fn an_actor_that_drains_or_has_ended_rejects_calls(network: Network) {
    let (a, b) = two(&network).await;
    let gate = Gate::shut();
    let (counter, remote) = remote_counter(&a, &b, Start { gate: gate.clone(), ..Start::default() }).await;
    counter.cast(Count::Add(1)).unwrap();
    counter.drain();
    let rejected = |rejection| CallFailure::Rejected(rejection);
    assert_eq!(failure(remote.call(Count::Get).await), rejected(Rejection::Stopped));
    gate.open();
    counter.wait(None).await.unwrap();
    assert_eq!(failure(remote.call(Count::Get).await), rejected(Rejection::NoSuchActor));
    assert_eq!(remote.cast(Count::Add(1)), Ok(()), "nobody knows before it is there");
}

/// Lets another actor answer.
struct PassesOn;

impl Actor for PassesOn {
    type Msg = Count;
    type State = ActorRef<Count>;
    type Arguments = ActorRef<Count>;

    async fn pre_start(&self, _: &ActorRef<Count>, to: ActorRef<Count>) -> Result<Self::State, ActorError> {
        Ok(to)
    }

    async fn handle(
        &self,
        _: &ActorRef<Count>,
        message: Count,
        to: &mut Self::State,
    ) -> Result<(), ActorError> {
        if let Count::Get(port) = message {
            to.cast(Count::Keep(port)).map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

/// Whether anybody waits for such a port is asked of the session that asks.
async fn a_port_may_be_passed_back_over_its_own_session(network: Network) {
    let (a, b) = two(&network).await;
    let keeper = a.publish("keeper", Start { count: 7, ..Start::default() }).await;
    settle().await;
    let passes_on = b.system.spawn(PassesOn, b.find("keeper"), SpawnOptions::new()).await.unwrap();
    b.server.publish("passes on", &passes_on).unwrap();
    settle().await;
    let remote = a.find("passes on");
    let (answer, ()) = tokio::join!(remote.call(Count::Get), async {
        // Longer than it takes until callers are looked for that have gone away.
        pass(Duration::from_secs(1)).await;
        keeper.cast(Count::AnswerAll).unwrap();
    });
    assert_eq!(answer, Ok(7));
}
