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
//!   ([`IrohBuilder::allow_any`]). The [list](AllowList) can be replaced at any time; whoever is
//!   taken off it is disconnected.
//! - **Quiet by default.** Relays, port mapping, probes and lookup services are
//!   off. Packets go to the addresses that are dialled and nowhere else, unless
//!   [`IrohBuilder::reach`] says so: [`Reach`] lists the modes, and whom each contacts.
//! - **Crowds.** There are caps on handshakes and on connections, in all and
//!   from one address; where places get scarce, a peer must prove its address first. See [`limits`].
//! - **Addresses** read `iroh://<64 hex digits>@ip:port,ip:port`: the peer's
//!   identity and where it may be. An entry with `://` in it is the URL of a
//!   relay. Without `@` and entries, the lookup services must find the peer. A peer that has moved is found
//!   by them although an old place is dialled; and by whoever of its peers has heard of it, in a
//!   [transitive](actor_cluster::Mode::Transitive) cluster, so that a session looks for it there.
//! - **Streams.** Four on each connection, for control, what is urgent, data and bulk: what is more urgent is sent first
//!   whenever several have something to send. Each tells which
//!   [path](actor_cluster::transport::PathStatus) is in use, a direct one or a relay, and how it fares:
//!   [`NodeSession::streams`](actor_cluster::NodeSession::streams).
//! - **A dial that succeeds was let in.** The listener says so with one byte on
//!   a stream of its own, once the dialler has passed its list of peers; see
//!   [`ALPN`] for the exact protocol.
//! - **Company.** An endpoint of the caller's can serve other protocols beside this one:
//!   [`IrohBuilder::attach`].
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
mod allow_list;
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
mod protocol;
mod quic;
mod reach;
mod registry;
mod stream;
mod transport;

pub use allow_list::AllowList;
pub use alpn::ALPN;
pub use config::IrohBuilder;
pub use identity::{SECRET_KEY_BYTES, generate_secret_key, node_id_of};
pub use protocol::ClusterProtocol;
pub use reach::Reach;
pub use transport::{IrohTransport, SCHEME};

/// The version of Iroh whose types appear in this crate's interface.
pub use iroh;
