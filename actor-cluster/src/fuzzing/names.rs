//! Texts that users and peers write.

use crate::id::NodeId;
use crate::limits::ADDRESS_BYTES_MAX;
use crate::transport::Address;

/// What is taken for an address or an identity is written as it was, and is as short as it must be.
///
/// # Panics
///
/// If that does not hold.
pub fn names(text: &str) {
    if let Ok(address) = text.parse::<Address>() {
        assert_eq!(address.to_string(), text);
        assert_eq!(format!("{}://{}", address.scheme(), address.rest()), text);
        assert!(text.len() <= ADDRESS_BYTES_MAX && !text.contains(char::is_control));
    }
    if let Ok(node) = text.parse::<NodeId>() {
        assert!(node.to_string().eq_ignore_ascii_case(text));
        assert_eq!(NodeId::try_from(&node.as_bytes()[..]), Ok(node));
    }
}
