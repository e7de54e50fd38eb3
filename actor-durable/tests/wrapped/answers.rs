//! What is wrapped asks other actors, and hears their answers.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use actor_core::{Actor, ActorError, ActorRef, ReplyPort};
use actor_durable::{
    Answer, CodecError, DurableBuilder, DurableId, DurableRef, DurableSystem, ReplyTo, Turn, WrapActor,
    WrapService, Wrapped, WrappedService,
};
use serde::{Deserialize, Serialize};
use tower_service::Service;

use super::{End, process};
use crate::stage::{self, Account, World};

/// A plain actor that puts money into an account, each time in a turn of its own, and hears how much there is then.
struct Clerk;

enum Message {
    /// Sends itself so many of the next.
    PayOften(u32),
    Pay,
    Heard(String),
    Tell(ReplyPort<Vec<String>>),
}

#[derive(Default, Serialize, Deserialize)]
struct Notes {
    to_ask: bool,
    heard: Vec<String>,
}

impl Actor for Clerk {
    type Msg = Message;
    type State = Notes;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Message>, (): ()) -> Result<Notes, ActorError> {
        Ok(Notes::default())
    }

    async fn handle(
        &self,
        myself: &ActorRef<Message>,
        message: Message,
        notes: &mut Notes,
    ) -> Result<(), ActorError> {
        match message {
            Message::PayOften(times) => (0..times).try_for_each(|_| myself.cast(Message::Pay))?,
            Message::Pay => notes.to_ask = true,
            Message::Heard(what) => notes.heard.push(what),
            Message::Tell(port) => _ = port.send(notes.heard.clone()),
        }
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
enum Command {
    PayOften(u32),
    Heard(String),
    Tell,
}

impl WrapActor for Clerk {
    const TYPE: &'static str = "clerk";
    type Command = Command;
    type Reply = Vec<String>;

    fn arguments(&self, _: &DurableId) {}

    fn message(command: Command, to: ReplyTo<Vec<String>>) -> Message {
        match command {
            Command::PayOften(times) => {
                to.always(Vec::new());
                Message::PayOften(times)
            }
            Command::Heard(what) => {
                to.always(Vec::new());
                Message::Heard(what)
            }
            Command::Tell => Message::Tell(to.port()),
        }
    }

    fn on_handled(&self, notes: &mut Notes, turn: &mut Turn<'_, Wrapped<Self>>) -> Result<(), ActorError> {
        if std::mem::take(&mut notes.to_ask) {
            turn.ask::<Account>("paid", "a", &stage::Command::Add(10))?;
        }
        Ok(())
    }

    fn on_answer(answer: &Answer<'_>) -> Result<Command, CodecError> {
        let money = answer.reply::<Account>().expect("an account says how much there is");
        Ok(Command::Heard(format!("{} {money}", answer.name())))
    }
}

/// A service that adds, and when it comes to one asks an account for the rest.
struct Total(i64);

impl Service<i64> for Total {
    type Response = i64;
    type Error = Infallible;
    type Future = Ready<Result<i64, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, by: i64) -> Self::Future {
        self.0 += by;
        ready(Ok(self.0))
    }
}

struct Totals;

impl WrapService for Totals {
    const TYPE: &'static str = "total";
    type Request = i64;
    type Response = i64;
    type Service = Total;

    fn create(&self, _: &DurableId) -> Total {
        Total(0)
    }

    fn is_query(by: &i64) -> bool {
        *by == 0
    }

    fn on_answered(
        &self,
        answer: Result<&i64, &str>,
        turn: &mut Turn<'_, WrappedService<Self>>,
    ) -> Result<(), ActorError> {
        if answer == Ok(&1) {
            turn.ask::<Account>("rest", "a", &stage::Command::Add(41))?;
        }
        Ok(())
    }

    fn on_answer(answer: &Answer<'_>) -> Result<i64, CodecError> {
        Ok(answer.reply::<Account>().expect("an account says how much there is"))
    }
}

fn register(builder: DurableBuilder) -> DurableBuilder {
    builder.register(Account::default()).wrap(Clerk).wrap_service(Totals)
}

async fn settle(system: &DurableSystem) {
    stage::pass(system, std::time::Duration::from_millis(1)).await;
}

fn clerk(system: &DurableSystem) -> DurableRef<Wrapped<Clerk>> {
    system.actor("c").expect("a good id")
}

#[test]
fn d41_what_a_plain_actor_has_asked_in_turns_of_one_millisecond_is_answered_each() {
    let mut world = World::new();
    let store = world.store.clone();
    let expected = ["paid 10", "paid 20", "paid 30"];
    process(&mut world, store.clone(), register, End::Crash, async |system| {
        clerk(system).call(Command::PayOften(3)).await.expect("it is stored");
        settle(system).await;
        assert_eq!(clerk(system).call(Command::Tell).await.expect("it tells"), expected);
    });
    process(&mut world, store, register, End::InPeace, async |system| {
        assert_eq!(clerk(system).call(Command::Tell).await.expect("it tells"), expected, "they were stored");
    });
}

#[test]
fn d42_a_service_gets_the_answer_to_what_it_has_asked_as_a_request() {
    let mut world = World::new();
    let store = world.store.clone();
    for end in [End::Crash, End::InPeace] {
        process(&mut world, store.clone(), register, end, async |system| {
            let total = system.actor::<WrappedService<Totals>>("t").expect("a good id");
            if end == End::Crash {
                assert_eq!(total.call(1).await.ok(), Some(Ok(1)));
                settle(system).await;
            }
            assert_eq!(total.call(0).await.ok(), Some(Ok(42)), "and asks once, however often it is run");
        });
    }
}
