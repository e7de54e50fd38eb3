//! Factories: jobs in, workers who do them, and one place that decides which job runs where
//! and when, and which does not.
//!
//! ```text
//!  FactoryRef ── Parcel ──► mailbox ──► Factory ── Assignment ──► workers, one job each
//!      ▲                                │  ▲                         │
//!      └── back, if it was not taken    │  └── finished, returned ───┘
//!                                       ▼
//!                     pool: routes, queues, sheds; pure, no clock, no task
//! ```
//!
//! The factory keeps the queues. A worker that dies loses the job it had in hand, at most, and
//! that one is reported or retried; whatever the end of a factory, each job that it did not run
//! is told to its [`DiscardHandler`].

mod actor;
mod builder;
mod gateway;
mod hooks;
mod job;
mod keys;
mod message;
mod orders;
mod parcel;
mod pool;
mod reference;
mod settings;
mod worker;

pub use self::actor::{Factory, FactoryState};
pub use self::builder::FactoryBuilder;
pub use self::hooks::{FactoryEvent, FactoryHooks, FactoryObserver};
pub use self::job::{DiscardHandler, DiscardReason, Discarded, Job, JobError, Retry};
pub use self::message::FactoryMessage;
pub use self::parcel::Assignment;
pub use self::reference::{FactoryRef, FactoryStats, FactoryUpdate, UpdateError};
pub use self::settings::{
    CapacityController, Controller, DeadMan, Discard, Queueing, Rank, RateLimit, Router, Routing,
    SettingsError, ShedMode, Workers,
};
pub use self::worker::{ClosureWorker, Place, Worker, WorkerActor};

/// How many workers a factory may have; more are an error.
pub const WORKERS_MAX: usize = 1_000_000;

/// How many jobs wait in each queue of a factory, unless its [`Discard`] says otherwise; those
/// that are too many are [shed](DiscardReason::Shed).
pub const QUEUE_JOBS_DEFAULT: usize = 65_536;

/// How many things a factory does before its next message: gives jobs to workers, reports jobs,
/// starts workers. If there are more, it sends itself the next message, so that others have their
/// turn after [`MESSAGES_PER_TURN`](actor_core::limits::MESSAGES_PER_TURN) of these, as with any actor.
pub const ORDERS_PER_MESSAGE: usize = 64;

/// How many priorities a factory may have; more are an error.
pub const PRIORITIES_MAX: u8 = 32;
