//! Who a node is. Lives here: identities that cross the wire. Must not live
//! here: addresses (they change; `transport.rs`) and sessions.

use std::fmt;
use std::str::FromStr;

use actor_core::ActorId;
pub use actor_core::Incarnation;

/// A node's long-lived identity: its Ed25519 public key.
///
/// One node has one identity over every transport. On Iroh it is the
/// `EndpointId`; over TCP it is the public key of the certificate, or the key
/// the certificate names in a CA-signed URI.
///
/// Whether the peer *holds* the key is the transport's promise, see
/// [`PeerIdentity`](crate::transport::PeerIdentity).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId([u8; NodeId::BYTES]);

impl NodeId {
    /// The length of an Ed25519 public key.
    pub const BYTES: usize = 32;

    /// Takes the 32 bytes of an Ed25519 public key as they are.
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes of the public key.
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl TryFrom<&[u8]> for NodeId {
    type Error = NodeIdError;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        bytes.try_into().map(Self).map_err(|_| NodeIdError)
    }
}

/// The whole key in lower-case hexadecimal.
impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The first five bytes: enough to tell the nodes of a log apart.
impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NodeId(")?;
        self.0[..5].iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("…)")
    }
}

impl FromStr for NodeId {
    type Err = NodeIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != 2 * Self::BYTES || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(NodeIdError);
        }
        let mut key = [0; Self::BYTES];
        for (byte, digits) in key.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| NodeIdError)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| NodeIdError)?;
        }
        Ok(Self(key))
    }
}

/// One life of a node: from its start to its end. What it was told, and its actors, do not outlive it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeLife {
    pub(crate) node: NodeId,
    pub(crate) incarnation: Incarnation,
}

impl NodeLife {
    pub(crate) const fn new(node: NodeId, incarnation: Incarnation) -> Self {
        Self { node, incarnation }
    }

    /// One of its actors, by its serial.
    pub(crate) const fn actor(self, serial: u64) -> ActorId {
        ActorId::new(self.incarnation, serial)
    }
}

/// The text or the bytes are not a node identity: 32 bytes, or 64 hexadecimal
/// digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a node identity is 32 bytes, written as 64 hexadecimal digits")]
pub struct NodeIdError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        let id = NodeId::from_bytes([0xa5; 32]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(format!("{id:?}"), "NodeId(a5a5a5a5a5…)");
    }

    #[test]
    fn text_of_another_shape_is_refused() {
        for text in ["", "a5", &"g0".repeat(32), &"+1".repeat(32), &"é".repeat(32)] {
            assert_eq!(text.parse::<NodeId>(), Err(NodeIdError), "{text}");
        }
    }
}
