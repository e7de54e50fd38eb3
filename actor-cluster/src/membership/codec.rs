//! foca's packets as bytes: `docs/PROTOCOL.md` §5.3. Fixed layouts, so that what a peer says can be judged before foca sees it.

use bytes::{Buf, BufMut};
use foca::{Header, Member, Message, State};

use super::identity::Identity;
use crate::id::{Incarnation, NodeId, NodeLife};

/// An identity, how often it has refuted, and its state.
pub(crate) const MEMBER_BYTES: usize = Identity::BYTES + 2 + 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a packet of membership")]
pub(crate) struct Malformed;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Codec;

fn put_identity(identity: &Identity, buf: &mut impl BufMut) {
    buf.put_slice(identity.node.as_bytes());
    buf.put_u64_le(identity.incarnation.as_u64());
    buf.put_u32_le(identity.term);
}

fn take_identity(buf: &mut impl Buf) -> Result<Identity, Malformed> {
    if buf.remaining() < Identity::BYTES {
        return Err(Malformed);
    }
    let mut node = [0; NodeId::BYTES];
    buf.copy_to_slice(&mut node);
    let incarnation = Incarnation::from_u64(buf.get_u64_le());
    let life = NodeLife::new(NodeId::from_bytes(node), incarnation);
    Ok(Identity::new(life, buf.get_u32_le()))
}

pub(crate) fn code_of(state: State) -> u8 {
    match state {
        State::Alive => 0,
        State::Suspect => 1,
        State::Down => 2,
    }
}

pub(crate) fn state_of(code: u8) -> Option<State> {
    match code {
        0 => Some(State::Alive),
        1 => Some(State::Suspect),
        2 => Some(State::Down),
        _ => None,
    }
}

impl foca::Codec<Identity> for Codec {
    type Error = Malformed;

    fn encode_header(&mut self, header: &Header<Identity>, mut buf: impl BufMut) -> Result<(), Malformed> {
        // All that a header can be made of.
        if buf.remaining_mut() < 3 * Identity::BYTES + 4 {
            return Err(Malformed);
        }
        put_identity(&header.src, &mut buf);
        buf.put_u16_le(header.src_incarnation);
        put_identity(&header.dst, &mut buf);
        let (code, about, probe) = match &header.message {
            Message::Ping(probe) => (0, None, Some(probe)),
            Message::Ack(probe) => (1, None, Some(probe)),
            Message::PingReq { target, probe_number } => (2, Some(target), Some(probe_number)),
            Message::IndirectPing { origin, probe_number } => (3, Some(origin), Some(probe_number)),
            Message::IndirectAck { target, probe_number } => (4, Some(target), Some(probe_number)),
            Message::ForwardedAck { origin, probe_number } => (5, Some(origin), Some(probe_number)),
            Message::Announce => (6, None, None),
            Message::Feed => (7, None, None),
            Message::Gossip => (8, None, None),
            Message::Broadcast => (9, None, None),
            Message::TurnUndead => (10, None, None),
        };
        buf.put_u8(code);
        if let Some(about) = about {
            put_identity(about, &mut buf);
        }
        if let Some(probe) = probe {
            buf.put_u8(*probe);
        }
        Ok(())
    }

    fn decode_header(&mut self, mut buf: impl Buf) -> Result<Header<Identity>, Malformed> {
        let src = take_identity(&mut buf)?;
        let src_incarnation = buf.try_get_u16_le().map_err(|_| Malformed)?;
        let dst = take_identity(&mut buf)?;
        let code = buf.try_get_u8().map_err(|_| Malformed)?;
        let about = if (2..=5).contains(&code) { Some(take_identity(&mut buf)?) } else { None };
        let probe = if code <= 5 { Some(buf.try_get_u8().map_err(|_| Malformed)?) } else { None };
        let message = match (code, about, probe) {
            (0, None, Some(probe)) => Message::Ping(probe),
            (1, None, Some(probe)) => Message::Ack(probe),
            (2, Some(target), Some(probe_number)) => Message::PingReq { target, probe_number },
            (3, Some(origin), Some(probe_number)) => Message::IndirectPing { origin, probe_number },
            (4, Some(target), Some(probe_number)) => Message::IndirectAck { target, probe_number },
            (5, Some(origin), Some(probe_number)) => Message::ForwardedAck { origin, probe_number },
            (6, ..) => Message::Announce,
            (7, ..) => Message::Feed,
            (8, ..) => Message::Gossip,
            (9, ..) => Message::Broadcast,
            (10, ..) => Message::TurnUndead,
            _ => return Err(Malformed),
        };
        Ok(Header { src, src_incarnation, dst, message })
    }

    fn encode_member(&mut self, member: &Member<Identity>, mut buf: impl BufMut) -> Result<(), Malformed> {
        if buf.remaining_mut() < MEMBER_BYTES {
            return Err(Malformed);
        }
        put_identity(member.id(), &mut buf);
        buf.put_u16_le(member.incarnation());
        buf.put_u8(code_of(member.state()));
        Ok(())
    }

    fn decode_member(&mut self, mut buf: impl Buf) -> Result<Member<Identity>, Malformed> {
        let identity = take_identity(&mut buf)?;
        let refutations = buf.try_get_u16_le().map_err(|_| Malformed)?;
        let state = state_of(buf.try_get_u8().map_err(|_| Malformed)?).ok_or(Malformed)?;
        Ok(Member::new(identity, refutations, state))
    }
}

/// A packet, taken apart.
#[derive(Debug)]
pub(crate) struct Packet {
    pub(crate) header: Header<Identity>,
    pub(crate) members: Vec<Member<Identity>>,
}

impl Packet {
    /// Reads a whole packet; nothing may be left over.
    pub(crate) fn decode(mut bytes: &[u8]) -> Result<Self, Malformed> {
        let header = foca::Codec::decode_header(&mut Codec, &mut bytes)?;
        let mut members = Vec::new();
        if !bytes.is_empty() {
            let count = usize::from(bytes.try_get_u16().map_err(|_| Malformed)?);
            if bytes.len() != count * MEMBER_BYTES {
                return Err(Malformed);
            }
            members.reserve_exact(count);
            for _ in 0..count {
                members.push(foca::Codec::decode_member(&mut Codec, &mut bytes)?);
            }
        }
        Ok(Self { header, members })
    }

    /// The same packet with those of its members that may be heard of.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Malformed> {
        let mut bytes = Vec::new();
        foca::Codec::encode_header(&mut Codec, &self.header, &mut bytes)?;
        if !matches!(self.header.message, Message::Announce | Message::TurnUndead | Message::Broadcast) {
            bytes.put_u16(u16::try_from(self.members.len()).map_err(|_| Malformed)?);
            for member in &self.members {
                foca::Codec::encode_member(&mut Codec, member, &mut bytes)?;
            }
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(number: u8) -> Identity {
        let life = NodeLife::new(NodeId::from_bytes([number; 32]), Incarnation::from_u64(u64::from(number)));
        Identity::new(life, 3)
    }

    fn messages() -> Vec<Message<Identity>> {
        let (target, origin, probe_number) = (identity(3), identity(3), 9);
        vec![
            Message::Ping(9),
            Message::Ack(9),
            Message::PingReq { target, probe_number },
            Message::IndirectPing { origin, probe_number },
            Message::IndirectAck { target, probe_number },
            Message::ForwardedAck { origin, probe_number },
            Message::Announce,
            Message::Feed,
            Message::Gossip,
            Message::Broadcast,
            Message::TurnUndead,
        ]
    }

    #[test]
    fn every_packet_comes_back_and_none_that_is_cut_short() {
        for message in messages() {
            let header = Header { src: identity(1), src_incarnation: 5, dst: identity(2), message };
            let has_members = matches!(header.message, Message::Ping(_) | Message::Feed);
            let members =
                if has_members { vec![Member::new(identity(4), 6, State::Suspect)] } else { vec![] };
            let bytes = Packet { header: header.clone(), members: members.clone() }.encode().unwrap();
            let packet = Packet::decode(&bytes).unwrap();
            assert_eq!((&packet.header, &packet.members), (&header, &members));
            let whole = usize::from(bytes.len() > 2);
            for length in 0..bytes.len() - whole {
                let cut = Packet::decode(&bytes[..length]).map(|packet| packet.encode().unwrap());
                // Without its count of members a packet is whole, too.
                assert!(
                    cut.is_err() || length + 2 + members.len() * MEMBER_BYTES == bytes.len(),
                    "{header:?}"
                );
            }
            let longer = [&bytes[..], &[0]].concat();
            assert!(Packet::decode(&longer).is_err());
        }
    }
}
