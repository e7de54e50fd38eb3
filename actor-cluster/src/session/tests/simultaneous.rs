//! Two nodes that dial each other at the same time: they keep one session, the same one, in
//! whichever order their frames arrive; and each may use what it has from the first moment on.

mod world;

use self::world::{Step, World};
use super::{A, B};
use crate::session::handshake::{Decision, HandshakeError, Live, SessionId};
use crate::testing::pair::{Node, Pair, Present, shake};
use crate::transport::LaneSet;

/// Runs `check` for every order in which the pieces of a world can arrive. Two that arrive one
/// after the other at different sides, and could have in either order, count as one order.
fn every_order(begin: impl Fn() -> World, mut check: impl FnMut(&mut World, &[Step])) -> usize {
    let mut path: Vec<usize> = Vec::new();
    let mut runs = 0;
    loop {
        let mut world = begin();
        let (mut taken, mut widths): (Vec<Step>, Vec<usize>) = (Vec::new(), Vec::new());
        let mut before: Vec<Step> = Vec::new();
        let is_whole = loop {
            let steps = world.steps();
            let is_inverted = |step: &&Step| {
                step.1 == A && taken.last().is_some_and(|last| last.1 == B) && before.contains(step)
            };
            let fresh: Vec<Step> = steps.iter().filter(|step| !is_inverted(step)).copied().collect();
            if fresh.is_empty() {
                break steps.is_empty();
            }
            let choice = path.get(taken.len()).copied().unwrap_or(0);
            widths.push(fresh.len());
            taken.push(fresh[choice]);
            before = steps;
            world.take(fresh[choice]);
        };
        if is_whole {
            runs += 1;
            check(&mut world, &taken);
        }
        path.resize(widths.len(), 0);
        let Some(last) = (0..path.len()).rev().find(|at| path[*at] + 1 < widths[*at]) else { return runs };
        path.truncate(last + 1);
        path[last] += 1;
    }
}

/// What a session is used for before the other handshake is done is not lost with it.
#[test]
fn whoever_dials_at_the_same_time_keeps_one_session_and_all_that_is_in_it() {
    for diallers in [[A, B], [A, A], [B, B]] {
        for names in [[1, 2], [2, 1]] {
            let streams = [(diallers[0], names[0]), (diallers[1], names[1])];
            let runs = every_order(
                || World::new(&streams),
                |world, order| {
                    let what = format!("{streams:?} {order:?}");
                    world.what.clone_from(&what);
                    assert!(world.is_settled(), "{what}");
                    world.assert_whole();
                    // Whoever was refused finds it when it dials again.
                    let session = world.session(A);
                    [A, B].into_iter().zip(7..).for_each(|(side, name)| world.dial(side, name));
                    world.drive();
                    assert!(world.is_settled() && world.session(A) == session, "{what}");
                    world.assert_whole();
                },
            );
            assert!(runs > 700, "{runs}");
        }
    }
}

/// A small generator with a printed seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// Runs a random order of several dials, with some streams lost on the way.
fn random(seed: u64, cuts: usize) -> World {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1);
    let side = |dice: &mut Dice| if dice.below(2) == 0 { A } else { B };
    let first = side(&mut dice);
    let mut world = World::new(&[(first, 50), (first.other(), 40)]);
    world.what = format!("seed {seed}");
    let (mut dials, mut cuts) = (dice.below(4), cuts);
    loop {
        let steps = world.steps();
        if dials > 0 && (steps.is_empty() || dice.below(8) == 0) {
            let dialler = side(&mut dice);
            world.dial(dialler, 1 + dice.below(90) as u64);
            dials -= 1;
        } else if cuts > 0 && dice.below(8) == 0 {
            let stream = dice.below(world.streams.len());
            world.cut(stream);
            cuts -= 1;
        } else if steps.is_empty() {
            break;
        } else {
            world.take(steps[dice.below(steps.len())]);
        }
    }
    world.mend();
    world
}

#[test]
fn many_who_dial_at_once_keep_one_session_and_all_that_is_in_it() {
    for seed in 0..1000 {
        random(seed, 0).assert_whole();
    }
}

/// A session that opens ends with its stream. What is left is one session, and nothing comes twice.
#[test]
fn streams_that_are_lost_meanwhile_leave_one_session() {
    let mut unscathed = 0;
    for seed in 0..1000 {
        let mut world = random(seed, 2);
        world.assert_honest();
        if world.mails.iter().all(|mail| mail.ended == 0) {
            world.assert_whole();
            unscathed += 1;
        }
    }
    assert!(unscathed > 100, "{unscathed}");
}

/// The dialler has lost the session, and says so by naming another.
#[test]
fn a_peer_that_lost_the_session_gets_another_at_once() {
    let (one, mut two) = (Node::new(1), Node::new(2));
    let former = shake(&one, &two).acceptor.peer();
    let again = Node { session: SessionId::new(u64::MAX), ..one };
    for has_heard in [true, false] {
        two.present = Some(Present { peer: former.clone(), live: Live::of(&former, has_heard) });
        let peer = shake(&again, &two).acceptor.peer();
        let decided = peer.decide(two.myself.life.node, Some(former.session), false);
        assert_eq!((peer.session, decided), (again.session, Decision::Begin));
    }
}

/// The acceptor names no session. It has lost it, or its answer is older than that.
#[test]
fn a_dialler_replaces_only_what_the_peer_is_known_to_have_had() {
    let (one, two) = (Node::new(1), Node::new(2));
    let session = SessionId::new(9);
    for has_heard in [true, false] {
        // The other one has dialled it.
        let peer = shake(&Node { session, ..two.clone() }, &one).acceptor.peer();
        let present = Some(Present { live: Live::of(&peer, has_heard), peer });
        let shaken = shake(&Node { present, ..one.clone() }, &two);
        match has_heard {
            true => {
                let peer = shaken.dialler.peer();
                let decided = peer.decide(one.myself.life.node, Some(session), false);
                assert_eq!((peer.session, peer.had, decided), (one.session, Some(session), Decision::Begin));
            }
            false => {
                assert_eq!(shaken.dialler.error(), HandshakeError::Changed);
                let refused = HandshakeError::Refused(Box::new(HandshakeError::Changed));
                assert_eq!(shaken.acceptor.error(), refused);
            }
        }
    }
}

/// A session is begun by both or by neither.
#[test]
fn a_stream_does_not_join_what_is_gone_meanwhile() {
    let [mut one, mut two] = [1, 2].map(Node::new);
    let first = shake(&one, &two);
    let session = first.dialler.clone().peer().session;
    one.present = Some(Present::silent(&first.dialler.peer()));
    two.present = Some(Present::silent(&first.acceptor.peer()));
    let second = shake(&one, &two);
    for (peer, myself) in [(second.dialler.peer(), &one), (second.acceptor.peer(), &two)] {
        for (live, expected) in [
            (Some(session), Decision::Join),
            (None, Decision::Changed),
            (Some(SessionId::new(9)), Decision::Changed),
        ] {
            assert_eq!(peer.decide(myself.myself.life.node, live, false), expected, "{live:?}");
        }
    }
}

/// The smaller node waits for the word on its own; the greater one does not.
#[test]
fn of_two_that_are_proposed_the_smaller_nodes_is_let_in() {
    let (one, two) = (Node::new(1), Node::new(2));
    for (dialler, acceptor, expected) in [(&one, &two, Decision::Begin), (&two, &one, Decision::Changed)] {
        let peer = shake(dialler, acceptor).acceptor.peer();
        assert_eq!(peer.decide(acceptor.myself.life.node, None, true), expected);
        assert_eq!(peer.decide(acceptor.myself.life.node, None, false), Decision::Begin);
    }
}

/// What a session was heard of is what it tells the next handshake.
#[test]
fn a_session_is_mutual_once_something_came() {
    let (one, two) = (Node::new(1), Node::new(2));
    let mut pair = Pair::new(one, two);
    pair.open(LaneSet::ALL);
    pair.drive();
    assert!(pair.session(A).live().is_mutual, "the acceptor has let it in");
    assert!(!pair.session(B).live().is_mutual, "its accept may be on its way");
    pair.session(A).synced();
    pair.drive();
    assert!(pair.session(B).live().is_mutual);
}
