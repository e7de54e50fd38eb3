//! Messages that others must not delay: a consensus protocol's heartbeats beside whatever else two nodes say to each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actor_cluster::RemoteMessage;
use actor_core::{Actor, ActorError, ActorRef, ReplyPort, SpawnOptions};
use tokio::time::Instant;

use super::Network;
use super::support::{BEAT, Count, Start, TestNode, node, node_with, on_every_shape, settle};

on_every_shape! {
    b21_urgent_calls_overtake_what_waits_and_others_do_not
    b21_urgent_calls_come_through_where_everybody_else_has_stalled
}

#[derive(Debug, RemoteMessage)]
#[wire(name = "test/urgent", urgent)]
enum Urgent {
    /// What the counter beside it has counted so far.
    #[rpc]
    Look(ReplyPort<u64>),
}

#[derive(Debug, RemoteMessage)]
enum Ordinary {
    #[rpc]
    Look(ReplyPort<u64>),
}

/// Says what a counter has counted.
struct Looker(Start);

macro_rules! looker {
    ($name:ident, $message:ident) => {
        struct $name(Looker);

        impl Actor for $name {
            type Msg = $message;
            type State = ();
            type Arguments = ();

            async fn pre_start(&self, _: &ActorRef<$message>, (): ()) -> Result<(), ActorError> {
                Ok(())
            }

            async fn handle(
                &self,
                _: &ActorRef<$message>,
                $message::Look(port): $message,
                (): &mut (),
            ) -> Result<(), ActorError> {
                let _ = port.send(self.0.0.added().len() as u64);
                Ok(())
            }
        }
    };
}
looker!(UrgentLooker, Urgent);
looker!(OrdinaryLooker, Ordinary);

async fn lookers(at: &TestNode, start: &Start) {
    let looker = || Looker(start.clone());
    let urgent = at.system.spawn(UrgentLooker(looker()), (), SpawnOptions::new()).await.unwrap();
    let ordinary = at.system.spawn(OrdinaryLooker(looker()), (), SpawnOptions::new()).await.unwrap();
    at.server.publish("urgent", &urgent).unwrap();
    at.server.publish("ordinary", &ordinary).unwrap();
}

/// Casts as fast as they are taken, and calls beside them: how many casts were counted while the call was under way.
async fn b21_urgent_calls_overtake_what_waits_and_others_do_not(network: Network) {
    let (a, b) = (node(&network, 1).await, node(&network, 2).await);
    let start = Start::default();
    b.publish("counter", start.clone()).await;
    lookers(&b, &start).await;
    a.connect(&b).await;
    settle().await;
    let is_over = Arc::new(AtomicBool::new(false));
    let senders: Vec<_> = (0..4)
        .map(|_| {
            let (counter, is_over) = (a.find("counter"), is_over.clone());
            tokio::spawn(async move {
                for number in 0.. {
                    if is_over.load(Ordering::Relaxed) {
                        return;
                    }
                    counter.send(Count::Add(number)).await.unwrap();
                }
            })
        })
        .collect();
    let urgent: ActorRef<Urgent> = a.server.find("urgent").unwrap();
    let ordinary: ActorRef<Ordinary> = a.server.find("ordinary").unwrap();
    let (mut with_urgent, mut with_ordinary) = (0, 0);
    for _ in 0..50 {
        let before = start.added().len() as u64;
        with_urgent += urgent.call(Urgent::Look).await.unwrap() - before;
        let before = start.added().len() as u64;
        with_ordinary += ordinary.call(Ordinary::Look).await.unwrap() - before;
    }
    is_over.store(true, Ordering::Relaxed);
    for sender in senders {
        sender.await.unwrap();
    }
    assert!(
        4 * with_urgent < with_ordinary,
        "{with_urgent} casts before urgent calls, {with_ordinary} before others"
    );
}

async fn b21_urgent_calls_come_through_where_everybody_else_has_stalled(network: Network) {
    const WINDOW: u64 = 4096;
    let a = node(&network, 1).await;
    let b = node_with(&network, 2, |builder| builder.window_bytes(WINDOW)).await;
    for number in 0..20 {
        b.publish(&format!("slow-{number}"), Start::narrow(1)).await;
    }
    lookers(&b, &Start::default()).await;
    a.connect(&b).await;
    settle().await;
    // One after the other takes as much as it may, and none lets anything through.
    for number in 0..20 {
        let slow = a.find(&format!("slow-{number}"));
        // All at once, before it can be said that it has no room.
        while slow.cast(Count::Add(0)).is_ok() {}
        settle().await;
    }
    let ordinary: ActorRef<Ordinary> = a.server.find("ordinary").unwrap();
    let stuck = tokio::spawn(async move { ordinary.call(Ordinary::Look).await });
    let urgent: ActorRef<Urgent> = a.server.find("urgent").unwrap();
    let since = Instant::now();
    for _ in 0..100 {
        assert_eq!(urgent.call(Urgent::Look).await.unwrap(), 0);
    }
    assert!(since.elapsed() < BEAT, "{:?}", since.elapsed());
    assert!(!stuck.is_finished(), "everything else waits");
}
