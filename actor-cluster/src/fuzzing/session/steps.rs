//! What a peer, the way and the node may do, as the fuzzer chooses.

use arbitrary::Arbitrary;
use prost::Message;

use super::Letter;
use crate::wire::control::{
    Addresses, Body, Claim, Control, DeathSaid, Died, Down, Empty, Goodbye, Link, Member, Members,
    Publication, Publications, Request, SchemaSaid, Unlink, Watch,
};
use crate::wire::{RemoteMessage, VariantTag};

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
    Present {
        actor: u8,
        token: Token,
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
    Publish(Vec<Published>),
    Unpublish(Vec<Published>),
    Synced,
    Members { node: Vec<u8>, addresses: Vec<String> },
    Watch { watch: u8, actor: u8, token: Option<Token> },
    Unwatch(u8),
    Down { watch: u8, exit: u8, text: Option<String> },
    Request { actor: u8, request: u8, reason: Option<String>, token: Option<Token> },
    Link { link: u8, actor: u8, supervisor: u8, token: Option<Token> },
    Unlink { link: u8, has_ended: bool },
    Unlinked(u8),
    Claim { actor: u8, is_unwanted: bool },
    Schema { message: u8, fingerprint: u8, text: String },
    Died(Vec<Dead>),
    Goodbye { code: u8, detail: String },
    Hold(u8),
    Release(u8),
    Unknown(Vec<u8>),
}

/// Few labels and scopes, so that they meet each other.
#[derive(Clone, Debug, Arbitrary)]
pub(super) struct Published {
    actor: u8,
    kind: u8,
    label: u8,
    scope: u8,
    rule: u8,
    rank: u8,
    claim: u64,
}

impl Published {
    pub(super) fn publication(&self) -> Publication {
        let text = |number: u8| "label".get(..usize::from(number % 3)).unwrap_or_default().to_owned();
        Publication {
            actor: u64::from(self.actor % 4),
            message: 1,
            kind: u32::from(self.kind % 3),
            label: text(self.label),
            scope: text(self.scope),
            rule: u32::from(self.rule % 5),
            rank: u32::from(self.rank % 2),
            claim: self.claim,
        }
    }
}

/// Mostly as long as it must be.
#[derive(Debug, Arbitrary)]
pub(super) struct Token {
    byte: u8,
    length: u8,
}

impl Token {
    pub(super) fn bytes(&self) -> Vec<u8> {
        vec![self.byte; if self.length < 200 { 16 } else { usize::from(self.length % 32) }]
    }
}

/// Casts that the peer says have died.
#[derive(Debug, Arbitrary)]
pub(super) struct Dead {
    actor: u8,
    is_parcel: bool,
    reason: u8,
    count: u16,
    text: Option<String>,
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
    Down {
        watch: u8,
    },
    Stop {
        actor: u8,
    },
    Hold(u8),
    Release(u8),
    Introduce,
    Gossip,
    Link {
        actor: u8,
        has_token: bool,
    },
    Unlink {
        link: u8,
        has_ended: bool,
    },
    Unlinked(u8),
    Claim(u8),
    Present(u8),
    Schema,
    /// A cast of the peer's has died.
    Died {
        actor: u8,
        reason: u8,
    },
}

impl Dead {
    fn said(self) -> DeathSaid {
        DeathSaid {
            actor: u64::from(self.actor % 3),
            message: Letter::TYPE.as_u64(),
            variant: VariantTag::named(if self.is_parcel { "Parcel" } else { "Ask" }).as_u64(),
            reason: self.reason.into(),
            count: u64::from(self.count % 4),
            text: self.text,
        }
    }
}

impl Words {
    /// The body of a frame.
    pub(super) fn encode(self) -> Vec<u8> {
        let publications = |entries: Vec<Published>| Publications {
            entries: entries.iter().map(Published::publication).collect(),
        };
        let bytes_of = |token: Option<Token>| token.map(|token| token.bytes());
        let body = match self {
            Words::Introduce(addresses) => Body::Introduce(Addresses { addresses }),
            Words::Publish(entries) => Body::Publish(publications(entries)),
            Words::Unpublish(entries) => Body::Unpublish(publications(entries)),
            Words::Synced => Body::Synced(Empty {}),
            Words::Members { node, addresses } => {
                Body::Members(Members { members: vec![Member { node, addresses }] })
            }
            Words::Watch { watch, actor, token } => {
                Body::Watch(Watch { watch: watch.into(), actor: actor.into(), token: bytes_of(token) })
            }
            Words::Unwatch(watch) => Body::Unwatch(watch.into()),
            Words::Down { watch, exit, text } => {
                Body::Down(Down { watch: watch.into(), exit: exit.into(), text })
            }
            Words::Request { actor, request, reason, token } => Body::Request(Request {
                actor: actor.into(),
                request: u32::from(request % 4),
                reason,
                token: bytes_of(token),
            }),
            Words::Link { link, actor, supervisor, token } => Body::Link(Link {
                link: link.into(),
                actor: actor.into(),
                supervisor: supervisor.into(),
                token: bytes_of(token),
            }),
            Words::Unlink { link, has_ended } => Body::Unlink(Unlink { link: link.into(), has_ended }),
            Words::Unlinked(link) => Body::Unlinked(link.into()),
            Words::Claim { actor, is_unwanted } => Body::Claim(Claim { actor: actor.into(), is_unwanted }),
            Words::Schema { message, fingerprint, text } => {
                let message = if message < 128 { Letter::TYPE.as_u64() } else { message.into() };
                Body::Schema(SchemaSaid { message, fingerprint: fingerprint.into(), text })
            }
            Words::Died(dead) => Body::Died(Died { entries: dead.into_iter().map(Dead::said).collect() }),
            Words::Goodbye { code, detail } => Body::Goodbye(Goodbye { code: code.into(), detail }),
            Words::Hold(actor) => Body::Hold(actor.into()),
            Words::Release(actor) => Body::Release(actor.into()),
            Words::Unknown(bytes) => return bytes,
        };
        Control { body: Some(body) }.encode_to_vec()
    }
}
