//! How quick it is, and how often wrong. The long forms, with `ACTOR_TEST_FULL=1`, give the figures of decision 0015.

use std::time::Duration;

use super::world::{Network, SECOND, World, id};
use crate::membership::events::MemberEvent;
use crate::testing::is_full;

/// How long after a silent crash the last of the others knew it, in nanoseconds.
fn last_to_know(count: usize, seed: u64) -> u64 {
    let mut world = World::of(count, seed, Network::GOOD);
    // At any moment of the second.
    let offset = u64::try_from(world.dice.below(1000)).unwrap() * SECOND / 1000;
    world.run_for(offset);
    let victim = world.dice.below(count);
    let crashed = world.now;
    world.crash(victim);
    let left: Vec<usize> = world.living();
    let knows = |world: &World, node: usize| !world.view(node).contains(&victim);
    let all_know = world.run_while_not(60 * SECOND, |world| left.iter().all(|node| knows(world, *node)));
    assert!(all_know, "seed {seed}: not all have noticed");
    for (_, _, event) in world.told_since(crashed) {
        if let MemberEvent::Lost { member, .. } | MemberEvent::Left(member) = event {
            assert_eq!(member.node, id(victim), "seed {seed}: nobody else");
        }
    }
    world.now - crashed
}

fn quantile(sorted: &[u64], percent: usize) -> Duration {
    Duration::from_nanos(sorted[(sorted.len() * percent).div_ceil(100).clamp(1, sorted.len()) - 1])
}

#[test]
fn a_silent_crash_is_known_to_all_within_two_seconds() {
    let runs: [(usize, u64); 3] =
        if is_full() { [(5, 4000), (20, 1000), (50, 200)] } else { [(5, 12), (20, 3), (50, 1)] };
    for (count, runs) in runs {
        let mut times: Vec<u64> = (0..runs).map(|seed| last_to_know(count, seed)).collect();
        times.sort_unstable();
        let (half, most, all) = (quantile(&times, 50), quantile(&times, 99), quantile(&times, 100));
        eprintln!("{count} nodes, seeds 0 to {}: p50 {half:?}, p99 {most:?}, max {all:?}", runs - 1);
        assert!(most <= Duration::from_secs(2), "{count} nodes: {most:?}");
    }
}

#[test]
fn twenty_that_join_at_once_have_met_within_ten_seconds() {
    let seeds = if is_full() { 200 } else { 1 };
    let mut worst = 0;
    for seed in 0..seeds {
        let mut world = World::new(seed, Network::GOOD);
        world.add(&[]);
        world.run_for(5 * SECOND);
        let begun = world.now;
        for _ in 0..20 {
            world.add(&[0]);
        }
        let have_met = world.run_while_not(10 * SECOND, |world| world.has_converged());
        assert!(have_met, "seed {seed}");
        worst = worst.max(world.now - begun);
        let lost =
            world.told_since(0).into_iter().filter(|(_, _, event)| matches!(event, MemberEvent::Lost { .. }));
        assert_eq!(lost.count(), 0, "seed {seed}");
    }
    eprintln!("20 join at once, seeds 0 to {}: at most {:?}", seeds - 1, Duration::from_nanos(worst));
}

/// When somebody was declared lost that lived, and how often somebody was suspected, in so many hours of a cluster one node of which has
/// a quarter of a processor. All tell of one removal within seconds, and whoever was removed does too.
fn false_removals(count: usize, seed: u64, hours: u64) -> (Vec<Duration>, u64, u64) {
    let mut world = World::of(count, seed, Network::GOOD);
    world.overload(1);
    let (begun, mut removals, mut suspicions) = (world.now, Vec::new(), 0);
    for _ in 0..60 * hours {
        world.run_for(60 * SECOND);
        for node in &mut world.nodes {
            for (at, event) in node.told.drain(..) {
                match event {
                    MemberEvent::Lost { .. } | MemberEvent::Removed => removals.push(at - begun),
                    MemberEvent::Suspected(_) => suspicions += 1,
                    _ => {}
                }
            }
        }
    }
    removals.sort_unstable();
    removals.dedup_by(|later, first| *later - *first < 10 * SECOND);
    (removals.into_iter().map(Duration::from_nanos).collect(), suspicions, world.happened)
}

fn from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

/// `ACTOR_TEST_FULL=1 ACTOR_MEMBERSHIP_HOURS=26300 ACTOR_MEMBERSHIP_SEED=1`, in a release build, is the whole measurement: three years.
#[test]
fn nobody_is_removed_because_one_node_is_overloaded() {
    let hours = from_environment("ACTOR_MEMBERSHIP_HOURS", if is_full() { 1000 } else { 1 });
    let seed = from_environment("ACTOR_MEMBERSHIP_SEED", 1);
    let count = usize::try_from(from_environment("ACTOR_MEMBERSHIP_NODES", 5)).unwrap();
    let (removals, suspicions, happened) = false_removals(count, seed, hours);
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let years = hours as f64 / 8766.0;
    eprintln!(
        "{count} nodes, one at 4x CPU overload, seed {seed}, {hours} hours ({years:.2} years, {happened} events): \
         {} false removals, at {removals:?}, {suspicions} suspicions told; upper 95 % bound {}",
        removals.len(),
        if removals.is_empty() { format!("{:.2} a year", 3.0 / years) } else { "not computed".to_owned() }
    );
    assert!(removals.is_empty(), "{removals:?}");
}
