//! Whatever is asked of a system may be dropped at each operation of the store that it takes: it is done or it is not, asking
//! again finds that out, and nobody else is held up.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use actor_durable::limits::{LEASE_DEFAULT, REACTIVATION_PAUSE};
use actor_durable::store::Headers;
use actor_durable::testing::{Fault, FaultMode, FaultStore, Operation};
use actor_durable::{DurableRef, DurableSystem, MessageId};
use futures_util::future::{Either, select};

use crate::stage::{Account, Command, World, account, pass};

#[derive(Clone, Copy, Debug)]
enum Deed {
    Call,
    Send,
    Passivate,
    Delete,
}

impl Deed {
    async fn run(
        self,
        system: &DurableSystem,
        account: &DurableRef<Account>,
        id: MessageId,
    ) -> Result<(), String> {
        match self {
            Deed::Call => account.call(Command::Add(1)).id(id).await.map(drop).map_err(|why| why.to_string()),
            Deed::Send => {
                let sent = account.send_with(id, Headers::default(), &Command::Add(1)).await;
                sent.map(drop).map_err(|why| why.to_string())
            }
            Deed::Passivate => {
                system.passivate(account.id()).await;
                Ok(())
            }
            Deed::Delete => system.delete(account.id()).await.map(drop).map_err(|why| why.to_string()),
        }
    }
}

/// Does a deed to an account that has 5, drops it at its first visit to this operation, and does it again. What the account has
/// then. `None` if the deed does not come to this operation.
fn dropped_at(operation: Operation, deed: Deed) -> Option<i64> {
    let mut world = World::new();
    let store = FaultStore::new(world.store.clone(), []);
    let (_, system) = world.process_over(Arc::new(store.clone()));
    world.simulation.block_on(async {
        let system = system.await;
        let a = account(&system, "a");
        a.call(Command::Add(5)).await.expect("it is stored");
        if !matches!(deed, Deed::Passivate) {
            system.passivate(a.id()).await;
            pass(&system, REACTIVATION_PAUSE).await;
        }
        let id = a.new_message_id();
        let visit = store.visits().get(&operation).copied().unwrap_or(0) + 1;
        store.add(Fault { operation, visit, mode: FaultMode::Pause });
        if let Either::Left((done, _)) = select(pin!(deed.run(&system, &a, id)), pin!(store.paused())).await {
            done.expect("the store does it");
            return None;
        }
        assert_eq!(account(&system, "b").call(Command::Add(1)).await.ok(), Some(1), "nobody else waits");
        store.resume();
        pass(&system, Duration::from_millis(1)).await;
        deed.run(&system, &a, id).await.expect("the store does it");
        pass(&system, 2 * REACTIVATION_PAUSE).await;
        let money = a.call(Command::Get).await.expect("the store has it");
        system.shutdown(Duration::from_secs(1)).await.expect("the lease is given back");
        Some(money)
    })
}

#[test]
fn what_is_dropped_at_any_operation_is_done_once_by_whoever_asks_again() {
    use Operation::{Acquire, CommitTurn, Delete, Enqueue, Entries, Head, Inbox, Load, Release};
    for (deed, money, reached) in [
        (Deed::Call, 6, &[Acquire, Load, Entries, Inbox, CommitTurn][..]),
        (Deed::Send, 6, &[Enqueue]),
        (Deed::Passivate, 5, &[Release]),
        (Deed::Delete, 0, &[Acquire, Head, Delete]),
    ] {
        let after: Vec<_> =
            Operation::ALL.iter().filter_map(|at| dropped_at(*at, deed).map(|money| (*at, money))).collect();
        assert_eq!(after, reached.iter().map(|at| (*at, money)).collect::<Vec<_>>(), "{deed:?}");
    }
}

#[test]
fn a_start_that_is_dropped_leaves_nothing_behind() {
    let mut world = World::new();
    let store = FaultStore::new(
        world.store.clone(),
        [Fault { operation: Operation::Renew, visit: 1, mode: FaultMode::Pause }],
    );
    let (_, starting) = world.process_over(Arc::new(store.clone()));
    let system = world.simulation.system();
    world.simulation.block_on(async {
        let is_dropped = matches!(select(pin!(starting), pin!(store.paused())).await, Either::Right(_));
        assert!(is_dropped, "it waits for its lease");
        store.resume();
        system.executor().sleep(2 * LEASE_DEFAULT).await; // sleep: the simulation's time
        assert_eq!(store.visits()[&Operation::Renew], 1, "nobody renews it");
    });
    drop(store);
    assert_eq!(Arc::strong_count(&world.store), 1, "something of it has the store");
    let money = world.run(async |system| account(system, "a").call(Command::Add(1)).await.ok());
    assert_eq!(money, Some(1));
}
