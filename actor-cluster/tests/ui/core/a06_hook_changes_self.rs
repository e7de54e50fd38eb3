//! The actor is configuration; what messages change is the state.

use actor_core::{Actor, ActorError, ActorRef};

struct Counter {
    count: u64,
}

impl Actor for Counter {
    type Msg = u64;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<u64>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle(&self, _: &ActorRef<u64>, by: u64, (): &mut ()) -> Result<(), ActorError> {
        self.count += by;
        Ok(())
    }
}

fn main() {}
