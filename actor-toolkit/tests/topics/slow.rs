//! What a slow subscriber costs: itself what its policy says, and the others nothing.

use actor_core::{Backlog, Capacity, DeadReason, Event, Overflow, SpawnOptions, WhenFull};
use actor_toolkit::topics::{SubscriptionEnd, Topics};

use crate::support::{Gate, Listener, MS, Message, Note, heard, held, listener, pass, recorded, simulated};

#[test]
fn c18_a_burst_past_one_that_stands_still_reaches_all_others() {
    const BURST: u32 = 10_000;
    simulated(|system| async move {
        let topics: Topics<Note> = Topics::new(&system);
        let gate = Gate::default();
        let stuck = held(&system, 1, &gate).await;
        let waiting = topics.subscribe("load.#", &stuck).unwrap();
        let mut others = Vec::new();
        for _ in 1..50 {
            let options = SpawnOptions::new().mailbox(Capacity::try_from(100).unwrap());
            let actor = system.spawn(Listener, (), options).await.unwrap();
            topics.subscribe("load.*", &actor).unwrap();
            others.push(actor);
        }
        for number in 0..BURST {
            assert_eq!(topics.publish("load.x", Note(number)).unwrap().subscriptions(), 50);
        }
        pass(&system, MS).await;
        for actor in &others {
            assert!(heard(actor).await.into_iter().eq(0..BURST));
        }
        assert!(waiting.waiting() > 9_000);
        gate.open();
        pass(&system, MS).await;
        assert!(heard(&stuck).await.into_iter().eq(0..BURST));
        assert_eq!((waiting.waiting(), waiting.delivered(), waiting.dropped()), (0, u64::from(BURST), 0));
    });
}

#[test]
fn c18_a_slow_subscriber_loses_the_oldest_and_they_are_counted() {
    simulated(|system| async move {
        let topics: Topics<Note> = Topics::new(&system);
        let gate = Gate::default();
        let (stuck, free) = (held(&system, 1, &gate).await, listener(&system).await);
        let lossy =
            topics.subscribe_with(Backlog::new(3, WhenFull::DropOldest).unwrap(), "a", &stuck).unwrap();
        topics.subscribe("a", &free).unwrap();
        // One in the mailbox, one on its way there, three that wait.
        drop(topics.publish("a", Note(0)).unwrap());
        drop(topics.publish("a", Note(1)).unwrap());
        pass(&system, MS).await;
        for number in 2..20 {
            let receipt = topics.publish("a", Note(number)).unwrap();
            assert_eq!((receipt.delivered(), receipt.waiting(), receipt.refused().len()), (1, 1, 0));
        }
        assert_eq!((lossy.waiting(), lossy.dropped(), lossy.end()), (3, 15, None));
        gate.open();
        pass(&system, MS).await;
        drop(topics.publish("a", Note(20)).unwrap());
        assert_eq!(heard(&stuck).await, [0, 1, 17, 18, 19, 20]);
        assert_eq!((lossy.delivered(), lossy.dropped()), (6, 15));
        assert!(heard(&free).await.into_iter().eq(0..=20));
    });
}

#[test]
fn c18_a_subscription_that_may_not_lose_fails_alone() {
    simulated(|system| async move {
        let topics: Topics<Note> = Topics::new(&system);
        let gate = Gate::default();
        let (stuck, free) = (held(&system, 1, &gate).await, listener(&system).await);
        let strict = topics.subscribe_with(Backlog::new(3, WhenFull::Fail).unwrap(), "a", &stuck).unwrap();
        topics.subscribe("a", &free).unwrap();
        drop(topics.publish("a", Note(0)).unwrap());
        drop(topics.publish("a", Note(1)).unwrap());
        pass(&system, MS).await;
        for number in 2..5 {
            drop(topics.publish("a", Note(number)).unwrap());
        }
        assert_eq!((strict.waiting(), strict.end(), topics.subscriptions()), (3, None, 2));
        assert_eq!(topics.publish("a", Note(5)).unwrap().subscriptions(), 1);
        assert_eq!(
            (strict.waiting(), strict.end(), topics.subscriptions()),
            (0, Some(SubscriptionEnd::Failed), 1)
        );
        assert_eq!(strict.ended().await, SubscriptionEnd::Failed);
        drop(topics.publish("a", Note(6)).unwrap());
        gate.open();
        pass(&system, MS).await;
        // What the mailbox had is handled; the one on its way counts as lost, as all others do.
        assert_eq!((heard(&stuck).await, strict.delivered(), strict.dropped()), (vec![0], 1, 5));
        assert!(heard(&free).await.into_iter().eq(0..=6));
    });
}

#[test]
fn c18_a_publisher_may_wait_for_those_who_may_miss_nothing() {
    simulated(|system| async move {
        let topics: Topics<Note> = Topics::new(&system);
        let (gate, other_gate) = (Gate::default(), Gate::default());
        let (slow, other) = (held(&system, 1, &gate).await, held(&system, 1, &other_gate).await);
        let free = listener(&system).await;
        let small = Backlog::new(1, WhenFull::Wait).unwrap();
        let waits = topics.subscribe_with(small, "a", &slow).unwrap();
        let waits_too = topics.subscribe_with(small, "a", &other).unwrap();
        topics.subscribe("a", &free).unwrap();
        // In the mailbox, on its way there, and in the backlog.
        for number in 0..3 {
            assert!(topics.publish("a", Note(number)).unwrap().refused().is_empty());
            pass(&system, MS).await;
        }
        let receipt = topics.publish("a", Note(3)).unwrap();
        assert_eq!((receipt.delivered(), receipt.waiting(), receipt.refused().len()), (1, 0, 2));
        // The others have it, and of the two that have not none waits for the other.
        assert_eq!(heard(&free).await, [0, 1, 2, 3]);
        let settled = async {
            receipt.settled().await;
            system.executor().now()
        };
        let opened = async {
            other_gate.open();
            pass(&system, MS).await;
            assert_eq!(heard(&other).await, [0, 1, 2, 3]);
            pass(&system, 9 * MS).await;
            let now = system.executor().now();
            gate.open();
            now
        };
        let (settled, opened) = tokio::join!(settled, opened);
        assert_eq!(settled, opened);
        pass(&system, MS).await;
        assert_eq!(heard(&slow).await, [0, 1, 2, 3]);
        assert_eq!((waits.dropped(), waits_too.dropped()), (0, 0));
        // Who does not wait does without, and it is counted.
        slow.cast(Message::Hold(gate.clone())).unwrap();
        gate.reached().await;
        for number in 4..8 {
            drop(topics.publish("a", Note(number)).unwrap());
            pass(&system, MS).await;
        }
        assert_eq!((waits.dropped(), waits_too.dropped()), (1, 0));
        let refused = topics.publish("a", Note(8)).unwrap().into_refused().pop().unwrap();
        assert_eq!(refused.subscription().actor_id(), slow.id());
        // And of one that is over the message comes back.
        let (sent, ()) = tokio::join!(refused.send(), async { waits.cancel() });
        assert_eq!(sent, Err(Note(8)));
        assert_eq!(waits.dropped(), 1);
    });
}

#[test]
fn c18_a_subscriber_whose_mailbox_lets_nobody_wait_loses_nothing() {
    simulated(|system| async move {
        let topics: Topics<Note> = Topics::new(&system);
        let gate = Gate::default();
        let options = SpawnOptions::new().mailbox(Capacity::try_from(1).unwrap()).overflow(Overflow::Reject);
        let actor = system.spawn(Listener, (), options).await.unwrap();
        actor.cast(Message::Hold(gate.clone())).unwrap();
        gate.reached().await;
        let subscription = topics.subscribe("a", &actor).unwrap();
        for number in 0..5 {
            drop(topics.publish("a", Note(number)).unwrap());
        }
        pass(&system, MS).await;
        gate.open();
        pass(&system, MS).await;
        assert_eq!((heard(&actor).await, subscription.waiting()), ((0..5).collect(), 0));
    });
}

#[test]
fn c18_what_a_subscription_loses_is_told() {
    recorded(|system, recorder| async move {
        let topics: Topics<Note> = Topics::new(&system);
        let gate = Gate::default();
        let stuck = held(&system, 1, &gate).await;
        let lossy = Backlog::new(1, WhenFull::DropOldest).unwrap();
        let lossy = topics.subscribe_with(lossy, "a", &stuck).unwrap();
        let patient = Backlog::new(1, WhenFull::Wait).unwrap();
        let patient = topics.subscribe_with(patient, "b", &stuck).unwrap();
        // One in the mailbox, one in hand, one that waits, one that it is dropped for; of the
        // other, one in hand, one that waits, one that is refused.
        for topic in ["a", "a", "a", "b", "b", "b"] {
            drop(topics.publish(topic, Note(1)).unwrap());
            pass(&system, MS).await;
        }
        drop(topics.publish("a", Note(1)).unwrap());
        assert_eq!((lossy.dropped(), patient.dropped()), (1, 1));
        let lost = |reason| {
            let is_so = |event: &Event| matches!(event, Event::DeadLetter(dead) if dead.reason == reason);
            recorder.take().into_iter().filter(is_so).count()
        };
        assert_eq!(lost(DeadReason::Dropped), 2);
        // What waits dies with the actor, beside what lies in its mailbox.
        stuck.kill_and_wait(None).await.unwrap();
        pass(&system, MS).await;
        assert_eq!(lost(DeadReason::Stopped), 1 + 2 + 2);
        gate.open();
    });
}

/// Many publishers, on threads of their own: each one's messages arrive in its order, and all do.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn c18_messages_of_one_publisher_arrive_in_order_however_many_publish() {
    const EACH: u32 = 2_000;
    let system = actor_core::ActorSystem::new();
    let topics: Topics<Note> = Topics::new(&system);
    // Small, so that the way by the backlog and the way past it take turns.
    let options = SpawnOptions::new().mailbox(Capacity::try_from(4).unwrap());
    let actor = system.spawn(Listener, (), options).await.unwrap();
    let subscription = topics.subscribe("#", &actor).unwrap();
    let publishers: Vec<_> = (0..4)
        .map(|publisher| {
            let topics = topics.clone();
            tokio::spawn(async move {
                for number in 0..EACH {
                    topics.publish("a.b", Note(publisher * EACH + number)).unwrap().settled().await;
                    if number % 64 == 0 {
                        tokio::task::yield_now().await;
                    }
                }
            })
        })
        .collect();
    for publisher in publishers {
        publisher.await.unwrap();
    }
    while subscription.delivered() < u64::from(4 * EACH) {
        tokio::task::yield_now().await;
    }
    let heard = heard(&actor).await;
    for publisher in 0..4 {
        let of_it = heard.iter().copied().filter(|number| number / EACH == publisher);
        assert!(of_it.eq(publisher * EACH..(publisher + 1) * EACH));
    }
    assert_eq!(subscription.dropped(), 0);
}
