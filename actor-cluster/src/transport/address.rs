//! Where a node can be dialled.

use std::fmt;
use std::str::FromStr;

use super::TransportError;
use crate::limits::ADDRESS_BYTES_MAX;

/// Where a node can be dialled: a scheme that picks the transport, and the rest,
/// which only that transport understands. Written `scheme://rest`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    text: String,
    scheme_bytes: usize,
}

impl Address {
    /// Joins a scheme and the transport's own part.
    ///
    /// # Errors
    ///
    /// [`TransportError::Address`] if either part is empty, the scheme holds
    /// anything but letters, digits and `+`, the rest holds white space or
    /// control characters, or the whole is longer than
    /// [`ADDRESS_BYTES_MAX`].
    pub fn new(scheme: &str, rest: &str) -> Result<Self, TransportError> {
        format!("{scheme}://{rest}").parse()
    }

    /// The part that picks the transport.
    pub fn scheme(&self) -> &str {
        &self.text[..self.scheme_bytes]
    }

    /// The part that the transport reads.
    pub fn rest(&self) -> &str {
        &self.text[self.scheme_bytes + "://".len()..]
    }

    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// An error that names this address.
    pub fn unusable(&self, detail: impl Into<String>) -> TransportError {
        TransportError::Address { address: self.text.clone(), detail: detail.into() }
    }
}

impl FromStr for Address {
    type Err = TransportError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unusable = |detail: &str| TransportError::Address {
            address: text.chars().take(ADDRESS_BYTES_MAX / 4).collect(),
            detail: detail.to_owned(),
        };
        if text.len() > ADDRESS_BYTES_MAX {
            return Err(unusable("it is too long"));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(unusable("it must read scheme://address"));
        };
        if scheme.is_empty() || !scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+') {
            return Err(unusable("its scheme must be letters, digits and '+'"));
        }
        if rest.is_empty() || rest.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(unusable("nothing usable stands behind its scheme"));
        }
        Ok(Self { text: text.to_owned(), scheme_bytes: scheme.len() })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_parsed_not_guessed() {
        let address: Address = "tcp+tls://[::1]:80".parse().unwrap();
        assert_eq!((address.scheme(), address.rest()), ("tcp+tls", "[::1]:80"));
        assert_eq!(Address::new("iroh", "abc@1.2.3.4:5").unwrap().as_str(), "iroh://abc@1.2.3.4:5");
        let long = format!("x://{}", "y".repeat(ADDRESS_BYTES_MAX));
        for text in ["", "://", "tcp://", "host:80", "t p://x", "tcp://a b", "tcp://a\n", &long] {
            assert!(matches!(text.parse::<Address>(), Err(TransportError::Address { .. })), "{text:?}");
        }
    }
}
