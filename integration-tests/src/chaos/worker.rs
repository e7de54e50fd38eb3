//! The one who is called: it writes each call down, and answers it; or, as the call's number wants, is slow first, or does
//! not answer.

use std::sync::Arc;
use std::time::Duration;

use actor_cluster::RemoteMessage;
use actor_core::{Actor, ActorError, ActorRef, ReplyPort};
use tokio::time::sleep;

use super::journal::Journal;
use super::{Flaw, scrambled};

/// The group that every node's worker is a member of.
pub const WORKERS: &str = "chaos/workers";

/// How long a slow call takes; longer than a hasty caller waits, so that the calls behind it expire.
pub const SLOW: Duration = Duration::from_millis(40);

/// What a worker understands.
#[derive(Debug, RemoteMessage)]
pub enum Work {
    /// A call; it is answered with its number.
    #[rpc]
    Run(u64, ReplyPort<u64>),
}

/// Works, and writes down what it did.
#[derive(Debug)]
pub struct Worker {
    /// Where it is written down.
    pub journal: Arc<Journal>,
    /// What it does wrong.
    pub flaw: Flaw,
}

impl Actor for Worker {
    type Msg = Work;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Work>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle(
        &self,
        _: &ActorRef<Work>,
        Work::Run(call, port): Work,
        (): &mut (),
    ) -> Result<(), ActorError> {
        let manner = scrambled(call ^ 0x5eed);
        if !self.flaw.strikes(Flaw::Skips, call) {
            self.journal.ran(call)?;
        }
        if self.flaw.strikes(Flaw::Twice, call) {
            self.journal.ran(call)?;
        }
        if manner.is_multiple_of(3001) {
            sleep(SLOW).await;
        }
        if manner % 1009 == 1 || self.flaw.strikes(Flaw::Mute, call) {
            // It ran, and its caller hears nothing.
            return Ok(());
        }
        // A caller that has gone away does not hear the answer, which harms nobody.
        _ = port.send(call);
        Ok(())
    }
}
