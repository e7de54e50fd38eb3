//! What holds for every durable actor holds for a plain one that is wrapped.

use std::future::IntoFuture;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actor_durable::testing::FaultMode;
use actor_durable::{AskError, Doubt, DurableSystem, NotApplied, WrapError, Wrapped};

use super::till::{Command, Reply, Till, money, till};
use super::{End, failing, process};
use crate::stage::{self, World, account, pass};

#[test]
fn d41_a_wrapped_actor_is_there_again_after_its_process() {
    let (mut world, plain) = (World::new(), Till::default());
    let store = world.store.clone();
    process(&mut world, store.clone(), plain.register(), End::Crash, async |system| {
        assert_eq!(till(system).call(Command::Add(5)).await.ok(), Some(Reply::Money(5)));
    });
    assert_eq!(plain.hooks(), [1, 1, 0], "it began once, and was never stopped");
    process(&mut world, store.clone(), plain.register(), End::InPeace, async |system| {
        assert_eq!(till(system).call(Command::Add(2)).await.ok(), Some(Reply::Money(7)));
    });
    assert_eq!(plain.hooks(), [1, 2, 1], "it was, lived again, and was stopped in peace");
    process(&mut world, store, plain.register(), End::InPeace, async |system| {
        assert_eq!(money(system).await, 7, "what `post_stop` does to the state is not kept");
        let rich = system.actor::<Wrapped<Till>>("rich").expect("a good id");
        let held = rich.call(Command::Get).await.ok();
        assert_eq!(held, Some(Reply::Money(100)), "an actor begins with its arguments");
    });
}

#[test]
fn d41_a_command_is_applied_once_and_answered_again_after_a_crash() {
    let (mut world, plain) = (World::new(), Till::default());
    let store = world.store.clone();
    let id = process(&mut world, store.clone(), plain.register(), End::Crash, async |system| {
        let id = till(system).new_message_id();
        for _ in 0..2 {
            assert_eq!(till(system).call(Command::Add(5)).id(id).await.ok(), Some(Reply::Money(5)));
        }
        till(system).call(Command::Add(1)).await.expect("it is stored");
        id
    });
    process(&mut world, store, plain.register(), End::InPeace, async |system| {
        assert_eq!(till(system).call(Command::Add(5)).id(id).await.ok(), Some(Reply::Money(5)));
        assert_eq!(money(system).await, 6);
    });
    assert_eq!(plain.runs.load(Ordering::Relaxed), 3, "two additions, and a look");
}

#[test]
fn d41_no_reply_leaves_before_it_is_stored() {
    let (mut world, plain) = (World::new(), Till::default());
    let store = failing(&world, 2, FaultMode::Pause);
    process(&mut world, Arc::new(store.clone()), plain.register(), End::InPeace, async |system| {
        let till = till(system);
        let id = till.new_message_id();
        let early = till.call(Command::Add(5)).id(id).timeout(Duration::from_secs(1)).await;
        assert!(matches!(early, Err(AskError::Unknown { why: Doubt::TimedOut(_), .. })), "{early:?}");
        assert_eq!(plain.runs.load(Ordering::Relaxed), 1, "it was handled, and is being stored");
        store.resume();
        assert_eq!(till.call(Command::Add(5)).id(id).await.ok(), Some(Reply::Money(5)));
        assert_eq!(money(system).await, 5);
    });
}

#[test]
fn d41_a_commit_that_failed_has_left_nothing_behind() {
    let (mut world, plain) = (World::new(), Till::default());
    let store = failing(&world, 2, FaultMode::Refuse);
    process(&mut world, Arc::new(store), plain.register(), End::InPeace, async |system| {
        let refused = till(system).call(Command::Add(5)).await;
        assert!(matches!(refused, Err(AskError::NotApplied(NotApplied::Store(_)))), "{refused:?}");
        assert_eq!(money(system).await, 0);
    });
}

#[test]
fn d41_an_error_refuses_the_command_and_the_state_is_as_before() {
    let (mut world, plain) = (World::new(), Till::default());
    let store = world.store.clone();
    let refused = |answer: Result<Reply, AskError<WrapError>>| match answer {
        Err(AskError::Refused(error)) => error,
        other => panic!("{other:?}"),
    };
    let poor = WrapError::Failed("there is too little: 2 is missing".to_owned());
    let id = process(&mut world, store.clone(), plain.register(), End::Crash, async |system| {
        till(system).call(Command::Add(5)).await.expect("it is stored");
        let id = till(system).new_message_id();
        assert_eq!(refused(till(system).call(Command::Take(7)).id(id).await), poor);
        assert_eq!(money(system).await, 5, "it had taken the money before it saw");
        assert_eq!(plain.hooks(), [1, 2, 0], "another life began, of the state as it was stored");
        id
    });
    process(&mut world, store, plain.register(), End::InPeace, async |system| {
        till(system).call(Command::Add(5)).await.expect("it is stored");
        assert_eq!(refused(till(system).call(Command::Take(7)).id(id).await), poor, "it is remembered");
        pass(system, Duration::from_secs(20)).await;
        let sent = account(system, "account").call(stage::Command::Get).await.ok();
        assert_eq!(sent, Some(10), "a refused command sends nothing");
    });
}

#[test]
fn d41_a_command_without_a_reply_is_refused_and_its_port_is_closed() {
    let (mut world, plain) = (World::new(), Till::default());
    let store = world.store.clone();
    process(&mut world, store, plain.register(), End::InPeace, async |system| {
        let kept = till(system).call(Command::Keep).await;
        assert!(matches!(kept, Err(AskError::Refused(WrapError::Unanswered))), "{kept:?}");
        let failed = till(system).call(Command::FailCall).await;
        assert!(matches!(failed, Err(AskError::Refused(WrapError::Failed(_)))), "{failed:?}");
        assert_eq!(money(system).await, 0, "nothing was changed");
        assert_eq!(till(system).call(Command::KeptAreClosed).await.ok(), Some(Reply::Closed(true)));
    });
}

#[test]
fn d41_a_panic_changes_nothing_and_a_letter_that_panics_is_given_up() {
    let (mut world, plain) = (World::new(), Till::default());
    let store = world.store.clone();
    process(&mut world, store, plain.register(), End::InPeace, async |system: &DurableSystem| {
        let till = till(system);
        till.call(Command::Add(5)).await.expect("it is stored");
        let panicked = till.call(Command::Panic).await;
        assert!(matches!(panicked, Err(AskError::NotApplied(NotApplied::Panicked(_)))), "{panicked:?}");
        assert_eq!(money(system).await, 5);
        let poison = till.send(Command::Panic).await.expect("it is stored");
        till.send(Command::Add(1)).await.expect("it is stored");
        pass(system, Duration::from_secs(60)).await;
        assert_eq!(money(system).await, 6, "those behind it are handled");
        let dead = system.store().dead_letters(till.id(), None, 10).await.expect("it is there");
        let dead: Vec<_> = dead.into_iter().map(|dead| dead.letter.message.id).collect();
        assert_eq!(dead, [poison]);
    });
}

#[test]
fn d41_many_callers_at_once_have_each_their_own_reply() {
    let (mut world, plain) = (World::new(), Till::default());
    let store = world.store.clone();
    process(&mut world, store, plain.register(), End::InPeace, async |system| {
        let till = till(system);
        let calls = (0..50).map(|_| till.call(Command::Add(1)).into_future());
        let replies = futures_util::future::join_all(calls).await;
        let mut replies: Vec<i64> = replies
            .into_iter()
            .map(|reply| match reply {
                Ok(Reply::Money(money)) => money,
                other => panic!("{other:?}"),
            })
            .collect();
        replies.sort_unstable();
        assert_eq!(replies, (1..=50).collect::<Vec<_>>());
    });
}
