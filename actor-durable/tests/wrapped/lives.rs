//! How often the life of a wrapped actor begins anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use actor_core::{Actor, ActorError, ActorRef};
use actor_durable::{DurableId, DurableRef, ReplyTo, WrapActor, Wrapped};
use serde::{Deserialize, Serialize};

use crate::stage::World;

/// Counts its lives: in its state, and for the test.
struct Cat(Arc<AtomicU32>);

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Order {
    Purr,
    /// Fails.
    Bark,
    /// Changes something and fails.
    Scratch,
}

impl Actor for Cat {
    type Msg = (Order, ReplyTo<u32>);
    type State = u32;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Self::Msg>, (): ()) -> Result<u32, ActorError> {
        Ok(0)
    }

    async fn post_start(&self, _: &ActorRef<Self::Msg>, lives: &mut u32) -> Result<(), ActorError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        *lives += 1;
        Ok(())
    }

    async fn handle(
        &self,
        _: &ActorRef<Self::Msg>,
        (order, to): Self::Msg,
        lives: &mut u32,
    ) -> Result<(), ActorError> {
        match order {
            Order::Purr => {
                to.always(*lives);
                return Ok(());
            }
            Order::Bark => {}
            Order::Scratch => *lives += 100,
        }
        Err("a cat does not".into())
    }
}

impl WrapActor for Cat {
    const TYPE: &'static str = "cat";
    type Command = Order;
    type Reply = u32;

    fn arguments(&self, _: &DurableId) {}

    fn message(order: Order, to: ReplyTo<u32>) -> Self::Msg {
        (order, to)
    }
}

#[test]
fn d41_an_error_that_changed_nothing_begins_no_life_whatever_the_beginning_changes() {
    let lives = Arc::<AtomicU32>::default();
    World::new().run_with(
        |builder| builder.wrap(Cat(lives.clone())),
        async |system| {
            let cat: DurableRef<Wrapped<Cat>> = system.actor("tom").expect("a good id");
            assert_eq!(cat.call(Order::Purr).await.ok(), Some(1));
            system.passivate(cat.id()).await;
            for _ in 0..3 {
                cat.call(Order::Bark).await.expect_err("it fails");
            }
            assert_eq!(lives.load(Ordering::Relaxed), 2, "it began twice, as it was passivated once");
            let head = system.store().head(cat.id()).await.expect("it reads").expect("it is there");
            cat.call(Order::Purr).await.expect("it is asked");
            let after = system.store().head(cat.id()).await.expect("it reads").expect("it is there");
            assert_eq!(
                (after.sequence.0, after.snapshot),
                (head.sequence.0 + 1, head.snapshot),
                "no new state"
            );
            cat.call(Order::Scratch).await.expect_err("it fails");
            assert_eq!(lives.load(Ordering::Relaxed), 3, "what it changed is taken back by another life");
            assert_eq!(cat.call(Order::Purr).await.ok(), Some(2));
        },
    );
}
