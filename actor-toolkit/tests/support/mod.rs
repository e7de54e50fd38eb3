//! What the tests share. No test lives here.

pub(crate) mod clock;

use std::sync::Arc;
use std::time::Duration;

use actor_core::{
    Accepts, Actor, ActorError, ActorRef, ActorSystem, Capacity, Event, Recorder, ReplyPort, SpawnOptions,
};
use actor_testkit::{Order, Simulation};
use tokio::sync::Notify;

pub(crate) const MS: Duration = Duration::from_millis(1);

/// Runs a script in a world of its own, in virtual time.
pub(crate) fn simulated<F: Future>(script: impl FnOnce(ActorSystem) -> F) -> F::Output {
    recorded(|system, _| script(system))
}

/// [`simulated`], with what the system's observer hears.
pub(crate) fn recorded<F: Future>(script: impl FnOnce(ActorSystem, Recorder) -> F) -> F::Output {
    let mut simulation = Simulation::new(Order::Fifo);
    let recorder = Recorder::default();
    let system = ActorSystem::builder().executor(simulation.executor()).observer(recorder.clone()).build();
    simulation.block_on(script(system, recorder))
}

/// The events that are told of messages that reached nobody.
pub(crate) fn is_lost(event: &Event) -> bool {
    matches!(event, Event::DeadLetter(_) | Event::Unrouted(_))
}

/// Lets so much virtual time pass: it moves only when everybody waits.
pub(crate) async fn pass(system: &ActorSystem, time: Duration) {
    // sleep: virtual time.
    system.executor().sleep(time).await;
}

/// A number that is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Note(pub(crate) u32);

/// What a [`Listener`] takes.
pub(crate) enum Message {
    Note(Note),
    /// Handled until the gate is opened.
    Hold(Gate),
    /// The notes so far.
    Heard(ReplyPort<Vec<u32>>),
    Fail,
}

impl Accepts<Note> for Message {
    fn wrap(note: Note) -> Self {
        Message::Note(note)
    }

    fn take_back(self) -> Option<Note> {
        if let Message::Note(note) = self { Some(note) } else { None }
    }
}

/// Stands still in a handler until it is opened.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Notify, Notify)>);

impl Gate {
    pub(crate) async fn reached(&self) {
        self.0.0.notified().await;
    }

    /// What the handler does.
    pub(crate) async fn hold(&self) {
        self.0.0.notify_one();
        self.0.1.notified().await;
    }

    pub(crate) fn open(&self) {
        self.0.1.notify_one();
    }
}

/// Keeps the notes it hears.
#[derive(Clone, Copy)]
pub(crate) struct Listener;

impl Actor for Listener {
    type Msg = Message;
    type State = Vec<u32>;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Message>, (): ()) -> Result<Vec<u32>, ActorError> {
        Ok(Vec::new())
    }

    async fn handle(
        &self,
        _: &ActorRef<Message>,
        message: Message,
        heard: &mut Vec<u32>,
    ) -> Result<(), ActorError> {
        match message {
            Message::Note(Note(number)) => heard.push(number),
            Message::Hold(gate) => gate.hold().await,
            Message::Heard(port) => _ = port.send(heard.clone()),
            Message::Fail => return Err("as asked".into()),
        }
        Ok(())
    }
}

pub(crate) async fn listener(system: &ActorSystem) -> ActorRef<Message> {
    system.spawn(Listener, (), SpawnOptions::new()).await.unwrap()
}

/// One with room for so many messages, that stands still until the gate is opened.
pub(crate) async fn held(system: &ActorSystem, room: usize, gate: &Gate) -> ActorRef<Message> {
    let options = SpawnOptions::new().mailbox(Capacity::try_from(room).unwrap());
    let actor = system.spawn(Listener, (), options).await.unwrap();
    actor.cast(Message::Hold(gate.clone())).unwrap();
    gate.reached().await;
    actor
}

/// The notes that an actor has heard, after all that was sent before.
pub(crate) async fn heard(actor: &ActorRef<Message>) -> Vec<u32> {
    actor.call(Message::Heard).await.expect("a live actor answers")
}
