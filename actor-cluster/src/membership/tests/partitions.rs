//! Networks that fall apart, in both directions and in one, and come together again; clocks that jump.

use super::world::{Network, SECOND, World, number};
use crate::membership::events::{LostReason, MemberEvent};
use crate::testing::is_full;

/// Whoever takes another for a member is taken for one by it, and by all whom it takes for members.
fn has_settled(world: &World) -> bool {
    let views: Vec<Vec<usize>> = world.living().into_iter().map(|node| with_itself(world, node)).collect();
    let side = |node: usize| views.iter().find(|view| view.contains(&node));
    world.living().into_iter().zip(&views).all(|(node, view)| {
        view.contains(&node)
            && view.iter().all(|other| with_itself(world, *other) == *view)
            && side(node).is_some()
    })
}

fn with_itself(world: &World, node: usize) -> Vec<usize> {
    let mut view = world.view(node);
    view.push(node);
    view.sort_unstable();
    view
}

/// Whatever was cut is not any more. All meet again, and nobody loses one of its own side for what others took it for.
fn assert_heals(world: &mut World, are_together: impl Fn(usize, usize) -> bool) {
    let count = world.nodes.len();
    let healed = world.now;
    for one in 0..count {
        (0..count).for_each(|other| world.cut(one, other, false));
    }
    assert!(world.run_while_not(60 * SECOND, World::has_converged), "{:?}", views(world));
    let lost = world.told_since(healed).into_iter().filter_map(|(node, _, event)| match event {
        MemberEvent::Lost { member, .. } => Some((node, number(member.node))),
        _ => None,
    });
    let of_its_side: Vec<_> = lost.filter(|(node, other)| are_together(*node, *other)).collect();
    assert_eq!(of_its_side, []);
    let since = world.now;
    world.run_for(60 * SECOND);
    let restless: Vec<_> = world.told_since(since + 5 * SECOND);
    assert!(restless.is_empty(), "{restless:?}");
}

fn views(world: &World) -> Vec<Vec<usize>> {
    world.living().into_iter().map(|node| world.view(node)).collect()
}

#[test]
fn two_sides_part_and_meet_again() {
    for seed in 0..10 {
        for few in [1, 2] {
            let mut world = World::of(5, seed, Network::GOOD);
            let pairs = (0..few).flat_map(|one| (few..5).map(move |other| (one, other)));
            pairs.for_each(|(one, other)| world.cut_both(one, other, true));
            world.run_for(60 * SECOND);
            let side = |node: usize| if node < few { 0..few } else { few..5 };
            for node in 0..5 {
                assert!(
                    with_itself(&world, node).into_iter().eq(side(node)),
                    "seed {seed}: {:?}",
                    views(&world)
                );
            }
            // Whoever has declared others down while it was by itself keeps that to itself.
            assert_heals(&mut world, |one, other| side(one) == side(other));
        }
    }
}

/// What one side says gets to the other, and nothing back.
#[test]
fn an_asymmetric_partition_settles_on_one_side() {
    let sides: [(&[usize], &[usize]); 4] =
        [(&[0, 1], &[2, 3, 4]), (&[2, 3, 4], &[0, 1]), (&[0], &[1, 2, 3, 4]), (&[1, 2, 3, 4], &[0])];
    let seeds = if is_full() { 30 } else { 3 };
    for (seed, (speakers, hearers)) in (0..seeds).flat_map(|seed| sides.map(|sides| (seed, sides))) {
        let mut world = World::of(5, seed, Network::GOOD);
        for speaker in speakers {
            hearers.iter().for_each(|hearer| world.cut(*hearer, *speaker, true));
        }
        world.run_for(30 * SECOND);
        assert!(has_settled(&world), "seed {seed}: {:?}", views(&world));
        assert_eq!(with_itself(&world, speakers[0]), speakers, "seed {seed}");
        assert_eq!(with_itself(&world, hearers[0]), hearers, "seed {seed}");
        let (settled, since) = (views(&world), world.now);
        world.run_for(120 * SECOND);
        assert_eq!(views(&world), settled, "seed {seed}: it stays so");
        assert!(world.told_since(since).is_empty(), "seed {seed}: {:?}", world.told_since(since));
        assert_heals(&mut world, |one, other| speakers.contains(&one) == speakers.contains(&other));
    }
}

/// Two that do not hear each other, in one direction or both, and all others hear both.
#[test]
fn two_that_do_not_hear_each_other_stay_members_while_others_hear_both() {
    for (seed, is_one_way) in [(1, false), (2, true)] {
        let mut world = World::of(5, seed, Network::GOOD);
        let since = world.now;
        world.cut(1, 2, true);
        world.cut(2, 1, !is_one_way);
        world.run_for(120 * SECOND);
        assert!(world.living().into_iter().all(|node| world.view(node).len() == 4), "{:?}", views(&world));
        let wrong = world
            .told_since(since)
            .into_iter()
            .filter(|(_, _, event)| matches!(event, MemberEvent::Lost { .. }));
        assert_eq!(wrong.count(), 0);
        assert_heals(&mut world, |_, _| true);
    }
}

/// It was asleep for an hour: it blames nobody, and comes back. It loses only sessions, which the others have ended meanwhile.
#[test]
fn a_clock_that_jumps_blames_nobody() {
    let mut world = World::of(5, 1, Network::GOOD);
    let since = world.now;
    world.pause(3, 3600 * SECOND);
    world.run_for(3599 * SECOND);
    assert!(world.living().into_iter().filter(|node| *node != 3).all(|node| !world.view(node).contains(&3)));
    assert_eq!(world.nodes[3].told.iter().filter(|(at, _)| *at >= since).count(), 0, "it is asleep");
    let others: Vec<_> = world.told_since(since).into_iter().filter_map(lost).collect();
    assert_eq!(others.len(), 4, "it, and nobody else: {others:?}");
    assert!(others.iter().all(|(_, whom, _)| *whom == 3), "{others:?}");
    let awake = world.now;
    assert!(world.run_while_not(31 * SECOND, World::has_converged), "{:?}", views(&world));
    world.run_for(30 * SECOND);
    assert!(world.has_converged());
    let told = world.told_since(awake);
    assert!(!told.iter().any(|(_, _, event)| matches!(event, MemberEvent::Suspected(_))), "{told:?}");
    let lost: Vec<_> = told.into_iter().filter_map(lost).collect();
    assert_eq!(lost, [], "it has not blamed one of those who were there all the time");
}

/// As a machine that was closed with all that runs on it: nobody was there to be heard, and nobody is to blame.
#[test]
fn whoever_slept_all_together_blames_nobody() {
    let mut world = World::of(5, 1, Network::GOOD);
    let since = world.now;
    (0..5).for_each(|node| world.pause(node, 3600 * SECOND));
    world.run_for(3660 * SECOND);
    assert_eq!(world.told_since(since), []);
    assert!(world.has_converged());
    // Not even for a moment, in which nothing is told yet.
    let refutations =
        |node: usize| world.nodes[node].machine.as_ref().map(|machine| machine.swim.refutations());
    assert_eq!((0..5).map(refutations).collect::<Vec<_>>(), [Some(0); 5]);
}

/// Who lost whom, and why.
fn lost((node, _, event): (usize, u64, MemberEvent)) -> Option<(usize, usize, LostReason)> {
    match event {
        MemberEvent::Lost { member, reason } => Some((node, number(member.node), reason)),
        _ => None,
    }
}

#[test]
fn a_lossy_network_loses_no_members() {
    let mut world = World::of(8, 1, Network { late: 300, lost: 300 });
    let since = world.now;
    world.run_for(600 * SECOND);
    let lost =
        world.told_since(since).into_iter().filter(|(_, _, event)| matches!(event, MemberEvent::Lost { .. }));
    assert_eq!(lost.count(), 0);
}
