//! Members come and go.

use std::time::Duration;

use super::world::{Network, SECOND, World, address, id, number};
use crate::membership::SessionEnd;
use crate::membership::events::{LostReason, MemberEvent};

fn short(event: &MemberEvent) -> String {
    let who = |member: &crate::membership::events::Member| number(member.node);
    match event {
        MemberEvent::Joined(member) => format!("joined {}", who(member)),
        MemberEvent::Ready(member) => format!("ready {}", who(member)),
        MemberEvent::Suspected(member) => format!("suspected {}", who(member)),
        MemberEvent::Trusted(member) => format!("trusted {}", who(member)),
        MemberEvent::Left(member) => format!("left {}", who(member)),
        MemberEvent::Lost { member, reason } => format!("lost {} {reason:?}", who(member)),
        other => format!("{other:?}"),
    }
}

fn told(world: &World, node: usize, since: u64) -> Vec<String> {
    let told = world.nodes[node].told.iter().filter(|(at, _)| *at >= since);
    told.map(|(_, event)| short(event)).collect()
}

#[test]
fn who_joins_is_told_of_in_order_and_counted_in_the_epoch() {
    let mut world = World::new(1, Network::GOOD);
    for _ in 0..3 {
        world.add(&[0]);
    }
    let epoch = |world: &World| world.nodes[0].machine.as_ref().unwrap().members().epoch;
    assert_eq!(epoch(&world), 0);
    world.run_for(10 * SECOND);
    assert!(world.has_converged());
    let own_seed = "SeedFailed { seed: \"seed 0\", error: \"it is this node itself\" }";
    assert_eq!(told(&world, 0, 0), ["joined 2", "ready 2", own_seed, "joined 1", "ready 1"]);
    assert_eq!(epoch(&world), 4, "each has joined and is ready");
    let members = world.nodes[1].machine.as_ref().unwrap().members().members;
    let mut seen: Vec<_> = members.iter().map(|member| (&member.name[..], &member.addresses[..])).collect();
    seen.sort_unstable();
    assert_eq!(seen, [("node-0", &[address(0)][..]), ("node-2", &[address(2)][..])]);
    // No way takes more than a millisecond, but one frame in two thousand.
    let is_near = |trip: Duration| (Duration::from_micros(400)..=Duration::from_millis(2)).contains(&trip);
    assert!(
        members.iter().all(|member| member.is_connected && member.round_trip.is_some_and(is_near)),
        "{members:?}"
    );
}

#[test]
fn the_same_seed_gives_the_same_events() {
    let run = |seed| {
        let mut world = World::new(seed, Network { late: 100, lost: 100 });
        for _ in 0..6 {
            world.add(&[0]);
        }
        world.run_for(20 * SECOND);
        world.crash(2);
        world.overload(3);
        world.run_for(20 * SECOND);
        world.start(2);
        world.run_for(10 * SECOND);
        (world.happened, world.told_since(0))
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5).1, run(6).1);
}

#[test]
fn who_leaves_has_left_for_everybody_and_is_not_dialled() {
    let mut world = World::of(5, 1, Network::GOOD);
    let since = world.now;
    world.act(2, |machine, now| machine.leave(now));
    world.run_for(SECOND / 5);
    for node in [0, 1, 3, 4] {
        assert_eq!(told(&world, node, since), ["left 2"]);
        world.end_session(node, 2, SessionEnd::Shutdown);
    }
    world.run_for(60 * SECOND);
    assert!((0..5).filter(|node| *node != 2).all(|node| !world.has_session(node, 2)), "it is left alone");
    assert_eq!(told(&world, 0, since), ["left 2"]);
}

#[test]
fn a_node_that_shuts_down_without_leaving_has_left_too() {
    let mut world = World::of(4, 1, Network::GOOD);
    let since = world.now;
    for node in 0..3 {
        world.end_session(node, 3, SessionEnd::Shutdown);
    }
    world.crash(3);
    world.run_for(10 * SECOND);
    (0..3).for_each(|node| assert_eq!(told(&world, node, since), ["left 3"]));
}

#[test]
fn a_node_that_crashed_comes_back_in_another_life() {
    let mut world = World::of(5, 1, Network::GOOD);
    let since = world.now;
    world.crash(4);
    world.run_for(5 * SECOND);
    world.start(4);
    assert!(world.run_while_not(5 * SECOND, World::has_converged), "they meet again");
    world.run_for(SECOND);
    (0..4).for_each(|node| {
        let events = told(&world, node, since);
        assert!(events[..events.len() - 2].iter().all(|event| event.contains('4')), "{events:?}");
        assert_eq!(events[events.len() - 2..], ["joined 4", "ready 4"], "{events:?}");
        assert!(events.iter().any(|event| event.starts_with("lost 4")), "{events:?}");
    });
}

#[test]
fn a_node_that_is_back_before_anybody_noticed_is_another_member() {
    let mut world = World::of(5, 2, Network::GOOD);
    let since = world.now;
    world.start(4);
    assert!(world.run_while_not(5 * SECOND, World::has_converged));
    (0..4).for_each(|node| {
        let events = told(&world, node, since);
        let lost = events.iter().filter(|event| event.starts_with("lost 4")).count();
        let joined = events.iter().filter(|event| *event == "joined 4").count();
        assert_eq!((lost, joined), (1, 1), "{events:?}");
    });
}

/// Incarnations come from the wall clock, which was set back. Whether or not the former life was known to be over.
#[test]
fn a_life_with_a_lesser_number_is_a_member_too() {
    // While the former life is probed, suspected and declared down; and long after. Of few members the former life is probed often.
    for (seed, tenths_gone) in (0..60).map(|seed| (seed, seed / 2)).chain([(60, 300)]) {
        let last = if seed % 2 == 0 { 2 } else { 4 };
        let mut world = World::of(last + 1, seed, Network::GOOD);
        world.crash(last);
        world.run_for(tenths_gone * SECOND / 10);
        let since = world.now;
        world.start_as(last, 0);
        assert!(world.run_while_not(5 * SECOND, World::has_converged), "seed {seed}");
        world.run_for(20 * SECOND);
        assert!(world.has_converged(), "seed {seed}");
        for node in 0..last {
            let events = told(&world, node, since);
            let joined = events.iter().filter(|event| **event == format!("joined {last}")).count();
            assert_eq!(joined, 1, "seed {seed}: {events:?}");
        }
    }
}

/// A session that has lost its streams may find others for as long as it lives.
#[test]
fn a_cut_that_heals_loses_nobody() {
    let mut world = World::of(5, 1, Network::GOOD);
    let since = world.now;
    // From one node to all others, for four seconds: longer than a silent crash goes unnoticed.
    for other in 1..5 {
        for (here, there) in [(0, other), (other, 0)] {
            let life = world.nodes[there].life;
            world.act(here, |machine, now| machine.handle_interrupted(life, now));
        }
        world.cut_both(0, other, true);
    }
    world.run_for(4 * SECOND);
    for other in 1..5 {
        world.cut_both(0, other, false);
        for (here, there) in [(0, other), (other, 0)] {
            let life = world.nodes[there].life;
            world.act(here, |machine, now| machine.handle_resumed(life, now));
        }
    }
    world.run_for(20 * SECOND);
    let lost =
        world.told_since(since).into_iter().filter(|(_, _, event)| matches!(event, MemberEvent::Lost { .. }));
    assert_eq!(lost.count(), 0);
    assert!(world.has_converged());
}

/// As long as it takes: a node may be told to let its sessions wait for an hour.
#[test]
fn a_session_that_waits_long_for_streams_loses_nobody() {
    for count in [2, 5] {
        let mut world = World::of(count, 1, Network::GOOD);
        let since = world.now;
        let pairs: Vec<_> = (1..count).flat_map(|other| [(0, other), (other, 0)]).collect();
        for (here, there) in &pairs {
            let life = world.nodes[*there].life;
            world.act(*here, |machine, now| machine.handle_interrupted(life, now));
            world.cut(*here, *there, true);
        }
        world.run_for(120 * SECOND);
        for (here, there) in &pairs {
            let life = world.nodes[*there].life;
            world.cut(*here, *there, false);
            world.act(*here, |machine, now| machine.handle_resumed(life, now));
        }
        world.run_for(20 * SECOND);
        let told = world.told_since(since);
        let lost = |event: &MemberEvent| matches!(event, MemberEvent::Lost { .. } | MemberEvent::Removed);
        assert!(!told.iter().any(|(_, _, event)| lost(event)), "{count} nodes: {told:?}");
        assert!(world.has_converged(), "{count} nodes");
    }
}

/// A process that was killed: its streams are reset, and nobody listens where it was.
#[test]
fn a_reset_and_a_refused_dial_are_believed_sooner_than_silence() {
    let mut world = World::of(5, 1, Network::GOOD);
    let since = world.now;
    world.crash(4);
    let life = world.nodes[4].life;
    for node in 0..4 {
        world.act(node, |machine, now| machine.handle_interrupted(life, now));
        world.act(node, |machine, now| machine.handle_refused(life, now));
    }
    let is_known = world.run_while_not(SECOND, |world| (0..4).all(|node| !world.view(node).contains(&4)));
    assert!(is_known, "{:?}", world.told_since(since));
    let lost =
        |event: &MemberEvent| matches!(event, MemberEvent::Lost { reason: LostReason::Disconnected, .. });
    assert!(world.told_since(since).iter().any(|(_, _, event)| lost(event)));
}

#[test]
fn an_isolated_node_knows_its_sessions_and_nobody_else() {
    let mut world = World::new(1, Network::GOOD);
    world.add(&[]);
    world.add(&[0]);
    world.add_as("alone", address(2), &[0], false);
    world.run_for(20 * SECOND);
    assert_eq!(world.view(2), [0]);
    assert_eq!((world.view(0), world.view(1)), (vec![1, 2], vec![0]));
    let since = world.now;
    world.end_session(0, 2, SessionEnd::Lost);
    assert_eq!(
        (told(&world, 2, since), told(&world, 0, since)),
        (vec!["lost 0 Disconnected".to_owned()], vec!["lost 2 Disconnected".to_owned()])
    );
    world.run_for(20 * SECOND);
    assert_eq!(world.view(2), [0], "its seed was dialled again");
    assert!(world.nodes.iter().all(|node| node.life.node == id(number(node.life.node))));
}

/// A member comes back as an older version, or with `Isolated`: without the capability. Whether or not its former life is known to be over.
#[test]
fn a_member_that_comes_back_without_the_capability_is_another_member_and_known_once() {
    for (seed, tenths_gone) in (0..30).map(|tenth| (tenth, tenth)).chain([(30, 300)]) {
        let mut world = World::of(4, seed, Network::GOOD);
        // It dials all of them itself, as an older one does that is told of them.
        let last = world.add(&[0, 1, 2, 3]);
        world.run_for(30 * SECOND);
        assert!(world.has_converged(), "seed {seed}");
        let since = world.now;
        world.crash(last);
        world.run_for(tenths_gone * SECOND / 10);
        world.nodes[last].is_transitive = false;
        world.start(last);
        world.run_for(20 * SECOND);
        assert!(world.has_converged(), "seed {seed}");
        for node in 0..4 {
            let events = told(&world, node, since);
            let events: Vec<_> = events.into_iter().filter(|event| !event.starts_with("trusted")).collect();
            let count = |what: &str| events.iter().filter(|event| event.starts_with(what)).count();
            assert_eq!((count("lost 4"), count("joined 4")), (1, 1), "seed {seed}: {events:?}");
            assert_eq!(events[events.len() - 2..], ["joined 4", "ready 4"], "seed {seed}: {events:?}");
        }
        let since = world.now;
        world.run_for(20 * SECOND);
        assert!(world.told_since(since).is_empty(), "seed {seed}: {:?}", world.told_since(since));
        // And back again.
        world.nodes[last].is_transitive = true;
        world.start(last);
        world.run_for(20 * SECOND);
        assert!(world.has_converged(), "seed {seed}");
        for node in 0..4 {
            assert_eq!(
                told(&world, node, since),
                ["lost 4 Disconnected", "joined 4", "ready 4"],
                "seed {seed}"
            );
        }
    }
}

/// With nobody else there, neither who was lost nor a seed is dialled.
#[test]
fn of_two_nodes_neither_dials_the_other_after_a_session_was_closed_on_purpose() {
    for is_transitive in [true, false] {
        let mut world = World::new(1, Network::GOOD);
        world.add_as("one", address(0), &[], true);
        world.add_as("other", address(1), &[0], is_transitive);
        world.run_for(30 * SECOND);
        assert!(world.has_converged());
        world.end_session(0, 1, SessionEnd::Closed);
        world.run_for(600 * SECOND);
        assert!(!world.has_session(0, 1) && !world.has_session(1, 0));
        assert_eq!((world.view(0), world.view(1)), (vec![], vec![]));
        world.start(1);
        assert!(world.run_while_not(10 * SECOND, World::has_converged), "another life begins anew");
        world.end_session(0, 1, SessionEnd::Lost);
        assert!(world.run_while_not(40 * SECOND, World::has_converged), "nobody closed that");
    }
}

/// A seed is dialled when nobody is left. Whoever knows an older node, or an isolated one, is not alone.
#[test]
fn who_knows_a_member_of_its_sessions_is_not_alone() {
    let mut world = World::new(1, Network::GOOD);
    world.add_as("seed", address(0), &[], false);
    world.add_as("node", address(1), &[0, 2], true);
    world.add_as("other", address(2), &[], false);
    world.run_for(10 * SECOND);
    assert_eq!(world.view(1), [0, 2]);
    world.end_session(0, 1, SessionEnd::Shutdown);
    world.run_for(60 * SECOND);
    assert_eq!(world.view(1), [2]);
    world.end_session(2, 1, SessionEnd::Shutdown);
    world.run_for(60 * SECOND);
    assert_eq!(world.view(1), [0, 2], "now it is");
}

/// A program has closed a session, and wants none.
#[test]
fn a_session_that_was_closed_on_purpose_is_not_dialled_again() {
    let mut world = World::of(4, 1, Network::GOOD);
    world.end_session(1, 2, SessionEnd::Closed);
    world.run_for(60 * SECOND);
    assert!(!world.has_session(1, 2));
    assert_eq!(world.view(1), [0, 2, 3], "it is a member all the same");
    world.crash(2);
    world.run_for(5 * SECOND);
    world.start(2);
    assert!(world.run_while_not(60 * SECOND, |world| world.has_session(1, 2)), "it is another life");
}

/// Rights may be given back.
#[test]
fn a_session_that_was_refused_is_dialled_again_while_both_are_members() {
    let mut world = World::of(4, 1, Network::GOOD);
    world.end_session(1, 2, SessionEnd::Refused);
    assert!(world.run_while_not(60 * SECOND, |world| world.has_session(1, 2)));
}
