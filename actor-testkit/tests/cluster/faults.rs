//! What faults do.

use actor_testkit::cluster::Crash;

use super::*;

#[test]
fn a_partition_keeps_messages_until_it_heals() {
    let mut cluster = counters(1).start();
    let there = counter(&cluster, 0, 2);
    cluster.partition(&[&[0, 1], &[2]]);
    there.cast(Ask::Add(3)).unwrap();
    cluster.advance(2 * SECOND);
    let here = counter(&cluster, 2, 2);
    assert_eq!(cluster.block_on(here.call(Ask::Sum)).unwrap(), 0);
    cluster.heal();
    assert_eq!(cluster.block_on(there.call(Ask::Sum)).unwrap(), 3);
}

#[test]
fn a_crashed_node_comes_back_as_another() {
    for how in [Crash::Reset, Crash::Silent] {
        let mut cluster = counters(2).start();
        let former = cluster.node(1).incarnation();
        let there = counter(&cluster, 0, 1);
        cluster.block_on(async { there.cast(Ask::Add(1)).unwrap() });
        cluster.crash(1, how);
        assert!(cluster.try_node(1).is_none());
        assert!(cluster.advance_until(30 * SECOND, |cluster| cluster.node(0).server().sessions().len() == 1));
        cluster.restart(1);
        assert!(cluster.advance_until(30 * SECOND, |cluster| cluster.connected(0, 1)));
        assert_ne!(cluster.node(1).incarnation(), former);
        let there = counter(&cluster, 0, 1);
        assert_eq!(cluster.block_on(there.call(Ask::Sum)).unwrap(), 0);
    }
}

#[test]
fn a_cut_loses_nothing() {
    let mut cluster = counters(3).start();
    let there = counter(&cluster, 0, 1);
    for _ in 0..10 {
        there.cast(Ask::Add(1)).unwrap();
        cluster.cut(0, 1);
        there.cast(Ask::Add(1)).unwrap();
        cluster.advance(SECOND);
    }
    assert_eq!(cluster.block_on(there.call(Ask::Sum)).unwrap(), 20);
}

#[test]
fn a_seed_is_one_run() {
    let run = |seed| {
        let mut cluster = counters(seed).start();
        let there = counter(&cluster, 0, 1);
        cluster.partition(&[&[0], &[1, 2]]);
        cluster.advance(SECOND);
        cluster.heal();
        there.cast(Ask::Add(1)).unwrap();
        cluster.crash(2, Crash::Reset);
        cluster.advance(5 * SECOND);
        cluster.restart(2);
        cluster.advance(20 * SECOND);
        (cluster.event_hash(), cluster.history())
    };
    let (first, again) = (run(7), run(7));
    for (one, other) in first.1.iter().zip(&again.1) {
        assert_eq!(one, other);
    }
    assert_eq!(first.0, again.0);
    assert_ne!(first.0, run(8).0);
}
