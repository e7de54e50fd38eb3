//! A store that is away for a while, or whose answers are lost: whatever it was asked for then, what it has promised is done
//! when it is back, and two activations of an actor do not answer side by side.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actor_core::ActorError;
use actor_durable::limits::{LEASE_DEFAULT, REACTIVATION_PAUSE};
use actor_durable::store::{Refusal, StoreError};
use actor_durable::testing::{Fault, FaultMode, FaultStore, Operation, WallClock};
use actor_durable::{
    ActivationError, AskError, Doubt, Durable, DurableActor, DurableId, MemoryStore, NoError, NotApplied,
    Turn, WallTime,
};

use crate::stage::{Command, Poor, World, Written, WrittenBack, account, pass};

fn fault(operation: Operation, visit: u64, mode: FaultMode) -> Fault {
    Fault { operation, visit, mode }
}

/// Sends a letter to an actor, perhaps to one that is in memory, while the store fails so. Then it is handled in this time.
fn a_letter_is_handled_within(time: Duration, is_active: bool, faults: Vec<Fault>) {
    let mut world = World::new();
    let store = FaultStore::new(world.store.clone(), faults);
    let (_, system) = world.process_over(Arc::new(store.clone()));
    let inner = world.store.clone();
    world.simulation.block_on(async {
        let system = system.await;
        let a = account(&system, "a");
        if is_active {
            a.call(Command::Add(0)).await.expect("it is stored");
        }
        a.send(Command::Add(5)).await.expect("it is stored");
        pass(&system, time).await;
        let head = inner.head(a.id()).await.expect("it is in memory").expect("it is there");
        assert_eq!((head.waiting, store.faults_left()), (0, Vec::new()));
        assert_eq!(a.call(Command::Get).await.ok(), Some(5));
    });
}

#[test]
fn a_letter_is_handled_though_the_answer_to_the_claim_was_lost() {
    let faults = vec![fault(Operation::Acquire, 1, FaultMode::LoseAnswer)];
    a_letter_is_handled_within(2 * REACTIVATION_PAUSE, false, faults);
}

#[test]
fn a_letter_is_handled_though_the_actor_was_neither_loaded_nor_given_back() {
    let faults =
        [Operation::Load, Operation::Release].map(|operation| fault(operation, 1, FaultMode::Refuse));
    a_letter_is_handled_within(2 * REACTIVATION_PAUSE, false, faults.into());
}

#[test]
fn a_letter_is_handled_though_after_a_lost_turn_the_actor_was_not_taken_again() {
    let lost = fault(Operation::CommitTurn, 3, FaultMode::Refuse);
    let faults = (2..=60).map(|visit| fault(Operation::Acquire, visit, FaultMode::Refuse)).chain([lost]);
    a_letter_is_handled_within(61 * REACTIVATION_PAUSE, true, faults.collect());
}

#[test]
fn a_letter_is_handled_though_after_a_lost_turn_its_inbox_was_not_looked_into() {
    let lost = fault(Operation::CommitTurn, 3, FaultMode::Refuse);
    let faults = (1..=60).map(|visit| fault(Operation::Head, visit, FaultMode::Refuse)).chain([lost]);
    a_letter_is_handled_within(62 * REACTIVATION_PAUSE, true, faults.collect());
}

/// Panics when it begins, if it is told to.
#[derive(Clone, Default)]
struct Shaky {
    panics: Arc<AtomicBool>,
}

impl Durable for Shaky {
    const TYPE: &'static str = "shaky";
    type State = u32;
    type Command = ();
    type Reply = u32;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> u32 {
        0
    }

    async fn on_recover(&self, _: &DurableId, _: &mut u32) -> Result<(), ActorError> {
        assert!(!self.panics.swap(false, Ordering::Relaxed), "so it was told");
        Ok(())
    }
}

impl DurableActor for Shaky {
    async fn handle(&self, (): (), count: &mut u32, _: &mut Turn<'_, Self>) -> Result<u32, NoError> {
        *count += 1;
        Ok(*count)
    }
}

#[test]
fn a_letter_is_handled_though_the_actor_panicked_as_it_began() {
    let mut world = World::new();
    let shaky = Shaky { panics: Arc::new(AtomicBool::new(true)) };
    world.run_with(
        |builder| builder.register(shaky.clone()),
        async |system| {
            let a = system.actor::<Shaky>("a").expect("a good id");
            a.send(()).await.expect("it is stored");
            pass(system, Duration::from_secs(10)).await;
            assert!(!shaky.panics.load(Ordering::Relaxed), "it has panicked");
            let head = system.store().head(a.id()).await.expect("it is in memory").expect("it is there");
            assert_eq!(head.waiting, 0);
            assert_eq!(a.call(()).await.ok(), Some(2), "it counts the letter");
        },
    );
}

#[test]
fn an_actor_that_is_not_there_for_many_callers_is_looked_into_once() {
    const CALLERS: u64 = 100;
    let mut world = World::new();
    let faults = (1..=CALLERS).map(|visit| fault(Operation::Acquire, visit, FaultMode::Refuse));
    let store = FaultStore::new(world.store.clone(), faults);
    let (_, system) = world.process_over(Arc::new(store.clone()));
    world.simulation.block_on(async {
        let system = system.await;
        for _ in 0..CALLERS {
            account(&system, "a").call(Command::Get).await.expect_err("the store is away");
        }
        pass(&system, 10 * REACTIVATION_PAUSE).await;
        assert_eq!((store.visits()[&Operation::Head], store.faults_left()), (1, Vec::new()));
    });
}

/// Whether the actor was not activated as another process has it.
fn is_held<T, E>(answer: &Result<T, AskError<E>>) -> bool {
    let Err(AskError::NotApplied(NotApplied::NotActivated(ActivationError::Store(why)))) = answer else {
        return false;
    };
    matches!(why, StoreError::NotApplied(Refusal::Held { .. }))
}

/// Whether nothing was applied as another process has the actor.
fn is_fenced<T, E>(answer: &Result<T, AskError<E>>) -> bool {
    matches!(answer, Err(AskError::NotApplied(NotApplied::Store(StoreError::Fenced { .. }))))
}

/// The renewals that are refused: the lease is over from 10 s to 20 s.
fn lease_lost_for_a_while() -> impl Iterator<Item = Fault> {
    (2..=6).map(|visit| fault(Operation::Renew, visit, FaultMode::Refuse))
}

#[test]
fn an_activation_from_before_a_lease_was_over_does_not_answer_when_there_is_one_again() {
    let mut world = World::new();
    let store = FaultStore::new(world.store.clone(), lease_lost_for_a_while());
    let ((_, first), (_, second)) = (world.process_over(Arc::new(store.clone())), world.process());
    world.simulation.block_on(async {
        let first = first.await;
        let former = account(&first, "a");
        former.call(Command::Add(1)).await.expect("it is stored");
        pass(&first, Duration::from_secs(15)).await;
        let second = second.await;
        let present = account(&second, "a");
        assert_eq!(present.call(Command::Add(10)).await.ok(), Some(11));
        pass(&first, Duration::from_secs(60)).await;
        assert_eq!(store.faults_left(), []);
        let stale = former.call(Command::Get).await;
        assert!(is_fenced(&stale), "{stale:?}");
        let held = former.call(Command::Get).await;
        assert!(is_held(&held), "{held:?}");
        assert_eq!(present.call(Command::Get).await.ok(), Some(11));
    });
}

#[test]
fn an_activation_that_nobody_took_while_there_was_no_lease_asks_the_store_once() {
    let mut world = World::new();
    let store = FaultStore::new(world.store.clone(), lease_lost_for_a_while());
    let (_, system) = world.process_over(Arc::new(store.clone()));
    world.simulation.block_on(async {
        let system = system.await;
        let a = account(&system, "a");
        a.call(Command::Add(1)).await.expect("it is stored");
        pass(&system, Duration::from_secs(60)).await;
        let asked = || store.visits().get(&Operation::Inbox).copied().unwrap_or(0);
        let before = asked();
        for _ in 0..3 {
            assert_eq!(a.call(Command::Get).await.ok(), Some(1));
            assert_eq!(asked(), before + 1);
        }
    });
}

/// An activation that stores later than it answers, and has lost its actor: it does not answer.
fn what_is_not_stored_at_once_is_no_staler_than_the_lease<A>()
where
    A: Durable<Command = Command, Reply = i64, Error = Poor>,
{
    let mut world = World::new();
    let store = FaultStore::new(world.store.clone(), lease_lost_for_a_while());
    let ((_, first), (_, second)) = (world.process_over(Arc::new(store)), world.process());
    world.simulation.block_on(async {
        let first = first.await;
        let former = first.actor::<A>("a").expect("a good id");
        assert_eq!(former.call(Command::Add(1)).await.ok(), Some(1));
        pass(&first, Duration::from_secs(9)).await;
        assert_eq!(former.call(Command::Add(1)).await.ok(), Some(2), "it has its lease");
        pass(&first, Duration::from_secs(6)).await;
        let second = second.await;
        let present = second.actor::<A>("a").expect("a good id");
        let had = present.call(Command::Add(10)).await.expect("the lease of the former is over");
        let stale = former.call(Command::Add(1)).await;
        assert!(is_fenced(&stale), "{stale:?}");
        let again = former.call(Command::Add(1)).await;
        assert!(matches!(&again, Err(AskError::NotApplied(why)) if why.is_transient()), "{again:?}");
        assert_eq!(present.call(Command::Add(1)).await.ok(), Some(had + 1), "neither was applied later");
    });
}

#[test]
fn an_activation_that_writes_back_answers_nothing_when_it_may_have_lost_its_actor() {
    what_is_not_stored_at_once_is_no_staler_than_the_lease::<WrittenBack>();
}

#[test]
fn a_lazy_activation_answers_nothing_when_it_may_have_lost_its_actor() {
    what_is_not_stored_at_once_is_no_staler_than_the_lease::<Written>();
}

#[test]
fn an_activation_without_a_lease_goes_on_when_the_store_says_that_the_actor_is_its_own() {
    let mut world = World::new();
    let store = FaultStore::new(world.store.clone(), lease_lost_for_a_while());
    let (_, system) = world.process_over(Arc::new(store.clone()));
    world.simulation.block_on(async {
        let system = system.await;
        let a = system.actor::<Written>("a").expect("a good id");
        assert_eq!(a.call(Command::Add(1)).await.ok(), Some(1));
        pass(&system, Duration::from_secs(15)).await;
        let asked = store.visits().get(&Operation::Inbox).copied().unwrap_or(0);
        store.add(fault(Operation::Inbox, asked + 1, FaultMode::Refuse));
        let id = a.new_message_id();
        let unconfirmed = a.call(Command::Add(1)).id(id).await;
        assert!(
            matches!(unconfirmed, Err(AskError::Unknown { why: Doubt::Store(_), .. })),
            "{unconfirmed:?}"
        );
        assert_eq!(a.call(Command::Add(1)).id(id).await.ok(), Some(2), "what it has not stored is not lost");
        assert_eq!(a.call(Command::Add(1)).await.ok(), Some(3));
    });
}

#[test]
fn who_only_looks_is_told_that_nothing_was_applied_where_the_store_does_not_say_whose_the_actor_is() {
    let mut world = World::new();
    let store = FaultStore::new(world.store.clone(), lease_lost_for_a_while());
    let (_, system) = world.process_over(Arc::new(store.clone()));
    world.simulation.block_on(async {
        let system = system.await;
        let a = account(&system, "a");
        assert_eq!(a.call(Command::Add(1)).await.ok(), Some(1));
        pass(&system, Duration::from_secs(15)).await;
        let asked = store.visits().get(&Operation::Inbox).copied().unwrap_or(0);
        store.add(fault(Operation::Inbox, asked + 1, FaultMode::Refuse));
        let unconfirmed = a.call(Command::Get).await;
        assert!(matches!(unconfirmed, Err(AskError::NotApplied(NotApplied::Store(_)))), "{unconfirmed:?}");
        assert_eq!(a.call(Command::Get).await.ok(), Some(1));
    });
}

#[test]
fn an_activation_that_is_not_asked_ends_when_its_courier_hears_that_another_process_has_the_actor() {
    let mut world = World::new();
    // Until long after the lease was over: the other process delivers it.
    let transfers = (1..=9).map(|visit| fault(Operation::Transfer, visit, FaultMode::Refuse));
    let store = FaultStore::new(world.store.clone(), lease_lost_for_a_while().chain(transfers));
    let ((_, first), (_, second)) = (world.process_over(Arc::new(store.clone())), world.process());
    world.simulation.block_on(async {
        let first = first.await;
        let former = account(&first, "a");
        former.call(Command::Add(10)).await.expect("it is stored");
        former.call(Command::Pay("b".to_owned(), 3)).await.expect("it is stored");
        pass(&first, Duration::from_secs(15)).await;
        let second = second.await;
        assert_eq!(account(&second, "a").call(Command::Get).await.ok(), Some(7));
        pass(&first, Duration::from_secs(60)).await;
        assert_eq!(store.faults_left(), []);
        let (asked, is_active) = (store.visits()[&Operation::Transfer], first.is_active(former.id()));
        assert_eq!((asked, is_active), (10, false));
        pass(&first, Duration::from_secs(3600)).await;
        assert_eq!(store.visits()[&Operation::Transfer], 10, "nobody sends what is another's");
        assert_eq!(account(&second, "b").call(Command::Get).await.ok(), Some(3));
    });
}

/// What the first process is told of an actor that another one took while its lease was over by the store's clock: its own clock, by
/// which it renews in time, knows nothing of that.
fn two_clocks(faults: Vec<Fault>) {
    let mut world = World::new();
    let clock = WallClock::at(WallTime::from_millis(1_800_000_000_000));
    world.store = Arc::new(MemoryStore::on(clock.store_executor()));
    let store = FaultStore::new(world.store.clone(), faults);
    let ((_, first), (_, second)) = (world.process_over(Arc::new(store.clone())), world.process());
    world.simulation.block_on(async {
        let first = first.await;
        let former = account(&first, "a");
        former.call(Command::Add(1)).await.expect("it is stored");
        clock.pass(LEASE_DEFAULT);
        let present = account(&second.await, "a");
        assert_eq!(present.call(Command::Add(10)).await.ok(), Some(11));
        pass(&first, LEASE_DEFAULT).await;
        assert_eq!(store.faults_left(), []);
        let stale = former.call(Command::Get).await;
        assert!(is_fenced(&stale), "{stale:?}");
        let held = former.call(Command::Get).await;
        assert!(is_held(&held), "{held:?}");
    });
}

#[test]
fn an_activation_whose_lease_was_over_by_the_stores_clock_alone_answers_no_more() {
    two_clocks(Vec::new());
}

#[test]
fn an_activation_answers_no_more_though_the_renewal_that_began_a_lease_anew_has_no_answer() {
    two_clocks(vec![fault(Operation::Renew, 2, FaultMode::LoseAnswer)]);
}

#[test]
fn a_lease_is_renewed_though_a_renewal_before_has_no_answer() {
    let mut world = World::new();
    let store = FaultStore::new(world.store.clone(), [fault(Operation::Renew, 2, FaultMode::Pause)]);
    let ((_, first), (_, second)) = (world.process_over(Arc::new(store.clone())), world.process());
    world.simulation.block_on(async {
        let first = first.await;
        let ours = account(&first, "a");
        ours.call(Command::Add(1)).await.expect("it is stored");
        pass(&first, Duration::from_secs(60)).await;
        assert_eq!(store.faults_left(), []);
        let theirs = account(&second.await, "a").call(Command::Get).await;
        assert!(is_held(&theirs), "{theirs:?}");
        assert_eq!(ours.call(Command::Get).await.ok(), Some(1));
    });
}
