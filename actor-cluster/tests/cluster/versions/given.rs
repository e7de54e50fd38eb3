//! Actors that are published nowhere: which version of their messages they take is said with their
//! addresses.

use std::sync::{Arc, Mutex};

use actor_core::{Actor, ActorError, ActorRef, CallError, CallFailure, Rejection, SendError, SpawnOptions};

use super::super::support::{Network, TestNode, node, on_every_shape, settle, two};

/// A build's till, and who is given one.
macro_rules! build {
    ($build:ident, $($variants:tt)*) => {
        mod $build {
            use actor_cluster::RemoteMessage;
            use actor_core::{ActorRef, ReplyPort};

            #[derive(Debug, RemoteMessage)]
            #[wire(name = "given/Till")]
            pub(super) enum Till {
                $($variants)*
                #[rpc]
                Sum(ReplyPort<u64>),
            }

            #[derive(Debug, RemoteMessage)]
            #[wire(name = "given/Give")]
            pub(super) enum Give {
                Here(ActorRef<Till>),
                #[rpc]
                Take(ReplyPort<Option<ActorRef<Till>>>),
            }
        }
    };
}
build!(old, Pay { cents: u64 },);
build!(
    new,
    Pay {
        cents: u64,
        #[wire(default = 1)]
        times: u64
    },
);
build!(other, Pay { cents: String },);

struct OldTill;

impl Actor for OldTill {
    type Msg = old::Till;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<old::Till>, (): ()) -> Result<u64, ActorError> {
        Ok(0)
    }

    async fn handle(
        &self,
        _: &ActorRef<old::Till>,
        till: old::Till,
        sum: &mut u64,
    ) -> Result<(), ActorError> {
        match till {
            old::Till::Pay { cents } => *sum += cents,
            old::Till::Sum(reply) => _ = reply.send(*sum),
        }
        Ok(())
    }
}

/// Keeps what it is given, and gives it to whoever asks.
macro_rules! keeper {
    ($name:ident, $build:ident) => {
        #[derive(Clone, Default)]
        struct $name(Arc<Mutex<Option<ActorRef<$build::Till>>>>);

        impl $name {
            fn take(&self) -> ActorRef<$build::Till> {
                self.0.lock().unwrap().take().expect("it was given one")
            }
        }

        impl Actor for $name {
            type Msg = $build::Give;
            type State = ();
            type Arguments = ();

            async fn pre_start(&self, _: &ActorRef<$build::Give>, (): ()) -> Result<(), ActorError> {
                Ok(())
            }

            async fn handle(
                &self,
                _: &ActorRef<$build::Give>,
                give: $build::Give,
                (): &mut (),
            ) -> Result<(), ActorError> {
                match give {
                    $build::Give::Here(till) => *self.0.lock().unwrap() = Some(till),
                    $build::Give::Take(reply) => _ = reply.send(self.0.lock().unwrap().clone()),
                }
                Ok(())
            }
        }
    };
}
keeper!(OldKeeper, old);
keeper!(NewKeeper, new);
keeper!(OtherKeeper, other);

on_every_shape! {
    an_actor_of_an_incompatible_build_that_was_given_is_known_for_one
    an_actor_in_an_answer_is_known_too
    an_actor_of_an_older_build_that_was_given_takes_what_both_know
    an_actor_that_a_third_node_has_given_is_known_from_the_first_refusal_on
}

const WHY: &str = "`given/Till::Pay.cents` is `text` on this node and `u64` on the peer";

async fn old_till(node: &TestNode) -> ActorRef<old::Till> {
    node.system.spawn(OldTill, (), SpawnOptions::new()).await.unwrap()
}

fn pay() -> other::Till {
    other::Till::Pay { cents: "ten".into() }
}

fn assert_unsendable(till: &ActorRef<other::Till>) {
    let Err(SendError::Unsendable(other::Till::Pay { cents }, why)) = till.cast(pay()) else {
        panic!("it is known not to be understood")
    };
    assert_eq!((&*cents, &*why), ("ten", WHY));
}

async fn an_actor_of_an_incompatible_build_that_was_given_is_known_for_one(network: Network) {
    let (a, b) = two(&network).await;
    let till = old_till(&a).await;
    let keeper = OtherKeeper::default();
    let there = b.system.spawn(keeper.clone(), (), SpawnOptions::new()).await.unwrap();
    b.server.publish("keeper", &there).unwrap();
    settle().await;
    a.server.find::<old::Give>("keeper").unwrap().cast(old::Give::Here(till.clone())).unwrap();
    settle().await;
    assert_unsendable(&keeper.take());
    assert_eq!(till.call(old::Till::Sum).await.unwrap(), 0);
}

async fn an_actor_in_an_answer_is_known_too(network: Network) {
    let (a, b) = two(&network).await;
    let till = old_till(&a).await;
    let keeper = OldKeeper(Arc::new(Mutex::new(Some(till.clone()))));
    let there = a.system.spawn(keeper.clone(), (), SpawnOptions::new()).await.unwrap();
    a.server.publish("keeper", &there).unwrap();
    settle().await;
    let found = b.server.find::<other::Give>("keeper").unwrap();
    assert_unsendable(&found.call(other::Give::Take).await.unwrap().unwrap());
    assert_eq!(keeper.take().call(old::Till::Sum).await.unwrap(), 0);
}

async fn an_actor_of_an_older_build_that_was_given_takes_what_both_know(network: Network) {
    let (a, b) = two(&network).await;
    let till = old_till(&a).await;
    let keeper = NewKeeper::default();
    let there = b.system.spawn(keeper.clone(), (), SpawnOptions::new()).await.unwrap();
    b.server.publish("keeper", &there).unwrap();
    settle().await;
    a.server.find::<old::Give>("keeper").unwrap().cast(old::Give::Here(till.clone())).unwrap();
    settle().await;
    let given = keeper.take();
    given.cast(new::Till::Pay { cents: 10, times: 3 }).unwrap();
    assert_eq!(given.call(new::Till::Sum).await.unwrap(), 10);
}

/// Whoever passes an address on cannot speak for its node; that does so when it is shown the token.
async fn an_actor_that_a_third_node_has_given_is_known_from_the_first_refusal_on(network: Network) {
    let (a, b) = two(&network).await;
    let c = node(&network, 3).await;
    c.connect(&a).await;
    c.connect(&b).await;
    let till = old_till(&a).await;
    let (middle, last) = (OldKeeper::default(), OtherKeeper::default());
    let there = b.system.spawn(middle.clone(), (), SpawnOptions::new()).await.unwrap();
    b.server.publish("middle", &there).unwrap();
    let there = c.system.spawn(last.clone(), (), SpawnOptions::new()).await.unwrap();
    c.server.publish("last", &there).unwrap();
    settle().await;
    a.server.find::<old::Give>("middle").unwrap().cast(old::Give::Here(till.clone())).unwrap();
    settle().await;
    b.server.find::<old::Give>("last").unwrap().cast(old::Give::Here(middle.take())).unwrap();
    settle().await;
    let given = last.take();
    let refused = given.call(other::Till::Sum).await;
    let Err(CallError::Failed(CallFailure::Rejected(Rejection::Undecodable(_)))) = refused else {
        panic!("{refused:?}")
    };
    settle().await;
    assert_unsendable(&given);
    assert_eq!(till.call(old::Till::Sum).await.unwrap(), 0);
}
