//! D7: what was accepted is handled. D15: a message leaves the inbox with its turn. D16: it arrives as it was. D17: who never
//! was is there when somebody asks.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actor_durable::limits::{LEASE_DEFAULT, LOOK_INTERVAL_DEFAULT};
use actor_durable::store::{Cause, Destination, Headers, Message, Outgoing, Store};
use actor_durable::testing::{Fault, FaultMode, FaultStore, Operation};
use actor_durable::{
    AskError, Durable, DurableActor, DurableBuilder, DurableId, DurableSystem, MessageId, NoError,
    NotApplied, Turn, WallTime,
};
use futures_util::future::{Either, select};
use serde::{Deserialize, Serialize};

use super::{crash, head, id, journal, message, places, seize};
use crate::stage::{Account, Command, World, account, pass};

/// Long enough for a lease to end, and for whoever is left to look.
const TAKEN_OVER: Duration =
    Duration::from_secs(LEASE_DEFAULT.as_secs() + 2 * LOOK_INTERVAL_DEFAULT.as_secs());

/// Two processes on one store, of which the first has the actor and dies at the fault. Whether the message was accepted, and whether
/// the fault struck.
fn send_and_die(seed: u64, operation: Operation, visit: u64, mode: FaultMode) -> (bool, bool) {
    let mut world = World::seeded(seed);
    let doomed = FaultStore::new(world.store.clone(), []);
    let (_, first) = world.process_over(Arc::new(doomed.clone()));
    let (_, second) = world.process();
    world.simulation.block_on(async {
        let (first, second) = (first.await, second.await);
        account(&first, "a").call(Command::Add(1)).await.expect("it is stored");
        let visits = doomed.visits().get(&operation).copied().unwrap_or_default();
        doomed.add(Fault { operation, visit: visits + visit, mode });
        let receiver = account(&first, "a");
        let sent = pin!(receiver.send(Command::Add(5)));
        let accepted = match select(sent, pin!(doomed.crashed())).await {
            Either::Left((sent, _)) => sent.is_ok(),
            Either::Right(_) => false,
        };
        // It goes on until it dies, or has nothing to do.
        select(pin!(doomed.crashed()), pin!(pass(&second, Duration::from_secs(1)))).await;
        first.abandon().await;
        pass(&second, TAKEN_OVER).await;
        let waiting = head(&world.store, "a").await.waiting;
        assert_eq!(waiting, 0, "nobody asks, and it is handled: {operation:?} {visit} {mode:?}");
        let money = account(&second, "a").call(Command::Get).await.ok();
        if accepted {
            assert_eq!(money, Some(6), "once: {operation:?} {visit} {mode:?}");
        } else {
            assert!(matches!(money, Some(1 | 6)), "once or never: {operation:?} {visit} {mode:?}");
        }
        second.abandon().await;
        (accepted, doomed.has_crashed())
    })
}

#[test]
fn d07_what_send_has_accepted_is_handled_though_the_node_of_the_receiver_dies_next() {
    for operation in [Operation::Inbox, Operation::CommitTurn] {
        for mode in [FaultMode::CrashBefore, FaultMode::CrashAfter] {
            for seed in 0..4 {
                assert_eq!(send_and_die(seed, operation, 1, mode), (true, true), "{operation:?} {mode:?}");
            }
        }
    }
    // It is stored, and the sender is not told.
    assert_eq!(send_and_die(1, Operation::Enqueue, 1, FaultMode::CrashAfter), (false, true));
    assert_eq!(send_and_die(1, Operation::Enqueue, 1, FaultMode::CrashBefore), (false, true));
}

#[tokio::test]
async fn d07_what_send_has_accepted_is_handled_by_whoever_opens_the_store_next() {
    let register = |builder: DurableBuilder| builder.register(Account::default());
    for place in places() {
        for round in 1..=5 {
            crash(&*place, register, async |system| {
                let receiver = account(system, "a");
                if round % 2 == 0 {
                    // It is in memory here.
                    receiver.call(Command::Get).await.expect("it looks");
                }
                receiver.send(Command::Add(5)).await.expect("it is stored");
            })
            .await;
            crash(&*place, register, async |system| {
                assert_eq!(account(system, "a").call(Command::Get).await.ok(), Some(5 * round));
                assert_eq!(head(system.store(), "a").await.waiting, 0);
            })
            .await;
        }
    }
}

/// Between the memory of messages and the time of their ids: what was made for one call or message is certainly new.
#[test]
fn d07_what_is_sent_without_an_id_is_accepted_though_later_messages_are_forgotten() {
    let mut world = World::new();
    let window = Window::default();
    world.run_with(
        |builder| builder.register(window.clone()),
        async |system| {
            let a = system.actor::<Window>("a").expect("a good id");
            let now = WallTime::from_unix(system.executor().unix_time());
            // A client whose clock is ahead by a minute, and whose messages are remembered no more.
            for n in 0..Window::REMEMBERED as u64 + 5 {
                let made = now.after(Duration::from_secs(60) + Duration::from_millis(n));
                let id = MessageId::new(made, n.into());
                a.call(Shown::Show).id(id).await.expect("it is stored");
            }
            for _ in 0..3 {
                a.call(Shown::Show).await.expect("it is stored");
                a.send(Shown::Show).await.expect("it is stored");
            }
            pass(system, Duration::from_secs(1)).await;
            assert_eq!(window.seen.lock().expect("nothing panics under it").len(), 3);
            // Who has chosen an id may have sent it before.
            let refused = a.call(Shown::Show).id(a.new_message_id()).await;
            assert!(matches!(refused, Err(AskError::Unknown { .. })), "{refused:?}");
        },
    );
}

#[test]
fn d15_a_message_leaves_the_inbox_with_its_turn_and_not_before_or_after() {
    for (mode, left, money) in [(FaultMode::CrashBefore, 1, 7), (FaultMode::CrashAfter, 0, 12)] {
        let mut world = World::new();
        world.run(async |system| drop(account(system, "a").call(Command::Add(7)).await));
        let doomed = FaultStore::new(
            world.store.clone(),
            [Fault { operation: Operation::CommitTurn, visit: 1, mode }],
        );
        let (beneath, runs) = (world.store.clone(), world.account.runs.clone());
        let (_, first) = world.process_over(Arc::new(doomed.clone()));
        world.simulation.block_on(async {
            let system = first.await;
            account(&system, "a").send(Command::Add(5)).await.expect("it is stored");
            doomed.crashed().await;
            assert_eq!(runs.load(std::sync::atomic::Ordering::Relaxed), 2, "the handler ran");
            let recorded = journal(&beneath, "a").await.len() as u64;
            let state = stored(&beneath, account(&system, "a").target()).await;
            // All that the turn did, or nothing.
            let head = head(&beneath, "a").await;
            assert_eq!((head.waiting, recorded, state), (left, 3 - left, money));
            system.abandon().await;
        });
        world.run(async |system| {
            assert_eq!(account(system, "a").call(Command::Get).await.ok(), Some(12), "{mode:?}");
            assert_eq!(head(system.store(), "a").await.waiting, 0);
        });
    }
}

/// The money in the stored state.
async fn stored(store: &Arc<dyn Store>, target: &actor_durable::Target) -> i64 {
    let head = seize(store, target).await;
    let recovery = store.load(&target.id, head.epoch).await.expect("it is seized");
    store.release(&target.id, head.epoch).await.expect("it is seized");
    let body = recovery.snapshot.expect("it has begun").body;
    let balance: crate::stage::Balance = postcard::from_bytes(&body.bytes).expect("it was written here");
    balance.money
}

/// Shows what comes to it, hands it on, or does not live to.
#[derive(Clone, Default)]
struct Window {
    seen: Arc<Mutex<Vec<Message>>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Shown {
    Show,
    HandOn(String),
    Panic,
}

impl Durable for Window {
    const TYPE: &'static str = "window";
    const ATTEMPTS_MAX: u32 = 1;
    const REMEMBERED: usize = 3;
    type State = ();
    type Command = Shown;
    type Reply = ();
    type Error = NoError;

    fn create(&self, _: &DurableId) {}
}

impl DurableActor for Window {
    async fn handle(&self, command: Shown, (): &mut (), turn: &mut Turn<'_, Self>) -> Result<(), NoError> {
        let message = turn.message().cloned();
        match (command, message) {
            (Shown::HandOn(to), Some(message)) => {
                turn.send_with::<Self>(&to, message.headers, &Shown::Show).expect("a good id");
            }
            (Shown::Panic, _) => panic!("so it was asked"),
            (_, message) => self.seen.lock().expect("nothing panics under it").extend(message),
        }
        Ok(())
    }
}

fn headers() -> Headers {
    let known_to_nobody = [("traceparent", "00-4bf9-01"), ("x-unknown", "\u{1f600}\0"), ("", "nameless")];
    known_to_nobody.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

#[test]
fn d16_a_message_arrives_with_all_it_carries_and_what_nobody_knows_is_kept() {
    let mut world = World::new();
    let window = Window::default();
    let seen = || window.seen.lock().expect("nothing panics under it").clone();
    let register = |builder: DurableBuilder| builder.register(window.clone());
    let (full, dead) = world.run_with(register, async |system| {
        let a = system.actor::<Window>("a").expect("a good id");
        let full = Message {
            from: Some(id("somebody")),
            reply_to: Some(account(system, "asker").target().clone()),
            sent_at: WallTime::from_millis(1_234_567),
            headers: headers(),
            ..message(&a, a.new_message_id(), &Shown::Show)
        };
        let dead = Message { id: a.new_message_id(), ..message(&a, full.id, &Shown::Panic) };
        let dead = Message { headers: headers(), from: Some(id("somebody")), ..dead };
        for message in [&full, &dead] {
            system.store().enqueue(message.clone()).await.expect("it is stored");
        }
        pass(system, Duration::from_secs(10)).await;
        assert_eq!(seen(), std::slice::from_ref(&full), "in the handler, as it was sent");
        // A caller's command is no message of an inbox.
        a.call(Shown::Show).await.expect("it is stored");
        assert_eq!(seen().len(), 1);
        (full, dead)
    });
    world.run_with(register, async |system| {
        let letters = system.store().dead_letters(&id("a"), None, 10).await.expect("it is there");
        let letters: Vec<Message> = letters.into_iter().map(|dead| dead.letter.message).collect();
        assert_eq!(letters, [dead], "among the dead, as it was sent");
    });
    assert_eq!(full.headers, headers());
}

#[test]
fn d16_what_an_actor_sends_carries_its_sender_and_the_headers_it_was_given() {
    let mut world = World::new();
    let window = Window::default();
    let register = |builder: DurableBuilder| builder.register(window.clone());
    world.run_with(register, async |system| {
        let a = system.actor::<Window>("a").expect("a good id");
        a.send_with(a.new_message_id(), headers(), &Shown::HandOn("b".into())).await.expect("it is stored");
        pass(system, Duration::from_secs(1)).await;
        let sent = &journal(system.store(), "a").await[1];
        let seen = window.seen.lock().expect("nothing panics under it").clone();
        let b = system.actor::<Window>("b").expect("a good id");
        let expected = Message {
            from: Some(id("a")),
            sent_at: sent.at,
            headers: headers(),
            ..message(&b, sent.sent[0], &Shown::Show)
        };
        assert_eq!(seen, [expected]);
    });
}

#[test]
fn d16_what_waits_in_an_outbox_is_as_it_was_sent() {
    let mut world = World::new();
    let window = Window::default();
    // The store takes the turn, and nothing leaves.
    let faults =
        (1..100).map(|visit| Fault { operation: Operation::Transfer, visit, mode: FaultMode::Refuse });
    let store: Arc<dyn Store> = Arc::new(FaultStore::new(world.store.clone(), faults));
    let beneath = world.store.clone();
    let register = |builder: DurableBuilder| builder.register(window.clone());
    world.crash_with(store, register, async |system| {
        let a = system.actor::<Window>("a").expect("a good id");
        a.send_with(a.new_message_id(), headers(), &Shown::HandOn("b".into())).await.expect("it is stored");
        pass(system, Duration::from_secs(1)).await;
        let head = seize(&beneath, a.target()).await;
        let outbox = beneath.load(a.id(), head.epoch).await.expect("it is seized").outbox;
        let [Outgoing { to, headers: carried, .. }] = &outbox[..] else { panic!("{outbox:?}") };
        let b = system.actor::<Window>("b").expect("a good id");
        assert_eq!((to, carried), (&Destination::Actor(b.target().clone()), &headers()));
    });
}

#[test]
fn d17_a_reference_to_an_actor_that_never_was_makes_it_be_when_it_is_used() {
    let mut world = World::new();
    world.run(async |system| {
        let store = system.store();
        let looked_at = account(system, "looked-at");
        assert_eq!(store.head(looked_at.id()).await.expect("a store"), None, "a reference is no actor");
        // Who only looks at it makes it be, as whoever else does.
        assert_eq!(looked_at.call(Command::Get).await.ok(), Some(0));
        let causes: Vec<Cause> = journal(store, "looked-at").await.iter().map(|entry| entry.cause).collect();
        assert_eq!(causes, [Cause::Spawned]);
        account(system, "sent-to").send(Command::Add(5)).await.expect("it is stored");
        account(system, "payer").call(Command::Add(5)).await.expect("it is stored");
        account(system, "payer").call(Command::Pay("paid".into(), 5)).await.expect("it is stored");
        pass(system, Duration::from_secs(1)).await;
        for id in ["sent-to", "paid"] {
            assert_eq!(account(system, id).call(Command::Get).await.ok(), Some(5), "{id}");
        }
    });
    assert_eq!(world.account.starts.load(std::sync::atomic::Ordering::Relaxed), 4, "each began once");
}

#[test]
fn d17_a_type_that_is_unknown_here_is_an_error_of_the_call_and_its_mail_waits() {
    let mut world = World::new();
    world.run(async |system| {
        let stranger = system.actor::<Window>("w").expect("a good id");
        let refused = stranger.call(Shown::Show).await;
        let Err(AskError::NotApplied(NotApplied::NotRegistered(found))) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(found, "window");
        assert_eq!(system.store().head(stranger.id()).await.expect("a store"), None);
        stranger.send(Shown::Show).await.expect("it is stored");
        pass(system, Duration::from_secs(60)).await;
        assert_eq!(head(system.store(), "w").await.waiting, 1);
    });
    let window = Window::default();
    world.run_with(
        |builder| builder.register(window.clone()),
        async |system: &DurableSystem| pass(system, Duration::from_secs(1)).await,
    );
    assert_eq!(window.seen.lock().expect("nothing panics under it").len(), 1);
}

#[test]
fn d17_one_that_has_ended_is_no_more_and_one_that_was_deleted_never_was() {
    let mut world = World::new();
    world.run(async |system| {
        let a = account(system, "a");
        a.call(Command::Add(5)).await.expect("it is stored");
        a.call(Command::End).await.expect("it is stored");
        pass(system, Duration::from_secs(1)).await;
        let Err(refused) = a.call(Command::Get).await else { panic!("it has ended") };
        assert_eq!(refused.to_string(), "not applied: the actor has ended for good");
        let Err(refused) = a.send(Command::Get).await else { panic!("it has ended") };
        assert_eq!(refused.to_string(), "not applied: the actor has ended for good");
        let head = seize(system.store(), a.target()).await;
        system.store().delete(a.id(), head.epoch).await.expect("it is seized");
        assert_eq!(a.call(Command::Get).await.ok(), Some(0), "it begins anew");
    });
    assert_eq!(world.account.starts.load(std::sync::atomic::Ordering::Relaxed), 2);
}
