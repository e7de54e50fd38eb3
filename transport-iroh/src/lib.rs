//! A cluster transport over [Iroh](https://docs.rs/iroh): QUIC between nodes
//! that are named by their keys.
//!
//! ```text
//!  IrohBuilder ── bind() ─► IrohTransport ── listen() ─► Listener ─┐
//!                                 │                                ├─► Connection ─► streams
//!                                 └──────── dial(address) ─────────┘
//! ```
//!
//! - **Identity.** A node's [`NodeId`](actor_cluster::id::NodeId) is its Iroh
//!   endpoint id, an Ed25519 public key. Both sides prove theirs in the
//!   handshake, so every peer is a
//!   [`PeerIdentity::Node`](actor_cluster::transport::PeerIdentity::Node).
//! - **Closed by default.** Nobody is let in and nobody is dialled until the
//!   peer is on the list ([`IrohBuilder::allow`]), or all are
//!   ([`IrohBuilder::allow_any`]).
//! - **Quiet by default.** Relays, port mapping, probes and lookup services are
//!   off. Packets go to the addresses that are dialled and nowhere else, unless
//!   [`IrohBuilder::relay_mode`] or [`IrohBuilder::address_lookup`] say so.
//! - **Addresses** read `iroh://<64 hex digits>@ip:port,ip:port`: the peer's
//!   identity and where it may be. An entry with `://` in it is the URL of a
//!   relay. Without `@` and entries, the lookup services must find the peer.
//! - **Streams.** Two on each connection: the control lane's is sent first
//!   whenever both have something to send.
//! - **A dial that succeeds was let in.** The listener says so with one byte on
//!   a stream of its own, once the dialler has passed its list of peers; see
//!   [`ALPN`] for the exact protocol.
//!
//! ```
//! use actor_cluster::transport::Transport;
//! use transport_iroh::{IrohTransport, generate_secret_key, node_id_of};
//!
//! # async fn example() -> Result<(), actor_cluster::transport::TransportError> {
//! let secret_key = generate_secret_key();
//! let friend = node_id_of(&generate_secret_key());
//! let transport = IrohTransport::builder()
//!     .secret_key(secret_key)
//!     .loopback()
//!     .allow([friend])
//!     .bind()
//!     .await?;
//! let mut listener = transport.listen().await?;
//! println!("dial me at {}", listener.addresses()[0]);
//! # let _ = &mut listener;
//! transport.close().await
//! # }
//! ```

mod address;
mod alpn;
mod config;
mod connection;
mod dialer;
mod door;
mod error;
mod host;
mod identity;
pub mod limits;
mod listener;
mod peers;
mod registry;
mod stream;
mod transport;

pub use alpn::ALPN;
pub use config::IrohBuilder;
pub use identity::{SECRET_KEY_BYTES, generate_secret_key, node_id_of};
pub use transport::{IrohTransport, SCHEME};

/// The version of Iroh whose types appear in this crate's interface.
pub use iroh;
