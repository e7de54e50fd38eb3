//! What callers are told whose command no activation has taken, or one has taken and not answered.

use std::future::IntoFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actor_core::{ActorError, ActorSystem, limits::MAILBOX_CAPACITY_DEFAULT};
use actor_durable::store::{Enqueued, Headers};
use actor_durable::testing::{Fault, FaultMode, FaultStore, Operation};
use actor_durable::{
    ActivationError, AskError, Doubt, Durable, DurableActor, DurableBuilder, DurableId, DurableRef,
    DurableSystem, NoError, NotApplied, Turn,
};
use futures_util::future::{join, join_all};

use crate::stage::{Command, Poor, World, account, pass};

/// Is never ready while it is broken, and breaks at a negative number.
#[derive(Clone, Default)]
struct Brittle(Arc<AtomicBool>);

impl Durable for Brittle {
    const TYPE: &'static str = "brittle";
    type State = i64;
    type Command = i64;
    type Reply = i64;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> i64 {
        0
    }

    async fn on_recover(&self, _: &DurableId, _: &mut i64) -> Result<(), ActorError> {
        // sleep: the simulation's time
        ActorSystem::current().executor().sleep(Duration::from_secs(1)).await;
        if self.0.load(Ordering::Relaxed) { Err("it is broken".into()) } else { Ok(()) }
    }
}

impl DurableActor for Brittle {
    async fn handle(&self, by: i64, n: &mut i64, _: &mut Turn<'_, Self>) -> Result<i64, NoError> {
        if by < 0 {
            self.0.store(true, Ordering::Relaxed);
            panic!("so it was asked");
        }
        *n += by;
        Ok(*n)
    }
}

fn run(brittle: &Brittle, body: impl AsyncFnOnce(&DurableSystem, DurableRef<Brittle>)) {
    let mut world = World::new();
    let register = |builder: DurableBuilder| builder.register(brittle.clone());
    world.crash_with(world.store.clone(), register, async |system| {
        body(system, system.actor("b").expect("a good id")).await;
    });
}

fn is_not_ready(answer: &Result<i64, AskError<NoError>>) -> bool {
    let Err(AskError::NotApplied(NotApplied::NotActivated(why))) = answer else { return false };
    matches!(why, ActivationError::Hook { hook: "on_recover", text } if text == "it is broken")
}

#[test]
fn turns_that_no_store_was_asked_to_keep_are_said_to_be_not_applied() {
    run(&Brittle::default(), async |system, brittle| {
        brittle.call(1).await.expect("it is stored");
        let answers = join_all([2, -1].map(|by| brittle.call(by).into_future())).await;
        for answer in answers {
            assert!(matches!(answer, Err(AskError::NotApplied(NotApplied::ActivationEnded))), "{answer:?}");
        }
        let head = system.store().head(brittle.id()).await.expect("it is in memory").expect("it is there");
        assert_eq!(head.sequence.0, 2, "that of the beginning, and the first");
    });
}

#[test]
fn a_command_before_which_the_letters_could_not_be_read_is_said_to_be_not_applied() {
    let mut world = World::new();
    let away = Fault { operation: Operation::Inbox, visit: 1, mode: FaultMode::Refuse };
    let store = FaultStore::new(world.store.clone(), [away]);
    let (_, system) = world.process_over(Arc::new(store.clone()));
    world.simulation.block_on(async {
        let system = system.await;
        let a = account(&system, "a");
        let called = a.call(Command::Add(1)).await;
        assert_eq!(store.faults_left(), []);
        assert!(matches!(called, Err(AskError::NotApplied(NotApplied::ActivationEnded))), "{called:?}");
        assert_eq!(a.call(Command::Add(10)).await.ok(), Some(10));
    });
}

/// What two calls are told that are made at once and with one id, while the store does this.
fn twice_at_once(faults: impl IntoIterator<Item = Fault>) -> [Result<i64, AskError<Poor>>; 2] {
    let mut world = World::new();
    let (_, system) = world.process_over(Arc::new(FaultStore::new(world.store.clone(), faults)));
    world.simulation.block_on(async {
        let system = system.await;
        let a = account(&system, "a");
        a.call(Command::Add(1)).await.expect("it is stored");
        let id = a.new_message_id();
        let call = || a.call(Command::Add(10)).id(id).into_future();
        let (one, other) = join(call(), call()).await;
        [one, other]
    })
}

#[test]
fn whoever_asks_again_before_anything_is_stored_is_told_what_is_certain_of_the_one_turn() {
    let commit = |mode| Fault { operation: Operation::CommitTurn, visit: 3, mode };
    for reply in twice_at_once([]) {
        assert_eq!(reply.ok(), Some(11));
    }
    for refused in twice_at_once([commit(FaultMode::Refuse)]) {
        assert!(matches!(refused, Err(AskError::NotApplied(NotApplied::Store(_)))), "{refused:?}");
    }
    for unknown in twice_at_once([commit(FaultMode::LoseAnswer)]) {
        assert!(matches!(unknown, Err(AskError::Unknown { why: Doubt::Store(_), .. })), "{unknown:?}");
    }
}

#[test]
fn whoever_finds_a_later_activation_is_told_why_that_did_not_begin() {
    let breaks = Brittle::default();
    run(&breaks, async |system, brittle| {
        brittle.call(1).await.expect("it is stored");
        system.passivate(brittle.id()).await;
        breaks.0.store(true, Ordering::Relaxed);
        let answers = join_all([2, 3].map(|by| brittle.call(by).into_future())).await;
        assert!(answers.iter().all(is_not_ready), "{answers:?}");
        breaks.0.store(false, Ordering::Relaxed);
        assert_eq!(brittle.call(1).await.ok(), Some(2));
    });
}

/// More than there is room for in an activation's mailbox.
const MANY: usize = MAILBOX_CAPACITY_DEFAULT + 100;

#[test]
fn whoever_has_waited_for_room_is_told_why_the_activation_did_not_begin() {
    let breaks = Brittle(Arc::new(AtomicBool::new(true)));
    run(&breaks, async |system, brittle| {
        let began = system.executor().now();
        let answers = join_all((0..MANY).map(|_| brittle.call(1).into_future())).await;
        assert!(answers.iter().all(is_not_ready), "all of them");
        let took = system.executor().now().saturating_since(began);
        assert_eq!(took, Duration::from_secs(1), "none of them tries it once more");
    });
}

#[test]
fn a_command_that_may_be_in_the_inbox_is_unknown_and_sent_again_with_its_id() {
    let mut world = World::new();
    let lose = Fault { operation: Operation::Enqueue, visit: 1, mode: FaultMode::LoseAnswer };
    let store = FaultStore::new(world.store.clone(), [lose]);
    let (_, system) = world.process_over(Arc::new(store));
    world.simulation.block_on(async {
        let system = system.await;
        let a = account(&system, "a");
        let unknown = a.send(Command::Add(5)).await.expect_err("the answer is lost");
        assert!(matches!(unknown, AskError::Unknown { why: Doubt::Store(_), .. }), "{unknown:?}");
        let id = unknown.unknown_id().expect("it is to be sent again with this");
        let again = a.send_with(id, Headers::new(), &Command::Add(5)).await;
        assert_eq!(again.ok(), Some(Enqueued::Waiting));
        pass(&system, Duration::from_secs(1)).await;
        assert_eq!(a.call(Command::Get).await.ok(), Some(5));
        let certain = AskError::<NoError>::from(NotApplied::ActivationEnded);
        assert_eq!(certain.unknown_id(), None);
    });
}

#[test]
fn references_are_equal_if_they_are_to_one_actor() {
    let mut world = World::new();
    world.run(async |system| {
        assert_eq!(account(system, "a"), account(system, "a"));
        assert_ne!(account(system, "a"), account(system, "b"));
    });
}
