//! Actors and services that were not written to be durable, and are.

mod actor;
mod answers;
mod children;
mod lives;
mod own;
mod service;
mod service_calls;
mod services;
mod till;

use std::sync::Arc;
use std::time::Duration;

use actor_durable::limits::LEASE_DEFAULT;
use actor_durable::store::Store;
use actor_durable::testing::{Fault, FaultMode, FaultStore, Operation};
use actor_durable::{DurableBuilder, DurableSystem};

use crate::stage::{World, pass};

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    InPeace,
    Crash,
}

/// Runs a future in a process that knows these types and sees this store.
fn process<R>(
    world: &mut World,
    store: Arc<dyn Store>,
    register: impl FnOnce(DurableBuilder) -> DurableBuilder,
    end: End,
    body: impl AsyncFnOnce(&DurableSystem) -> R,
) -> R {
    let builder = register(DurableSystem::builder(&world.simulation.system(), store));
    world.simulation.block_on(async {
        let system = builder.start().await.expect("the store gives a lease");
        let result = body(&system).await;
        match end {
            End::InPeace => {
                system.shutdown(Duration::from_secs(60)).await.expect("the store takes the lease back");
            }
            End::Crash => {
                system.abandon().await;
                pass(&system, LEASE_DEFAULT).await;
            }
        }
        result
    })
}

/// The world's store, that fails so at the commit of this number.
fn failing(world: &World, visit: u64, mode: FaultMode) -> FaultStore {
    FaultStore::new(world.store.clone(), [Fault { operation: Operation::CommitTurn, visit, mode }])
}
