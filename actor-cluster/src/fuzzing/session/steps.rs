//! What a peer, the way and the node may do, as the fuzzer chooses.

use arbitrary::Arbitrary;
use prost::Message;

use crate::wire::control::{
    Addresses, Body, Control, Down, Empty, Goodbye, Member, Members, Publication, Publications, Request,
    Watch,
};

#[derive(Debug, Arbitrary)]
pub(super) enum Step {
    /// The peer's next frame of a lane, in its place.
    Frame {
        stream: u8,
        lane: u8,
        frame: Content,
    },
    /// Frames that came before, once more: the last so many of a lane.
    Again {
        stream: u8,
        lane: u8,
        frames: u8,
    },
    /// A frame about a stream.
    About {
        stream: u8,
        about: About,
    },
    /// Whatever it is.
    Garbage {
        stream: u8,
        bytes: Vec<u8>,
    },
    Attach {
        lanes: u8,
    },
    Detach {
        stream: u8,
        code: u8,
    },
    Wait {
        millis: u16,
    },
    Send {
        actor: u8,
        bytes: u16,
        is_traced: bool,
    },
    Call {
        actor: u8,
        millis: Option<u16>,
    },
    /// The caller of the oldest call goes away.
    HangUp,
    Watch {
        actor: u8,
    },
    Unwatch {
        watch: u8,
    },
    Answer {
        call: u8,
    },
    /// A message has left the session.
    Deliver,
    Say(Say),
    Close,
}

/// What stands in a frame of a lane.
#[derive(Debug, Arbitrary)]
pub(super) enum Content {
    Define {
        index: Option<u8>,
        is_letter: bool,
    },
    Cast {
        index: u8,
        actor: u8,
        fields: Vec<u8>,
    },
    Call {
        index: u8,
        correlation: u8,
        micros: u64,
        fields: Vec<u8>,
    },
    /// An answer to a call from here, or to none.
    Reply {
        call: Option<u8>,
        value: Vec<u8>,
    },
    Failure {
        call: Option<u8>,
        code: u16,
        text: Vec<u8>,
    },
    Cancel {
        correlation: u8,
    },
    Control(Words),
    /// The beginning of a message in parts, and parts of it.
    Large {
        number: u8,
        kind: u8,
        length: u32,
    },
    Part {
        number: u8,
        bytes: u32,
    },
    /// What the next message brings along; `is_trace`, and not just bytes.
    Annotate {
        is_trace: bool,
        body: Vec<u8>,
    },
    Raw {
        kind: u8,
        index: u16,
        body: Vec<u8>,
    },
}

/// A control message.
#[derive(Debug, Arbitrary)]
pub(super) enum Words {
    Introduce(Vec<String>),
    Publish { actor: u8, kind: u8, label: String },
    Unpublish { actor: u8, kind: u8, label: String },
    Synced,
    Members { node: Vec<u8>, addresses: Vec<String> },
    Watch { watch: u8, actor: u8 },
    Unwatch(u8),
    Down { watch: u8, exit: u8, text: Option<String> },
    Request { actor: u8, request: u8, reason: Option<String> },
    Goodbye { code: u8, detail: String },
    Hold(u8),
    Release(u8),
    Unknown(Vec<u8>),
}

#[derive(Debug, Arbitrary)]
pub(super) enum About {
    Begin {
        lane: u8,
        offset: u64,
    },
    Take {
        lanes: u8,
    },
    /// Of what was written, so many parts in 255; and as much credit as may be.
    Ack {
        lane: u8,
        part: u8,
    },
    WildAck {
        lane: u8,
        received: u64,
        limit: u64,
    },
    Ping(u64),
    /// The answer to the last ping, or to none.
    Pong(Option<u64>),
}

/// What the node says.
#[derive(Debug, Arbitrary)]
pub(super) enum Say {
    Synced,
    Publish(u8),
    Unpublish(u8),
    Down { watch: u8 },
    Stop { actor: u8 },
    Hold(u8),
    Release(u8),
    Introduce,
    Gossip,
}

impl Words {
    /// The body of a frame.
    pub(super) fn encode(self) -> Vec<u8> {
        let publications = |actor: u8, kind: u8, label| Publications {
            entries: vec![Publication {
                actor: actor.into(),
                message: 1,
                kind: kind.into(),
                label,
                ..Publication::default()
            }],
        };
        let body = match self {
            Words::Introduce(addresses) => Body::Introduce(Addresses { addresses }),
            Words::Publish { actor, kind, label } => Body::Publish(publications(actor, kind % 3, label)),
            Words::Unpublish { actor, kind, label } => Body::Unpublish(publications(actor, kind % 3, label)),
            Words::Synced => Body::Synced(Empty {}),
            Words::Members { node, addresses } => {
                Body::Members(Members { members: vec![Member { node, addresses }] })
            }
            Words::Watch { watch, actor } => {
                Body::Watch(Watch { watch: watch.into(), actor: actor.into(), token: None })
            }
            Words::Unwatch(watch) => Body::Unwatch(watch.into()),
            Words::Down { watch, exit, text } => {
                Body::Down(Down { watch: watch.into(), exit: exit.into(), text })
            }
            Words::Request { actor, request, reason } => Body::Request(Request {
                actor: actor.into(),
                request: u32::from(request % 4),
                reason,
                token: None,
            }),
            Words::Goodbye { code, detail } => Body::Goodbye(Goodbye { code: code.into(), detail }),
            Words::Hold(actor) => Body::Hold(actor.into()),
            Words::Release(actor) => Body::Release(actor.into()),
            Words::Unknown(bytes) => return bytes,
        };
        Control { body: Some(body) }.encode_to_vec()
    }
}
