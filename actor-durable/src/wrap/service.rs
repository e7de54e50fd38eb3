//! A `tower` service made durable: the requests that it has answered are its journal, and replaying them makes it what it was.

use std::fmt;
use std::future::poll_fn;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use actor_core::{ActorError, ActorSystem};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tower_service::Service;

use crate::actor::{Durability, Durable, NoError};
use crate::codec::{CodecError, decode, encode, encode_body, legible, unknown};
use crate::error::error_text;
use crate::id::{DurableId, MessageId};
use crate::limits::{ATTEMPTS_DEFAULT, JOURNAL_KEPT_DEFAULT, REMEMBERED_DEFAULT, SERVICE_READY_MAX};
use crate::model::{Keeps, Model, NotReplayed, NotRun, Ran, State, read_state};
use crate::question::{Answer, untaken};
use crate::store::Body;
use crate::turn::Turn;

/// A kind of `tower` services that are durable. The value creates them, one for each id.
///
/// A request is a command, and an event once it is answered: its answer leaves when the request is stored. A process that ends
/// after that loses nothing, since the next one creates a new service and gives it the same requests in the same order.
/// [Register](crate::DurableBuilder::wrap_service) the kind with a system, and call its services by
/// [`ServiceCalls`](crate::ServiceCalls), which are services again.
///
/// ```
/// use std::convert::Infallible;
/// use std::future::{Ready, ready};
/// use std::task::{Context, Poll};
///
/// use actor_durable::{DurableId, WrapService};
/// use tower_service::Service;
///
/// // The service, as it was.
/// struct Total(u64);
///
/// impl Service<u64> for Total {
///     type Response = u64;
///     type Error = Infallible;
///     type Future = Ready<Result<u64, Infallible>>;
///
///     fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
///         Poll::Ready(Ok(()))
///     }
///
///     fn call(&mut self, by: u64) -> Self::Future {
///         self.0 += by;
///         ready(Ok(self.0))
///     }
/// }
///
/// // What makes it durable.
/// struct Totals;
///
/// impl WrapService for Totals {
///     const TYPE: &'static str = "total";
///     type Request = u64;
///     type Service = Total;
///     type Response = u64;
///
///     fn create(&self, _: &DurableId) -> Total {
///         Total(0)
///     }
/// }
/// ```
///
/// # What a service has to be
///
/// **Deterministic**: its answers and its state follow from the requests alone, not from a clock, chance or anything else. Answers
/// are compared when requests are replayed, and one that differs ends the activation with
/// [`Inconsistent`](crate::ActivationError::Inconsistent), so that nobody gets an answer from a state that never was. Raise
/// [`VERSION`](Self::VERSION) with a change of the program that changes an answer.
///
/// **Without side effects**, as requests are replayed. Ask for what is to happen outside in [`on_answered`](Self::on_answered).
///
/// # Errors and panics of a service
///
/// An error is an answer: the request is stored, and the caller gets the error's text. After a panic the request is not stored, and
/// the service is created again from the requests before it. So is a service that is not ready within [`SERVICE_READY_MAX`], or
/// fails to become ready; the caller then gets [`NotTaken`](crate::NotApplied::NotTaken), and nothing was applied.
pub trait WrapService: Send + Sync + 'static {
    /// See [`Durable::TYPE`].
    const TYPE: &'static str;
    /// The version of a request's encoding and of the answers to it. Raise it when one of them changes. Requests of other versions
    /// are [converted](Self::upcast_request), and the answers to them are not compared.
    const VERSION: u32 = 1;
    /// After how many requests the service's state is stored beside them, so that an activation need not start with the first.
    /// Without a [`snapshot`](Self::snapshot) leave it as it is: the journal is kept whole, and each activation replays all of it.
    const SNAPSHOT_EVERY: u64 = u64::MAX;
    /// The version of a snapshot's encoding. Raise it when the encoding changes.
    const SNAPSHOT_VERSION: u32 = 1;
    /// See [`Durable::REMEMBERED`].
    const REMEMBERED: usize = REMEMBERED_DEFAULT;
    /// See [`Durable::JOURNAL_KEPT`].
    const JOURNAL_KEPT: u64 = JOURNAL_KEPT_DEFAULT;
    /// See [`Durable::ATTEMPTS_MAX`].
    const ATTEMPTS_MAX: u32 = ATTEMPTS_DEFAULT;
    /// See [`Durable::IDLE_MAX`].
    const IDLE_MAX: Option<Duration> = None;

    /// What it is asked.
    type Request: Serialize + DeserializeOwned + Send + 'static;
    /// What it answers.
    type Response: Serialize + DeserializeOwned + Send + 'static;
    /// The service. It takes one request at a time.
    type Service: Service<Self::Request, Response = Self::Response, Error: Into<ActorError>, Future: Send>
        + Send
        + 'static;

    /// A new service.
    fn create(&self, id: &DurableId) -> Self::Service;

    /// Whether a request only reads. Neither it nor its answer is stored, and it must not change the service.
    fn is_query(request: &Self::Request) -> bool {
        let _ = request;
        false
    }

    /// The id of a request, if it has one, so that it is applied once even if a caller repeats it; see [`MessageId::of_key`].
    /// Otherwise each call has a new id.
    fn id(request: &Self::Request) -> Option<MessageId> {
        let _ = request;
        None
    }

    /// Runs in the turn of a request that was answered, and not when the request is replayed. Ask here for what is to happen if
    /// and only if the request is stored: messages to durable actors, questions, effects, reminders.
    ///
    /// # Errors
    ///
    /// Any error undoes the request: the service is created again without it, and the caller gets
    /// [`NotTaken`](crate::NotApplied::NotTaken).
    fn on_answered(
        &self,
        answer: Result<&Self::Response, &str>,
        turn: &mut Turn<'_, WrappedService<Self>>,
    ) -> Result<(), ActorError> {
        let _ = (answer, turn);
        Ok(())
    }

    /// Makes a request of the answer to a question that [`on_answered`](Self::on_answered) has [asked](Turn::ask): it is answered
    /// and stored as any other. See [`Durable::on_answer`].
    ///
    /// # Errors
    ///
    /// As there.
    fn on_answer(answer: &Answer<'_>) -> Result<Self::Request, CodecError> {
        untaken(answer)
    }

    /// Runs once in an actor's life, before its first request, as [`on_start`](crate::DurableActor::on_start).
    ///
    /// # Errors
    ///
    /// As there.
    fn on_start(&self, turn: &mut Turn<'_, WrappedService<Self>>) -> Result<(), ActorError> {
        let _ = turn;
        Ok(())
    }

    /// The encoded state of the service, if it has one.
    fn snapshot(service: &Self::Service) -> Option<Vec<u8>> {
        let _ = service;
        None
    }

    /// Creates the service from a [`snapshot`](Self::snapshot). It is tried before one is stored: what cannot be restored does not
    /// replace the requests.
    ///
    /// # Errors
    ///
    /// [`CodecError`] if the bytes are no snapshot, or of a version that it does not know; unless overridden, for every one.
    fn restore(&self, id: &DurableId, version: u32, bytes: &[u8]) -> Result<Self::Service, CodecError> {
        let _ = (id, bytes);
        let why = "this program's `WrapService` has no `restore`".to_owned();
        Err(CodecError::Undecodable { what: "a service's state", version, why })
    }

    /// Converts a request of another version into one of this version.
    ///
    /// # Errors
    ///
    /// As [`Durable::upcast_state`].
    fn upcast_request(version: u32, bytes: &[u8]) -> Result<Self::Request, CodecError> {
        let _ = bytes;
        unknown("a request", version, Self::VERSION)
    }
}

/// A kind of services as a durable actor: `system.actor::<WrappedService<Totals>>("t1")`. It is usually called by
/// [`ServiceCalls`](crate::ServiceCalls).
#[derive(Debug)]
pub struct WrappedService<W: ?Sized>(W);

/// A service in memory, or what it is to be created from.
pub struct ServiceState<S>(Mutex<Stage<S>>);

enum Stage<S> {
    /// Nobody has asked it anything.
    New,
    /// As it was stored.
    Stored {
        version: u32,
        bytes: Bytes,
    },
    Running(Running<S>),
}

struct Running<S> {
    service: S,
    version: u32,
    snapshot: fn(&S) -> Option<Vec<u8>>,
}

/// A request as an event, and what tells its answer from others.
#[derive(Serialize, Deserialize)]
struct Answered {
    request: Bytes,
    answer: u32,
}

impl<W: WrapService> Durable for WrappedService<W> {
    const TYPE: &'static str = W::TYPE;
    const DURABILITY: Durability = Durability::WriteThrough;
    const REMEMBERED: usize = W::REMEMBERED;
    const JOURNAL_KEPT: u64 = W::JOURNAL_KEPT;
    const ATTEMPTS_MAX: u32 = W::ATTEMPTS_MAX;
    const IDLE_MAX: Option<Duration> = W::IDLE_MAX;
    const COMMAND_VERSION: u32 = W::VERSION;

    type State = ServiceState<W::Service>;
    type Command = W::Request;
    /// An error of the service is an answer too.
    type Reply = Result<W::Response, String>;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> Self::State {
        ServiceState(Mutex::new(Stage::New))
    }

    fn is_query(request: &W::Request) -> bool {
        W::is_query(request)
    }

    fn upcast_command(version: u32, bytes: &[u8]) -> Result<W::Request, CodecError> {
        W::upcast_request(version, bytes)
    }

    fn on_answer(answer: &Answer<'_>) -> Result<W::Request, CodecError> {
        W::on_answer(answer)
    }
}

/// See [`WrapService`].
#[derive(Debug)]
pub(crate) struct ByRequests<W>(WrappedService<W>);

impl<W: WrapService> ByRequests<W> {
    pub(crate) fn new(kind: W) -> Self {
        Self(WrappedService(kind))
    }

    fn kind(&self) -> &W {
        &self.0.0
    }

    /// The service, made if it is not there.
    fn running<'s>(
        &self,
        id: &DurableId,
        state: &'s mut ServiceState<W::Service>,
    ) -> Result<&'s mut W::Service, CodecError> {
        let stage = state.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        let made = match stage {
            Stage::New => Some(self.kind().create(id)),
            Stage::Stored { version, bytes } => Some(self.kind().restore(id, *version, bytes)?),
            Stage::Running(_) => None,
        };
        if let Some(service) = made {
            *stage = Stage::Running(Running { service, version: W::SNAPSHOT_VERSION, snapshot: W::snapshot });
        }
        match stage {
            Stage::Running(running) => Ok(&mut running.service),
            Stage::New | Stage::Stored { .. } => unreachable!("it was made"),
        }
    }
}

/// The answer to a request, or why it could not be asked.
async fn ask<W: WrapService>(
    service: &mut W::Service,
    request: W::Request,
) -> Result<Result<W::Response, String>, String> {
    // Its error may be of this thread, and is made a text where it comes.
    let ready = poll_fn(|cx| service.poll_ready(cx).map_err(|error| error_text(&error.into())));
    // It is asked in an actor's task.
    let executor = ActorSystem::current().executor().clone();
    let is_ready = executor.timeout(SERVICE_READY_MAX, ready).await;
    is_ready.unwrap_or_else(|_| Err(format!("it was not within {SERVICE_READY_MAX:?}")))?;
    Ok(service.call(request).await.map_err(|error| error_text(&error.into())))
}

impl<W: WrapService> Model for ByRequests<W> {
    type Actor = WrappedService<W>;

    const KEEPS: Keeps = Keeps::Events { count: W::SNAPSHOT_EVERY, bytes: usize::MAX };

    fn actor(&self) -> &WrappedService<W> {
        &self.0
    }

    /// What cannot be restored is found before anything is asked of it: no request is at fault.
    fn read_state(&self, id: &DurableId, body: &Body) -> Result<State<Self>, CodecError> {
        let mut state = read_state::<WrappedService<W>>(body)?;
        let stage = state.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Stage::Stored { .. } = stage {
            self.running(id, &mut state)?;
        }
        Ok(state)
    }

    async fn start(
        &self,
        _: &mut ServiceState<W::Service>,
        turn: &mut Turn<'_, WrappedService<W>>,
    ) -> Result<Vec<Body>, ActorError> {
        self.kind().on_start(turn)?;
        Ok(Vec::new())
    }

    async fn run(
        &self,
        request: W::Request,
        state: &mut ServiceState<W::Service>,
        turn: &mut Turn<'_, WrappedService<W>>,
    ) -> Ran<WrappedService<W>> {
        let is_query = W::is_query(&request);
        // What cannot be written is not asked.
        let written = encode("a request", &request).map_err(NotRun::Unwritable)?;
        legible("a request", decode::<W::Request>("a request", W::VERSION, &written))
            .map_err(NotRun::Unwritable)?;
        let service = self.running(turn.id(), state).map_err(NotRun::Unwritable)?;
        let answer = ask::<W>(service, request).await.map_err(NotRun::Broken)?;
        if is_query {
            return Ok((answer, Vec::new()));
        }
        let broken = |form: CodecError| NotRun::Broken(form.to_string());
        let event = Answered { request: written, answer: sum_of(&answer).map_err(broken)? };
        let event = encode_body("a request", W::VERSION, &event).map_err(broken)?;
        let asked = self.kind().on_answered(answer.as_ref().map_err(String::as_str), turn);
        asked.map_err(|error| NotRun::Broken(error_text(&error)))?;
        Ok((answer, vec![event]))
    }

    async fn replay(
        &self,
        id: &DurableId,
        state: &mut ServiceState<W::Service>,
        event: &Body,
    ) -> Result<(), NotReplayed> {
        let (request, before) = read::<W>(event)?;
        let answer = ask::<W>(self.running(id, state)?, request).await.map_err(NotReplayed::NotReady)?;
        if event.version == W::VERSION && sum_of(&answer)? != before {
            let why =
                "the service has answered otherwise than before: it is not deterministic, or another one";
            return Err(NotReplayed::Diverged(why.to_owned()));
        }
        Ok(())
    }
}

/// The request of an event, and what told its answer from others.
fn read<W: WrapService>(event: &Body) -> Result<(W::Request, u32), CodecError> {
    let Answered { request, answer } = decode("a request", event.version, &event.bytes)?;
    let request = match event.version {
        version if version == W::VERSION => decode("a request", version, &request)?,
        version => W::upcast_request(version, &request)?,
    };
    Ok((request, answer))
}

/// The request of an event.
#[cfg(any(test, feature = "testing"))]
pub(crate) fn read_request<W: WrapService>(event: &Body) -> Result<W::Request, CodecError> {
    read::<W>(event).map(|(request, _)| request)
}

/// What tells one answer from others.
fn sum_of<T: Serialize>(answer: &Result<T, String>) -> Result<u32, CodecError> {
    Ok(crc32fast::hash(&encode("an answer", answer)?))
}

/// None if nobody has asked it anything.
impl<S> Serialize for ServiceState<S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let stage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let form: Option<(u32, Bytes)> = match &*stage {
            Stage::New => None,
            Stage::Stored { version, bytes } => Some((*version, bytes.clone())),
            Stage::Running(Running { service, version, snapshot }) => match snapshot(service) {
                Some(bytes) => Some((*version, bytes.into())),
                None => return Err(serde::ser::Error::custom("the service does not give its state")),
            },
        };
        form.serialize(serializer)
    }
}

impl<'de, S> Deserialize<'de> for ServiceState<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = Option::<(u32, Bytes)>::deserialize(deserializer)?;
        let stage = form.map_or(Stage::New, |(version, bytes)| Stage::Stored { version, bytes });
        Ok(Self(Mutex::new(stage)))
    }
}

impl<S> fmt::Debug for ServiceState<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceState").finish_non_exhaustive()
    }
}
