//! Who gets in and who does not, and what each side is told.

use prost::Message;

use super::{A, B};
use crate::id::{Incarnation, NodeId, NodeLife};
use crate::limits::{MESSAGE_BYTES_MAX_LEAST, NODE_NAME_BYTES_MAX, WINDOW_BYTES_LEAST};
use crate::session::handshake::HandshakeError as Error;
use crate::session::handshake::{Decision, SessionId};
use crate::testing::pair::{Node, Outcome, Present, Shaken, shake, shake_through};
use crate::wire::frame::{HEADER_BYTES, Kind};
use crate::wire::hello::{Handshake, Hello, Step};

fn id(number: u8) -> NodeId {
    NodeId::from_bytes([number; 32])
}

fn refused(error: Error) -> Error {
    Error::Refused(Box::new(error))
}

fn violation(detail: &str) -> Error {
    Error::Violation(detail.to_owned())
}

/// Nodes that know each other by the transport, and have no secret.
fn certified() -> (Node, Node) {
    (Node::new(1).secret(None).sees(id(2)), Node::new(2).secret(None).sees(id(1)))
}

fn assert_done(shaken: Shaken) {
    assert_eq!(shaken.frames.iter().map(|(from, _)| *from).collect::<Vec<_>>(), [A, B, A, B]);
    let (of_dialler, of_acceptor) = (shaken.dialler.peer(), shaken.acceptor.peer());
    let life = |number: u8| NodeLife::new(id(number), Incarnation::from_u64(number.into()));
    assert_eq!((of_dialler.life, of_acceptor.life), (life(2), life(1)));
    assert_eq!((&*of_dialler.name, &*of_acceptor.name), ("node-2", "node-1"));
    assert_eq!((of_dialler.lanes, of_acceptor.lanes), (super::every_lane(), super::every_lane()));
    assert_eq!(of_dialler.session, of_acceptor.session);
    assert_eq!((of_dialler.dialler, of_acceptor.dialler), (id(1), id(1)));
}

fn assert_failed(what: &str, shaken: Shaken, dialler: Error, acceptor: Error) {
    assert_eq!(shaken.dialler, Outcome::Failed(dialler), "{what}: the dialler");
    assert_eq!(shaken.acceptor, Outcome::Failed(acceptor), "{what}: the acceptor");
}

#[test]
fn those_who_belong_together_get_in() {
    let (one, two) = (Node::new(1), Node::new(2));
    assert_done(shake(&one, &two));
    assert_done(shake(&one.clone().binding(None), &two.clone().binding(None)));
    assert_done(shake(&one.clone().sees(id(2)), &two.sees(id(1))));
    let (one, two) = certified();
    assert_done(shake(&one, &two));
    let expecting = Node { expected: Some(id(2)), ..one };
    assert_done(shake(&expecting, &two));
}

#[test]
fn w09_the_secret_is_proven_by_both_or_nobody_gets_in() {
    let (one, two) = (Node::new(1), Node::new(2));
    let wrong = || Some("another secret");
    let lost = (Error::Secret, refused(Error::Secret));
    assert_failed("wrong", shake(&one.clone().secret(wrong()), &two), lost.0.clone(), lost.1.clone());

    let [knows, knows_not] = [one.sees(id(2)), certified().0];
    let two = two.sees(id(1));
    assert_failed("only the dialler has one", shake(&knows, &certified().1), lost.0, lost.1);
    let shaken = shake(&knows_not, &two);
    assert_failed("only the acceptor has one", shaken, refused(Error::Secret), Error::Secret);
}

#[test]
fn w10_a_stream_without_an_identity_needs_a_secret_on_both_sides() {
    let (with, without) = (Node::new(1), Node::new(2).secret(None));
    let shaken = shake(&with, &without);
    assert_eq!((shaken.dialler, shaken.acceptor.error()), (Outcome::Waiting, Error::NoSecret));
    let shaken = shake(&without, &with);
    assert_eq!((shaken.dialler.error(), shaken.acceptor), (Error::NoSecret, Outcome::Waiting));
    assert!(shaken.frames.is_empty(), "it says nothing at all");
}

#[test]
fn w11_a_peer_is_who_the_transport_says_and_who_was_dialled() {
    let (one, two) = certified();
    let text = "the peer is 0303030303030303030303030303030303030303030303030303030303030303, not \
                0202020202020202020202020202020202020202020202020202020202020202: \
                check the address, and its certificate or key";
    let wrong = Error::Identity { claimed: id(2), actual: id(3) };
    let shaken = shake(&one.clone().sees(id(3)), &two);
    assert_failed("the acceptor's certificate", shaken, wrong, refused(violation(text)));

    let wrong = Error::Identity { claimed: id(1), actual: id(3) };
    let shaken = shake(&one, &two.clone().sees(id(3)));
    assert_eq!(shaken.acceptor.error(), wrong);
    assert!(matches!(shaken.dialler.error(), Error::Refused(_)));

    let wrong = Error::Identity { claimed: id(3), actual: id(2) };
    let shaken = shake(&Node { expected: Some(id(3)), ..one }, &two);
    assert_eq!(shaken.dialler.error(), wrong);
    assert!(matches!(shaken.acceptor.error(), Error::Refused(_)));
}

#[test]
fn a_node_does_not_talk_to_itself() {
    let (one, mirror) = (Node::new(1), Node { nonce: [9; 32], ..Node::new(1) });
    assert_failed("itself", shake(&one, &mirror), refused(Error::Myself), Error::Myself);
}

#[test]
fn another_cluster_is_told_so_in_a_way_that_machines_understand() {
    let mut two = Node::new(2);
    two.myself.cluster = "another".into();
    let shaken = shake(&Node::new(1), &two);
    let cluster = || Error::Cluster("test".into());
    assert_failed("another cluster", shaken, refused(cluster()), cluster());
}

#[test]
fn a_refusal_after_the_proofs_reaches_the_dialler() {
    for refusal in [Error::Stale, Error::Busy, Error::Changed] {
        let two = Node { refusal: Some(refusal.clone()), ..Node::new(2) };
        assert_failed("refused", shake(&Node::new(1), &two), refused(refusal.clone()), refusal);
    }
}

#[test]
fn limits_that_no_message_fits_in_are_refused() {
    let two = || Node::new(2);
    let small = violation("limits too small to talk");
    let least = (MESSAGE_BYTES_MAX_LEAST, WINDOW_BYTES_LEAST);
    assert_done(shake(&Node::new(1).limits(least.0, least.1), &two().limits(least.0, least.1)));
    for (body, window) in [(least.0 - 1, least.1), (least.0, least.1 - 1)] {
        let modest = Node::new(1).limits(body, window);
        assert_failed("dialler", shake(&modest, &two()), refused(violation("")), small.clone());
        let modest = two().limits(body, window);
        assert_failed("acceptor", shake(&Node::new(1), &modest), small.clone(), refused(violation("")));
    }
}

/// Shakes hands, certified and so without a proof of the words, with one of the
/// hellos edited.
fn edited(edited_frame: usize, edit: impl Fn(&mut Hello)) -> Shaken {
    let (one, two) = certified();
    shake_through(&one, &two, |_, number, frame| {
        if number != edited_frame {
            return frame.to_vec();
        }
        let mut message = Handshake::decode(&frame[HEADER_BYTES..]).unwrap();
        let (Some(Step::Hello(bytes)) | Some(Step::Answer(crate::wire::hello::Answer { hello: bytes, .. }))) =
            &mut message.step
        else {
            panic!("the first two frames hold a hello")
        };
        let mut hello = Hello::decode(&bytes[..]).unwrap();
        edit(&mut hello);
        *bytes = hello.encode_to_vec();
        super::frame(Kind::Handshake, 0, &message.encode_to_vec())
    })
}

/// What the reader of an edited hello makes of it.
fn judged(edit: impl Fn(&mut Hello) + Copy) -> [Option<Error>; 2] {
    let as_error = |outcome: Outcome| match outcome {
        Outcome::Failed(error) => Some(error),
        _ => None,
    };
    let (of_dialler, of_acceptor) = (edited(0, edit), edited(1, edit));
    if let Outcome::Failed(error) = &of_dialler.dialler {
        assert!(matches!(error, Error::Refused(_)), "the other side is told: {error}");
    }
    [as_error(of_dialler.acceptor), as_error(of_acceptor.dialler)]
}

#[test]
fn versions_must_overlap() {
    for (min, max) in [(1, 1), (0, 1), (1, 9), (0, u32::MAX)] {
        let judged = judged(|hello| (hello.version_min, hello.version_max) = (min, max));
        assert_eq!(judged, [None, None], "{min} to {max}");
    }
    for (min, max) in [(0, 0), (2, 2), (2, u32::MAX), (1, 0), (9, 1)] {
        let judged = judged(|hello| (hello.version_min, hello.version_max) = (min, max));
        let expected = Some(Error::Version { min, max });
        assert_eq!(judged, [expected.clone(), expected], "{min} to {max}");
    }
    let told = edited(0, |hello| (hello.version_min, hello.version_max) = (2, 3)).dialler;
    assert_eq!(told.error(), refused(Error::Version { min: 1, max: 1 }), "it says what we speak");
}

#[test]
fn a_hello_is_judged_word_by_word() {
    let long = &"x".repeat(NODE_NAME_BYTES_MAX + 1);
    let fits = &long[1..];
    assert_eq!(judged(|hello| hello.name = fits.to_owned()), [None, None]);
    let expect = |edit: &dyn Fn(&mut Hello), detail: &str| {
        let error = Some(violation(detail));
        assert_eq!(judged(edit), [error.clone(), error]);
    };
    expect(&|hello| hello.name.clone_from(long), "a name over the limit");
    expect(&|hello| hello.cluster.clone_from(long), "a name over the limit");
    expect(&|hello| hello.nonce.truncate(31), "a nonce of another length");
    expect(&|hello| hello.nonce.push(0), "a nonce of another length");
    let no_id = "a node identity is 32 bytes, written as 64 hexadecimal digits";
    expect(&|hello| hello.node.truncate(31), no_id);
    for lanes in [0, 16, 31, 256, 1 << 11, 1 << 31] {
        let [by_acceptor, by_dialler] = judged(|hello| hello.lanes = lanes);
        assert_eq!(by_acceptor, Some(violation("a stream that carries no known lane")), "{lanes}");
        assert_eq!(by_dialler, None, "the acceptor's lanes mean nothing");
    }
    for data_lanes in [0, 9, 257] {
        let [by_acceptor, by_dialler] = judged(|hello| hello.data_lanes = data_lanes);
        assert_eq!(by_acceptor, Some(violation("a stream that carries no known lane")), "{data_lanes}");
        assert_eq!(by_dialler, None, "the acceptor's lanes mean nothing");
    }
    assert_eq!(judged(|hello| (hello.data_lanes, hello.lanes) = (8, 1 << 9)), [None, None]);
}

/// A stream that joins: both sides have the session, and say so.
#[test]
fn a_second_stream_joins_the_session_of_the_first() {
    let (mut one, mut two) = (Node::new(1), Node::new(2));
    let first = shake(&one, &two);
    let (of_one, of_two) = (first.dialler.peer(), first.acceptor.peer());
    assert_eq!(of_one.session, one.session, "the dialler names it");
    assert_eq!((of_one.had, of_one.decide(one.myself.life.node, None, false)), (None, Decision::Begin));
    (one.present, two.present) = (Some(Present::silent(&of_one)), Some(Present::silent(&of_two)));
    one.session = SessionId::new(77);
    let second = shake(&one, &two);
    for peer in [second.dialler.peer(), second.acceptor.peer()] {
        assert_eq!((peer.session, peer.had), (of_one.session, Some(of_one.session)));
    }
    // One of them has lost it: the stream begins another, and it is over for both.
    for forgetful in [A, B] {
        let (mut one, mut two) = (one.clone(), two.clone());
        if forgetful == A {
            one.present = None;
        } else {
            two.present = None;
        }
        let third = shake(&one, &two);
        for peer in [third.dialler.peer(), third.acceptor.peer()] {
            assert_eq!(peer.session, SessionId::new(77));
        }
    }
}
