//! The worker: a node with one actor that counts what it is sent.

use std::error::Error;
use std::io;
use std::time::Duration;

use actor_cluster::{NodeBuilder, RemoteMessage};
use actor_core::{Actor, ActorError, ActorRef, ReplyPort, Spawn};
use integration_tests::{Invitation, process};

use crate::words::Tally;

/// The group in which workers are found.
pub(crate) const WORKERS: &str = "workers";

/// The time between two pings.
const PING_INTERVAL: Duration = Duration::from_secs(1);

/// The silence after which a node counts as dead. All nodes share one machine here,
/// which may be busy or asleep for a while; that a process was killed, its sockets
/// tell.
const SILENCE_MAX: Duration = Duration::from_secs(20);

/// How long a worker whose streams are gone may take to come back. They all run on this machine, so
/// one that does not come back at once has died, and its chunks are counted by others.
const RESUME_TIMEOUT: Duration = Duration::from_millis(100);

/// How the nodes of the demo differ from others.
pub(crate) fn patient(builder: NodeBuilder) -> NodeBuilder {
    builder.heartbeat(PING_INTERVAL, SILENCE_MAX).resume_timeout(RESUME_TIMEOUT)
}

/// What a worker understands.
#[derive(Debug, RemoteMessage)]
pub(crate) enum Work {
    /// Counts the words of a chunk.
    #[rpc]
    Count(String, ReplyPort<Tally>),
    /// Makes this the worker that will be lost: it keeps every chunk that comes
    /// after this, and answers none of them.
    Hold,
    /// Answers how many chunks it keeps.
    #[rpc]
    Held(ReplyPort<u64>),
}

/// Counts words.
struct Counter;

/// Whether a worker works.
enum Mode {
    Counting,
    Holding(Vec<ReplyPort<Tally>>),
}

impl Actor for Counter {
    type Msg = Work;
    type State = Mode;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Work>, (): ()) -> Result<Mode, ActorError> {
        Ok(Mode::Counting)
    }

    async fn handle(&self, _: &ActorRef<Work>, work: Work, mode: &mut Mode) -> Result<(), ActorError> {
        // A coordinator that has gone away does not hear the answer; that ends this
        // process by other ways.
        match (work, mode) {
            (Work::Count(text, port), Mode::Counting) => drop(port.send(Tally::of(&text))),
            (Work::Count(_, port), Mode::Holding(held)) => held.push(port),
            (Work::Hold, mode) => *mode = Mode::Holding(Vec::new()),
            (Work::Held(port), Mode::Holding(held)) => drop(port.send(held.len() as u64)),
            (Work::Held(port), Mode::Counting) => drop(port.send(0)),
        }
        Ok(())
    }
}

/// Lives as a worker: reads the invitation, joins, counts. Ends with the session,
/// or when the coordinator is gone without a word.
pub(crate) async fn run() -> Result<(), Box<dyn Error>> {
    let invitation = Invitation::read(&mut io::stdin().lock())?;
    tokio::select! {
        ended = work(&invitation) => ended,
        () = process::parent_gone() => Ok(()),
    }
}

async fn work(invitation: &Invitation) -> Result<(), Box<dyn Error>> {
    let node = invitation.keys.start(&invitation.peers, patient).await?;
    // Published before it joins: whoever knows this node knows its counter.
    let counter = Counter.spawn(()).await?;
    node.server.join_group(WORKERS, &counter)?;
    let session = invitation.join(&node.server).await?;
    session.closed().await;
    Ok(node.shutdown().await?)
}

#[cfg(test)]
mod tests {
    use actor_core::call;

    use super::*;

    #[tokio::test]
    async fn a_worker_that_holds_answers_no_chunk_any_more() {
        let counter = Counter.spawn(()).await.unwrap();
        let tally = counter.call(|port| Work::Count("one two one".to_owned(), port)).await.unwrap();
        assert_eq!(tally.top(1), [("one", 2)]);
        assert_eq!(call!(counter, Work::Held).unwrap(), 0);
        counter.send(Work::Hold).await.unwrap();
        let (port, _answer) = ReplyPort::new(None);
        counter.send(Work::Count("three".to_owned(), port)).await.unwrap();
        assert_eq!(call!(counter, Work::Held).unwrap(), 1);
    }
}
