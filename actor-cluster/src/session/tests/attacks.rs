//! Who attacks the handshake itself, by kind of attack; the words are those of `docs/PROTOCOL.md` §3.2. What is recorded, bent or
//! cut off stands in `hostile_handshake.rs`, and in `fuzzing/` for whatever comes.

use prost::Message;

use super::{A, B};
use crate::event::PeerInfo;
use crate::id::{Incarnation, NodeId};
use crate::limits::{MESSAGE_BYTES_MAX_LEAST, WINDOW_BYTES_LEAST};
use crate::session::handshake::{HandshakeError as Error, is_stale, outrank};
use crate::testing::pair::{Hand, Node, Outcome, Shaken, shake, shake_through};
use crate::transport::LaneSet;
use crate::wire::frame::{HEADER_BYTES, Kind};
use crate::wire::hello::{Answer, Confirm, Handshake, Hello, Step};

fn id(number: u8) -> NodeId {
    NodeId::from_bytes([number; 32])
}

fn nodes() -> (Node, Node) {
    (Node::new(1), Node::new(2))
}

fn refused(error: Error) -> Error {
    Error::Refused(Box::new(error))
}

fn step(frame: &[u8]) -> Step {
    Handshake::decode(&frame[HEADER_BYTES..]).unwrap().step.unwrap()
}

fn encoded(step: Step) -> Vec<u8> {
    super::frame(Kind::Handshake, 0, &Handshake { step: Some(step) }.encode_to_vec())
}

fn answer_of(shaken: &Shaken) -> Answer {
    match step(&shaken.frames[1].1) {
        Step::Answer(answer) => answer,
        other => panic!("the second frame is the answer, not {other:?}"),
    }
}

/// Hands one frame to an end.
fn tell(hand: &mut Hand, frame: &[u8]) -> Option<Step> {
    hand.handle_frame(&super::frames(frame)[0], None).map(|answer| step(&answer))
}

fn is_in(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Done(_))
}

#[test]
fn attack_reflection_of_a_hello_gets_no_proof() {
    // Somebody dials the victim, who dials too, and says what the victim says.
    let (victim, _) = nodes();
    let (_, hello) = Hand::dial(&victim, LaneSet::ALL);
    let mut acceptor = Hand::accept(&Node { nonce: [0x99; 32], ..victim });
    let told = tell(&mut acceptor, &hello.unwrap());
    assert!(matches!(told, Some(Step::Refuse(_))), "{told:?}");
    assert_eq!(acceptor.outcome, Outcome::Failed(Error::Myself));
}

/// The victim dials somebody who plays node 2 and knows nothing. He dials the victim as node 2 meanwhile, and passes on whatever
/// the victim proves there.
#[test]
fn attack_reflection_between_two_handshakes_of_one_node_gets_nobody_in() {
    let (victim, impostor) = nodes();
    let (mut dialling, hello) = Hand::dial(&victim, LaneSet::ALL);
    let mut accepting = Hand::accept(&Node { nonce: [0x99; 32], ..victim.clone() });
    // He says the same hello on both, and even the nonces are his choice.
    let shaken = shake(&victim, &impostor);
    let ours = answer_of(&shaken).hello;
    let Some(Step::Answer(theirs)) = tell(&mut accepting, &encoded(Step::Hello(ours.clone()))) else {
        panic!("the victim answers");
    };
    for hello in [ours, theirs.hello.clone()] {
        let reflected = Answer { hello, ..theirs.clone() };
        let (mut dialling, _) = Hand::dial(&victim, LaneSet::ALL);
        let told = tell(&mut dialling, &encoded(Step::Answer(reflected)));
        assert!(matches!(told, Some(Step::Refuse(_))), "{told:?}");
        assert!(matches!(dialling.outcome, Outcome::Failed(Error::Secret | Error::Myself)));
    }
    // Nor is its own proof, of either role, what it takes from others.
    let confirm = Confirm { proof: theirs.proof.clone(), session: 7 };
    assert_eq!(tell(&mut accepting, &encoded(Step::Confirm(confirm))).map(|_| ()), Some(()));
    assert_eq!(accepting.outcome, Outcome::Failed(Error::Secret));
    drop(hello);
    tell(&mut dialling, &encoded(Step::Answer(theirs)));
    assert!(!is_in(&dialling.outcome));
}

/// A node with a certificate and the secret stands between two others, and hands on each frame as it is.
#[test]
fn attack_relay_by_a_node_that_belongs_to_the_cluster_is_noticed_by_who_it_is() {
    let (one, two) = nodes();
    // Both see the one in the middle, with whom the channels are.
    let (one, two) = (one.sees(id(3)), two.sees(id(3)));
    let shaken = shake(&one, &two);
    assert_eq!(shaken.acceptor.error(), Error::Identity { claimed: id(1), actual: id(3) });
    assert!(matches!(shaken.dialler.error(), Error::Refused(_)));
}

#[test]
fn attack_relay_between_two_channels_is_noticed_by_their_bindings() {
    let (one, two) = nodes();
    for (ours, theirs) in [(Some([1; 32]), Some([2; 32])), (Some([1; 32]), None), (None, Some([2; 32]))] {
        let shaken = shake(&one.clone().binding(ours), &two.clone().binding(theirs));
        assert_eq!(shaken.dialler.error(), Error::Secret, "{ours:?} {theirs:?}");
        assert_eq!(
            shaken.acceptor.error(),
            refused(Error::Secret),
            "no proof of the dialler's was given away"
        );
    }
}

/// What is *not* defended: on a stream that has no binding, whoever carries the bytes is in the middle of the session, too. The
/// proofs say who is at the ends, and that the words of the handshake are theirs, and no more.
#[test]
fn attack_relay_on_streams_without_a_binding_is_not_noticed() {
    let (one, two) = nodes();
    let shaken = shake(&one.binding(None), &two.binding(None));
    assert!(is_in(&shaken.dialler) && is_in(&shaken.acceptor));
}

/// Somebody in the middle makes one of the two say less than it does, on a channel that does not protect its bytes.
#[test]
fn attack_downgrade_of_any_word_gets_nobody_in() {
    let edits: [(&str, Edit); 12] = [
        ("no capabilities", |hello| hello.capabilities = 0),
        ("fewer capabilities", |hello| hello.capabilities &= hello.capabilities - 1),
        ("more capabilities", |hello| hello.capabilities = u64::MAX),
        ("an older version", |hello| hello.version_min = 0),
        ("a later version", |hello| hello.version_max = 9),
        ("reports", |hello| hello.reports ^= 1),
        ("short messages", |hello| hello.message_bytes_max = MESSAGE_BYTES_MAX_LEAST as u32),
        ("a narrow window", |hello| hello.window_bytes = WINDOW_BYTES_LEAST),
        ("a wide window", |hello| hello.window_bytes = u64::MAX),
        ("a former life", |hello| hello.incarnation -= 1),
        ("another name", |hello| hello.name = "node-9".to_owned()),
        ("lanes", |hello| (hello.lanes, hello.data_lanes) = (3, 2)),
    ];
    for (what, edit) in edits {
        for number in [0, 1] {
            let (one, two) = nodes();
            let shaken = shake_through(&one, &two, |_, at, frame| match (at == number, step(frame)) {
                (true, Step::Hello(hello)) => encoded(Step::Hello(edited(&hello, edit))),
                (true, Step::Answer(answer)) => {
                    encoded(Step::Answer(Answer { hello: edited(&answer.hello, edit), ..answer }))
                }
                _ => frame.to_vec(),
            });
            assert_eq!(shaken.dialler.error(), Error::Secret, "{what} in frame {number}");
            assert_eq!(shaken.acceptor.error(), refused(Error::Secret), "{what} in frame {number}");
        }
    }
}

/// What is made of a hello.
type Edit = fn(&mut Hello);

fn edited(hello: &[u8], edit: Edit) -> Vec<u8> {
    let mut hello = Hello::decode(hello).unwrap();
    edit(&mut hello);
    hello.encode_to_vec()
}

/// The demand for a proof is nothing that is said, so nobody can take it back: who has a secret demands one.
#[test]
fn attack_downgrade_to_no_secret_gets_nobody_in() {
    for is_certified in [true, false] {
        let (one, two) = nodes();
        let (one, two) = if is_certified { (one.sees(id(2)), two.sees(id(1))) } else { (one, two) };
        for number in [1, 2] {
            let shaken = shake_through(&one, &two, |_, at, frame| match (at == number, step(frame)) {
                (true, Step::Answer(answer)) => encoded(Step::Answer(Answer { proof: Vec::new(), ..answer })),
                (true, Step::Confirm(confirm)) => {
                    encoded(Step::Confirm(Confirm { proof: Vec::new(), ..confirm }))
                }
                _ => frame.to_vec(),
            });
            let loser = if number == 1 { shaken.dialler } else { shaken.acceptor };
            assert_eq!(loser.error(), Error::Secret, "frame {number}, certified: {is_certified}");
        }
    }
}

/// Whoever answers at a node's address gets its hello, and nothing to try guesses against.
#[test]
fn attack_guessing_by_who_is_dialled_gets_no_proof() {
    let (one, two) = nodes();
    let honest = answer_of(&shake(&one, &two));
    let stranger = answer_of(&shake(&one.clone().secret(Some("guess")), &two.secret(Some("guess"))));
    let proofs = [Vec::new(), vec![0; 32], honest.proof[..31].to_vec(), stranger.proof];
    for proof in proofs {
        let (mut dialler, _) = Hand::dial(&one, LaneSet::ALL);
        let answer = Answer { proof, ..honest.clone() };
        let told = tell(&mut dialler, &encoded(Step::Answer(answer)));
        assert!(matches!(told, Some(Step::Refuse(_))), "{told:?}");
        assert_eq!(dialler.outcome, Outcome::Failed(Error::Secret));
    }
}

fn nobody(_: &PeerInfo) -> Result<(), Error> {
    Err(Error::Forbidden)
}

/// Who may not join is told so as soon as it is known who it is, and gets neither a proof nor the name of a session.
#[test]
fn attack_guessing_by_who_may_not_join_gets_no_proof() {
    let (one, two) = nodes();
    let (one, two) = (one.sees(id(2)), two.sees(id(1)));
    let closed = Node { lets_in: nobody, ..two.clone() };
    let shaken = shake(&one, &closed);
    let steps: Vec<_> = shaken.frames.iter().map(|(_, frame)| step(frame)).collect();
    assert!(matches!(&steps[..], [Step::Hello(_), Step::Refuse(_), ..]), "{steps:?}");
    assert_eq!(
        (shaken.dialler.error(), shaken.acceptor.error()),
        (refused(Error::Forbidden), Error::Forbidden)
    );

    let closed = Node { lets_in: nobody, ..one };
    let shaken = shake(&closed, &two);
    let steps: Vec<_> = shaken.frames.iter().map(|(_, frame)| step(frame)).collect();
    assert!(matches!(&steps[..], [Step::Hello(_), Step::Answer(_), Step::Refuse(_), ..]), "{steps:?}");
    assert_eq!(
        (shaken.dialler.error(), shaken.acceptor.error()),
        (Error::Forbidden, refused(Error::Forbidden))
    );
}

/// Without a certificate nobody is anybody before the proof, so it is asked then.
#[test]
fn who_may_not_join_is_refused_after_its_proof_where_nothing_else_says_who_it_is() {
    let (one, two) = nodes();
    let only_proven = |peer: &PeerInfo| if peer.is_proven { Ok(()) } else { Err(Error::Forbidden) };
    let shaken = shake(&one, &Node { lets_in: only_proven, ..two.clone() });
    assert_eq!(shaken.frames.iter().map(|(from, _)| *from).take(4).collect::<Vec<_>>(), [A, B, A, B]);
    assert!(matches!(step(&shaken.frames[3].1), Step::Refuse(_)));
    assert_eq!(
        (shaken.dialler.error(), shaken.acceptor.error()),
        (refused(Error::Forbidden), Error::Forbidden)
    );
    let shaken = shake(&one.sees(id(2)), &Node { lets_in: only_proven, ..two.sees(id(1)) });
    assert!(is_in(&shaken.dialler) && is_in(&shaken.acceptor));
}

/// While a secret is replaced: every pair of steps, in both directions. Those next to each other understand each other.
#[test]
fn secrets_are_replaced_step_by_step() {
    let steps: [&[&str]; 4] = [&["old"], &["old", "new"], &["new", "old"], &["new"]];
    for (at_dialler, ours) in steps.iter().enumerate() {
        for (at_acceptor, theirs) in steps.iter().enumerate() {
            let (one, two) = nodes();
            let shaken = shake(&one.secrets(ours), &two.secrets(theirs));
            let is_known = ours.contains(&theirs[0]);
            let what = format!("{ours:?} dials {theirs:?}");
            assert_eq!([is_in(&shaken.dialler), is_in(&shaken.acceptor)], [is_known; 2], "{what}");
            assert!(is_known || at_dialler.abs_diff(at_acceptor) > 1, "{what}");
        }
    }
}

/// Accepted beside the current one it opens doors to acceptors, not to diallers: those have to prove what the acceptor proves.
#[test]
fn attack_with_a_replaced_secret_gets_no_dialler_in() {
    let (one, two) = nodes();
    let shaken = shake(&one.secrets(&["new"]), &two.secrets(&["new", "old"]));
    let Step::Confirm(confirm) = step(&shaken.frames[2].1) else { panic!("the third frame is the confirm") };
    let (thief, two) = nodes();
    // He cannot check the answer, so he answers as if he had.
    let with_old = shake(&thief.clone().secrets(&["old"]), &two.clone().secrets(&["old"]));
    let Step::Confirm(old) = step(&with_old.frames[2].1) else { panic!("the third frame is the confirm") };
    assert_ne!(old.proof, confirm.proof);
    let (_, hello) = Hand::dial(&thief.secrets(&["old"]), LaneSet::ALL);
    let mut acceptor = Hand::accept(&two.secrets(&["new", "old"]));
    tell(&mut acceptor, &hello.unwrap());
    tell(&mut acceptor, &encoded(Step::Confirm(old)));
    assert_eq!(acceptor.outcome, Outcome::Failed(Error::Secret));
}

#[test]
fn secrets_are_in_no_text_of_a_handshake() {
    let (one, two) = nodes();
    let (dialler, hello) =
        Hand::dial(&one.clone().secrets(&["hunter2 hunter2 hunter2", "old"]), LaneSet::ALL);
    let mut acceptor = Hand::accept(&two.secrets(&["hunter2 hunter2 hunter2"]));
    tell(&mut acceptor, &hello.unwrap());
    let bytes = format!("{:?}", b"hunter2");
    let bytes = bytes.trim_matches(['[', ']']);
    for text in [format!("{dialler:?}"), format!("{acceptor:?}"), format!("{one:?}")] {
        assert!(!text.contains("hunter2") && !text.contains(bytes), "{text}");
        assert!(text.contains("Secret"), "it was there to be seen: {text}");
    }
}

/// What one stream has proven is not taken over by another that has not.
#[test]
fn attack_with_the_secret_alone_displaces_nobody_who_was_proven() {
    for (is_proven, live, expected) in [
        (true, None, Ok(())),
        (false, None, Ok(())),
        (true, Some(true), Ok(())),
        (true, Some(false), Ok(())),
        (false, Some(false), Ok(())),
        (false, Some(true), Err(Error::Unproven)),
    ] {
        assert_eq!(outrank(is_proven, live), expected, "{is_proven} beside {live:?}");
    }
    let life = Incarnation::from_u64;
    for (of, is_proven, live, expected) in [
        (1, true, (1, true), false),
        (1, true, (2, true), true),
        (2, true, (1, true), false),
        (1, false, (2, false), true),
        (1, false, (2, true), true),
        // Somebody says to be a later life of the node.
        (1, true, (2, false), false),
    ] {
        let (latest, is_live_proven) = live;
        assert_eq!(
            is_stale(life(of), is_proven, (life(latest), is_live_proven)),
            expected,
            "{of} {is_proven} {live:?}"
        );
    }
}
