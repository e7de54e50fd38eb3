//! The address of an actor as it travels: `docs/PROTOCOL.md` §4.6. Lives here: its bytes. Must
//! not live here: who is behind it (`node/references.rs`).

use std::fmt;

use super::decoder::Decoder;
use super::encoder::Encoder;
use super::error::{DecodeError, DecodeErrorKind, EncodeError};
use super::payload::Wire;
use super::tag::TypeTag;
use crate::id::{Incarnation, NodeId, NodeLife};

/// Proves that an actor's node has given its address to somebody. Whoever has it may pass it
/// on; nobody can make it up.
#[derive(Clone, Copy)]
pub(crate) struct Token([u8; Token::BYTES]);

impl Token {
    pub(crate) const BYTES: usize = 16;

    pub(crate) const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

/// Not the bytes: a log must not give the actor away.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// Whose actor it is, seen from the two ends of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    /// Of the node that writes.
    Writer,
    /// Of the node that reads.
    Reader,
    /// Of some other node, or of another life of one of the two.
    Third(NodeLife),
}

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reference {
    pub(crate) home: Home,
    pub(crate) actor: u64,
    /// What the actor takes.
    pub(crate) message: TypeTag,
    /// None where the actor was found under a name, which is all there is to reach it by.
    pub(crate) token: Option<Token>,
}

const OF_WRITER: u8 = 0;
const OF_READER: u8 = 1;
const OF_THIRD: u8 = 2;
const OF_READER_NAMED: u8 = 3;
const OF_THIRD_NAMED: u8 = 4;

impl Reference {
    /// The form, the actor, its messages.
    pub(crate) const BYTES_MIN: usize = 1 + 8 + 8;

    pub(crate) fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        let form = match (self.home, self.token) {
            (Home::Writer, Some(_)) => OF_WRITER,
            (Home::Reader, Some(_)) => OF_READER,
            (Home::Third(..), Some(_)) => OF_THIRD,
            (Home::Reader, None) => OF_READER_NAMED,
            (Home::Third(..), None) => OF_THIRD_NAMED,
            (Home::Writer, None) => unreachable!("whoever writes of its own actor gives it away"),
        };
        form.encode(enc)?;
        if let Home::Third(NodeLife { node, incarnation }) = self.home {
            enc.put(node.as_bytes())?;
            incarnation.as_u64().encode(enc)?;
        }
        self.actor.encode(enc)?;
        self.message.as_u64().encode(enc)?;
        self.token.map_or(Ok(()), |token| enc.put(token.as_bytes()))
    }

    pub(crate) fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let form = u8::decode(dec)?;
        let home = match form {
            OF_WRITER => Home::Writer,
            OF_READER | OF_READER_NAMED => Home::Reader,
            OF_THIRD | OF_THIRD_NAMED => {
                let node = NodeId::from_bytes(dec.take_array()?);
                Home::Third(NodeLife::new(node, Incarnation::from_u64(u64::decode(dec)?)))
            }
            tag => return Err(dec.error(DecodeErrorKind::BadTag { tag })),
        };
        let actor = u64::decode(dec)?;
        let message = TypeTag::from_u64(u64::decode(dec)?);
        let is_named = matches!(form, OF_READER_NAMED | OF_THIRD_NAMED);
        let token = if is_named { None } else { Some(Token(dec.take_array()?)) };
        Ok(Self { home, actor, message, token })
    }
}

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};

    use super::*;
    use crate::wire::WireContext;

    fn written(reference: &Reference) -> Bytes {
        let (mut buffer, context) = (BytesMut::new(), WireContext::default());
        reference.encode(&mut Encoder::new(&mut buffer, &context)).unwrap();
        buffer.freeze()
    }

    fn read(bytes: &Bytes) -> Result<Reference, DecodeErrorKind> {
        let context = WireContext::default();
        let mut dec = Decoder::new(bytes, &context);
        let read = Reference::decode(&mut dec).and_then(|read| dec.finish().map(|()| read));
        read.map_err(|error| error.kind().clone())
    }

    fn all() -> Vec<Reference> {
        let third = Home::Third(NodeLife::new(NodeId::from_bytes([3; 32]), Incarnation::from_u64(9)));
        let token = Some(Token::from_bytes([0xab; 16]));
        let forms = [
            (Home::Writer, token),
            (Home::Reader, token),
            (third, token),
            (Home::Reader, None),
            (third, None),
        ];
        forms.map(|(home, token)| Reference { home, actor: 42, message: TypeTag::from_u64(7), token }).into()
    }

    #[test]
    fn the_bytes_are_frozen() {
        let (rest, token) = ("2a000000000000000700000000000000", "ab".repeat(16));
        let third = format!("{}0900000000000000", "03".repeat(32));
        let expected = [
            format!("00{rest}{token}"),
            format!("01{rest}{token}"),
            format!("02{third}{rest}{token}"),
            format!("03{rest}"),
            format!("04{third}{rest}"),
        ];
        let hex = |bytes: Bytes| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(all().iter().map(|reference| hex(written(reference))).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_was_written_is_read_and_nothing_shorter_or_unknown() {
        for reference in all() {
            let bytes = written(&reference);
            let back = read(&bytes).unwrap();
            assert_eq!((back.home, back.actor, back.message), (reference.home, 42, TypeTag::from_u64(7)));
            assert_eq!(back.token.map(|token| token.0), reference.token.map(|token| token.0));
            for length in 0..bytes.len() {
                assert_eq!(read(&bytes.slice(..length)).unwrap_err(), DecodeErrorKind::Truncated, "{length}");
            }
        }
        for tag in 5..=u8::MAX {
            assert_eq!(read(&vec![tag; 99].into()).unwrap_err(), DecodeErrorKind::BadTag { tag });
        }
    }

    #[test]
    fn a_token_is_not_shown() {
        assert_eq!(format!("{:?}", Token::from_bytes([7; 16])), "Token");
    }
}
