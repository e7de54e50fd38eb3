//! What nodes say to each other about who is a member: `docs/PROTOCOL.md` §5.3. Plain prost structs; a word that this
//! version does not know is ignored.

use prost::Message;

/// The body of a control frame that is about membership.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Membership {
    #[prost(oneof = "Word", tags = "1, 2, 3, 4, 5, 6, 7, 8")]
    pub(crate) word: Option<Word>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Word {
    /// I am here.
    #[prost(message, tag = "1")]
    Beat(Beat),
    /// Do you hear this member?
    #[prost(message, tag = "2")]
    Ask(Ask),
    /// The answer.
    #[prost(message, tag = "3")]
    Verdict(Verdict),
    /// A member's state, from whoever has decided it.
    #[prost(message, tag = "4")]
    Update(Update),
    /// A packet of SWIM.
    #[prost(bytes = "vec", tag = "5")]
    Swim(Vec<u8>),
    /// What the sender knows of where members are, in short.
    #[prost(message, tag = "6")]
    Digest(Digest),
    /// Where members are.
    #[prost(message, tag = "7")]
    Records(Records),
    /// The sender leaves the cluster.
    #[prost(message, tag = "8")]
    Leave(Identity),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Beat {
    /// One more than that of the last one to the same peer.
    #[prost(uint32, tag = "1")]
    pub(crate) number: u32,
    /// The number of the last one from the peer.
    #[prost(uint32, tag = "2")]
    pub(crate) heard: u32,
    /// How long ago that came, in microseconds.
    #[prost(uint32, tag = "3")]
    pub(crate) held_micros: u32,
    /// Whether it only answers another: no answer is expected.
    #[prost(bool, tag = "4")]
    pub(crate) is_answer: bool,
}

/// One membership of one life of a node.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Identity {
    /// Its `NodeId`, 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) node: Vec<u8>,
    #[prost(fixed64, tag = "2")]
    pub(crate) incarnation: u64,
    /// How often it has come back in this life.
    #[prost(uint32, tag = "3")]
    pub(crate) term: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Ask {
    #[prost(message, optional, tag = "1")]
    pub(crate) about: Option<Identity>,
    /// The asker's number for the question.
    #[prost(uint32, tag = "2")]
    pub(crate) number: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Verdict {
    #[prost(message, optional, tag = "1")]
    pub(crate) about: Option<Identity>,
    #[prost(uint32, tag = "2")]
    pub(crate) number: u32,
    /// 0, or unknown: it cannot tell; 1: it is heard; 2: it is not.
    #[prost(uint32, tag = "3")]
    pub(crate) verdict: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Update {
    #[prost(message, optional, tag = "1")]
    pub(crate) member: Option<Identity>,
    /// How often it has refuted a suspicion.
    #[prost(uint32, tag = "2")]
    pub(crate) refutations: u32,
    /// 0: alive; 1: suspect; 2: down.
    #[prost(uint32, tag = "3")]
    pub(crate) state: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Digest {
    /// One number for each bucket of records.
    #[prost(fixed64, repeated, tag = "1")]
    pub(crate) buckets: Vec<u64>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Records {
    #[prost(message, repeated, tag = "1")]
    pub(crate) entries: Vec<Record>,
    /// The buckets of which the sender wants to be told in turn, as bits.
    #[prost(uint32, tag = "2")]
    pub(crate) wanted: u32,
}

/// Where a member is, as it says itself.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Record {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) node: Vec<u8>,
    #[prost(fixed64, tag = "2")]
    pub(crate) incarnation: u64,
    #[prost(string, tag = "3")]
    pub(crate) name: String,
    #[prost(string, repeated, tag = "4")]
    pub(crate) addresses: Vec<String>,
}
