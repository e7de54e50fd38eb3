//! Keys and the identities that follow from them. The only place that turns a
//! node's identity into Iroh's and back.

use actor_cluster::id::NodeId;
use iroh::{EndpointId, SecretKey};

/// The length of a node's secret key.
pub const SECRET_KEY_BYTES: usize = 32;

/// A new secret key from the system's random bytes. Whoever wants to be the same
/// node after a restart keeps it.
pub fn generate_secret_key() -> [u8; SECRET_KEY_BYTES] {
    SecretKey::generate().to_bytes()
}

/// The identity of the node that holds the key.
pub fn node_id_of(secret_key: &[u8; SECRET_KEY_BYTES]) -> NodeId {
    node_id(SecretKey::from_bytes(secret_key).public())
}

/// Iroh's word for a node, in the cluster's.
pub(crate) fn node_id(endpoint: EndpointId) -> NodeId {
    NodeId::from_bytes(*endpoint.as_bytes())
}

/// The cluster's word for a node, in Iroh's. `None` where no key has these
/// bytes: not every 32 bytes are a point of the curve.
pub(crate) fn endpoint_id(node: &NodeId) -> Option<EndpointId> {
    EndpointId::from_bytes(node.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_the_same_key() {
        let secret_key = generate_secret_key();
        let node = node_id_of(&secret_key);
        assert_eq!(endpoint_id(&node).map(node_id), Some(node));
        assert_ne!(node, node_id_of(&generate_secret_key()));
    }

    #[test]
    fn bytes_that_are_no_key_are_no_endpoint() {
        assert_eq!(endpoint_id(&NodeId::from_bytes([2; 32])), None);
    }
}
