//! The way out: what stands behind an [`ActorRef`] whose actor lives elsewhere.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actor_core::{
    ActorId, ActorRef, Control, ControlRequest, Deliver, Executor, Exit, ExitListener, ForeignControl,
    SendError, Status, WatchId,
};

use super::peer::Peer;
use crate::wire::RemoteMessage;

/// The address of an actor of a peer's.
pub(super) fn remote_ref<M: RemoteMessage>(
    peer: Arc<Peer>,
    actor: ActorId,
    name: Option<Arc<str>>,
    executor: Executor,
) -> ActorRef<M> {
    let control = Box::new(RemoteControl { peer: peer.clone(), actor, has_ended: Arc::default() });
    let control = Control::foreign(actor, name, executor, control);
    ActorRef::foreign(Arc::new(RemoteActor { peer, actor: actor.serial(), control, message: PhantomData }))
}

struct RemoteActor<M> {
    peer: Arc<Peer>,
    actor: u64,
    control: Arc<Control>,
    message: PhantomData<fn(M)>,
}

impl<M: RemoteMessage> Deliver<M> for RemoteActor<M> {
    fn control(&self) -> &Arc<Control> {
        &self.control
    }

    fn cast(&self, message: M) -> Result<(), SendError<M>> {
        match self.peer.link() {
            None => Err(SendError::NotConnected(message)),
            Some(link) => link.send(self.actor, message),
        }
    }

    fn room(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            if let Some(link) = self.peer.link() {
                link.wait_for_room(self.actor, M::IS_BULK).await;
            }
        })
    }
}

struct RemoteControl {
    peer: Arc<Peer>,
    actor: ActorId,
    /// Set when a watch through this address has told of the actor's end.
    has_ended: Arc<AtomicBool>,
}

impl ForeignControl for RemoteControl {
    fn request(&self, request: ControlRequest) {
        if let Some(link) = self.peer.link() {
            link.request(self.actor.serial(), &request);
        }
    }

    fn status(&self) -> Status {
        let has_ended = self.has_ended.load(Ordering::Acquire);
        if !has_ended && self.peer.link().is_some() { Status::Running } else { Status::Stopped }
    }

    fn watch(&self, listener: Arc<dyn ExitListener>) -> WatchId {
        let watch = self.peer.next_watch();
        let listener = Arc::new(Noting { listener, has_ended: self.has_ended.clone() });
        let refused = match self.peer.link() {
            None => Some(listener as Arc<dyn ExitListener>),
            Some(link) => link.watch(watch, self.actor, listener).err(),
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

    fn is_gone(&self) -> bool {
        self.listener.is_gone()
    }
}
