//! Messages that wait: for an actor that is away, from another actor, from a reminder.

use std::cell::Cell;
use std::future::IntoFuture;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actor_core::{ActorSystem, Executor};
use actor_durable::limits::{ARRIVALS_BEHIND_MAX, CAREFUL_MAX};
use actor_durable::store::{Body, Claim, ClaimMode, Enqueued, Headers, Message};
use actor_durable::{Durable, DurableActor, DurableId, DurableSystem, MessageId, NoError, Turn, WallTime};
use futures_util::future::{Either, join, select};

use crate::stage::{Account, Command, World, account, pass};

/// Lets all that can happen at once happen.
async fn settle(system: &DurableSystem) {
    pass(system, Duration::from_millis(1)).await;
}

#[test]
fn d06_d07_a_message_to_an_actor_that_is_away_is_handled_when_somebody_is_there() {
    let mut world = World::new();
    world.run_and_crash(async |system| {
        let account = account(system, "a");
        // The process ends before anything else happens.
        account.send(Command::Add(5)).await.expect("it is stored");
    });
    world.run(async |system| {
        settle(system).await;
        assert!(system.is_active(account(system, "a").id()), "the mail has activated it");
        assert_eq!(account(system, "a").call(Command::Get).await.ok(), Some(5));
    });
}

#[test]
fn d13_the_same_message_is_in_the_inbox_once_and_its_reply_can_be_asked_for() {
    let mut world = World::new();
    world.run(async |system| {
        let account = account(system, "a");
        let id = account.new_message_id();
        let send = || account.send_with(id, Headers::new(), &Command::Add(5));
        assert_eq!(send().await.ok(), Some(Enqueued::Stored));
        settle(system).await;
        assert!(matches!(send().await, Ok(Enqueued::Handled(Some(_)))));
        assert_eq!(account.call(Command::Add(5)).id(id).await.ok(), Some(5));
        assert_eq!(account.call(Command::Get).await.ok(), Some(5));
    });
}

#[test]
fn what_one_sender_sends_and_then_asks_comes_in_that_order() {
    let mut world = World::new();
    world.run(async |system| {
        let account = account(system, "a");
        for n in 1..=300 {
            account.send(Command::Add(1)).await.expect("it is stored");
            if n % 7 == 0 {
                assert_eq!(account.call(Command::Get).await.ok(), Some(n));
            }
        }
    });
}

#[test]
fn what_an_actor_sends_arrives_once_whoever_ends_meanwhile() {
    let mut world = World::new();
    world.run_and_crash(async |system| {
        let a = account(system, "a");
        a.call(Command::Add(100)).await.expect("it is stored");
        // The process ends as soon as it is stored.
        a.call(Command::Pay("b".into(), 30)).await.expect("it is stored");
    });
    world.run(async |system| {
        // Nobody asks: it is found.
        pass(system, Duration::from_secs(20)).await;
        assert_eq!(account(system, "a").call(Command::Get).await.ok(), Some(70));
        assert_eq!(account(system, "b").call(Command::Get).await.ok(), Some(30));
    });
}

#[test]
fn a_refused_command_sends_nothing() {
    let mut world = World::new();
    world.run(async |system| {
        let a = account(system, "a");
        assert!(a.call(Command::Pay("b".into(), 30)).await.is_err());
        pass(system, Duration::from_secs(20)).await;
        assert_eq!(system.store().head(account(system, "b").id()).await.expect("it is in memory"), None);
    });
}

#[test]
fn a_reminder_fires_once_and_not_early_though_no_process_was_there() {
    let mut world = World::new();
    let now = |system: &DurableSystem| WallTime::from_unix(system.executor().unix_time());
    let due = world.run_and_crash(async |system| {
        let due = now(system).after(Duration::from_secs(60));
        account(system, "a").call(Command::AddAt(due, 5)).await.expect("it is stored");
        due
    });
    world.run_and_crash(async |system| {
        pass(system, due.since(now(system)) - Duration::from_millis(1)).await;
        assert_eq!(account(system, "a").call(Command::Get).await.ok(), Some(0));
        pass(system, Duration::from_millis(2)).await;
        assert_eq!(account(system, "a").call(Command::Get).await.ok(), Some(5));
    });
    world.run(async |system| {
        pass(system, Duration::from_secs(100)).await;
        assert_eq!(account(system, "a").call(Command::Get).await.ok(), Some(5));
    });
}

#[test]
fn a_poisonous_message_is_given_up_and_those_behind_it_are_handled() {
    let mut world = World::new();
    world.run(async |system| {
        let account = account(system, "a");
        let poison = account.send(Command::Panic).await.expect("it is stored");
        account.send(Command::Add(5)).await.expect("it is stored");
        settle(system).await;
        assert_eq!(account.call(Command::Get).await.ok(), Some(0), "those behind it wait");
        pass(system, Duration::from_secs(60)).await;
        assert_eq!(account.call(Command::Get).await.ok(), Some(5));
        let dead = system.store().dead_letters(account.id(), None, 10).await.expect("it is there");
        let [dead] = &dead[..] else { panic!("{dead:?}") };
        assert_eq!((dead.letter.message.id, dead.letter.attempts), (poison, 5));
        assert_eq!(dead.reason, "the handler panicked: so it was asked");
    });
}

#[test]
fn a_dead_letter_that_is_put_back_is_handled_again() {
    let mut world = World::new();
    world.run(async |system| {
        let account = account(system, "a");
        let poison = account.send(Command::Panic).await.expect("it is stored");
        let dead = async || system.store().dead_letters(account.id(), None, 10).await.expect("it is there");
        pass(system, Duration::from_secs(60)).await;
        assert_eq!(dead().await.len(), 1);
        system.store().revive(account.id(), poison).await.expect("it is there");
        assert_eq!(dead().await.len(), 0);
        pass(system, Duration::from_secs(60)).await;
        // It is no better, and is given up once more.
        assert_eq!(dead().await.len(), 1);
    });
    assert_eq!(world.account.runs.load(Ordering::Relaxed), 10, "five times each");
}

#[test]
fn a_death_is_counted_against_one_letter_of_those_in_hand() {
    let mut world = World::new();
    world.run_and_crash(async |system| {
        for id in ["a", "b", "c"] {
            account(system, id).send(Command::Hang).await.expect("it is stored");
        }
        settle(system).await;
    });
    for _ in 0..4 {
        world.run_and_crash(async |system| settle(system).await);
    }
    let attempts = world.run_and_crash(async |system| {
        let store = system.store();
        let mut attempts = 0;
        for id in ["a", "b", "c"] {
            let target = account(system, id).target().clone();
            let (owner, epoch_min) = (system.owner(), Default::default());
            let claim = Claim { target, owner, epoch_min, mode: ClaimMode::Seize };
            let head = store.acquire(claim).await.expect("it is seized");
            let letters = store.inbox(&head.target.id, head.epoch, Default::default(), 10).await;
            attempts += letters.expect("it is ours")[0].attempts;
        }
        attempts
    });
    // The first death came before anybody was careful; the last process counts too.
    assert!((4..=5).contains(&attempts), "{attempts} for five deaths");
}

/// After a crash letters are handled one at a time in the process, but not behind one that never ends.
#[test]
fn d18_a_letter_that_never_ends_and_may_end_the_process_keeps_no_others_for_long() {
    const OTHERS: [&str; 4] = ["b", "c", "d", "e"];
    // Who comes first is another one each time.
    for seed in 0..8 {
        let mut world = World::seeded(seed);
        world.run_and_crash(async |system| {
            let a = account(system, "a");
            a.send(Command::Hang).await.expect("it is stored");
            for id in OTHERS {
                account(system, id).call(Command::Add(1)).await.expect("it is stored");
            }
            settle(system).await;
            // The process ends with all of them in hand.
            for id in OTHERS {
                account(system, id).send(Command::Add(1)).await.expect("it is stored");
            }
        });
        world.run_and_crash(async |system| {
            pass(system, CAREFUL_MAX + Duration::from_millis(1)).await;
            for id in OTHERS {
                let handled = account(system, id).call(Command::Get).timeout(Duration::from_millis(1)).await;
                assert_eq!(handled.ok(), Some(2), "{id}, seed {seed}");
            }
            let a = system.store().head(account(system, "a").id()).await.expect("it is in memory");
            assert_eq!(a.expect("it is there").waiting, 1, "it is still at it");
        });
    }
}

/// Takes its time for whatever it is told.
struct Slow;

impl Durable for Slow {
    const TYPE: &'static str = "slow";
    type State = u64;
    type Command = ();
    type Reply = u64;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> u64 {
        0
    }
}

impl DurableActor for Slow {
    async fn handle(&self, (): (), n: &mut u64, _: &mut Turn<'_, Self>) -> Result<u64, NoError> {
        // sleep: the simulation's time
        ActorSystem::current().executor().sleep(Duration::from_millis(5)).await;
        *n += 1;
        Ok(*n)
    }
}

#[test]
fn letters_without_end_keep_no_caller_waiting_and_no_passivation() {
    const LONG: Duration = Duration::from_secs(10);
    let mut world = World::new();
    world.run_with(
        |builder| builder.register(Slow),
        async |system| {
            let slow = system.actor::<Slow>("a").expect("a good id");
            let sent = Cell::new(0);
            let send = async {
                // More than it can handle.
                loop {
                    slow.send(()).await.expect("it is stored");
                    sent.set(sent.get() + 1);
                    pass(system, Duration::from_millis(4)).await;
                }
            };
            let ask = async {
                pass(system, Duration::from_millis(200)).await;
                for _ in 0..3 {
                    let before = sent.get();
                    let answer = slow.call(()).timeout(LONG).await.expect("it is answered");
                    assert!(answer > before, "behind what was sent before: {answer}, {before}");
                }
                let (passivation, long) = (pin!(system.passivate(slow.id())), pin!(pass(system, LONG)));
                assert!(matches!(select(passivation, long).await, Either::Left(_)), "it goes on and on");
            };
            select(pin!(send), pin!(ask)).await;
        },
    );
}

#[test]
fn a_message_whose_turn_no_store_takes_is_given_up_too() {
    let mut world = World::new();
    world.run(async |system| {
        let account = account(system, "a");
        // More reminders than an actor may have.
        let greedy = account.send(Command::Remind(1_001)).await.expect("it is stored");
        account.send(Command::Add(5)).await.expect("it is stored");
        pass(system, Duration::from_secs(60)).await;
        assert_eq!(account.call(Command::Get).await.ok(), Some(5));
        let dead = system.store().dead_letters(account.id(), None, 10).await.expect("it is there");
        assert_eq!(dead.iter().map(|dead| dead.letter.message.id).collect::<Vec<_>>(), [greedy]);
    });
}

#[test]
fn a_message_that_came_by_both_ways_has_one_effect_and_leaves_the_inbox() {
    for seed in 0..20 {
        let mut world = World::seeded(seed);
        world.run(async |system| {
            let account = account(system, "a");
            account.call(Command::Add(1)).await.expect("it is stored");
            let id = account.new_message_id();
            let body = Body {
                version: 1,
                bytes: postcard::to_stdvec(&Command::Add(5)).expect("it has a form").into(),
            };
            let to = account.target().clone();
            let sent_at = WallTime::ZERO;
            let message =
                Message { to, id, from: None, reply_to: None, sent_at, body, headers: Headers::new() };
            // Another process puts it there; this one hears of it, sooner or later.
            system.store().enqueue(message).await.expect("it is in memory");
            assert_eq!(account.call(Command::Add(5)).id(id).await.ok(), Some(6), "seed {seed}");
            pass(system, Duration::from_secs(20)).await;
            assert_eq!(account.call(Command::Get).await.ok(), Some(6), "seed {seed}");
            let head =
                system.store().head(account.id()).await.expect("it is in memory").expect("it is there");
            assert_eq!((head.waiting, head.crashes, head.epoch.0), (0, 0, 1), "seed {seed}");
        });
    }
}

#[test]
fn letters_whose_arrival_was_missed_are_handled() {
    let mut world = World::new();
    world.run(async |system| {
        let [active, other, busy] = ["active", "other", "busy"].map(|id| account(system, id));
        active.call(Command::Add(0)).await.expect("it is stored");
        let sent_at = WallTime::from_unix(system.executor().unix_time());
        let bytes = postcard::to_allocvec(&Command::Add(1)).expect("it has a form");
        let body = Body { version: Account::COMMAND_VERSION, bytes: bytes.into() };
        // As another process does, which tells nobody here: more than are kept for whoever is behind.
        let letters =
            [&active, &other].into_iter().chain(std::iter::repeat_n(&busy, ARRIVALS_BEHIND_MAX + 1));
        for (to, n) in letters.zip(0..) {
            let (to, id, body) = (to.target().clone(), MessageId::new(sent_at, n), body.clone());
            let (from, reply_to, headers) = (None, None, Headers::new());
            let message = Message { to, id, from, reply_to, sent_at, body, headers };
            system.store().enqueue(message).await.expect("there is room");
        }
        pass(system, Duration::from_millis(100)).await;
        for account in [active, other, busy] {
            let head = system.store().head(account.id()).await.expect("it is in memory");
            assert_eq!(head.map(|head| head.waiting), Some(0), "{}", account.id());
        }
    });
}

/// Counts, a second each.
struct Patient(Executor);

impl Durable for Patient {
    const TYPE: &'static str = "patient";
    type State = u32;
    type Command = ();
    type Reply = u32;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> u32 {
        0
    }
}

impl DurableActor for Patient {
    async fn handle(&self, (): (), n: &mut u32, _: &mut Turn<'_, Self>) -> Result<u32, NoError> {
        // sleep: the simulation's time
        self.0.sleep(Duration::from_secs(1)).await;
        *n += 1;
        Ok(*n)
    }
}

#[test]
fn an_actor_that_is_asked_to_end_leaves_its_letters_unless_a_call_is_behind_them() {
    let World { mut simulation, store, .. } = World::new();
    let builder =
        DurableSystem::builder(&simulation.system(), store).register(Patient(simulation.executor()));
    simulation.block_on(async {
        let system = &builder.start().await.expect("the store gives a lease");
        let slow = system.actor::<Patient>("a").expect("a good id");
        let head = async || system.store().head(slow.id()).await.expect("memory").expect("it is there");
        let send = async |count: u32| {
            for _ in 0..count {
                slow.send(()).await.expect("it is stored");
            }
        };
        send(300).await;
        pass(system, Duration::from_millis(5_500)).await;
        let began = system.executor().now();
        system.passivate(slow.id()).await;
        let took = system.executor().now().saturating_since(began);
        assert_eq!((took, head().await.waiting), (Duration::from_millis(500), 294));
        pass(system, Duration::from_secs(300)).await;
        assert_eq!((head().await.waiting, head().await.crashes), (0, 0), "the next one goes on");
        send(10).await;
        pass(system, Duration::from_millis(1_500)).await;
        let ends = async {
            settle(system).await;
            system.shutdown(Duration::from_secs(60)).await
        };
        let (called, ended) = join(slow.call(()).into_future(), ends).await;
        assert_eq!(called.ok(), Some(311), "what was sent before comes first");
        ended.expect("the store takes the lease back");
    });
}
