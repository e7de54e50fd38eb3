//! What you test your own actors with.
//!
//! | to test | take |
//! |---|---|
//! | one actor's hooks and its state, without a system | [`Bench`] |
//! | actors together, in virtual time and in an order that a seed chooses | [`Simulation`] |
//! | a cluster of nodes under faults, in virtual time: the feature `cluster` | `SimCluster` |
//! | what an actor says to its neighbours | [`Probe`], which stands for one |
//! | what happened in a system: lives, failures, messages that died | [`EventRecorder`] |
//! | nodes that are real processes: killed, frozen, cut off | `process::ProcessCluster`, with the feature `process` |
//!
//! ```
//! use std::time::Duration;
//!
//! use actor_core::{ActorRef, Context, actor};
//! use actor_testkit::{Probe, Simulation};
//!
//! /// Says so to somebody, a minute after it was last touched.
//! struct Alarm {
//!     rings: ActorRef<&'static str>,
//!     touched: u32,
//! }
//!
//! #[actor]
//! impl Alarm {
//!     #[cast]
//!     fn touch(&mut self, ctx: &Context<'_, AlarmRef>) {
//!         self.touched += 1;
//!         ctx.send_after(Duration::from_secs(60), AlarmMessage::Ring(self.touched));
//!     }
//!
//!     #[cast]
//!     fn ring(&mut self, which: u32) {
//!         if which == self.touched {
//!             _ = self.rings.cast("wake up");
//!         }
//!     }
//! }
//!
//! let mut simulation = Simulation::seeded(7);
//! let system = simulation.system();
//! let mut bell = Probe::new(&system);
//! simulation.block_on(async {
//!     let alarm = Alarm { rings: bell.actor_ref(), touched: 0 }.spawn().on(&system).await.unwrap();
//!     alarm.touch().cast().unwrap();
//!     bell.expect_none_within(Duration::from_secs(40)).await;
//!     alarm.touch().cast().unwrap();
//!     bell.expect_none_within(Duration::from_secs(59)).await;
//!     bell.within(Duration::from_secs(2), async |bell| bell.expect_eq("wake up").await).await;
//! });
//! ```
//!
//! That test takes no time. Probes, recorders and the [`Executor`](actor_core::Executor)'s clock
//! are the same on tokio, where time is tokio's: real, or paused by its own means.
//!
//! A library has this crate as a dev-dependency, so that nobody who uses it compiles it.

mod bench;
#[cfg(feature = "cluster")]
pub mod cluster;
#[cfg(any(feature = "cluster", feature = "process"))]
mod crash;
pub mod limits;
mod probe;
#[cfg(feature = "process")]
pub mod process;
mod recorder;
// A cluster parts a simulation's world into places, which nobody else does.
#[cfg_attr(not(feature = "cluster"), allow(dead_code))]
mod simulation;

pub use self::bench::Bench;
pub use self::probe::{Probe, ProbeBuilder};
pub use self::recorder::EventRecorder;
pub use self::simulation::{Order, Simulation};
