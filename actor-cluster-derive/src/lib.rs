//! The derives of actor-cluster's wire forms. Use them through actor-cluster, which
//! re-exports them beside the traits; they emit `::actor_cluster::…` paths and need
//! no other crate where they are used.
//!
//! ```text
//!  tokens ── ast (+ attr) ──► Input ── valid ──► the same, known good ── expand ──► impl
//!                 │                      │
//!                 └──────── errors ──────┴──► fallback: the errors and an impl that
//!                                             keeps every other message away
//! ```
//!
//! Lives here: the two entry points. Parsing collects every mistake it sees; what
//! expansion gets, it can always expand.

mod ast;
mod attr;
mod errors;
mod expand;
mod fallback;
mod tag;
mod valid;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Derives `actor_cluster::Wire` for a struct or an enum: a value that messages and
/// answers can be made of.
///
/// Fields travel in the order of their declaration, so changing it breaks the format.
/// Variants are known by their names, so their order is free. A field can be added at the end
/// if it has a default, and a variant anywhere: builds with and without it talk to each other.
///
/// | attribute | on | effect |
/// |---|---|---|
/// | `#[wire(name = "shop/order")]` | the type | its name on the wire; by default `package::Ident` |
/// | `#[wire(name = "paid")]` | a variant | its name on the wire; by default its identifier |
/// | `#[wire(serde)]` | a field | encodes it through serde, with postcard |
/// | `#[wire(prost)]` | a field | encodes it as a protobuf message |
/// | `#[wire(with = "module")]` | a field | uses `module::encode(&T, &mut Encoder<'_>)` and `module::decode(&mut Decoder<'_>)` |
/// | `#[wire(default)]`, `#[wire(default = expression)]` | the last fields | what they are in messages from builds that do not know them, to whom they are not sent |
/// | `#[wire(name = "count")]` | a field | its name in the schema; by default its identifier or number |
/// | `#[wire(crate = "path")]` | the type | where actor-cluster is, if not at `::actor_cluster` |
///
/// Every type parameter must be `Wire`: its tag is part of the type's own. Other
/// bounds that the fields need stand on the type itself.
///
/// ```ignore
/// #[derive(Wire)]
/// struct Order {
///     id: u64,
///     lines: Vec<Line>,
///     #[wire(serde)]
///     placed: chrono::DateTime<chrono::Utc>,
/// }
/// ```
#[proc_macro_derive(Wire, attributes(wire, rpc))]
pub fn derive_wire(input: TokenStream) -> TokenStream {
    expand::wire::derive(&parse_macro_input!(input as DeriveInput)).into()
}

/// Derives `actor_cluster::RemoteMessage` for an enum: what an actor can be asked by
/// other nodes.
///
/// A variant marked `#[rpc]` is a call and holds one `ReplyPort<T>`, at any place;
/// `T` must be `Wire`. Every other variant is a cast. The rest is as in [`Wire`].
///
/// ```ignore
/// #[derive(RemoteMessage)]
/// enum Counter {
///     Add(u64),
///     #[rpc]
///     Get { reply: ReplyPort<u64> },
/// }
/// ```
#[proc_macro_derive(RemoteMessage, attributes(wire, rpc))]
pub fn derive_remote_message(input: TokenStream) -> TokenStream {
    expand::message::derive(&parse_macro_input!(input as DeriveInput)).into()
}
