//! An old and a new build of a shop, which talk to each other in both directions.

use actor_cluster::wire::WireContext;
use actor_core::{Actor, ActorError, ActorRef, CallError, CallFailure, SendError, SpawnOptions};

use super::super::support::{Network, on_every_shape, settle, two};

/// The first version.
mod old {
    use actor_cluster::{RemoteMessage, Wire};
    use actor_core::ReplyPort;

    #[derive(Clone, Debug, PartialEq, Wire)]
    #[wire(name = "shop/Line")]
    pub(super) struct Line {
        pub(super) sku: String,
        pub(super) size: Size,
    }

    #[derive(Clone, Debug, PartialEq, Wire)]
    #[wire(name = "shop/Size")]
    pub(super) enum Size {
        Small,
        Exactly(u32),
    }

    #[derive(Debug, RemoteMessage)]
    #[wire(name = "shop/Order")]
    pub(super) enum Order {
        /// Keeps lines.
        Put { lines: Vec<Line> },
        /// Answers the last, and how many there are.
        #[rpc]
        Last(ReplyPort<(Option<Line>, u64)>),
    }
}

/// The second: fields at the end of both, and variants of both.
mod new {
    use actor_cluster::{RemoteMessage, Wire};
    use actor_core::ReplyPort;

    #[derive(Clone, Debug, PartialEq, Wire)]
    #[wire(name = "shop/Line")]
    pub(super) struct Line {
        pub(super) sku: String,
        pub(super) size: Size,
        #[wire(default = 1)]
        pub(super) count: u32,
        #[wire(default)]
        pub(super) notes: Vec<String>,
    }

    #[derive(Clone, Debug, PartialEq, Wire)]
    #[wire(name = "shop/Size")]
    pub(super) enum Size {
        Large,
        Small,
        Exactly(u32, #[wire(default = Unit::Metre)] Unit),
    }

    #[derive(Clone, Debug, PartialEq, Wire)]
    #[wire(name = "shop/Unit")]
    pub(super) enum Unit {
        Metre,
        Foot,
    }

    #[derive(Debug, RemoteMessage)]
    #[wire(name = "shop/Order")]
    pub(super) enum Order {
        /// Forgets all lines.
        Clear,
        Put {
            lines: Vec<Line>,
            #[wire(default)]
            express: bool,
        },
        #[rpc]
        Last(ReplyPort<(Option<Line>, u64)>, #[wire(default = 100)] u64),
    }
}

/// A shop of the first version.
struct OldShop;

impl Actor for OldShop {
    type Msg = old::Order;
    type State = Vec<old::Line>;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<old::Order>, (): ()) -> Result<Vec<old::Line>, ActorError> {
        Ok(Vec::new())
    }

    async fn handle(
        &self,
        _: &ActorRef<old::Order>,
        order: old::Order,
        kept: &mut Vec<old::Line>,
    ) -> Result<(), ActorError> {
        match order {
            old::Order::Put { lines } => kept.extend(lines),
            old::Order::Last(reply) => _ = reply.send((kept.last().cloned(), kept.len() as u64)),
        }
        Ok(())
    }
}

/// A shop of the second.
struct NewShop;

impl Actor for NewShop {
    type Msg = new::Order;
    type State = (Vec<new::Line>, u64);
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<new::Order>, (): ()) -> Result<Self::State, ActorError> {
        Ok((Vec::new(), 0))
    }

    async fn handle(
        &self,
        _: &ActorRef<new::Order>,
        order: new::Order,
        (kept, express): &mut Self::State,
    ) -> Result<(), ActorError> {
        match order {
            new::Order::Clear => kept.clear(),
            new::Order::Put { lines, express: is_express } => {
                *express += u64::from(is_express);
                kept.extend(lines);
            }
            new::Order::Last(reply, base) => {
                _ = reply.send((kept.last().cloned(), base + kept.len() as u64 + *express));
            }
        }
        Ok(())
    }
}

fn old_line(sku: &str) -> old::Line {
    old::Line { sku: sku.into(), size: old::Size::Exactly(7) }
}

fn new_line(sku: &str) -> new::Line {
    let size = new::Size::Exactly(7, new::Unit::Foot);
    new::Line { sku: sku.into(), size, count: 3, notes: vec!["fragile".into()] }
}

on_every_shape! {
    an_old_build_asks_a_new_one
    a_new_build_asks_an_old_one
    builds_that_are_alike_leave_nothing_out
    an_old_and_a_new_build_find_each_other_in_turn
}

async fn an_old_build_asks_a_new_one(network: Network) {
    let (a, b) = two(&network).await;
    let shop = b.system.spawn(NewShop, (), SpawnOptions::new()).await.unwrap();
    b.server.publish("shop", &shop).unwrap();
    settle().await;
    let there = a.server.find::<old::Order>("shop").unwrap();
    there.cast(old::Order::Put { lines: vec![old_line("a"), old_line("b")] }).unwrap();
    // The answer is written by the new build, without what the old one does not know; the
    // base that it did not ask for is the default.
    let (last, count) = there.call(old::Order::Last).await.unwrap();
    assert_eq!((last, count), (Some(old_line("b")), 102));
    // The new build has filled in what the old one did not say.
    let (last, count) = shop.call(|reply| new::Order::Last(reply, 0)).await.unwrap();
    let size = new::Size::Exactly(7, new::Unit::Metre);
    assert_eq!(last, Some(new::Line { sku: "b".into(), size, count: 1, notes: vec![] }));
    assert_eq!(count, 2);
    // A variant that the old build does not know cannot be answered with.
    let large = new::Line { size: new::Size::Large, ..new_line("c") };
    shop.cast(new::Order::Put { lines: vec![large], express: false }).unwrap();
    let outcome = there.call(old::Order::Last).await;
    let Err(CallError::Failed(CallFailure::BadReply(why))) = outcome else { panic!("{outcome:?}") };
    assert!(why.ends_with("Size has no variant `Large`"), "{why}");
    assert!(there.call(old::Order::Last).await.is_err(), "and the session goes on");
}

async fn a_new_build_asks_an_old_one(network: Network) {
    let (a, b) = two(&network).await;
    let shop = a.system.spawn(OldShop, (), SpawnOptions::new()).await.unwrap();
    a.server.publish("shop", &shop).unwrap();
    settle().await;
    let there = b.server.find::<new::Order>("shop").unwrap();
    there.cast(new::Order::Put { lines: vec![new_line("a"), new_line("b")], express: true }).unwrap();
    let (last, count) = there.call(|reply| new::Order::Last(reply, 55)).await.unwrap();
    let size = new::Size::Exactly(7, new::Unit::Metre);
    assert_eq!(last, Some(new::Line { sku: "b".into(), size, count: 1, notes: vec![] }));
    assert_eq!(count, 2, "the base never left");
    assert_eq!(shop.call(old::Order::Last).await.unwrap().0, Some(old_line("b")));
    // What the old build does not know comes back, unsent.
    let Err(SendError::Unsendable(new::Order::Clear, why)) = there.cast(new::Order::Clear) else { panic!() };
    assert_eq!(&*why, "the peer's version of shop/Order has no variant `Clear`");
    let lines = vec![new::Line { size: new::Size::Large, ..new_line("c") }];
    let Err(SendError::Unsendable(new::Order::Put { lines, .. }, why)) =
        there.cast(new::Order::Put { lines, express: false })
    else {
        panic!()
    };
    assert_eq!(lines[0].sku, "c");
    assert!(why.ends_with("Size has no variant `Large`"), "{why}");
    assert_eq!(there.call(|reply| new::Order::Last(reply, 0)).await.unwrap().1, 2);
}

async fn builds_that_are_alike_leave_nothing_out(network: Network) {
    let (a, b) = two(&network).await;
    let shop = b.system.spawn(NewShop, (), SpawnOptions::new()).await.unwrap();
    b.server.publish("shop", &shop).unwrap();
    settle().await;
    let there = a.server.find::<new::Order>("shop").unwrap();
    there.cast(new::Order::Clear).unwrap();
    there.cast(new::Order::Put { lines: vec![new_line("a")], express: true }).unwrap();
    let answer = there.call(|reply| new::Order::Last(reply, 10)).await.unwrap();
    assert_eq!(answer, (Some(new_line("a")), 12));
}

/// A rolling upgrade: each side has an actor, and both are asked at once.
async fn an_old_and_a_new_build_find_each_other_in_turn(network: Network) {
    let (a, b) = two(&network).await;
    let old_shop = a.system.spawn(OldShop, (), SpawnOptions::new()).await.unwrap();
    let new_shop = b.system.spawn(NewShop, (), SpawnOptions::new()).await.unwrap();
    a.server.join_group("shops", &old_shop).unwrap();
    b.server.join_group("shops", &new_shop).unwrap();
    settle().await;
    for round in 1..=20 {
        for shop in a.server.group::<old::Order>("shops") {
            shop.cast(old::Order::Put { lines: vec![old_line("a")] }).unwrap();
        }
        for shop in b.server.group::<new::Order>("shops") {
            shop.cast(new::Order::Put { lines: vec![new_line("b")], express: false }).unwrap();
        }
        settle().await;
        assert_eq!(a.server.group::<old::Order>("shops").len(), 2);
        for shop in b.server.group::<new::Order>("shops") {
            assert_eq!(shop.call(|reply| new::Order::Last(reply, 0)).await.unwrap().1, 2 * round);
        }
    }
}

/// A dialect is a matter of a session: what is kept has all its fields.
#[test]
fn a_context_without_a_peer_leaves_nothing_out() {
    let bytes = actor_cluster::wire::to_bytes(&new_line("a"), &WireContext::default()).unwrap();
    assert_eq!(
        actor_cluster::wire::from_bytes::<new::Line>(&bytes, &WireContext::default()).unwrap(),
        new_line("a")
    );
}
