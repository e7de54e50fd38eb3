//! `multi_call`: one question to many, each answered for itself.

use std::time::Duration;

use actor_core::{
    ActorRef, ActorSystem, CallError, CallFailure, Capacity, SendError, SpawnOptions, multi_call,
};

use tokio::runtime::Handle;

use crate::support::{
    Door, Gate, Log, Message, Order, Probe, SendDoor, Simulation, held, pass, poll_once, settled,
};

const MS: Duration = Duration::from_millis(1);

/// An actor that stands at its gate, with one message in its mailbox, which is full.
async fn full(door: &SendDoor, gate: &Gate) -> ActorRef<Message> {
    let options = SpawnOptions::new().mailbox(Capacity::try_from(1).unwrap());
    let actor = door.start(Probe::new(&Log::default()), options).await.unwrap();
    actor.cast(Message::Do(gate.act())).unwrap();
    gate.reached().await;
    actor.cast(Message::Note(1)).unwrap();
    actor
}

#[test]
fn a_call_of_many_is_a_call_of_each() {
    let mut simulation = Simulation::new(Order::Fifo);
    let door = SendDoor::new(simulation.system());
    simulation.block_on(async {
        let clock = door.system().executor().clone();
        let gate = Gate::new();
        let dead = door.spawn(Probe::new(&Log::default())).await;
        dead.stop_and_wait(None, None).await.unwrap();
        let held_up = door.spawn(Probe::new(&Log::default())).await;
        held_up.cast(Message::Do(gate.act())).unwrap();
        gate.reached().await;
        let full = full(&door, &gate).await;
        let well = door.spawn(Probe::new(&Log::default())).await;
        well.cast(Message::Note(1)).unwrap();
        let actors = [held_up, full, dead, well.clone(), well.clone()];
        let asked_at = clock.now();
        let answers = multi_call(&actors, Some(10 * MS), Message::Ask).await;
        assert_eq!(clock.now() - asked_at, 10 * MS);
        assert!(
            matches!(
                &answers[..],
                [
                    Err(CallError::Failed(CallFailure::TimedOut(_))),
                    Err(CallError::NotSent(SendError::Full(_))),
                    Err(CallError::NotSent(SendError::Stopped(_, _))),
                    Ok(1),
                    Ok(1),
                ]
            ),
            "{answers:?}"
        );
        // No time at all, all time there is, and nobody.
        let answers = multi_call(&actors[3..], Some(Duration::ZERO), Message::Ask).await;
        assert!(answers.iter().all(|answer| matches!(answer, Err(CallError::Failed(_)))), "{answers:?}");
        let answers = multi_call(&actors[2..], Some(Duration::MAX), Message::Ask).await;
        assert!(matches!(&answers[..], [Err(_), Ok(1), Ok(1)]), "{answers:?}");
        assert!(multi_call(&[], None, Message::Ask).await.is_empty());
        assert_eq!(settled(&well).await, 1);
    });
}

/// Who waits for room is served when it is his turn, whoever stands before him.
#[test]
fn a_place_that_comes_free_is_taken_while_another_is_waited_for() {
    let mut simulation = Simulation::new(Order::Fifo);
    let door = SendDoor::new(simulation.system());
    simulation.block_on(async {
        let (first, second) = (Gate::new(), Gate::new());
        let silent = full(&door, &first).await;
        let full = full(&door, &second).await;
        // The same one thrice: it has room for one at a time.
        let actors = [silent, full.clone(), full.clone(), full.clone()];
        {
            let mut asked = std::pin::pin!(multi_call(&actors, None, Message::Ask));
            held(asked.as_mut(), async {
                second.open();
                pass(door.system(), MS).await;
                // All three were put in and handled: there is room for another.
                assert!(full.cast(Message::Note(2)).is_ok());
                first.open();
            })
            .await;
            let answers = asked.await;
            assert!(matches!(&answers[..], [Ok(1), Ok(1), Ok(1), Ok(1)]), "{answers:?}");
        }
        assert_eq!(settled(&full).await, 2);
    });
}

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
