//! A transport for [`actor_cluster`] over TCP and TLS 1.3.
//!
//! Both sides present a certificate that the other's authorities must have
//! signed. There is no way in without one, and no way to plaintext but the one
//! that is called [`danger_plaintext`](TcpConfig::danger_plaintext).
//!
//! ```no_run
//! use transport_tcp::{Authorities, Credentials, TcpTransport};
//!
//! # fn main() -> Result<(), actor_cluster::transport::TransportError> {
//! let transport = TcpTransport::builder()
//!     .listen(([0, 0, 0, 0], 7400).into())
//!     .advertise("node-a.cluster.example")
//!     .credentials(Credentials::from_pem_files("node-a.pem", "node-a.key")?)
//!     .authorities(Authorities::from_pem_file("ca.pem")?)
//!     .build()?;
//! # Ok(())
//! # }
//! ```
//!
//! # Who a node is
//!
//! A node's identity is an Ed25519 public key. A certificate speaks for a node
//! in one of two ways:
//!
//! - The authority put the URI `actor-node:` and the 64 hexadecimal digits of
//!   the identity into its subject alternative names. Then its key may be of any
//!   kind, and may be replaced without the node becoming another.
//! - It names no node and its own key is an Ed25519 key: that is the identity.
//!
//! A certificate that does neither is not let in. Host names play no part: what
//! is proven is which node answers, not where.
//!
//! # Addresses
//!
//! `tcp+tls://host:port`, where the host is a DNS name, an IPv4 address or an
//! IPv6 address in brackets; `tcp+plaintext://host:port` without TLS. A TCP
//! connection carries one stream with every lane.
//!
//! # Development certificates
//!
//! The feature `dev-ca` adds `DevCa` and the program `dev-certs`, an authority
//! that lives for one run. Production code does not compile it.

mod address;
mod config;
mod connection;
mod credentials;
#[cfg(feature = "dev-ca")]
pub mod dev_ca;
mod dialer;
mod error;
mod handshake;
mod identity;
pub mod limits;
mod listener;
mod plaintext;
mod tls;
mod transport;

pub use rustls_pki_types as pki_types;

pub use config::TcpConfig;
pub use credentials::{Authorities, Credentials};
#[cfg(feature = "dev-ca")]
pub use dev_ca::{DevCa, NodeCredentials};
pub use identity::NODE_URI_PREFIX;
pub use limits::TcpLimits;
pub use tls::ALPN;
pub use transport::TcpTransport;
