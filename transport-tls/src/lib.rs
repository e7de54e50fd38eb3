//! What cluster transports that speak TLS 1.3 have in common: who a node is,
//! whom it believes, and how both are replaced while connections live.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use transport_tls::{TlsContext, TlsFiles};
//!
//! # async fn example() -> Result<(), actor_cluster::transport::TransportError> {
//! let files = TlsFiles::new("node-a.pem", "node-a.key", "ca.pem").revocations("ca.crl");
//! let tls = TlsContext::from_files(files)?;
//! // Looks every minute whether the files have changed.
//! tokio::spawn(tls.clone().follow_files(Duration::from_secs(60)));
//! # Ok(())
//! # }
//! ```
//!
//! One [`TlsContext`] serves any number of transports, over TCP and over QUIC:
//! what is replaced in it is replaced for all of them.
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
//! # Whom it believes
//!
//! Every node whose certificate one of the [`Authorities`] has signed and has not
//! taken back, for as long as the certificate is valid.
//!
//! # Replacing
//!
//! A handshake uses what the context holds when it begins. Connections that are
//! there go on with the keys they have. When authorities or revocation lists are replaced, every
//! live peer is judged again by the certificate that it came with, as of the time when it came, and who is
//! not believed any more is disconnected at once. A certificate that expires ends no connection.
//!
//! # Development certificates
//!
//! The feature `dev-ca` adds `DevCa` and the program `dev-certs`, an authority
//! that lives for one run, and the suites of tests that transports with certificates run. Production code does not compile
//! them.

mod authorities;
mod context;
mod credentials;
#[cfg(feature = "dev-ca")]
pub mod dev_ca;
mod fault;
mod files;
mod identity;
pub mod limits;
mod name;
mod pem;
pub mod provider;
mod roles;
mod settings;
#[cfg(feature = "dev-ca")]
pub mod testing;
mod trust;
mod verdict;
mod verifier;

pub use rustls;
pub use rustls_pki_types as pki_types;

pub use authorities::{Authorities, RevocationLists};
pub use context::{ALPN, Disconnect, Registered, TlsContext, TlsCounts};
pub use credentials::Credentials;
#[cfg(feature = "dev-ca")]
pub use dev_ca::{DevCa, NodeCredentials};
pub use fault::Fault;
pub use files::TlsFiles;
pub use identity::NODE_URI_PREFIX;
pub use name::server_name;
pub use settings::TlsSettings;
pub use trust::{PeerRole, node_of};
pub use verdict::Verdict;
