//! Health checks: a task beside the supervisor for each child that has one.

use super::actor::{Request, SupervisorMessage};
use super::child::{Check, HealthCheck};
use crate::address::{ActorCell, ActorRef, Local};
use crate::contain::discard;
use crate::lifecycle::Status;
use crate::runtime::{Caught, Droppable};
use crate::supervise::ChildKey;

/// Which life a child is in.
pub(super) fn life_of(child: &ActorCell) -> u64 {
    child.as_local().map_or(0, Local::life)
}

/// Asks a child how it is, again and again.
pub(super) async fn check_regularly(
    myself: ActorRef<SupervisorMessage>,
    key: ChildKey,
    child: ActorCell,
    health: HealthCheck,
    check: Check,
) {
    let executor = myself.executor().clone();
    loop {
        executor.sleep(health.interval).await;
        if child.status() != Status::Running {
            continue;
        }
        let life = life_of(&child);
        let checking = Droppable::new(contained_check(&check, child.clone()));
        let checked = executor.timeout(health.timeout, checking).await;
        let is_healthy = checked.unwrap_or(false);
        if myself.send(SupervisorMessage(Request::Checked { key, life, is_healthy })).await.is_err() {
            return;
        }
    }
}

/// A check that panics has failed.
async fn contained_check(check: &Check, child: ActorCell) -> bool {
    match Caught::new(async move { check(child).await }).await {
        Ok(is_healthy) => is_healthy,
        Err(payload) => {
            discard(payload);
            false
        }
    }
}
