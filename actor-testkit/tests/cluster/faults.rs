//! What faults do.

use std::panic::{AssertUnwindSafe, catch_unwind};

use actor_cluster::transport::TransportError;
use actor_cluster::{ConnectError, MemberEvent, NodeEvent};
use actor_testkit::cluster::history::{Event, What};
use actor_testkit::cluster::{Conditions, Crash, Degradation, Fault, SimHandle};

use super::*;

#[test]
fn a_partition_keeps_messages_until_it_heals() {
    let mut cluster = counters(1).start();
    let there = counter(&cluster, 0, 2);
    cluster.partition(&[&[0, 1], &[2]]);
    there.cast(Ask::Add(3)).unwrap();
    // Not as long as it takes to be lost: what is written again comes a while after the partition has healed.
    cluster.advance(SECOND / 2);
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
    let is_cut = |event: &&Event| matches!(event.what, What::Node(NodeEvent::Interrupted { .. }));
    let history = cluster.history();
    let cuts = |node| history.iter().filter(is_cut).filter(|event| event.node == Some(node)).count();
    assert_eq!((cuts(0), cuts(1), cuts(2)), (10, 10, 0));
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

/// What goes one way goes until nobody hears that it arrived.
#[test]
fn a_way_can_be_blocked_in_one_direction() {
    let mut cluster = counters(4).nodes(2).start();
    let (there, here) = (counter(&cluster, 0, 1), counter(&cluster, 1, 1));
    cluster.block(1, 0);
    there.cast(Ask::Add(1)).unwrap();
    cluster.advance(SECOND);
    assert_eq!(cluster.block_on(here.call(Ask::Sum)).unwrap(), 1, "this direction is open");
    let late = cluster.block_on(there.call_timeout(SECOND, Ask::Sum));
    assert!(late.is_err(), "no answer comes back");
    cluster.heal();
    assert_eq!(cluster.block_on(there.call(Ask::Sum)).unwrap(), 1);
    let blocked =
        cluster.history().iter().any(|event| event.what == What::Fault(Fault::Block { from: 1, to: 0 }));
    assert!(blocked);
}

#[test]
fn a_frozen_node_does_nothing_and_goes_on() {
    let mut cluster = counters(5).nodes(2).start();
    let (there, here) = (counter(&cluster, 0, 1), counter(&cluster, 1, 1));
    let node = cluster.node(1);
    let executor = node.system().executor().clone();
    let woke_at = node.run(async move {
        executor.sleep(SECOND).await; // sleep: virtual time, which is what this is about
        executor.now()
    });
    cluster.run_until_idle();
    let frozen_at = cluster.now();
    cluster.freeze(1);
    there.cast(Ask::Add(1)).unwrap();
    cluster.advance(3 * SECOND);
    assert_eq!(here.mailbox_stats().unwrap().received, 0);
    cluster.thaw(1);
    let woke_at = cluster.block_on(woke_at).unwrap();
    assert_eq!(woke_at, frozen_at + 3 * SECOND);
    assert_eq!(cluster.block_on(there.call(Ask::Sum)).unwrap(), 1);
}

#[test]
fn a_frozen_node_is_lost_within_seconds() {
    let mut cluster = counters(6).start();
    cluster.freeze(1);
    let alone = |cluster: &SimHandle| cluster.node(0).server().sessions().len() == 1;
    assert!(!cluster.advance_until(SECOND, alone));
    assert!(cluster.advance_until(2 * SECOND, alone));
    cluster.thaw(1);
    assert!(cluster.advance_until(30 * SECOND, SimHandle::is_mesh));
}

#[test]
fn steps_of_a_slow_node_take_their_time() {
    let mut cluster = counters(7).nodes(2).start();
    let there = counter(&cluster, 0, 1);
    let took = |cluster: &mut SimCluster| {
        let begun = cluster.now();
        cluster.block_on(there.call(Ask::Sum)).unwrap();
        cluster.now() - begun
    };
    let quick = took(&mut cluster);
    assert!(quick < Duration::from_millis(1), "{quick:?}");
    cluster.slow(1, Duration::from_millis(10));
    let slow = took(&mut cluster);
    assert!(slow >= Duration::from_millis(20) && slow < SECOND, "{slow:?}");
    cluster.slow(1, Duration::ZERO);
    cluster.advance(SECOND);
    assert!(took(&mut cluster) < Duration::from_millis(1));
}

/// The incarnation of a life is from the wall clock, so a life after a jump may look older than the one before.
#[test]
fn a_clock_that_jumps_is_of_its_node_alone() {
    let mut cluster = counters(8).start();
    let clock = |cluster: &SimCluster, node| cluster.node(node).system().executor().unix_time();
    let (before, others) = (clock(&cluster, 1), clock(&cluster, 0));
    assert_eq!(before, others);
    cluster.set_clock_back(1, 3600 * SECOND);
    assert_eq!((clock(&cluster, 1), clock(&cluster, 0)), (before - 3600 * SECOND, others));
    let former = cluster.node(1).incarnation();
    cluster.crash(1, Crash::Reset);
    cluster.restart(1);
    assert!(cluster.node(1).incarnation() < former);
    assert!(cluster.advance_until(30 * SECOND, SimHandle::is_mesh), "the present life is known to all");
    cluster.set_clock_forward(1, 7200 * SECOND);
    assert_eq!(clock(&cluster, 1), clock(&cluster, 0) + 3600 * SECOND);
}

#[test]
fn a_clock_that_drifts_gains_or_loses_and_keeps_it() {
    let mut cluster = counters(8).start();
    let ahead = |cluster: &SimCluster, node: usize| {
        let clock = |node| cluster.node(node).system().executor().unix_time();
        if clock(node) >= clock(0) { (clock(node) - clock(0), false) } else { (clock(0) - clock(node), true) }
    };
    cluster.drift_clock(1, 1000);
    cluster.drift_clock(2, -500);
    cluster.advance(1000 * SECOND);
    assert_eq!((ahead(&cluster, 1), ahead(&cluster, 2)), ((SECOND, false), (SECOND / 2, true)));
    // In the next life too, and what it has gained by the time it goes right it keeps.
    cluster.crash(1, Crash::Reset);
    cluster.restart(1);
    cluster.advance(1000 * SECOND);
    cluster.drift_clock(1, 0);
    cluster.advance(1000 * SECOND);
    assert_eq!(ahead(&cluster, 1), (2 * SECOND, false));
    cluster.set_clock_back(1, SECOND);
    assert_eq!(ahead(&cluster, 1), (SECOND, false));
    // Timers do not go by it.
    assert!(cluster.is_mesh());
}

#[test]
fn a_node_that_leaves_has_left_and_is_not_lost() {
    let mut cluster = counters(15).start();
    cluster.advance(SECOND);
    let former = cluster.node(1).incarnation();
    cluster.leave(1);
    assert!(cluster.try_node(1).is_none());
    assert!(cluster.advance_until(SECOND, |cluster| cluster.node(0).server().sessions().len() == 1));
    cluster.advance(5 * SECOND);
    let history = cluster.history();
    let tell = |is_it: fn(&What) -> bool| history.iter().filter(|event| is_it(&event.what)).count();
    assert_eq!(tell(|what| matches!(what, What::Member(MemberEvent::Left(_)))), 2, "both others");
    assert_eq!(tell(|what| matches!(what, What::Member(MemberEvent::Lost { .. }))), 0);
    assert_eq!(tell(|what| matches!(what, What::Node(NodeEvent::SessionLost { .. }))), 0);
    let left: Vec<_> =
        history.iter().filter(|event| event.what == What::Left { incarnation: former }).collect();
    assert_eq!((left.len(), left[0].node), (1, Some(1)));
    // It cannot leave twice, and comes back as another.
    cluster.leave(1);
    assert_eq!(cluster.history().len(), history.len());
    cluster.restart(1);
    assert!(cluster.advance_until(30 * SECOND, |cluster| cluster.try_node(1).is_some() && cluster.is_mesh()));
    assert_ne!(cluster.node(1).incarnation(), former);
}

#[test]
fn a_node_that_is_restarted_while_it_leaves_leaves_no_more() {
    let mut cluster = counters(16).start();
    let former = cluster.node(1).incarnation();
    cluster.leave(1);
    cluster.restart(1);
    let lefts = || {
        let history = cluster.history();
        history.into_iter().filter(|event| event.what == What::Left { incarnation: former }).count()
    };
    assert_eq!(lefts(), 1);
    assert!(cluster.advance_until(30 * SECOND, SimHandle::is_mesh));
    let lefts = cluster.history().into_iter().filter(|event| matches!(event.what, What::Left { .. }));
    assert_eq!(lefts.count(), 1);
}

#[test]
fn a_network_that_is_worse_is_as_it_was_afterwards() {
    let mut cluster = counters(17).nodes(2).start();
    let took = |cluster: &mut SimCluster| {
        let there = counter(cluster, 0, 1);
        let begun = cluster.now();
        cluster.block_on(there.call(Ask::Sum)).unwrap();
        cluster.now() - begun
    };
    assert!(took(&mut cluster) < Duration::from_millis(1));
    let worse = |delay, lost_per_mille| Degradation {
        delay: Duration::from_millis(delay),
        lost_per_mille,
        ..Degradation::NONE
    };
    cluster.degrade(1, worse(50, 0));
    let late = took(&mut cluster);
    assert!(late >= Duration::from_millis(100) && late < Duration::from_millis(101), "{late:?}");
    // That of both ends adds up, and so does what is set up.
    cluster.degrade(0, worse(10, 0));
    let set_up = Conditions::lan().with_delay(Duration::from_millis(5), Duration::ZERO);
    cluster.set_conditions(0, 1, set_up);
    let late = took(&mut cluster);
    assert!(late >= Duration::from_millis(125) && late < Duration::from_millis(126), "{late:?}");
    cluster.degrade(0, worse(0, 1000));
    let there = counter(&cluster, 0, 1);
    let late = cluster.block_on(there.call_timeout(SECOND, Ask::Sum));
    assert!(late.is_err(), "each write is lost again and again");
    (0..2).for_each(|node| cluster.degrade(node, Degradation::NONE));
    cluster.set_conditions(0, 1, Conditions::lan());
    cluster.advance(60 * SECOND);
    assert!(took(&mut cluster) < Duration::from_millis(1));
}

#[test]
fn a_network_that_is_slow_is_as_slow_as_it_says() {
    let slow = Conditions::lan().with_delay(Duration::from_millis(50), Duration::ZERO);
    let mut cluster = counters(9).nodes(2).conditions(slow.with_bytes_per_second(100_000)).start();
    let there = counter(&cluster, 0, 1);
    cluster.advance(SECOND);
    let begun = cluster.now();
    cluster.block_on(there.call(Ask::Sum)).unwrap();
    let round_trip = cluster.now() - begun;
    assert!(
        round_trip >= Duration::from_millis(100) && round_trip < Duration::from_millis(110),
        "{round_trip:?}"
    );
    // About 20 bytes each.
    let begun = cluster.now();
    cluster.block_on(async {
        for _ in 0..10_000 {
            there.send(Ask::Add(1)).await.unwrap();
        }
        assert_eq!(there.call(Ask::Sum).await.unwrap(), 10_000);
    });
    let took = cluster.now() - begun;
    assert!(took > SECOND && took < 5 * SECOND, "{took:?}");
}

#[test]
fn a_rough_network_loses_and_reorders_nothing() {
    let mut cluster = counters(10).nodes(2).conditions(Conditions::rough().with_loss(0.2)).start();
    let there = counter(&cluster, 0, 1);
    cluster.block_on(async {
        for round in 1..=200 {
            there.send(Ask::Add(1)).await.unwrap();
            assert_eq!(there.call(Ask::Sum).await.unwrap(), round);
        }
    });
}

#[test]
fn an_attempt_to_connect_may_come_twice() {
    let mut doubles = Conditions::lan();
    doubles.duplicates = 1.0;
    let cluster = counters(11).nodes(2).conditions(doubles).start();
    let opened =
        |event: &&Event| matches!(event.what, What::ConnectionOpened { .. }) && event.node == Some(0);
    assert_eq!(cluster.history().iter().filter(opened).count(), 2);
    assert!(cluster.connected(0, 1));
}

#[test]
fn a_dial_to_nobody_is_refused_and_one_into_the_dark_hangs() {
    let mut cluster = counters(12).apart().start();
    cluster.crash(1, Crash::Reset);
    cluster.crash(2, Crash::Silent);
    let mut dial = |node: usize| {
        let (server, address) = (cluster.node(0), cluster.address(node));
        let begun = cluster.now();
        let error = cluster.block_on(server.server().connect(&address)).unwrap_err();
        (error, cluster.now() - begun)
    };
    let (error, took) = dial(1);
    assert!(matches!(error, ConnectError::Transport(TransportError::Unreachable { .. })), "{error}");
    assert!(took < Duration::from_millis(1));
    let (error, took) = dial(2);
    assert!(matches!(error, ConnectError::TimedOut(_)), "{error}");
    assert_eq!(took, 10 * SECOND);
    assert!(matches!(dial(3).0, ConnectError::Transport(TransportError::Unreachable { .. })));
}

#[test]
fn what_a_crashed_node_leaves_comes_to_nothing() {
    let mut cluster = counters(13).start();
    let node = cluster.node(1);
    let never = node.run(std::future::pending::<()>());
    let here = counter(&cluster, 1, 1);
    cluster.crash(1, Crash::Silent);
    assert_eq!(cluster.block_on(never), None);
    assert!(cluster.block_on(here.call(Ask::Sum)).is_err());
    assert_eq!(cluster.block_on(node.run(async { 1 })), None);
    // Neither does what cannot happen to it.
    let events = cluster.history().len();
    cluster.crash(1, Crash::Reset);
    cluster.freeze(1);
    cluster.restart(0);
    assert_eq!(cluster.history().len(), events);
}

/// Sooner than by the heartbeats, which take five seconds.
#[test]
fn a_machine_that_is_back_resets_what_it_has_forgotten() {
    let mut cluster = counters(14).start();
    cluster.crash(0, Crash::Silent);
    cluster.restart(0);
    assert!(cluster.advance_until(4 * SECOND, SimHandle::is_mesh));
}

#[test]
fn a_node_that_there_is_not_is_a_mistake() {
    let cluster = counters(1).start();
    let mistakes: [fn(&SimHandle); 5] = [
        |cluster| cluster.crash(3, Crash::Reset),
        |cluster| cluster.block(0, 9),
        |cluster| cluster.partition(&[&[0, 1], &[2, 3]]),
        |cluster| cluster.set_conditions(0, 3, Conditions::default()),
        |cluster| _ = cluster.id(3),
    ];
    for mistake in mistakes {
        let handle = cluster.handle();
        let panic = catch_unwind(AssertUnwindSafe(|| mistake(&handle))).unwrap_err();
        let words = panic.downcast_ref::<String>().unwrap();
        assert!(words.starts_with("there is no node ") && words.ends_with(" among 3"), "{words}");
    }
    assert!(!cluster.history().iter().any(|event| matches!(event.what, What::Fault(_))));
}
