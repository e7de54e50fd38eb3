//! The control lane's messages: `docs/PROTOCOL.md` §5. Plain prost structs. A
//! message that this version does not know decodes to no body and is ignored, so
//! later versions can say more.

use prost::Message;

use crate::limits::LABEL_BYTES_MAX;

/// One control frame's body.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Control {
    #[prost(oneof = "Body", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 17, 18, 25, 26")]
    pub(crate) body: Option<Body>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Body {
    /// Where the sender can be dialled.
    #[prost(message, tag = "1")]
    Introduce(Addresses),
    /// Actors that the sender publishes from now on.
    #[prost(message, tag = "2")]
    Publish(Publications),
    /// Actors that the sender publishes no more.
    #[prost(message, tag = "3")]
    Unpublish(Publications),
    /// Everything the sender published before the session began has been said.
    #[prost(message, tag = "4")]
    Synced(Empty),
    /// Other nodes that the sender has sessions with.
    #[prost(message, tag = "5")]
    Members(Members),
    /// Tell me when this actor ends.
    #[prost(message, tag = "6")]
    Watch(Watch),
    /// Do not tell me any more.
    #[prost(uint64, tag = "7")]
    Unwatch(u64),
    /// A watched actor has ended.
    #[prost(message, tag = "8")]
    Down(Down),
    /// Stop, drain or kill an actor.
    #[prost(message, tag = "9")]
    Request(Request),
    /// The sender ends the session after this.
    #[prost(message, tag = "10")]
    Goodbye(Goodbye),
    /// Send no messages to this actor for now.
    #[prost(uint64, tag = "11")]
    Hold(u64),
    /// Messages may be sent to it again.
    #[prost(uint64, tag = "12")]
    Release(u64),
    /// What a message type of the sender's looks like.
    #[prost(message, tag = "13")]
    Schema(SchemaSaid),
    /// Put this actor under one of mine.
    #[prost(message, tag = "15")]
    Link(Link),
    /// A link is over, and how.
    #[prost(message, tag = "16")]
    Unlink(Unlink),
    /// An actor has another supervisor now: the link's number.
    #[prost(uint64, tag = "17")]
    Unlinked(u64),
    /// What is to become of an actor that was started for the sender.
    #[prost(message, tag = "18")]
    Claim(Claim),
    /// Casts of the reader's have died.
    #[prost(message, tag = "25")]
    Died(Died),
    /// A word of membership: a `Membership` of `wire/membership.rs`, which the session does not read.
    #[prost(bytes = "vec", tag = "26")]
    Membership(Vec<u8>),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Empty {}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Addresses {
    #[prost(string, repeated, tag = "1")]
    pub(crate) addresses: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Publications {
    #[prost(message, repeated, tag = "1")]
    pub(crate) entries: Vec<Publication>,
}

/// One actor under one name or in one group.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Message)]
pub(crate) struct Publication {
    /// The actor's serial: with the sender's incarnation, its id; in frames, its
    /// target.
    #[prost(uint64, tag = "1")]
    pub(crate) actor: u64,
    /// The `TypeTag` of its messages.
    #[prost(fixed64, tag = "2")]
    pub(crate) message: u64,
    /// 0: a name, which one actor of a node holds; 1: a group.
    #[prost(uint32, tag = "3")]
    pub(crate) kind: u32,
    #[prost(string, tag = "4")]
    pub(crate) label: String,
    /// The group's scope; empty if it is in none.
    #[prost(string, tag = "5")]
    pub(crate) scope: String,
    /// What becomes of a name that others hold too; the codes are in `names/conflict.rs`.
    #[prost(uint32, tag = "6")]
    pub(crate) rule: u32,
    /// How a ranked name ranks.
    #[prost(uint32, tag = "7")]
    pub(crate) rank: u32,
    /// When a name was taken: later than all that its publisher knew of.
    #[prost(uint64, tag = "8")]
    pub(crate) claim: u64,
}

impl Publication {
    /// At least what it takes on the wire: its texts, and what stands around them.
    pub(crate) fn bytes(&self) -> usize {
        let around = if self.rule == 0 { 32 } else { 52 };
        around + self.label.len() + self.scope.len()
    }

    /// Whether a peer may say it.
    pub(crate) fn is_usable(&self) -> bool {
        let has_label = !self.label.is_empty() && self.label.len() <= LABEL_BYTES_MAX;
        let is_name = self.kind == 0 && self.scope.is_empty() && self.rule <= 3;
        let is_allowed = self.rule != 0 || self.claim == 0;
        let is_group = self.kind == 1 && self.scope.len() <= LABEL_BYTES_MAX && self.rule == 0;
        let is_ranked = self.rule == 2 || self.rank == 0;
        has_label && (is_name || is_group) && is_allowed && is_ranked
    }
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Members {
    #[prost(message, repeated, tag = "1")]
    pub(crate) members: Vec<Member>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Member {
    /// Its `NodeId`, 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) node: Vec<u8>,
    #[prost(string, repeated, tag = "2")]
    pub(crate) addresses: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Watch {
    /// The watcher's number for this watch.
    #[prost(uint64, tag = "1")]
    pub(crate) watch: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) actor: u64,
    /// A `Token`, where the actor is not published.
    #[prost(bytes = "vec", optional, tag = "3")]
    pub(crate) token: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Link {
    /// The supervisor's node's number for this link, of those for watches.
    #[prost(uint64, tag = "1")]
    pub(crate) link: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) actor: u64,
    /// The supervisor, an actor of the sender's.
    #[prost(uint64, tag = "3")]
    pub(crate) supervisor: u64,
    /// A `Token`, where the actor is not published.
    #[prost(bytes = "vec", optional, tag = "4")]
    pub(crate) token: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Unlink {
    #[prost(uint64, tag = "1")]
    pub(crate) link: u64,
    /// Whether the supervisor has ended, and the actor is to end with it.
    #[prost(bool, tag = "2")]
    pub(crate) has_ended: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Claim {
    #[prost(uint64, tag = "1")]
    pub(crate) actor: u64,
    /// Whether nobody wants it, and it is to end.
    #[prost(bool, tag = "2")]
    pub(crate) is_unwanted: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Down {
    #[prost(uint64, tag = "1")]
    pub(crate) watch: u64,
    /// How it ended; the codes are in `session/codes.rs`.
    #[prost(uint32, tag = "2")]
    pub(crate) exit: u32,
    /// The reason or the error's text.
    #[prost(string, optional, tag = "3")]
    pub(crate) text: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Request {
    #[prost(uint64, tag = "1")]
    pub(crate) actor: u64,
    /// 0: stop; 1: drain; 2: kill.
    #[prost(uint32, tag = "2")]
    pub(crate) request: u32,
    /// The reason of a stop.
    #[prost(string, optional, tag = "3")]
    pub(crate) reason: Option<String>,
    /// A `Token`, where the actor is not published.
    #[prost(bytes = "vec", optional, tag = "4")]
    pub(crate) token: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Died {
    #[prost(message, repeated, tag = "1")]
    pub(crate) entries: Vec<DeathSaid>,
}

/// Casts of one kind that died.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct DeathSaid {
    /// For whom they were; 0 for those of which only the number is known.
    #[prost(uint64, tag = "1")]
    pub(crate) actor: u64,
    /// Their `TypeTag`.
    #[prost(fixed64, tag = "2")]
    pub(crate) message: u64,
    /// Their `VariantTag`.
    #[prost(fixed64, tag = "3")]
    pub(crate) variant: u64,
    /// Why; the codes are in `session/codes.rs`.
    #[prost(uint32, tag = "4")]
    pub(crate) reason: u32,
    /// How many.
    #[prost(uint64, tag = "5")]
    pub(crate) count: u64,
    /// What there is to say beside the reason, of one of them.
    #[prost(string, optional, tag = "6")]
    pub(crate) text: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Goodbye {
    /// A `CloseCode`.
    #[prost(uint32, tag = "1")]
    pub(crate) code: u32,
    #[prost(string, tag = "2")]
    pub(crate) detail: String,
}

/// A message type as the sender was built with it.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct SchemaSaid {
    /// Its `TypeTag`.
    #[prost(fixed64, tag = "1")]
    pub(crate) message: u64,
    /// The hash of the schema's text.
    #[prost(fixed64, tag = "2")]
    pub(crate) fingerprint: u64,
    /// Empty if it is too long.
    #[prost(string, tag = "3")]
    pub(crate) text: String,
}
