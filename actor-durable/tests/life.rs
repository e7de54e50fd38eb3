//! What an actor is after its process has ended: as it was when it last answered.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use actor_core::{ActorError, ActorSystem};
use actor_durable::limits::{LEASE_DEFAULT, LOOK_INTERVAL_DEFAULT};
use actor_durable::store::{Outgoing, Refusal, Store, StoreError};
use actor_durable::testing::FaultStore;
use actor_durable::{
    AskError, Doubt, Durable, DurableActor, DurableBuilder, DurableId, DurableRef, DurableSystem,
    MemoryStore, NoError, NotApplied, Outlet, Turn,
};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use crate::stage::{Account, Command, Forgotten, Poor, World, Written, WrittenBack, account, pass};

#[test]
fn d01_d30_what_was_answered_is_there_after_a_crash() {
    let mut world = World::new();
    world.run_and_crash(async |system| {
        let account = account(system, "a");
        assert_eq!(account.call(Command::Add(5)).await.ok(), Some(5));
        assert_eq!(account.call(Command::Add(2)).await.ok(), Some(7));
    });
    let balance = world.run(async |system| account(system, "a").call(Command::Get).await.ok());
    assert_eq!(balance, Some(7));
}

#[test]
fn d02_a_refused_command_leaves_the_state_as_it_was_and_the_refusal_is_remembered() {
    let mut world = World::new();
    world.run(async |system| {
        let account = account(system, "a");
        account.call(Command::Add(5)).await.expect("it is stored");
        let id = account.new_message_id();
        for _ in 0..2 {
            let refused = account.call(Command::Take(8)).id(id).await;
            assert!(matches!(refused, Err(AskError::Refused(Poor { missing: 3 }))), "{refused:?}");
            assert_eq!(account.call(Command::Get).await.ok(), Some(5));
        }
    });
    // The refused one ran once, with an addition and two looks.
    assert_eq!(world.account.runs.load(Ordering::Relaxed), 4);
}

#[test]
fn d03_on_start_runs_once_ever_and_on_recover_with_each_activation() {
    let mut world = World::new();
    for _ in 0..3 {
        world.run_and_crash(async |system| {
            account(system, "a").call(Command::Add(1)).await.expect("it is stored");
        });
    }
    assert_eq!(world.account.starts.load(Ordering::Relaxed), 1);
    assert_eq!(world.account.recoveries.load(Ordering::Relaxed), 3);
}

#[test]
fn d10_the_same_id_has_one_effect_and_one_reply() {
    let mut world = World::new();
    let id = world.run_and_crash(async |system| {
        let account = account(system, "a");
        let id = account.new_message_id();
        assert_eq!(account.call(Command::Add(5)).id(id).await.ok(), Some(5));
        assert_eq!(account.call(Command::Add(1)).await.ok(), Some(6));
        assert_eq!(account.call(Command::Add(5)).id(id).await.ok(), Some(5));
        id
    });
    world.run(async |system| {
        let account = account(system, "a");
        assert_eq!(account.call(Command::Add(5)).id(id).await.ok(), Some(5));
        assert_eq!(account.call(Command::Get).await.ok(), Some(6));
    });
}

#[test]
fn a_panic_changes_nothing_and_the_actor_goes_on() {
    let mut world = World::new();
    world.run(async |system| {
        let account = account(system, "a");
        account.call(Command::Add(5)).await.expect("it is stored");
        let panicked = account.call(Command::Panic).await;
        let Err(AskError::NotApplied(NotApplied::Panicked(text))) = panicked else { panic!("{panicked:?}") };
        assert_eq!(text, "so it was asked");
        assert_eq!(account.call(Command::Get).await.ok(), Some(5));
    });
}

#[test]
fn d31_written_back_a_crash_loses_the_last_interval_and_nothing_else() {
    let mut world = World::new();
    world.run_and_crash(async |system| {
        let actor: DurableRef<WrittenBack> = system.actor("a").expect("a good id");
        actor.call(Command::Add(1)).await.expect("it is answered at once");
        pass(system, Duration::from_secs(2)).await;
        actor.call(Command::Add(10)).await.expect("it is answered at once");
    });
    let left = world.run(async |system| {
        let actor: DurableRef<WrittenBack> = system.actor("a").expect("a good id");
        let left = actor.call(Command::Get).await.ok();
        actor.call(Command::Add(100)).await.expect("it is answered at once");
        left
    });
    assert_eq!(left, Some(1));
    // That process ended gracefully.
    let left = world.run(async |system| {
        system.actor::<WrittenBack>("a").expect("a good id").call(Command::Get).await.ok()
    });
    assert_eq!(left, Some(101));
}

#[test]
fn d32_lazy_a_crash_loses_all_since_the_activation_and_a_passivation_nothing() {
    let mut world = World::new();
    world.run(async |system| {
        let actor: DurableRef<Written> = system.actor("a").expect("a good id");
        actor.call(Command::Add(1)).await.expect("it is answered at once");
        system.passivate(actor.id()).await;
        assert_eq!(actor.call(Command::Get).await.ok(), Some(1));
    });
    world.run_and_crash(async |system| {
        let actor: DurableRef<Written> = system.actor("a").expect("a good id");
        actor.call(Command::Add(1)).await.expect("it is answered at once");
        pass(system, Duration::from_secs(100)).await;
    });
    let left = world
        .run(async |system| system.actor::<Written>("a").expect("a good id").call(Command::Get).await.ok());
    assert_eq!(left, Some(1));
}

#[test]
fn d31_written_back_what_was_answered_is_stored_in_time_though_a_handler_never_ends() {
    for (time, stored) in [(900, 0), (1_100, 1)] {
        let mut world = World::new();
        world.run_and_crash(async |system| {
            let actor: DurableRef<WrittenBack> = system.actor("a").expect("a good id");
            actor.call(Command::Add(1)).await.expect("it is answered at once");
            let hung = actor.call(Command::Hang).timeout(Duration::from_millis(time)).await;
            assert!(matches!(hung, Err(AskError::Unknown { why: Doubt::TimedOut(_), .. })), "{hung:?}");
        });
        let left = world.run(async |system| {
            system.actor::<WrittenBack>("a").expect("a good id").call(Command::Get).await.ok()
        });
        assert_eq!(left, Some(stored), "after {time} ms");
    }
}

/// Has an actor asked to give its memory back; it is asked for the crash of its process.
async fn passivates<A>(system: &DurableSystem)
where
    A: DurableActor<Command = Command, Reply = i64, Error = Poor>,
{
    let actor: DurableRef<A> = system.actor("a").expect("a good id");
    actor.call(Command::Add(5)).await.expect("it is answered at once");
    actor.call(Command::Passivate).await.expect("it is answered at once");
    pass(system, Duration::from_millis(1)).await;
    assert!(!system.is_active(actor.id()), "{}", A::TYPE);
}

#[test]
fn d32_an_actor_that_asks_to_be_passivated_is_at_once_and_loses_nothing_however_it_is_stored() {
    let mut world = World::new();
    world.run_and_crash(passivates::<Written>);
    let left = world
        .run(async |system| system.actor::<Written>("a").expect("a good id").call(Command::Get).await.ok());
    assert_eq!(left, Some(5));
    let mut world = World::new();
    world.run_and_crash(passivates::<WrittenBack>);
    let left = world.run(async |system| {
        system.actor::<WrittenBack>("a").expect("a good id").call(Command::Get).await.ok()
    });
    assert_eq!(left, Some(5));
}

/// Does what it is asked in turns that only look.
struct Looker;

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Ask {
    Show,
    /// Counts in a second.
    CountLater,
    /// Gives its memory back.
    Leave,
    Count,
}

impl Durable for Looker {
    const TYPE: &'static str = "looker";
    type State = u32;
    type Command = Ask;
    type Reply = u32;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> u32 {
        0
    }

    fn is_query(ask: &Ask) -> bool {
        !matches!(ask, Ask::Count)
    }
}

impl DurableActor for Looker {
    async fn handle(&self, ask: Ask, n: &mut u32, turn: &mut Turn<'_, Self>) -> Result<u32, NoError> {
        match ask {
            Ask::Show => {}
            Ask::CountLater => turn.timer(Duration::from_secs(1), &Ask::Count).expect("it has a form"),
            Ask::Leave => turn.passivate(),
            Ask::Count => *n += 1,
        }
        Ok(*n)
    }
}

#[test]
fn a_query_may_begin_a_timer_and_ask_for_the_passivation() {
    let mut world = World::new();
    world.run_with(
        |builder| builder.register(Looker),
        async |system| {
            let looker = system.actor::<Looker>("a").expect("a good id");
            let entries = async || {
                let head = system.store().head(looker.id()).await.expect("it is in memory");
                head.expect("it has begun").sequence.0
            };
            assert_eq!(looker.call(Ask::CountLater).await.ok(), Some(0));
            pass(system, Duration::from_millis(999)).await;
            assert_eq!((looker.call(Ask::Show).await.ok(), entries().await), (Some(0), 1));
            pass(system, Duration::from_millis(2)).await;
            assert_eq!((looker.call(Ask::Show).await.ok(), entries().await), (Some(1), 2));
            assert_eq!(looker.call(Ask::Leave).await.ok(), Some(1));
            pass(system, Duration::from_millis(1)).await;
            assert!(!system.is_active(looker.id()));
            assert_eq!((looker.call(Ask::Show).await.ok(), entries().await), (Some(1), 2));
        },
    );
}

#[test]
fn volatile_nothing_is_stored() {
    let mut world = World::new();
    world.run(async |system| {
        let actor: DurableRef<Forgotten> = system.actor("a").expect("a good id");
        assert_eq!(actor.call(Command::Add(1)).await.ok(), Some(1));
        system.passivate(actor.id()).await;
        assert_eq!(actor.call(Command::Get).await.ok(), Some(0));
        assert!(system.store().head(actor.id()).await.expect("it is in memory").is_none());
        let refused = actor.send(Command::Add(1)).await;
        assert!(matches!(refused, Err(AskError::NotApplied(NotApplied::Volatile))), "{refused:?}");
    });
}

#[test]
fn an_actor_that_has_ended_takes_nothing_any_more() {
    let mut world = World::new();
    world.run(async |system| {
        let account = account(system, "a");
        account.call(Command::Add(1)).await.expect("it is stored");
        account.call(Command::End).await.expect("it is stored");
        let refused = account.call(Command::Get).await;
        assert!(matches!(refused, Err(AskError::NotApplied(_))), "{refused:?}");
    });
    world.run(async |system| {
        let refused = account(system, "a").call(Command::Get).await;
        let Err(error) = refused else { panic!("it has ended") };
        assert_eq!(error.to_string(), "not applied: the actor has ended for good");
        assert!(matches!(error, AskError::NotApplied(NotApplied::Store(_))));
    });
}

#[test]
fn d11_an_id_of_another_type_is_an_error_by_name() {
    let mut world = World::new();
    world.run(async |system| {
        account(system, "a").call(Command::Add(1)).await.expect("it is stored");
        system.passivate(account(system, "a").id()).await;
        let refused = system.actor::<Written>("a").expect("a good id").call(Command::Get).await;
        let Err(error) = refused else { panic!("it is an account") };
        assert_eq!(
            error.to_string(),
            "not applied: the actor was not activated: the actor is of type account, not Written"
        );
    });
}

#[test]
fn an_actor_that_is_deleted_is_a_new_one_when_it_is_asked_for() {
    let mut world = World::new();
    world.run(async |system| {
        let account = account(system, "a");
        let id = account.new_message_id();
        account.call(Command::Add(5)).id(id).await.expect("it is stored");
        assert!(system.delete(account.id()).await.expect("it is ours"));
        assert!(!system.delete(account.id()).await.expect("it is in memory"));
        assert_eq!(system.store().head(account.id()).await.expect("it is in memory"), None);
        assert_eq!(account.call(Command::Get).await.ok(), Some(0));
        assert_eq!(
            account.call(Command::Add(2)).id(id).await.ok(),
            Some(2),
            "that it was handled is forgotten too"
        );
    });
    assert_eq!(world.account.starts.load(Ordering::Relaxed), 2);
}

#[test]
fn what_another_process_has_is_not_deleted() {
    let mut world = World::new();
    let (_, other) = world.process();
    world.run(async |system| {
        let other = other.await;
        let theirs = account(&other, "a");
        theirs.call(Command::Add(5)).await.expect("it is stored");
        let why = system.delete(theirs.id()).await;
        let is_held =
            |why: &NotApplied| matches!(why, NotApplied::Store(StoreError::NotApplied(Refusal::Held { .. })));
        assert!(why.as_ref().is_err_and(is_held), "{why:?}");
        assert_eq!(theirs.call(Command::Add(1)).await.ok(), Some(6));
        other.shutdown(Duration::from_secs(60)).await.expect("the store takes the lease back");
    });
}

#[test]
fn two_types_or_outlets_of_one_name_are_refused_by_it() {
    let mut world = World::new();
    let system = world.simulation.system();
    let builder = || DurableSystem::builder(&system, world.store.clone());
    let mut refusal = |builder: DurableBuilder| {
        let why = world.simulation.block_on(builder.start()).err().map(|why| why.to_string());
        why.expect("it is a mistake")
    };
    let twice = builder().register(Account::default()).register(Account::default());
    assert_eq!(refusal(twice), "the type account is registered twice");
    let twice = builder().outlet("mail", Nothing).outlet("mail", Nothing);
    assert_eq!(refusal(twice), "the outlet mail is registered twice");
}

struct Nothing;

#[async_trait::async_trait]
impl Outlet for Nothing {
    async fn deliver(&self, _: &DurableId, _: &Outgoing) -> Result<(), ActorError> {
        Ok(())
    }
}

/// Drops a future after it was polled so often.
async fn polled(times: usize, future: impl Future) {
    let (mut future, mut left) = (pin!(future), times);
    poll_fn(|cx| {
        left = left.saturating_sub(1);
        if future.as_mut().poll(cx).is_ready() || left == 0 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

#[test]
fn a_shutdown_that_is_dropped_anywhere_is_finished_by_the_next() {
    for times in 1..20 {
        let mut world = World::new();
        let store = FaultStore::new(world.store.clone(), []);
        let (_, system) = world.process_over(Arc::new(store.clone()));
        world.simulation.block_on(async {
            let system = system.await;
            account(&system, "a").call(Command::Add(5)).await.expect("it is stored");
            polled(times, system.shutdown(Duration::from_secs(1))).await;
            system.shutdown(Duration::from_secs(1)).await.expect("the lease is given back");
            let visits = store.visits();
            pass(&system, LEASE_DEFAULT + 2 * LOOK_INTERVAL_DEFAULT).await;
            assert_eq!(store.visits(), visits, "after {times}: no service goes on");
        });
    }
}

/// A system on one thread, where what was aborted runs until the thread comes to it.
async fn on_one_thread(store: Arc<dyn Store>) -> DurableSystem {
    let builder = DurableSystem::builder(&ActorSystem::new(), store).register(Account::default());
    let system = builder.start().await.expect("the store gives a lease");
    account(&system, "a").call(Command::Add(5)).await.expect("it is stored");
    system
}

#[tokio::test]
async fn whoever_ends_a_system_waits_for_what_a_shutdown_that_was_dropped_has_left() {
    for times in 1..20 {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let system = on_one_thread(store.clone()).await;
        polled(times, system.shutdown(Duration::from_secs(60))).await;
        system.abandon().await;
        drop(system);
        assert_eq!(Arc::strong_count(&store), 1, "after {times}: something of it has the store");
    }
}

#[tokio::test]
async fn two_who_shut_a_system_down_at_once_both_come_to_its_end() {
    let system = on_one_thread(Arc::new(MemoryStore::new())).await;
    let ended = join_all([(); 2].map(|()| system.shutdown(Duration::from_secs(60)))).await;
    assert!(ended.iter().all(Result::is_ok), "{ended:?}");
}
