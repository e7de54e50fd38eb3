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

pub(super) async fn a20_scopes_know_nothing_of_each_other(door: impl Door) {
    let groups = door.system().groups();
    let actors =
        [door.spawn(Probe::new(&Log::default())).await, door.spawn(Probe::new(&Log::default())).await];
    let [a, b] = [actors[0].cell(), actors[1].cell()];
    let (north, south) = (groups.scope("north"), groups.scope("south"));
    assert_eq!(north.join_all("choir", &[b.clone(), a.clone()]), Ok(()));
    assert_eq!(south.join("choir", &b), Ok(()));
    assert_eq!(groups.join("choir", &a), Ok(()));
    assert_eq!(north.members("choir"), [a.clone(), b.clone()]);
    assert_eq!(south.members_of::<Message>("choir"), [actors[1].clone()]);
    assert_eq!(groups.members("choir"), std::slice::from_ref(&a));
    assert_eq!(groups.scopes(), ["".into(), "north".into(), "south".into()]);
    south.leave("choir", &b);
    assert_eq!(groups.scopes(), ["".into(), "north".into()]);
    assert_eq!((north.names(), south.names()), (vec!["choir".into()], vec![]));
    north.leave_all("choir", &[a.clone(), b.clone(), a.clone()]);
    assert_eq!((north.names(), groups.names()), (vec![], vec!["choir".into()]));

    // All or none.
    let gone = dead(&door).await;
    assert_eq!(north.join_all("choir", &[a.clone(), gone]), Err(JoinError::Stopping));
    assert_eq!(north.members("choir"), []);
    assert_eq!(north.join_all("choir", &[]), Ok(()));
    assert_eq!(groups.scope("a\0b").join("choir", &a), Err(JoinError::Name));
    assert_eq!(groups.scope("north").join("", &a), Err(JoinError::Name));
}

/// What a probe has heard of groups since.
async fn heard(watcher: &actor_core::ActorRef<Message>, log: &Log) -> Vec<Entry> {
    settled(watcher).await;
    log.take().into_iter().filter(|entry| matches!(entry, Entry::Group(..))).collect()
}

pub(super) async fn a20_those_who_watch_hear_of_each_change_once(door: impl Door) {
    let (groups, log) = (door.system().groups(), Log::default());
    let watcher = door.spawn(Probe::new(&log)).await;
    let [a, b] =
        [door.spawn(Probe::new(&Log::default())).await, door.spawn(Probe::new(&Log::default())).await];
    let ids = [a.id(), b.id()];
    let cells = [a.cell(), b.cell()];
    let north = groups.scope("north");
    north.join("choir", &cells[0]).unwrap();
    // Watched in three ways, and twice in one.
    assert_eq!(north.watch("choir", &watcher.cell()), [cells[0].clone()]);
    assert_eq!(north.watch("choir", &watcher.cell()).len(), 1);
    north.watch_all(&watcher.cell());
    groups.watch_all(&watcher.cell());
    let joined = |group: &str, who: &[usize]| {
        Entry::Group(group.into(), true, who.iter().map(|index| ids[*index]).collect())
    };
    let left = |group: &str, who: &[usize]| {
        Entry::Group(group.into(), false, who.iter().map(|index| ids[*index]).collect())
    };
    // Exactly what was said, whoever was a member before.
    let twice = [cells[1].clone(), cells[0].clone(), cells[1].clone()];
    north.join_all("choir", &twice).unwrap();
    north.join("choir", &cells[0]).unwrap();
    north.leave_all("choir", &twice[..1]);
    north.leave_all("choir", &twice[..1]);
    north.leave("band", &cells[0]);
    // Of nobody there is nothing to tell, nor of those who could not join.
    north.join_all("choir", &[]).unwrap();
    north.leave_all("choir", &[]);
    let gone = dead(&door).await;
    assert_eq!(north.join_all("choir", &[cells[0].clone(), gone]), Err(JoinError::Stopping));
    let expected = [
        joined("north/choir", &[1, 0, 1]),
        joined("north/choir", &[0]),
        left("north/choir", &[1]),
        left("north/choir", &[1]),
    ];
    assert_eq!(heard(&watcher, &log).await, expected);

    // A way that is not watched any more.
    groups.unwatch_all(&watcher.cell());
    groups.join("choir", &cells[0]).unwrap();
    north.unwatch_all(&watcher.cell());
    north.join("band", &cells[1]).unwrap();
    north.join("choir", &cells[1]).unwrap();
    assert_eq!(heard(&watcher, &log).await, [joined("north/choir", &[1])]);
    north.watch_all(&watcher.cell());
    groups.watch_all(&watcher.cell());

    // The end of a member: once for each of its groups.
    b.stop_and_wait(None, None).await.unwrap();
    let mut ended = heard(&watcher, &log).await;
    ended.sort_by_key(|entry| format!("{entry:?}"));
    assert_eq!(ended, [left("north/band", &[1]), left("north/choir", &[1])]);
    north.unwatch("choir", &watcher.cell());
    north.unwatch_all(&watcher.cell());
    groups.unwatch_all(&watcher.cell());
    a.stop_and_wait(None, None).await.unwrap();
    assert_eq!(heard(&watcher, &log).await, []);
}

pub(super) async fn watching_groups_ends_with_the_life(door: impl Door) {
    let (groups, log) = (door.system().groups(), Log::default());
    let parent = door.spawn(Probe::new(&Log::default())).await;
    let make = {
        let log = log.clone();
        move || Probe::new(&log)
    };
    let watcher = door.restartable(&parent, actor_core::SpawnOptions::new(), make).await;
    let member = door.spawn(Probe::new(&Log::default())).await;
    groups.watch_all(&watcher.cell());
    groups.join("a", &member.cell()).unwrap();
    assert_eq!(heard(&watcher, &log).await.len(), 1);
    watcher.kill();
    while watcher.status() != actor_core::Status::Suspended {
        settled(&parent).await;
    }
    groups.join("b", &member.cell()).unwrap();
    watcher.cell().restart();
    groups.join("c", &member.cell()).unwrap();
    assert_eq!(heard(&watcher, &log).await, []);
    // A watcher that has ended is no trouble to anybody.
    watcher.cell().release();
    groups.watch_all(&watcher.cell());
    watcher.kill_and_wait(None).await.unwrap();
    groups.join("d", &member.cell()).unwrap();
}
