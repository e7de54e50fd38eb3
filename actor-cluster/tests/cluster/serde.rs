//! Actors whose messages only serde knows, from another node.

use std::ops::Range;

use actor_cluster::FindError;
use actor_cluster::wire::serde::{Serde, SerdeCall, named};
use actor_core::{
    Actor, ActorError, ActorRef, Call, CallError, CallFailure, CallRecipient, Recipient, Rejection,
    SendError, SpawnOptions,
};
use serde::{Deserialize, Serialize};

use super::Network;
use super::support::{on_every_shape, settle, two};

/// Types of the standard library: no derive of ours can stand on them.
type Pages = Serde<Range<u32>, { named("test/pages") }>;
type Printed = SerdeCall<Range<u32>, Vec<Range<u32>>, { named("test/printed") }>;

/// Says what it got.
struct Printer(tokio::sync::mpsc::UnboundedSender<Range<u32>>);

impl Actor for Printer {
    type Msg = Pages;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Pages>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle(&self, _: &ActorRef<Pages>, Serde(pages): Pages, (): &mut ()) -> Result<(), ActorError> {
        Ok(self.0.send(pages)?)
    }
}

/// Answers with all it was asked, and not at all to nothing.
struct Archive;

impl Actor for Archive {
    type Msg = Printed;
    type State = Vec<Range<u32>>;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Printed>, (): ()) -> Result<Vec<Range<u32>>, ActorError> {
        Ok(Vec::new())
    }

    async fn handle(
        &self,
        _: &ActorRef<Printed>,
        SerdeCall { request, port }: Printed,
        all: &mut Vec<Range<u32>>,
    ) -> Result<(), ActorError> {
        if !request.is_empty() {
            all.push(request);
            let _ = port.send(all.clone());
        }
        Ok(())
    }
}

/// Looks at what comes next, which postcard cannot say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Guess {
    Number(u32),
    Text(String),
}

type Guesses = SerdeCall<Guess, Guess, { named("test/guess") }>;

struct Guesser;

impl Actor for Guesser {
    type Msg = Guesses;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Guesses>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }
}

on_every_shape! {
    a23_a_serde_type_is_cast_to_another_node
    a23_a_serde_type_is_called_on_another_node
    a_serde_type_that_cannot_be_read_back_never_ran
    a_serde_message_of_another_name_is_not_found
}

async fn a23_a_serde_type_is_cast_to_another_node(network: Network) {
    let (a, b) = two(&network).await;
    let (sent, mut got) = tokio::sync::mpsc::unbounded_channel();
    let printer = b.system.spawn(Printer(sent), (), SpawnOptions::new()).await.unwrap();
    b.server.publish("printer", &printer).unwrap();
    settle().await;
    let remote = a.server.find::<Pages>("printer").unwrap();
    assert!(!remote.is_local());
    remote.cast(Serde(1..4)).unwrap();
    remote.send((4..5).into()).await.unwrap();
    let recipient: Recipient<Range<u32>> = remote.recipient();
    recipient.cast(5..9).unwrap();
    for pages in [1..4, 4..5, 5..9] {
        assert_eq!(got.recv().await, Some(pages));
    }
    // The same address where the actor lives, and the same message back when it is gone.
    b.server.find::<Pages>("printer").unwrap().cast(Serde(0..1)).unwrap();
    assert_eq!(got.recv().await, Some(0..1));
    b.shutdown().await;
    settle().await;
    assert_eq!(recipient.cast(1..2), Err(SendError::NotConnected(1..2)));
}

async fn a23_a_serde_type_is_called_on_another_node(network: Network) {
    let (a, b) = two(&network).await;
    let archive = b.system.spawn(Archive, (), SpawnOptions::new()).await.unwrap();
    b.server.publish("archive", &archive).unwrap();
    settle().await;
    let remote = a.server.find::<Printed>("archive").unwrap();
    assert_eq!(Call::new(&remote, 1..4).await, Ok(std::iter::once(1..4).collect()));
    assert_eq!(Call::new(&remote, 4..5).default_timeout().await, Ok(vec![1..4, 4..5]));
    let answered = remote.call(|port| SerdeCall { request: 5..6, port }).await;
    assert!(matches!(answered, Ok(all) if all == [1..4, 4..5, 5..6]));
    Call::new(&remote, 6..7).cast().unwrap();
    let recipient: CallRecipient<Range<u32>, Vec<Range<u32>>> = remote.call_recipient();
    assert_eq!(recipient.call(7..8).await.unwrap().len(), 5, "what was cast was handled");
    assert_eq!(Call::new(&remote, 0..0).await, Err(CallError::Failed(CallFailure::NoReply)));
    // The actor's end is a watcher's and a caller's to see, as of any other.
    archive.stop_and_wait(None, None).await.unwrap();
    settle().await;
    let refused = Call::new(&remote, 8..9).await.unwrap_err();
    assert!(refused.never_ran(), "{refused}");
}

async fn a_serde_type_that_cannot_be_read_back_never_ran(network: Network) {
    let (a, b) = two(&network).await;
    let guesser = b.system.spawn(Guesser, (), SpawnOptions::new()).await.unwrap();
    b.server.publish("guesser", &guesser).unwrap();
    settle().await;
    let remote = a.server.find::<Guesses>("guesser").unwrap();
    let error = Call::new(&remote, Guess::Number(7)).await.unwrap_err();
    assert!(error.never_ran());
    assert!(matches!(error.failure(), Some(CallFailure::Rejected(Rejection::Undecodable(_)))), "{error}");
    assert_eq!(a.peers(), [b.id()], "the session goes on");
}

async fn a_serde_message_of_another_name_is_not_found(network: Network) {
    let (a, b) = two(&network).await;
    let archive = b.system.spawn(Archive, (), SpawnOptions::new()).await.unwrap();
    b.server.publish("archive", &archive).unwrap();
    settle().await;
    type Other = SerdeCall<Range<u32>, Vec<Range<u32>>, { named("test/other") }>;
    type Cast = Serde<Range<u32>, { named("test/printed") }>;
    assert_eq!(a.server.find::<Other>("archive").unwrap_err(), FindError::WrongType(b.id()));
    assert_eq!(a.server.find::<Cast>("archive").unwrap_err(), FindError::WrongType(b.id()));
}
