//! What comes twice is done once, also where the first is not stored yet, or was given up before.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actor_core::Executor;
use actor_durable::store::{Headers, Store};
use actor_durable::{
    Answer, CodecError, Durable, DurableActor, DurableBuilder, DurableId, DurableRef, DurableSystem,
    MessageId, NoError, Turn,
};
use serde::{Deserialize, Serialize};

use crate::stage::{Command, World, WrittenBack, pass};

const MOMENT: Duration = Duration::from_millis(1);

#[test]
fn a_letter_that_a_caller_has_sent_too_is_not_handled_while_that_is_not_stored() {
    let mut world = World::new();
    world.run(async |system| {
        let a: DurableRef<WrittenBack> = system.actor("a").expect("a good id");
        let id = a.new_message_id();
        assert_eq!(a.call(Command::Add(5)).id(id).await.ok(), Some(5));
        a.send_with(id, Headers::new(), &Command::Add(5)).await.expect("nobody knows it yet");
        pass(system, MOMENT).await;
        assert_eq!(a.call(Command::Get).await.ok(), Some(5));
        pass(system, Duration::from_secs(2)).await;
        let head = system.store().head(a.id()).await.expect("it is in memory").expect("it is there");
        assert_eq!(head.waiting, 0);
        assert_eq!(a.call(Command::Add(5)).id(id).await.ok(), Some(5), "it is remembered all the same");
        assert_eq!(a.call(Command::Get).await.ok(), Some(5));
    });
}

#[test]
fn what_is_not_stored_at_once_is_stored_while_a_handler_waits_and_not_later_than_promised() {
    let mut world = World::new();
    world.run_and_crash(async |system| {
        let a: DurableRef<WrittenBack> = system.actor("a").expect("a good id");
        let stored = async || {
            let head = system.store().head(a.id()).await.expect("it is in memory");
            head.expect("it has begun").sequence.0
        };
        // Its first turn is stored at once; these within a second of the first of them.
        a.call(Command::Add(1)).await.expect("nothing is wrong with it");
        pass(system, Duration::from_millis(600)).await;
        a.call(Command::Add(1)).await.expect("nothing is wrong with it");
        let hangs = a.call(Command::Hang).into_future();
        let later = async {
            pass(system, Duration::from_millis(399)).await;
            let before = stored().await;
            pass(system, Duration::from_millis(2)).await;
            assert_eq!((before, stored().await), (1, 3));
        };
        futures_util::future::select(std::pin::pin!(hangs), std::pin::pin!(later)).await;
    });
}

/// Panics while it is told to. It remembers two messages.
struct Sulky(Arc<AtomicBool>);

impl Durable for Sulky {
    const TYPE: &'static str = "sulky";
    const REMEMBERED: usize = 2;
    const ATTEMPTS_MAX: u32 = 1;
    type State = i64;
    type Command = i64;
    type Reply = i64;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> i64 {
        0
    }
}

impl DurableActor for Sulky {
    async fn handle(&self, by: i64, n: &mut i64, _: &mut Turn<'_, Self>) -> Result<i64, NoError> {
        assert!(!self.0.load(Ordering::Relaxed), "so it was asked");
        *n += by;
        Ok(*n)
    }
}

#[test]
fn what_was_given_up_and_put_back_is_handled_and_remembered_once() {
    let (mut world, sulks) = (World::new(), Arc::new(AtomicBool::new(true)));
    let sulky = Sulky(sulks.clone());
    world.run_with(
        |builder| builder.register(sulky),
        async |system: &DurableSystem| {
            let a: DurableRef<Sulky> = system.actor("a").expect("a good id");
            let (id, store): (_, &Arc<dyn Store>) = (a.new_message_id(), system.store());
            a.send_with(id, Headers::new(), &5).await.expect("it is stored");
            pass(system, MOMENT).await;
            assert_eq!(store.dead_letters(a.id(), None, 9).await.expect("it is there").len(), 1);
            sulks.store(false, Ordering::Relaxed);
            assert!(system.is_active(a.id()), "it remembers that it has given it up");
            store.revive(a.id(), id).await.expect("it is dead");
            pass(system, MOMENT).await;
            assert_eq!(a.call(1).await.ok(), Some(6));
            assert_eq!(a.call(5).id(id).await.ok(), Some(5), "it is one of the last two");
        },
    );
}

/// Asks another one of its kind, and hears what that says. It stumbles once.
struct Asker(AtomicBool);

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Talk {
    /// Asks the other, and tells the question's id.
    Ask,
    Speak,
    Stumble,
    Hear(Option<u32>),
    Heard,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Said {
    Asked(MessageId),
    Word(u32),
    Heard(Vec<Option<u32>>),
}

impl Durable for Asker {
    const TYPE: &'static str = "asker";
    type State = (u32, Vec<Option<u32>>);
    type Command = Talk;
    type Reply = Said;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> Self::State {
        Default::default()
    }

    fn on_answer(answer: &Answer<'_>) -> Result<Talk, CodecError> {
        Ok(Talk::Hear(match answer.reply::<Self>() {
            Ok(Said::Word(word)) => Some(word),
            _ => None,
        }))
    }
}

impl DurableActor for Asker {
    async fn handle(
        &self,
        talk: Talk,
        (words, heard): &mut Self::State,
        turn: &mut Turn<'_, Self>,
    ) -> Result<Said, NoError> {
        Ok(match talk {
            Talk::Ask => Said::Asked(turn.ask::<Self>("q", "other", &Talk::Speak).expect("a good name")),
            Talk::Speak => {
                *words += 1;
                Said::Word(*words)
            }
            Talk::Hear(word) => {
                heard.push(word);
                Said::Heard(Vec::new())
            }
            Talk::Stumble => {
                assert!(self.0.swap(true, Ordering::Relaxed), "so it was asked");
                Said::Heard(Vec::new())
            }
            Talk::Heard => Said::Heard(heard.clone()),
        })
    }
}

#[test]
fn a_question_that_a_caller_has_asked_too_while_it_waited_has_the_same_answer() {
    let mut world = World::new();
    let register = |builder: DurableBuilder| builder.register(Asker(AtomicBool::new(false)));
    world.run_with(register, async |system| {
        let [asker, other] = ["asker", "other"].map(|id| system.actor::<Asker>(id).expect("a good id"));
        // What comes behind this waits until it is tried again.
        other.send(Talk::Stumble).await.expect("it is stored");
        pass(system, MOMENT).await;
        let Ok(Said::Asked(question)) = asker.call(Talk::Ask).await else { panic!("it asks") };
        pass(system, MOMENT).await;
        assert_eq!(other.call(Talk::Speak).id(question).await.ok(), Some(Said::Word(1)));
        assert_eq!(asker.call(Talk::Heard).await.ok(), Some(Said::Heard(vec![])));
        pass(system, Duration::from_secs(1)).await;
        assert_eq!(asker.call(Talk::Heard).await.ok(), Some(Said::Heard(vec![Some(1)])));
        assert_eq!(other.call(Talk::Speak).await.ok(), Some(Said::Word(2)), "it was handled once");
    });
}

/// Adds up, and is slow when there is nothing to add. It remembers two messages.
struct Slow(Executor);

impl Durable for Slow {
    const TYPE: &'static str = "slow";
    const REMEMBERED: usize = 2;
    type State = i64;
    type Command = i64;
    type Reply = i64;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> i64 {
        0
    }
}

impl DurableActor for Slow {
    async fn handle(&self, by: i64, n: &mut i64, _: &mut Turn<'_, Self>) -> Result<i64, NoError> {
        if by == 0 {
            // sleep: the simulation's time
            self.0.sleep(Duration::from_secs(10)).await;
        }
        *n += by;
        Ok(*n)
    }
}

/// The call still waits in the mailbox when its command, sent as a letter, is handled and forgotten.
#[test]
fn a_call_that_was_given_up_is_not_handled_after_its_command_was_sent_with_its_id_and_forgotten() {
    let mut world = World::new();
    let slow = Slow(world.simulation.executor());
    world.run_with(
        |builder| builder.register(slow),
        async |system: &DurableSystem| {
            let a: DurableRef<Slow> = system.actor("a").expect("a good id");
            a.call(100).await.expect("nothing is wrong with it");
            let before: Vec<_> = (0..3)
                .map(|_| {
                    let a = a.clone();
                    system.executor().spawn(async move { drop(a.call(0).await) })
                })
                .collect();
            pass(system, MOMENT).await;
            let given_up = a.call(1).timeout(Duration::from_secs(1)).await.expect_err("others are before it");
            let id = given_up.unknown_id().expect("nobody knows what becomes of it");
            a.send_with(id, Headers::new(), &1).await.expect("it is new to the store");
            for _ in 0..3 {
                pass(system, MOMENT).await;
                a.send(1_000).await.expect("it is stored");
            }
            for call in before {
                call.await;
            }
            assert_eq!(a.call(10_000).await.ok(), Some(13_101));
        },
    );
}
