//! One life of a simulated node.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, OnceLock};

use actor_cluster::{Incarnation, NodeId, NodeServer};
use actor_core::{ActorChange, ActorEvent, ActorSystem, Executor, Observer};

use super::history::{Recorder, What};
use crate::simulation::witness::SeenActor;
use crate::simulation::world::Handle;

/// One life of a node. Clones are the same life; when that is over they still name it, and what is asked of its system comes
/// to nothing.
#[derive(Clone)]
pub struct SimNode {
    life: Arc<Life>,
}

pub(super) struct Life {
    index: usize,
    id: NodeId,
    /// Where its tasks are.
    pub(super) place: Handle,
    system: ActorSystem,
    server: OnceLock<NodeServer>,
    recorder: Recorder,
}

impl SimNode {
    pub(super) fn new(index: usize, id: NodeId, place: Handle, recorder: Recorder) -> Self {
        let executor = Executor::custom(Arc::new(place.clone()));
        let builder = ActorSystem::builder().executor(executor);
        let is_witnessed = place.world().witness().is_some();
        let system =
            if is_witnessed { builder.observer(Observed(place.clone())).build() } else { builder.build() };
        Self { life: Arc::new(Life { index, id, place, system, server: OnceLock::new(), recorder }) }
    }

    pub(super) fn life(&self) -> &Life {
        &self.life
    }

    pub(super) fn set_server(&self, server: NodeServer) {
        // It is started once.
        drop(self.life.server.set(server));
    }

    /// Its number in the cluster, from 0.
    pub fn index(&self) -> usize {
        self.life.index
    }

    /// Who it is, in all its lives.
    pub fn id(&self) -> NodeId {
        self.life.id
    }

    /// Which of its lives this is.
    pub fn incarnation(&self) -> Incarnation {
        self.life.system.incarnation()
    }

    /// Where its actors live.
    pub fn system(&self) -> &ActorSystem {
        &self.life.system
    }

    /// Its way to the other nodes.
    ///
    /// # Panics
    ///
    /// Before it has started to listen, so never in [`on_start`](super::SimClusterBuilder::on_start) or after it; right after
    /// [`restart`](super::SimHandle::restart) until the node has run.
    #[track_caller]
    pub fn server(&self) -> &NodeServer {
        self.try_server().expect("the node has not started yet: let the cluster run after a restart")
    }

    /// The same, if it listens already.
    pub fn try_server(&self) -> Option<&NodeServer> {
        self.life.server.get()
    }

    /// Runs a future on the node, in its [scope](ActorSystem::scope), and gives what it gives; `None` if the node crashes
    /// before that. It begins whether or not this is awaited.
    pub fn run<F>(&self, future: F) -> impl Future<Output = Option<F::Output>> + Send + use<F>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let (done, result) = tokio::sync::oneshot::channel();
        let system = self.system().clone();
        let task = async move { drop(done.send(system.scope(future).await)) };
        self.system().executor().spawn(task).detach();
        async { result.await.ok() }
    }

    /// Writes down something that happens on the node now.
    pub fn record(&self, what: What) {
        self.life.recorder.record(self.index(), what);
    }
}

/// Tells the witness of a run what actors do.
struct Observed(Handle);

impl Observer for Observed {
    fn observe(&self, event: &actor_core::Event) {
        let mut world = self.0.world();
        let Some(witness) = world.witness() else { return };
        match event {
            actor_core::Event::Actor(ActorEvent {
                actor,
                name,
                change: ActorChange::Spawned(type_name),
                ..
            }) => {
                let name = name.as_ref().map(ToString::to_string);
                witness.note_spawned(SeenActor { id: *actor, name, type_name });
            }
            actor_core::Event::Actor(ActorEvent { actor, change: ActorChange::Started, .. }) => {
                witness.note_actor(*actor);
            }
            actor_core::Event::Message(event) => {
                witness.note_actor(event.actor);
                witness.note_message(event.actor, event.message);
            }
            _ => {}
        }
    }
}

impl fmt::Debug for SimNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimNode")
            .field("index", &self.index())
            .field("id", &self.id())
            .field("incarnation", &self.incarnation())
            .finish()
    }
}
