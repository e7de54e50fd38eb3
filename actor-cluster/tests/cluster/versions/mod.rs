//! Nodes that were built with other versions of the same messages: what each edit does to a lock file and to two
//! nodes, and how an old and a new build talk to each other.

mod builds;
mod edits;
mod given;
mod lock;

use actor_cluster::{FindError, RemoteMessage};
use actor_core::{Actor, ActorError, ActorRef, SpawnOptions};

use super::Network;
use super::support::{settle, two};

/// Takes any message, and does nothing.
struct Sink<M>(std::marker::PhantomData<fn(M)>);

impl<M: RemoteMessage> Actor for Sink<M> {
    type Msg = M;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<M>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle(&self, _: &ActorRef<M>, _: M, (): &mut ()) -> Result<(), ActorError> {
        Ok(())
    }
}

/// What a node with one version of a message hears that looks up an actor with another.
async fn look_up<Mine: RemoteMessage, Theirs: RemoteMessage>() -> Result<(), FindError> {
    let (a, b) = two(&Network::one_stream()).await;
    let sink = Sink::<Theirs>(std::marker::PhantomData);
    let sink = b.system.spawn(sink, (), SpawnOptions::new()).await.unwrap();
    b.server.publish("sink", &sink).unwrap();
    b.server.join_group("sinks", &sink).unwrap();
    settle().await;
    let found = a.server.find::<Mine>("sink").map(drop);
    assert_eq!(a.server.group::<Mine>("sinks").len(), usize::from(found.is_ok()));
    // The verdict is the same when it is asked for again.
    assert_eq!(a.server.find::<Mine>("sink").map(drop), found);
    found
}
