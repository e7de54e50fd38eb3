//! Back-pressure: what waits where, and that nothing is lost or grows meanwhile.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use actor_cluster::{RemoteMessage, Wire};
use actor_core::{
    Actor, ActorError, ActorRef, CallError, CallFailure, Exit, Overflow, Rejection, SendError, SpawnOptions,
};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Network;
use super::support::{
    Count, SILENCE, Start, TestNode, failure, id, node, node_with, on_every_shape, pass, remote_counter,
    settle,
};

on_every_shape! {
    w17_an_actor_that_stalls_keeps_nobody_elses_messages_waiting
    w17_many_that_stall_one_after_the_other_are_bounded_together
    w17_what_waits_for_an_actor_that_dies_is_answered
    w17_a_mailbox_that_lets_nobody_wait_says_so
    a_message_that_panics_while_it_waits_harms_nobody_else
    b16_a_full_mailbox_far_away_makes_senders_wait_and_loses_nothing
    b16_what_waits_is_bounded_by_the_window
    b16_a_full_mailbox_holds_up_no_control
    b16_a_call_that_never_left_in_time_says_so
    b16_a_peer_that_does_not_read_makes_senders_wait
    b16_large_and_small_messages_share_a_lane
    b16_senders_that_never_rest_keep_nobody_waiting
    b16_a_long_queue_is_delivered_without_a_pause
    b16_senders_that_wait_are_told_when_the_session_is_lost
}

const WINDOW: u64 = 4096;
/// A cast of a number: header, target, number.
const ADD_BYTES: u64 = 8 + 8 + 8;

/// A node that takes little, an actor on it that takes nothing, and its address.
async fn narrow(network: &Network) -> (TestNode, TestNode, Start, ActorRef<Count>) {
    let a = node(network, 1).await;
    let b = node_with(network, 2, |builder| builder.window_bytes(WINDOW)).await;
    let start = Start::narrow(1);
    b.publish("slow", start.clone()).await;
    b.publish("other", Start::default()).await;
    a.connect(&b).await;
    let remote = a.find("slow");
    (a, b, start, remote)
}

/// Casts until there is no room, and says how many were taken.
async fn fill(remote: &ActorRef<Count>) -> u64 {
    let mut taken = 0;
    loop {
        match remote.cast(Count::Add(taken)) {
            Ok(()) => taken += 1,
            Err(SendError::Full(Count::Add(back))) => {
                assert_eq!(back, taken);
                return taken;
            }
            Err(other) => panic!("there should be no room, not {other:?}"),
        }
        settle().await;
    }
}

async fn b16_a_full_mailbox_far_away_makes_senders_wait_and_loses_nothing(network: Network) {
    let (_a, _b, start, remote) = narrow(&network).await;
    let taken = fill(&remote).await;
    let waiting = tokio::spawn({
        let remote = remote.clone();
        async move {
            for number in taken..1000 {
                remote.send(Count::Add(number)).await.unwrap();
            }
            remote.call(Count::Get).await
        }
    });
    pass(3 * SILENCE).await;
    assert!(!waiting.is_finished());
    assert!(start.added().is_empty());
    start.gate.open();
    assert_eq!(waiting.await.unwrap(), Ok((0..1000).sum()));
    assert_eq!(start.added(), (0..1000).collect::<Vec<_>>());
}

async fn b16_what_waits_is_bounded_by_the_window(network: Network) {
    let (_a, _b, start, remote) = narrow(&network).await;
    // Before anybody says that the actor has no room: the window, overdrawn by less than one
    // frame.
    let fits = WINDOW.div_ceil(ADD_BYTES);
    let taken = (0..).take_while(|number| remote.cast(Count::Add(*number)).is_ok()).count() as u64;
    assert_eq!(taken, fits);
    // All of it has left the lane, and there is credit again; but the actor has no room.
    settle().await;
    assert_eq!(fill(&remote).await, 0);
    // Nor while anything waits in its line.
    start.gate.let_through(usize::try_from(fits).unwrap() - 3);
    settle().await;
    assert_eq!(fill(&remote).await, 0);
    start.gate.let_through(1);
    settle().await;
    assert_eq!(remote.cast(Count::AnswerAll), Ok(()));
    start.gate.open();
    assert_eq!(remote.call(Count::Get).await, Ok((0..fits).sum()));
    assert_eq!(start.added(), (0..fits).collect::<Vec<_>>());
}

async fn b16_senders_that_never_rest_keep_nobody_waiting(network: Network) {
    let (a, b, _, _) = narrow(&network).await;
    b.publish("busy", Start::default()).await;
    settle().await;
    let (other, busy) = (a.find("other"), a.find("busy"));
    // Whenever there is room, others have taken all of it before the call comes.
    let take_all = || while busy.cast(Count::Add(1)).is_ok() {};
    let woken = Arc::new(Notify::new());
    let waker = waker_of(woken.clone());
    for _ in 0..20 {
        let mut call = pin!(other.call(Count::Get));
        let mut wakes = 0;
        let answer = loop {
            take_all();
            if let Poll::Ready(answer) = call.as_mut().poll(&mut Context::from_waker(&waker)) {
                break answer;
            }
            woken.notified().await;
            wakes += 1;
            assert!(wakes <= 2, "for room, and for the answer");
        };
        assert_eq!((answer, wakes), (Ok(0), 2));
    }
}

fn waker_of(woken: Arc<Notify>) -> Waker {
    struct Waking(Arc<Notify>);
    impl Wake for Waking {
        fn wake(self: Arc<Self>) {
            self.0.notify_one();
        }
    }
    Arc::new(Waking(woken)).into()
}

async fn w17_an_actor_that_stalls_keeps_nobody_elses_messages_waiting(network: Network) {
    let (a, _b, start, remote) = narrow(&network).await;
    // One in hand, one in the mailbox, one in the line.
    assert_eq!(fill(&remote).await, 3);
    let other = a.find("other");
    let begun = Instant::now();
    for number in 1..=1000 {
        other.send(Count::Add(number)).await.unwrap();
        assert_eq!(other.call(Count::Get).await, Ok((1..=number).sum()));
    }
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert!(matches!(remote.cast(Count::Add(3)), Err(SendError::Full(_))));
    start.gate.open();
    settle().await;
    assert_eq!(remote.call(|port| Count::AddAndGet(3, port)).await, Ok(6));
    assert_eq!(start.added(), [0, 1, 2, 3]);
}

async fn w17_many_that_stall_one_after_the_other_are_bounded_together(network: Network) {
    let (a, b, _, _) = narrow(&network).await;
    // What has moved on makes room for as much.
    for round in 0..3 {
        many_that_stall(&a, &b, round).await;
    }
}

async fn many_that_stall(a: &TestNode, b: &TestNode, round: u8) {
    let mut starts = Vec::new();
    let mut taken = Vec::new();
    for number in 0..20 {
        let (start, name) = (Start::narrow(1), format!("slow-{round}-{number}"));
        b.publish(&name, start.clone()).await;
        settle().await;
        let slow = a.find(&name);
        // All at once, before it can be said that it has no room.
        let fits = (0..).take_while(|number| slow.cast(Count::Add(*number)).is_ok()).count() as u64;
        settle().await;
        starts.push(start);
        taken.push(fits);
    }
    let bytes = taken.iter().sum::<u64>() * ADD_BYTES;
    let most = WINDOW * (1 + actor_cluster::limits::STALLED_WINDOWS_MAX);
    // Of each, one is in hand and one in the mailbox.
    assert!((most - WINDOW..most + 20 * 2 * ADD_BYTES + WINDOW).contains(&bytes), "{bytes} bytes");
    assert_eq!(taken.last(), Some(&0), "nothing more is taken");
    for start in &starts {
        start.gate.open();
    }
    settle().await;
    for (start, taken) in starts.iter().zip(taken) {
        assert_eq!(start.added(), (0..taken).collect::<Vec<_>>());
    }
    assert_eq!(a.find("other").call(Count::Get).await, Ok(0), "the lane goes on");
}

async fn w17_what_waits_for_an_actor_that_dies_is_answered(network: Network) {
    let (_a, _b, _, remote) = narrow(&network).await;
    let calls: Vec<_> = (0..5)
        .map(|number| {
            let remote = remote.clone();
            tokio::spawn(async move { remote.call(|port| Count::AddAndGet(number, port)).await })
        })
        .collect();
    settle().await;
    assert_eq!(remote.kill_and_wait(None).await, Ok(Exit::Killed));
    for (number, call) in calls.into_iter().enumerate() {
        let failure = failure(call.await.unwrap());
        // In its hand, in its mailbox, in front of its line, and behind that.
        let expected = match number {
            0 => CallFailure::NoReply,
            1 | 2 => CallFailure::Rejected(Rejection::Stopped),
            _ => CallFailure::Rejected(Rejection::NoSuchActor),
        };
        assert_eq!(failure, expected, "call {number}");
    }
}

async fn w17_a_mailbox_that_lets_nobody_wait_says_so(network: Network) {
    let (a, b) = super::support::two(&network).await;
    let start = Start { overflow: Overflow::Reject, ..Start::narrow(1) };
    let (_, remote) = remote_counter(&a, &b, start.clone()).await;
    remote.cast(Count::Add(1)).unwrap();
    settle().await;
    remote.cast(Count::Add(2)).unwrap();
    let refused = failure(remote.call(Count::Get).await);
    assert_eq!(refused, CallFailure::Rejected(Rejection::Full));
    start.gate.open();
    assert_eq!(remote.call(Count::Get).await, Ok(3));
}

async fn b16_a_full_mailbox_holds_up_no_control(network: Network) {
    let (a, b, start, remote) = narrow(&network).await;
    fill(&remote).await;
    // Watches, stops and news of what is published go by, and so do heartbeats.
    let other = a.find("other");
    assert_eq!(other.stop_and_wait(None, Some(Duration::from_millis(1))).await, Ok(Exit::Stopped(None)));
    b.publish("new", Start::default()).await;
    settle().await;
    let new = a.find("new");
    pass(3 * SILENCE).await;
    assert_eq!(a.peers(), [id(2)]);
    // An answer goes by too: it is no message.
    b.connect(&a).await;
    let here = a.publish("here", Start { count: 5, ..Start::default() }).await;
    settle().await;
    assert_eq!(b.find("here").call(Count::Get).await, Ok(5));
    assert_eq!(here.call(Count::Get).await, Ok(5));
    // A message to another actor goes past those that wait.
    assert_eq!(new.call(Count::Get).await, Ok(0));
    // The slow one can be killed from afar.
    assert_eq!(remote.kill_and_wait(None).await, Ok(Exit::Killed));
    assert!(start.added().is_empty());
}

async fn b16_a_call_that_never_left_in_time_says_so(network: Network) {
    let (_a, _b, start, remote) = narrow(&network).await;
    let taken = fill(&remote).await;
    let begun = Instant::now();
    let time = Duration::from_secs(2);
    match remote.call_timeout(time, |port| Count::AddAndGet(5, port)).await {
        Err(CallError::NotSent(SendError::Full(Count::AddAndGet(5, _)))) => {}
        other => panic!("there was no room, not {other:?}"),
    }
    assert_eq!(begun.elapsed(), time);
    start.gate.open();
    assert_eq!(remote.call(Count::Get).await, Ok((0..taken).sum()));
}

async fn b16_a_peer_that_does_not_read_makes_senders_wait(network: Network) {
    let (_a, _b, start, remote) = narrow(&network).await;
    start.gate.open();
    network.hold();
    let taken = fill(&remote).await;
    assert_eq!(taken, WINDOW.div_ceil(ADD_BYTES));
    let sending = tokio::spawn({
        let remote = remote.clone();
        async move { remote.send(Count::Add(taken)).await }
    });
    settle().await;
    assert!(!sending.is_finished());
    network.resume();
    assert_eq!(sending.await.unwrap(), Ok(()));
    assert_eq!(remote.call(Count::Get).await, Ok((0..=taken).sum()));
    assert_eq!(start.added(), (0..=taken).collect::<Vec<_>>());
}

async fn b16_large_and_small_messages_share_a_lane(network: Network) {
    let (a, b) = super::support::two(&network).await;
    let start = Start::default();
    let (_, remote) = remote_counter(&a, &b, start.clone()).await;
    for number in 0..200 {
        remote.send(Count::Load(vec![0; 40_000])).await.unwrap();
        remote.send(Count::Add(number)).await.unwrap();
    }
    assert_eq!(remote.call(Count::Get).await, Ok(200 * 40_000 + (0..200).sum::<u64>()));
    assert_eq!(start.added(), (0..200).collect::<Vec<_>>());
}

async fn b16_a_long_queue_is_delivered_without_a_pause(network: Network) {
    let (a, b) = super::support::two(&network).await;
    let start = Start::default();
    let (_, remote) = remote_counter(&a, &b, start.clone()).await;
    // More than a session delivers in one turn, all of it there at once.
    (0..5000).for_each(|number| remote.cast(Count::Add(number)).unwrap());
    settle().await;
    assert_eq!(start.added(), (0..5000).collect::<Vec<_>>());
}

async fn b16_senders_that_wait_are_told_when_the_session_is_lost(network: Network) {
    let (_a, _b, _, remote) = narrow(&network).await;
    fill(&remote).await;
    let sending: Vec<_> = (0..10)
        .map(|number| {
            let remote = remote.clone();
            tokio::spawn(async move { remote.send(Count::Add(number)).await })
        })
        .collect();
    settle().await;
    network.cut();
    for (number, sending) in (0..).zip(sending) {
        assert_eq!(sending.await.unwrap(), Err(SendError::NotConnected(Count::Add(number))));
    }
}

thread_local! {
    /// Whether grenades explode; these tests have one thread each.
    static IS_ARMED: Cell<bool> = const { Cell::new(false) };
}

/// Panics when it is dropped, once that is wanted.
#[derive(Debug, Wire)]
struct Grenade(u8);

impl Drop for Grenade {
    fn drop(&mut self) {
        assert!(!IS_ARMED.get() || std::thread::panicking(), "on purpose");
    }
}

#[derive(Debug, RemoteMessage)]
enum Toss {
    Grenade(Grenade),
}

/// Never gets done with the first one.
struct Juggler;

impl Actor for Juggler {
    type Msg = Toss;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Toss>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle(&self, _: &ActorRef<Toss>, _toss: Toss, (): &mut ()) -> Result<(), ActorError> {
        std::future::pending().await
    }
}

async fn a_message_that_panics_while_it_waits_harms_nobody_else(network: Network) {
    let (a, b) = super::support::two(&network).await;
    let options = SpawnOptions::new().mailbox(1.try_into().unwrap());
    let juggler = b.system.spawn(Juggler, (), options).await.unwrap();
    b.server.publish("juggler", &juggler).unwrap();
    b.publish("other", Start::default()).await;
    settle().await;
    let remote = a.server.find::<Toss>("juggler").unwrap();
    // In its hand, in its mailbox, in front of its line, and behind that.
    for number in 0..4 {
        remote.cast(Toss::Grenade(Grenade(number))).unwrap();
    }
    settle().await;
    IS_ARMED.set(true);
    // The one in its hand goes with it, and is its own.
    assert_eq!(juggler.kill_and_wait(None).await, Ok(Exit::Panicked("on purpose".into())));
    settle().await;
    IS_ARMED.set(false);
    assert_eq!(a.find("other").call(Count::Get).await, Ok(0));
    assert_eq!(a.peers(), [id(2)]);
}
