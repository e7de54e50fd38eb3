//! A transport for [`actor_cluster`] over QUIC, with TLS 1.3 and certificates on both sides.
//!
//! ```text
//!  QuicConfig ── build() ─► QuicTransport ── listen() ─► Listener ─┐
//!                                │                                 ├─► Connection ─► streams
//!                                └──────── dial(address) ──────────┘
//! ```
//!
//! ```no_run
//! use transport_quic::{Authorities, Credentials, QuicTransport};
//!
//! # async fn example() -> Result<(), actor_cluster::transport::TransportError> {
//! let transport = QuicTransport::builder()
//!     .listen(([0, 0, 0, 0], 7401).into())
//!     .advertise("node-a.cluster.example")
//!     .credentials(Credentials::from_pem_files("node-a.pem", "node-a.key")?)
//!     .authorities(Authorities::from_pem_file("ca.pem")?)
//!     .build()?;
//! # transport.close().await
//! # }
//! ```
//!
//! A node is the same over QUIC as over TCP: who it is, whom it believes, and how both are replaced while connections
//! live, is the matter of [`transport_tls`], and one [`TlsContext`] serves the transports of both kinds.
//!
//! # Addresses
//!
//! `quic://host:port`, where the host is a DNS name, an IPv4 address or an IPv6 address in brackets. The port is UDP's.
//!
//! # Streams
//!
//! A connection has a stream for control, one for what is urgent, one for data, or [several](QuicConfig::data_streams),
//! and one for bulk. What is lost of one delays none of the others, and what is more urgent is sent first. One
//! connection is driven by one task on each side; where that is too little, [`QuicConfig::connections`] spreads
//! the streams for data over several.
//!
//! # On the wire
//!
//! TLS negotiates the protocol `actor-cluster/1`. Once a dialler is let in, the host opens a unidirectional
//! stream, writes the byte 1 and ends it; until then a dial has not succeeded. A host that does not let the
//! dialler in closes the connection instead. The dialler opens the bidirectional streams. The first byte of each
//! is the dialler's, and says what it carries: 1 for control, 2 for data, 4 for bulk, 8 for what is urgent, or
//! their sum. The rest is the cluster's.
//!
//! # When to use it
//!
//! Between machines whose network loses packets, since one lost packet holds up one lane and not all of them. Over a network
//! that loses none, TCP takes less of the processor for each byte.
//!
//! # Closing
//!
//! Every close, reset and stop carries a [`CloseCode`](actor_cluster::transport::CloseCode), and that of a connection a
//! detail. Call [`QuicTransport::close`] in the end: the peers then hear of it.
//!
//! # Features
//!
//! `dev-ca` adds `DevCa`, an authority for tests and demos that lives for one run. Production
//! code does not compile it. `aws-lc-rs` adds the other provider of cryptography.

mod config;
mod connection;
mod dialer;
mod endpoints;
mod error;
mod handshake;
pub mod limits;
mod listener;
mod protocol;
mod settings;
mod stream;
mod transport;

pub use transport_tls as tls;
pub use transport_tls::{Authorities, Credentials, TlsContext, TlsFiles};
#[cfg(feature = "dev-ca")]
pub use transport_tls::{DevCa, NodeCredentials};

pub use config::QuicConfig;
pub use limits::QuicLimits;
pub use transport::{QuicTransport, SCHEME};
