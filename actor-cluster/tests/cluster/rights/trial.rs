//! Two nodes, one of which has rights, while the other tries each operation on an actor that it knows in one way or another. Must not live
//! here: what is granted (`rights.rs`).

use std::sync::{Arc, Mutex};

use actor_cluster::{
    Actors, Events, Labels, NodeEvent, Operation, PublishedAs, RemoteMessage, Rights, SpawnOnError, Subject,
};
use actor_core::{Actor, ActorError, ActorRef, CallFailure, Rejection, ReplyPort, SpawnOptions, Status};

use crate::cluster::Network;
use crate::cluster::support::{Count, Exits, Start, TestNode, failure, next, node, node_with, settle};

/// How an actor is known to the peer that tries something on it.
#[derive(Clone, Debug)]
pub(super) enum Known {
    Published(PublishedAs),
    /// Its address was in a message.
    Given,
}

impl Known {
    pub(super) fn all() -> [Known; 4] {
        let group = |scope: &str| PublishedAs::Group { scope: scope.into(), name: "tills".into() };
        let name = PublishedAs::Name("till".into());
        [Known::Published(name), Known::Published(group("")), Known::Published(group("shop")), Known::Given]
    }

    /// The actors that are known so, and no others.
    pub(super) fn actors(&self) -> Actors {
        match self {
            Known::Published(PublishedAs::Name(name)) => Actors::published(Labels::name(name.clone())),
            Known::Published(PublishedAs::Group { scope, name }) => {
                Actors::published(Labels::group(scope.clone(), name.clone()))
            }
            Known::Given => Actors::taking::<Count>(),
        }
    }

    /// What is next to it.
    pub(super) fn others() -> Actors {
        let labels = Labels::name("tills").and(Labels::group("", "till")).and(Labels::group("shop", "till"));
        Actors::published(labels.and(Labels::scope("other"))).and(Actors::taking::<Take>())
    }

    pub(super) fn labels(&self) -> Vec<PublishedAs> {
        match self {
            Known::Published(label) => vec![label.clone()],
            Known::Given => vec![],
        }
    }
}

/// Keeps the address that it is sent.
#[derive(Debug, RemoteMessage)]
enum Take {
    #[rpc]
    Take(ActorRef<Count>, ReplyPort<()>),
}

#[derive(Clone, Default)]
struct Taker(Arc<Mutex<Option<ActorRef<Count>>>>);

impl Actor for Taker {
    type Msg = Take;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Take>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle(&self, _: &ActorRef<Take>, message: Take, (): &mut ()) -> Result<(), ActorError> {
        let Take::Take(actor, port) = message;
        *self.0.lock().unwrap() = Some(actor);
        _ = port.send(());
        Ok(())
    }
}

/// The address of an actor of another node that is not published.
async fn given(here: &TestNode, there: &TestNode, actor: &ActorRef<Count>) -> ActorRef<Count> {
    let taker = Taker::default();
    let address = here.system.spawn(taker.clone(), (), SpawnOptions::new()).await.unwrap();
    here.server.publish("taker", &address).unwrap();
    settle().await;
    let taking = there.server.find::<Take>("taker").unwrap();
    taking.call(|port| Take::Take(actor.clone(), port)).await.unwrap();
    taker.0.lock().unwrap().take().unwrap()
}

/// One node, which has rights, and another that tries what they are.
pub(super) struct Trial {
    pub(super) here: TestNode,
    pub(super) there: TestNode,
    /// Of the node that has rights.
    pub(super) events: Events,
    /// On that node.
    pub(super) actor: ActorRef<Count>,
    pub(super) remote: ActorRef<Count>,
}

impl Trial {
    pub(super) async fn of(network: &Network, numbers: [u8; 2], known: &Known, rights: Rights) -> Self {
        let [ours, theirs] = numbers;
        let here = node(network, ours).await;
        let there = node_with(network, theirs, |builder| builder.spawnable("blank", || Blank)).await;
        let actor = there.counter(7).await;
        match known {
            Known::Published(PublishedAs::Name(name)) => there.server.publish(name, &actor).unwrap(),
            Known::Published(PublishedAs::Group { scope, name }) => {
                there.server.groups().scope(scope).join(name, &actor).unwrap();
            }
            Known::Given => {}
        }
        here.connect(&there).await;
        settle().await;
        let remote = match known {
            Known::Published(PublishedAs::Name(name)) => here.find(name),
            Known::Published(PublishedAs::Group { scope, name }) => {
                here.server.groups().scope(scope).members::<Count>(name).remove(0)
            }
            Known::Given => given(&here, &there, &actor).await,
        };
        there.server.set_authorize(rights);
        settle().await;
        let events = there.server.subscribe();
        Self { here, there, events, actor, remote }
    }

    pub(super) async fn end(self) {
        self.here.shutdown().await;
        self.there.shutdown().await;
    }

    /// Tries an operation; whether it was done, by its effect.
    pub(super) async fn tries(&self, operation: Operation) -> bool {
        let remote = &self.remote;
        match operation {
            Operation::Call => match remote.call(Count::Get).await {
                Ok(_) => true,
                denied => {
                    assert_eq!(failure(denied), CallFailure::Rejected(Rejection::Forbidden));
                    false
                }
            },
            Operation::Cast => {
                let before = self.actor.call(Count::Get).await.unwrap();
                remote.cast(Count::Add(1)).unwrap();
                settle().await;
                self.actor.call(Count::Get).await.unwrap() > before
            }
            Operation::Watch => {
                let exits = Exits::default();
                exits.watch(remote);
                settle().await;
                exits.seen().is_empty()
            }
            Operation::Link => {
                let supervisor = self.here.counter(0).await;
                remote.cell().link(&supervisor.cell()).unwrap();
                settle().await;
                let is_linked = self.actor.cell().supervisor().is_some();
                remote.cell().unlink(&supervisor.cell());
                settle().await;
                is_linked
            }
            Operation::Stop | Operation::Drain | Operation::Kill => {
                match operation {
                    Operation::Stop => remote.stop(None),
                    Operation::Drain => remote.drain(),
                    _ => remote.kill(),
                }
                settle().await;
                self.actor.status() == Status::Stopped
            }
            Operation::Spawn => {
                match self.here.server.spawn_on::<Count, ()>(self.there.id(), "blank", ()).await {
                    Ok(_) => true,
                    denied => {
                        assert_eq!(denied.unwrap_err(), SpawnOnError::Forbidden);
                        false
                    }
                }
            }
            Operation::Publish => {
                let ours = self.here.publish("ours", Start::default()).await;
                settle().await;
                let is_found = self.there.server.find::<Count>("ours").is_ok();
                self.here.server.unpublish("ours", &ours);
                is_found
            }
            other => panic!("{other:?} is to be tried here"),
        }
    }

    /// What the node tells that was denied.
    pub(super) async fn forbidden(&mut self, expected: Operation) -> Subject {
        loop {
            if let NodeEvent::Forbidden { peer, operation, subject, count } = next(&mut self.events).await {
                assert_eq!((peer.node, operation, count), (self.here.id(), expected, 1));
                return subject;
            }
        }
    }
}

/// Answers nothing.
struct Blank;

impl Actor for Blank {
    type Msg = Count;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Count>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle(&self, _: &ActorRef<Count>, _: Count, (): &mut ()) -> Result<(), ActorError> {
        Ok(())
    }
}
