//! What a bounded mailbox does when it is full, and order in any mailbox.

use std::pin::pin;
use std::sync::Arc;

use actor_core::{Actor, ActorError, ActorRef, Capacity, Exit, SendError, SpawnOptions};
use tokio::sync::Semaphore;

use crate::support::{
    Act, Door, Ending, Entry, Gate, Hook, Log, Message, Probe, act, dead, fail, join_all, panics, poll_once,
    settled, stopped,
};

pub(super) const CAPACITY: u32 = 3;

/// An actor with room for [`CAPACITY`] messages.
pub(super) async fn bounded(door: &impl Door, log: &Log) -> ActorRef<Message> {
    let capacity = Capacity::try_from(CAPACITY as usize).unwrap();
    let actor = door.start(Probe::new(log), SpawnOptions::new().mailbox(capacity)).await.unwrap();
    settled(&actor).await;
    log.take();
    actor
}

/// Holds the actor in its handler; the message that does so is taken out.
pub(super) async fn hold(actor: &ActorRef<Message>, gate: &Gate) {
    actor.cast(Message::Do(gate.act())).unwrap();
    gate.reached().await;
}

/// Casts notes until there is no room; gives how many went in.
pub(super) fn fill(actor: &ActorRef<Message>) -> u32 {
    let is_accepted = |number: &u32| match actor.cast(Message::Note(*number)) {
        Ok(()) => true,
        Err(error) => {
            assert_eq!(error, SendError::Full(Message::Note(*number)));
            false
        }
    };
    u32::try_from((0..).take_while(is_accepted).count()).unwrap()
}

pub(super) async fn a13_messages_of_one_sender_stay_in_order(door: impl Door) {
    const SENDERS: u32 = 4;
    const EACH: u32 = 50;
    let log = Log::default();
    let actor = bounded(&door, &log).await;
    let send = |sender: u32| {
        let actor = &actor;
        async move {
            for number in 0..EACH {
                actor.send(Message::Note(sender * EACH + number)).await.unwrap();
            }
        }
    };
    join_all((0..SENDERS).map(send)).await;
    assert_eq!(settled(&actor).await, SENDERS * EACH);
    let entries = log.entries();
    for sender in 0..SENDERS {
        let own = sender * EACH..(sender + 1) * EACH;
        let came = entries.iter().filter(|entry| matches!(entry, Entry::Note(n) if own.contains(n)));
        assert_eq!(came.cloned().collect::<Vec<_>>(), own.clone().map(Entry::Note).collect::<Vec<_>>());
    }
}

pub(super) async fn c13_a_bounded_mailbox_holds_no_more_than_its_bound(door: impl Door) {
    let (log, gate) = (Log::default(), Gate::new());
    let actor = bounded(&door, &log).await;
    hold(&actor, &gate).await;
    // The message in hand was taken out and does not count.
    assert_eq!(fill(&actor), CAPACITY);
    gate.open();
    while settled(&actor).await < CAPACITY {}
    hold(&actor, &gate).await;
    assert_eq!(fill(&actor), CAPACITY);
    gate.open();

    let unbounded = SpawnOptions::new().mailbox(Capacity::Unbounded);
    let actor = door.start(Probe::new(&log), unbounded).await.unwrap();
    hold(&actor, &gate).await;
    for number in 0..10_000 {
        actor.cast(Message::Note(number)).unwrap();
    }
    gate.open();
    assert_eq!(settled(&actor).await, 10_000);
}

pub(super) async fn c14_send_waits_for_room(door: impl Door) {
    let (log, gate) = (Log::default(), Gate::new());
    let actor = bounded(&door, &log).await;
    hold(&actor, &gate).await;
    assert_eq!(fill(&actor), CAPACITY);
    let mut waiting = pin!(join_all((CAPACITY..2 * CAPACITY).map(|n| actor.send(Message::Note(n)))));
    assert!(poll_once(waiting.as_mut()).await.is_pending());
    gate.open();
    assert_eq!(waiting.await, [const { Ok(()) }; CAPACITY as usize]);
    assert_eq!(settled(&actor).await, 2 * CAPACITY);
    assert_eq!(log.entries(), (0..2 * CAPACITY).map(Entry::Note).collect::<Vec<_>>());
}

pub(super) async fn c14_a_cancelled_send_takes_no_room(door: impl Door) {
    let (log, gate) = (Log::default(), Gate::new());
    let actor = bounded(&door, &log).await;
    hold(&actor, &gate).await;
    assert_eq!(fill(&actor), CAPACITY);

    let mut before_room = Box::pin(actor.send(Message::Note(100)));
    let mut after_room = Box::pin(actor.send(Message::Note(101)));
    assert!(poll_once(before_room.as_mut()).await.is_pending());
    assert!(poll_once(after_room.as_mut()).await.is_pending());
    drop(before_room);
    // Now room is set aside for the other, which does not take it.
    gate.open();
    assert_eq!(settled(&actor).await, CAPACITY);
    drop(after_room);

    hold(&actor, &gate).await;
    assert_eq!(fill(&actor), CAPACITY);
    gate.open();
    assert_eq!(actor.drain_and_wait(None).await, Ok(Exit::Drained));
    let mut expected: Vec<Entry> = (0..CAPACITY).chain(0..CAPACITY).map(Entry::Note).collect();
    expected.extend([Entry::PostStop, Entry::Dropped]);
    assert_eq!(log.entries(), expected);
}

/// Room was set aside for a send that its task then leaves alone: that concerns
/// later senders, but not the actor's end.
pub(super) async fn a_send_that_nobody_polls_does_not_hold_up_the_end(door: impl Door) {
    let ends: [(Ending, Exit); 2] =
        [(|actor| actor.drain(), Exit::Drained), (|actor| actor.stop(None), Exit::Stopped(None))];
    for (end, exit) in ends {
        let (log, gate) = (Log::default(), Gate::new());
        let actor = bounded(&door, &log).await;
        hold(&actor, &gate).await;
        assert_eq!(fill(&actor), CAPACITY);
        let mut stalled = pin!(actor.send(Message::Note(100)));
        assert!(poll_once(stalled.as_mut()).await.is_pending());
        gate.open();
        assert_eq!(settled(&actor).await, CAPACITY);
        end(&actor);
        assert_eq!(actor.wait(None).await, Ok(exit.clone()));
        assert_eq!(stalled.await, Err(SendError::Stopped(Message::Note(100), Some(exit))));
    }
}

pub(super) async fn c16_cast_gives_the_message_back_when_full(door: impl Door) {
    let (log, gate) = (Log::default(), Gate::new());
    let actor = bounded(&door, &log).await;
    hold(&actor, &gate).await;
    assert_eq!(fill(&actor), CAPACITY);
    let refused = actor.cast(Message::Note(77));
    assert_eq!(refused, Err(SendError::Full(Message::Note(77))));
    let message = refused.unwrap_err().into_message();
    gate.open();
    assert_eq!(actor.send(message).await, Ok(()));
    assert_eq!(settled(&actor).await, CAPACITY + 1);
    let expected: Vec<Entry> = (0..CAPACITY).chain([77]).map(Entry::Note).collect();
    assert_eq!(log.entries(), expected);
}

pub(super) async fn a_full_mailbox_holds_up_no_control(door: impl Door) {
    let gone = dead(&door).await;
    let down = Entry::Down(gone.id(), Exit::Stopped(None));
    let (log, gate) = (Log::default(), Gate::new());
    let actor = bounded(&door, &log).await;
    hold(&actor, &gate).await;
    assert_eq!(fill(&actor), CAPACITY);
    actor.cell().watch(&gone);
    gate.open();
    assert_eq!(settled(&actor).await, CAPACITY);
    let mut expected = vec![down];
    expected.extend((0..CAPACITY).map(Entry::Note));
    assert_eq!(log.take(), expected);

    hold(&actor, &gate).await;
    assert_eq!(fill(&actor), CAPACITY);
    actor.stop(Some("full"));
    gate.open();
    assert_eq!(actor.wait(None).await, Ok(stopped("full")));
    assert_eq!(log.entries(), [Entry::PostStop, Entry::Dropped]);

    let actor = bounded(&door, &log).await;
    hold(&actor, &gate).await;
    assert_eq!(fill(&actor), CAPACITY);
    assert_eq!(actor.kill_and_wait(None).await, Ok(Exit::Killed));
    assert_eq!(log.entries(), [Entry::Dropped]);
}

pub(super) async fn a_waiting_send_fails_when_the_actor_drains_or_ends(door: impl Door) {
    let ends: [(Ending, Exit); 3] = [
        (|actor| actor.drain(), Exit::Drained),
        (|actor| actor.stop(None), Exit::Stopped(None)),
        (|actor| actor.kill(), Exit::Killed),
    ];
    for (end, exit) in ends {
        let (log, gate) = (Log::default(), Gate::new());
        let actor = bounded(&door, &log).await;
        hold(&actor, &gate).await;
        assert_eq!(fill(&actor), CAPACITY);
        let mut waiting = pin!(actor.send(Message::Note(100)));
        assert!(poll_once(waiting.as_mut()).await.is_pending());
        end(&actor);
        gate.open();
        // It may come back before the actor has ended.
        assert!(matches!(waiting.await, Err(SendError::Stopped(Message::Note(100), _))));
        assert_eq!(actor.wait(None).await, Ok(exit.clone()));
        let mut expected: Vec<Entry> = Vec::new();
        if exit == Exit::Drained {
            expected.extend((0..CAPACITY).map(Entry::Note));
        }
        if exit != Exit::Killed {
            expected.push(Entry::PostStop);
        }
        expected.push(Entry::Dropped);
        assert_eq!(log.entries(), expected, "{exit}");
    }

    // An actor that sends to itself at the wrong moment waits, and can be ended.
    let actor = bounded(&door, &Log::default()).await;
    let gate = Gate::new();
    let to_itself = gate.clone();
    let act = act(move |myself| {
        let gate = to_itself.clone();
        async move {
            assert_eq!(fill(&myself), CAPACITY);
            let mut sending = pin!(myself.send(Message::Note(100)));
            assert!(poll_once(sending.as_mut()).await.is_pending());
            gate.pass().await;
            Ok(sending.await.map_err(|error| error.to_string())?)
        }
    });
    actor.cast(Message::Do(act)).unwrap();
    gate.reached().await;
    gate.open();
    assert_eq!(actor.kill_and_wait(None).await, Ok(Exit::Killed));
}

/// However the actor ends, and however many wait.
pub(super) async fn all_who_wait_get_their_message_back(door: impl Door) {
    const WAITING: u32 = 20;
    let ends: [(Option<Act>, Ending, Exit); 4] = [
        (None, |actor| actor.stop(None), Exit::Stopped(None)),
        (None, |actor| actor.kill(), Exit::Killed),
        (Some(fail("ill")), |_| {}, Exit::Failed("ill".into())),
        (Some(panics("fell")), |_| {}, Exit::Panicked("fell".into())),
    ];
    for (grief, end, exit) in ends {
        let (log, gate) = (Log::default(), Gate::new());
        let probe = grief.into_iter().fold(Probe::new(&log), |probe, grief| probe.at(Hook::Handle, grief));
        let capacity = Capacity::try_from(CAPACITY as usize).unwrap();
        let actor = door.start(probe, SpawnOptions::new().mailbox(capacity)).await.unwrap();
        hold(&actor, &gate).await;
        assert_eq!(fill(&actor), CAPACITY);
        // Each in a task of its own, which runs again only if it is woken.
        let waits = Arc::new(Semaphore::new(0));
        let back = Log::default();
        let senders: Vec<_> = (0..WAITING)
            .map(|number| {
                let (actor, waits, back) = (actor.clone(), waits.clone(), back.clone());
                door.system().executor().spawn(async move {
                    let mut sending = pin!(actor.send(Message::Note(number)));
                    assert!(poll_once(sending.as_mut()).await.is_pending());
                    waits.add_permits(1);
                    let sent = sending.await;
                    if matches!(sent, Err(SendError::Stopped(Message::Note(n), _)) if n == number) {
                        back.push(Entry::Note(number));
                    }
                })
            })
            .collect();
        waits.acquire_many(WAITING).await.unwrap().forget();
        end(&actor);
        gate.open();
        assert_eq!(actor.wait(None).await, Ok(exit.clone()));
        join_all(senders).await;
        let mut back: Vec<u32> = back.entries().iter().map(note).collect();
        back.sort_unstable();
        let handled = log.entries().iter().filter(|entry| matches!(entry, Entry::Note(_))).count();
        // Where a message was its end, the first who waited had been given that one's
        // place: it came in time to use it, or its message came back too.
        let all: Vec<u32> = (0..WAITING).collect();
        match handled {
            0 => assert_eq!(back, all, "{exit}"),
            _ => assert!(back == all || back == all[1..], "{exit}: {back:?}"),
        }
    }
}

fn note(entry: &Entry) -> u32 {
    match entry {
        Entry::Note(number) => *number,
        other => panic!("{other:?} is no note"),
    }
}

pub(super) async fn what_is_queued_is_handled_without_any_address_left(door: impl Door) {
    let (log, gate, end) = (Log::default(), Gate::new(), Gate::new());
    let actor = bounded(&door, &log).await;
    hold(&actor, &gate).await;
    actor.cast(Message::Note(1)).unwrap();
    actor.cast(Message::Note(2)).unwrap();
    actor.cast(Message::Do(end.act())).unwrap();
    let weak = actor.downgrade();
    drop(actor);
    gate.open();
    end.reached().await;
    assert_eq!(log.entries(), [Entry::Note(1), Entry::Note(2)]);
    let actor = weak.upgrade().expect("it lives on");
    end.open();
    assert_eq!(actor.stop_and_wait(None, None).await, Ok(Exit::Stopped(None)));
    drop(actor);
    while weak.upgrade().is_some() {
        dead(&door).await;
    }
}

/// Each message brings two: the bound ends it, and all that got in is handled.
pub(super) async fn an_actor_that_floods_itself_meets_its_bound(door: impl Door) {
    const HANDLED: usize = 50;
    let (log, refused) = (Log::default(), Log::default());
    let seen = (log.clone(), refused.clone());
    let breed = act(move |myself| {
        let (log, refused) = seen.clone();
        async move {
            for number in [7, 8] {
                match myself.cast(Message::Note(number)) {
                    Ok(()) => {}
                    Err(SendError::Full(Message::Note(number))) => refused.push(Entry::Note(number)),
                    Err(error) => return Err(error.to_string().into()),
                }
            }
            if log.entries().iter().filter(|entry| matches!(entry, Entry::Note(_))).count() == HANDLED {
                myself.stop(None);
            }
            Ok(())
        }
    });
    let capacity = Capacity::try_from(CAPACITY as usize).unwrap();
    let probe = Probe::new(&log).at(Hook::Handle, breed);
    let actor = door.start(probe, SpawnOptions::new().mailbox(capacity)).await.unwrap();
    actor.cast(Message::Note(7)).unwrap();
    assert_eq!(actor.wait(None).await, Ok(Exit::Stopped(None)));
    // Of two it handles one at once: after the first ones, one of each two is refused.
    let accepted = 1 + 2 * HANDLED - refused.entries().len();
    assert_eq!(accepted, HANDLED + CAPACITY as usize);
}

pub(super) async fn messages_of_no_size_are_counted_too(door: impl Door) {
    struct Count;
    impl Actor for Count {
        type Msg = ();
        type State = (u64, Gate);
        type Arguments = Gate;

        async fn pre_start(&self, _: &ActorRef<()>, gate: Gate) -> Result<(u64, Gate), ActorError> {
            Ok((0, gate))
        }

        async fn handle(&self, _: &ActorRef<()>, (): (), state: &mut (u64, Gate)) -> Result<(), ActorError> {
            state.0 += 1;
            if state.0 == 1 {
                state.1.pass().await;
            }
            if state.0 == 1001 { Err("all of them".into()) } else { Ok(()) }
        }
    }
    let gate = Gate::new();
    let options = SpawnOptions::new().mailbox(Capacity::try_from(1000).unwrap());
    let actor = door.spawn_with(Count, gate.clone(), options).await.unwrap();
    actor.cast(()).unwrap();
    gate.reached().await;
    assert_eq!((0..2000).take_while(|_| actor.cast(()).is_ok()).count(), 1000);
    assert_eq!(actor.cast(()), Err(SendError::Full(())));
    gate.open();
    let exit = Exit::Failed("all of them".into());
    assert_eq!(actor.wait(None).await, Ok(exit.clone()));
    assert_eq!(actor.cast(()), Err(SendError::Stopped((), Some(exit))));
}
