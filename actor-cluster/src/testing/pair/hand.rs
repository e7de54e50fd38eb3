//! One end of a stream until it belongs to a session: a handshake and what became
//! of it. Must not live here: bytes on their way (`pair.rs`).

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::Side;
use crate::event::PeerInfo;
use crate::id::{Incarnation, NodeId, NodeLife};
use crate::limits::{HANDSHAKE_BODY_BYTES_MAX, MESSAGE_BYTES_MAX, WINDOW_BYTES};
use crate::session::Config;
use crate::session::capabilities::Capabilities;
use crate::session::handshake::{
    Acceptor, Carried, Channel, Decision, Dialler, HandshakeError, Live, Myself, Offer, Peer, Progress,
    Proposal, Proposals, Secrets, SessionId, Sessions, accept, propose,
};
use crate::session::heartbeat::Pace;
use crate::transport::{ChannelBinding, LaneSet, PeerIdentity};
use crate::wire::frame::{Frame, read_frame};
use crate::wire::lanes::LaneIds;

/// How one of the two nodes is set up.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) myself: Myself,
    /// What its transport says of the streams to the other node.
    pub(crate) channel: Channel,
    pub(crate) nonce: [u8; 32],
    /// What it calls a session that it begins.
    pub(crate) session: SessionId,
    /// The session that it has when a handshake begins.
    pub(crate) present: Option<Present>,
    /// Whom it means to dial.
    pub(crate) expected: Option<NodeId>,
    /// What it says to a peer that has proven itself, instead of letting it in.
    pub(crate) refusal: Option<HandshakeError>,
    /// Who may have a session with it.
    pub(crate) lets_in: fn(&PeerInfo) -> Result<(), HandshakeError>,
    pub(crate) pace: Pace,
    pub(crate) patience: Duration,
    pub(crate) resume_timeout: Duration,
    /// How many data lanes the sessions have that it dials.
    pub(crate) data_lanes: u8,
}

impl Node {
    /// A node on an anonymous channel with the cluster's secret.
    pub(crate) fn new(number: u8) -> Self {
        Self {
            myself: Myself {
                cluster: "test".into(),
                life: NodeLife::new(
                    NodeId::from_bytes([number; 32]),
                    Incarnation::from_u64(u64::from(number)),
                ),
                name: format!("node-{number}"),
                secrets: Some(Secrets::of(&[b"a shared secret"])),
                message_bytes_max: u32::try_from(MESSAGE_BYTES_MAX).expect("it is below 24 bits"),
                window_bytes: WINDOW_BYTES,
                wants_dead_letters: false,
                capabilities: Capabilities::OURS,
            },
            channel: Channel {
                identity: PeerIdentity::Anonymous,
                binding: Some(ChannelBinding::new([0xc4; 32])),
            },
            nonce: [0xe0 | number; 32],
            session: SessionId::new(0x5e55_0000 | u64::from(number)),
            present: None,
            expected: None,
            refusal: None,
            lets_in: |_| Ok(()),
            pace: Pace { interval: Duration::from_secs(1), timeout: Duration::from_secs(5) },
            patience: Duration::from_secs(10),
            resume_timeout: Duration::from_secs(5),
            data_lanes: 1,
        }
    }

    /// What a stream of these kinds of lanes carries that it dials. With data goes bulk.
    pub(crate) fn carried(&self, kinds: LaneSet) -> Carried {
        let data_lanes = self.data_lanes;
        let [lanes] = LaneIds::spread_over(&[kinds], data_lanes)[..] else { unreachable!("one stream") };
        Carried { lanes, data_lanes }
    }

    pub(crate) fn secret(mut self, secret: Option<&str>) -> Self {
        self.myself.secrets = secret.map(|secret| Secrets::of(&[secret.as_bytes()]));
        self
    }

    /// The first is the current one.
    pub(crate) fn secrets(mut self, secrets: &[&str]) -> Self {
        let secrets: Vec<_> = secrets.iter().map(|secret| secret.as_bytes()).collect();
        self.myself.secrets = Some(Secrets::of(&secrets));
        self
    }

    /// The transport has proven who the peer is.
    pub(crate) fn sees(mut self, peer: NodeId) -> Self {
        self.channel.identity = PeerIdentity::Node(peer);
        self
    }

    pub(crate) fn binding(mut self, binding: Option<[u8; 32]>) -> Self {
        self.channel.binding = binding.map(ChannelBinding::new);
        self
    }

    pub(crate) fn limits(mut self, message_bytes_max: usize, window_bytes: u64) -> Self {
        self.myself.message_bytes_max = u32::try_from(message_bytes_max).expect("a limit of 32 bits");
        self.myself.window_bytes = window_bytes;
        self
    }

    pub(crate) fn config(&self) -> Config {
        Config {
            pace: self.pace,
            patience: self.patience,
            resume_timeout: self.resume_timeout,
            message_bytes_max: self.myself.message_bytes_max as usize,
            window_bytes: self.myself.window_bytes,
            wants_dead_letters: self.myself.wants_dead_letters,
        }
    }
}

/// What became of one end's handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Waiting,
    Done(Peer),
    Failed(HandshakeError),
}

impl Outcome {
    /// # Panics
    ///
    /// If the handshake is not done.
    pub(crate) fn peer(self) -> Peer {
        match self {
            Outcome::Done(peer) => peer,
            other => panic!("the handshake is not done: {other:?}"),
        }
    }

    /// # Panics
    ///
    /// If the handshake has not failed.
    pub(crate) fn error(self) -> HandshakeError {
        match self {
            Outcome::Failed(error) => error,
            other => panic!("the handshake has not failed: {other:?}"),
        }
    }
}

/// One end's handshake.
#[derive(Debug)]
pub(crate) struct Hand {
    myself: NodeId,
    step: Step,
    /// The session that it proposes, until it is done.
    proposed: Option<SessionId>,
    refusal: Option<HandshakeError>,
    lets_in: fn(&PeerInfo) -> Result<(), HandshakeError>,
    pub(crate) outcome: Outcome,
}

#[derive(Debug)]
enum Step {
    Dialler(Dialler),
    Acceptor(Acceptor),
    Over,
}

impl Hand {
    /// The dialling end, and its hello.
    pub(crate) fn dial(node: &Node, lanes: LaneSet) -> (Self, Option<Bytes>) {
        let Node { myself, channel, nonce, session, expected, .. } = node.clone();
        let started = Dialler::start(myself, channel, node.carried(lanes), nonce, session, expected);
        let (step, hello) = match started {
            Ok((dialler, hello)) => (Ok(Step::Dialler(dialler)), Some(hello)),
            Err(error) => (Err(error), None),
        };
        (Self::begin(node, step), hello)
    }

    /// The accepting end.
    pub(crate) fn accept(node: &Node) -> Self {
        let started = Acceptor::start(node.myself.clone(), node.channel, node.nonce);
        Self::begin(node, started.map(Step::Acceptor))
    }

    fn begin(node: &Node, step: Result<Step, HandshakeError>) -> Self {
        let (step, outcome) = match step {
            Ok(step) => (step, Outcome::Waiting),
            Err(error) => (Step::Over, Outcome::Failed(error)),
        };
        let (refusal, lets_in) = (node.refusal.clone(), node.lets_in);
        Self { myself: node.myself.life.node, step, proposed: None, refusal, lets_in, outcome }
    }

    /// The session that it has proposed and waits for the peer's word on.
    pub(crate) fn proposed(&self) -> Option<SessionId> {
        self.proposed.filter(|_| self.outcome == Outcome::Waiting)
    }

    /// Takes a frame; what to send in return. `present` is whom there is a session
    /// with.
    pub(crate) fn handle_frame(&mut self, frame: &Frame, present: Option<&Present>) -> Option<Bytes> {
        self.handle_frame_beside(frame, present, &[])
    }

    /// The same, and other hands of the same node have `proposed` sessions.
    pub(crate) fn handle_frame_beside(
        &mut self,
        frame: &Frame,
        present: Option<&Present>,
        proposed: &[SessionId],
    ) -> Option<Bytes> {
        let mut here = Here { present, proposed, lets_in: self.lets_in, made: None };
        let result = match std::mem::replace(&mut self.step, Step::Over) {
            Step::Dialler(dialler) => match dialler.handle_frame(frame, &mut here) {
                Ok(Progress::Continue { send, next }) => Ok((Some(send), Step::Dialler(next))),
                Ok(Progress::Done { peer }) => self.admit(peer, &here).map(|()| (None, Step::Over)),
                Err(error) => Err(error),
            },
            Step::Acceptor(acceptor) => match acceptor.handle_frame(frame, &here) {
                Ok(Progress::Continue { send, next }) => Ok((Some(send), Step::Acceptor(next))),
                Ok(Progress::Done { peer }) => self.admit(peer, &here).map(|()| (Some(accept()), Step::Over)),
                Err(error) => Err(error),
            },
            Step::Over => return None,
        };
        self.proposed = here.made.or(self.proposed);
        match result {
            Ok((send, step)) => {
                self.step = step;
                send
            }
            Err(error) => {
                let refusal = error.refusal();
                self.fail(error);
                Some(refusal)
            }
        }
    }

    fn admit(&mut self, peer: Peer, here: &Here<'_>) -> Result<(), HandshakeError> {
        if let Some(refusal) = self.refusal.take() {
            return Err(refusal);
        }
        let live = here.live(peer.life);
        if peer.decide(self.myself, live, !here.proposed.is_empty()) == Decision::Changed {
            return Err(HandshakeError::Changed);
        }
        self.outcome = Outcome::Done(peer);
        Ok(())
    }

    /// What came is no frame.
    pub(crate) fn fail(&mut self, error: HandshakeError) {
        self.step = Step::Over;
        self.outcome = Outcome::Failed(error);
    }
}

/// Whom there is a session with, and which.
#[derive(Clone, Debug)]
pub(crate) struct Present {
    pub(crate) peer: Peer,
    pub(crate) live: Live,
}

impl Present {
    /// A session in which nothing was said yet.
    pub(crate) fn silent(peer: &Peer) -> Self {
        Self { peer: peer.clone(), live: Live::of(peer, false) }
    }
}

/// What a side has and proposes when a frame comes.
struct Here<'a> {
    present: Option<&'a Present>,
    proposed: &'a [SessionId],
    lets_in: fn(&PeerInfo) -> Result<(), HandshakeError>,
    /// What it proposes because of the frame.
    made: Option<SessionId>,
}

impl Here<'_> {
    fn present(&self, life: NodeLife) -> Option<&Present> {
        self.present.filter(|present| present.peer.life == life)
    }
}

impl Sessions for Here<'_> {
    fn let_in(&self, peer: &PeerInfo) -> Result<(), HandshakeError> {
        (self.lets_in)(peer)
    }

    fn live(&self, life: NodeLife) -> Option<SessionId> {
        self.present(life).map(|present| present.live.session)
    }
}

impl Proposals for Here<'_> {
    fn let_in(&self, peer: &PeerInfo) -> Result<(), HandshakeError> {
        (self.lets_in)(peer)
    }

    fn propose(&mut self, peer: &PeerInfo, offer: Offer) -> Result<Proposal, HandshakeError> {
        let live = self.present(peer.life()).map(|present| present.live);
        let is_proposed = offer.named.is_some_and(|named| self.proposed.contains(&named));
        let proposal = propose(offer, live, is_proposed)?;
        self.made = proposal.is_new().then_some(proposal.session);
        Ok(proposal)
    }
}

/// A whole handshake without a stream under it.
#[derive(Clone, Debug)]
pub(crate) struct Shaken {
    pub(crate) dialler: Outcome,
    pub(crate) acceptor: Outcome,
    /// All frames, as they were sent.
    pub(crate) frames: Vec<(Side, Bytes)>,
}

/// Runs a handshake over a perfect channel.
pub(crate) fn shake(dialler: &Node, acceptor: &Node) -> Shaken {
    shake_through(dialler, acceptor, |_, _, frame| frame.to_vec())
}

/// Runs a handshake over a channel that may replace what it carries: it is given
/// the sender, how many frames were sent before, and the frame.
pub(crate) fn shake_through(
    dialler: &Node,
    acceptor: &Node,
    mut carry: impl FnMut(Side, usize, &Bytes) -> Vec<u8>,
) -> Shaken {
    let (hand, hello) = Hand::dial(dialler, LaneSet::ALL);
    let mut hands = [hand, Hand::accept(acceptor)];
    let mut inboxes = [BytesMut::new(), BytesMut::new()];
    let mut frames = Vec::new();
    let mut sent: Vec<(Side, Bytes)> = hello.map(|hello| (Side::Dialler, hello)).into_iter().collect();
    while let Some((from, bytes)) = sent.pop() {
        let to = from.other();
        let inbox = &mut inboxes[to.index()];
        inbox.extend_from_slice(&carry(from, frames.len(), &bytes));
        frames.push((from, bytes));
        let hand = &mut hands[to.index()];
        loop {
            match read_frame(inbox, HANDSHAKE_BODY_BYTES_MAX) {
                Ok(Some(frame)) => {
                    let present = [&dialler.present, &acceptor.present][to.index()].as_ref();
                    sent.extend(hand.handle_frame(&frame, present).map(|send| (to, send)));
                }
                Ok(None) => break,
                Err(error) => {
                    hand.fail(HandshakeError::Violation(error.to_string()));
                    break;
                }
            }
        }
    }
    let [dialler, acceptor] = hands.map(|hand| hand.outcome);
    Shaken { dialler, acceptor, frames }
}
