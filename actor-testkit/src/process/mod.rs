//! Clusters whose nodes are real processes, for tests that hurt: they are started, stopped, killed, frozen and cut off from
//! each other, and asked what they make of it. Of the feature `process`.
//!
//! ```text
//!  the test: ProcessCluster ── stdin: an Invitation, then questions ──► Guest: the node's program
//!                 │         ◄─ stdout: ready, answers, what it tells ──    │
//!                 └─ signals, cuts, inspection                             └─ drop, stop, our end: it ends
//! ```
//!
//! What a node runs is any program that begins with [`Guest::arrive`]: one of its own, or the test itself once more. It
//! knows nothing of what a node is, so a [`Guest`] may be one of actor-cluster's `NodeServer`s, or anything else that talks over a
//! network. This test is both:
//!
//! ```standalone_crate
//! use std::net::{TcpListener, TcpStream};
//! use std::time::Duration;
//!
//! use actor_testkit::process::{Crash, Guest, NodeState, Order, ProcessCluster, ProcessError, Program};
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), ProcessError> {
//!     if let Some(guest) = Guest::arrive()? {
//!         return node(guest).await;
//!     }
//!     // In a test, `Program::this_test("its name")`; with a program of its own, `Program::new(env!("CARGO_BIN_EXE_node"))`.
//!     let mut cluster = ProcessCluster::builder(Program::this()).nodes(3).start().await?;
//!     assert_eq!(cluster.ask(1, "who are you?").await?, "node-1");
//!     assert_eq!(cluster.ask(2, "whom do you reach?").await?, "1 of 1");
//!     assert!(matches!(cluster.ask(2, "why?").await, Err(ProcessError::Refused { .. })));
//!
//!     // It is gone without a word.
//!     cluster.crash(0, Crash::Reset).await?;
//!     assert!(matches!(cluster.inspect(0)?.state, NodeState::Ended(_)));
//!     cluster.until(2, "whom do you reach?", Duration::from_secs(5), |answer| answer == "0 of 1").await?;
//!
//!     // The same node in another life, where it was.
//!     cluster.restart(0).await?;
//!     cluster.until(2, "whom do you reach?", Duration::from_secs(5), |answer| answer == "1 of 1").await?;
//!
//!     // It does nothing, and its port stays open.
//!     cluster.freeze(1)?;
//!     assert_eq!(cluster.inspect(1)?.state, NodeState::Frozen);
//!     cluster.thaw(1)?;
//!     let endings = cluster.shutdown().await?;
//!     assert!(endings.iter().all(|status| status.success()));
//!     Ok(())
//! }
//!
//! /// A node that does nothing but listen.
//! async fn node(mut guest: Guest) -> Result<(), ProcessError> {
//!     let told = guest.invitation().clone();
//!     let listener = TcpListener::bind((told.ip, told.port))?;
//!     guest.ready([listener.local_addr()?]);
//!     loop {
//!         match guest.next().await {
//!             Order::Stop => return Ok(()),
//!             Order::Ask(question) => match question.text() {
//!                 "who are you?" => question.answer(&told.name),
//!                 "whom do you reach?" => {
//!                     let reached = told.seeds.iter().filter(|seed| TcpStream::connect(seed).is_ok()).count();
//!                     question.answer(format!("{reached} of {}", told.seeds.len()));
//!                 }
//!                 _ => question.refuse("that is no question"),
//!             },
//!         }
//!     }
//! }
//! ```
//!
//! # Networks
//!
//! On loopback, which is the default, nodes can be stopped, crashed and frozen. With
//! [`in_namespaces`](ProcessClusterBuilder::in_namespaces) each has a network namespace of Linux, and an address, of its own; they can be
//! [partitioned](ProcessCluster::partition), and [blocked](ProcessCluster::block) in one direction, by rules of the hub between them, or
//! [unplugged](ProcessCluster::unplug), by the state of their link. It takes root and iproute2: where either lacks,
//! [`ProcessError::NotHere`] says so, and [`or_skip`] makes a skipped test of that, and a failed one where `CI` is set.
//!
//! Delay, loss, disorder and slow readers are made by a [`Relay`] or [`Datagrams`] that a node advertises in place of its own
//! address. They work anywhere, and ask no rights; [`behind_relays`](ProcessClusterBuilder::behind_relays) puts one before each node, on
//! loopback or in a namespace of its own.
//!
//! # What is left
//!
//! Nothing. A node is killed when its cluster is dropped, and its namespace goes. If the test itself is killed, its nodes see their standard input
//! end: [`Guest::next`] says [`Order::Stop`], and the process ends after [`GUEST_GRACE`](crate::limits::GUEST_GRACE) at the latest; frozen
//! ones are killed, and namespaces removed, by shells that wait for our end.

mod builder;
mod cluster;
mod conditions;
mod datagrams;
mod error;
mod front;
mod guest;
mod invitation;
mod lab;
mod lines;
mod member;
mod network;
mod node_process;
mod parting;
mod program;
mod relay;
mod space;
mod talk;
mod warden;

pub use self::builder::ProcessClusterBuilder;
pub use self::cluster::ProcessCluster;
pub use self::conditions::{Carried, Conditions, Direction};
pub use self::datagrams::Datagrams;
pub use self::error::{Ending, ProcessError, or_skip};
pub use self::front::Carries;
pub use self::guest::{Guest, Order, Question};
pub use self::invitation::Invitation;
pub use self::lab::Lab;
pub use self::member::{Inspection, NodeState};
pub use self::node_process::{Greeting, NodeProcess, parent_gone};
pub use self::program::{NodePlan, Program};
pub use self::relay::Relay;
pub use self::space::Space;
pub use crate::crash::Crash;
