//! Process groups.

use actor_core::{ActorCell, Exit, JoinError, limits};

use crate::support::{Door, Entry, Gate, Hook, Log, Message, Probe, dead, settled};

pub(super) async fn a20_groups_hold_exactly_their_members(door: impl Door) {
    let groups = door.system().groups();
    let logs = [Log::default(), Log::default(), Log::default()];
    let mut actors = Vec::new();
    for log in &logs {
        actors.push(door.spawn(Probe::new(log)).await);
    }
    let cells: Vec<ActorCell> = actors.iter().map(|actor| actor.cell()).collect();
    // Twice is once, and the order of joining does not show.
    for index in [1, 0, 0] {
        assert_eq!(groups.join("choir", &cells[index]), Ok(()));
    }
    assert_eq!(groups.join("band", &cells[2]), Ok(()));
    assert_eq!(groups.names(), ["band".into(), "choir".into()]);
    assert_eq!(groups.members("choir"), cells[..2]);
    assert_eq!(groups.members_of::<Message>("choir"), actors[..2]);
    assert_eq!(groups.members_of::<u8>("choir"), []);
    assert_eq!(groups.members("nobody"), []);

    let broadcast = |number| {
        for member in groups.members_of("choir") {
            member.cast(Message::Note(number)).unwrap();
        }
    };
    broadcast(1);
    groups.leave("choir", &cells[0]);
    groups.leave("choir", &cells[0]);
    groups.leave("choir", &cells[2]);
    broadcast(2);
    assert_eq!(settled(&actors[1]).await, 2);
    assert_eq!(actors[1].stop_and_wait(None, None).await, Ok(Exit::Stopped(None)));
    broadcast(3);
    assert_eq!(groups.names(), ["band".into()]);
    groups.leave("band", &cells[2]);
    assert_eq!(groups.names(), []);

    let mut heard: Vec<Vec<Entry>> = Vec::new();
    for (actor, log) in actors.iter().zip(&logs) {
        actor.drain_and_wait(None).await.unwrap();
        heard.push(log.entries().into_iter().filter(|entry| matches!(entry, Entry::Note(_))).collect());
    }
    assert_eq!(heard, [vec![Entry::Note(1)], vec![Entry::Note(1), Entry::Note(2)], vec![]]);
}

pub(super) async fn a_stopping_actor_leaves_its_groups_and_joins_none(door: impl Door) {
    let groups = door.system().groups();
    let gate = Gate::new();
    let actor = door.spawn(Probe::new(&Log::default()).at(Hook::PostStop, gate.act())).await;
    let other = door.spawn(Probe::new(&Log::default())).await;
    for group in ["a", "b"] {
        groups.join(group, &actor.cell()).unwrap();
    }
    groups.join("b", &other.cell()).unwrap();
    actor.stop(None);
    gate.reached().await;
    assert_eq!(groups.names(), ["b".into()]);
    assert_eq!(groups.members("b"), [other.cell()]);
    assert_eq!(groups.join("a", &actor.cell()), Err(JoinError::Stopping));
    gate.open();
    assert_eq!(actor.wait(None).await, Ok(Exit::Stopped(None)));
    assert_eq!(groups.join("a", &dead(&door).await), Err(JoinError::Stopping));

    // One that drains still may.
    other.cast(Message::Do(gate.act())).unwrap();
    gate.reached().await;
    other.drain();
    assert_eq!(groups.join("a", &other.cell()), Ok(()));
    gate.open();
    assert_eq!(other.wait(None).await, Ok(Exit::Drained));
    assert_eq!(groups.names(), []);

    let last = door.spawn(Probe::new(&Log::default())).await;
    settled(&last).await;
    let too_long = "x".repeat(limits::NAME_BYTES_MAX + 1);
    for group in ["", "a\0b", too_long.as_str()] {
        assert_eq!(groups.join(group, &last.cell()), Err(JoinError::Name));
    }
}
