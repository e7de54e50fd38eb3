//! The actor of the tests: it answers what it is asked, or does not, as told.

use actor_cluster::RemoteMessage;
use actor_core::{Actor, ActorError, ActorRef, ReplyPort};

/// The group that every node's echo is a member of.
pub const ECHOES: &str = "echoes";

/// What an echo understands.
#[derive(Debug, RemoteMessage)]
pub enum Say {
    /// Answers the text.
    #[rpc]
    This(String, ReplyPort<String>),
    /// Keeps the port and never answers.
    #[rpc]
    Nothing(ReplyPort<()>),
    /// Answers how many ports it keeps.
    #[rpc]
    HowMany(ReplyPort<u64>),
}

/// Answers with what it is told.
#[derive(Debug)]
pub struct Echo;

impl Actor for Echo {
    type Msg = Say;
    type State = Vec<ReplyPort<()>>;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Say>, (): ()) -> Result<Self::State, ActorError> {
        Ok(Vec::new())
    }

    async fn handle(&self, _: &ActorRef<Say>, say: Say, kept: &mut Self::State) -> Result<(), ActorError> {
        // A caller that has gone away does not hear the answer, which harms nobody.
        match say {
            Say::This(text, port) => drop(port.send(text)),
            Say::Nothing(port) => kept.push(port),
            Say::HowMany(port) => drop(port.send(kept.len() as u64)),
        }
        Ok(())
    }
}
