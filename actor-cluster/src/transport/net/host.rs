//! Hosts and ports as they stand in addresses: `host:port`, `1.2.3.4:port`,
//! `[v6]:port`. Must not live here: name resolution (`reach.rs`).

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use crate::transport::{Address, TransportError};

/// The longest host name DNS knows, in bytes.
const HOST_BYTES_MAX: usize = 253;

/// A DNS name or an IP address that reads as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// To be resolved by DNS.
    Name(String),
    /// No need to.
    Ip(IpAddr),
}

/// Where a peer is dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// Without brackets.
    pub host: Host,
    /// Never 0.
    pub port: u16,
}

/// Where this node says it can be dialled. Without a port it is the listener's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertised {
    /// What others dial.
    pub host: Host,
    /// Never 0.
    pub port: Option<u16>,
}

impl HostPort {
    /// Reads an address of this scheme.
    ///
    /// # Errors
    ///
    /// [`TransportError::Address`] if it is of another, or what stands behind it is no host and port.
    pub fn of(address: &Address, scheme: &str) -> Result<Self, TransportError> {
        if address.scheme() != scheme {
            return Err(address.unusable(format!("this transport dials {scheme}://host:port")));
        }
        address.rest().parse().map_err(|detail: &str| address.unusable(detail))
    }
}

impl FromStr for HostPort {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, port) = text.rsplit_once(':').ok_or("it must read host:port")?;
        Ok(Self { host: host.parse()?, port: parse_port(port)? })
    }
}

impl FromStr for Advertised {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // An IPv6 address without brackets has colons, but no port.
        if let Ok(ip) = text.parse() {
            return Ok(Self { host: Host::Ip(ip), port: None });
        }
        match text.parse() {
            Ok(host) => Ok(Self { host, port: None }),
            Err(_) => text.parse().map(|HostPort { host, port }| Self { host, port: Some(port) }),
        }
    }
}

impl FromStr for Host {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let ip =
                inner.parse::<Ipv6Addr>().map_err(|_| "what stands in its brackets is no IPv6 address")?;
            return Ok(Host::Ip(ip.into()));
        }
        if let Ok(ip @ IpAddr::V4(_)) = text.parse() {
            return Ok(Host::Ip(ip));
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if text.is_empty() || text.len() > HOST_BYTES_MAX || !text.bytes().all(allowed) {
            return Err("its host must be a DNS name, an IPv4 address or an IPv6 address in brackets");
        }
        Ok(Host::Name(text.to_owned()))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Ip(IpAddr::V4(ip)) => write!(f, "{ip}"),
            Host::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
        }
    }
}

/// Reads digits only: `u16`'s own parser would take a sign.
fn parse_port(text: &str) -> Result<u16, &'static str> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(port) if digits && port != 0 => Ok(port),
        _ => Err("its port must be a number from 1 to 65535"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_told_apart() {
        for (text, host, port) in [
            ("localhost:80", "localhost", 80),
            ("node_1.cluster.example.:65535", "node_1.cluster.example.", 65535),
            ("10.0.0.1:1", "10.0.0.1", 1),
            ("[2001:db8::1]:7400", "[2001:db8::1]", 7400),
        ] {
            let parsed: HostPort = text.parse().unwrap();
            assert_eq!((parsed.host.to_string().as_str(), parsed.port), (host, port));
        }
    }

    #[test]
    fn what_is_neither_is_refused() {
        let long = format!("{}:80", "a".repeat(HOST_BYTES_MAX + 1));
        for text in [
            "",
            ":",
            "host",
            "host:",
            ":80",
            "host:0",
            "host:65536",
            "host:+80",
            "host:-1",
            "host:8o",
            "::1:80",
            "[::1]80",
            "[::1",
            "[10.0.0.1]:80",
            "[]:80",
            "ho/st:80",
            "user@host:80",
            "höst:80",
            "a:b:80",
            &long,
        ] {
            assert!(text.parse::<HostPort>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn advertised_hosts_may_leave_the_port_out() {
        for (text, host, port) in [
            ("node-a", "node-a", None),
            ("node-a:80", "node-a", Some(80)),
            ("::1", "[::1]", None),
            ("[::1]", "[::1]", None),
            ("[::1]:80", "[::1]", Some(80)),
            ("10.0.0.1", "10.0.0.1", None),
        ] {
            let parsed: Advertised = text.parse().unwrap();
            assert_eq!((parsed.host.to_string().as_str(), parsed.port), (host, port));
        }
        for text in ["", "a b", "host:0", "host:"] {
            assert!(text.parse::<Advertised>().is_err(), "{text:?}");
        }
    }
}
