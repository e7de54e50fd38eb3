//! What an actor costs in memory: sizes that must not grow unnoticed.

use super::*;
use crate::address::ActorRef;
use crate::reply::ReplyPort;

/// Never run: only its size counts. State of 88 bytes, and a handler that awaits a
/// call: what the figures in `docs/decisions/0002-the-cell.md` are about.
struct Sized88;

struct State {
    _fields: [u64; 11],
}

#[expect(dead_code, reason = "never sent")]
enum Message {
    Add(u64),
    Ask(u64, ReplyPort<u64>),
}

impl crate::Actor for Sized88 {
    type Msg = Message;
    type State = State;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Message>, (): ()) -> Result<State, ActorError> {
        Ok(State { _fields: [0; 11] })
    }

    async fn handle(
        &self,
        myself: &ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorError> {
        match message {
            Message::Add(n) => state._fields[0] += n,
            Message::Ask(_, port) => {
                let n = myself.call(|port| Message::Ask(0, port)).await.unwrap_or(0);
                _ = port.send(n + state._fields[0]);
            }
        }
        Ok(())
    }
}

struct Kept;

impl<S> KeepState<S> for Kept {
    fn keep(_: S) -> Option<BoxedState> {
        None
    }
}

fn size_of_task<F>(_: impl FnOnce(Started<Sized88, Kept>, ActorSystem) -> F) -> usize {
    size_of::<F>()
}

#[test]
fn a32_what_an_actor_lies_in_is_small() {
    assert_eq!(size_of::<Message>(), 24);
    assert!(size_of::<LocalCell<Message>>() <= 216, "{}", size_of::<LocalCell<Message>>());
    let task = size_of_task(drive);
    assert!(task <= 336, "{task}");
}

#[test]
fn an_address_is_two_words() {
    assert_eq!(size_of::<ActorRef<Message>>(), 16);
}
