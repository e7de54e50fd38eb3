//! References to durable actors, and calls by them.

use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use actor_core::{ActorRef, Executor};

use super::asking::CallFuture;
use super::cache::{ActivationCache, CachedActivation};
use crate::actor::{Durability, Durable};
use crate::engine::Answer;
use crate::error::{AskError, Doubt, NotApplied};
use crate::id::{DurableId, MessageId, Target};
use crate::limits::NEW_IDS_MAX;
use crate::model::write_command;
use crate::process::Shared;
use crate::store::{Enqueued, Headers, Message, Refusal, StoreError};

/// A durable actor, wherever it is: in memory, or only in the store. Clones are equal.
pub struct DurableRef<A: Durable> {
    pub(super) shared: Arc<Shared>,
    target: Target,
    pub(super) known: Arc<ActivationCache<A>>,
}

impl<A: Durable> DurableRef<A> {
    pub(super) fn new(shared: Arc<Shared>, target: Target) -> Self {
        Self { shared, target, known: Arc::default() }
    }

    /// The actor's id.
    pub fn id(&self) -> &DurableId {
        &self.target.id
    }

    /// The actor and its type.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// An id for a command that may be asked more than once.
    pub fn new_message_id(&self) -> MessageId {
        self.shared.new_message_id()
    }

    /// Asks the actor and waits for its answer, which comes when all it follows from is stored. An actor that is not in memory
    /// is activated. Nothing is sent before it is awaited.
    ///
    /// ```ignore
    /// let balance = account.call(Command::Deposit(5)).id(id).timeout(SECOND).await?;
    /// ```
    #[inline]
    pub fn call(&self, command: A::Command) -> DurableCall<'_, A> {
        DurableCall { actor: self, command, id: None, timeout: None }
    }

    /// Puts a command into the actor's inbox: `Ok` means that it is stored and will be handled, whatever fails next. Nobody
    /// waits for its reply, which [`call`](Self::call) with the same id gives later.
    ///
    /// # Errors
    ///
    /// [`AskError::NotApplied`]: it is not in the inbox. [`AskError::Unknown`]: nobody knows; sending it again with the same
    /// id, by [`send_with`](Self::send_with), is safe.
    ///
    /// # Cancellation
    ///
    /// If the future is dropped before it is ready, the command may be stored.
    pub async fn send(&self, command: A::Command) -> Result<MessageId, AskError<A::Error>> {
        let mut id = self.new_message_id();
        self.send_new(&mut id, &command).await?;
        Ok(id)
    }

    /// [`send`](Self::send) with an id that was made for it, or another one.
    pub(super) async fn send_new(
        &self,
        id: &mut MessageId,
        command: &A::Command,
    ) -> Result<(), AskError<A::Error>> {
        for _ in 1..NEW_IDS_MAX {
            match self.put(*id, Headers::new(), command).await? {
                // Messages that were made later, perhaps by a clock that is ahead, are forgotten already. This one is
                // nowhere else, so it may be of any time.
                Err(StoreError::NotApplied(Refusal::TooOld { horizon, .. })) => {
                    *id = self.shared.new_message_id_after(horizon);
                }
                put => return put.map(drop).map_err(|error| not_put(*id, error)),
            }
        }
        self.send_with(*id, Headers::new(), command).await.map(drop)
    }

    /// [`send`](Self::send) with an id of the sender's choice, and headers. What became of it is told if it is not new.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send). [`Doubt::Forgotten`] if it is older than what the actor remembers: then it may have been
    /// handled, and is not put there again.
    pub async fn send_with(
        &self,
        id: MessageId,
        headers: Headers,
        command: &A::Command,
    ) -> Result<Enqueued, AskError<A::Error>> {
        self.put(id, headers, command).await?.map_err(|error| not_put(id, error))
    }

    /// Puts a command into the inbox. What a store may say against it is told as it says it.
    async fn put(
        &self,
        id: MessageId,
        headers: Headers,
        command: &A::Command,
    ) -> Result<Result<Enqueued, StoreError>, NotApplied> {
        if A::DURABILITY == Durability::Volatile {
            return Err(NotApplied::Volatile);
        }
        let body = write_command::<A>(command)?;
        let sent_at = self.shared.wall_time();
        let message =
            Message { to: self.target.clone(), id, from: None, reply_to: None, sent_at, body, headers };
        Ok(self.shared.enqueue(message).await)
    }

    /// Whether no command is taken any more.
    pub(crate) fn is_shut_down(&self) -> bool {
        self.shared.is_closed()
    }

    /// Waits until no command is taken any more.
    pub(crate) fn shut_down(&self) -> impl Future<Output = ()> + use<A> {
        self.shared.closed()
    }

    pub(super) fn executor(&self) -> &Executor {
        self.shared.executor()
    }

    /// Where it is: in an activation that takes commands, which may be a new one.
    pub(super) fn resolve(&self) -> Result<Arc<CachedActivation<A>>, NotApplied> {
        self.known.get_or_find(|| {
            let active = self.shared.resolve(&self.target)?;
            let actor = ActorRef::from_cell(active.cell.clone()).map_err(|_| {
                // Two Rust types of the program have one name.
                let what = format!("{} that is {}", self.target.actor_type, std::any::type_name::<A>());
                NotApplied::NotRegistered(what)
            })?;
            Ok(CachedActivation { actor, active })
        })
    }
}

/// What a sender is told whose command no store has put into the inbox.
fn not_put<E>(id: MessageId, error: StoreError) -> AskError<E> {
    match error {
        StoreError::Unknown(_) => AskError::Unknown { id, why: Doubt::Store(error) },
        StoreError::NotApplied(refusal @ Refusal::TooOld { .. }) => {
            AskError::Unknown { id, why: Doubt::Forgotten(refusal) }
        }
        error => NotApplied::Store(error).into(),
    }
}

/// A call of a durable actor: await it for the answer.
///
/// # Errors
///
/// See [`AskError`]: it says whether the command may have been applied.
///
/// # Cancellation
///
/// If the future is dropped before it is ready, the command may be applied. Ask again with the same id to know.
#[must_use = "a call does nothing unless it is awaited"]
pub struct DurableCall<'a, A: Durable> {
    pub(super) actor: &'a DurableRef<A>,
    pub(super) command: A::Command,
    pub(super) id: Option<MessageId>,
    pub(super) timeout: Option<Duration>,
}

impl<A: Durable> DurableCall<'_, A> {
    /// Gives the command an id of the caller's choice. The same id to the same actor is applied once, and answered again, unless the
    /// actor is [volatile](crate::Durability::Volatile), which remembers none.
    pub fn id(self, id: MessageId) -> Self {
        Self { id: Some(id), ..self }
    }

    /// Waits no longer than this; then nobody knows.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }
}

impl<'a, A: Durable> IntoFuture for DurableCall<'a, A> {
    type Output = Answer<A>;
    type IntoFuture = CallFuture<'a, A>;

    #[inline(always)]
    fn into_future(self) -> CallFuture<'a, A> {
        let Self { actor, command, id, timeout } = self;
        CallFuture::new(actor, command, id, timeout)
    }
}

impl<A: Durable> Clone for DurableRef<A> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), target: self.target.clone(), known: self.known.clone() }
    }
}

impl<A: Durable> PartialEq for DurableRef<A> {
    fn eq(&self, other: &Self) -> bool {
        self.target == other.target
    }
}

impl<A: Durable> Eq for DurableRef<A> {}

impl<A: Durable> fmt::Debug for DurableRef<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DurableRef").field(&self.target).finish()
    }
}

impl<A: Durable> fmt::Debug for DurableCall<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DurableCall").field("actor", self.actor).field("id", &self.id).finish_non_exhaustive()
    }
}
