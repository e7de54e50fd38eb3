//! Answers that reach whoever has asked, whatever ends meanwhile: another actor's, and a caller's.

use std::time::Duration;

use actor_durable::limits::LEASE_DEFAULT;
use actor_durable::{
    Answer, AskError, CodecError, Doubt, Durability, Durable, DurableActor, DurableBuilder, DurableId,
    DurableRef, DurableSystem, MessageId, NoError, NotApplied, RequestError, Turn,
};
use serde::{Deserialize, Serialize};

use crate::stage::{Account, Balance, Command, Forgetful, Forgotten, Poor, World, account, pass};

/// Asks accounts, and notes what it hears. It remembers few messages.
#[derive(Clone)]
struct Asker;

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Doing {
    Ask {
        name: String,
        to: String,
        command: Command,
    },
    Heard {
        name: String,
        from: String,
        question: MessageId,
        said: String,
    },
    /// Asks an actor that keeps nothing.
    AskInVain,
    /// Hands on all headers of the message that it handles.
    HandOn,
    Tell,
}

/// The questions it has asked, and what it has heard: name, whom, and what was said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Notes {
    asked: Vec<MessageId>,
    heard: Vec<(String, String, MessageId, String)>,
}

impl Durable for Asker {
    const TYPE: &'static str = "asker";
    const REMEMBERED: usize = 4;
    type State = Notes;
    type Command = Doing;
    type Reply = Notes;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> Notes {
        Notes::default()
    }

    fn is_query(doing: &Doing) -> bool {
        matches!(doing, Doing::Tell)
    }

    fn on_answer(answer: &Answer<'_>) -> Result<Doing, CodecError> {
        assert_ne!(answer.name(), "trap", "so it was asked");
        let said = match answer.reply::<Account>() {
            Ok(money) => money.to_string(),
            Err(error) => error.to_string(),
        };
        let (name, from) = (answer.name().to_owned(), answer.from().to_string());
        Ok(Doing::Heard { name, from, question: answer.question(), said })
    }
}

impl DurableActor for Asker {
    async fn handle(
        &self,
        doing: Doing,
        notes: &mut Notes,
        turn: &mut Turn<'_, Self>,
    ) -> Result<Notes, NoError> {
        match doing {
            Doing::Ask { name, to, command } => {
                notes.asked.push(turn.ask::<Account>(&name, &to, &command).expect("good names"));
            }
            Doing::Heard { name, from, question, said } => notes.heard.push((name, from, question, said)),
            Doing::AskInVain => {
                let refused = turn.ask::<Forgotten>("x", "f", &Command::Get);
                assert_eq!(refused, Err(RequestError::NoInbox));
                let refused = turn.ask::<Account>("", "a", &Command::Get);
                assert!(matches!(refused, Err(RequestError::Name(_))), "{refused:?}");
            }
            Doing::HandOn => {
                let headers = turn.message().expect("it lay in the inbox").headers.clone();
                let (question, said) = (turn.message_id().expect("it has one"), String::new());
                let heard = Doing::Heard { name: "handed on".into(), from: String::new(), question, said };
                turn.send_with::<Asker>("other", headers, &heard).expect("a good id");
            }
            Doing::Tell => {}
        }
        Ok(notes.clone())
    }
}

fn knows(world: &World) -> impl FnOnce(DurableBuilder) -> DurableBuilder + use<> {
    let account = world.account.clone();
    |builder| builder.register(Asker).register(account).register(Forgetful::<3>)
}

/// Runs a future in a process of its own, of which nothing is left after it but what is stored.
fn run_and_crash<R>(world: &mut World, body: impl AsyncFnOnce(&DurableSystem) -> R) -> R {
    let builder = knows(world)(DurableSystem::builder(&world.simulation.system(), world.store.clone()));
    world.simulation.block_on(async {
        let system = builder.start().await.expect("the store gives a lease");
        let result = body(&system).await;
        system.abandon().await;
        pass(&system, LEASE_DEFAULT).await;
        result
    })
}

fn run<R>(world: &mut World, body: impl AsyncFnOnce(&DurableSystem) -> R) -> R {
    let knows = knows(world);
    world.run_with(knows, body)
}

fn asker(system: &DurableSystem) -> DurableRef<Asker> {
    system.actor("asker").expect("a good id")
}

/// Has the asker ask, and gives the question's id.
async fn ask(system: &DurableSystem, name: &str, to: &str, command: Command) -> MessageId {
    let doing = Doing::Ask { name: name.into(), to: to.into(), command };
    let notes = asker(system).call(doing).await.expect("it is stored");
    *notes.asked.last().expect("it has asked")
}

async fn heard(system: &DurableSystem) -> Vec<(String, String, MessageId, String)> {
    asker(system).call(Doing::Tell).await.expect("it is there").heard
}

fn note(name: &str, from: &str, question: MessageId, said: &str) -> (String, String, MessageId, String) {
    (name.into(), from.into(), question, said.into())
}

#[test]
fn d08_an_answer_comes_to_the_asker_whoever_ends_meanwhile() {
    // The asker's process ends as soon as the question is stored; the next after so long a time, wherever the answer is by then.
    for micros in (0..3_000).step_by(250) {
        let mut world = World::seeded(micros);
        let question =
            run_and_crash(&mut world, async |system| ask(system, "more", "a", Command::Add(5)).await);
        run_and_crash(&mut world, async |system| pass(system, Duration::from_micros(micros)).await);
        run(&mut world, async |system| {
            // Nobody asks: it is found.
            pass(system, Duration::from_secs(30)).await;
            assert_eq!(heard(system).await, [note("more", "a", question, "5")], "{micros}");
            assert_eq!(account(system, "a").call(Command::Get).await.ok(), Some(5), "{micros}");
        });
    }
}

#[test]
fn d08_a_refusal_is_an_answer_and_answers_come_in_the_order_of_the_questions() {
    let mut world = World::new();
    run(&mut world, async |system| {
        let first = ask(system, "take", "a", Command::Take(8)).await;
        let second = ask(system, "add", "a", Command::Add(1)).await;
        pass(system, Duration::from_secs(1)).await;
        let expected = [note("take", "a", first, "8 is missing"), note("add", "a", second, "1")];
        assert_eq!(heard(system).await, expected);
    });
}

#[test]
fn d08_a_question_that_is_given_up_as_poison_is_answered() {
    let mut world = World::new();
    run(&mut world, async |system| {
        let question = ask(system, "trouble", "a", Command::Panic).await;
        pass(system, Duration::from_secs(60)).await;
        let said = "not applied: the question was given up: the handler panicked: so it was asked";
        assert_eq!(heard(system).await, [note("trouble", "a", question, said)]);
        let a = account(system, "a");
        // Whoever puts it back gets no second answer.
        system.store().revive(a.id(), question).await.expect("it is dead");
        pass(system, Duration::from_secs(60)).await;
        assert_eq!(heard(system).await.len(), 1);
    });
}

#[test]
fn d08_a_question_that_cannot_arrive_is_answered() {
    let mut world = World::new();
    run(&mut world, async |system| {
        account(system, "gone").call(Command::End).await.expect("it is stored");
        let question = ask(system, "late", "gone", Command::Add(1)).await;
        pass(system, Duration::from_secs(1)).await;
        let said = "not applied: the question was given up: the actor has ended for good";
        assert_eq!(heard(system).await, [note("late", "gone", question, said)]);
        let given_up = system.store().undelivered(asker(system).id(), None, 10).await;
        assert_eq!(given_up.expect("it is there").len(), 1);
    });
}

/// An account of a later program: nothing troubles it.
struct Healed;

impl Durable for Healed {
    const TYPE: &'static str = Account::TYPE;
    type State = Balance;
    type Command = Command;
    type Reply = i64;
    type Error = Poor;

    fn create(&self, _: &DurableId) -> Balance {
        Balance::default()
    }
}

impl DurableActor for Healed {
    async fn handle(&self, _: Command, _: &mut Balance, _: &mut Turn<'_, Self>) -> Result<i64, Poor> {
        Ok(7)
    }
}

#[test]
fn d08_a_question_that_was_given_up_has_no_second_answer_though_the_first_is_forgotten() {
    let mut world = World::new();
    let [a, gone] = ["a", "gone"].map(|id| DurableId::new(id).expect("a good id"));
    let (trouble, late) = run(&mut world, async |system| {
        account(system, "gone").call(Command::End).await.expect("it is stored");
        let trouble = ask(system, "trouble", "a", Command::Panic).await;
        let late = ask(system, "late", "gone", Command::Add(1)).await;
        pass(system, Duration::from_secs(60)).await;
        assert_eq!(heard(system).await.len(), 2);
        for _ in 0..Asker::REMEMBERED {
            asker(system).call(Doing::AskInVain).await.expect("it is stored");
        }
        (trouble, late)
    });
    let healed = |builder: DurableBuilder| builder.register(Asker).register(Healed);
    world.run_with(healed, async |system| {
        let store = system.store();
        store.revive(&a, trouble).await.expect("it is dead");
        assert!(system.delete(&gone).await.expect("nobody has it"));
        let given_up = store.undelivered(asker(system).id(), None, 10).await.expect("it is there");
        let [given_up] = &given_up[..] else { panic!("{given_up:?}") };
        assert!(system.redeliver(asker(system).id(), given_up.outgoing.position).await.expect("it is taken"));
        pass(system, Duration::from_secs(60)).await;
        for (actor, question) in [(&a, trouble), (&gone, late)] {
            let reply = store.reply(actor, question).await.expect("a store");
            assert!(matches!(reply, Some(Some(_))), "it is handled: {reply:?}");
        }
        assert_eq!(heard(system).await.len(), 2);
    });
}

#[test]
fn d08_an_actor_that_ends_with_its_answer_gives_it() {
    let mut world = World::new();
    run(&mut world, async |system| {
        account(system, "a").call(Command::Add(3)).await.expect("it is stored");
        let question = ask(system, "last", "a", Command::End).await;
        pass(system, Duration::from_secs(1)).await;
        assert_eq!(heard(system).await, [note("last", "a", question, "3")]);
    });
}

#[test]
fn d08_an_answer_that_is_not_read_is_a_dead_letter_of_the_asker() {
    let mut world = World::new();
    run(&mut world, async |system| {
        ask(system, "trap", "a", Command::Add(3)).await;
        let question = ask(system, "good", "a", Command::Add(1)).await;
        pass(system, Duration::from_secs(60)).await;
        assert_eq!(heard(system).await, [note("good", "a", question, "4")]);
        let dead = system.store().dead_letters(asker(system).id(), None, 10).await.expect("it is there");
        let [dead] = &dead[..] else { panic!("{dead:?}") };
        assert!(dead.reason.contains("so it was asked"), "{}", dead.reason);
    });
}

#[test]
fn headers_that_are_handed_on_make_no_order_and_no_answer() {
    let mut world = World::new();
    run(&mut world, async |system| {
        let own = ["order", "question", "answer-to", "given-up"].map(|name| format!("actor-durable-{name}"));
        let headers = own.into_iter().chain(["tenant".into()]).map(|name| (name, "0".to_owned())).collect();
        let sent = asker(system).send_with(asker(system).new_message_id(), headers, &Doing::HandOn).await;
        sent.expect("it is stored");
        pass(system, Duration::from_secs(1)).await;
        let other: DurableRef<Asker> = system.actor("other").expect("a good id");
        let notes = other.call(Doing::Tell).await.expect("it is there");
        assert_eq!(notes.heard.len(), 1, "it was handled as a command");
    });
}

#[test]
fn a_question_to_whom_nothing_can_be_sent_is_refused() {
    assert_eq!(Forgotten::DURABILITY, Durability::Volatile);
    let mut world = World::new();
    run(&mut world, async |system| {
        asker(system).call(Doing::AskInVain).await.expect("it is stored");
    });
}

#[test]
fn d08_a_caller_that_has_restarted_gets_the_stored_answer_within_retention_and_a_doubt_beyond() {
    let mut world = World::new();
    let id = run_and_crash(&mut world, async |system| {
        let actor: DurableRef<Forgetful<3>> = system.actor("f").expect("a good id");
        let id = actor.new_message_id();
        assert_eq!(actor.call(5).id(id).await.ok(), Some(5));
        pass(system, Duration::from_millis(5)).await;
        id
    });
    run(&mut world, async |system| {
        let actor: DurableRef<Forgetful<3>> = system.actor("f").expect("a good id");
        assert_eq!(actor.call(5).id(id).await.ok(), Some(5), "it is remembered");
        for n in 1..=3 {
            assert_eq!(actor.call(1).await.ok(), Some(5 + n));
        }
        let doubt = actor.call(5).id(id).await;
        assert!(
            matches!(&doubt, Err(AskError::Unknown { id: of, why: Doubt::Forgotten(_) }) if *of == id),
            "{doubt:?}"
        );
        assert_eq!(actor.call(0).await.ok(), Some(8), "it has no second effect");
    });
}

#[test]
fn an_answer_is_read_as_a_call_would_tell_it() {
    // What it says of a refusal is the other's own error, and of all else what is certain.
    fn is<T: Send>(_: fn(&Answer<'_>) -> Result<i64, T>) {}
    is::<AskError<Poor>>(|answer| answer.reply::<Account>());
    let given_up = AskError::<Poor>::from(NotApplied::GivenUp("no".into()));
    assert_eq!(given_up.to_string(), "not applied: the question was given up: no");
}
