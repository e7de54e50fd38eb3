//! `multi_call`: what it does without. Its promises are in `suite/`.

use actor_core::{ActorSystem, multi_call};

use tokio::runtime::Handle;

use crate::support::{Door, Log, Message, Probe, SendDoor, poll_once};

#[tokio::test]
async fn many_calls_need_no_tasks() {
    let door = SendDoor::new(ActorSystem::new());
    let mut actors = Vec::new();
    for _ in 0..100 {
        actors.push(door.spawn(Probe::new(&Log::default())).await);
    }
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let mut calling = Box::pin(multi_call(&actors, None, Message::Ask));
    assert!(poll_once(calling.as_mut()).await.is_pending());
    assert_eq!(tasks(), before);
    assert!(calling.await.iter().all(|result| *result == Ok(0)));
}
