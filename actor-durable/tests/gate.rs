//! Nothing leaves before it is stored.

use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use actor_durable::store::{Refusal, StoreError};
use actor_durable::testing::{Fault, FaultMode, FaultStore, Operation};
use actor_durable::{AskError, NotApplied};

use crate::stage::{Command, World, account};

#[test]
fn many_commands_at_once_are_stored_together_and_each_has_its_own_reply() {
    let mut world = World::new();
    world.run(async |system| {
        let account = account(system, "a");
        account.call(Command::Add(0)).await.expect("it is stored");
        let calls = (0..100).map(|_| account.call(Command::Add(1)).into_future());
        let mut replies: Vec<i64> = futures_util::future::join_all(calls)
            .await
            .into_iter()
            .map(|reply| reply.expect("it is stored"))
            .collect();
        replies.sort_unstable();
        assert_eq!(replies, (1..=100).collect::<Vec<_>>());
    });
}

#[test]
fn an_activation_whose_commit_has_failed_waits_for_no_handler() {
    let mut world = World::new();
    // The first turn, that of the first command, and the one after it.
    let fault = Fault { operation: Operation::CommitTurn, visit: 3, mode: FaultMode::Refuse };
    let (_, system) = world.process_over(Arc::new(FaultStore::new(world.store.clone(), [fault])));
    world.simulation.block_on(async {
        let system = system.await;
        let account = account(&system, "a");
        account.call(Command::Add(5)).await.expect("it is stored");
        let hung = account.call(Command::Hang).timeout(Duration::from_secs(60));
        let calls =
            futures_util::future::join(account.call(Command::Add(1)).into_future(), hung.into_future());
        let (added, hung) = calls.await;
        let Err(AskError::NotApplied(NotApplied::Store(StoreError::NotApplied(why)))) = added else {
            panic!("{added:?}")
        };
        assert!(matches!(why, Refusal::Unavailable(_)), "{why}");
        assert!(matches!(hung, Err(AskError::NotApplied(NotApplied::ActivationEnded))), "{hung:?}");
        assert_eq!(account.call(Command::Get).await.ok(), Some(5), "what is stored is read anew");
    });
}
