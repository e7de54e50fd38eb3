//! Each invariant holds in a history that is as it must be, and is broken by one that is not.

use std::collections::BTreeSet;
use std::sync::Arc;

use actor_cluster::transport::{CloseCode, CloseReason};
use actor_cluster::{
    CreditAudit, Incarnation, LaneAudit, LostReason, Member, MemberEvent, NodeEvent, NodeId, PeerInfo,
    PublishedActor, SessionAudit,
};
use actor_core::{ActorId, CallFailure, Instant, Rejection};
use actor_testkit::cluster::history::{Event, Outcome, What};
use actor_testkit::cluster::invariants::{
    CallsAnswered, Checked, ConnectedAgain, Credit, End, Fifo, Invariant, Ledger, LossExplained,
    MembersConverge, MembersTrusted, NamesWithdrawn, NothingLost, OneOwner, Sequences, SessionSide, View,
    WatchOnce,
};
use actor_testkit::cluster::{Crash, Degradation, Fault};

use super::{SECOND, counters};

/// So many seconds after the beginning.
fn at(seconds: u32) -> Instant {
    Instant::ZERO + seconds * SECOND
}

pub(super) fn life(node: usize) -> Incarnation {
    Incarnation::new(1, node as u64 + 1)
}

pub(super) fn id(node: usize) -> NodeId {
    NodeId::from_bytes([u8::try_from(node).unwrap(); 32])
}

pub(super) fn actor(node: usize) -> ActorId {
    ActorId::new(life(node), 7)
}

/// Only nodes make members: one of a cluster, with another's identity.
fn member(node: usize) -> Member {
    let mut cluster = counters(1).nodes(2).start();
    cluster.advance(SECOND);
    let mut member = cluster.node(0).server().members().members[0].clone();
    (member.node, member.incarnation) = (id(node), life(node));
    member
}

pub(super) fn declared_lost(node: usize) -> What {
    What::Member(MemberEvent::Lost { member: member(node), reason: LostReason::Silent })
}

fn peer(node: usize) -> PeerInfo {
    PeerInfo { node: id(node), incarnation: life(node), name: String::new(), is_proven: true }
}

pub(super) fn lost(node: usize) -> What {
    let reason = CloseReason::new(CloseCode::Timeout, "the peer is silent");
    What::Node(NodeEvent::SessionLost { peer: peer(node), reason, unacked: 0 })
}

/// Three nodes that have started, and then this, a second each; in the end all are connected. Says how often it was checked.
pub(super) fn check(mut invariant: impl Invariant, events: &[(usize, What)]) -> Checked {
    let started = (0..3).map(|node| (node, What::Started { id: id(node), incarnation: life(node) }));
    let (mut now, mut checked) = (0, 0);
    for (node, what) in started.chain(events.iter().cloned()) {
        now += 1;
        checked += invariant.observe(&Event { at: at(now), node: Some(node), what })?;
    }
    Ok(checked + invariant.at_end(&End::new(at(now + 600)))?)
}

#[track_caller]
fn holds(invariant: impl Invariant, events: &[(usize, What)]) {
    assert!(check(invariant, events).is_ok());
}

#[track_caller]
fn breaks(invariant: impl Invariant, events: &[(usize, What)], why: &str) {
    let violation = check(invariant, events).unwrap_err().to_string();
    assert!(violation.contains(why), "{violation}");
}

fn sent(number: u64) -> (usize, What) {
    (0, What::Sent { from: 1, to: actor(1), number })
}

fn received(number: u64) -> (usize, What) {
    (1, What::Received { from: 1, to: actor(1), number })
}

#[test]
fn messages_out_of_order_and_repeated_ones_are_seen() {
    let all = [sent(0), sent(1), received(0), received(1)];
    holds(Fifo::default(), &all);
    // What is missing is another's matter.
    holds(Fifo::default(), &[sent(0), sent(1), received(1)]);
    breaks(Fifo::default(), &[sent(0), sent(1), received(1), received(0)], "after message 1");
    breaks(Fifo::default(), &[sent(0), received(0), received(0)], "came twice");
}

#[test]
fn a_message_that_never_came_is_seen() {
    holds(NothingLost::default(), &[sent(0), received(0)]);
    breaks(NothingLost::default(), &[sent(0), sent(1), received(1)], "message 0");
    breaks(NothingLost::default(), &[sent(0), (0, lost(2))], "message 0");
    // Before it was sent.
    breaks(NothingLost::default(), &[(0, lost(1)), sent(0)], "message 0");
    holds(NothingLost::default(), &[sent(0), (0, lost(1))]);
    holds(NothingLost::default(), &[sent(0), (1, lost(0))]);
    holds(NothingLost::default(), &[sent(0), (1, What::ActorEnded { actor: actor(1) })]);
    holds(NothingLost::default(), &[sent(0), (1, What::Crashed { incarnation: life(1) })]);
}

const CALL: u64 = 5;

fn begun() -> (usize, What) {
    (0, What::CallBegun { call: CALL, to: actor(1) })
}

fn ran() -> (usize, What) {
    (1, What::CallRan { call: CALL })
}

fn ended(outcome: Outcome) -> (usize, What) {
    (0, What::CallEnded { call: CALL, outcome })
}

#[test]
fn a_call_that_waits_for_ever_is_seen() {
    holds(CallsAnswered::default(), &[begun(), ended(Outcome::Answered)]);
    breaks(CallsAnswered::default(), &[begun(), ran()], "still waits");
    // Whoever called is no more.
    holds(CallsAnswered::default(), &[begun(), (0, What::Crashed { incarnation: life(0) })]);
    breaks(CallsAnswered::default(), &[begun(), (1, What::Crashed { incarnation: life(1) })], "still waits");
    let twice = [begun(), ended(Outcome::Answered), ended(Outcome::Answered)];
    breaks(CallsAnswered::default(), &twice, "not under way");
}

#[test]
fn outcomes_that_are_not_true_are_seen() {
    let rejected = Outcome::Failed(CallFailure::Rejected(Rejection::Stopped));
    holds(Ledger::default(), &[begun(), ran(), ended(Outcome::Answered)]);
    holds(Ledger::default(), &[begun(), ran(), ended(Outcome::Failed(CallFailure::Unknown))]);
    holds(Ledger::default(), &[begun(), ended(rejected.clone())]);
    breaks(Ledger::default(), &[begun(), ended(Outcome::Answered)], "never ran");
    breaks(Ledger::default(), &[begun(), ran(), ran()], "ran 2 times");
    for outcome in [rejected, Outcome::NotSent, Outcome::Failed(CallFailure::Expired)] {
        breaks(Ledger::default(), &[begun(), ran(), ended(outcome.clone())], "was told");
        breaks(Ledger::default(), &[begun(), ended(outcome), ran()], "was told");
    }
}

#[test]
fn watches_that_fire_twice_or_never_or_for_nothing_are_seen() {
    let watches = (0, What::WatchBegun { watch: 3, actor: actor(1) });
    let fires = (0, What::WatchFired { watch: 3 });
    let ends = (1, What::ActorEnded { actor: actor(1) });
    let dies = (1, What::Crashed { incarnation: life(1) });
    let late = (0..6).map(|_| (2, What::Note(String::new())));
    let check = WatchOnce::default;
    holds(check(), std::slice::from_ref(&watches));
    holds(check(), &[watches.clone(), ends.clone(), fires.clone()]);
    holds(check(), &[ends.clone(), watches.clone(), fires.clone()]);
    holds(check(), &[watches.clone(), (0, lost(1)), fires.clone()]);
    breaks(check(), &[watches.clone(), ends.clone(), fires.clone(), fires.clone()], "fired again");
    breaks(check(), &[watches.clone(), ends.clone()], "the actor has ended");
    breaks(check(), &[watches.clone(), dies.clone()], "the actor has ended");
    breaks(check(), &[watches.clone(), fires.clone()], "the actor lived");
    let notes = |count| (0..count).map(|_| (2, What::Note(String::new())));
    // What comes too late is no reason, for however long the test goes on.
    breaks(check(), &[watches.clone(), fires.clone(), ends.clone()], "the actor lived");
    breaks(check(), &[watches.clone(), fires.clone(), dies.clone()], "the actor lived");
    let told_after = |seconds| {
        let first = [watches.clone(), fires.clone()].into_iter();
        first.chain(notes(seconds)).chain([(0, lost(1))]).collect::<Vec<_>>()
    };
    holds(check(), &told_after(0));
    holds(check(), &told_after(4));
    breaks(check(), &told_after(5), "the actor lived");
    // A node that stands still tells nothing.
    let stands: Vec<_> = [(0, What::Fault(Fault::Freeze(0)))].into_iter().chain(told_after(20)).collect();
    holds(check(), &stands);
    // The session before is none of its business, unless there has been no other since.
    let ready = (0, What::Node(NodeEvent::Ready(peer(1))));
    holds(check(), &[(0, lost(1)), watches.clone(), fires.clone()]);
    let of_the_next = [(0, lost(1)), ready, watches.clone(), fires];
    breaks(check(), &of_the_next, "the actor lived");
    breaks(check(), &of_the_next.into_iter().chain(notes(1)).collect::<Vec<_>>(), "the actor lived");
    let parted: Vec<_> = [watches.clone()].into_iter().chain(late).chain([(0, lost(1))]).collect();
    breaks(check(), &parted, "the session");
    holds(check(), &[watches, dies, (0, What::Crashed { incarnation: life(0) })]);
}

#[test]
fn a_name_of_two_is_seen_once_they_have_had_time() {
    let name: Arc<str> = "role".into();
    let takes = |node| (node, What::NameTaken { name: name.clone(), actor: actor(node) });
    let found = (2, What::NameFound { name: name.clone(), actor: actor(0) });
    let published = |node| PublishedActor { node: id(node), actor: actor(node) };
    let (winner, loser) = (published(0), published(1));
    let conflict = |node| (node, What::Node(NodeEvent::NameConflict { name: name.clone(), winner, loser }));
    let parted = (0, What::Fault(Fault::Partition(vec![vec![0], vec![1, 2]])));
    let check = OneOwner::default;
    holds(check(), &[takes(0), (0, What::NameLost { name: name.clone(), actor: actor(0) }), takes(1)]);
    breaks(check(), &[takes(0), takes(1)], "two owners");
    // The winner's node tells it as well.
    breaks(check(), &[takes(0), takes(1), conflict(0)], "two owners");
    holds(check(), &[takes(0), takes(1), conflict(1)]);
    holds(check(), &[takes(0), takes(1), (1, What::Crashed { incarnation: life(1) })]);
    holds(check(), &[takes(0), takes(1), (1, What::ActorEnded { actor: actor(1) })]);
    holds(check(), &[takes(0), takes(1), parted.clone(), found.clone()]);
    let mends = (0, What::Fault(Fault::Heal));
    breaks(check(), &[takes(0), takes(1), parted, mends, found], "two owners");
}

#[test]
fn a_name_that_nobody_has_is_not_counted() {
    let name: Arc<str> = "role".into();
    let takes = (0, What::NameTaken { name: name.clone(), actor: actor(0) });
    let loses = (0, What::NameLost { name: name.clone(), actor: actor(0) });
    assert_eq!(check(OneOwner::default(), &[takes.clone(), loses]), Ok(0));
    assert_eq!(check(OneOwner::default(), &[takes]), Ok(1));
}

#[test]
fn a_name_of_a_life_that_is_over_is_seen() {
    let found = |node| (0, What::NameFound { name: "name".into(), actor: actor(node) });
    let dies = (1, What::Crashed { incarnation: life(1) });
    let invariant = NamesWithdrawn::default;
    assert_eq!(check(invariant(), &[found(1)]), Ok(0));
    // Nobody knows it yet.
    assert_eq!(check(invariant(), &[found(1), dies.clone(), found(1)]), Ok(0));
    breaks(invariant(), &[dies.clone(), (0, lost(1)), found(1)], "the session was over");
    assert_eq!(check(invariant(), &[found(1), dies, (0, lost(1)), found(2)]), Ok(1));
}

#[test]
fn a_name_that_a_live_node_has_withdrawn_vanishes_elsewhere() {
    let name: Arc<str> = "name".into();
    let invariant = NamesWithdrawn::default;
    let found = |node| (0, What::NameFound { name: name.clone(), actor: actor(node) });
    let takes = (1, What::NameTaken { name: name.clone(), actor: actor(1) });
    let (winner, loser) =
        (PublishedActor { node: id(2), actor: actor(2) }, PublishedActor { node: id(1), actor: actor(1) });
    let conflict = What::Node(NodeEvent::NameConflict { name: name.clone(), winner, loser });
    let after = |seconds, events: &[(usize, What)], last| {
        let late = (0..seconds).map(|_| (2, What::Note(String::new())));
        let events = [found(1)].into_iter().chain(events.iter().cloned());
        check(invariant(), &events.chain(late).chain([last]).collect::<Vec<_>>())
    };
    let losses = [
        What::NameLost { name: name.clone(), actor: actor(1) },
        What::ActorEnded { actor: actor(1) },
        What::Crashed { incarnation: life(1) },
        conflict.clone(),
    ];
    for loses in losses {
        let loses = &[(1, loses)];
        assert_eq!(after(4, loses, found(1)), Ok(0), "{loses:?}");
        let violation = after(5, loses, found(1)).unwrap_err().to_string();
        assert!(violation.contains("which has it no more since 5s"), "{violation}");
        assert_eq!(after(5, loses, found(2)), Ok(1), "{loses:?}");
    }
    let loses = (1, What::NameLost { name: name.clone(), actor: actor(1) });
    assert_eq!(after(5, &[loses.clone(), takes], found(1)), Ok(0), "it has it again");
    assert_eq!(after(5, &[(2, conflict)], found(1)), Ok(0), "the winner tells it too");
    let parted = (0, What::Fault(Fault::Block { from: 1, to: 0 }));
    assert_eq!(after(50, &[parted.clone(), loses.clone()], found(1)), Ok(0), "nobody could tell it");
    let heals = (0, What::Fault(Fault::Heal));
    assert_eq!(after(4, &[parted.clone(), loses.clone(), heals.clone()], found(1)), Ok(0));
    after(5, &[parted, loses, heals], found(1)).unwrap_err();
}

#[test]
fn a_session_that_is_lost_for_nothing_is_seen() {
    let fault = |fault| (2, What::Fault(fault));
    let check = LossExplained::default;
    holds(check(), &[fault(Fault::Cut(0, 1)), (0, lost(1))]);
    holds(check(), &[fault(Fault::Block { from: 1, to: 0 }), (0, lost(1))]);
    holds(check(), &[fault(Fault::Freeze(1)), (0, lost(1))]);
    holds(check(), &[fault(Fault::Crash(1, Crash::Silent)), (0, lost(1))]);
    // A clock's time explains nothing, nor does what happens to others; but that a node has just begun does.
    let long = |cause: Fault| {
        let late = (0..130).map(|_| (2, What::Note(String::new())));
        late.chain([fault(cause), (0, lost(1))]).collect::<Vec<_>>()
    };
    breaks(check(), &long(Fault::Cut(1, 2)), "nothing was wrong");
    breaks(check(), &long(Fault::ClockBack(1, SECOND)), "nothing was wrong");
    holds(check(), &long(Fault::Cut(0, 1)));
    let reason = CloseReason::new(CloseCode::Violation, "a gap");
    let broken = What::Node(NodeEvent::SessionLost { peer: peer(1), reason, unacked: 0 });
    breaks(check(), &[fault(Fault::Cut(0, 1)), (0, broken)], "broken the protocol");
}

#[test]
fn a_member_that_is_declared_lost_for_nothing_is_seen() {
    let fault = |fault| (2, What::Fault(fault));
    let check = |cause: &[(usize, What)], seconds: usize| {
        let late = (0..seconds).map(|_| (2, What::Note(String::new())));
        let events = cause.iter().cloned().chain(late).chain([(0, declared_lost(1))]);
        check(MembersTrusted::default(), &events.collect::<Vec<_>>())
    };
    let violation = check(&[], 0).unwrap_err().to_string();
    assert_eq!(violation, "node 0 has declared node 1 lost (Silent), and nothing was wrong");
    // Of the member, of who says so, or of any way to the member; and for a while after that.
    for explains in [
        Fault::Freeze(1),
        Fault::Freeze(0),
        Fault::Slow(1, SECOND),
        Fault::Degrade(1, Degradation { lost_per_mille: 100, ..Degradation::NONE }),
        Fault::Leave(1),
        Fault::Cut(0, 1),
        Fault::Block { from: 2, to: 1 },
        Fault::Partition(vec![vec![0, 2], vec![1]]),
        Fault::Crash(1, Crash::Silent),
    ] {
        assert_eq!(check(&[fault(explains.clone())], 10), Ok(0), "{explains:?}");
    }
    check(&[fault(Fault::Freeze(1)), fault(Fault::Thaw(1))], 14).unwrap();
    check(&[fault(Fault::Freeze(1)), fault(Fault::Thaw(1))], 15).unwrap_err();
    check(&[fault(Fault::Cut(1, 2))], 15).unwrap_err();
    // A clock explains nothing, nor does what happens to others.
    for explains_nothing in [
        Fault::ClockBack(1, SECOND),
        Fault::ClockForward(1, SECOND),
        Fault::ClockDrift(1, 1000),
        Fault::Degrade(1, Degradation::NONE),
        Fault::Freeze(2),
        Fault::Block { from: 0, to: 2 },
    ] {
        check(&[fault(explains_nothing)], 0).unwrap_err();
    }
    let dies = (1, What::Crashed { incarnation: life(1) });
    assert_eq!(check(&[dies], 100), Ok(0), "it does not live");
}

#[test]
fn members_that_are_missing_or_should_not_be_are_seen() {
    let mut end = End::new(at(1));
    for node in 0..3 {
        let sees = (0..3).filter(|other| *other != node).map(life).collect();
        end.members.push(View { node, life: life(node), sees });
    }
    assert_eq!(MembersConverge.at_end(&end), Ok(3));
    let check = |change: fn(&mut BTreeSet<Incarnation>)| {
        let mut end = end.clone();
        change(&mut end.members[1].sees);
        MembersConverge.at_end(&end).unwrap_err().to_string()
    };
    let missing = check(|sees| _ = sees.remove(&life(2)));
    assert_eq!(missing, "node 1 misses 1 members, and knows 0 that are not there");
    let gone = check(|sees| _ = sees.insert(life(7)));
    assert_eq!(gone, "node 1 misses 0 members, and knows 1 that are not there");
    let former = check(|sees| *sees = BTreeSet::from([life(0), Incarnation::new(0, 3)]));
    assert_eq!(former, "node 1 misses 1 members, and knows 1 that are not there");
    let itself = check(|sees| _ = sees.insert(life(1)));
    assert_eq!(itself, "node 1 misses 0 members, and knows 1 that are not there");
}

#[test]
fn nodes_that_stay_apart_are_seen() {
    let mut end = End::new(at(1));
    assert_eq!(ConnectedAgain.at_end(&end), Ok(1));
    end.apart = vec![(0, 2)];
    assert!(ConnectedAgain.at_end(&end).is_err());
}

/// Both sides of a session, as they are after some messages.
fn sides() -> [SessionSide; 2] {
    let credit = CreditAudit {
        window: 100,
        spent: 60,
        limit: 130,
        lent_window: 100,
        taken: 60,
        delivered: 50,
        returned: 30,
    };
    let lane = LaneAudit { lane: 3, sent: 500, acked: 400, received: 450, told: 420, credit: Some(credit) };
    [0, 1].map(|node| SessionSide { node, audit: SessionAudit { session: 9, lanes: vec![lane] } })
}

/// Shows both sides, changes the first, and shows it again.
pub(super) fn changed(mut invariant: impl Invariant, change: impl FnOnce(&mut LaneAudit)) -> Checked {
    let [mut one, other] = sides();
    invariant.audit(&one)?;
    invariant.audit(&other)?;
    change(&mut one.audit.lanes[0]);
    invariant.audit(&one)
}

#[test]
fn credit_that_nobody_gave_is_seen() {
    type Change = fn(&mut CreditAudit);
    let check = |change: Change| changed(Credit::default(), |lane| change(lane.credit.as_mut().unwrap()));
    let fine: [Change; 3] = [|_| {}, |credit| credit.spent = 230, |credit| credit.delivered = 60];
    for change in fine {
        assert_eq!(check(change), Ok(1));
    }
    let bad: [(Change, &str); 7] = [
        (|credit| credit.spent = 231, "spent more than it has"),
        (|credit| credit.taken = 231, "spent more than it was lent"),
        (|credit| credit.delivered = 61, "more was given back"),
        (|credit| credit.returned = 51, "more was given back"),
        (|credit| credit.limit = 129, "taken back"),
        (|credit| credit.limit = 131, "more credit than the other gave"),
        (|credit| (credit.taken, credit.spent) = (61, 60), "paid for"),
    ];
    for (change, why) in bad {
        let violation = check(change).unwrap_err().to_string();
        assert!(violation.contains(why), "{violation}");
    }
}

#[test]
fn numbers_that_go_back_or_too_far_are_seen() {
    type Change = fn(&mut LaneAudit);
    let check = |change: Change| changed(Sequences::default(), change);
    for change in [|_| {}, |lane| lane.sent = 501, |lane: &mut LaneAudit| lane.acked = 450] as [Change; 3] {
        assert_eq!(check(change), Ok(1));
    }
    let bad: [(Change, &str); 8] = [
        (|lane| lane.acked = 501, "more is acknowledged"),
        (|lane| lane.told = 451, "more is acknowledged"),
        (|lane| lane.sent = 499, "went back"),
        (|lane| lane.acked = 399, "went back"),
        (|lane| lane.received = 449, "went back"),
        (|lane| lane.told = 419, "went back"),
        (|lane| lane.received = 501, "more has come"),
        (|lane| lane.acked = 451, "knows more"),
    ];
    for (change, why) in bad {
        let violation = check(change).unwrap_err().to_string();
        assert!(violation.contains(why), "{violation}");
    }
}

/// What a side did last, before it was over, was not looked at.
#[test]
fn a_side_that_is_over_is_compared_with_nothing() {
    let [one, mut other] = sides();
    other.audit.lanes[0].received = one.audit.lanes[0].sent + 1;
    let check = |ends: bool| {
        let mut sequences = Sequences::default();
        sequences.audit(&one)?;
        if ends {
            sequences.audit_over(9, 0);
        }
        sequences.audit(&other)
    };
    assert!(check(false).is_err());
    assert_eq!(check(true), Ok(1));
}
