//! Watches across nodes: every watch is answered once, however its actor, its
//! watcher or the session ends.

use actor_core::{ControlRequest, Exit};

use super::{A, B, control};
use crate::limits::{CLOSE_DETAIL_BYTES_MAX, WATCHES_MAX};
use crate::testing::pair::{Pair, Saw};
use crate::transport::{CloseCode, LaneSet};
use crate::wire::control::{Body, Down};

fn pair() -> Pair {
    Pair::ready(&[LaneSet::ALL])
}

/// A watches the actor, and B knows it.
fn watched(pair: &mut Pair, actor: u64) -> u64 {
    let watch = pair.session(A).watch(actor, None).unwrap();
    pair.drive();
    assert_eq!(pair.saw(B), [Saw::Watch { watch, actor }]);
    watch
}

#[test]
fn b03_every_exit_is_seen_once_by_its_watcher() {
    let mut pair = pair();
    let all = [
        Exit::Stopped(None),
        Exit::Stopped(Some("done".into())),
        Exit::Drained,
        Exit::Killed,
        Exit::Failed("error".into()),
        Exit::Panicked("panic".into()),
        Exit::Cancelled,
        Exit::Unreachable,
    ];
    for exit in all {
        let watch = watched(&mut pair, 7);
        for _ in 0..2 {
            pair.session(B).down(watch, &exit);
            pair.drive();
        }
        assert_eq!(pair.saw(A), [Saw::Down { watch, exit }]);
    }
}

#[test]
fn two_watches_of_one_actor_are_two() {
    let mut pair = pair();
    let [first, second] = [watched(&mut pair, 7), watched(&mut pair, 7)];
    assert_ne!(first, second);
    pair.session(B).down(second, &Exit::Drained);
    pair.drive();
    assert_eq!(pair.saw(A), [Saw::Down { watch: second, exit: Exit::Drained }]);
}

#[test]
fn a_lost_session_answers_every_watch() {
    let mut pair = pair();
    let [first, answered, second] = [7, 8, 9].map(|actor| watched(&mut pair, actor));
    pair.session(B).down(answered, &Exit::Drained);
    pair.drive();
    pair.saw(A);
    pair.lose(0, A, CloseCode::Shutdown);
    let down = |watch| Saw::Down { watch, exit: Exit::Unreachable };
    assert_eq!(pair.saw(A), [down(first), down(second), Saw::Room, Saw::Ended(CloseCode::Shutdown.into())]);
    assert_eq!(pair.session(A).watch(7, None), None, "there is nobody to ask");
    pair.session(B).down(first, &Exit::Drained);
    pair.drive();
    assert_eq!(pair.saw(A), []);
}

#[test]
fn a_watch_that_was_ended_is_not_answered() {
    let mut pair = pair();
    let watch = watched(&mut pair, 7);
    pair.session(A).unwatch(watch);
    pair.session(A).unwatch(watch);
    pair.drive();
    assert_eq!(pair.saw(B), [Saw::Unwatch { watch }]);
    pair.session(B).down(watch, &Exit::Drained);
    pair.drive();
    assert_eq!(pair.saw(A), []);
}

#[test]
fn an_end_that_crosses_its_unwatch_is_not_told() {
    let mut pair = pair();
    let watch = watched(&mut pair, 7);
    pair.session(A).unwatch(watch);
    pair.session(B).down(watch, &Exit::Drained);
    pair.drive();
    assert_eq!((pair.saw(A), pair.saw(B)), (vec![], vec![]), "both had let go of it");
}

#[test]
fn a_long_reason_is_cut_on_either_side() {
    let mut pair = pair();
    let long = "é".repeat(CLOSE_DETAIL_BYTES_MAX);
    let cut = &long[..CLOSE_DETAIL_BYTES_MAX];
    let exit = || Exit::Failed(cut.into());
    let watch = watched(&mut pair, 7);
    pair.session(B).down(watch, &Exit::Failed(long.as_str().into()));
    pair.drive();
    assert_eq!(pair.saw(A), [Saw::Down { watch, exit: exit() }]);
    // A peer that does not cut.
    let watch = watched(&mut pair, 7);
    let frame = control(Body::Down(Down { watch, exit: 4, text: Some(long.clone()) }));
    pair.inject(0, B, &frame);
    pair.drive();
    assert_eq!(pair.saw(A), [Saw::Down { watch, exit: exit() }]);
}

#[test]
fn watches_are_bounded_and_an_end_makes_room() {
    let mut pair = pair();
    let watches: Vec<u64> =
        (0..WATCHES_MAX as u64).map(|n| pair.session(A).watch(n, None).unwrap()).collect();
    assert_eq!(pair.session(A).watch(1, None), None);
    pair.drive();
    assert_eq!(pair.saw(B).len(), WATCHES_MAX);
    pair.session(B).down(watches[5], &Exit::Drained);
    pair.drive();
    assert_eq!(pair.saw(A).len(), 1);
    assert!(pair.session(A).watch(1, None).is_some());
    pair.drive();
    assert_eq!(pair.session(B).ended(), None);
}

#[test]
fn w01_requests_to_actors_cross_with_their_reasons() {
    let mut pair = pair();
    let all = [
        ControlRequest::Stop(None),
        ControlRequest::Stop(Some("enough".into())),
        ControlRequest::Drain,
        ControlRequest::Kill,
    ];
    for request in all {
        pair.session(A).request(7, &request, None);
        pair.drive();
        assert_eq!(pair.saw(B), [Saw::Request { actor: 7, request }]);
    }
}
