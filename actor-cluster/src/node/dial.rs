//! The way to other nodes: dial, shake hands, hand the streams to a session.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};

use bytes::Bytes;

use super::Node;
use super::admit::{Admitted, Proposing, Rejected};
use super::handshaking::{self, Failure};
use super::link::{Link, LinkState, Origin};
use super::parting::{Held, Refusal};
use crate::error::{ConnectError, HandshakeError};
use crate::event::NodeEvent;
use crate::id::NodeId;
use crate::limits::REDIAL_PAUSE;
use crate::locked::locked;
use crate::session::handshake::Carried;
use crate::transport::{Address, CloseCode, CloseReason, ClusterBidiStream, Connection, LaneSet};
use crate::wire::lanes::LaneIds;

/// Dials to one address take turns: the second finds the session that the first began,
/// instead of beginning one that takes its place.
#[derive(Default)]
pub(super) struct Dials {
    turns: Mutex<BTreeMap<Address, Weak<Turns>>>,
}

type Turns = tokio::sync::Mutex<()>;

impl Dials {
    fn of(&self, address: &Address) -> Arc<Turns> {
        let mut turns = locked(&self.turns);
        turns.retain(|_, turns| turns.strong_count() > 0);
        let known = turns.get(address).and_then(Weak::upgrade);
        let ours = known.unwrap_or_default();
        turns.insert(address.clone(), Arc::downgrade(&ours));
        ours
    }
}

/// Dials a node and waits until the session with it is ready.
pub(super) async fn connect(
    node: &Arc<Node>,
    address: &Address,
    expected: Option<NodeId>,
) -> Result<Arc<Link>, ConnectError> {
    connect_unless(node, address, expected, || None).await
}

/// As [`connect`], unless there is a session with the node when it is its turn, or another dial brings one: then that one, if it gets ready.
pub(super) async fn reach(
    node: &Arc<Node>,
    address: &Address,
    member: NodeId,
) -> Result<Arc<Link>, ConnectError> {
    let present = || locked(&node.peers).present.get(&member)?.link().filter(|link| link.ended().is_none());
    connect_unless(node, address, Some(member), present).await
}

async fn connect_unless(
    node: &Arc<Node>,
    address: &Address,
    expected: Option<NodeId>,
    present: impl Fn() -> Option<Arc<Link>>,
) -> Result<Arc<Link>, ConnectError> {
    let patience = node.handshake_timeout();
    let turns = node.dials.of(address);
    let attempts = async {
        let _turn = turns.lock().await;
        let mut pause = REDIAL_PAUSE;
        loop {
            if let Some(link) = present()
                && let Ok(link) = ready(node, link).await
            {
                return Ok(link);
            }
            let whom = expected.map_or(Whom::Anybody, Whom::Node);
            match dial(node, address, whom).await {
                // The other stream's session is on its way, if it is not there yet.
                Err((_, is_passing)) if is_passing => node.executor().sleep(pause).await,
                done => return done,
            }
            pause *= 2;
        }
    };
    let link = match node.executor().timeout(patience, attempts).await {
        Ok(dialled) => dialled.map_err(|(error, _)| error)?,
        Err(_) => return Err(ConnectError::TimedOut(patience)),
    };
    ready(node, link).await
}

/// Dials a peer whose session here has lost its streams.
pub(super) async fn rejoin(node: &Arc<Node>, address: &Address, link: &Link) -> Result<(), ConnectError> {
    let patience = node.handshake_timeout();
    let turns = node.dials.of(address);
    let attempt = async {
        let _turn = turns.lock().await;
        if link.is_whole() { Ok(()) } else { dial_for(node, address, link).await }
    };
    node.executor().timeout(patience, attempt).await.unwrap_or(Err(ConnectError::TimedOut(patience)))
}

/// Dials a peer for more streams of its session here.
pub(super) async fn join(node: &Arc<Node>, address: &Address, link: &Link) -> Result<(), ConnectError> {
    let patience = node.handshake_timeout();
    let turns = node.dials.of(address);
    let attempt = async {
        let _turn = turns.lock().await;
        dial_for(node, address, link).await
    };
    node.executor().timeout(patience, attempt).await.unwrap_or(Err(ConnectError::TimedOut(patience)))
}

async fn dial_for(node: &Arc<Node>, address: &Address, link: &Link) -> Result<(), ConnectError> {
    let dialled = dial(node, address, Whom::PeerOf(link)).await;
    dialled.map(drop).map_err(|(error, _)| error)
}

/// Begins a session, or joins one, over a stream that somebody else has dialled.
pub(super) async fn connect_external(
    node: &Arc<Node>,
    stream: Box<dyn ClusterBidiStream>,
) -> Result<Arc<Link>, ConnectError> {
    node.tell(NodeEvent::Opened { label: stream.label() });
    let patience = node.handshake_timeout();
    let carried =
        streams_of(&[LaneSet::ALL], None).next().map_or_else(Carried::default, |(_, carried)| carried);
    let shaken = node
        .executor()
        .timeout(patience, shake(node, stream, carried, Whom::Anybody, Origin::External))
        .await;
    match shaken {
        Ok(Ok(link)) => ready(node, link).await,
        Ok(Err(refusal)) => Err(node.part(refusal, Held::default())),
        Err(_) => Err(ConnectError::TimedOut(patience)),
    }
}

/// Waits until a session is ready, or the one that took its place because the peer had lost it.
pub(super) async fn ready(node: &Arc<Node>, link: Arc<Link>) -> Result<Arc<Link>, ConnectError> {
    let patience = node.handshake_timeout();
    let settled = async {
        let mut link = link;
        loop {
            match link.settled().await {
                LinkState::Ended(reason) => {
                    let successor = locked(&node.peers).live(link.info.life());
                    link = successor.ok_or(ConnectError::Ended(reason))?;
                }
                LinkState::Opening | LinkState::Ready => return Ok(link),
            }
        }
    };
    let settled = node.executor().timeout(patience, settled).await;
    settled.unwrap_or(Err(ConnectError::TimedOut(patience)))
}

/// The streams of a transport that carry anything, and what each carries in a session with so
/// many data lanes, or with as many as suit the transport.
fn streams_of(streams: &[LaneSet], data_lanes: Option<u8>) -> impl Iterator<Item = (LaneSet, Carried)> {
    let (data_lanes, lanes) = match data_lanes {
        Some(data_lanes) => (data_lanes, LaneIds::spread_over(streams, data_lanes)),
        None => LaneIds::spread(streams),
    };
    let carried = lanes.into_iter().map(move |lanes| Carried { lanes, data_lanes });
    streams.iter().copied().zip(carried).filter(|(_, carried)| !carried.lanes.is_empty())
}

/// Who is to answer.
#[derive(Clone, Copy)]
pub(super) enum Whom<'a> {
    Anybody,
    Node(NodeId),
    /// The peer of a session that wants streams, for as long as it does.
    PeerOf(&'a Link),
}

impl Whom<'_> {
    fn node(self) -> Option<NodeId> {
        match self {
            Whom::Anybody => None,
            Whom::Node(node) => Some(node),
            Whom::PeerOf(link) => Some(link.info.node),
        }
    }

    /// How many data lanes the streams are for, if that is settled.
    fn data_lanes(self) -> Option<u8> {
        match self {
            Whom::PeerOf(link) => Some(link.data_lanes),
            Whom::Anybody | Whom::Node(_) => None,
        }
    }

    /// Whether nobody is wanted any more.
    pub(super) fn is_over(self) -> bool {
        matches!(self, Whom::PeerOf(link) if link.ended().is_some())
    }
}

/// A connection whose streams are being opened. Given up before its end, it takes those along that a session has already: they
/// would be streams for some lanes that nobody sees to.
struct Opening<'a> {
    connection: &'a dyn Connection,
    is_done: bool,
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            self.connection.close(&CloseReason::new(CloseCode::Lost, "the dial was given up"));
        }
    }
}

/// Dials once. An error comes with whether it is worth while to try again.
async fn dial(
    node: &Arc<Node>,
    address: &Address,
    whom: Whom<'_>,
) -> Result<Arc<Link>, (ConnectError, bool)> {
    let transport = node.transport(address.scheme());
    let transport =
        transport.ok_or_else(|| (ConnectError::NoTransport(address.scheme().to_owned()), false))?;
    let connection = transport.dial(address).await.map_err(|error| (error.into(), false))?;
    node.tell(NodeEvent::Opened { label: connection.label() });
    let streams = streams_of(transport.streams(), whom.data_lanes());
    let mut opening = Opening { connection: &*connection, is_done: false };
    let opened = open_streams(node, &*connection, streams, whom, address).await;
    opening.is_done = true;
    drop(opening);
    match opened {
        Ok(link) => {
            link.note_dialled(address);
            Ok(link)
        }
        Err(refusal) => {
            let is_passing = refusal.is_passing;
            Err((node.part(refusal, Held::connection(connection)), is_passing))
        }
    }
}

/// Opens every stream that the transport wants, the most urgent first: the session
/// begins with that one, and the others join it.
async fn open_streams(
    node: &Arc<Node>,
    connection: &dyn Connection,
    streams: impl Iterator<Item = (LaneSet, Carried)>,
    whom: Whom<'_>,
    address: &Address,
) -> Result<Arc<Link>, Refusal> {
    let mut session: Option<Arc<Link>> = None;
    for (kinds, carried) in streams {
        let opened = connection.open(kinds).await.map_err(Refusal::silent);
        let shaken = match opened {
            Ok(stream) => shake(node, stream, carried, whom, Origin::Dialled(address.clone())).await,
            Err(refusal) => Err(refusal),
        };
        let link = match (shaken, &session) {
            (Ok(link), Some(session)) if !Arc::ptr_eq(session, &link) => {
                // The first one's is over, and this one began another without the rest.
                return Err(Refusal::silent(HandshakeError::Changed));
            }
            (Ok(link), _) => link,
            // The peer closes a connection whose session was replaced.
            (Err(refusal), Some(_)) => return Err(refusal.passing()),
            (Err(refusal), None) => return Err(refusal),
        };
        session = Some(link);
    }
    let none = || CloseReason::new(CloseCode::Lost, "the transport opens no streams");
    session.ok_or_else(|| Refusal::silent(ConnectError::Ended(none())))
}

async fn shake(
    node: &Arc<Node>,
    mut stream: Box<dyn ClusterBidiStream>,
    carried: Carried,
    whom: Whom<'_>,
    origin: Origin,
) -> Result<Arc<Link>, Refusal> {
    let mut proposing = Proposing::begin(node, whom);
    let shaken = handshaking::dial(node, &mut proposing, &mut *stream, carried, whom.node()).await;
    let (peer, rest) = match shaken {
        Ok(shaken) => shaken,
        // Nothing was said yet, and nothing needs to be.
        Err(Failure::Handshake(HandshakeError::NoSecret)) => {
            return Err(Refusal::silent(HandshakeError::NoSecret));
        }
        Err(Failure::Handshake(error)) => return Err(Refusal::told(error, stream)),
        Err(Failure::Stream(error)) => return Err(Refusal::silent(error)),
    };
    match node.admit(peer, origin, stream, Bytes::new(), rest) {
        // A spare is closed by being dropped.
        Ok(Admitted { link, .. }) => Ok(link),
        // The peer thinks that the session has begun: the end of the stream tells it.
        Err(Rejected { error, .. }) => Err(Refusal::silent(error)),
    }
}
