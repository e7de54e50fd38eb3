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
//! Who a node is, whom it believes, and how both are replaced while connections
//! live, is the matter of [`transport_tls`], which other transports share.
//!
//! # Addresses
//!
//! `tcp+tls://host:port`, where the host is a DNS name, an IPv4 address or an
//! IPv6 address in brackets; `tcp+plaintext://host:port` without TLS. A TCP
//! connection carries one stream with every lane.
//!
//! # Unix sockets
//!
//! Between processes of one machine, [`UnixTransport`] has the same without TLS, and asks the system which user the peer is.
//!
//! # Features
//!
//! `dev-ca` adds `DevCa`, an authority for tests and demos that lives for one run. Production
//! code does not compile it. `aws-lc-rs` adds the other provider of cryptography. `turmoil` adds `TurmoilTransport`, which is this
//! one on hosts of a [turmoil](https://docs.rs/turmoil) simulation, for tests.

mod config;
mod connection;
mod dialer;
mod error;
mod handshake;
pub mod limits;
mod listener;
mod plaintext;
mod read_ahead;
mod socket;
mod transport;
#[cfg(feature = "turmoil")]
mod turmoil;
#[cfg(unix)]
pub mod unix;

pub use transport_tls as tls;
pub use transport_tls::{Authorities, Credentials, TlsContext, TlsFiles};
#[cfg(feature = "dev-ca")]
pub use transport_tls::{DevCa, NodeCredentials};

pub use config::TcpConfig;
pub use limits::TcpLimits;
pub use transport::TcpTransport;
#[cfg(feature = "turmoil")]
pub use turmoil::TurmoilTransport;
#[cfg(unix)]
pub use unix::{UnixConfig, UnixTransport};
