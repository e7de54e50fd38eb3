//! Nor can a hook ask for more than it is given.

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

    async fn handle(&mut self, _: &ActorRef<u64>, by: u64, (): &mut ()) -> Result<(), ActorError> {
        self.count += by;
        Ok(())
    }
}

fn main() {}
