//! What a factory is told, by its addresses, its workers and itself.

use std::fmt;
use std::sync::Arc;

use actor_core::{ActorCell, ReplyPort, SpawnError};

use super::parcel::{Parcel, Shared};
use super::pool::{Outcome, Tags};
use super::reference::{FactoryStats, FactoryUpdate};
use super::settings::SettingsError;

/// A factory's message. A [`FactoryRef`](super::FactoryRef) makes them.
pub struct FactoryMessage<K: Send + 'static, M: Send + 'static>(pub(super) Request<K, M>);

pub(super) enum Request<K: Send + 'static, M: Send + 'static> {
    Dispatch(Parcel<K, M>),
    /// A worker is done with its job, or has lost it.
    Finished {
        worker: u32,
        ticket: u64,
        outcome: Outcome,
    },
    /// A worker gives its job back.
    Returned {
        worker: u32,
        ticket: u64,
        outcome: Outcome,
        /// Boxed: it is rare, and every message takes as much room as the largest.
        job: Box<(Parcel<K, M>, Tags)>,
    },
    /// Something came while the mailbox was full.
    Poke,
    /// A worker was launched, or was not.
    Launched {
        worker: u32,
        launched: Result<ActorCell, Box<SpawnError>>,
    },
    /// The time has come for something.
    Tick,
    Stats(ReplyPort<FactoryStats>),
    Resize(usize, ReplyPort<Result<(), SettingsError>>),
    Update(Box<FactoryUpdate<K, M>>, ReplyPort<Result<(), SettingsError>>),
    /// The factory is to drain when so many messages have come to its mailbox and left it.
    Drain {
        behind: u64,
    },
    Connect(ReplyPort<Arc<Shared<K, M>>>),
}

impl<K: Send + 'static, M: Send + 'static> fmt::Debug for FactoryMessage<K, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FactoryMessage")
    }
}
