//! The handshake's messages: `docs/PROTOCOL.md` §3. Plain prost structs; what is
//! checked and proven is `session/handshake/said.rs`.

use prost::Message;

/// What a node says of itself.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Hello {
    /// The oldest protocol version it speaks.
    #[prost(uint32, tag = "1")]
    pub(crate) version_min: u32,
    /// The newest protocol version it speaks.
    #[prost(uint32, tag = "2")]
    pub(crate) version_max: u32,
    /// The cluster it belongs to.
    #[prost(string, tag = "3")]
    pub(crate) cluster: String,
    /// Its `NodeId`, 32 bytes.
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) node: Vec<u8>,
    #[prost(fixed64, tag = "5")]
    pub(crate) incarnation: u64,
    /// Its name, for people.
    #[prost(string, tag = "6")]
    pub(crate) name: String,
    /// 32 bytes that nobody could foresee.
    #[prost(bytes = "vec", tag = "7")]
    pub(crate) nonce: Vec<u8>,
    /// The lanes the stream will carry, as `LaneIds::bits`; the dialler says.
    #[prost(uint32, tag = "8")]
    pub(crate) lanes: u32,
    /// The longest message it takes.
    #[prost(uint32, tag = "9")]
    pub(crate) message_bytes_max: u32,
    /// The bytes of data it takes before it grants more.
    #[prost(uint64, tag = "10")]
    pub(crate) window_bytes: u64,
    /// How many data lanes a session has that begins with the stream; the dialler says.
    #[prost(uint32, tag = "11")]
    pub(crate) data_lanes: u32,
    /// What it can do beyond its version, as bits.
    #[prost(uint64, tag = "12")]
    pub(crate) capabilities: u64,
    /// What it wants to be told of, as bits; the only one is [`REPORT_DEAD_LETTERS`].
    #[prost(uint64, tag = "13")]
    pub(crate) reports: u64,
}

/// Bit 0 of a [`Hello`]'s reports: its casts that die.
pub(crate) const REPORT_DEAD_LETTERS: u64 = 1;

/// One step of the handshake.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Handshake {
    #[prost(oneof = "Step", tags = "1, 2, 3, 4, 5")]
    pub(crate) step: Option<Step>,
}

/// The steps, in the order in which they come.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Step {
    /// Dialler: an encoded [`Hello`].
    #[prost(bytes, tag = "1")]
    Hello(Vec<u8>),
    /// Acceptor.
    #[prost(message, tag = "2")]
    Answer(Answer),
    /// Dialler.
    #[prost(message, tag = "3")]
    Confirm(Confirm),
    /// Acceptor: the stream belongs to a session now.
    #[prost(message, tag = "4")]
    Accept(Accept),
    /// Either: it will not go on.
    #[prost(message, tag = "5")]
    Refuse(Refuse),
}

/// The acceptor's own hello and its proof.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Answer {
    /// An encoded [`Hello`], as bytes because the transcript covers them.
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) hello: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) proof: Vec<u8>,
    /// The session it has with the dialler; 0: none.
    #[prost(fixed64, tag = "3")]
    pub(crate) session: u64,
}

/// The dialler's proof, and the session it wants: the acceptor's, or a new one.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Confirm {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) proof: Vec<u8>,
    #[prost(fixed64, tag = "2")]
    pub(crate) session: u64,
}

/// Nothing is left to say.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Accept {}

/// Why not.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Refuse {
    #[prost(uint32, tag = "1")]
    pub(crate) code: u32,
    #[prost(string, tag = "2")]
    pub(crate) detail: String,
}
