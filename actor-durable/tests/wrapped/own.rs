//! What a plain actor does besides its commands: messages to itself, timers, children, its own stop.

use std::time::Duration;

use actor_durable::DurableSystem;

use super::till::{Command, Reply, Till, money, till};
use super::{End, process};
use crate::stage::{World, pass};

const SECOND: Duration = Duration::from_secs(1);

async fn settle(system: &DurableSystem) {
    pass(system, Duration::from_millis(1)).await;
}

#[test]
fn d41_what_it_sends_itself_is_a_stored_turn_of_its_own() {
    let (mut world, plain) = (World::new(), Till::default());
    let store = world.store.clone();
    process(&mut world, store.clone(), plain.register(), End::Crash, async |system| {
        till(system).call(Command::AddLater(5, Duration::ZERO)).await.expect("it is stored");
        till(system).call(Command::AddLater(1, SECOND)).await.expect("it is stored");
        settle(system).await;
        assert_eq!(money(system).await, 5);
        pass(system, SECOND).await;
        assert_eq!(money(system).await, 6, "a timer is a message to itself");
    });
    process(&mut world, store, plain.register(), End::InPeace, async |system| {
        assert_eq!(money(system).await, 6, "its turns were stored");
    });
}

#[test]
fn d41_what_it_has_not_yet_told_itself_is_lost_with_the_process() {
    let (mut world, plain) = (World::new(), Till::default());
    let store = world.store.clone();
    process(&mut world, store.clone(), plain.register(), End::Crash, async |system| {
        till(system).call(Command::AddLater(5, SECOND)).await.expect("it is stored");
    });
    process(&mut world, store, plain.register(), End::InPeace, async |system| {
        pass(system, 20 * SECOND).await;
        assert_eq!(money(system).await, 0);
    });
}

#[test]
fn d41_a_message_to_itself_that_fails_changes_nothing_and_ends_its_life() {
    let (mut world, plain) = (World::new(), Till::default());
    let store = world.store.clone();
    process(&mut world, store, plain.register(), End::InPeace, async |system| {
        till(system).call(Command::Add(5)).await.expect("it is stored");
        till(system).call(Command::AddLater(1, SECOND)).await.expect("it is stored");
        till(system).call(Command::AddLater(-7, Duration::ZERO)).await.expect("it is stored");
        settle(system).await;
        assert_eq!(money(system).await, 5);
        assert_eq!(plain.hooks(), [1, 2, 0], "another life began, of the state as it was stored");
        pass(system, 2 * SECOND).await;
        assert_eq!(money(system).await, 5, "a timer is of the life that set it");
        till(system).call(Command::AddLater(1, SECOND)).await.expect("it is stored");
        pass(system, 2 * SECOND).await;
        assert_eq!(money(system).await, 6, "the new life has its own");
    });
}

#[test]
fn d41_a_message_to_itself_that_changes_nothing_stores_nothing() {
    let (mut world, plain) = (World::new(), Till::default());
    let store = world.store.clone();
    process(&mut world, store, plain.register(), End::InPeace, async |system| {
        let till = till(system);
        till.call(Command::AddLater(0, SECOND)).await.expect("it is stored");
        let sequence = async || {
            let head = system.store().head(till.id()).await.expect("it is in memory");
            head.expect("there is one").sequence
        };
        let before = sequence().await;
        pass(system, 2 * SECOND).await;
        assert_eq!(sequence().await, before);
    });
}

#[test]
fn d41_the_end_of_a_child_is_a_stored_turn() {
    let (mut world, plain) = (World::new(), Till::default());
    let store = world.store.clone();
    process(&mut world, store.clone(), plain.register(), End::Crash, async |system| {
        till(system).call(Command::Child).await.expect("it is stored");
        settle(system).await;
        assert_eq!(till(system).call(Command::Ends).await.ok(), Some(Reply::Ends(1)));
    });
    process(&mut world, store, plain.register(), End::InPeace, async |system| {
        assert_eq!(till(system).call(Command::Ends).await.ok(), Some(Reply::Ends(1)), "it was stored");
        assert!(system.is_active(till(system).id()));
    });
}

#[test]
fn d41_an_actor_that_stops_itself_gives_its_memory_back_and_comes_again() {
    let (mut world, mut plain) = (World::new(), Till::default());
    plain.ends_with_child = true;
    let store = world.store.clone();
    process(&mut world, store, plain.register(), End::InPeace, async |system| {
        till(system).call(Command::Add(5)).await.expect("it is stored");
        till(system).call(Command::Stop).await.expect("it is stored");
        settle(system).await;
        assert!(!system.is_active(till(system).id()));
        assert_eq!(plain.hooks(), [1, 1, 1]);
        assert_eq!(money(system).await, 5, "the next command activates it");
        assert_eq!(plain.hooks(), [1, 2, 1]);
        till(system).call(Command::Child).await.expect("it is stored");
        settle(system).await;
        assert!(!system.is_active(till(system).id()), "it ended with its child");
        assert_eq!(till(system).call(Command::Ends).await.ok(), Some(Reply::Ends(1)));
    });
}
