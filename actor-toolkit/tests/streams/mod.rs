//! What comes from elsewhere, as messages.

mod feeding;
mod reading;

use actor_core::{Actor, ActorError, ActorRef, ActorSystem, Capacity, ReplyPort, SpawnOptions};
use actor_toolkit::streams::Told;

/// What a [`Reader`] takes.
enum Message {
    Told(Told<String, String>),
    /// What was told so far.
    All(ReplyPort<Vec<Told<String, String>>>),
    Hold(crate::support::Gate),
}

/// Keeps what it is told.
struct Reader;

impl Actor for Reader {
    type Msg = Message;
    type State = Vec<Told<String, String>>;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Message>, (): ()) -> Result<Self::State, ActorError> {
        Ok(Vec::new())
    }

    async fn handle(
        &self,
        _: &ActorRef<Message>,
        message: Message,
        told: &mut Self::State,
    ) -> Result<(), ActorError> {
        match message {
            Message::Told(next) => told.push(next),
            Message::All(port) => _ = port.send(told.clone()),
            Message::Hold(gate) => gate.hold().await,
        }
        Ok(())
    }
}

async fn reader(system: &ActorSystem, room: usize) -> ActorRef<Message> {
    let options = SpawnOptions::new().mailbox(Capacity::try_from(room).unwrap());
    system.spawn(Reader, (), options).await.unwrap()
}

async fn told(actor: &ActorRef<Message>) -> Vec<Told<String, String>> {
    actor.call(Message::All).await.expect("a live actor answers")
}

fn item(text: impl ToString) -> Told<String, String> {
    Told::Item(text.to_string())
}

/// What is told, with everything as text.
fn as_text<T: ToString, E: ToString>(told: Told<T, E>) -> Message {
    Message::Told(match told {
        Told::Item(item) => Told::Item(item.to_string()),
        Told::Ended => Told::Ended,
        Told::Failed(error) => Told::Failed(error.to_string()),
    })
}
