//! How subscriptions end, and what harms nobody else.

use std::sync::Arc;

use actor_core::{Accepts, ActorRef, Backlog, Recipient, WhenFull};
use actor_toolkit::topics::{SubscriptionEnd, Topics};

use crate::support::{Gate, MS, Message, Note, heard, held, listener, pass, simulated};

#[test]
fn c18_a_subscription_ends_with_its_actor_though_nobody_publishes() {
    simulated(|system| async move {
        let topics: Topics<Note> = Topics::new(&system);
        let (gone, stays) = (listener(&system).await, listener(&system).await);
        let subscription = topics.subscribe("a", &gone).unwrap();
        topics.subscribe("a", &stays).unwrap();
        gone.stop_and_wait(None, None).await.unwrap();
        pass(&system, MS).await;
        assert_eq!((topics.subscriptions(), subscription.end()), (1, Some(SubscriptionEnd::Stopped)));
        assert_eq!(topics.publish("a", Note(1)).unwrap().subscriptions(), 1);
        // One that has ended before ends at once.
        let late = topics.subscribe("a", &gone).unwrap();
        assert_eq!((topics.subscriptions(), late.end()), (1, Some(SubscriptionEnd::Stopped)));
        late.cancel();
        assert_eq!(late.end(), Some(SubscriptionEnd::Stopped));
        assert_eq!(heard(&stays).await, [1]);
    });
}

#[test]
fn c18_what_waits_is_dropped_when_it_is_cancelled() {
    simulated(|system| async move {
        let topics: Topics<Note> = Topics::new(&system);
        let gate = Gate::default();
        let stuck = held(&system, 1, &gate).await;
        let subscription = topics.subscribe("a", &stuck).unwrap();
        for number in 0..10 {
            drop(topics.publish("a", Note(number)).unwrap());
        }
        pass(&system, MS).await;
        subscription.cancel();
        subscription.cancel();
        assert_eq!((subscription.waiting(), subscription.end()), (0, Some(SubscriptionEnd::Cancelled)));
        assert_eq!((topics.subscriptions(), topics.publish("a", Note(10)).unwrap().subscriptions()), (0, 0));
        gate.open();
        pass(&system, MS).await;
        assert_eq!((heard(&stuck).await, subscription.dropped()), (vec![0], 0));
    });
}

#[test]
fn c18_what_was_published_arrives_though_the_topics_are_gone() {
    simulated(|system| async move {
        let topics: Topics<Note> = Topics::new(&system);
        let gate = Gate::default();
        let stuck = held(&system, 1, &gate).await;
        let subscription = topics.subscribe("a", &stuck).unwrap();
        for number in 0..10 {
            drop(topics.publish("a", Note(number)).unwrap());
        }
        drop(topics);
        gate.open();
        pass(&system, MS).await;
        assert_eq!(heard(&stuck).await, (0..10).collect::<Vec<_>>());
        subscription.cancel();
    });
}

/// A message whose destructor and clone do as they are told.
struct Bomb {
    number: u32,
    explodes: bool,
    alive: Arc<()>,
}

impl Clone for Bomb {
    fn clone(&self) -> Self {
        Self { number: self.number, explodes: self.explodes, alive: self.alive.clone() }
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        if std::mem::take(&mut self.explodes) {
            panic!("a message's destructor");
        }
    }
}

impl Accepts<Bomb> for Message {
    fn wrap(bomb: Bomb) -> Self {
        let mut bomb = bomb;
        bomb.explodes = false;
        Message::Note(Note(bomb.number))
    }

    fn take_back(self) -> Option<Bomb> {
        let Message::Note(Note(number)) = self else { return None };
        Some(Bomb { number, explodes: true, alive: Arc::new(()) })
    }
}

#[test]
fn c18_messages_whose_destructors_panic_harm_nobody() {
    simulated(|system| async move {
        let topics: Topics<Bomb> = Topics::new(&system);
        let gate = Gate::default();
        let (stuck, free) = (held(&system, 1, &gate).await, listener(&system).await);
        let recipient = |actor: &ActorRef<Message>| -> Recipient<Bomb> { actor.recipient() };
        let lossy = Backlog::new(1, WhenFull::DropOldest).unwrap();
        let lossy = topics.subscribe_with(lossy, "a", recipient(&stuck)).unwrap();
        let strict = Backlog::new(1, WhenFull::Fail).unwrap();
        let strict = topics.subscribe_with(strict, "a", recipient(&stuck)).unwrap();
        topics.subscribe("a", recipient(&free)).unwrap();
        let alive = Arc::new(());
        for number in 0..10 {
            let bomb = Bomb { number, explodes: true, alive: alive.clone() };
            drop(topics.publish("a", bomb).unwrap());
        }
        assert_eq!(strict.end(), Some(SubscriptionEnd::Failed));
        lossy.cancel();
        assert_eq!(heard(&free).await, (0..10).collect::<Vec<_>>());
        assert_eq!(topics.subscriptions(), 1);
        gate.open();
        pass(&system, MS).await;
        assert_eq!(Arc::strong_count(&alive), 1);
    });
}

#[test]
fn c18_a_failing_subscriber_harms_nobody() {
    simulated(|system| async move {
        let topics: Topics<Note> = Topics::new(&system);
        let (fails, free) = (listener(&system).await, listener(&system).await);
        topics.subscribe("#", &fails).unwrap();
        topics.subscribe("#", &free).unwrap();
        fails.cast(Message::Fail).unwrap();
        drop(topics.publish("a", Note(1)).unwrap());
        fails.wait(None).await.unwrap();
        drop(topics.publish("a", Note(2)).unwrap());
        assert_eq!((heard(&free).await, topics.subscriptions()), (vec![1, 2], 1));
    });
}
