//! What a peer must not do. Each ends the session with a violation, tells the peer
//! so, and harms nothing else.

use actor_core::CallFailure;
use proptest::prelude::*;
use prost::Message;

use super::{A, B, Letter, ack, begin, control, frame, frames, reason};
use crate::limits::{
    ADDRESS_BYTES_MAX, ADDRESSES_PER_NODE_MAX, CONTROL_BODY_BYTES_MAX, FRAME_BODY_BYTES_MAX,
    GOSSIP_MEMBERS_MAX, HELD_MAX, LABEL_BYTES_MAX, MESSAGE_BYTES_MAX, PART_BYTES, PUBLICATION_BYTES_MAX,
    PUBLICATIONS_PER_PEER_MAX, TYPES_MAX, WATCHES_MAX,
};
use crate::testing::pair::{Pair, Saw, outcome};
use crate::transport::{CloseCode, LaneSet};
use crate::wire::control::{
    Addresses, Body, Control, Member, Members, Publication, Publications, Request, Watch,
};
use crate::wire::frame::{Head, Kind};

/// A session of B's, with a call of its own pending, that is sent these bytes.
fn struck_by(bytes: &[u8]) -> (Pair, Vec<Saw>) {
    let mut pair = Pair::ready(&[LaneSet::ALL]);
    let mut reply = pair.call(B, None, |port| Letter::Ask(1, port));
    pair.drive();
    pair.saw(A);
    pair.inject(0, A, bytes);
    pair.drive();
    let saw = pair.saw(B);
    if pair.session(B).ended().is_some() {
        assert_eq!(outcome(&mut reply), Some(Err(CallFailure::Unknown)), "no call hangs");
    } else {
        assert_eq!(outcome(&mut reply), None);
    }
    (pair, saw)
}

fn assert_violation(bytes: &[u8], detail: &str) {
    let (mut pair, saw) = struck_by(bytes);
    let end = Saw::Ended(reason(CloseCode::Violation, detail));
    assert_eq!(saw.last(), Some(&end));
    assert_eq!(saw[saw.len() - 3..saw.len() - 1], [Saw::Failed(CallFailure::Unknown), Saw::Room]);
    assert_eq!(pair.saw(A).last(), Some(&end), "the goodbye tells it what it did");
}

fn assert_harmless(bytes: &[u8], expected: &[Saw]) {
    let (pair, saw) = struck_by(bytes);
    assert_eq!((pair.session(B).ended(), &saw[..]), (None, expected));
}

fn define(index: u32) -> Vec<u8> {
    frame(Kind::Define, index, &[1; 16])
}

fn call(correlation: u64) -> Vec<u8> {
    let body = [7_u64, correlation, 0].map(u64::to_le_bytes).concat();
    frame(Kind::Call, 0, &body)
}

#[test]
fn frames_that_are_no_frames() {
    assert_violation(b"GET / HTTP/1.1\r\n", "a frame of unknown kind 32");
    assert_violation(&[0, 0, 0, 0, 0, 0, 0, 0], "a frame of unknown kind 0");
    assert_violation(&[0, 0, 0, 3, 0, 0, 0, 11], "a frame on lane 11, where its kind does not belong");
    assert_violation(&[0, 0, 0, 2, 0, 0, 0, 1], "a frame on lane 1, where its kind does not belong");
    assert_violation(&[0, 0, 0, 3, 0, 0, 0, 0], "a frame on lane 0, where its kind does not belong");
    assert_violation(&[0, 0, 0, 12, 0, 0, 0, 0], "a frame on lane 0, where its kind does not belong");
    assert_violation(&[0, 0, 0, 2, 1, 0, 0, 0], "a frame of kind 2 with index 1, where its kind has none");
    let giant = [1, 0, 2, 3, 0, 0, 0, 3];
    assert_violation(&giant, "a frame of 131073 bytes, where 131072 is the limit");
}

#[test]
fn frames_out_of_place() {
    assert_violation(&frame(Kind::Handshake, 0, b""), "a handshake step inside a session");
    for astray in [control(Body::Unwatch(1)), begin(0, 0), frame(Kind::Take, 1, b"")] {
        let mut pair = Pair::ready(&[LaneSet::CONTROL, LaneSet::DATA]);
        pair.inject(1, A, &astray);
        pair.drive();
        let expected = reason(CloseCode::Violation, "a frame on a stream that does not carry its lane");
        assert_eq!(pair.session(B).ended(), Some(&expected));
    }
}

#[test]
fn frames_of_the_wrong_length() {
    for (kind, least) in [(Kind::Reply, 8), (Kind::Failure, 8), (Kind::Define, 16), (Kind::Cancel, 8)] {
        for length in 0..least {
            assert_violation(&frame(kind, 0, &vec![0; length]), "a frame that is too short");
        }
    }
    for length in 17..24 {
        assert_violation(&frame(Kind::Define, 0, &vec![0; length]), "a frame that is too short");
    }
    assert_violation(&frame(Kind::Cancel, 0, &[0; 9]), "a frame that is too long");
    for kind in [Kind::Begin, Kind::Ping, Kind::Pong] {
        assert_violation(&frame(kind, 0, &[0; 7]), "a frame that is too short");
        assert_violation(&frame(kind, 0, &[0; 9]), "a frame that is too long");
    }
    assert_violation(&frame(Kind::Take, 1, b"x"), "a frame that is too long");
    for length in (1..40).filter(|length| length % 17 != 0) {
        assert_violation(&frame(Kind::Ack, 0, &vec![0; length]), "a frame that is too short");
    }
    for (kind, least) in [(Kind::Cast, 8), (Kind::Call, 24)] {
        for length in 0..least {
            let bytes = [define(0), frame(kind, 0, &vec![0; length])].concat();
            assert_violation(&bytes, "a frame that is too short");
        }
    }
}

#[test]
fn types_out_of_order() {
    assert_violation(&define(1), "a type defined out of order");
    assert_violation(&[define(0), define(0)].concat(), "a type defined out of order");
    assert_violation(&[define(0), define(2)].concat(), "a type defined out of order");
    assert_violation(&frame(Kind::Cast, 0, &[0; 8]), "a message of an undefined type");
    assert_violation(&[define(0), frame(Kind::Cast, 1, &[0; 8])].concat(), "a message of an undefined type");
    let all: Vec<u8> = (0..TYPES_MAX as u32).flat_map(define).collect();
    assert_harmless(&all, &[]);
    let one_more = [all, define(TYPES_MAX as u32)].concat();
    assert_violation(&one_more, "a type defined out of order");
}

#[test]
fn calls_that_cannot_be() {
    let twice = [define(0), call(5), call(5)].concat();
    assert_violation(&twice, "two calls of the same correlation");
    let again = [define(0), call(5), frame(Kind::Cancel, 0, &5_u64.to_le_bytes()), call(5)].concat();
    assert_harmless(&again, &[Saw::Message, Saw::Message]);
}

/// Answers, cancellations, exits and the like may cross with whatever made them moot.
#[test]
fn what_may_have_crossed_is_harmless() {
    for body in [Body::Unwatch(99), Body::Synced(Default::default())] {
        assert_harmless(&control(body), &[]);
    }
    for bytes in
        [frame(Kind::Pong, 0, &[9; 8]), ack(&[]), ack(&[(0, 0, 0), (1, 0, 0), (2, 0, 0), (77, 1, 1)])]
    {
        assert_harmless(&bytes, &[]);
    }
    assert_harmless(&[begin(3, 0), begin(3, 0), frame(Kind::Take, 0b1111, b"")].concat(), &[]);
    let down = Body::Down(crate::wire::control::Down { watch: 9, exit: 1, text: None });
    assert_harmless(&control(down), &[]);
    for kind in [Kind::Reply, Kind::Failure, Kind::Cancel] {
        assert_harmless(&frame(kind, 0, &u64::MAX.to_le_bytes()), &[]);
    }
}

#[test]
fn words_of_a_later_version_are_ignored() {
    // Field 99, a text: no body that this version knows.
    let unknown = [0x9a, 0x06, 0x02, b'h', b'i'];
    assert_harmless(&frame(Kind::Control, 0, &unknown), &[]);
    assert_harmless(&frame(Kind::Control, 0, &[]), &[]);
    let mut unwatch = Control { body: Some(Body::Unwatch(7)) }.encode_to_vec();
    unwatch.extend(unknown);
    assert_harmless(&frame(Kind::Control, 0, &unwatch), &[]);
    // A failure and an exit of a later version.
    let mut pair = Pair::ready(&[LaneSet::ALL]);
    let mut reply = pair.call(A, None, |port| Letter::Ask(1, port));
    let watch = pair.session(A).watch(1, None).unwrap();
    let failure = frame(Kind::Failure, 77, &[&0_u64.to_le_bytes()[..], b"later"].concat());
    pair.inject(0, B, &failure);
    let down = control(Body::Down(crate::wire::control::Down { watch, exit: 77, text: None }));
    pair.inject(0, B, &down);
    pair.drive();
    assert_eq!(outcome(&mut reply), Some(Err(CallFailure::Unknown)));
    let exit = actor_core::Exit::Unreachable;
    assert_eq!(pair.saw(A), [Saw::Failed(CallFailure::Unknown), Saw::Down { watch, exit }]);
}

#[test]
fn control_frames_that_cannot_be_read() {
    let garbage = frame(Kind::Control, 0, &[0xff; 9]);
    let (pair, _) = struck_by(&garbage);
    let ended = pair.session(B).ended().cloned().unwrap();
    assert!(ended.code == CloseCode::Violation && ended.detail().starts_with("a control frame: "), "{ended}");
    let long = frame(Kind::Control, 0, &vec![0; CONTROL_BODY_BYTES_MAX + 1]);
    assert_violation(&long, "a control frame over the limit");
}

#[test]
fn credit_out_of_nowhere() {
    for more in [u64::MAX - (1 << 20), 1 << 63, 1 << 20, 100] {
        assert_violation(&ack(&[(1, 0, more + (1 << 20))]), "more credit than was ever lent");
    }
}

#[test]
fn lanes_with_a_gap() {
    assert_violation(&begin(3, 1), "a lane that begins behind a gap");
    assert_violation(&begin(0, u64::MAX), "a lane that begins behind a gap");
    for lane in [4, 11, 254] {
        assert_violation(&begin(lane, 0), "the beginning of an unknown lane");
    }
    assert_violation(&begin(256, 0), "the beginning of no lane");
    assert_violation(&frame(Kind::Take, 1 << 11, b""), "a set of unknown lanes");
    let astray = "a frame on a stream that does not carry its lane";
    assert_violation(&frame(Kind::Take, 0b1_0000, b""), astray);
    let mut of_another = define(0);
    of_another[7] = 4;
    assert_violation(&of_another, astray);
    // Frames that begin elsewhere than the first time.
    let cut = [define(0), begin(3, 8), define(0)].concat();
    assert_violation(&cut, "a lane that goes on behind a gap");
}

#[test]
fn w15_a_peer_cannot_make_us_remember_actors_without_end() {
    let holds = |actors: std::ops::Range<u64>| actors.flat_map(|actor| control(Body::Hold(actor)));
    let most = HELD_MAX as u64;
    let fits: Vec<u8> = holds(0..most).chain(control(Body::Release(5))).chain(holds(7..8)).collect();
    assert_harmless(&fits, &[Saw::Room]);
    assert_violation(&holds(0..most + 1).collect::<Vec<_>>(), "too many actors without room");
}

#[test]
fn acknowledgements_of_the_future() {
    for lane in [0, 1, 2] {
        assert_violation(&ack(&[(lane, u64::MAX, 0)]), "an acknowledgement of what was never sent");
    }
}

#[test]
fn requests_and_watches_that_cannot_be() {
    let request = Request { actor: 1, request: 3, reason: None, token: None };
    assert_violation(&control(Body::Request(request)), "an unknown request to an actor");
    let watch = control(Body::Watch(Watch { watch: 1, actor: 1, token: None }));
    assert_violation(&[watch.clone(), watch].concat(), "too many watches, or two of the same number");
    let many = (0..=WATCHES_MAX as u64)
        .flat_map(|watch| control(Body::Watch(Watch { watch, actor: 1, token: None })));
    assert_violation(&many.collect::<Vec<_>>(), "too many watches, or two of the same number");
}

fn publication(number: usize) -> Publication {
    Publication { actor: number as u64, message: 1, kind: 0, label: "x".into(), ..Publication::default() }
}

fn publish(entries: Vec<Publication>) -> Vec<u8> {
    control(Body::Publish(Publications { entries }))
}

fn unpublish(entries: Vec<Publication>) -> Vec<u8> {
    control(Body::Unpublish(Publications { entries }))
}

#[test]
fn publications_that_cannot_be() {
    let with = |label: String, kind| publish(vec![Publication { label, kind, ..publication(0) }]);
    assert_violation(&with(String::new(), 0), "an unusable publication");
    assert_violation(&with("x".repeat(LABEL_BYTES_MAX + 1), 0), "an unusable publication");
    assert_violation(&with("x".into(), 2), "an unusable publication");
    let name = Publication { rule: 1, claim: 1, ..publication(0) };
    for unusable in [
        Publication { scope: "x".into(), ..name.clone() },
        Publication { rule: 4, ..name.clone() },
        Publication { rank: 1, ..name.clone() },
        Publication { rule: 0, ..name.clone() },
        Publication { kind: 1, ..name.clone() },
        Publication { kind: 1, rule: 0, ..name.clone() },
        Publication { kind: 1, scope: "x".repeat(LABEL_BYTES_MAX + 1), ..publication(0) },
    ] {
        assert_violation(&publish(vec![unusable]), "an unusable publication");
    }
    let ranked = Publication { rule: 2, rank: u32::MAX, claim: u64::MAX, ..publication(0) };
    assert_harmless(&publish(vec![ranked.clone()]), &[Saw::Published(vec![ranked])]);
    let longest = Publication { label: "x".repeat(LABEL_BYTES_MAX), kind: 1, ..publication(0) };
    assert_harmless(&publish(vec![longest.clone()]), &[Saw::Published(vec![longest])]);
}

#[test]
fn only_changes_of_what_is_published_are_told() {
    let bytes = [
        publish(vec![publication(0), publication(1), publication(0)]),
        publish(vec![publication(1)]),
        unpublish(vec![publication(9)]),
        unpublish(vec![publication(9), publication(1)]),
    ];
    let told = [Saw::Published(vec![publication(0), publication(1)]), Saw::Unpublished(vec![publication(1)])];
    assert_harmless(&bytes.concat(), &told);
}

/// How many bytes of labels and scopes a peer can make us keep.
#[test]
fn the_texts_of_publications_are_bounded() {
    let long = |number: usize| Publication {
        kind: 1,
        label: format!("{number:0>LABEL_BYTES_MAX$}"),
        scope: "x".repeat(LABEL_BYTES_MAX),
        ..publication(number)
    };
    let most = PUBLICATION_BYTES_MAX / long(0).bytes();
    let all: Vec<_> = (0..most).map(long).collect();
    let mut bytes = Vec::new();
    for entries in all.chunks(64) {
        bytes.extend(publish(entries.to_vec()));
    }
    let (pair, _) = struck_by(&bytes);
    assert_eq!(pair.session(B).ended(), None);
    let detail = "too many published actors";
    assert_violation(&[&bytes[..], &publish(vec![long(most)])].concat(), detail);
    // What is taken back makes room, and what was never there does not.
    let swapped = [&bytes[..], &unpublish(vec![long(0)]), &publish(vec![long(most)])].concat();
    let (pair, _) = struck_by(&swapped);
    assert_eq!(pair.session(B).ended(), None);
    let pretended = [&bytes[..], &unpublish(vec![long(most)]), &publish(vec![long(most)])].concat();
    assert_violation(&pretended, detail);
}

#[test]
fn w15_publications_are_bounded_and_only_real_ones_can_be_taken_back() {
    let all = (0..PUBLICATIONS_PER_PEER_MAX).collect::<Vec<_>>();
    let mut bytes = Vec::new();
    for numbers in all.chunks(1024) {
        bytes.extend(publish(numbers.iter().map(|number| publication(*number)).collect()));
    }
    let one_more = publish(vec![publication(usize::MAX)]);
    let detail = "too many published actors";
    assert_violation(&[&bytes[..], &one_more].concat(), detail);
    let pretended = unpublish((0..1000).map(|number| publication(usize::MAX - 1 - number)).collect());
    assert_violation(&[&bytes[..], &pretended, &one_more].concat(), detail);
    let (pair, _) = struck_by(&[&bytes[..], &unpublish(vec![publication(5)]), &one_more].concat());
    assert_eq!(pair.session(B).ended(), None);
}

#[test]
fn lists_are_cut_to_what_is_usable_on_either_side() {
    let long = "x".repeat(ADDRESS_BYTES_MAX + 1);
    let addresses = || {
        let good = (0..2 * ADDRESSES_PER_NODE_MAX).map(|n| format!("tcp+tls://host:{n}"));
        std::iter::once(long.clone()).chain(good).collect::<Vec<_>>()
    };
    let kept = || addresses()[1..=ADDRESSES_PER_NODE_MAX].to_vec();
    assert_harmless(
        &control(Body::Introduce(Addresses { addresses: addresses() })),
        &[Saw::Introduced(kept())],
    );
    let member = Member { node: vec![3; 32], addresses: addresses() };
    let members = vec![member.clone(); 3];
    let saw = Saw::Members(vec![(vec![3; 32], kept()); 3]);
    assert_harmless(&control(Body::Members(Members { members })), &[saw]);
    let many = vec![Member { node: vec![3; 32], addresses: vec![] }; GOSSIP_MEMBERS_MAX + 1];
    let saw = Saw::Members(vec![(vec![3; 32], vec![]); GOSSIP_MEMBERS_MAX]);
    assert_harmless(&control(Body::Members(Members { members: many })), &[saw]);

    // Our own lists are cut before they are sent, or the peer would take them for an attack.
    let mut pair = Pair::ready(&[LaneSet::ALL]);
    let far_too_many: Vec<String> = (0..1000).map(|n| format!("tcp+tls://{n:0>900}")).collect();
    let member = Member { addresses: far_too_many.clone(), ..member };
    pair.session(A).introduce_addresses(far_too_many.clone());
    pair.session(A).gossip([member]);
    pair.drive();
    let kept = far_too_many[..ADDRESSES_PER_NODE_MAX].to_vec();
    assert_eq!(pair.saw(B), [Saw::Introduced(kept.clone()), Saw::Members(vec![(vec![3; 32], kept)])]);
}

#[test]
fn long_lists_of_our_own_go_in_frames_that_the_peer_takes() {
    let mut pair = Pair::ready(&[LaneSet::ALL]);
    let entries: Vec<Publication> = (0..1000)
        .map(|n| Publication {
            actor: n,
            message: u64::MAX,
            kind: 1,
            label: "é".repeat(LABEL_BYTES_MAX / 2),
            scope: "é".repeat(LABEL_BYTES_MAX / 2),
            ..Publication::default()
        })
        .collect();
    pair.written(0, A);
    pair.session(A).publish(&entries);
    pair.session(A).unpublish(&entries);
    pair.drive();
    let longest = frames(&pair.written(0, A)).iter().map(|frame| frame.body.len()).max();
    assert!(longest <= Some(CONTROL_BODY_BYTES_MAX), "{longest:?}");
    let told = pair.saw(B);
    let entries_told = told.iter().map(|saw| match saw {
        Saw::Published(entries) | Saw::Unpublished(entries) => entries.len(),
        other => panic!("{other:?}"),
    });
    assert_eq!(entries_told.sum::<usize>(), 2000);
}

proptest! {
    /// A violation of the peer's never costs what was received before it.
    #[test]
    fn what_came_before_a_violation_was_delivered(notes: Vec<u32>) {
        let mut pair = Pair::ready(&[LaneSet::ALL]);
        for note in &notes {
            pair.send(A, 1, Letter::Note(*note)).unwrap();
        }
        pair.drive();
        pair.inject(0, A, &[0; 8]);
        pair.drive();
        prop_assert!(pair.session(B).ended().is_some());
        prop_assert_eq!(super::notes(pair.received(B)), notes);
    }
}

/// The same where the bytes answer the call, which is the first.
fn struck_by_answer(bytes: &[u8]) -> (Pair, Vec<Saw>) {
    let mut pair = Pair::ready(&[LaneSet::ALL]);
    let reply = pair.call(B, None, |port| Letter::Ask(1, port));
    pair.drive();
    pair.inject(0, A, bytes);
    pair.drive();
    let saw = pair.saw(B);
    drop(reply);
    (pair, saw)
}

fn large(number: u32, kind: Kind, length: u32) -> Vec<u8> {
    frame(Kind::Large, number, &Head { kind, index: 0, length }.to_bytes())
}

fn part(number: u32, bytes: usize) -> Vec<u8> {
    frame(Kind::Part, number, &vec![0; bytes])
}

#[test]
fn w07_parts_that_are_not_cut_as_they_must_be() {
    const LENGTH: u32 = FRAME_BODY_BYTES_MAX as u32 + 1;
    let bad = "a message in parts that are not cut as they must be";
    let begun = [define(0), large(0, Kind::Cast, LENGTH)].concat();
    assert_harmless(&begun, &[]);
    assert_violation(&large(0, Kind::Cast, LENGTH - 1), bad);
    assert_violation(&large(0, Kind::Cast, MESSAGE_BYTES_MAX as u32 + 1), bad);
    assert_violation(&large(0, Kind::Cast, u32::MAX), bad);
    assert_violation(&large(16, Kind::Cast, LENGTH), bad);
    assert_violation(&[begun.clone(), large(0, Kind::Cast, LENGTH)].concat(), bad);
    assert_violation(&part(0, PART_BYTES), bad);
    assert_violation(&[begun.clone(), part(0, PART_BYTES - 1)].concat(), bad);
    assert_violation(&[begun.clone(), part(0, PART_BYTES + 1)].concat(), bad);
    assert_violation(&[begun.clone(), part(1, PART_BYTES)].concat(), bad);
    let whole = [begun, part(0, PART_BYTES), part(0, PART_BYTES), part(0, 1)].concat();
    assert_harmless(&whole, &[Saw::Message]);
    let other = "a large frame of nothing that can be large";
    assert_violation(&frame(Kind::Large, 0, &[0; 7]), other);
    assert_violation(&large(0, Kind::Define, LENGTH), other);
    // Of an undefined type, which is seen when it is whole.
    let parts = [large(0, Kind::Cast, LENGTH), part(0, PART_BYTES), part(0, PART_BYTES), part(0, 1)];
    assert_violation(&parts.concat(), "a message of an undefined type");
    let answer = [large(0, Kind::Reply, LENGTH), part(0, PART_BYTES), part(0, PART_BYTES), part(0, 1)];
    let (_, saw) = struck_by_answer(&answer.concat());
    assert_eq!(saw, [Saw::Misanswered], "it is no number");
}

#[test]
fn w17_a_message_in_parts_costs_credit_when_it_is_announced() {
    let length = MESSAGE_BYTES_MAX as u32;
    let larges = |kind, count| (0..count).flat_map(|number| large(number, kind, length)).collect::<Vec<_>>();
    // Each costs half a window.
    assert_harmless(&larges(Kind::Cast, 3), &[]);
    assert_violation(&larges(Kind::Cast, 4), "more data than there was credit for");
    assert_harmless(&larges(Kind::Reply, 3), &[]);
}
