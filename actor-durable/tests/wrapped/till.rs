//! A till: a plain actor, and the little that makes it durable.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actor_core::{Actor, ActorError, ActorRef, ActorSystem, ReplyPort, SpawnOptions, SupervisionEvent};
use actor_durable::{
    DurableBuilder, DurableId, DurableRef, DurableSystem, ReplyTo, Turn, WrapActor, Wrapped,
};
use serde::{Deserialize, Serialize};

use crate::stage::{self, Account};

/// A plain actor. It counts how often its hooks ran.
#[derive(Clone, Debug, Default)]
pub(super) struct Till {
    pub(super) begun: Arc<AtomicU32>,
    pub(super) lives: Arc<AtomicU32>,
    pub(super) stops: Arc<AtomicU32>,
    pub(super) runs: Arc<AtomicU32>,
    /// Ports that it has kept, whatever becomes of its state.
    kept: Arc<Mutex<Vec<ReplyPort<i64>>>>,
    /// Whether it ends with a child.
    pub(super) ends_with_child: bool,
}

#[derive(Debug)]
pub(super) enum Message {
    Add(i64, ReplyPort<i64>),
    /// Takes the money first, and then sees that there is not so much.
    Take(i64, ReplyPort<i64>),
    Get(ReplyPort<i64>),
    Ends(ReplyPort<u32>),
    /// Keeps the port.
    Keep(ReplyPort<i64>),
    KeptAreClosed(ReplyPort<bool>),
    /// Fails the call.
    FailCall(ReplyPort<i64>),
    Panic,
    /// Has itself add so much after this.
    AddLater(i64, Duration),
    /// What it sends itself: no command is of this.
    Note(i64),
    /// Begins a child that soon ends.
    Child,
    Stop,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Command {
    Add(i64),
    Take(i64),
    Get,
    Ends,
    Keep,
    KeptAreClosed,
    FailCall,
    Panic,
    AddLater(i64, Duration),
    Child,
    Stop,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Reply {
    Done,
    Money(i64),
    Ends(u32),
    Closed(bool),
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Money {
    money: i64,
    /// How many children have ended.
    ends: u32,
    /// What it is to send to an account.
    to_send: Option<i64>,
    #[serde(skip)]
    is_ready: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("there is too little")]
struct TooLittle {
    #[source]
    missing: Missing,
}

#[derive(Debug, thiserror::Error)]
#[error("{0} is missing")]
struct Missing(i64);

impl Actor for Till {
    type Msg = Message;
    type State = Money;
    type Arguments = i64;

    async fn pre_start(&self, _: &ActorRef<Message>, money: i64) -> Result<Money, ActorError> {
        self.begun.fetch_add(1, Ordering::Relaxed);
        Ok(Money { money, ..Money::default() })
    }

    async fn post_start(&self, _: &ActorRef<Message>, state: &mut Money) -> Result<(), ActorError> {
        self.lives.fetch_add(1, Ordering::Relaxed);
        state.is_ready = true;
        Ok(())
    }

    async fn handle(
        &self,
        myself: &ActorRef<Message>,
        message: Message,
        state: &mut Money,
    ) -> Result<(), ActorError> {
        assert!(state.is_ready, "`post_start` comes before everything else");
        self.runs.fetch_add(1, Ordering::Relaxed);
        match message {
            Message::Add(money, port) => {
                state.money += money;
                state.to_send = Some(money);
                _ = port.send(state.money);
            }
            Message::Take(money, port) => {
                state.money -= money;
                state.to_send = Some(-money);
                _ = port.send(state.money);
                if state.money < 0 {
                    return Err(TooLittle { missing: Missing(-state.money) }.into());
                }
            }
            Message::Get(port) => _ = port.send(state.money),
            Message::Ends(port) => _ = port.send(state.ends),
            Message::Keep(port) => {
                state.money += 1_000;
                self.kept.lock().expect("nobody panics with it").push(port);
            }
            Message::KeptAreClosed(port) => {
                let kept = self.kept.lock().expect("nobody panics with it");
                _ = port.send(!kept.is_empty() && kept.iter().all(ReplyPort::is_closed));
            }
            Message::FailCall(port) => port.fail(actor_core::CallFailure::Expired),
            Message::Panic => {
                state.money += 1_000;
                panic!("so it was asked")
            }
            Message::AddLater(money, Duration::ZERO) => myself.cast(Message::Note(money))?,
            Message::AddLater(money, delay) => _ = myself.send_after(delay, Message::Note(money)),
            Message::Note(money) => {
                state.money += money;
                if state.money < 0 {
                    return Err(TooLittle { missing: Missing(-state.money) }.into());
                }
            }
            Message::Child => {
                let options = SpawnOptions::new().supervisor(&myself.cell());
                let (child, _) = ActorSystem::current().spawn_instant(Child, (), options)?;
                child.stop(None);
            }
            Message::Stop => myself.stop(None),
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: &ActorRef<Message>,
        event: SupervisionEvent,
        state: &mut Money,
    ) -> Result<(), ActorError> {
        if let SupervisionEvent::Terminated { .. } = event {
            state.ends += 1;
            if self.ends_with_child {
                myself.stop(None);
            }
        }
        Ok(())
    }

    async fn post_stop(&self, _: &ActorRef<Message>, state: &mut Money) -> Result<(), ActorError> {
        self.stops.fetch_add(1, Ordering::Relaxed);
        state.money = -1;
        Ok(())
    }
}

/// A child that does nothing.
struct Child;

impl Actor for Child {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<()>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }
}

impl WrapActor for Till {
    const TYPE: &'static str = "till";
    type Command = Command;
    type Reply = Reply;

    fn arguments(&self, id: &DurableId) -> i64 {
        if id.as_str() == "rich" { 100 } else { 0 }
    }

    fn message(command: Command, to: ReplyTo<Reply>) -> Message {
        let done = |to: ReplyTo<Reply>, message| {
            to.always(Reply::Done);
            message
        };
        match command {
            Command::Add(money) => Message::Add(money, to.port_as(Reply::Money)),
            Command::Take(money) => Message::Take(money, to.port_as(Reply::Money)),
            Command::Get => Message::Get(to.port_as(Reply::Money)),
            Command::Ends => Message::Ends(to.port_as(Reply::Ends)),
            Command::Keep => Message::Keep(to.port_as(Reply::Money)),
            Command::KeptAreClosed => Message::KeptAreClosed(to.port_as(Reply::Closed)),
            Command::FailCall => Message::FailCall(to.port_as(Reply::Money)),
            Command::Panic => done(to, Message::Panic),
            Command::AddLater(money, delay) => done(to, Message::AddLater(money, delay)),
            Command::Child => done(to, Message::Child),
            Command::Stop => done(to, Message::Stop),
        }
    }

    fn is_query(command: &Command) -> bool {
        matches!(command, Command::Get | Command::Ends)
    }

    fn on_handled(&self, state: &mut Money, turn: &mut Turn<'_, Wrapped<Self>>) -> Result<(), ActorError> {
        if let Some(money) = state.to_send.take() {
            turn.send::<Account>("account", &stage::Command::Add(money))?;
        }
        Ok(())
    }
}

impl Till {
    pub(super) fn register(&self) -> impl FnOnce(DurableBuilder) -> DurableBuilder + use<> {
        let till = self.clone();
        move |builder| builder.wrap(till).register(Account::default())
    }

    /// How often `pre_start`, `post_start` and `post_stop` ran.
    pub(super) fn hooks(&self) -> [u32; 3] {
        [&self.begun, &self.lives, &self.stops].map(|count| count.load(Ordering::Relaxed))
    }
}

pub(super) fn till(system: &DurableSystem) -> DurableRef<Wrapped<Till>> {
    system.actor("t").expect("a good id")
}

pub(super) async fn money(system: &DurableSystem) -> i64 {
    match till(system).call(Command::Get).await {
        Ok(Reply::Money(money)) => money,
        other => panic!("{other:?}"),
    }
}
