//! What a plain life touches, and what is asked of which life.

use std::future::poll_fn;
use std::task::Poll;

use super::Flag;
use crate::mailbox::Capacity;
use crate::{
    Actor, ActorError, ActorRef, ActorSystem, Colocation, Exit, LinkError, ReplyPort, SpawnOptions, Status,
};

struct Plain;

impl Actor for Plain {
    type Msg = ReplyPort<u64>;
    type State = u64;
    type Arguments = u64;

    async fn pre_start(&self, _: &ActorRef<ReplyPort<u64>>, from: u64) -> Result<u64, ActorError> {
        Ok(from)
    }

    async fn handle(
        &self,
        _: &ActorRef<ReplyPort<u64>>,
        port: ReplyPort<u64>,
        count: &mut u64,
    ) -> Result<(), ActorError> {
        *count += 1;
        let _ = port.send(*count);
        Ok(())
    }
}

fn is_attended<M: Send + 'static>(actor: &ActorRef<M>) -> bool {
    let state = actor.as_local().expect("it is local").state;
    assert_eq!(state.attendance.get().is_some(), state.word().has(Flag::Attended));
    state.attendance.get().is_some()
}

async fn stopped(actor: &ActorRef<ReplyPort<u64>>) {
    poll_fn(|cx| {
        if actor.status() == Status::Stopped {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// What is made only for those who are attended holds every lock of an actor's, and
/// none of the maps of its system has room for one without a name or a group.
#[tokio::test]
async fn a_plain_life_touches_its_word_and_nothing_else() {
    let system = ActorSystem::new();
    let place = Colocation::new(&system);
    let bounded = Capacity::try_from(1).unwrap();
    let ways = [
        SpawnOptions::new(),
        SpawnOptions::new().mailbox(Capacity::Unbounded),
        SpawnOptions::new().mailbox(bounded),
        SpawnOptions::new().colocate(&place),
    ];
    let ends: [fn(&ActorRef<ReplyPort<u64>>); 3] =
        [|actor| actor.stop(None), |actor| actor.drain(), |actor| actor.kill()];
    for options in ways {
        for end in ends {
            let actor = system.spawn(Plain, 0, options.clone()).await.unwrap();
            assert_eq!(actor.call(|port| port).await.unwrap(), 1);
            actor.send(ReplyPort::nobody()).await.unwrap();
            let clone = actor.clone();
            end(&actor);
            stopped(&clone).await;
            assert!(!is_attended(&actor));
            // Its end is known all the same.
            assert!(matches!(actor.wait(None).await, Ok(Exit::Stopped(None) | Exit::Drained | Exit::Killed)));
        }
    }
}

/// As a timer may, that fires on another thread while the life it was made in ends.
#[tokio::test]
async fn what_was_meant_for_another_life_is_not_asked() {
    let actor = ActorSystem::new().spawn(Plain, 0, SpawnOptions::new()).await.unwrap();
    let local = actor.as_local().expect("it is local");
    for request in [Flag::Stop, Flag::Kill] {
        local.end_this_life(local.life() + 1, request, Some("late"));
    }
    assert_eq!(actor.call(|port| port).await.unwrap(), 1);
    local.end_this_life(local.life(), Flag::Stop, Some("due"));
    assert_eq!(actor.wait(None).await, Ok(Exit::Stopped(Some("due".into()))));
}

#[tokio::test]
async fn whoever_is_known_to_others_is_attended() {
    let system = ActorSystem::new();
    let spawn = |options| system.spawn(Plain, 0, options);
    assert!(is_attended(&spawn(SpawnOptions::new().name("known")).await.unwrap()));
    let parent = spawn(SpawnOptions::new()).await.unwrap();
    assert!(!is_attended(&parent));
    let child = spawn(SpawnOptions::new().supervisor(&parent.cell())).await.unwrap();
    assert!(is_attended(&parent) && is_attended(&child));
    let watched = spawn(SpawnOptions::new()).await.unwrap();
    parent.cell().watch(&watched.cell());
    assert!(is_attended(&watched));
    // Asking changes nothing.
    let alone = spawn(SpawnOptions::new()).await.unwrap();
    assert_eq!((alone.cell().supervisor(), alone.cell().children()), (None, vec![]));
    assert_eq!((alone.name(), alone.status()), (None, Status::Starting));
    assert!(!is_attended(&alone));
    assert_eq!(alone.cell().link(&parent.cell()), Ok::<(), LinkError>(()));
    assert!(is_attended(&alone));
}
