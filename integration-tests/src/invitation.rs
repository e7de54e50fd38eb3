//! What a node that is a process of its own is told when it starts: who it is, and
//! whom to join. It comes through the process's standard input, so that no key is
//! ever in a file, on a command line or in an environment.

use std::io::{self, Read};

use actor_cluster::transport::Address;
use actor_cluster::wire::{WireContext, from_bytes, to_bytes};
use actor_cluster::{ConnectError, NodeId, NodeServer, NodeSession, Wire};
use actor_testkit::process::Greeting;

use crate::keys::NodeKeys;

/// The longest invitation, in bytes; a longer one is an error on either side.
const INVITATION_BYTES_MAX: u32 = 64 * 1024;

/// Who a new node is, and whom it is to join.
#[derive(Clone, Debug, Wire)]
pub struct Invitation {
    /// The node's own keys.
    pub keys: NodeKeys,
    /// Whom it talks to over Iroh.
    pub peers: Vec<NodeId>,
    /// The node to join.
    pub host: NodeId,
    /// Where that node listens.
    pub address: String,
}

impl Invitation {
    /// Joins the cluster; the session is ready when this returns.
    ///
    /// # Errors
    ///
    /// See [`ConnectError`].
    pub async fn join(&self, node: &NodeServer) -> Result<NodeSession, ConnectError> {
        let address: Address = self.address.parse()?;
        node.connect_to(self.host, &address).await
    }

    /// Reads an invitation, and not a byte more.
    ///
    /// # Errors
    ///
    /// What the pipe says, and [`io::ErrorKind::InvalidData`] if it is none.
    pub fn read(pipe: &mut impl Read) -> io::Result<Self> {
        let invalid = |error: String| io::Error::new(io::ErrorKind::InvalidData, error);
        let mut length = [0; 4];
        pipe.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length);
        if length > INVITATION_BYTES_MAX {
            return Err(invalid("this is no invitation: it is too long".to_owned()));
        }
        let mut bytes = Vec::new();
        pipe.take(u64::from(length)).read_to_end(&mut bytes)?;
        from_bytes(&bytes.into(), &WireContext::default()).map_err(|error| invalid(error.to_string()))
    }
}

/// Its length first.
impl Greeting for Invitation {
    fn bytes(&self) -> io::Result<Vec<u8>> {
        let bytes = to_bytes(self, &WireContext::default()).map_err(io::Error::other)?;
        let length = u32::try_from(bytes.len()).ok().filter(|length| *length <= INVITATION_BYTES_MAX);
        let length = length.ok_or_else(|| io::Error::other("the invitation is too long"))?;
        Ok([&length.to_le_bytes()[..], &bytes].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{Authority, Way};

    #[test]
    fn an_invitation_arrives_as_it_was_and_alone() {
        let keys = Authority::new().unwrap().keys("guest", &Way::ALL).unwrap();
        let host = NodeId::from_bytes([1; 32]);
        let sent = Invitation { keys, peers: vec![host], host, address: "iroh://somewhere".to_owned() };
        let mut pipe = sent.bytes().unwrap();
        pipe.extend(b"more");
        let mut rest = &pipe[..];
        let read = Invitation::read(&mut rest).unwrap();
        assert_eq!(rest, b"more");
        assert_eq!((read.keys.node, &read.keys.name), (sent.keys.node, &sent.keys.name));
        assert_eq!((read.host, read.address, read.peers), (sent.host, sent.address, sent.peers));
        assert!(read.keys.tcp().is_ok() && read.keys.iroh(&[]).is_ok());
    }

    #[test]
    fn what_is_no_invitation_is_refused() {
        for bytes in [&b""[..], b"\x01\0", b"\xff\xff\xff\xff", b"\x04\0\0\0\x01\0\0\0", b"\x04\0\0\0\x01"] {
            assert!(Invitation::read(&mut &*bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn keys_stay_out_of_logs() {
        let keys = Authority::new().unwrap().keys("guest", &Way::ALL).unwrap();
        let text = format!("{keys:?}");
        assert!(text.contains("guest") && !text.contains("PRIVATE") && !text.contains("iroh"), "{text}");
    }
}
