//! A handshake on whose way somebody stands: nobody is let in who does not know the secret, and
//! who is let in is who was promised.

use arbitrary::{Arbitrary, Unstructured};
use bytes::{Bytes, BytesMut};

use crate::event::PeerInfo;
use crate::id::{Incarnation, NodeId, NodeLife};
use crate::limits::{HANDSHAKE_BODY_BYTES_MAX, MESSAGE_BYTES_MAX_LEAST, WINDOW_BYTES};
use crate::session::capabilities::Capabilities;
use crate::session::handshake::{
    Acceptor, Carried, Channel, Dialler, HandshakeError, Myself, Offer, Peer, Progress, Proposal, Proposals,
    Secrets as Known, SessionId, Sessions, accept, propose,
};
use crate::transport::{ChannelBinding, LaneSet, PeerIdentity};
use crate::wire::frame::{Frame, Kind, read_frame, write_frame};
use crate::wire::lanes::{LaneId, LaneIds};

/// What becomes of an honest handshake.
#[derive(Debug, Arbitrary)]
struct Input {
    secrets: Secrets,
    /// Which of the four frames is touched.
    number: u8,
    change: Change,
}

#[derive(Clone, Copy, Debug, PartialEq, Arbitrary)]
enum Secrets {
    Same,
    Different,
    /// Only the transport proves who is who.
    None,
}

#[derive(Debug, Arbitrary)]
enum Change {
    Flip {
        at: u16,
        with: u8,
    },
    Remove {
        at: u16,
        count: u8,
    },
    Insert {
        at: u16,
        bytes: Vec<u8>,
    },
    /// The whole frame is another's.
    Replace(Vec<u8>),
    /// Its body is.
    Body(Vec<u8>),
    /// It comes twice.
    Repeat,
}

/// # Panics
///
/// If somebody is let in who should not be, or as somebody else.
pub fn handshake(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let honest = shake(input.secrets, |_, frame| frame.to_vec());
    let ends = shake(input.secrets, |number, frame| {
        if number == usize::from(input.number % 4) { input.change.apply(frame) } else { frame.to_vec() }
    });
    for (end, honest) in ends.into_iter().zip(honest) {
        match (input.secrets, end, honest) {
            (Secrets::Different, Some(Ok(peer)), _) => panic!("a stranger was let in: {peer:?}"),
            (Secrets::Same, Some(Ok(peer)), Some(Ok(promised))) => assert_eq!(peer, promised),
            // Nobody has sworn to more than that.
            (Secrets::None, Some(Ok(peer)), Some(Ok(promised))) => {
                assert_eq!(peer.life.node, promised.life.node);
            }
            (Secrets::Same | Secrets::None, _, honest) => {
                assert!(matches!(honest, Some(Ok(_))), "{honest:?}");
            }
            (Secrets::Different, ..) => {}
        }
    }
}

impl Change {
    fn apply(&self, frame: &Bytes) -> Vec<u8> {
        let mut bytes = frame.to_vec();
        let place = |at: &u16| usize::from(*at) % frame.len();
        match self {
            Change::Flip { at, with } => bytes[place(at)] ^= with,
            Change::Remove { at, count } => {
                let end = (place(at) + usize::from(*count)).min(bytes.len());
                drop(bytes.drain(place(at)..end));
            }
            Change::Insert { at, bytes: new } => drop(bytes.splice(place(at)..place(at), new.clone())),
            Change::Replace(new) => bytes.clone_from(new),
            Change::Body(body) if body.len() <= HANDSHAKE_BODY_BYTES_MAX => {
                let mut buffer = BytesMut::new();
                write_frame(&mut buffer, Kind::Handshake, LaneId::NONE, 0, &[body]);
                bytes = buffer.to_vec();
            }
            Change::Body(_) => {}
            Change::Repeat => bytes.extend_from_slice(frame),
        }
        bytes
    }
}

/// What became of one end; `None` while it waits.
type End = Option<Result<Peer, HandshakeError>>;

enum Machine {
    Dialler(Dialler),
    Acceptor(Acceptor),
    Over,
}

/// Runs a handshake whose frames go through `carry`, which is told how many went before.
fn shake(secrets: Secrets, carry: impl Fn(usize, &Bytes) -> Vec<u8>) -> [End; 2] {
    let [(dialler, seen_by_dialler), (acceptor, seen_by_acceptor)] =
        [1, 2].map(|number| node(number, secrets));
    let carried = Carried { lanes: LaneIds::of_kinds(LaneSet::ALL, 2), data_lanes: 2 };
    let begun = Dialler::start(dialler, seen_by_dialler, carried, [1; 32], SessionId::new(7), None);
    let (dialler, hello) = begun.expect("a node may dial");
    let acceptor = Acceptor::start(acceptor, seen_by_acceptor, [2; 32]).expect("a node may be dialled");
    let mut machines = [Machine::Dialler(dialler), Machine::Acceptor(acceptor)];
    let mut inboxes = [BytesMut::new(), BytesMut::new()];
    let mut ends = [None, None];
    let mut under_way = vec![(1, hello)];
    let mut number = 0;
    while let Some((to, bytes)) = under_way.pop() {
        inboxes[to].extend_from_slice(&carry(number, &bytes));
        number += 1;
        loop {
            match read_frame(&mut inboxes[to], HANDSHAKE_BODY_BYTES_MAX) {
                Ok(Some(frame)) => {
                    let sent = step(&mut machines[to], &mut ends[to], &frame);
                    under_way.extend(sent.map(|sent| (1 - to, sent)));
                }
                Ok(None) => break,
                Err(error) => {
                    machines[to] = Machine::Over;
                    ends[to].get_or_insert(Err(HandshakeError::Violation(error.to_string())));
                    break;
                }
            }
        }
    }
    ends
}

fn step(machine: &mut Machine, end: &mut End, frame: &Frame) -> Option<Bytes> {
    let done = match std::mem::replace(machine, Machine::Over) {
        Machine::Dialler(dialler) => match dialler.handle_frame(frame, &mut Nobody) {
            Ok(Progress::Continue { send, next }) => {
                *machine = Machine::Dialler(next);
                return Some(send);
            }
            Ok(Progress::Done { peer }) => Ok((peer, None)),
            Err(error) => Err(error),
        },
        Machine::Acceptor(acceptor) => match acceptor.handle_frame(frame, &Nobody) {
            Ok(Progress::Continue { send, next }) => {
                *machine = Machine::Acceptor(next);
                return Some(send);
            }
            Ok(Progress::Done { peer }) => Ok((peer, Some(accept()))),
            Err(error) => Err(error),
        },
        Machine::Over => return None,
    };
    match done {
        Ok((peer, send)) => {
            *end = Some(Ok(peer));
            send
        }
        Err(error) => {
            let refusal = error.refusal();
            *end = Some(Err(error));
            Some(refusal)
        }
    }
}

/// One of the two, and what its transport says of the other.
fn node(number: u8, secrets: Secrets) -> (Myself, Channel) {
    let secret = match secrets {
        Secrets::Same => Some(&b"a shared secret"[..]),
        Secrets::Different => Some(&[number; 20][..]),
        Secrets::None => None,
    };
    let of = |number: u8| NodeId::from_bytes([number; 32]);
    let identity = match secrets {
        Secrets::None => PeerIdentity::Node(of(3 - number)),
        Secrets::Same | Secrets::Different => PeerIdentity::Anonymous,
    };
    let myself = Myself {
        cluster: "fuzzed".to_owned(),
        life: NodeLife::new(of(number), Incarnation::from_u64(u64::from(number))),
        name: format!("node-{number}"),
        secrets: secret.map(|secret| Known::of(&[secret])),
        message_bytes_max: u32::try_from(MESSAGE_BYTES_MAX_LEAST).unwrap_or(u32::MAX),
        window_bytes: WINDOW_BYTES,
        wants_dead_letters: false,
        capabilities: Capabilities::OURS,
    };
    (myself, Channel { identity, binding: Some(ChannelBinding::new([0xc4; 32])) })
}

/// There is no other session.
struct Nobody;

impl Sessions for Nobody {
    fn let_in(&self, _: &PeerInfo) -> Result<(), HandshakeError> {
        Ok(())
    }

    fn live(&self, _: NodeLife) -> Option<SessionId> {
        None
    }
}

impl Proposals for Nobody {
    fn let_in(&self, _: &PeerInfo) -> Result<(), HandshakeError> {
        Ok(())
    }

    fn propose(&mut self, _: &PeerInfo, offer: Offer) -> Result<Proposal, HandshakeError> {
        propose(offer, None, false)
    }
}
