//! Actors here under supervisors on other nodes.
//!
//! The supervisor's node asks, by a watch that has teeth: it hears of the actor's end once, and the
//! actor is killed when the supervisor ends, or when the session does, as nobody would hear then.
//!
//! ```text
//!  Link ──► the actor's place for a supervisor ◄── another one, which takes the actor away
//!             │ end                                   │
//!             ▼                                       ▼
//!           Down                                    Unlinked
//! ```

use std::sync::{Arc, Weak};

use actor_core::{
    ActorCell, ActorId, Control, ControlRequest, Exit, ExitListener, ForeignControl, Status, WatchId,
};

use super::Node;
use super::inbound::RemoteWatcher;
use super::link::Link;
use super::outbound::RemoteControl;
use super::rights::allowed;
use crate::authorize::Operation;

/// An actor here and the supervisor it is under.
pub(super) struct Leash {
    actor: ActorCell,
    supervisor: ActorCell,
}

impl Leash {
    /// Ends the actor, unless another supervisor has it by now.
    pub(super) fn pull(self) {
        if self.actor.supervisor().as_ref() == Some(&self.supervisor) {
            self.actor.kill();
        }
    }

    pub(super) fn is_of(&self, actor: &ActorCell) -> bool {
        self.actor == *actor
    }

    fn let_go(self) {
        self.actor.unlink(&self.supervisor);
    }
}

pub(super) fn on_link(node: &Arc<Node>, link: &Arc<Link>, number: u64, actor: u64, supervisor: u64) {
    let Ok(target) = allowed(node, link, Operation::Link, actor) else {
        return link.act(|session| session.down(number, &Exit::Unreachable));
    };
    let actor = target.cell().clone();
    let supervisor = supervisor_of(node, link, number, supervisor);
    // Announced first: the actor may end, and the peer be told, before all is noted.
    link.begin_watched(number);
    link.note_leash(number, Leash { actor: actor.clone(), supervisor: supervisor.clone() });
    let linked = actor.link(&supervisor);
    debug_assert_eq!(linked, Ok(()), "the supervisor has asked for it");
    let watch = actor.watch_with(Arc::new(RemoteWatcher::new(link, number)));
    link.note_watched(number, actor, watch);
}

pub(super) fn on_unlink(link: &Link, number: u64, has_ended: bool) {
    if let Some((actor, watch)) = link.take_watched(number) {
        actor.unwatch(watch);
    }
    match link.take_leash(number) {
        Some(leash) if has_ended => leash.pull(),
        Some(leash) => leash.let_go(),
        None => {}
    }
}

/// The supervisor's address, as the actor has it.
fn supervisor_of(node: &Arc<Node>, link: &Arc<Link>, number: u64, serial: u64) -> ActorCell {
    let peer = node.known_peer(link.info.life());
    let id = link.info.life().actor(serial);
    let control = RemoteControl::new(peer, id, None);
    let supervisor = RemoteSupervisor { control, link: Arc::downgrade(link), number };
    ActorCell::foreign(Control::foreign(id, None, node.executor().clone(), Box::new(supervisor)))
}

struct RemoteSupervisor {
    control: RemoteControl,
    link: Weak<Link>,
    number: u64,
}

impl ForeignControl for RemoteSupervisor {
    fn request(&self, request: ControlRequest) {
        self.control.request(request);
    }

    fn status(&self) -> Status {
        self.control.status()
    }

    fn watch(&self, listener: Arc<dyn ExitListener>) -> WatchId {
        self.control.watch(listener)
    }

    fn unwatch(&self, watch: WatchId) {
        self.control.unwatch(watch);
    }

    fn adopt(&self, child: &ActorCell) -> bool {
        // It has asked for this one.
        self.link.upgrade().is_some_and(|link| link.has_leash(self.number, child))
    }

    fn disown(&self, _: ActorId) {
        let Some(link) = self.link.upgrade() else { return };
        if link.take_leash(self.number).is_none() {
            return;
        }
        // Of one that has ended the peer was told already, and this says nothing.
        link.act(|session| session.unlinked(self.number));
        if let Some((actor, watch)) = link.take_watched(self.number) {
            actor.unwatch(watch);
        }
    }
}
