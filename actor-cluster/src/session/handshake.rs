//! The handshake of one stream, as a machine: `docs/PROTOCOL.md` §3.
//!
//! ```text
//!  dialler                                   acceptor
//!  AwaitAnswer ── Hello ──────────────────►  AwaitHello
//!              ◄────────── Answer + proof ── AwaitConfirm: says which session it has
//!  AwaitAccept ── Confirm + proof ────────►  done: the node admits or refuses
//!  done        ◄───────────────── Accept ──
//! ```
//!
//! The dialler decides whether the stream joins a session that both sides have, or
//! proposes a new one, and the acceptor decides. Of two nodes that propose one at the same time
//! the greater one lets the other's in, see [`Peer::decide`].
//!
//! Every proof is an HMAC-SHA-256 under the cluster's secret over everything said
//! so far, both identities, incarnations, names and nonces among it, over the
//! role of who proves, and over the channel's binding. So it can neither be
//! guessed offline from less than the whole exchange, nor reflected, nor carried
//! over to another channel.
//!
//! Who may have a session at all is for [`Sessions`] and [`Proposals`] to say, as soon as it is known who asks, and
//! on either side before it says which session it wants.

mod said;
mod secrets;

use bytes::{Bytes, BytesMut};
use prost::Message;

use self::said::{Role, Said};
pub(crate) use self::secrets::Secret;
pub use self::secrets::{SecretError, Secrets};
use super::capabilities::Capabilities;
pub(crate) use super::choice::{
    Decision, Live, Offer, Proposal, Proposals, SessionId, Sessions, is_stale, outrank, propose,
};
use crate::event::PeerInfo;
use crate::id::{Incarnation, NodeId, NodeLife};
use crate::limits::DATA_LANES_MAX;
use crate::transport::{ChannelBinding, PeerIdentity};
use crate::wire::frame::{Frame, Kind, write_frame};
use crate::wire::hello::{Accept, Answer, Confirm, Handshake, Hello, Refuse, Step};
use crate::wire::lanes::{LaneId, LaneIds};

/// The protocol versions this node speaks.
pub(crate) const VERSIONS: std::ops::RangeInclusive<u32> = 1..=1;

const NONCE_BYTES: usize = 32;

/// What this node says of itself in every handshake.
#[derive(Clone, Debug)]
pub(crate) struct Myself {
    pub(crate) cluster: String,
    pub(crate) life: NodeLife,
    pub(crate) name: String,
    pub(crate) secrets: Option<Secrets>,
    pub(crate) message_bytes_max: u32,
    pub(crate) window_bytes: u64,
    /// Whether peers are to tell this node of its casts that die.
    pub(crate) wants_dead_letters: bool,
    /// What it can do beyond its version.
    pub(crate) capabilities: Capabilities,
}

/// What a stream carries. The default is nothing, which is what an acceptor says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Carried {
    pub(crate) lanes: LaneIds,
    /// How many data lanes a session has that begins with the stream.
    pub(crate) data_lanes: u8,
}

impl Carried {
    fn from_wire(lanes: u32, data_lanes: u32) -> Option<Self> {
        let data_lanes =
            u8::try_from(data_lanes).ok().filter(|lanes| (1..=DATA_LANES_MAX).contains(lanes))?;
        let lanes = LaneIds::from_bits(lanes)?;
        let is_one_of = |lane: LaneId| LaneId::all(data_lanes).any(|known| known == lane);
        lanes.iter().all(is_one_of).then_some(Self { lanes, data_lanes })
    }
}

/// What the transport knows about the stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Channel {
    pub(crate) identity: PeerIdentity,
    pub(crate) binding: Option<ChannelBinding>,
}

/// Who is at the other end, proven as far as the stream and the secret allow, and
/// which session the stream is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) life: NodeLife,
    pub(crate) name: String,
    /// Whether the transport has proven that it is this node. If not, it knows the secret, and says so.
    pub(crate) is_proven: bool,
    pub(crate) lanes: LaneIds,
    /// How many data lanes a session has that begins with the stream.
    pub(crate) data_lanes: u8,
    pub(crate) message_bytes_max: usize,
    pub(crate) window_bytes: u64,
    pub(crate) capabilities: Capabilities,
    /// Whether it wants to be told of its casts that die.
    pub(crate) wants_dead_letters: bool,
    pub(crate) session: SessionId,
    /// The session that this side had when the two agreed.
    pub(crate) had: Option<SessionId>,
    /// Who dialled.
    pub(crate) dialler: NodeId,
}

impl Peer {
    pub(crate) fn info(&self) -> PeerInfo {
        let NodeLife { node, incarnation } = self.life;
        PeerInfo { node, incarnation, name: self.name.clone(), is_proven: self.is_proven }
    }
}

/// Why a handshake came to nothing, sorted by who can do something about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The stream has no identity of its own and no secret is configured here.
    #[error("the stream does not say who the peer is, and no shared secret is configured")]
    NoSecret,
    /// The peer's proof is missing or wrong: the secrets differ.
    #[error("the peer does not know the shared secret")]
    Secret,
    /// The peer speaks no version that this node speaks.
    #[error("the peer speaks protocol versions {min} to {max}")]
    Version {
        /// The oldest it speaks.
        min: u32,
        /// The newest it speaks.
        max: u32,
    },
    /// The peer belongs to another cluster.
    #[error("the peer belongs to cluster {0:?}")]
    Cluster(String),
    /// The peer is not who it says, or not who was dialled.
    #[error("the peer is {actual}, not {claimed}: check the address, and its certificate or key")]
    Identity {
        /// Who it should be.
        claimed: NodeId,
        /// Who the stream says it is.
        actual: NodeId,
    },
    /// The peer is this very node.
    #[error("the node has dialled itself")]
    Myself,
    /// Another stream to the same node was faster. Dial again.
    #[error("the sessions with the node changed meanwhile")]
    Changed,
    /// A later incarnation of the peer is here already.
    #[error("a later incarnation of the node is connected")]
    Stale,
    /// The node shuts down, or has as many sessions as it may.
    #[error("the node takes no more sessions")]
    Busy,
    /// The [rights](crate::Authorize::may_join) of the node that refuses do not let the other in.
    #[error("the peer may not join: grant it `join` in the rights of the node that refuses it")]
    Forbidden,
    /// There is a session with the node that the peer says to be, and that one's transport has proven it; the
    /// peer's has not. Whoever knows the secret could say so.
    #[error(
        "the stream does not prove which node the peer is, and a session with that node does: let it dial with the \
         transport that proves it, or end that session first"
    )]
    Unproven,
    /// The peer broke the protocol.
    #[error("protocol violation: {0}")]
    Violation(String),
    /// The peer refused us.
    #[error("refused by the peer: {0}")]
    Refused(Box<HandshakeError>),
}

impl HandshakeError {
    fn code(&self) -> u32 {
        match self {
            Self::NoSecret => 1,
            Self::Secret => 2,
            Self::Version { .. } => 3,
            Self::Cluster(_) => 4,
            Self::Identity { .. } => 5,
            Self::Myself => 6,
            Self::Stale => 7,
            Self::Busy => 8,
            Self::Violation(_) | Self::Refused(_) => 9,
            Self::Changed => 10,
            Self::Forbidden => 11,
            Self::Unproven => 12,
        }
    }

    /// What the peer's refusal says of us: our versions, our cluster.
    fn from_refusal(refuse: &Refuse, cluster: &str) -> Self {
        let said = || refuse.detail.chars().filter(|c| !c.is_control()).take(200).collect::<String>();
        Self::Refused(Box::new(match refuse.code {
            1 => Self::NoSecret,
            2 => Self::Secret,
            3 => Self::Version { min: *VERSIONS.start(), max: *VERSIONS.end() },
            4 => Self::Cluster(cluster.to_owned()),
            6 => Self::Myself,
            7 => Self::Stale,
            8 => Self::Busy,
            10 => Self::Changed,
            11 => Self::Forbidden,
            12 => Self::Unproven,
            _ => Self::Violation(said()),
        }))
    }

    /// The frame that tells the peer. Nothing else is worth saying to it.
    pub(crate) fn refusal(&self) -> Bytes {
        let detail = match self {
            Self::Violation(_) | Self::Refused(_) => String::new(),
            // Both sides know the identities; the text names no more than that.
            _ => self.to_string(),
        };
        encode(Step::Refuse(Refuse { code: self.code(), detail }))
    }
}

/// What to do after a frame: send these bytes, then go on, or be done.
#[derive(Debug)]
pub(crate) enum Progress<Next> {
    Continue { send: Bytes, next: Next },
    Done { peer: Peer },
}

/// The dialling side.
#[derive(Debug)]
pub(crate) enum Dialler {
    AwaitAnswer { said: Said, session: SessionId },
    AwaitAccept { peer: Peer, cluster: String },
}

impl Dialler {
    /// Says hello. `session` is a new session's name, should one be begun;
    /// `expected` is whom the caller means to reach, if it knows.
    pub(crate) fn start(
        myself: Myself,
        channel: Channel,
        lanes: Carried,
        nonce: [u8; NONCE_BYTES],
        session: SessionId,
        expected: Option<NodeId>,
    ) -> Result<(Self, Bytes), HandshakeError> {
        let said = Said::new(myself, channel, lanes, expected)?;
        let hello = said.hello(nonce);
        let said = said.and(&hello);
        Ok((Self::AwaitAnswer { said, session }, encode(Step::Hello(hello))))
    }

    /// Takes the peer's next frame.
    pub(crate) fn handle_frame(
        self,
        frame: &Frame,
        proposals: &mut impl Proposals,
    ) -> Result<Progress<Self>, HandshakeError> {
        match (self, decode(frame)?) {
            (Self::AwaitAnswer { said, session }, Step::Answer(answer)) => {
                let hello = said.check_hello(&answer.hello)?;
                let said = said.and(&answer.hello).and_session(answer.session);
                // Nothing is proven to somebody who has proven nothing.
                let said = said.settle_secret(Role::Acceptor, &answer.proof)?;
                let who = said.who(&hello)?;
                proposals.let_in(&who)?;
                let offer = Offer { named: SessionId::from_wire(answer.session), new: session };
                let Proposal { session, had } = proposals.propose(&who, offer)?;
                let carried = said.lanes;
                let peer = said.peer(&hello, carried, session, had, said.myself.life.node)?;
                let wanted = SessionId::to_wire(Some(session));
                let said = said.and_session(wanted);
                let confirm = Confirm { proof: said.proof(Role::Dialler), session: wanted };
                let next = Self::AwaitAccept { peer, cluster: hello.cluster };
                Ok(Progress::Continue { send: encode(Step::Confirm(confirm)), next })
            }
            (Self::AwaitAccept { peer, .. }, Step::Accept(Accept {})) => Ok(Progress::Done { peer }),
            (Self::AwaitAnswer { said, .. }, Step::Refuse(refuse)) => {
                Err(HandshakeError::from_refusal(&refuse, &said.myself.cluster))
            }
            (Self::AwaitAccept { cluster, .. }, Step::Refuse(refuse)) => {
                Err(HandshakeError::from_refusal(&refuse, &cluster))
            }
            _ => Err(out_of_order()),
        }
    }
}

/// The accepting side.
#[derive(Debug)]
pub(crate) enum Acceptor {
    AwaitHello { said: Said, nonce: [u8; NONCE_BYTES] },
    AwaitConfirm { said: Said, hello: Hello, had: Option<SessionId> },
}

impl Acceptor {
    pub(crate) fn start(
        myself: Myself,
        channel: Channel,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<Self, HandshakeError> {
        Ok(Self::AwaitHello { said: Said::new(myself, channel, Carried::default(), None)?, nonce })
    }

    /// Takes the peer's next frame. After `Done` the caller either sends
    /// [`accept`] or a [refusal](HandshakeError::refusal).
    pub(crate) fn handle_frame(
        self,
        frame: &Frame,
        sessions: &impl Sessions,
    ) -> Result<Progress<Self>, HandshakeError> {
        match (self, decode(frame)?) {
            (Self::AwaitHello { said, nonce }, Step::Hello(theirs)) => {
                let hello = said.check_hello(&theirs)?;
                let who = said.who(&hello)?;
                if who.is_proven {
                    // What follows would only show it a proof to guess by.
                    sessions.let_in(&who)?;
                }
                let had = sessions.live(life_of(&hello)?);
                let session = SessionId::to_wire(had);
                let ours = said.hello(nonce);
                let said = said.and(&theirs).and(&ours).and_session(session);
                let answer = Answer { hello: ours, proof: said.proof(Role::Acceptor), session };
                let next = Self::AwaitConfirm { said, hello, had };
                Ok(Progress::Continue { send: encode(Step::Answer(answer)), next })
            }
            (Self::AwaitConfirm { said, hello, had }, Step::Confirm(confirm)) => {
                let said = said.and_session(confirm.session);
                said.check_proof(Role::Dialler, &confirm.proof)?;
                sessions.let_in(&said.who(&hello)?)?;
                let session = SessionId::from_wire(confirm.session);
                let session = session.ok_or_else(|| violation("a session without a name"))?;
                let lanes = Carried::from_wire(hello.lanes, hello.data_lanes);
                let lanes = lanes.ok_or_else(|| violation("a stream that carries no known lane"))?;
                let peer = said.peer(&hello, lanes, session, had, node_of(&hello)?)?;
                Ok(Progress::Done { peer })
            }
            (Self::AwaitConfirm { said, .. }, Step::Refuse(refuse)) => {
                Err(HandshakeError::from_refusal(&refuse, &said.myself.cluster))
            }
            _ => Err(out_of_order()),
        }
    }
}

/// The frame that ends a handshake well.
pub(crate) fn accept() -> Bytes {
    encode(Step::Accept(Accept {}))
}

fn node_of(hello: &Hello) -> Result<NodeId, HandshakeError> {
    NodeId::try_from(&hello.node[..]).map_err(|error| violation(&error.to_string()))
}

fn life_of(hello: &Hello) -> Result<NodeLife, HandshakeError> {
    Ok(NodeLife::new(node_of(hello)?, Incarnation::from_u64(hello.incarnation)))
}

fn violation(detail: &str) -> HandshakeError {
    HandshakeError::Violation(detail.to_owned())
}

fn out_of_order() -> HandshakeError {
    violation("a handshake step out of order")
}

fn encode(step: Step) -> Bytes {
    let body = Handshake { step: Some(step) }.encode_to_vec();
    let mut buffer = BytesMut::with_capacity(body.len() + 8);
    write_frame(&mut buffer, Kind::Handshake, LaneId::NONE, 0, &[&body]);
    buffer.freeze()
}

fn decode(frame: &Frame) -> Result<Step, HandshakeError> {
    if frame.kind != Kind::Handshake {
        return Err(out_of_order());
    }
    let message = Handshake::decode(&frame.body[..]).map_err(|error| violation(&error.to_string()))?;
    message.step.ok_or_else(out_of_order)
}
