//! The kinds of durable actors as one: state that is kept whole, and events that come to a state. What differs between them is
//! here, and in [`wrap`](crate::wrap) for those that were written for something else.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actor_core::{ActorError, ActorSystem};
use pin_project_lite::pin_project;

use crate::actor::{Durable, DurableActor, EventSourced};
use crate::codec::{CodecError, decode, encode_body, legible};
use crate::id::{DurableId, Sequence};
use crate::store::Body;
use crate::turn::Turn;

/// What a turn gave, or why it was refused.
pub(crate) type Ran<A> = Result<(<A as Durable>::Reply, Vec<Body>), NotRun<<A as Durable>::Error>>;

/// Why a turn changed nothing.
#[derive(Debug)]
pub(crate) enum NotRun<E> {
    /// The handler has refused the command.
    Refused(E),
    /// An event or a request cannot be encoded, or a service cannot be restored.
    Unwritable(CodecError),
    /// It could not be run to its end, and the state may be lost: it is to be made anew.
    Broken(String),
}

/// Why a stored event cannot be replayed.
#[derive(Debug)]
pub(crate) enum NotReplayed {
    /// It cannot be read.
    Codec(CodecError),
    /// It has another effect than it had at first.
    Diverged(String),
    /// What it is for is not ready.
    NotReady(String),
}

impl From<CodecError> for NotReplayed {
    fn from(form: CodecError) -> Self {
        Self::Codec(form)
    }
}

/// How an actor's past is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeps {
    /// The state, after each turn that changed it.
    State,
    /// Events, and the state after each so many of them or of turns, or so many bytes of events.
    Events { count: u64, bytes: usize },
}

/// What the stored state does not know: the end of the journal behind an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tail {
    behind: Sequence,
    events: u64,
    bytes: usize,
}

impl Tail {
    pub(crate) fn new(behind: Sequence) -> Self {
        Self { behind, events: 0, bytes: 0 }
    }

    pub(crate) fn add(&mut self, events: &[Body]) {
        self.events += events.len() as u64;
        self.bytes += events.iter().map(|event| event.bytes.len()).sum::<usize>();
    }

    /// Whether there is so much of it, up to an entry, that the state is to be stored.
    pub(crate) fn is_long(self, keeps: Keeps, last: Sequence) -> bool {
        let Keeps::Events { count, bytes } = keeps else { return false };
        // Turns in which nothing happened lie in the journal too.
        let turns = last.0.saturating_sub(self.behind.0);
        turns > 0 && (turns.max(self.events) >= count || self.bytes >= bytes)
    }
}

/// What a wrapped actor, which is told things by other ways than commands too, asks of its activation.
pub(crate) trait TurnRequester: Clone + Send + Sync + 'static {
    /// Requests a turn, behind what the activation has accepted, and waits until it is over or the activation is.
    fn request(&self) -> impl Future<Output = ()> + Send;

    /// Ends the activation once it has handled what it has accepted.
    fn passivate(&self);

    /// The system that the activation runs in.
    fn system(&self) -> &ActorSystem;
}

/// A kind of durable actors.
pub(crate) trait Model: Send + Sync + 'static {
    type Actor: Durable;

    const KEEPS: Keeps;

    fn actor(&self) -> &Self::Actor;

    /// The state of a body.
    fn read_state(&self, id: &DurableId, body: &Body) -> Result<State<Self>, CodecError> {
        let _ = id;
        read_state::<Self::Actor>(body)
    }

    /// Makes what is not kept, before anything else is done with a state that was read or created. With the requester the actor can
    /// ask for turns of its own.
    fn recover(
        &self,
        id: &DurableId,
        state: &mut State<Self>,
        requester: &impl TurnRequester,
    ) -> impl Future<Output = Result<(), ActorError>> + Send {
        let _ = requester;
        self.actor().on_recover(id, state)
    }

    /// The first turn; events are applied already.
    fn start(
        &self,
        state: &mut State<Self>,
        turn: &mut Turn<'_, Self::Actor>,
    ) -> impl Future<Output = Result<Vec<Body>, ActorError>> + Send;

    /// Any other turn; events are applied already. Where it is refused, a state that is kept whole may have been changed.
    fn run(
        &self,
        command: Command<Self>,
        state: &mut State<Self>,
        turn: &mut Turn<'_, Self::Actor>,
    ) -> impl Future<Output = Ran<Self::Actor>> + Send;

    /// A turn that the actor has requested. Where it is refused, the state may have been changed.
    fn run_own(
        &self,
        state: &mut State<Self>,
        turn: &mut Turn<'_, Self::Actor>,
    ) -> impl Future<Output = Result<(), NotRun<Error<Self>>>> + Send {
        let _ = (state, turn);
        async { Ok(()) }
    }

    /// What an event that was stored does.
    fn replay(
        &self,
        id: &DurableId,
        state: &mut State<Self>,
        event: &Body,
    ) -> impl Future<Output = Result<(), NotReplayed>> + Send;

    /// The activation ends normally, and everything is stored.
    fn finish(&self, state: &mut State<Self>) -> impl Future<Output = ()> + Send {
        let _ = state;
        async {}
    }
}

pub(crate) type State<M> = <<M as Model>::Actor as Durable>::State;
pub(crate) type Command<M> = <<M as Model>::Actor as Durable>::Command;
pub(crate) type Error<M> = <<M as Model>::Actor as Durable>::Error;

/// See [`DurableActor`].
#[derive(Debug)]
pub(crate) struct ByState<A>(pub(crate) A);

/// See [`EventSourced`].
#[derive(Debug)]
pub(crate) struct ByEvents<A>(pub(crate) A);

impl<A: DurableActor> Model for ByState<A> {
    type Actor = A;

    const KEEPS: Keeps = Keeps::State;

    fn actor(&self) -> &A {
        &self.0
    }

    async fn start(&self, state: &mut A::State, turn: &mut Turn<'_, A>) -> Result<Vec<Body>, ActorError> {
        self.0.on_start(state, turn).await?;
        Ok(Vec::new())
    }

    fn run(
        &self,
        command: A::Command,
        state: &mut A::State,
        turn: &mut Turn<'_, A>,
    ) -> impl Future<Output = Ran<A>> + Send {
        Handling { handler: self.0.handle(command, state, turn) }
    }

    async fn replay(&self, _: &DurableId, _: &mut A::State, event: &Body) -> Result<(), NotReplayed> {
        Err(no_events(event).into())
    }
}

pin_project! {
    /// A handler that gives no events. It has no state of its own, as a block around it would.
    struct Handling<F> {
        #[pin]
        handler: F,
    }
}

impl<R, E, F: Future<Output = Result<R, E>>> Future for Handling<F> {
    type Output = Result<(R, Vec<Body>), NotRun<E>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = ready!(self.project().handler.poll(cx));
        Poll::Ready(result.map(|reply| (reply, Vec::new())).map_err(NotRun::Refused))
    }
}

impl<A: EventSourced> ByEvents<A> {
    /// Writes events, then applies them: what cannot be written, and read again, did not happen.
    fn happen(&self, state: &mut A::State, events: &[A::Event]) -> Result<Vec<Body>, CodecError> {
        let bodies = events
            .iter()
            .map(|event| {
                let body = encode_body("an event", A::EVENT_VERSION, event)?;
                legible("an event", read_event::<A>(&body))?;
                Ok(body)
            })
            .collect::<Result<_, _>>()?;
        for event in events {
            self.0.apply(state, event);
        }
        Ok(bodies)
    }
}

impl<A: EventSourced> Model for ByEvents<A> {
    type Actor = A;

    const KEEPS: Keeps = Keeps::Events { count: A::SNAPSHOT_EVERY, bytes: A::SNAPSHOT_BYTES };

    fn actor(&self) -> &A {
        &self.0
    }

    async fn start(&self, state: &mut A::State, turn: &mut Turn<'_, A>) -> Result<Vec<Body>, ActorError> {
        let events = self.0.on_start(state, turn).await?;
        Ok(self.happen(state, &events)?)
    }

    async fn run(&self, command: A::Command, state: &mut A::State, turn: &mut Turn<'_, A>) -> Ran<A> {
        let decision = self.0.decide(command, state, turn).await.map_err(NotRun::Refused)?;
        let bodies = self.happen(state, &decision.events).map_err(NotRun::Unwritable)?;
        Ok((decision.reply, bodies))
    }

    async fn replay(&self, _: &DurableId, state: &mut A::State, event: &Body) -> Result<(), NotReplayed> {
        self.0.apply(state, &read_event::<A>(event)?);
        Ok(())
    }
}

/// An event of a type that keeps none.
pub(crate) fn no_events(event: &Body) -> CodecError {
    let why = "its type keeps no events".into();
    CodecError::Undecodable { what: "an event", version: event.version, why }
}

/// The state of a body.
pub(crate) fn read_state<A: Durable>(body: &Body) -> Result<A::State, CodecError> {
    match body.version {
        version if version == A::STATE_VERSION => decode("a state", version, &body.bytes),
        version => A::upcast_state(version, &body.bytes),
    }
}

/// The event of a body.
fn read_event<A: EventSourced>(body: &Body) -> Result<A::Event, CodecError> {
    match body.version {
        version if version == A::EVENT_VERSION => decode("an event", version, &body.bytes),
        version => A::upcast_event(version, &body.bytes),
    }
}

/// The form of a command.
pub(crate) fn write_command<A: Durable + ?Sized>(command: &A::Command) -> Result<Body, CodecError> {
    let body = encode_body("a command", A::COMMAND_VERSION, command)?;
    if cfg!(debug_assertions) {
        legible("a command", A::read_command(body.version, &body.bytes))?;
    }
    Ok(body)
}

/// The command of a body.
pub(crate) fn read_command<A: Durable>(body: &Body) -> Result<A::Command, CodecError> {
    A::read_command(body.version, &body.bytes)
}
