//! The way out: what stands behind an [`ActorRef`] whose actor lives elsewhere.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use actor_core::{
    ActorId, ActorRef, Attempt, Control, ControlRequest, Deliver, Executor, Exit, ExitListener,
    ForeignControl, KeyedAsk, SendError, Status, Unlink, WatchId,
};

use super::peer::Peer;
use crate::session::handshake::SessionId;
use crate::wire::RemoteMessage;
use crate::wire::reference::Token;

/// The address of an actor of a peer's.
pub(super) fn remote_ref<M: RemoteMessage>(
    peer: Arc<Peer>,
    actor: ActorId,
    name: Option<Arc<str>>,
    token: Option<Token>,
    executor: Executor,
) -> ActorRef<M> {
    let control = Box::new(RemoteControl::new(peer.clone(), actor, token));
    let control = Control::foreign(actor, name, executor, control);
    let given = token.map(Given::new);
    ActorRef::foreign(Arc::new(RemoteActor {
        peer,
        actor: actor.serial(),
        given,
        control,
        message: PhantomData,
    }))
}

struct RemoteActor<M> {
    peer: Arc<Peer>,
    actor: u64,
    /// None if the actor is published.
    given: Option<Given>,
    control: Arc<Control>,
    message: PhantomData<fn(M)>,
}

/// The right to send to an actor that is not published.
pub(super) struct Given {
    pub(super) token: Token,
    /// The session in which the actor's node was told of it by this address.
    presented_in: AtomicU64,
}

impl Given {
    fn new(token: Token) -> Self {
        Self { token, presented_in: AtomicU64::new(0) }
    }

    // Relaxed, both: whoever looks has the session locked, and to tell twice does no harm.

    pub(super) fn is_presented_in(&self, session: SessionId) -> bool {
        self.presented_in.load(Ordering::Relaxed) == session.as_u64()
    }

    pub(super) fn note_presented_in(&self, session: SessionId) {
        self.presented_in.store(session.as_u64(), Ordering::Relaxed);
    }
}

impl<M: RemoteMessage> Deliver<M> for RemoteActor<M> {
    fn control(&self) -> &Arc<Control> {
        &self.control
    }

    fn cast(&self, message: M, attempt: Attempt) -> Result<(), SendError<M>> {
        self.peer.send(self.actor, self.given.as_ref(), message, attempt, None)
    }

    fn cast_keyed(&self, message: M, attempt: Attempt, ask: KeyedAsk) -> Result<(), SendError<M>> {
        self.peer.send(self.actor, self.given.as_ref(), message, attempt, Some(ask))
    }

    fn room(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            if let Some(link) = self.peer.link() {
                link.wait_for_room(self.actor, M::URGENCY).await;
            }
        })
    }
}

pub(super) struct RemoteControl {
    pub(super) peer: Arc<Peer>,
    actor: ActorId,
    pub(super) token: Option<Token>,
    /// Set when a watch through this address has told of the actor's end.
    has_ended: Arc<AtomicBool>,
}

impl RemoteControl {
    pub(super) fn new(peer: Arc<Peer>, actor: ActorId, token: Option<Token>) -> Self {
        Self { peer, actor, token, has_ended: Arc::default() }
    }
}

impl ForeignControl for RemoteControl {
    fn request(&self, request: ControlRequest) {
        if let Some(link) = self.peer.link() {
            link.request(self.actor.serial(), &request, self.token.as_ref());
        }
    }

    fn status(&self) -> Status {
        let has_ended = self.has_ended.load(Ordering::Acquire);
        if !has_ended && self.peer.link().is_some() { Status::Running } else { Status::Stopped }
    }

    fn next_call_key(&self) -> u64 {
        self.peer.next_call_key()
    }

    fn watch(&self, listener: Arc<dyn ExitListener>) -> WatchId {
        let watch = self.peer.next_watch();
        let listener = Arc::new(Noting { listener, has_ended: self.has_ended.clone() });
        let refused = match self.peer.link() {
            None => Some(listener as Arc<dyn ExitListener>),
            Some(link) => link.watch(watch, self.actor, self.token.as_ref(), listener).err(),
        };
        if let Some(listener) = refused {
            listener.on_exit(self.actor, &Exit::Unreachable);
        }
        watch
    }

    fn unwatch(&self, watch: WatchId) {
        if let Some(link) = self.peer.link() {
            link.unwatch(watch);
        }
    }

    fn link(&self, supervisor: ActorId, listener: Arc<dyn ExitListener>) -> bool {
        let listener = Arc::new(Noting { listener, has_ended: self.has_ended.clone() });
        let refused = match self.peer.link() {
            None => Some(listener as Arc<dyn ExitListener>),
            Some(link) => link.link(supervisor, self.actor, self.token.as_ref(), listener).err(),
        };
        if let Some(listener) = refused {
            listener.on_exit(self.actor, &Exit::Unreachable);
        }
        true
    }

    fn unlink(&self, supervisor: ActorId, why: Unlink) {
        if let Some(link) = self.peer.link() {
            link.unlink(supervisor, self.actor, why == Unlink::SupervisorEnded);
        }
    }
}

/// Notes an end before it tells of it, so that whoever is told sees the actor stopped.
struct Noting {
    listener: Arc<dyn ExitListener>,
    has_ended: Arc<AtomicBool>,
}

impl ExitListener for Noting {
    fn on_exit(&self, actor: ActorId, exit: &Exit) {
        // One that cannot be reached now may be reached again.
        if *exit != Exit::Unreachable {
            // Release: pairs with the load in `status`.
            self.has_ended.store(true, Ordering::Release);
        }
        self.listener.on_exit(actor, exit);
    }

    fn on_unlinked(&self, actor: ActorId) {
        self.listener.on_unlinked(actor);
    }

    fn is_gone(&self) -> bool {
        self.listener.is_gone()
    }
}
