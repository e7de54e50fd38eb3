//! An actor that records what its hooks see and does in them what a test says.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use actor_core::{
    Actor, ActorError, ActorId, ActorRef, Exit, Incarnation, ReplyPort, Status, SupervisionEvent,
};

/// One thing that happened in an actor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    PreStart,
    PostStart,
    Note(u32),
    Started(ActorId),
    /// With the number of notes, if a probe's state was handed over.
    Terminated(ActorId, Exit, Option<u32>),
    Failed(ActorId, Exit),
    Escalated(ActorId, Exit),
    /// As `Terminated`.
    Suspended(ActorId, Exit, Option<u32>),
    Down(ActorId, Exit),
    /// Scope and group, whether they joined, and who.
    Group(String, bool, Vec<ActorId>),
    PostStop,
    /// The state was dropped.
    Dropped,
    /// What a test's own act had to say.
    Said(&'static str),
    Status(Status),
    System(Incarnation),
}

/// The record; clones share it.
#[derive(Clone, Default)]
pub(crate) struct Log {
    entries: Arc<Mutex<Vec<Entry>>>,
}

impl Log {
    pub(crate) fn push(&self, entry: Entry) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What happened since this was last called.
    pub(crate) fn take(&self) -> Vec<Entry> {
        std::mem::take(&mut self.entries.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a test does in a hook.
pub(crate) type Act = Arc<dyn Fn(ActorRef<Message>) -> ActFuture + Send + Sync>;

type ActFuture = Pin<Box<dyn Future<Output = Result<(), ActorError>> + Send>>;

/// Makes an act of a closure.
pub(crate) fn act<F>(f: impl Fn(ActorRef<Message>) -> F + Send + Sync + 'static) -> Act
where
    F: Future<Output = Result<(), ActorError>> + Send + 'static,
{
    Arc::new(move |myself| Box::pin(f(myself)))
}

/// Makes an act of a closure that can run once, since it owns what it needs.
pub(crate) fn act_once<F>(f: impl FnOnce() -> F + Send + 'static) -> Act
where
    F: Future<Output = ()> + Send + 'static,
{
    let f = Mutex::new(Some(f));
    act(move |_| {
        let f = f.lock().unwrap_or_else(PoisonError::into_inner).take().expect("it runs once");
        let run = f();
        async move {
            run.await;
            Ok(())
        }
    })
}

/// A hook that returns an error.
pub(crate) fn fail(text: &'static str) -> Act {
    act(move |_| async move { Err(text.into()) })
}

/// A hook that panics.
pub(crate) fn panics(text: &'static str) -> Act {
    act(move |_| async move { panic!("{text}") })
}

pub(crate) enum Message {
    /// Recorded and counted.
    Note(u32),
    Do(Act),
    /// Answered with the number of notes handled.
    Ask(ReplyPort<u32>),
}

/// Only notes can be told from each other.
impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Note(a), Self::Note(b)) if a == b)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hook {
    PreStart,
    PostStart,
    /// Of a note.
    Handle,
    Supervise,
    PostStop,
}

impl Hook {
    pub(crate) const ALL: [Hook; 5] =
        [Hook::PreStart, Hook::PostStart, Hook::Handle, Hook::Supervise, Hook::PostStop];
}

/// The actor. It records events about others and lives on.
pub(crate) struct Probe {
    log: Log,
    acts: Vec<(Hook, Act)>,
}

impl Probe {
    pub(crate) fn new(log: &Log) -> Self {
        Self { log: log.clone(), acts: Vec::new() }
    }

    /// Does something in a hook, after recording it.
    pub(crate) fn at(mut self, hook: Hook, act: Act) -> Self {
        self.acts.push((hook, act));
        self
    }

    async fn act(&self, hook: Hook, myself: &ActorRef<Message>) -> Result<(), ActorError> {
        for (_, act) in self.acts.iter().filter(|(at, _)| *at == hook) {
            act(myself.clone()).await?;
        }
        Ok(())
    }
}

/// The state: how many notes were handled.
pub(crate) struct Notes {
    pub(crate) count: u32,
    log: Log,
}

impl Drop for Notes {
    fn drop(&mut self) {
        self.log.push(Entry::Dropped);
    }
}

impl Actor for Probe {
    type Msg = Message;
    type State = Notes;
    type Arguments = ();

    async fn pre_start(&self, myself: &ActorRef<Message>, (): ()) -> Result<Notes, ActorError> {
        self.log.push(Entry::PreStart);
        self.act(Hook::PreStart, myself).await?;
        Ok(Notes { count: 0, log: self.log.clone() })
    }

    async fn post_start(&self, myself: &ActorRef<Message>, _: &mut Notes) -> Result<(), ActorError> {
        self.log.push(Entry::PostStart);
        self.act(Hook::PostStart, myself).await
    }

    async fn handle(
        &self,
        myself: &ActorRef<Message>,
        message: Message,
        notes: &mut Notes,
    ) -> Result<(), ActorError> {
        match message {
            Message::Note(number) => {
                notes.count += 1;
                self.log.push(Entry::Note(number));
                self.act(Hook::Handle, myself).await
            }
            Message::Do(act) => act(myself.clone()).await,
            Message::Ask(port) => {
                let _ = port.send(notes.count);
                Ok(())
            }
        }
    }

    async fn handle_supervisor_evt(
        &self,
        myself: &ActorRef<Message>,
        event: SupervisionEvent,
        _: &mut Notes,
    ) -> Result<(), ActorError> {
        self.log.push(match event {
            SupervisionEvent::Started(actor) => Entry::Started(actor.id()),
            SupervisionEvent::Terminated { actor, exit, state } => {
                let count = state.and_then(|state| Some(state.take::<Notes>().ok()?.count));
                Entry::Terminated(actor.id(), exit, count)
            }
            SupervisionEvent::Group(change) => {
                let group = format!("{}/{}", change.scope, change.group);
                Entry::Group(group, change.has_joined, change.actors.iter().map(|actor| actor.id()).collect())
            }
            SupervisionEvent::Suspended { actor, exit, state } => {
                let count = state.and_then(|state| Some(state.take::<Notes>().ok()?.count));
                Entry::Suspended(actor.id(), exit, count)
            }
            SupervisionEvent::Escalated { actor, exit } => Entry::Escalated(actor.id(), exit),
            SupervisionEvent::Failed { actor, exit } => Entry::Failed(actor.id(), exit),
            SupervisionEvent::Down { actor, exit } => Entry::Down(actor.id(), exit),
            other => panic!("an event that this probe does not know: {other:?}"),
        });
        self.act(Hook::Supervise, myself).await
    }

    async fn post_stop(&self, myself: &ActorRef<Message>, _: &mut Notes) -> Result<(), ActorError> {
        self.log.push(Entry::PostStop);
        self.act(Hook::PostStop, myself).await
    }
}
