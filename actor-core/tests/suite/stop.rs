//! How an actor ends when somebody asks it to.

use std::collections::HashSet;
use std::pin::pin;

use actor_core::{ActorRef, Control, Exit, SendError, SpawnOptions, Status};

use crate::support::{
    Act, Door, Entry, Gate, Hook, Log, Message, Probe, act, dead, join_all, poll_once, settled, stopped,
};

pub(super) async fn a05_stop_lets_the_hook_finish_and_runs_post_stop(door: impl Door) {
    let (log, parent_log, gate) = (Log::default(), Log::default(), Gate::new());
    let parent = door.spawn(Probe::new(&parent_log)).await;
    let probe = Probe::new(&log).at(Hook::Handle, gate.act()).at(Hook::Handle, says(&log, "finished"));
    let child = door.spawn_under(&parent, probe).await;
    child.cast(Message::Note(1)).unwrap();
    child.cast(Message::Note(2)).unwrap();
    gate.reached().await;
    child.stop(Some("enough"));
    assert_eq!(child.status(), Status::Running);
    gate.open();

    assert_eq!(child.wait(None).await, Ok(stopped("enough")));
    settled(&parent).await;
    assert_eq!(
        log.entries(),
        [
            Entry::PreStart,
            Entry::PostStart,
            Entry::Note(1),
            Entry::Said("finished"),
            Entry::PostStop,
            Entry::Dropped
        ]
    );
    assert_eq!(
        parent_log.entries(),
        [
            Entry::PreStart,
            Entry::PostStart,
            Entry::Started(child.id()),
            Entry::Terminated(child.id(), stopped("enough"), door.kept(1))
        ]
    );
}

pub(super) async fn a07_an_actor_lives_on_without_addresses(door: impl Door) {
    let log = Log::default();
    let actor = door.start(Probe::new(&log), SpawnOptions::new().name("alone")).await.unwrap();
    let (weak, weak_cell) = (actor.downgrade(), actor.cell().downgrade());
    assert_eq!(actor.clone(), actor);
    assert_eq!(actor.cell(), actor.cell().clone());
    assert_eq!(ActorRef::<Message>::from_cell(actor.cell()), Ok(actor.clone()));
    let wrong = ActorRef::<u8>::from_cell(actor.cell()).unwrap_err();
    let message = actor.cell().message_type().expect("it is local");
    assert_eq!(wrong.to_string(), format!("actor {} takes {message}, not u8", actor.id()));
    assert_eq!(wrong.into_cell(), actor.cell());
    let id = actor.id();
    // Whoever keeps addresses in a set keeps one of each actor.
    assert_eq!(HashSet::from([actor.clone(), actor.clone()]).len(), 1);
    assert_eq!(HashSet::from([actor.cell(), actor.clone().cell()]).len(), 1);
    drop(actor);

    let found = door.system().where_is_typed::<Message>("alone").expect("it lives on");
    assert_eq!(found.id(), id);
    assert_eq!(settled(&found).await, 0);
    assert_eq!(weak.upgrade(), Some(found.clone()));
    assert_eq!(found.stop_and_wait(None, None).await, Ok(Exit::Stopped(None)));
    assert_eq!(log.entries(), [Entry::PreStart, Entry::PostStart, Entry::PostStop, Entry::Dropped]);
    drop(found);
    // The task may still be putting down the address it held.
    settled(&door.spawn(Probe::new(&log)).await).await;
    assert_eq!(weak.upgrade(), None);
    assert_eq!(weak_cell.upgrade(), None);
}

pub(super) async fn a08_status_only_moves_forward(door: impl Door) {
    let (log, gate) = (Log::default(), Gate::new());
    let status = {
        let log = log.clone();
        act(move |myself| {
            log.push(Entry::Status(myself.status()));
            async { Ok(()) }
        })
    };
    let probe = [Hook::PreStart, Hook::PostStart, Hook::Handle, Hook::PostStop]
        .into_iter()
        .fold(Probe::new(&log), |probe, hook| probe.at(hook, status.clone()));
    let actor = door.spawn(probe).await;
    actor.cast(Message::Note(1)).unwrap();
    actor.cast(Message::Do(gate.act())).unwrap();
    actor.cast(Message::Note(2)).unwrap();
    gate.reached().await;
    assert_eq!(actor.status(), Status::Running);
    actor.drain();
    assert_eq!(actor.status(), Status::Draining);
    gate.open();
    assert_eq!(actor.wait(None).await, Ok(Exit::Drained));
    assert_eq!(actor.status(), Status::Stopped);
    let requests: [fn(&Control); 3] = [|actor| actor.stop(None), Control::drain, Control::kill];
    for request in requests {
        request(&actor);
        assert_eq!(actor.status(), Status::Stopped);
    }
    assert_eq!(
        log.entries(),
        [
            Entry::PreStart,
            Entry::Status(Status::Starting),
            Entry::PostStart,
            Entry::Status(Status::Starting),
            Entry::Note(1),
            Entry::Status(Status::Running),
            Entry::Note(2),
            Entry::Status(Status::Draining),
            Entry::PostStop,
            Entry::Status(Status::Stopping),
            Entry::Dropped
        ]
    );
}

pub(super) async fn a10_kill_then_stop_then_supervision_then_messages(door: impl Door) {
    const QUEUED: u32 = 1000;
    let gone = dead(&door).await;
    let down = Entry::Down(gone.id(), Exit::Stopped(None));
    let notes = (0..QUEUED).map(Entry::Note);
    // All are asked within one hook, from the least urgent to the most.
    let asked = |count: usize| {
        let gone = gone.clone();
        act(move |myself| {
            let (watcher, gone) = (myself.cell(), gone.clone());
            let requests: [&dyn Fn(); 4] = [
                &|| (0..QUEUED).for_each(|number| myself.cast(Message::Note(number)).unwrap()),
                &|| _ = watcher.watch(&gone),
                &|| myself.stop(Some("asked")),
                &|| myself.kill(),
            ];
            requests[..count].iter().for_each(|request| request());
            async { Ok(()) }
        })
    };
    let cases: [(usize, Option<Exit>, Vec<Entry>); 4] = [
        (1, None, notes.clone().collect()),
        (2, None, std::iter::once(down).chain(notes).collect()),
        (3, Some(stopped("asked")), vec![Entry::PostStop, Entry::Dropped]),
        (4, Some(Exit::Killed), vec![Entry::Dropped]),
    ];
    for (count, exit, expected) in cases {
        let log = Log::default();
        let actor = door.spawn(Probe::new(&log)).await;
        settled(&actor).await;
        assert_eq!(log.take(), [Entry::PreStart, Entry::PostStart]);
        actor.cast(Message::Do(asked(count))).unwrap();
        match exit {
            Some(exit) => assert_eq!(actor.wait(None).await, Ok(exit)),
            None => {
                // Once for the hook, which may come after this; then for what it cast.
                settled(&actor).await;
                assert_eq!(settled(&actor).await, QUEUED);
            }
        }
        assert_eq!(log.entries(), expected, "the first {count} requests");
    }
}

pub(super) async fn a11_kill_does_not_wait_for_the_hook_and_stop_does(door: impl Door) {
    let (log, gate) = (Log::default(), Gate::new());
    let actor = door.spawn(Probe::new(&log)).await;
    actor.cast(Message::Do(gate.act())).unwrap();
    gate.reached().await;

    let mut stopping = pin!(actor.stop_and_wait(Some("please"), None));
    assert!(poll_once(stopping.as_mut()).await.is_pending());
    assert_eq!(actor.status(), Status::Running);
    // The gate stays shut: only the kill can end the hook.
    actor.kill();
    assert_eq!(stopping.await, Ok(Exit::Killed));
    assert_eq!(actor.kill_and_wait(None).await, Ok(Exit::Killed));
    assert_eq!(log.entries(), [Entry::PreStart, Entry::PostStart, Entry::Dropped]);
}

pub(super) async fn a26_drain_handles_what_was_accepted_and_accepts_no_more(door: impl Door) {
    let (log, parent_log, gate) = (Log::default(), Log::default(), Gate::new());
    let parent = door.spawn(Probe::new(&parent_log)).await;
    let actor = door.spawn_under(&parent, Probe::new(&log)).await;
    actor.cast(Message::Do(gate.act())).unwrap();
    gate.reached().await;
    for number in 0..100 {
        actor.cast(Message::Note(number)).unwrap();
    }
    actor.drain();
    actor.drain();
    assert_eq!(actor.cast(Message::Note(100)), Err(SendError::Stopped(Message::Note(100), None)));
    assert_eq!(actor.send(Message::Note(101)).await, Err(SendError::Stopped(Message::Note(101), None)));
    gate.open();

    assert_eq!(actor.drain_and_wait(None).await, Ok(Exit::Drained));
    settled(&parent).await;
    let mut expected = vec![Entry::PreStart, Entry::PostStart];
    expected.extend((0..100).map(Entry::Note));
    expected.extend([Entry::PostStop, Entry::Dropped]);
    assert_eq!(log.entries(), expected);
    let terminated = Entry::Terminated(actor.id(), Exit::Drained, door.kept(100));
    assert_eq!(parent_log.entries().last(), Some(&terminated));
}

pub(super) async fn a_stop_cuts_a_drain_short(door: impl Door) {
    let (log, gate) = (Log::default(), Gate::new());
    let actor = door.spawn(Probe::new(&log)).await;
    actor.cast(Message::Do(gate.act())).unwrap();
    gate.reached().await;
    actor.cast(Message::Note(1)).unwrap();
    actor.drain();
    actor.stop(Some("no time"));
    gate.open();
    assert_eq!(actor.wait(None).await, Ok(stopped("no time")));
    assert_eq!(log.entries(), [Entry::PreStart, Entry::PostStart, Entry::PostStop, Entry::Dropped]);
}

pub(super) async fn only_the_first_stop_counts(door: impl Door) {
    for first in [Some("first"), None] {
        let gate = Gate::new();
        let actor = door.spawn(Probe::new(&Log::default())).await;
        actor.cast(Message::Do(gate.act())).unwrap();
        gate.reached().await;
        actor.stop(first);
        actor.stop(Some("second"));
        actor.stop(None);
        gate.open();
        assert_eq!(actor.wait(None).await, Ok(Exit::Stopped(first.map(Into::into))));
    }
}

pub(super) async fn stopping_a_dead_actor_tells_how_it_ended(door: impl Door) {
    let log = Log::default();
    let actor = door.spawn(Probe::new(&log)).await;
    assert_eq!(actor.stop_and_wait(Some("done"), None).await, Ok(stopped("done")));
    let lived = log.entries();
    assert_eq!(actor.stop_and_wait(Some("again"), None).await, Ok(stopped("done")));
    assert_eq!(actor.drain_and_wait(None).await, Ok(stopped("done")));
    assert_eq!(actor.kill_and_wait(None).await, Ok(stopped("done")));
    assert_eq!(
        actor.cast(Message::Note(1)),
        Err(SendError::Stopped(Message::Note(1), Some(stopped("done"))))
    );
    let refused = actor.send(Message::Note(2)).await.unwrap_err();
    assert_eq!(refused.to_string(), "not sent: the actor is no more: stopped: done");
    assert_eq!(refused, SendError::Stopped(Message::Note(2), Some(stopped("done"))));
    assert_eq!(log.entries(), lived);
}

pub(super) async fn any_number_may_wait_before_and_after_the_end(door: impl Door) {
    let actor = door.spawn(Probe::new(&Log::default())).await;
    let waiting = || (0..20).map(|_| actor.wait(None));
    let mut given_up = Box::pin(actor.wait(None));
    assert!(poll_once(given_up.as_mut()).await.is_pending());
    drop(given_up);
    let mut early = pin!(join_all(waiting()));
    assert!(poll_once(early.as_mut()).await.is_pending());
    actor.stop(Some("all of you"));
    assert_eq!(early.await, vec![Ok(stopped("all of you")); 20]);
    assert_eq!(join_all(waiting()).await, vec![Ok(stopped("all of you")); 20]);
}

pub(super) fn says(log: &Log, words: &'static str) -> Act {
    let log = log.clone();
    act(move |_| {
        log.push(Entry::Said(words));
        async { Ok(()) }
    })
}
