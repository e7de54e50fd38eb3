//! What the machines of two nodes say to each other.

use std::time::Duration;

use foca::State;
use prost::Message;

use super::codec::{code_of, state_of};
use super::identity::Identity;
use super::sync::{BUCKETS, Record};
use crate::id::{Incarnation, NodeId, NodeLife};
use crate::limits::MEMBERSHIP_FRAME_BYTES_MAX;
use crate::wire::membership as wire;

/// What a helper says of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It cannot tell. That it says so shows that the way to the helper works.
    Unknown,
    Heard,
    NotHeard,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Frame {
    Beat { number: u32, heard: u32, held: Duration, is_answer: bool },
    Ask { about: Identity, number: u32 },
    Verdict { about: Identity, number: u32, verdict: Verdict },
    Update { member: Identity, refutations: u16, state: State },
    Swim(Vec<u8>),
    Digest(Box<[u64; BUCKETS]>),
    Records { entries: Vec<Record>, wanted: u32 },
    Leave(Identity),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("a word of membership that cannot be decoded")]
    Malformed,
    #[error("a word of membership over the limit")]
    TooLong,
}

impl Frame {
    /// For the body of a control frame.
    pub(crate) fn encode(self) -> Vec<u8> {
        let word = match self {
            Frame::Beat { number, heard, held, is_answer } => {
                let held_micros = u32::try_from(held.as_micros()).unwrap_or(u32::MAX);
                wire::Word::Beat(wire::Beat { number, heard, held_micros, is_answer })
            }
            Frame::Ask { about, number } => wire::Word::Ask(wire::Ask { about: Some(about.into()), number }),
            Frame::Verdict { about, number, verdict } => {
                let verdict = match verdict {
                    Verdict::Unknown => 0,
                    Verdict::Heard => 1,
                    Verdict::NotHeard => 2,
                };
                wire::Word::Verdict(wire::Verdict { about: Some(about.into()), number, verdict })
            }
            Frame::Update { member, refutations, state } => {
                let (member, refutations) = (Some(member.into()), refutations.into());
                wire::Word::Update(wire::Update { member, refutations, state: code_of(state).into() })
            }
            Frame::Swim(packet) => wire::Word::Swim(packet),
            Frame::Digest(buckets) => wire::Word::Digest(wire::Digest { buckets: buckets.to_vec() }),
            Frame::Records { entries, wanted } => {
                let entries = entries.into_iter().map(wire::Record::from).collect();
                wire::Word::Records(wire::Records { entries, wanted })
            }
            Frame::Leave(identity) => wire::Word::Leave(identity.into()),
        };
        wire::Membership { word: Some(word) }.encode_to_vec()
    }

    /// `None` if it is something that a later version says.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Option<Self>, FrameError> {
        if bytes.len() > MEMBERSHIP_FRAME_BYTES_MAX {
            return Err(FrameError::TooLong);
        }
        let membership = wire::Membership::decode(bytes).map_err(|_| FrameError::Malformed)?;
        let Some(word) = membership.word else { return Ok(None) };
        let frame = match word {
            wire::Word::Beat(wire::Beat { number, heard, held_micros, is_answer }) => {
                Frame::Beat { number, heard, held: Duration::from_micros(held_micros.into()), is_answer }
            }
            wire::Word::Ask(ask) => Frame::Ask { about: identity(ask.about)?, number: ask.number },
            wire::Word::Verdict(said) => {
                let verdict = match said.verdict {
                    1 => Verdict::Heard,
                    2 => Verdict::NotHeard,
                    _ => Verdict::Unknown,
                };
                Frame::Verdict { about: identity(said.about)?, number: said.number, verdict }
            }
            wire::Word::Update(update) => {
                let refutations = u16::try_from(update.refutations).map_err(|_| FrameError::Malformed)?;
                let code = u8::try_from(update.state).map_err(|_| FrameError::Malformed)?;
                let state = state_of(code).ok_or(FrameError::Malformed)?;
                Frame::Update { member: identity(update.member)?, refutations, state }
            }
            wire::Word::Swim(packet) => Frame::Swim(packet),
            wire::Word::Digest(digest) => {
                let buckets =
                    <[u64; BUCKETS]>::try_from(digest.buckets).map_err(|_| FrameError::Malformed)?;
                Frame::Digest(Box::new(buckets))
            }
            wire::Word::Records(records) => {
                let entries = records.entries.into_iter().map(Record::try_from).collect::<Result<_, _>>()?;
                Frame::Records { entries, wanted: records.wanted }
            }
            wire::Word::Leave(leaver) => Frame::Leave(identity(Some(leaver))?),
        };
        Ok(Some(frame))
    }
}

fn identity(said: Option<wire::Identity>) -> Result<Identity, FrameError> {
    let said = said.ok_or(FrameError::Malformed)?;
    let node = NodeId::try_from(&said.node[..]).map_err(|_| FrameError::Malformed)?;
    Ok(Identity::new(NodeLife::new(node, Incarnation::from_u64(said.incarnation)), said.term))
}

impl From<Identity> for wire::Identity {
    fn from(identity: Identity) -> Self {
        let node = identity.node.as_bytes().to_vec();
        Self { node, incarnation: identity.incarnation.as_u64(), term: identity.term }
    }
}

impl From<Record> for wire::Record {
    fn from(record: Record) -> Self {
        Self {
            node: record.life.node.as_bytes().to_vec(),
            incarnation: record.life.incarnation.as_u64(),
            name: record.name,
            addresses: record.addresses.iter().map(ToString::to_string).collect(),
        }
    }
}

impl TryFrom<wire::Record> for Record {
    type Error = FrameError;

    fn try_from(said: wire::Record) -> Result<Self, FrameError> {
        let node = NodeId::try_from(&said.node[..]).map_err(|_| FrameError::Malformed)?;
        let life = NodeLife::new(node, Incarnation::from_u64(said.incarnation));
        // What cannot be read is of a transport of a later version, or nonsense.
        let addresses = said.addresses.iter().filter_map(|address| address.parse().ok());
        Ok(Record::new(life, said.name, addresses))
    }
}

/// One of each kind, as `docs/PROTOCOL.md` §9 prints them: of node 3, in its life 9 and term 7, said by node 1 in its life 1 to node 2 in its life 2.
#[cfg(test)]
pub(crate) fn examples() -> Vec<Frame> {
    use super::codec::Packet;

    let identity = |node: u8, incarnation: u64, term: u32| {
        let life = NodeLife::new(NodeId::from_bytes([node; 32]), Incarnation::from_u64(incarnation));
        Identity::new(life, term)
    };
    let (src, dst, about) = (identity(1, 1, 0), identity(2, 2, 0), identity(3, 9, 7));
    let packet = |message: foca::Message<Identity>| {
        let header = foca::Header { src, src_incarnation: 258, dst, message };
        let members = vec![foca::Member::new(about, 513, State::Suspect)];
        Frame::Swim(Packet { header, members }.encode().unwrap())
    };
    let address = "tcp+tls://host:1".parse().unwrap();
    vec![
        Frame::Beat { number: 1, heard: 2, held: Duration::from_micros(3), is_answer: true },
        Frame::Ask { about, number: 4 },
        Frame::Verdict { about, number: 4, verdict: Verdict::Unknown },
        Frame::Verdict { about, number: 4, verdict: Verdict::Heard },
        Frame::Verdict { about, number: 4, verdict: Verdict::NotHeard },
        Frame::Update { member: about, refutations: 513, state: State::Down },
        packet(foca::Message::Gossip),
        packet(foca::Message::PingReq { target: about, probe_number: 5 }),
        Frame::Digest(Box::new(std::array::from_fn(|bucket| bucket as u64))),
        Frame::Records {
            entries: vec![Record::new(about.life(), "node-3".to_owned(), [address])],
            wanted: 0x8001,
        },
        Frame::Leave(src),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(number: u8) -> Identity {
        let life = NodeLife::new(NodeId::from_bytes([number; 32]), Incarnation::from_u64(u64::MAX));
        Identity::new(life, 7)
    }

    #[test]
    fn every_frame_comes_back() {
        for frame in examples() {
            assert_eq!(Frame::decode(&frame.clone().encode()), Ok(Some(frame)));
        }
    }

    #[test]
    fn what_is_malformed_is_an_error_and_what_is_unknown_is_nothing() {
        assert_eq!(Frame::decode(&[]), Ok(None));
        assert_eq!(Frame::decode(&[0x82, 0x06, 1, 0]), Ok(None), "field 96 of a later version");
        let ask = wire::Ask { about: None, number: 1 };
        let short = wire::Identity { node: vec![1; 31], incarnation: 1, term: 0 };
        let update = wire::Update { member: Some(identity(1).into()), refutations: 1 << 16, state: 0 };
        let unheard_of = wire::Update { refutations: 0, state: 3, ..update.clone() };
        let words = [
            wire::Word::Ask(ask),
            wire::Word::Leave(short),
            wire::Word::Update(update),
            wire::Word::Update(unheard_of),
            wire::Word::Digest(wire::Digest { buckets: vec![0; BUCKETS + 1] }),
        ];
        for word in words {
            let bytes = wire::Membership { word: Some(word) }.encode_to_vec();
            assert_eq!(Frame::decode(&bytes), Err(FrameError::Malformed));
        }
        let long = Frame::Swim(vec![0; MEMBERSHIP_FRAME_BYTES_MAX]).encode();
        assert_eq!(Frame::decode(&long), Err(FrameError::TooLong));
    }
}
